/* Plain connections, over socket pairs and loopback TCP. */
#include "owner.h"

#include <netinet/tcp.h>

/* ---- size -------------------------------------------------------------- */

static void
a_connection_is_small(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct conn), 1, 192);
}

/* ---- reading ----------------------------------------------------------- */

static void
a_new_connection_is_told_nothing_until_bytes_arrive(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, NULL);
	assert_true(o.conn.can_write);
	assert_false(o.conn.can_read);
	assert_int_equal(w->stats.connections, 1);
	tick(w);
	assert_int_equal(o.ready, 0);
	say(far, "hello");
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_true(o.conn.can_read);
	end(w, &o, far);
	assert_int_equal(w->stats.connections, 0);
	assert_int_equal(w->stats.closed[CLOSE_DONE], 1);
	assert_int_equal(w->stats.bytes_in, 0);
}

static void
a_short_read_has_drained_the_socket(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, NULL);
	say(far, "hello");
	tick(w);
	expect_read(&o, 3, "hel");
	assert_true(o.conn.can_read);
	expect_read(&o, 100, "lo");
	assert_false(o.conn.can_read);
	assert_int_equal(w->stats.bytes_in, 5);
	say(far, "more");
	tick(w);
	assert_int_equal(o.ready, 2);
	expect_read(&o, 100, "more");
	end(w, &o, far);
}

static void
a_read_that_fits_exactly_is_followed_by_again(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;
	size_t n;

	start(w, &o, NULL);
	say(far, "abc");
	tick(w);
	expect_read(&o, 3, "abc");
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_AGAIN);
	assert_int_equal(n, 0);
	assert_false(o.conn.can_read);
	end(w, &o, far);
}

static void
a_fin_behind_the_last_bytes_is_read(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far;
	char c;
	size_t n;

	start_tcp(w, &o, &far);
	say(far, "last");
	shutdown(far, SHUT_WR);
	tick(w);
	assert_true(o.conn.hung_up);
	expect_read(&o, 100, "last");
	assert_true(o.conn.can_read);
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_EOF);
	/* The other direction still works. */
	assert_int_equal(put(&o, "bye", 3, &n), CONN_OK);
	assert_int_equal(n, 3);
	end(w, &o, far);
}

static void
a_fin_after_the_bytes_were_read_is_told(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far;
	char c;
	size_t n;

	start_tcp(w, &o, &far);
	say(far, "last");
	tick(w);
	expect_read(&o, 100, "last");
	assert_false(o.conn.can_read);
	close(far);
	tick(w);
	assert_int_equal(o.ready, 2);
	assert_true(o.conn.can_read);
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_EOF);
	end(w, &o, -1);
}

static void
a_reset_is_a_failure_with_words(void **state)
{
	static const struct linger hard = { .l_onoff = 1 };
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far;
	char c;
	size_t n;

	start_tcp(w, &o, &far);
	setsockopt(far, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(far);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_FAILED);
	assert_string_equal(conn_failure(&o.conn),
	    "connection reset by the peer");
	assert_int_equal(put(&o, "x", 1, &n), CONN_FAILED);
	end(w, &o, -1);
}

/* ---- writing ----------------------------------------------------------- */

static void
a_full_socket_takes_a_part_and_tells_when_there_is_room(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	size_t len = 4 << 20, n, sent;
	char *big = calloc(1, len);

	start(w, &o, NULL);
	assert_int_equal(put(&o, big, len, &n), CONN_OK);
	assert_in_range(n, 1, len - 1);
	assert_false(o.conn.can_write);
	sent = n;
	assert_int_equal(put(&o, big, len, &n), CONN_AGAIN);
	assert_int_equal(n, 0);
	tick(w);
	assert_int_equal(o.ready, 0);
	assert_int_equal(swallow(far), sent);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_true(o.conn.can_write);
	assert_int_equal(w->stats.bytes_out, sent);
	end(w, &o, far);
	free(big);
}

static void
parts_leave_in_order(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	struct iovec iov[3] = { { "he", 2 }, { "", 0 }, { "llo", 3 } };
	char text[8];
	size_t n;

	start(w, &o, NULL);
	assert_int_equal(conn_write(&o.conn, iov, 3, &n), CONN_OK);
	assert_int_equal(n, 5);
	assert_true(o.conn.can_write);
	assert_int_equal(read(far, text, sizeof text), 5);
	assert_memory_equal(text, "hello", 5);
	end(w, &o, far);
}

static void
writing_to_who_is_gone_fails_without_a_signal(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	size_t n;

	signal(SIGPIPE, SIG_DFL);
	start(w, &o, NULL);
	close(far);
	assert_int_equal(put(&o, "x", 1, &n), CONN_FAILED);
	assert_string_equal(conn_failure(&o.conn),
	    "the peer takes nothing any more");
	end(w, &o, -1);
}

static void
a_shutdown_sends_fin_and_goes_on_reading(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;

	start(w, &o, NULL);
	conn_shutdown(&o.conn);
	assert_int_equal(read(far, &c, 1), 0);
	say(far, "still");
	tick(w);
	expect_read(&o, 100, "still");
	end(w, &o, far);
}

/* ---- files ------------------------------------------------------------- */

static void
a_range_of_a_file_is_sent(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far, file = file_of(64);
	char text[17] = "";
	size_t n;

	start_tcp(w, &o, &far);
	assert_int_equal(conn_sendfile(&o.conn, file, 8, 16, &n), CONN_OK);
	assert_int_equal(n, 16);
	assert_int_equal(read(far, text, 16), 16);
	assert_string_equal(text, "0000001\n0000002\n");
	assert_int_equal(w->stats.bytes_out, 16);
	end(w, &o, far);
	close(file);
}

static void
a_call_sends_at_most_256_kib_of_a_file(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far, file = file_of(1 << 20), room = 4 << 20;
	size_t n, total = 0;

	start_tcp(w, &o, &far);
	setsockopt(o.conn.io.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	for (int i = 0; i < 200 && total < 1 << 20; i++) {
		switch (conn_sendfile(&o.conn, file, total,
		    (1 << 20) - total, &n)) {
		case CONN_OK:
			assert_in_range(n, 1, 524288);
			total += n;
			break;
		case CONN_AGAIN:
			assert_false(o.conn.can_write);
			break;
		case CONN_EOF:
		case CONN_FAILED:
			fail();
		}
		swallow(far);
		tick(w);
	}
	assert_int_equal(total, 1 << 20);
	end(w, &o, far);
	close(file);
}

static void
a_file_that_shrank_is_a_failure(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far, file = file_of(64);
	size_t n;

	start_tcp(w, &o, &far);
	assert_int_equal(ftruncate(file, 40), 0);
	assert_int_equal(conn_sendfile(&o.conn, file, 0, 64, &n), CONN_OK);
	assert_int_equal(n, 40);
	assert_int_equal(conn_sendfile(&o.conn, file, 40, 24, &n),
	    CONN_FAILED);
	assert_string_equal(conn_failure(&o.conn),
	    "the file has become shorter");
	end(w, &o, far);
	close(file);
}

/* ---- closing ----------------------------------------------------------- */

static void
closing_twice_closes_once(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;
	size_t n;

	start(w, &o, NULL);
	conn_close(&o.conn, CLOSE_IDLE);
	conn_close(&o.conn, CLOSE_RESET);
	assert_int_equal(o.closed, 0);
	assert_int_equal(o.conn.why, CLOSE_IDLE);
	assert_int_equal(read(far, &c, 1), 0);
	/* Whoever is still on the stack does no harm. */
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_FAILED);
	assert_int_equal(put(&o, "x", 1, &n), CONN_AGAIN);
	conn_set_deadline(&o.conn, 10);
	conn_shutdown(&o.conn);
	tick(w);
	clock_fake_advance(1000);
	tick(w);
	assert_int_equal(o.closed, 1);
	assert_int_equal(o.timeouts, 0);
	assert_int_equal(w->stats.closed[CLOSE_IDLE], 1);
	assert_int_equal(w->stats.closed[CLOSE_RESET], 0);
	close(far);
}

static void
a_connection_may_close_inside_its_own_callback(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, NULL);
	o.closes_when_ready = true;
	say(far, "x");
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_int_equal(o.closed, 1);
	close(far);
}

static void
an_event_reported_before_the_close_is_not_delivered(void **state)
{
	struct world *w = *state;
	int far_a, far_b;
	struct owner a = open_pair(&far_a);
	struct owner b = open_pair(&far_b);
	struct owner *pa = &a, *pb = &b;

	start(w, &a, NULL);
	start(w, &b, NULL);
	tick(w);
	a.twin = &pb;
	b.twin = &pa;
	say(far_a, "x");
	say(far_b, "x");
	tick(w);
	assert_int_equal(a.ready + b.ready, 1);
	assert_int_equal(a.closed + b.closed, 1);
	conn_close(a.closed ? &b.conn : &a.conn, CLOSE_DONE);
	tick(w);
	assert_int_equal(a.closed + b.closed, 2);
	close(far_a);
	close(far_b);
}

static void
a_reset_on_close_reaches_the_peer(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	int far;
	char c;

	start_tcp(w, &o, &far);
	conn_reset_on_close(&o.conn);
	end(w, &o, -1);
	assert_int_equal(read(far, &c, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(far);
}

/* ---- deadlines --------------------------------------------------------- */

static void
a_deadline_passes_once(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, NULL);
	conn_set_deadline(&o.conn, 100);
	clock_fake_advance(99);
	tick(w);
	assert_int_equal(o.timeouts, 0);
	clock_fake_advance(1);
	tick(w);
	assert_int_equal(o.timeouts, 1);
	clock_fake_advance(500);
	tick(w);
	assert_int_equal(o.timeouts, 1);
	conn_set_deadline(&o.conn, 100);
	conn_set_deadline(&o.conn, 0);
	clock_fake_advance(500);
	tick(w);
	assert_int_equal(o.timeouts, 1);
	end(w, &o, far);
}

/* ---- dialling ---------------------------------------------------------- */

static void
a_dial_ends_in_a_connection(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = loopback(0), local;
	int listener = listen_on(&a), far, on = 0;
	socklen_t len = sizeof on;
	size_t n;

	dial(w, &o, &a, NULL);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_false(o.conn.connecting);
	assert_true(o.conn.can_write);
	assert_false(o.conn.is_client);
	assert_int_equal(o.conn.peer.port, ntohs(a.in.sin_port));
	assert_int_equal(getsockopt(o.conn.io.fd, IPPROTO_TCP, TCP_NODELAY,
	    &on, &len), 0);
	assert_true(on);
	far = accept(listener, NULL, NULL);
	assert_int_equal(put(&o, "x", 1, &n), CONN_OK);
	say(far, "yes");
	tick(w);
	expect_read(&o, 10, "yes");
	assert_true(conn_local_addr(&o.conn, &local));
	assert_int_equal(local.sa.sa_family, AF_INET);
	assert_int_equal(w->stats.dialled, 1);
	assert_int_equal(w->stats.dial_failed, 0);
	assert_int_equal(w->stats.connections, 0);
	end(w, &o, far);
	assert_false(conn_local_addr(&o.conn, &local));
	close(listener);
}

static void
a_refused_dial_is_told_and_closed_by_its_owner(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = loopback(free_port());

	dial(w, &o, &a, NULL);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_true(o.conn.connecting);
	assert_string_equal(conn_failure(&o.conn), "connection refused");
	assert_int_equal(w->stats.dial_failed, 1);
	assert_int_equal(o.closed, 0);
	end(w, &o, -1);
}

static void
a_unix_socket_is_dialled(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = addr_of(arena_printf(w->arena, "unix:%s/s", w->dir));
	int listener = listen_on(&a);

	dial(w, &o, &a, NULL);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_false(o.conn.connecting);
	end(w, &o, -1);
	close(listener);
	unlink(a.un.sun_path);
}

static void
a_dial_that_cannot_begin_says_why(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = addr_of(arena_printf(w->arena, "unix:%s/no", w->dir));
	struct err e;

	assert_false(conn_dial(&o.conn, w->net, &a, some_tls, "a", &ops, &e));
	assert_string_equal(e.text,
	    "cannot connect: no such file or directory");
	assert_int_equal(fake_streams, 0);
	assert_int_equal(w->stats.dial_failed, 1);
	tick(w);
	assert_int_equal(o.ready + o.closed, 0);
}

static void
a_dial_leaves_the_last_descriptors_to_those_who_come(void **state)
{
	struct world *w = *state;
	struct addr a = addr_of("127.0.0.1:1");
	struct owner o;
	struct err e;
	int next = dup(0);

	close(next);
	w->net->dial_below = next;
	assert_false(conn_dial(&o.conn, w->net, &a, NULL, NULL, &ops, &e));
	assert_string_equal(e.text,
	    "cannot make a socket: too many open files");
	assert_int_equal(w->stats.dial_failed, 1);
	/* And it has not kept one. */
	assert_int_equal(dup(0), next);
	close(next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_small),
		TEST(a_new_connection_is_told_nothing_until_bytes_arrive),
		TEST(a_short_read_has_drained_the_socket),
		TEST(a_read_that_fits_exactly_is_followed_by_again),
		TEST(a_fin_behind_the_last_bytes_is_read),
		TEST(a_fin_after_the_bytes_were_read_is_told),
		TEST(a_reset_is_a_failure_with_words),
		TEST(a_full_socket_takes_a_part_and_tells_when_there_is_room),
		TEST(parts_leave_in_order),
		TEST(writing_to_who_is_gone_fails_without_a_signal),
		TEST(a_shutdown_sends_fin_and_goes_on_reading),
		TEST(a_range_of_a_file_is_sent),
		TEST(a_call_sends_at_most_256_kib_of_a_file),
		TEST(a_file_that_shrank_is_a_failure),
		TEST(closing_twice_closes_once),
		TEST(a_connection_may_close_inside_its_own_callback),
		TEST(an_event_reported_before_the_close_is_not_delivered),
		TEST(a_reset_on_close_reaches_the_peer),
		TEST(a_deadline_passes_once),
		TEST(a_dial_ends_in_a_connection),
		TEST(a_refused_dial_is_told_and_closed_by_its_owner),
		TEST(a_unix_socket_is_dialled),
		TEST(a_dial_that_cannot_begin_says_why),
		TEST(a_dial_leaves_the_last_descriptors_to_those_who_come)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
