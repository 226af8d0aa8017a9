/*
 * Exchanges: which connection is used, kept or given up, what is retried, and
 * what becomes of silence.
 */
#include "upstream/world.h"

/* ---- connections ------------------------------------------------------- */

static void
a_connection_is_used_again(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	begin(w, GET);
	assert_int_equal(w->backend->n_idle, 0);
	receive(w, fd, "\r\n\r\n");
	say(fd, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_false(has_new_connection(w));
	assert_int_equal(w->stats.reused, 1);
	assert_int_equal(w->stats.dialled, 1);
	close(fd);
}

static void
an_idle_connection_ends_with_the_servers_fin(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	close(fd);
	for (int i = 0; i < 20; i++)
		tick(w);
	assert_int_equal(w->backend->n_idle, 0);
	assert_int_equal(w->stats.idle, 0);
}

static void
bytes_on_an_idle_connection_end_it(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	say(fd, OK_2);
	assert_true(is_closed(w, fd));
	assert_int_equal(w->backend->n_idle, 0);
	close(fd);
}

static void
bytes_after_the_response_end_its_connection(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_int_equal(w->backend->n_idle, 0);
	close(fd);
}

static void
idle_connections_end_in_time(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	clock_fake_advance(w->group->keepalive.idle + 100);
	assert_true(is_closed(w, fd));
	assert_int_equal(w->backend->n_idle, 0);
	close(fd);
}

static void
a_server_is_believed_when_it_announces_less(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	    "Keep-Alive: timeout=5, max=9\r\n\r\n");
	assert_int_equal(finish(w), 200);
	assert_int_equal(w->backend->n_idle, 1);
	clock_fake_advance(5000);
	assert_true(is_closed(w, fd));
	close(fd);
}

static void
old_and_worn_connections_are_not_used(void **state)
{
	struct world *w = *state;
	int fd, next;

	w->group->keepalive.lifetime = 2000;
	fd = warm_up(w);
	clock_fake_advance(2500);
	next = warm_up(w);
	assert_true(is_closed(w, fd));
	close(fd);

	w->group->keepalive.requests = 1;
	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, OK_2);
	finish(w);
	expect_body(w, "hi");
	assert_int_equal(w->backend->n_idle, 0);
	close(fd);
	close(next);
}

static void
the_oldest_idle_connection_gives_way(void **state)
{
	struct world *w = *state;
	struct txn *first;
	int a, b;

	w->group->keepalive.connections = 1;
	begin(w, GET);
	a = accept_one(w);
	receive(w, a, "\r\n\r\n");
	first = w->t;
	w->t = NULL; /* two at once */
	begin(w, GET);
	b = accept_one(w);
	receive(w, b, "\r\n\r\n");
	say(a, OK_2);
	say(b, OK_2);
	for (int i = 0; i < 20; i++)
		tick(w);
	assert_int_equal(w->backend->n_idle, 1);
	world_end_txn(w);
	w->t = first;
	close(a);
	close(b);
}

static void
a_draining_worker_keeps_nothing(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	backends_drain(w->all);
	assert_true(is_closed(w, fd));
	assert_int_equal(w->backend->n_idle, 0);
	close(fd);
}

/* ---- retries ----------------------------------------------------------- */

static void
a_dead_idle_connection_is_replaced_once(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w), next;

	begin(w, GET);
	receive(w, fd, "\r\n\r\n");
	close(fd);
	next = accept_one(w);
	receive(w, next, "\r\n\r\n");
	say(next, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_int_equal(w->stats.retries, 1);
	assert_int_equal(w->t->upstream->attempts, 2);
	assert_true(str_eq(w->t->upstream->status, STR("-, 200")));
	close(next);
}

static void
what_may_not_be_done_twice_is_not_retried(void **state)
{
	struct world *w = *state;
	int fd = warm_up(w);

	set_body(w, "hello", true);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
	receive(w, fd, "hello");
	close(fd);
	assert_int_equal(finish(w), 502);
	assert_false(has_new_connection(w));
	assert_string_equal(w->t->upstream->cause, "closed");
}

static void
a_new_connection_is_not_retried(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	close(fd);
	assert_int_equal(finish(w), 502);
	assert_int_equal(w->t->upstream->attempts, 1);
	assert_string_equal(w->t->upstream->phase, "head");
}

static void
a_refused_server_gives_way_to_the_next(void **state)
{
	struct world *w = *state;
	struct upstream_group two = *w->group;
	struct upstream_server servers[2] = {w->group->servers[0],
		w->group->servers[0]};
	uint16_t port;
	int fd = listen_somewhere(&port);

	close(fd);
	servers[0].addrs[0].in.sin_port = htons(port);
	two.servers = servers;
	two.n_servers = 2;
	/* The group is looked up by index: put ours in its place, after the
	 * end of those who still count the old one's servers. */
	backends_end(w->all);
	w->all = NULL;
	*w->group = two;
	world_use(w, w->group);
	for (int i = 0; i < 2; i++) {
		begin(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		fd = accept_one(w);
		receive(w, fd, "\r\n\r\n");
		say(fd, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
		assert_int_equal(finish(w), 204);
		close(fd);
	}
	assert_int_equal(w->stats.failed_cause[CAUSE_REFUSED], 1);
	assert_int_equal(w->stats.attempts, 3);
	assert_int_equal(w->stats.retries, 0);
}

static void
nobody_there_is_a_502(void **state)
{
	struct world *w = *state;

	close(w->listener);
	if (begin(w, GET) == STEP_WAIT)
		assert_int_equal(finish(w), 502);
	assert_int_equal(w->t->res.status, 502);
	assert_string_equal(w->t->reason, "upstream_refused");
	w->listener = listen_somewhere(&w->port);
}

static void
a_group_without_addresses_is_a_503(void **state)
{
	struct world *w = *state;

	w->group->servers[0].n_addrs = 0;
	assert_int_equal(begin(w, GET), STEP_STOP);
	assert_int_equal(w->t->res.status, 503);
	assert_string_equal(w->t->reason, "upstream_no_server");
}

/* ---- time -------------------------------------------------------------- */

static void
a_silent_server_is_a_504(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	clock_fake_advance(w->conf.read_timeout - 1000);
	tick(w);
	assert_false(w->resumed);
	clock_fake_advance(2000);
	assert_int_equal(finish(w), 504);
	assert_string_equal(w->t->reason, "upstream_timeout");
	assert_true(is_closed(w, fd));
	close(fd);
}

static void
a_response_that_stops_is_cut(void **state)
{
	struct world *w = *state;
	struct span span;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	assert_int_equal(finish(w), 200);
	flow_on_wake(w->t->res.body, on_wake, w);
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_WAIT);
	clock_fake_advance(w->conf.read_timeout + 1000);
	for (int i = 0; i < 10; i++)
		tick(w);
	assert_int_equal(w->wakes, 1);
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_FAIL);
	assert_string_equal(w->t->upstream->cause, "timeout");
	close(fd);
}

static void
a_slow_sink_is_not_the_servers_fault(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	assert_int_equal(finish(w), 200);
	clock_fake_advance(10 * w->conf.read_timeout);
	for (int i = 0; i < 10; i++)
		tick(w);
	say(fd, "world");
	expect_body(w, "helloworld");
	close(fd);
}

static void
a_client_that_leaves_ends_the_connection(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	world_end_txn(w);
	assert_true(is_closed(w, fd));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_used_again),
		TEST(an_idle_connection_ends_with_the_servers_fin),
		TEST(bytes_on_an_idle_connection_end_it),
		TEST(bytes_after_the_response_end_its_connection),
		TEST(idle_connections_end_in_time),
		TEST(a_server_is_believed_when_it_announces_less),
		TEST(old_and_worn_connections_are_not_used),
		TEST(the_oldest_idle_connection_gives_way),
		TEST(a_draining_worker_keeps_nothing),
		TEST(a_dead_idle_connection_is_replaced_once),
		TEST(what_may_not_be_done_twice_is_not_retried),
		TEST(a_new_connection_is_not_retried),
		TEST(a_refused_server_gives_way_to_the_next),
		TEST(nobody_there_is_a_502),
		TEST(a_group_without_addresses_is_a_503),
		TEST(a_silent_server_is_a_504),
		TEST(a_response_that_stops_is_cut),
		TEST(a_slow_sink_is_not_the_servers_fault),
		TEST(a_client_that_leaves_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
