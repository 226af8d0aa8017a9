/*
 * How wide receive windows are: they grow while a body fills them within one
 * round trip, and stay where nothing is gained by it.
 */
#include "h2_world.h"

static int32_t
width(struct world *w)
{
	return ((struct h2 *)client_of_link(w->server->conns.next))
	    ->more->window;
}

static void
it_begins_with_what_everybody_knows(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	ask("GET", "/now");
	exchange_frames(w);
	assert_int_equal(width(w), 65535);
	peer_close(w);
}

/* A whole window arrives before the answer to the PING that came after its
 * first frame. */
static void
a_window_that_is_filled_in_a_round_trip_doubles(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	post_many("/pull", 65535, true);
	exchange_frames(w);
	assert_int_equal(width(w), 2 * 65535);
	assert_in_range(nghttp2_session_get_remote_window_size(peer.ng),
	    65536, 2 * 65535);
	peer_close(w);
}

static void
a_trickle_does_not_widen_it(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	post_many("/pull", 1000, true);
	exchange_frames(w);
	for (int i = 0; i < 100; i++) {
		pass(w, 20);
		go_on(1, "some more, but not much", true);
		exchange_frames(w);
	}
	assert_int_equal(width(w), 65535);
	peer_close(w);
}

static void
what_nobody_takes_does_not_widen_it(void **state)
{
	struct world *w = h2_world_new("");

	(void)state;
	post_many("/wait", 65535, true);
	exchange_frames(w);
	pass(w, 20);
	post_many("/wait", 65535, true);
	exchange_frames(w);
	pass(w, 20);
	post_many("/wait", 65535, true);
	exchange_frames(w);
	assert_in_range(width(w), 65535, 2 * 65535);
	peer_close(w);
}

static void
it_never_grows_beyond_the_setting(void **state)
{
	struct world *w = h2_world_new("http2: {max_window: 100000}, "
	    "max_body_size: 10m");

	(void)state;
	post_many("/pull", 1 << 20, false);
	for (int i = 0; i < 100; i++) {
		pass(w, 20);
		exchange_frames(w);
	}
	expect_frames(w, HELLO2("1"));
	assert_int_equal(w->pulled.n, 1 << 20);
	assert_int_equal(width(w), 100000);
	peer_close(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_what_everybody_knows),
		cmocka_unit_test(
		    a_window_that_is_filled_in_a_round_trip_doubles),
		cmocka_unit_test(a_trickle_does_not_widen_it),
		cmocka_unit_test(what_nobody_takes_does_not_widen_it),
		cmocka_unit_test(it_never_grows_beyond_the_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
