/* Connections with TLS, which is a fake: what conn.c makes of it. */
#include "owner.h"

/* ---- dialled ----------------------------------------------------------- */

static void
the_deadline_of_a_dial_is_its_owners(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = loopback(0);
	int listener = listen_on(&a);

	dial(w, &o, &a, some_tls);
	conn_set_deadline(&o.conn, 50);
	tick(w);
	assert_int_equal(o.ready, 0); /* the handshake is open */
	clock_fake_advance(50);
	tick(w);
	assert_int_equal(o.timeouts, 1);
	end(w, &o, -1);
	close(listener);
}

static void
a_dial_with_tls_is_ready_after_the_handshake(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = loopback(0);
	int listener = listen_on(&a), far;

	dial(w, &o, &a, some_tls);
	tick(w);
	far = accept(listener, NULL, NULL);
	assert_int_equal(o.ready, 0);
	say(far, FAKE_HELLO);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_false(o.conn.connecting);
	assert_int_equal(w->stats.tls_handshakes, 0); /* clients' only */
	end(w, &o, far);
	close(listener);
}

static void
a_dialled_handshake_that_breaks_is_told(void **state)
{
	struct world *w = *state;
	struct owner o = { .ready = 0 };
	struct addr a = loopback(0);
	int listener = listen_on(&a), far;

	dial(w, &o, &a, some_tls);
	tick(w);
	far = accept(listener, NULL, NULL);
	say(far, "x");
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_true(o.conn.connecting);
	assert_string_equal(conn_failure(&o.conn), "not an H");
	assert_int_equal(w->stats.dial_failed, 1);
	assert_int_equal(w->stats.tls_failed, 0);
	/* Nothing is told twice, though the peer goes on. */
	say(far, "y");
	tick(w);
	assert_int_equal(o.ready, 1);
	end(w, &o, far);
	close(listener);
}

/* ---- accepted ---------------------------------------------------------- */

static void
the_handshake_runs_before_the_owner_is_told(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, some_tls);
	tick(w);
	assert_true(o.conn.connecting);
	say(far, FAKE_HELLO "get");
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_false(o.conn.connecting);
	assert_true(conn_is_tls(&o.conn));
	assert_string_equal(conn_tls_version(&o.conn), "TLSv1.3");
	assert_true(str_eq(conn_alpn(&o.conn), STR("h2")));
	/* It came with the handshake; the socket has no event for it. */
	assert_true(o.conn.can_read);
	expect_read(&o, 100, "get");
	assert_int_equal(w->stats.tls_handshakes, 1);
	assert_int_equal(w->stats.tls_resumed, 1);
	end(w, &o, far);
	assert_int_equal(fake_streams, 0);
}

static void
what_tls_has_decrypted_stays_readable(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;
	size_t n;

	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	say(far, "abcdef");
	tick(w);
	/* The socket is drained by the first read. */
	expect_read(&o, 3, "abc");
	assert_true(o.conn.can_read);
	expect_read(&o, 3, "def");
	assert_true(o.conn.can_read);
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_AGAIN);
	assert_false(o.conn.can_read);
	end(w, &o, far);
}

static void
a_drained_socket_is_not_asked_again_before_its_event(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;
	size_t n;

	start(w, &o, some_tls);
	say(far, FAKE_HELLO "abc");
	tick(w);
	expect_read(&o, 100, "abc");
	say(far, "d");
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_AGAIN);
	tick(w);
	expect_read(&o, 100, "d");
	assert_false(o.conn.can_read);
	end(w, &o, far);
}

static void
expect_failed_handshake(struct world *w, struct owner *o,
    enum close_reason why)
{
	assert_int_equal(o->ready, 0);
	assert_int_equal(o->closed, 1);
	assert_int_equal(o->conn.why, why);
	assert_int_equal(w->stats.closed[why], 1);
	assert_int_equal(w->stats.tls_failed, 1);
	assert_int_equal(w->stats.connections, 0);
	assert_int_equal(fake_streams, 0);
}

static void
http_in_clear_is_its_owners_to_refuse(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, some_tls);
	say(far, "GE");
	tick(w);
	assert_int_equal(o.ready, 0);
	say(far, "T / HTTP/1.1\r\n");
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_true(o.conn.in_clear);
	assert_false(conn_is_tls(&o.conn));
	assert_int_equal(fake_streams, 0);
	assert_int_equal(w->stats.tls_failed, 1);
	assert_int_equal(w->stats.tls_handshakes, 0);
	expect_read(&o, 100, "GET / HTTP/1.1\r\n");
	end(w, &o, far);
}

static void
anything_else_gets_an_alert(void **state)
{
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x0a";
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char got[16];

	start(w, &o, some_tls);
	say(far, "SSH-2.0-OpenSSH_9.2\r\n");
	tick(w);
	expect_failed_handshake(w, &o, CLOSE_TLS_FAILED);
	assert_string_equal(conn_failure(&o.conn),
	    "the peer does not speak TLS");
	assert_int_equal(recv(far, got, sizeof got, 0), 7);
	assert_memory_equal(got, alert, 7);
	assert_int_equal(recv(far, got, sizeof got, 0), 0); /* no reset */
	close(far);
}

static void
a_peer_that_leaves_in_the_handshake_has_failed_it(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, some_tls);
	close(far);
	tick(w);
	expect_failed_handshake(w, &o, CLOSE_TLS_FAILED);
}

static void
a_handshake_has_its_time(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, some_tls);
	clock_fake_advance(5000);
	tick(w);
	assert_int_equal(o.timeouts, 0);
	expect_failed_handshake(w, &o, CLOSE_TLS_TIMEOUT);
	close(far);
}

static unsigned
how_many_stand(const struct owner *o, unsigned n)
{
	unsigned stand = 0;

	for (unsigned i = 0; i < n; i++)
		stand += !o[i].conn.connecting;
	return stand;
}

static void
handshakes_take_a_bounded_share_of_a_tick(void **state)
{
	enum { N = 4 };
	struct world *w = *state;
	struct owner o[N], plain;
	int far[N], plain_far;

	for (unsigned i = 0; i < N; i++) {
		o[i] = open_pair(&far[i]);
		start(w, &o[i], some_tls);
		say(far[i], FAKE_HELLO);
	}
	plain = open_pair(&plain_far);
	start(w, &plain, NULL);
	fake_effort = 1; /* one of them is all that there is time for */
	for (unsigned i = 1; i <= N; i++) {
		say(plain_far, "x");
		loop_tick(w->loop, 0);
		assert_int_equal(how_many_stand(o, N), i);
		/* Who has a connection is served in every tick. */
		expect_read(&plain, 100, "x");
	}
	fake_effort = 0;
	for (unsigned i = 0; i < N; i++)
		end(w, &o[i], far[i]);
	end(w, &plain, plain_far);
}

static void
who_waits_for_a_handshake_can_be_closed(void **state)
{
	struct world *w = *state;
	struct owner first, second;
	int far[2];

	first = open_pair(&far[0]);
	second = open_pair(&far[1]);
	start(w, &first, some_tls);
	start(w, &second, some_tls);
	say(far[0], FAKE_HELLO);
	say(far[1], FAKE_HELLO);
	fake_effort = 1;
	loop_tick(w->loop, 0);
	fake_effort = 0;
	assert_true(second.conn.connecting);
	end(w, &second, far[1]);
	assert_int_equal(second.ready, 0);
	end(w, &first, far[0]);
	assert_int_equal(fake_streams, 0);
}

static void
the_handshakes_deadline_becomes_the_owners(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	clock_fake_advance(5000);
	tick(w);
	assert_int_equal(o.timeouts, 1);
	assert_int_equal(o.closed, 0);
	end(w, &o, far);
}

static void
ciphertext_is_held_until_the_socket_takes_it(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	size_t len = 4 << 20, n, got = 0;
	char *big = calloc(1, len);
	char c;

	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	assert_int_equal(put(&o, big, len, &n), CONN_OK);
	assert_in_range(n, 1, len - 1);
	assert_false(o.conn.can_write);
	assert_false(conn_is_flushed(&o.conn));
	/* A FIN now waits for the ciphertext before it. */
	conn_shutdown(&o.conn);
	for (int i = 0; i < 200 && !conn_is_flushed(&o.conn); i++) {
		got += swallow(far);
		tick(w);
	}
	assert_true(conn_is_flushed(&o.conn));
	got += swallow(far);
	assert_int_equal(got, n);
	assert_int_equal(read(far, &c, 1), 0);
	end(w, &o, far);
	free(big);
}

static void
parts_of_a_tls_write_leave_in_order_and_whole(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	static char body[70000], all[70010];
	struct iovec iov[4] = {
		{ "", 0 }, { "head:", 5 }, { body, sizeof body }, { "end", 3 }
	};
	size_t n, got = 0;

	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)('a' + i % 23);
	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	assert_int_equal(conn_write(&o.conn, iov, 4, &n), CONN_OK);
	assert_int_equal(n, sizeof body + 8);
	for (ssize_t r; got < n && (r = read(far, all + got,
	    sizeof all - got)) > 0;)
		got += (size_t)r;
	assert_int_equal(got, n);
	assert_memory_equal(all, "head:", 5);
	assert_memory_equal(all + 5, body, sizeof body);
	assert_memory_equal(all + 5 + sizeof body, "end", 3);
	end(w, &o, far);
}

static void
a_file_goes_through_tls(void **state)
{
	struct world *w = *state;
	int far, file = file_of(100000);
	struct owner o = open_pair(&far);
	size_t n, total = 0;

	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	assert_int_equal(ftruncate(file, 90000), 0);
	assert_int_equal(conn_sendfile(&o.conn, file, 0, 100000, &n), CONN_OK);
	assert_int_equal(n, 90000);
	for (int i = 0; i < 50 && total < n; i++) {
		total += swallow(far);
		tick(w);
	}
	assert_int_equal(total, n);
	assert_int_equal(conn_sendfile(&o.conn, file, 90000, 10000, &n),
	    CONN_FAILED);
	assert_string_equal(conn_failure(&o.conn),
	    "the file has become shorter");
	end(w, &o, far);
	close(file);
}

static void
closing_says_goodbye_unless_it_resets(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	unsigned before = fake_goodbyes;

	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	end(w, &o, far);
	assert_int_equal(fake_goodbyes, before + 1);

	o = open_pair(&far);
	start(w, &o, some_tls);
	say(far, FAKE_HELLO);
	tick(w);
	conn_reset_on_close(&o.conn);
	end(w, &o, far);
	assert_int_equal(fake_goodbyes, before + 1);
}

static void
a_plain_connection_knows_no_tls(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start(w, &o, NULL);
	assert_false(conn_is_tls(&o.conn));
	assert_true(conn_is_flushed(&o.conn));
	assert_string_equal(conn_tls_version(&o.conn), "");
	assert_string_equal(conn_tls_cipher(&o.conn), "");
	assert_int_equal(conn_tls_name(&o.conn).n, 0);
	assert_int_equal(conn_alpn(&o.conn).n, 0);
	assert_false(conn_tls_is_resumed(&o.conn));
	end(w, &o, far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_deadline_of_a_dial_is_its_owners),
		TEST(a_dial_with_tls_is_ready_after_the_handshake),
		TEST(a_dialled_handshake_that_breaks_is_told),
		TEST(the_handshake_runs_before_the_owner_is_told),
		TEST(what_tls_has_decrypted_stays_readable),
		TEST(a_drained_socket_is_not_asked_again_before_its_event),
		TEST(http_in_clear_is_its_owners_to_refuse),
		TEST(anything_else_gets_an_alert),
		TEST(a_peer_that_leaves_in_the_handshake_has_failed_it),
		TEST(a_handshake_has_its_time),
		TEST(handshakes_take_a_bounded_share_of_a_tick),
		TEST(who_waits_for_a_handshake_can_be_closed),
		TEST(the_handshakes_deadline_becomes_the_owners),
		TEST(ciphertext_is_held_until_the_socket_takes_it),
		TEST(parts_of_a_tls_write_leave_in_order_and_whole),
		TEST(a_file_goes_through_tls),
		TEST(closing_says_goodbye_unless_it_resets),
		TEST(a_plain_connection_knows_no_tls)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
