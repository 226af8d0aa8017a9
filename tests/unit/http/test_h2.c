/*
 * Connections of HTTP/2 as a whole: how they begin, how long they live, how
 * they end, and what a client does once too often.
 */
#include "h2_world.h"

static void
it_begins_with_the_preface_however_that_is_split(void **state)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	    "\0\0\0\4\0\0\0\0\0";
	struct world *w = h2_world_new("");

	(void)state;
	for (size_t i = 1; i < sizeof hello - 1; i++) {
		client(w);
		say_bytes(w, hello, i);
		say_bytes(w, hello + i, sizeof hello - 1 - i);
		listen_all(w);
		/* SETTINGS, and the acknowledgement of those. */
		assert_int_equal(w->in.p[3], 4);
		assert_memory_equal(w->in.p + w->in.n - 9,
		    "\0\0\0\4\1\0\0\0\0", 9);
	}
	peer_close(w);
}

static void
an_idle_one_ends_with_goaway(void **state)
{
	struct world *w = h2_world_new("keepalive_timeout: 5s");

	(void)state;
	ask("GET", "/now");
	expect_frames(w, HELLO2("1"));
	assert_int_equal(w->stats.idle, 1);
	pass(w, 4999);
	expect_frames(w, "");
	pass(w, 1);
	expect_frames(w, "goaway 1 0;");
	expect_closed(w);
	peer_close(w);
}

static void
one_with_a_request_is_not_idle(void **state)
{
	struct world *w = h2_world_new("keepalive_timeout: 5s");

	(void)state;
	ask("GET", "/wait");
	expect_frames(w, "");
	assert_int_equal(w->stats.idle, 0);
	pass(w, 60000);
	txn_resume(w->t);
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

static void
on_drained(void *arg)
{
	(void)arg;
}

/* RFC 9113 section 6.8 */
static void
draining_says_goodbye_in_two_steps(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/wait");
	expect_frames(w, "");
	server_drain(w->server, 5000, on_drained, NULL);
	pass(w, 100);
	/* What is on its way is still answered. */
	ask("GET", "/now");
	expect_frames(w, "goaway 2147483647 0;" HELLO2("3"));
	pass(w, 1000);
	expect_frames(w, "goaway 3 0;");
	txn_resume(w->t);
	expect_frames(w, HELLO2("1"));
	pass(w, 1000);
	exchange_frames(w);
	expect_closed(w);
	peer_close(w);
}

static void
after_so_many_requests_it_says_goodbye(void **state)
{
	struct world *w = h2_world_new("keepalive_requests: 2");

	(void)state;
	ask("GET", "/now");
	expect_frames(w, HELLO2("1"));
	ask("GET", "/now");
	expect_frames(w, HELLO2("3") "goaway 2147483647 0;");
	pass(w, 1000);
	/* nghttp2 with nothing to wait for does not listen any more. */
	expect_closed(w);
	assert_memory_equal(w->in.p + w->in.n - 17,
	    "\0\0\10\7\0\0\0\0\0" "\0\0\0\3" "\0\0\0\0", 17);
	peer_close(w);
}

static void
half_a_head_is_not_waited_for(void **state)
{
	struct world *w = h2_world_new("header_timeout: 2s");

	(void)state;
	/* HEADERS without END_HEADERS: ":method: GET" and no more. */
	say_bytes(w, "\0\0\1\1\1\0\0\0\1\x82", 10);
	pass(w, 1999);
	expect_frames(w, "");
	pass(w, 1);
	expect_frames(w, "goaway 1 11;"); /* ENHANCE_YOUR_CALM */
	peer_close(w);
}

static void
resets_are_borne_up_to_a_limit(void **state)
{
	struct world *w = h2_world_new("http2: {max_resets: 5}");

	(void)state;
	for (int i = 0; i < 6; i++) {
		int32_t id = ask("GET", "/wait");

		exchange_frames(w);
		nghttp2_submit_rst_stream(peer.ng, NGHTTP2_FLAG_NONE, id,
		    NGHTTP2_CANCEL);
		if (i < 5)
			expect_frames(w, "");
	}
	expect_frames(w, "goaway 11 11;"); /* ENHANCE_YOUR_CALM */
	assert_int_equal(w->stats.h2_abuses[H2_ABUSE_CANCEL], 1);
	assert_int_equal(w->stats.in_flight, 0);
	peer_close(w);
}

static void
pings_are_borne_up_to_a_limit(void **state)
{
	struct world *w = h2_world_new("http2: {max_control: 10}");

	(void)state;
	for (int i = 0; i < 20; i++)
		nghttp2_submit_ping(peer.ng, NGHTTP2_FLAG_NONE, NULL);
	expect_frames(w, "goaway 0 11;");
	assert_int_equal(w->stats.h2_abuses[H2_ABUSE_PING], 1);
	peer_close(w);
}

static void
what_is_no_frame_ends_it(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	/* SETTINGS of 5 bytes. */
	say_bytes(w, "\0\0\5\4\0\0\0\0\0hello", 14);
	expect_frames(w, "goaway 0 6;"); /* FRAME_SIZE_ERROR */
	expect_closed(w);
	peer_close(w);
}

static void
a_client_that_leaves_ends_its_requests(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/wait");
	expect_frames(w, "");
	shutdown(w->fd, SHUT_WR);
	run(w);
	assert_int_equal(w->stats.in_flight, 0);
	assert_int_equal(w->net_stats.connections, 0);
	peer_close(w);
}

static void
when_it_is_shed_it_says_so(void **state)
{
	struct world *w = h2_world_new("");
	struct client *c;

	(void)state;
	ask("GET", "/now");
	expect_frames(w, HELLO2("1"));
	c = client_of_link(w->server->conns.next);
	assert_true(client_ops(c)->shed(c, CLOSE_OVERLOAD));
	run(w);
	expect_frames(w, "goaway 1 0;");
	expect_closed(w);
	peer_close(w);
}

static void
what_has_a_request_is_not_shed(void **state)
{
	struct world *w = h2_world_new("");
	struct client *c;

	(void)state;
	ask("GET", "/wait");
	expect_frames(w, "");
	c = client_of_link(w->server->conns.next);
	assert_false(client_ops(c)->shed(c, CLOSE_OVERLOAD));
	peer_close(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    it_begins_with_the_preface_however_that_is_split),
		cmocka_unit_test(an_idle_one_ends_with_goaway),
		cmocka_unit_test(one_with_a_request_is_not_idle),
		cmocka_unit_test(draining_says_goodbye_in_two_steps),
		cmocka_unit_test(after_so_many_requests_it_says_goodbye),
		cmocka_unit_test(half_a_head_is_not_waited_for),
		cmocka_unit_test(resets_are_borne_up_to_a_limit),
		cmocka_unit_test(pings_are_borne_up_to_a_limit),
		cmocka_unit_test(what_is_no_frame_ends_it),
		cmocka_unit_test(a_client_that_leaves_ends_its_requests),
		cmocka_unit_test(when_it_is_shed_it_says_so),
		cmocka_unit_test(what_has_a_request_is_not_shed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
