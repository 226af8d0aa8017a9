/*
 * Any course of events on connections between clients, the server and its
 * upstreams, plain, over TLS or behind the PROXY protocol, all of it but the
 * kernel (mock_net.h) being the real thing. The input is the course (course.h);
 * afterwards a witness reads what was said (judge.h). What must hold:
 *
 *  - what an upstream gets are requests, each of a client's, once (twice where
 *    twice is harmless), with its body, fields and nothing else;
 *  - what a client gets are responses, in order, each of them the upstream's or
 *    ours; one whose source was not whole is not whole;
 *  - work ends: without an event and without time passing, in a bounded number
 *    of rounds; with time passing and peers that are silent, altogether;
 *  - then nothing is left.
 */
#include "course.h"
#include "judge.h"

#define MAX_COURSE 65536
/* No wait is longer than all time-outs together. */
#define ALL_TIMEOUTS 40000

/* ---- the end ----------------------------------------------------------- */

static uint64_t
fuzz_progress(void)
{
	uint64_t n = fuzz.http_stats.requests + fuzz.net_stats.bytes_in +
	    fuzz.net_stats.bytes_out + fuzz.exchange_stats.attempts;

	for (unsigned i = 0; i < CLOSE_COUNT; i++)
		n += fuzz.net_stats.closed[i];
	return n;
}

/* Nobody says anything any more: time alone has to end it all. */
static void
fuzz_wait(void)
{
	uint64_t progress = fuzz_progress(), since = clock_ms();

	while (fuzz_open_sockets() > 0) {
		uint64_t next = wheel_next(&fuzz.loop->wheel);

		ASSERT(next != UINT64_MAX);
		clock_fake_advance(next > clock_ms() ? next - clock_ms() : 1);
		fuzz_settle();
		if (fuzz_progress() != progress) {
			progress = fuzz_progress();
			since = clock_ms();
		}
		ASSERT(clock_ms() - since <= ALL_TIMEOUTS);
	}
}

static void
fuzz_check_nothing_is_left(void)
{
	ASSERT(fuzz.server->n_conns == 0);
	ASSERT(list_is_empty(&fuzz.server->conns));
	ASSERT(fuzz.http_stats.in_flight == 0);
	ASSERT(fuzz.http_stats.idle == 0);
	ASSERT(fuzz.net_stats.connections == 0);
	ASSERT(fuzz.net_stats.pages_leased == 0);
	ASSERT(fuzz.exchange_stats.idle == 0);
	ASSERT(wheel_next(&fuzz.loop->wheel) == UINT64_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_COURSE)
		return 0;
	if (fuzz.generation == NULL)
		fuzz_load();
	fuzz_begin();
	fuzz_play(data, size);
	fuzz_wait();
	fuzz_check_nothing_is_left();
	fuzz_check_what_was_said();
	fuzz_end();
	return 0;
}
