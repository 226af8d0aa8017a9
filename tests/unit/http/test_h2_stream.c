/*
 * Streams of HTTP/2: a request each, from its head to its line in the log, and
 * what ends one before its time.
 */
#include "h2_world.h"

static void
each_request_is_answered_on_its_stream(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/now");
	expect_frames(w, HELLO2("1"));
	ask("GET", "/now");
	expect_frames(w, HELLO2("3"));
	expect_log(w, "GET /now HTTP/2.0 200 -;GET /now HTTP/2.0 200 -;");
	peer_close(w);
}

static void
one_that_waits_holds_up_nobody(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/wait");
	ask("GET", "/now");
	expect_frames(w, HELLO2("3"));
	txn_resume(w->t);
	expect_frames(w, HELLO2("1"));
	assert_int_equal(w->runs, 2);
	peer_close(w);
}

static void
what_no_route_takes_is_not_found(void **state)
{
	struct world *w = h2_world_new("");
	const char *all;

	(void)state;
	ask("GET", "/none");
	all = heard_frames(w);
	assert_memory_equal(all, "1: 404 ", 7);
	expect_log(w, "GET /none HTTP/2.0 404 no_route;");
	peer_close(w);
}

static void
a_client_that_takes_it_back_ends_it(void **state)
{
	struct world *w = h2_world_new("");
	int32_t id = ask("GET", "/wait");

	(void)state;
	expect_frames(w, "");
	assert_int_equal(w->stats.in_flight, 1);
	nghttp2_submit_rst_stream(peer.ng, NGHTTP2_FLAG_NONE, id,
	    NGHTTP2_CANCEL);
	expect_frames(w, "");
	assert_int_equal(w->stats.in_flight, 0);
	expect_log(w, "GET /wait HTTP/2.0 0 client_left;");
	peer_close(w);
}

static void
a_body_that_fails_resets_the_stream(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/fed");
	feed_text(w, "half");
	expect_frames(w, "1: 200;1: half;");
	feed_fail(w);
	expect_frames(w, "1: reset 2;"); /* INTERNAL_ERROR */
	ask("GET", "/now");
	expect_frames(w, HELLO2("3"));
	peer_close(w);
}

static void
a_body_shorter_than_promised_resets_the_stream(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	feed_begin(w, 10);
	ask("GET", "/fed");
	feed_text(w, "half");
	feed_end(w);
	expect_frames(w, "1: 200 content-length=10;1: half;1: reset 2;");
	peer_close(w);
}

/* RFC 9113 section 8.1.1 */
static void
a_malformed_head_is_no_request(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask_with("GET", "/now", NULL, "host", "b");
	expect_frames(w, "1: reset 1;"); /* PROTOCOL_ERROR */
	ask("GET", "/now");
	expect_frames(w, HELLO2("3"));
	peer_close(w);
}

static void
a_reader_that_stalls_is_cut(void **state)
{
	struct world *w = world_of("http: {send_timeout: 2s, "
	    "server_tokens: off}\nnote: log\nlisteners: {80: {h2c: on}}\n"
	    "sites:\n- listen: 80\n" ROUTES);

	(void)state;
	peer_open(w, 0);
	ask("GET", "/now");
	expect_frames(w, "1: 200 content-length=5;");
	pass(w, 1999);
	expect_frames(w, "");
	pass(w, 1);
	expect_frames(w, "1: reset 8;"); /* CANCEL */
	expect_log(w, "GET /now HTTP/2.0 200 send_timeout;");
	peer_close(w);
}

static void
a_reader_that_reads_bit_by_bit_is_not_cut(void **state)
{
	struct world *w = world_of("http: {send_timeout: 2s, "
	    "server_tokens: off}\nnote: log\nlisteners: {80: {h2c: on}}\n"
	    "sites:\n- listen: 80\n" ROUTES);

	(void)state;
	peer_open(w, 0);
	ask("GET", "/now");
	expect_frames(w, "1: 200 content-length=5;");
	for (int i = 0; i < 5; i++) {
		pass(w, 1500);
		allow(1, 1);
		exchange_frames(w);
	}
	expect_frames(w, "1: h;1: e;1: l;1: l;1: o;1: end;");
	peer_close(w);
}

static void
a_body_that_does_not_come_is_not_waited_for(void **state)
{
	struct world *w = h2_world_new("body_timeout: 3s");
	const char *all;

	(void)state;
	post_many("/pull", 0, true);
	expect_frames(w, "");
	pass(w, 2999);
	expect_frames(w, "");
	pass(w, 1);
	all = heard_frames(w);
	assert_memory_equal(all, "1: 408 ", 7);
	/* Nobody wants the rest (RFC 9113 section 8.1). */
	assert_non_null(strstr(all, "1: end;1: reset 0;"));
	peer_close(w);
}

static void
trailers_follow_a_body(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	head_init(&w->feed.trailers, w->arena, 1);
	head_add(&w->feed.trailers, FIELD_OTHER, STR("X-Sum"), STR("9"));
	ask("GET", "/fed");
	feed_text(w, "body");
	feed_end(w);
	expect_frames(w, "1: 200;1: body;1: x-sum=9 end;");
	peer_close(w);
}

static void
a_head_has_no_body(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("HEAD", "/now");
	expect_frames(w, "1: 200 content-length=5 end;");
	peer_close(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_is_answered_on_its_stream),
		cmocka_unit_test(one_that_waits_holds_up_nobody),
		cmocka_unit_test(what_no_route_takes_is_not_found),
		cmocka_unit_test(a_client_that_takes_it_back_ends_it),
		cmocka_unit_test(a_body_that_fails_resets_the_stream),
		cmocka_unit_test(
		    a_body_shorter_than_promised_resets_the_stream),
		cmocka_unit_test(a_malformed_head_is_no_request),
		cmocka_unit_test(a_reader_that_stalls_is_cut),
		cmocka_unit_test(a_reader_that_reads_bit_by_bit_is_not_cut),
		cmocka_unit_test(a_body_that_does_not_come_is_not_waited_for),
		cmocka_unit_test(trailers_follow_a_body),
		cmocka_unit_test(a_head_has_no_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
