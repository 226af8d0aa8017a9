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
