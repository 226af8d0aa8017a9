/* A connection to a server: who is told what, and when it is gone. */
#include "world.h"

struct told {
	unsigned ready, timeout;
};

static void
told_on_ready(struct uplink *up, void *arg)
{
	(void)up;
	((struct told *)arg)->ready++;
}

static void
told_on_timeout(struct uplink *up, void *arg)
{
	((struct told *)arg)->timeout++;
	uplink_close(up, CLOSE_IDLE);
}

static const struct uplink_user telling = {
	.ready = told_on_ready, .timeout = told_on_timeout
};

static struct uplink *
dial(struct world *w, struct told *t)
{
	struct err e;
	struct uplink *up = uplink_dial(w->backend, 0, 0, &telling, t, &e);

	assert_non_null(up);
	assert_int_equal(t->ready, 0); /* never inline */
	for (int i = 0; i < 1000 && t->ready == 0; i++)
		tick(w);
	return up;
}

static void
its_user_is_told_when_it_stands(void **state)
{
	struct world *w = *state;
	struct told t = {0};
	struct uplink *up = dial(w, &t);

	assert_int_equal(t.ready, 1);
	assert_false(up->conn.connecting);
	assert_int_equal(up->requests, 0);
	assert_true(up->opened_ms == clock_ms());
	assert_ptr_equal(up->backend, w->backend);
	uplink_close(up, CLOSE_DONE);
}

static void
a_refusal_is_told_in_words(void **state)
{
	struct world *w = *state;
	struct told t = {0};
	struct uplink *up;

	close(w->listener);
	up = dial(w, &t);
	assert_int_equal(t.ready, 1);
	assert_true(up->conn.connecting);
	assert_non_null(strstr(conn_failure(&up->conn), "refused"));
	uplink_close(up, CLOSE_IO_ERROR);
	w->listener = listen_somewhere(&w->port);
}

static void
an_address_that_cannot_be_dialled_is_an_error_at_once(void **state)
{
	struct world *w = *state;
	struct addr *a = &w->group->servers[0].addrs[0];
	struct told t = {0};
	struct err e;
	struct addr good = *a;

	a->sa.sa_family = AF_UNSPEC;
	e.text[0] = '\0';
	assert_null(uplink_dial(w->backend, 0, 0, &telling, &t, &e));
	assert_string_not_equal(e.text, "");
	*a = good;
}

static void
the_next_user_is_told_and_the_last_one_is_not(void **state)
{
	struct world *w = *state;
	struct told first = {0}, second = {0};
	struct uplink *up = dial(w, &first);
	int server = accept_one(w);

	uplink_use(up, &telling, &second);
	say(server, "x");
	for (int i = 0; i < 1000 && second.ready == 0; i++)
		tick(w);
	assert_int_equal(first.ready, 1);
	assert_int_equal(second.ready, 1);
	uplink_close(up, CLOSE_DONE);
	close(server);
}

static void
its_deadline_is_its_users(void **state)
{
	struct world *w = *state;
	struct told t = {0};
	struct uplink *up = dial(w, &t);

	conn_set_deadline(&up->conn, 500);
	clock_fake_advance(400);
	tick(w);
	assert_int_equal(t.timeout, 0);
	clock_fake_advance(200);
	tick(w);
	assert_int_equal(t.timeout, 1);
}

static void
after_close_nobody_is_called(void **state)
{
	struct world *w = *state;
	struct told t = {0};
	struct uplink *up = dial(w, &t);
	int server = accept_one(w);

	conn_set_deadline(&up->conn, 100);
	say(server, "x");
	uplink_close(up, CLOSE_DONE);
	uplink_close(up, CLOSE_DONE); /* twice is harmless */
	clock_fake_advance(1000);
	assert_true(is_closed(w, server));
	assert_int_equal(t.ready, 1);
	assert_int_equal(t.timeout, 0);
	close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_user_is_told_when_it_stands),
		TEST(a_refusal_is_told_in_words),
		TEST(an_address_that_cannot_be_dialled_is_an_error_at_once),
		TEST(the_next_user_is_told_and_the_last_one_is_not),
		TEST(its_deadline_is_its_users),
		TEST(after_close_nobody_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
