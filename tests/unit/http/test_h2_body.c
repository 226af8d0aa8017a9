/*
 * Bodies of HTTP/2 requests: kept until somebody takes them, within a window
 * that opens by no more than that; and given up when they are too large.
 */
#include "h2_world.h"

static int32_t
window_of(int32_t id)
{
	return nghttp2_session_get_stream_remote_window_size(peer.ng, id);
}

static int32_t
window_of_all(void)
{
	return nghttp2_session_get_remote_window_size(peer.ng);
}

static void
a_body_is_read_to_its_end(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	post("/pull", "hello");
	expect_frames(w, HELLO2("1"));
	expect_pulled(w, "hello");
	peer_close(w);
}

static void
a_body_may_come_bit_by_bit(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	post_many("/pull", 3, true);
	expect_frames(w, "");
	expect_pulled(w, "xxx");
	go_on(1, "ab", true);
	expect_frames(w, "");
	expect_pulled(w, "ab");
	go_on(1, "", false);
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

static void
its_length_is_known_when_all_of_it_is_here(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	w->pull_stops = true;
	post("/pull", "hello");
	expect_frames(w, "");
	assert_int_equal(w->t->req.body->length, 5);
	txn_resume(w->t);
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

/* Else they would have no place in HTTP/1. */
static void
with_trailers_its_length_is_not_said(void **state)
{
	struct world *w = h2_world_new("");
	struct sending s = { .p = "hello", .n = 5, .has_trailers = true };

	(void)state;
	w->pull_stops = true;
	ask_with("POST", "/pull", &s, NULL, NULL);
	expect_frames(w, "");
	assert_int_equal(w->t->req.body->length, -1);
	assert_non_null(w->t->req.trailers);
	assert_true(str_eq(head_value_name(w->t->req.trailers, STR("x-sum")),
	    STR("1")));
	txn_resume(w->t);
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

static void
a_window_opens_by_what_was_taken(void **state)
{
	struct world *w = h2_world_new("http2: {max_window: 64k}");

	(void)state;
	w->pull_stops = true;
	post_many("/pull", 100000, true);
	expect_frames(w, "");
	assert_int_equal(window_of(1), 0);
	txn_resume(w->t);
	expect_frames(w, "");
	assert_int_equal(w->pulled.n, 100000);
	assert_in_range(window_of(1), 32768, 1 << 20);
	peer_close(w);
}

/* It is the stream's that holds a body back, not the one of all. */
static void
a_body_that_nobody_takes_holds_up_no_other(void **state)
{
	struct world *w = h2_world_new("http2: {max_window: 64k}");

	(void)state;
	w->pull_stops = true;
	post_many("/pull", 100000, true);
	expect_frames(w, "");
	assert_int_equal(window_of(1), 0);
	assert_in_range(window_of_all(), 32768, 1 << 20);
	post("/pull", "hello");
	expect_frames(w, HELLO2("3"));
	peer_close(w);
}

static void
more_than_may_be_is_refused(void **state)
{
	struct world *w = h2_world_new("max_body_size: 10");
	const char *all;

	(void)state;
	post_many("/pull", 11, true);
	all = heard_frames(w);
	assert_memory_equal(all, "1: 413 ", 7);
	assert_non_null(strstr(all, "1: end;1: reset 0;"));
	expect_log(w, "POST /pull HTTP/2.0 413 large_body;");
	peer_close(w);
}

/* Whatever had come before the request began. */
static void
more_than_may_be_is_refused_bit_by_bit(void **state)
{
	struct world *w = h2_world_new("max_body_size: 10");

	(void)state;
	post_many("/pull", 0, true);
	expect_frames(w, "");
	go_on(1, "0123456789", true);
	expect_frames(w, "");
	go_on(1, "x", true);
	assert_memory_equal(heard_frames(w), "1: 413 ", 7);
	peer_close(w);
}

static void
trailers_make_a_body_no_smaller(void **state)
{
	struct world *w = h2_world_new("max_body_size: 10");
	struct sending s = { .p = "0123456789x", .n = 11,
		.has_trailers = true };

	(void)state;
	ask_with("POST", "/pull", &s, NULL, NULL);
	assert_memory_equal(heard_frames(w), "1: 413 ", 7);
	peer_close(w);
}

static void
as_much_as_may_be_is_not(void **state)
{
	struct world *w = h2_world_new("max_body_size: 10");

	(void)state;
	post("/pull", "0123456789");
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

static void
what_says_that_it_is_too_large_is_not_waited_for(void **state)
{
	struct world *w = h2_world_new("max_body_size: 10");
	struct sending s = { .is_open = true };

	(void)state;
	ask_with("POST", "/pull", &s, "content-length", "11");
	assert_memory_equal(heard_frames(w), "1: 413 ", 7);
	assert_null(w->t);
	peer_close(w);
}

static void
who_waits_for_100_gets_it_when_the_body_is_wanted(void **state)
{
	struct world *w = h2_world_new("");
	struct sending s = { .is_open = true };

	(void)state;
	w->pull_stops = true;
	ask_with("POST", "/pull", &s, "expect", "100-continue");
	expect_frames(w, "");
	txn_resume(w->t);
	expect_frames(w, "1: 100;");
	go_on(1, "hello", false);
	expect_frames(w, HELLO2("1"));
	peer_close(w);
}

static void
what_nobody_read_gives_its_window_back(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	for (int i = 0; i < 8; i++) {
		post_many("/now", 50000, false);
		exchange_frames(w);
	}
	assert_in_range(window_of_all(), 15536, 1 << 20);
	assert_null(strstr(heard_frames(w), "goaway"));
	peer_close(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_read_to_its_end),
		cmocka_unit_test(a_body_may_come_bit_by_bit),
		cmocka_unit_test(its_length_is_known_when_all_of_it_is_here),
		cmocka_unit_test(with_trailers_its_length_is_not_said),
		cmocka_unit_test(a_window_opens_by_what_was_taken),
		cmocka_unit_test(a_body_that_nobody_takes_holds_up_no_other),
		cmocka_unit_test(more_than_may_be_is_refused),
		cmocka_unit_test(more_than_may_be_is_refused_bit_by_bit),
		cmocka_unit_test(trailers_make_a_body_no_smaller),
		cmocka_unit_test(as_much_as_may_be_is_not),
		cmocka_unit_test(
		    what_says_that_it_is_too_large_is_not_waited_for),
		cmocka_unit_test(
		    who_waits_for_100_gets_it_when_the_body_is_wanted),
		cmocka_unit_test(what_nobody_read_gives_its_window_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
