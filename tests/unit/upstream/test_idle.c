/*
 * Idle connections: which is taken next, when they end, and how many there are.
 * The world is a real server on the loopback.
 */
#include "world.h"

/* A connection that stands, without a user, and the server's end of it. */
static struct uplink *
dial(struct world *w, int *server)
{
	static const struct uplink_user nobody;
	struct uplink *up;
	struct err e;

	up = uplink_dial(w->backend, 0, 0, &nobody, NULL, &e);
	assert_non_null(up);
	/* Ready is told to idle_put's user: nothing can move before. */
	*server = -1;
	for (int i = 0; i < 1000 && *server < 0; i++)
		*server = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(*server >= 0);
	return up;
}

static void
on_ready(struct uplink *up, void *arg)
{
	(void)up;
	(*(unsigned *)arg)++;
}

static const struct uplink_user counting = {
	.ready = on_ready, .timeout = on_ready
};

/* As after a request: connected, used once. */
static struct uplink *
used(struct world *w, int *server)
{
	struct uplink *up = dial(w, server);
	unsigned events = 0;

	uplink_use(up, &counting, &events);
	for (int i = 0; i < 1000 && events == 0; i++)
		tick(w);
	assert_false(up->conn.connecting);
	uplink_use(up, NULL, NULL);
	up->requests = 1;
	return up;
}

static void
settle(struct world *w)
{
	for (int i = 0; i < 5; i++)
		tick(w);
}

static void
the_last_one_used_is_the_first_one_taken(void **state)
{
	struct world *w = *state;
	struct uplink *up[3];
	int server[3];

	for (int i = 0; i < 3; i++) {
		up[i] = used(w, &server[i]);
		idle_put(up[i], 0);
	}
	assert_int_equal(w->backend->n_idle, 3);
	assert_int_equal(w->stats.idle, 3);
	for (int i = 2; i >= 0; i--)
		assert_ptr_equal(idle_take(w->backend, 0), up[i]);
	assert_null(idle_take(w->backend, 0));
	assert_int_equal(w->backend->n_idle, 0);
	for (int i = 0; i < 3; i++) {
		uplink_close(up[i], CLOSE_DONE);
		close(server[i]);
	}
}

static void
the_oldest_goes_when_there_are_too_many(void **state)
{
	struct world *w = *state;
	int server[3];

	w->group->keepalive.connections = 2;
	for (int i = 0; i < 3; i++)
		idle_put(used(w, &server[i]), 0);
	assert_int_equal(w->backend->n_idle, 2);
	assert_true(is_closed(w, server[0]));
	assert_false(is_closed(w, server[1]));
	for (int i = 0; i < 3; i++)
		close(server[i]);
}

static void
none_is_kept_where_none_may_be(void **state)
{
	struct world *w = *state;
	int server;

	w->group->keepalive.connections = 0;
	idle_put(used(w, &server), 0);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

static void
it_ends_when_it_was_idle_for_too_long(void **state)
{
	struct world *w = *state;
	int server;

	w->group->keepalive.idle = 3000;
	idle_put(used(w, &server), 0);
	clock_fake_advance(2900);
	settle(w);
	assert_int_equal(w->backend->n_idle, 1);
	clock_fake_advance(200);
	settle(w);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

static void
it_ends_before_the_server_said_that_it_would(void **state)
{
	struct world *w = *state;
	int server;

	w->group->keepalive.idle = 60000;
	idle_put(used(w, &server), 5000);
	clock_fake_advance(4400);
	settle(w);
	assert_int_equal(w->backend->n_idle, 1);
	clock_fake_advance(200);
	settle(w);
	assert_int_equal(w->backend->n_idle, 0);
	close(server);
}

static void
a_server_that_keeps_long_does_not_prolong_ours(void **state)
{
	struct world *w = *state;
	int server;

	w->group->keepalive.idle = 3000;
	idle_put(used(w, &server), 3600 * 1000);
	clock_fake_advance(3100);
	settle(w);
	assert_int_equal(w->backend->n_idle, 0);
	close(server);
}

static void
its_servers_end_is_its_own(void **state)
{
	struct world *w = *state;
	int server;

	idle_put(used(w, &server), 0);
	close(server);
	settle(w);
	assert_int_equal(w->backend->n_idle, 0);
	assert_null(idle_take(w->backend, 0));
}

static void
bytes_nobody_asked_for_end_it(void **state)
{
	struct world *w = *state;
	int server;

	idle_put(used(w, &server), 0);
	say(server, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	settle(w);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

static void
one_that_ended_in_this_very_tick_is_not_taken(void **state)
{
	struct world *w = *state;
	struct uplink *good;
	int dead, server;

	good = used(w, &server);
	idle_put(good, 0);
	idle_put(used(w, &dead), 0);
	say(dead, "x");
	/* As if its event had been noted and its callback were still to
	 * come in this tick. */
	LIST_ITEM(w->backend->servers[0].idle.next, struct uplink,
	    newest)->conn.can_read = true;
	assert_ptr_equal(idle_take(w->backend, 0), good);
	uplink_close(good, CLOSE_DONE);
	close(dead);
	close(server);
}

/* The answer was read in this tick, what the server sent behind it was not:
 * the loop has had no occasion to tell. */
static void
bytes_behind_the_last_answer_are_found_on_taking_it(void **state)
{
	struct world *w = *state;
	struct uplink *up;
	int server;

	up = used(w, &server);
	up->conn.can_read = false;
	up->conn.is_drained = true;
	say(server, "x");
	idle_put(up, 0);
	assert_int_equal(w->backend->n_idle, 1);
	assert_null(idle_take(w->backend, 0));
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

/* Takes what there is, before or after the idle connection's own event. */
struct taker {
	struct io io;
	struct world *w;
	struct uplink *got;
	unsigned runs;
};

static void
taker_on_io(struct io *io, unsigned events)
{
	struct taker *t = (struct taker *)io;

	(void)events;
	if (t->runs++ == 0)
		t->got = idle_take(t->w->backend, 0);
}

static void
one_whose_event_is_still_to_come_is_not_taken(void **state)
{
	struct world *w = *state;
	struct taker t = {.w = w, .io = {.name = "t", .ready = taker_on_io}};
	int server, pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	idle_put(used(w, &server), 0);
	settle(w);
	assert_int_equal(w->backend->n_idle, 1);
	/* Registered now, it is writable first and foremost. */
	t.io.fd = pair[0];
	assert_true(loop_add_io(w->backend->net->loop, &t.io, NULL));
	say(server, "x");
	tick(w);
	assert_int_equal(t.runs, 1);
	assert_null(t.got);
	assert_int_equal(w->backend->n_idle, 0);
	loop_forget_io(w->backend->net->loop, &t.io);
	close(pair[0]);
	close(pair[1]);
	close(server);
}

/* A system call more for each request would buy nothing. */
static void
one_that_was_silent_for_a_poll_is_taken_unseen(void **state)
{
	struct world *w = *state;
	struct uplink *up;
	int server;

	up = used(w, &server);
	idle_put(up, 0);
	settle(w);
	up->conn.can_read = false;
	up->conn.is_drained = true;
	assert_ptr_equal(idle_take(w->backend, 0), up);
	assert_false(up->conn.can_read);
	assert_true(up->conn.is_drained);
	uplink_close(up, CLOSE_DONE);
	close(server);
}

static void
bytes_that_are_there_already_are_no_silence(void **state)
{
	struct world *w = *state;
	struct uplink *up;
	int server;

	up = used(w, &server);
	say(server, "x");
	up->conn.can_read = true;
	idle_put(up, 0);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

static void
it_is_worn_after_so_many_requests(void **state)
{
	struct world *w = *state;
	struct uplink *up;
	int server[2];

	w->group->keepalive.requests = 10;
	up = used(w, &server[0]);
	up->requests = 9;
	idle_put(up, 0);
	assert_ptr_equal(idle_take(w->backend, 0), up);
	up->requests = 10;
	idle_put(up, 0);
	assert_int_equal(w->backend->n_idle, 0);
	close(server[0]);

	/* The limit may also be reached by a configuration's age. */
	up = used(w, &server[1]);
	idle_put(up, 0);
	w->group->keepalive.requests = 1;
	assert_null(idle_take(w->backend, 0));
	assert_int_equal(w->stats.idle, 0);
	close(server[1]);
}

static void
it_is_worn_after_its_lifetime(void **state)
{
	struct world *w = *state;
	int server;

	w->group->keepalive.idle = 3600 * 1000;
	w->group->keepalive.lifetime = 60000;
	idle_put(used(w, &server), 0);
	clock_fake_advance(60001);
	assert_null(idle_take(w->backend, 0));
	assert_true(is_closed(w, server));
	close(server);
}

static void
a_draining_backend_closes_what_it_has_and_keeps_nothing(void **state)
{
	struct world *w = *state;
	struct uplink *up;
	int server[2];

	idle_put(used(w, &server[0]), 0);
	up = used(w, &server[1]);
	backends_drain(w->all);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server[0]));
	idle_put(up, 0);
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server[1]));
	close(server[0]);
	close(server[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_one_used_is_the_first_one_taken),
		TEST(the_oldest_goes_when_there_are_too_many),
		TEST(none_is_kept_where_none_may_be),
		TEST(it_ends_when_it_was_idle_for_too_long),
		TEST(it_ends_before_the_server_said_that_it_would),
		TEST(a_server_that_keeps_long_does_not_prolong_ours),
		TEST(its_servers_end_is_its_own),
		TEST(bytes_nobody_asked_for_end_it),
		TEST(one_that_ended_in_this_very_tick_is_not_taken),
		TEST(bytes_behind_the_last_answer_are_found_on_taking_it),
		TEST(one_whose_event_is_still_to_come_is_not_taken),
		TEST(one_that_was_silent_for_a_poll_is_taken_unseen),
		TEST(bytes_that_are_there_already_are_no_silence),
		TEST(it_is_worn_after_so_many_requests),
		TEST(it_is_worn_after_its_lifetime),
		TEST(a_draining_backend_closes_what_it_has_and_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
