/*
 * What leaves an HTTP/2 connection: no more than a client's windows allow and
 * than it reads, and files as they are now.
 */
#include "h2_world.h"

/* Rounds of the client's: it reads, and gives the windows back. */
static void
read_all(struct world *w, int32_t id)
{
	for (int i = 0; i < 200; i++) {
		size_t before = peer.got;

		exchange_frames(w);
		if (peer.got == before)
			return;
		allow(0, (int32_t)(peer.got - before));
		allow(id, (int32_t)(peer.got - before));
	}
	fail_msg("it never ends");
}

static char large[300000];

static void
a_large_body_leaves_as_the_windows_allow(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	feed_begin(w, sizeof large);
	feed_bytes(w, large, sizeof large);
	ask("GET", "/fed");
	peer.is_mute = true;
	exchange_frames(w);
	assert_int_equal(peer.got, 65535);
	allow(0, 1 << 20);
	exchange_frames(w);
	assert_int_equal(peer.got, 65535);
	allow(1, 1000);
	exchange_frames(w);
	assert_int_equal(peer.got, 66535);
	read_all(w, 1);
	assert_int_equal(peer.got, 66535);
	allow(1, 1 << 20);
	read_all(w, 1);
	assert_int_equal(peer.got, sizeof large);
	peer_close(w);
}

static void
who_does_not_read_makes_nothing_grow(void **state)
{
	struct world *w = h2_world_new("");
	struct h2 *h;

	(void)state;
	peer.is_mute = true;
	feed_begin(w, sizeof large);
	feed_bytes(w, large, sizeof large);
	ask("GET", "/fed");
	allow(0, 1 << 24);
	allow(1, 1 << 24);
	assert_true(say_frames(w));
	for (int i = 0; i < 50; i++) {
		nghttp2_submit_ping(peer.ng, NGHTTP2_FLAG_NONE, NULL);
		assert_true(say_frames(w));
	}
	h = (struct h2 *)client_of_link(w->server->conns.next);
	assert_true(leftover_len(&h->out) <= NET_SCRATCH);
	read_all(w, 1);
	assert_int_equal(peer.got, sizeof large);
	peer_close(w);
}

static void
a_file_that_has_shrunk_resets_the_stream(void **state)
{
	struct world *w = h2_world_new("");
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	feed_begin(w, 10);
	fputs("short", f);
	fflush(f);
	feed_piece(w, FLOW_DATA, (struct span){ .fd = fileno(f), .n = 10 });
	ask("GET", "/fed");
	expect_frames(w, "1: 200 content-length=10;1: reset 2;");
	ask("GET", "/now");
	expect_frames(w, HELLO2("3"));
	fclose(f);
	peer_close(w);
}

static void
a_file_is_sent_from_where_it_is(void **state)
{
	struct world *w = h2_world_new("");
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	feed_begin(w, 4);
	fputs("0123456789", f);
	fflush(f);
	feed_piece(w, FLOW_DATA,
	    (struct span){ .fd = fileno(f), .off = 3, .n = 4 });
	feed_end(w);
	ask("GET", "/fed");
	expect_frames(w, "1: 200 content-length=4;1: 3456;1: end;");
	fclose(f);
	peer_close(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_body_leaves_as_the_windows_allow),
		cmocka_unit_test(who_does_not_read_makes_nothing_grow),
		cmocka_unit_test(a_file_that_has_shrunk_resets_the_stream),
		cmocka_unit_test(a_file_is_sent_from_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
