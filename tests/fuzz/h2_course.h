/*
 * The course of events that an input of the drivers of HTTP/2 is: a letter for
 * each event, then a byte for each of its numbers, counted from '0', so that an
 * input can be read and written by hand. Other bytes are passed over. The
 * letters are those of the table at the end.
 */
#ifndef TESTS_FUZZ_H2_COURSE_H
#define TESTS_FUZZ_H2_COURSE_H

#include "server_world.h"

#include "h2_peer.h"

#define MAX_DATA (1 << 20) /* bytes of DATA in all */
#define MAX_FLOOD 600      /* frames of floods, likewise */

static struct {
	const uint8_t *p, *end;
	size_t data, flood;
	bool is_open[MOCK_SOCKETS]; /* an answer has begun there */
} course;

static uint8_t
course_number(void)
{
	return course.p < course.end ? (uint8_t)(*course.p++ - '0') : 0;
}

static struct str
course_bytes(size_t n)
{
	size_t left = (size_t)(course.end - course.p);
	struct str out = str_of((const char *)course.p, n < left ? n : left);

	course.p += out.n;
	return out;
}

/* Of the table, by the number that comes. */
#define COURSE_PICK(table) table[course_number() % COUNT_OF(table)]

/* ---- who speaks -------------------------------------------------------- */

static struct h2_peer *
course_peer(void)
{
	return h2_peer_of(fuzz.speaker);
}

/* 0: the last that there is; 1: a new one; K: so many before the last. */
static uint32_t
course_stream(struct h2_peer *p)
{
	uint8_t k = course_number();

	switch (k) {
	case 'z' - '0':
		return 0;
	case 'y' - '0':
		return 2;
	case 'x' - '0':
		return INT32_MAX;
	}
	if (k == 1 && !p->is_server)
		p->last += p->last > 0 ? 2 : 1;
	else if (k > 1 && p->last > 2 * (k - 1))
		return (uint32_t)(p->last - 2 * (k - 1));
	return (uint32_t)p->last;
}

static void
course_connect(bool is_tls)
{
	struct peer peer = { .family = AF_INET, .ip = { 192, 0, 2, 7 } };
	struct mock_socket *s;

	if (fuzz.n_clients == CLIENTS || (s = mock_new(false)) == NULL)
		return;
	s->woken = true;
	fuzz.client = fuzz.n_clients++;
	fuzz.clients[fuzz.client] = fuzz.speaker = s;
	s->port = is_tls ? 81 : 80;
	if (is_tls) {
		mock_tls_client(s, fuzz.client % 2 != 0, fuzz_has_gate(s));
		SSL_set_alpn_protos(s->tls->ssl,
		    (const unsigned char *)"\2h2", 3);
	}
	peer.port = (uint16_t)fuzz.client;
	h1_accept(fuzz.server, fuzz_endpoint(s->port), mock_fd(s), &peer);
}

static void
course_connect_another(void)
{
	course_connect((course_number() & 1) != 0);
}

static void
course_choose_client(void)
{
	unsigned k = course_number() % CLIENTS;

	if (k >= fuzz.n_clients)
		return;
	fuzz.client = k;
	fuzz.speaker = fuzz.clients[k];
}

/* The one that was dialled K before the last. */
static void
course_choose_upstream(void)
{
	unsigned k = course_number();

	for (unsigned i = mock.n; i-- > 0; )
		if (mock.sockets[i].is_dialled && k-- == 0) {
			fuzz.speaker = &mock.sockets[i];
			return;
		}
}

/* ---- heads ------------------------------------------------------------- */

#define COURSE_FIELDS 48

struct course_head {
	nghttp2_nv nv[COURSE_FIELDS];
	size_t n;
};

static void
course_add(struct course_head *h, struct str name, struct str value,
    bool is_secret)
{
	if (h->n == COURSE_FIELDS)
		return;
	h->nv[h->n++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.p, .namelen = name.n,
		.value = (uint8_t *)(uintptr_t)value.p, .valuelen = value.n,
		.flags = is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : 0
	};
}

static void
course_field(struct course_head *h, const char *name, const char *value)
{
	course_add(h, str_from(name), str_from(value), false);
}

/* What should not be there, or not so. */
static void
course_add_odd(struct course_head *h)
{
	static const char *const odd[][2] = {
		{ "connection", "close" }, { "transfer-encoding", "chunked" },
		{ "Upper", "1" }, { "a b", "1" }, { "x-v", "a\r\nb: c" },
		{ ":path", "/again" }, { "host", "other" }, { "te", "gzip" },
		{ "content-length", "1" }, { "content-length", "x" },
		{ "", "1" }, { "x-v", " blank " }, { "x_under", "1" },
		{ "upgrade", "websocket" }, { "expect", "nonsense" },
		{ "x-v", "\xff\x80" }, { ":status", "200" },
		{ "grpc-timeout", "1x" }, { "trailer", "x-sum" },
		{ "proxy-connection", "keep-alive" }, { "keep-alive", "5" },
		{ "priority", "u=9, i" }, { "early-data", "1" },
		{ "x-id", "other" }, { "content-length", "5" }
	};
	const char *const *pair = COURSE_PICK(odd);

	course_field(h, pair[0], pair[1]);
}

/* Many of them, or one that is large. */
static void
course_add_bulk(struct course_head *h)
{
	uint8_t k = course_number();
	char *large;

	for (unsigned i = 0; k % 2 == 0 && i < 30; i++)
		course_field(h, arena_printf(mock.arena, "x-%u", i), "1");
	if (k % 2 == 0)
		return;
	large = arena_alloc(mock.arena, 4096);
	memset(large, 'v', 4096);
	course_add(h, STR("x-large"), str_of(large, 256u << (k / 2 % 5)),
	    false);
}

static void
course_add_length(struct course_head *h)
{
	course_field(h, "content-length", arena_printf(mock.arena, "%u",
	    course_number() * 100u));
}

static void
course_make_request(struct course_head *h, struct h2_peer_stream *s)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE",
		"BAD METHOD", "x"
	};
	static const char *const paths[] = {
		"/s", "/old/x", "/new/x", "/grpc/x", "/ws/x", "/e", "*",
		"http://a/old/y", "/old/../new/%2e", "//", "", "/new/x?y#z"
	};
	uint8_t with = 0;
	const char *method = COURSE_PICK(methods);

	if (s != NULL && !s->said_head) {
		s->is_known = true;
		s->is_head = strcmp(method, "HEAD") == 0;
	}
	course_field(h, ":method", method);
	course_field(h, ":path", COURSE_PICK(paths));
	with = course_number();
	course_field(h, ":scheme", fuzz.speaker->tls != NULL ? "https" :
	    "http");
	course_field(h, ":authority", "a");
	if ((with & 1) != 0)
		course_add_length(h);
	if ((with & 2) != 0) {
		course_field(h, "cookie", "a=1");
		course_add(h, STR("cookie"), STR("b=2"), true);
	}
	if ((with & 4) != 0) {
		course_field(h, "content-type", "application/grpc");
		course_field(h, "grpc-timeout", "700m");
	}
	if ((with & 8) != 0)
		course_field(h, "expect", "100-continue");
	if ((with & 16) != 0)
		course_field(h, ":protocol", "websocket");
	if ((with & 32) != 0)
		course_add_odd(h);
	if ((with & 64) != 0)
		course_add_bulk(h);
	if ((with & 128) != 0)
		course_field(h, "te", "trailers");
}

static void
course_make_response(struct course_head *h, const struct h2_peer_stream *s)
{
	static const char *const statuses[] = {
		"200", "204", "304", "404", "500", "100", "103", "101", "407",
		"426", "600", "2x0", "99", "1000", ""
	};
	uint8_t with;

	course_field(h, ":status", COURSE_PICK(statuses));
	with = course_number();
	if (s != NULL && s->mark.n > 0)
		course_add(h, STR("x-id"), s->mark, false);
	course_field(h, "x-up", "1");
	if ((with & 1) != 0)
		course_add_length(h);
	if ((with & 2) != 0)
		course_add(h, STR("set-cookie"), STR("a=1"), true);
	if ((with & 4) != 0)
		course_field(h, "content-type", "application/grpc");
	if ((with & 32) != 0)
		course_add_odd(h);
	if ((with & 64) != 0)
		course_add_bulk(h);
}

/* H stream, flags; pieces where they say so; and what is in it. */
static void
course_say_head(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);
	uint8_t how = course_number();
	unsigned pieces = (how & 16) != 0 ? 1 + course_number() % 16 : 1;
	struct h2_peer_stream *s = h2_peer_stream(p, (int32_t)id);
	struct course_head h = { .n = 0 };
	struct str block;

	h2_peer_read_said(p);
	if (p->is_server)
		course_make_response(&h, s);
	else
		course_make_request(&h, s);
	block = h2_peer_pack(p, h.nv, h.n);
	h2_peer_say_block(p, id, how & 1 ? H2_END_STREAM : 0, block, pieces,
	    (how & 2) != 0);
}

static void
course_say_trailers(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);
	uint8_t how = course_number();
	struct course_head h = { .n = 0 };

	course_field(&h, "x-sum", "1");
	if ((how & 2) != 0)
		course_add_odd(&h);
	if ((how & 4) != 0)
		course_field(&h, "grpc-status", "0");
	h2_peer_say_block(p, id, how & 1 ? 0 : H2_END_STREAM,
	    h2_peer_pack(p, h.nv, h.n), 1, false);
}

/* ---- other frames ------------------------------------------------------ */

static void
course_say_data(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);
	uint8_t k = course_number(), how = course_number();
	size_t n = k == 0 ? 0 : k < 10 ? k * 100u : (size_t)1 << (k % 15);

	if (course.data + n > MAX_DATA)
		return;
	course.data += n;
	h2_peer_say_data(p, id, n, (uint8_t)((how & 1 ? H2_END_STREAM : 0) |
	    (how & 2 ? H2_PADDED : 0)));
}

static void
course_say_reset(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);

	h2_peer_say_u32(p, NGHTTP2_RST_STREAM, id, course_number());
}

static const uint32_t course_values[] = {
	0, 1, 2, 100, 4096, 16384, 16385, 32768, 65535, 65536, 1 << 20,
	INT32_MAX, 0x80000000u, UINT32_MAX
};

static void
course_say_setting(void)
{
	uint8_t id = course_number();

	h2_peer_say_setting(course_peer(), id, COURSE_PICK(course_values));
}

static void
course_say_update(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);

	h2_peer_say_u32(p, NGHTTP2_WINDOW_UPDATE, id,
	    COURSE_PICK(course_values));
}

static void
course_say_ping(void)
{
	h2_peer_say(course_peer(), NGHTTP2_PING, course_number() & H2_ACK, 0,
	    STR("weir bdp"));
}

static void
course_say_goaway(void)
{
	struct h2_peer *p = course_peer();
	uint32_t id = course_stream(p);
	char payload[8] = {
		(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id
	};

	payload[7] = (char)course_number();
	h2_peer_say(p, NGHTTP2_GOAWAY, 0, 0, str_of(payload, 8));
}

static void
course_say_ack(void)
{
	h2_peer_say(course_peer(), NGHTTP2_SETTINGS, H2_ACK, 0, STR(""));
}

static void
course_say_hello(void)
{
	h2_peer_say_hello(course_peer());
}

/* Y type, flags, stream, length, bytes. */
static void
course_say_any(void)
{
	struct h2_peer *p = course_peer();
	uint8_t type = course_number(), flags = course_number();
	uint32_t id = course_stream(p);

	h2_peer_is_wild |= p->is_server;
	h2_peer_say(p, type, flags, id, course_bytes(course_number()));
}

static void
course_say_bytes(void)
{
	struct str bytes = course_bytes(course_number());

	h2_peer_is_wild |= fuzz.speaker->is_dialled;
	if (bytes.n > 0)
		fuzz_say(fuzz.speaker, bytes.p, bytes.n);
}

static void
course_say_raw(void)
{
	struct str bytes = course_bytes(course_number());

	h2_peer_is_wild |= fuzz.speaker->is_dialled;
	fuzz_say_raw(fuzz.speaker, bytes.p, bytes.n);
}

static void
course_flood_once(struct h2_peer *p, unsigned kind)
{
	struct course_head h = { .n = 0 };

	switch (kind) {
	case 0:
		h2_peer_say(p, NGHTTP2_PING, 0, 0, STR("12345678"));
		break;
	case 1:
		h2_peer_say(p, NGHTTP2_SETTINGS, 0, 0, STR(""));
		break;
	case 2:
		h2_peer_say(p, NGHTTP2_DATA, 0, (uint32_t)p->last, STR(""));
		break;
	case 3:
		h2_peer_say(p, NGHTTP2_PRIORITY, 0, (uint32_t)p->last,
		    str_of("\0\0\0\0\1", 5));
		break;
	case 4:
		h2_peer_say_u32(p, NGHTTP2_WINDOW_UPDATE, 0, 1);
		break;
	case 5:
		h2_peer_say(p, NGHTTP2_CONTINUATION, 0, (uint32_t)p->last,
		    STR("\x80"));
		break;
	case 6: /* what "rapid reset" is */
		if (p->is_server)
			break;
		p->last += p->last > 0 ? 2 : 1;
		course_field(&h, ":method", "GET");
		course_field(&h, ":path", "/old/x");
		course_field(&h, ":scheme", "http");
		course_field(&h, ":authority", "a");
		h2_peer_say_block(p, (uint32_t)p->last, H2_END_STREAM,
		    h2_peer_pack(p, h.nv, h.n), 1, false);
		h2_peer_say_u32(p, NGHTTP2_RST_STREAM, (uint32_t)p->last, 8);
		break;
	case 7: /* "made you reset" */
		h2_peer_say_u32(p, NGHTTP2_WINDOW_UPDATE, (uint32_t)p->last,
		    0);
		break;
	}
}

static void
course_flood(void)
{
	unsigned kind = course_number() % 8;
	size_t n = course_number() % 64 * 2;

	for (; n > 0 && course.flood < MAX_FLOOD; n--, course.flood++)
		course_flood_once(course_peer(), kind);
}

/* ---- what is not said -------------------------------------------------- */

static void
course_pass_time(void)
{
	static const uint16_t ms[] = {
		1, 10, 100, 500, 1000, 1001, 2000, 3000, 4000, 5000, 6000
	};

	clock_fake_advance(COURSE_PICK(ms));
}

static void
course_listen(void)
{
	uint8_t k = course_number();

	mock_listen(fuzz.speaker, k >= 20 ? SIZE_MAX : (size_t)1 << k);
}

static void
course_set_window(void)
{
	uint8_t k = course_number();

	mock_set_window(fuzz.speaker, k == 0 ? 0 : (size_t)4 << k % 20);
}

static void
course_end_speaker(void)
{
	uint8_t how = course_number();

	if (how % 3 == 0)
		fuzz_end_after(fuzz.speaker, mock_fin, how / 3 % 2 != 0);
	else if (how % 3 == 1)
		fuzz_end_after(fuzz.speaker, mock_peer_close,
		    how / 3 % 2 != 0);
	else
		mock_reset(fuzz.speaker);
}

static void
course_set_dial(void)
{
	mock.dial = (enum mock_dial)(course_number() % DIAL_MODES);
}

static void
course_establish(void)
{
	for (unsigned i = 0; i < mock.n; i++)
		mock_establish(&mock.sockets[i], 0);
}

static void
course_hold(void)
{
	fuzz.holds = !fuzz.holds;
}

static void
course_turn_round(void)
{
	mock.backwards = !mock.backwards;
}

static void
course_drain(void)
{
	fuzz.server->draining = true;
	LIST_EACH(link, &fuzz.server->conns) {
		struct client *c = client_of_link(link);

		client_ops(c)->close_if_idle(c, false);
	}
}

/* A whole answer of an upstream of HTTP/1, or the begin of one. */
static void
course_answer(void)
{
	enum { LENGTH, CHUNKED, CLOSE, INTERIM, UPGRADE, HOP, SAME, NONE };
	static const char *const heads[] = {
		[LENGTH] = "200 OK\r\nContent-Length: ",
		[CHUNKED] = "200 OK\r\nX-Up: 1\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n",
		[CLOSE] = "200 OK\r\nX-Long: ",
		[INTERIM] = "103 Early\r\nLink: ",
		[UPGRADE] = "101 Go\r\nConnection: upgrade\r\n"
		    "Upgrade: websocket\r\nX-Long: ",
		[HOP] = "404 No\r\nConnection: close, x\r\nX: y\r\n"
		    "Content-Length: ",
		[SAME] = "304 Same\r\nContent-Length: ",
		[NONE] = "204 No\r\nX-Long: "
	};
	unsigned k = course_number() % COUNT_OF(heads);
	unsigned n = course_number() * 64u, less = course_number();
	struct buf b = buf_in(mock.arena);

	if (course.data + n > MAX_DATA || fuzz.speaker->port != 1)
		return;
	course.data += n;
	/* What began before takes it for more of its body. */
	h2_peer_is_wild |= course.is_open[fuzz.speaker - mock.sockets];
	course.is_open[fuzz.speaker - mock.sockets] |= less > 0 ||
	    k == CLOSE || k == UPGRADE;
	n += n == 0 && k == CHUNKED;
	buf_printf(&b, "HTTP/1.1 %s", heads[k]);
	buf_printf(&b, k == CHUNKED ? "%x\r\n" : "%u\r\nX-Up: 1\r\n\r\n", n);
	if (k == INTERIM || k == SAME || k == NONE)
		n = 0;
	for (unsigned i = 0; i + less < n; i++)
		buf_chr(&b, (char)('0' + i % 67));
	if (k == CHUNKED && less == 0)
		buf_z(&b, "\r\n0\r\nX-Sum: 1\r\n\r\n");
	fuzz_say(fuzz.speaker, b.p, b.n);
}

/* ---- the table --------------------------------------------------------- */

/* What is said is said by peers of HTTP/2 only. */
static const struct {
	char letter;
	bool is_said;
	void (*happens)(void);
} course_events[] = {
	{ 'H', true, course_say_head }, { 'T', true, course_say_trailers },
	{ 'D', true, course_say_data }, { 'R', true, course_say_reset },
	{ 'S', true, course_say_setting }, { 'W', true, course_say_update },
	{ 'P', true, course_say_ping }, { 'G', true, course_say_goaway },
	{ 'a', true, course_say_ack }, { 'p', true, course_say_hello },
	{ 'Y', true, course_say_any }, { 'B', true, course_say_bytes },
	{ 'X', true, course_say_raw }, { 'F', true, course_flood },
	{ 'n', false, course_connect_another },
	{ 'c', false, course_choose_client },
	{ 'u', false, course_choose_upstream },
	{ 'A', false, course_answer }, { 't', false, course_pass_time },
	{ 'l', false, course_listen }, { 'w', false, course_set_window },
	{ 'e', false, course_end_speaker }, { 'd', false, course_set_dial },
	{ 'b', false, course_establish }, { 'h', false, course_hold },
	{ 'r', false, course_turn_round }, { 'x', false, course_drain },
#ifdef COURSE_EVENTS
	COURSE_EVENTS
#endif
};

static void
course_hear_all(void)
{
	for (unsigned i = 0; i < mock.n; i++)
		if (COURSE_SPEAKS_H2(&mock.sockets[i]))
			h2_peer_hear(h2_peer_of(&mock.sockets[i]));
}

static void
course_event(char letter)
{
	for (size_t i = 0; i < COUNT_OF(course_events); i++)
		if (course_events[i].letter == letter &&
		    (!course_events[i].is_said ||
		    COURSE_SPEAKS_H2(fuzz.speaker)))
			course_events[i].happens();
}

static void
course_play(const uint8_t *p, size_t n)
{
	memset(&course, 0, sizeof course);
	course.p = p;
	course.end = p + n;
	h2_peer_is_wild = false;
	course_connect(false);
	while (course.p < course.end) {
		course_event((char)*course.p++);
		if (!fuzz.holds)
			fuzz_settle();
		course_hear_all();
	}
	fuzz_settle();
}

#endif
