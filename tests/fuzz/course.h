/*
 * The course of events that an input is: bytes below 0x80 are said by whoever
 * has the word, the others are events (the tables in fuzz_event).
 */
#ifndef TESTS_FUZZ_COURSE_H
#define TESTS_FUZZ_COURSE_H

#include "server_world.h"

#define MAX_FILLER (1 << 20) /* bytes in all */

/* ---- the course of events ---------------------------------------------- */

static void
fuzz_connect(void)
{
	struct peer peer = { .family = AF_INET, .ip = { 192, 0, 2, 7 } };
	struct mock_socket *s;

	if (fuzz.n_clients == CLIENTS)
		return;
	s = mock_new(false);
	if (s == NULL)
		return;
	s->woken = true;
	fuzz.client = fuzz.n_clients++;
	fuzz.clients[fuzz.client] = fuzz.speaker = s;
	s->port = (uint16_t)(80 + fuzz.kind);
	if ((fuzz.kind & FUZZ_TLS) != 0)
		mock_tls_client(s, fuzz.client % 2 != 0, fuzz_has_gate(s));
	peer.port = (uint16_t)fuzz.client;
	h1_accept(fuzz.server, fuzz_endpoint(s->port), mock_fd(s), &peer);
}

/* The one that got bytes last or, K > 0, that was dialled so long before the
 * last; NULL: none. */
static struct mock_socket *
fuzz_upstream(unsigned k)
{
	if (k == 0 && mock.heard != NULL)
		return mock.heard;
	k = k > 0 ? k - 1 : 0;
	for (unsigned i = mock.n; i-- > 0; )
		if (mock.sockets[i].is_dialled && k-- == 0)
			return &mock.sockets[i];
	return NULL;
}

static void
fuzz_filler(struct mock_socket *s, unsigned k)
{
	static const char pattern[] = "0123456789abcdefghijklmnopqrstuv";
	size_t n = (size_t)32 << (2 * k);

	if (fuzz.filler + n > MAX_FILLER)
		return;
	fuzz.filler += n;
	for (; n > 0; n -= 32)
		fuzz_say(s, pattern, 32);
}

static void
fuzz_pass(unsigned k)
{
	static const uint16_t ms[16] = {
		1, 10, 100, 250, 499, 500, 999, 1000, 1001, 1999, 2000, 2999,
		3000, 4000, 5000, 6000
	};

	clock_fake_advance(ms[k]);
}

static void
fuzz_end_of(struct mock_socket *s, unsigned how)
{
	bool is_raw = how / 3 % 2 != 0;

	if (how % 3 == 0)
		fuzz_end_after(s, mock_fin, is_raw);
	else if (how % 3 == 1)
		fuzz_end_after(s, mock_peer_close, is_raw);
	else
		mock_reset(s);
}

/* How things are from now on. */
static bool
fuzz_event_mode(uint8_t event)
{
	switch (event) {
	case 0x8b:
		fuzz.kind ^= FUZZ_TLS;
		return true;
	case 0x8c:
		fuzz.kind ^= FUZZ_GATE;
		return true;
	case 0x8d:
		mock_tls.drips = !mock_tls.drips;
		return true;
	default:
		return false;
	}
}

/* What has no number. */
static void
fuzz_event_alone(uint8_t event)
{
	switch (event) {
	case 0x83:
		fuzz_tick();
		break;
	case 0x84:
		fuzz.holds = true;
		break;
	case 0x85:
		fuzz.holds = false;
		break;
	case 0x86:
		mock.backwards = !mock.backwards;
		break;
	case 0x87:
		fuzz_connect();
		break;
	case 0x88:
		fuzz.server->draining = true;
		break;
	case 0x89:
		for (unsigned i = 0; i < mock.n; i++)
			mock_establish(&mock.sockets[i], 0);
		break;
	case 0x8a:
		LIST_EACH(link, &fuzz.server->conns) {
			struct client *c = client_of_link(link);

			client_ops(c)->close_if_idle(c, true);
		}
		break;
	default:
		break;
	}
}

static void
fuzz_event(uint8_t event)
{
	struct mock_socket *c = fuzz.clients[fuzz.client];
	struct mock_socket *s = fuzz.speaker;
	unsigned k = event & 15;

	switch (event >> 4) {
	case 0x8:
		if (event == 0x80)
			fuzz.speaker = c;
		else if (event == 0x81 && fuzz_upstream(0) != NULL)
			fuzz.speaker = fuzz_upstream(0);
		else if (!fuzz_event_mode(event))
			fuzz_event_alone(event);
		break;
	case 0x9:
		fuzz_pass(k);
		break;
	case 0xa:
		mock_listen(s, k == 15 ? SIZE_MAX : (size_t)1 << k);
		break;
	case 0xb:
		mock_set_window(s, k == 15 ? 1 << 20 : k == 0 ? 0 :
		    (size_t)4 << k);
		break;
	case 0xc:
		fuzz_end_of(s, k);
		break;
	case 0xd:
		if (k < DIAL_MODES)
			mock.dial = k;
		else if (fuzz_upstream(k - DIAL_MODES) != NULL)
			fuzz.speaker = fuzz_upstream(k - DIAL_MODES);
		break;
	case 0xe:
		fuzz_filler(s, k % 6);
		break;
	default:
		if (k < CLIENTS && k < fuzz.n_clients) {
			fuzz.client = k;
			fuzz.speaker = fuzz.clients[k];
		}
	}
}

static void
fuzz_play(const uint8_t *p, size_t n)
{
	size_t from = 0;

	/* How the first client comes. */
	while (from < n && fuzz_event_mode(p[from]))
		from++;
	fuzz_connect();
	for (size_t i = from; i <= n; i++) {
		/* 0x82: the next byte is said, whatever it is; 0x8e: likewise,
		 * on the wire. */
		if (i < n && p[i] < 0x80)
			continue;
		fuzz_say(fuzz.speaker, p + from, i - from);
		if (i < n && (p[i] == 0x82 || p[i] == 0x8e)) {
			bool is_raw = p[i] == 0x8e;

			if (++i < n && is_raw)
				fuzz_say_raw(fuzz.speaker, p + i, 1);
			else if (i < n)
				fuzz_say(fuzz.speaker, p + i, 1);
		} else {
			if (!fuzz.holds)
				fuzz_settle();
			if (i < n)
				fuzz_event(p[i]);
		}
		from = i + 1;
	}
	fuzz_settle();
}

#endif
