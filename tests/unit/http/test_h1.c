/* An HTTP/1 connection: heads, one request after the other, pipelining, and
 * what ends it. */
#include "h1_world.h"

/* ---- persistence ------------------------------------------------------- */

static void
h1_answers_one_request_after_the_other(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/now"));
	expect(w, HELLO);
	say(w, GET("/now"));
	expect(w, HELLO);
	expect_open(w);
	expect_log(w, "GET /now HTTP/1.1 200 -;GET /now HTTP/1.1 200 -;");
	assert_int_equal(w->stats.requests, 2);
	assert_int_equal(w->stats.responses[1], 2);
	assert_int_equal(w->stats.idle, 1);
	world_end(w);
}

static void
h1_holds_no_buffer_when_idle(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	assert_int_equal(w->stats.idle, 1);
	say(w, GET("/now"));
	expect(w, HELLO);
	assert_int_equal(w->net_stats.pages_leased, 0);
	assert_null(h1_only(w)->x);
	world_end(w);
}

static void
h1_closes_when_the_client_asks_for_it(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.closed[CLOSE_DONE], 1);
	world_end(w);
}

static void
h1_closes_after_keepalive_requests(void **state)
{
	struct world *w = world_new("keepalive_requests: 2");

	(void)state;
	client(w);
	say(w, GET("/now"));
	expect(w, HELLO);
	say(w, GET("/now"));
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	world_end(w);
}

static void
h1_serves_one_request_each_with_keepalive_requests_1(void **state)
{
	struct world *w = world_new("keepalive_requests: 1");

	(void)state;
	client(w);
	say(w, GET("/now"));
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	world_end(w);
}

static void
h1_does_not_answer_what_follows_a_last_request(void **state)
{
	struct world *w = world_new("keepalive_requests: 1");

	(void)state;
	client(w);
	say(w, GET("/now") GET("/now"));
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	assert_int_equal(w->stats.requests, 1);
	world_end(w);
}

static void
h1_closes_quietly_when_the_client_leaves(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	shutdown(w->fd, SHUT_WR);
	expect(w, "");
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_PEER], 1);
	expect_log(w, "");
	world_end(w);
}

static void
h1_answers_a_client_that_has_shut_its_side(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	assert_int_equal(send(w->fd, GET("/now"), strlen(GET("/now")), 0),
	    (ssize_t)strlen(GET("/now")));
	shutdown(w->fd, SHUT_WR);
	expect(w, HELLO);
	expect_closed(w);
	world_end(w);
}

static void
h1_takes_all_requests_that_came_before_fin(void **state)
{
	struct world *w = world_new("");
	static const char two[] = GET("/now") GET("/now");

	(void)state;
	client(w);
	assert_int_equal(send(w->fd, two, strlen(two), 0),
	    (ssize_t)strlen(two));
	shutdown(w->fd, SHUT_WR);
	expect(w, HELLO HELLO);
	expect_closed(w);
	world_end(w);
}

/* ---- HTTP/1.0 ---------------------------------------------------------- */

static void
h1_closes_after_http_1_0(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.0\r\n\r\n");
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	world_end(w);
}

static void
h1_keeps_http_1_0_alive_when_asked(void **state)
{
	struct world *w = world_new("");
	static const char ask[] =
	    "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

	(void)state;
	client(w);
	for (int i = 0; i < 2; i++) {
		say(w, ask);
		expect(w, OK "Content-Length: 5|Connection: keep-alive||"
		    "hello");
	}
	expect_open(w);
	world_end(w);
}

/* ---- heads in pieces --------------------------------------------------- */

static void
h1_finds_a_head_split_at_every_byte(void **state)
{
	static const char ask[] = "\r\n\r\n" GET("/now");
	struct world *w = world_new("");

	(void)state;
	client(w);
	for (size_t i = 1; i < strlen(ask); i++) {
		say_bytes(w, ask, i);
		say(w, ask + i);
		expect(w, HELLO);
		assert_int_equal(w->stats.idle, 1);
	}
	world_end(w);
}

static void
h1_finds_a_head_that_comes_byte_by_byte(void **state)
{
	static const char ask[] = "\r\n" GET("/now");
	struct world *w = world_new("");

	(void)state;
	client(w);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < strlen(ask); i++)
			say_bytes(w, ask + i, 1);
		expect(w, HELLO);
	}
	assert_int_equal(w->net_stats.pages_leased, 0);
	world_end(w);
}

static void
h1_finds_two_heads_split_at_every_byte(void **state)
{
	static const char ask[] = GET("/now") GET("/now");
	struct world *w = world_new("");

	(void)state;
	client(w);
	for (size_t i = 1; i < strlen(ask); i++) {
		say_bytes(w, ask, i);
		say(w, ask + i);
		expect(w, HELLO HELLO);
	}
	world_end(w);
}

/* ---- pipelining -------------------------------------------------------- */

static void
h1_answers_pipelined_requests_in_order(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait") GET("/now") GET("/gone"));
	expect(w, "");
	txn_resume(w->t);
	assert_non_null(strstr(heard(w),
	    OK "Content-Length: 5||hello" OK "Content-Length: 5||hello"
	    "HTTP/1.1 404 Not Found|"));
	expect_log(w, "GET /wait HTTP/1.1 200 -;GET /now HTTP/1.1 200 -;"
	    "GET /gone HTTP/1.1 404 no_route;");
	world_end(w);
}

static void
h1_sends_pipelined_responses_in_one_write(void **state)
{
	struct world *w = world_new("");
	int pair[2];

	(void)state;
	/* On a socket of packets, every write is one. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
	    0, pair), 0);
	client_over(w, pair[0], pair[1]);
	run(w);
	say(w, GET("/now") GET("/now") GET("/now"));
	assert_true(listen_some(w, SIZE_MAX));
	assert_false(listen_some(w, SIZE_MAX));
	expect(w, HELLO HELLO HELLO);
	world_end(w);
}

static void
h1_does_not_hold_a_response_back_for_one_that_waits(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/now") GET("/wait"));
	expect(w, HELLO);
	txn_resume(w->t);
	expect(w, HELLO);
	world_end(w);
}

static void
h1_does_not_hold_a_response_back_for_half_a_head(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/now") "GET /n");
	expect(w, HELLO);
	say(w, "ow HTTP/1.1\r\n" H "\r\n");
	expect(w, HELLO);
	world_end(w);
}

static void
h1_lets_others_have_their_turn(void **state)
{
	struct world *w = world_new("");
	struct buf many = buf_in(w->arena);
	unsigned per_tick = 0;

	(void)state;
	client(w);
	for (int i = 0; i < 200; i++)
		buf_z(&many, GET("/now"));
	assert_int_equal(send(w->fd, many.p, many.n, 0), (ssize_t)many.n);
	for (int i = 0; i < 64; i++) {
		uint64_t before = w->stats.requests;

		loop_tick(w->loop, 0);
		if (w->stats.requests - before > per_tick)
			per_tick = (unsigned)(w->stats.requests - before);
	}
	assert_in_range(per_tick, 4, 40);
	assert_int_equal(w->stats.requests, 200);
	listen_all(w);
	assert_int_equal(w->in.n % 200, 0);
	world_end(w);
}

/* ---- refusals ---------------------------------------------------------- */

/* The beginning of an answer after which the connection ends. */
static void
expect_refused(struct world *w, const char *line)
{
	const char *all = heard(w);

	if (strncmp(all, line, strlen(line)) != 0)
		fail_msg("expected %s, got %s", line, all);
	assert_non_null(strstr(all, "|Connection: close|"));
	expect_closed(w);
}

static void
h1_refuses_a_malformed_head_and_closes(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\nHost : a\r\n\r\n" GET("/now"));
	expect_refused(w, "HTTP/1.1 400 Bad Request|");
	expect_log(w, "GET /now HTTP/1.1 400 blank_before_colon;");
	assert_int_equal(w->stats.refused[REFUSAL_BLANK_BEFORE_COLON], 1);
	world_end(w);
}

static void
h1_refuses_host_and_target_that_disagree(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET http://b/now HTTP/1.1\r\n" H "\r\n");
	expect_refused(w, "HTTP/1.1 400 Bad Request|");
	expect_log(w, "GET http://b/now HTTP/1.1 400 bad_host;");
	client(w);
	say(w, "GET http://a/now HTTP/1.1\r\n" H "\r\n");
	expect(w, HELLO);
	world_end(w);
}

static void
h1_refuses_asterisk_but_for_options(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET * HTTP/1.1\r\n" H "\r\n");
	expect_refused(w, "HTTP/1.1 400 Bad Request|");
	world_end(w);
}

static void
h1_refuses_trace(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "TRACE /now HTTP/1.1\r\n" H "\r\n");
	expect_refused(w, "HTTP/1.1 405 Method Not Allowed|");
	world_end(w);
}

static void
h1_lets_a_refused_body_come_before_it_closes(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "TRACE /now HTTP/1.1\r\n" H "Connection: close\r\n"
	    "Content-Length: 5\r\n\r\n");
	say(w, "hello");
	expect_refused(w, "HTTP/1.1 405 Method Not Allowed|");
	world_end(w);
}

static void
h1_refuses_heads_over_their_limit_at_the_byte(void **state)
{
	struct world *w = world_new("max_header_size: 1k");
	char ask[1200];
	int n;

	(void)state;
	for (int over = 0; over < 2; over++) {
		client(w);
		n = snprintf(ask, sizeof ask, "GET /now HTTP/1.1\r\n" H "X: ");
		memset(ask + n, 'x', sizeof ask - (size_t)n);
		memcpy(ask + 1024 + over - 4, "\r\n\r\n", 5);
		say(w, ask);
		if (over == 0)
			expect(w, HELLO);
		else
			expect_refused(w, "HTTP/1.1 431 ");
	}
	world_end(w);
}

static void
h1_refuses_an_endless_head_in_pieces(void **state)
{
	struct world *w = world_new("max_header_size: 1k");
	char ask[400];

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\nX: ");
	memset(ask, 'x', sizeof ask);
	for (int i = 0; i < 3; i++)
		say_bytes(w, ask, sizeof ask);
	expect_refused(w, "HTTP/1.1 431 ");
	expect_log(w, "GET /now HTTP/1.1 431 large_head;");
	world_end(w);
}

static void
h1_refuses_an_endless_request_line(void **state)
{
	struct world *w = world_new("max_header_size: 1k");
	char ask[1400];

	(void)state;
	client(w);
	memset(ask, 'x', sizeof ask);
	memcpy(ask, "GET /", 5);
	say_bytes(w, ask, sizeof ask);
	expect_refused(w, "HTTP/1.1 414 ");
	world_end(w);
}

/* ---- deadlines --------------------------------------------------------- */

static void
h1_closes_what_is_idle_for_too_long(void **state)
{
	struct world *w = world_new("keepalive_timeout: 10s");

	(void)state;
	client(w);
	pass(w, 9900);
	expect_open(w);
	say(w, GET("/now"));
	expect(w, HELLO);
	pass(w, 9900);
	expect_open(w);
	pass(w, 200);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_IDLE], 1);
	world_end(w);
}

static void
h1_answers_408_to_half_a_head(void **state)
{
	struct world *w = world_new("header_timeout: 5s");

	(void)state;
	client(w);
	pass(w, 20000);
	say(w, "GET /now HT");
	for (int i = 0; i < 4; i++) {
		pass(w, 1200);
		say(w, "T");
	}
	expect(w, "");
	pass(w, 300);
	expect_refused(w, "HTTP/1.1 408 Request Timeout|");
	expect_log(w, "GET /now HTTTTT 408 header_timeout;");
	world_end(w);
}

static void
h1_does_not_answer_an_empty_line_in_two_pieces(void **state)
{
	struct world *w = world_new("header_timeout: 2s");

	(void)state;
	client(w);
	say(w, "\r");
	say(w, "\n");
	pass(w, 2100);
	expect(w, "");
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_IDLE], 1);
	expect_log(w, "");
	world_end(w);
}

static void
h1_begins_the_head_timeout_anew_for_each_head(void **state)
{
	struct world *w = world_new("header_timeout: 5s");

	(void)state;
	client(w);
	for (int i = 0; i < 3; i++) {
		say(w, "GET /now HTTP/1.1\r\n");
		pass(w, 4000);
		say(w, H "\r\n");
		expect(w, HELLO);
	}
	pass(w, 10000);
	expect_open(w);
	world_end(w);
}

static void
h1_has_no_deadline_while_a_step_waits(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	pass(w, 24 * 3600 * 1000);
	expect_open(w);
	txn_resume(w->t);
	expect(w, HELLO);
	world_end(w);
}

static void
h1_goes_on_in_the_tick_in_which_it_was_resumed(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	txn_resume(w->t);
	assert_int_equal(w->runs, 1); /* never from within */
	loop_tick(w->loop, 0);
	assert_int_equal(w->runs, 2);
	assert_true(listen_some(w, SIZE_MAX));
	expect(w, HELLO);
	world_end(w);
}

/* ---- settings of sites ------------------------------------------------- */

#define TWO_SITES \
	"http: {keepalive_timeout: 20s}\nsites:\n" \
	"- hosts: [a]\n  listen: 80\n  http: {keepalive_requests: 3}\n" ROUTES \
	"- hosts: [b]\n  listen: 80\n" \
	"  http: {keepalive_timeout: 90s, keepalive_requests: 1000," \
	" lingering_timeout: 2s}\n" ROUTES

static void
h1_keeps_a_connection_as_its_last_site_says(void **state)
{
	struct world *w = world_of(TWO_SITES);

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\nHost: b\r\n\r\n");
	expect(w, HELLO);
	pass(w, 89000);
	expect_open(w);
	say(w, GET("/now"));
	expect(w, HELLO);
	pass(w, 21000);
	expect_closed(w);
	world_end(w);
}

static void
h1_counts_requests_as_the_site_says(void **state)
{
	struct world *w = world_of(TWO_SITES);

	(void)state;
	client(w);
	for (int i = 0; i < 5; i++) {
		say(w, "GET /now HTTP/1.1\r\nHost: b\r\n\r\n");
		expect(w, HELLO);
	}
	say(w, GET("/now"));
	expect(w, HELLO_CLOSE);
	world_end(w);
}

static void
h1_lingers_as_the_site_says(void **state)
{
	struct world *w = world_of(TWO_SITES);

	(void)state;
	client(w);
	say(w, "GET /pull HTTP/1.1\r\nHost: b\r\nContent-Length: 100000000\r\n"
	    "\r\n");
	expect_closed(w);
	assert_int_equal(w->server->n_conns, 1);
	pass(w, 1900);
	assert_int_equal(w->server->n_conns, 1);
	pass(w, 200);
	assert_int_equal(w->server->n_conns, 0);
	world_end(w);
}

static void
h1_answers_421_to_a_host_that_nobody_has(void **state)
{
	struct world *w = world_of(TWO_SITES);

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\nHost: c\r\n\r\n");
	assert_non_null(strstr(heard(w), "421 Misdirected Request|"));
	expect_open(w);
	assert_int_equal(w->stats.refused[REFUSAL_NO_SITE], 1);
	world_end(w);
}

/* ---- ends -------------------------------------------------------------- */

static void
h1_cut_while_a_step_waits_logs_it(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	cut_first(w);
	run(w);
	expect_closed(w);
	expect_log(w, "GET /wait HTTP/1.1 0 shutdown;");
	assert_int_equal(w->stats.cut, 1);
	world_end(w);
}

static void
h1_cut_with_more_to_do_in_the_next_tick_does_nothing(void **state)
{
	struct world *w = world_new("");
	struct buf many = buf_in(w->arena);
	uint64_t before;

	(void)state;
	client(w);
	for (int i = 0; i < 200; i++)
		buf_z(&many, GET("/now"));
	assert_int_equal(send(w->fd, many.p, many.n, 0), (ssize_t)many.n);
	loop_tick(w->loop, 0);
	before = w->stats.requests;
	assert_in_range(before, 1, 199);
	assert_true(task_is_queued(&h1_only(w)->work));
	cut_first(w);
	run(w);
	assert_int_equal(w->stats.requests, before);
	world_end(w);
}

static void
h1_resumed_and_cut_in_one_tick_runs_no_step(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	txn_resume(w->t);
	cut_first(w);
	run(w);
	expect(w, "");
	assert_int_equal(w->runs, 1);
	world_end(w);
}

static void
h1_leaves_when_the_client_leaves_an_upstream_behind(void **state)
{
	static struct upstream_report report;
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	w->t->upstream = &report;
	shutdown(w->fd, SHUT_WR);
	run(w);
	expect_closed(w);
	expect_log(w, "GET /wait HTTP/1.1 0 client_left;");
	world_end(w);
}

/* The client in hand is put aside; its descriptor. */
static int
put_aside(struct world *w)
{
	int fd = w->fd;

	w->fd = -1;
	return fd;
}

static void
take_up(struct world *w, int fd)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->eof = w->reset = false;
	w->in.n = w->in_at = 0;
}

static void
ask(struct world *w)
{
	say(w, GET("/now"));
	expect(w, HELLO);
	pass(w, 100);
}

static void
h1_makes_room_by_closing_who_never_asked(void **state)
{
	struct world *w = world_new("");
	int served, silent, half, late;

	(void)state;
	w->server->max_conns = 3;
	client(w);
	ask(w);
	served = put_aside(w);
	client(w);
	silent = put_aside(w);
	client(w);
	say(w, "GET /now HT");
	half = put_aside(w);
	client(w);
	ask(w);
	late = put_aside(w);
	take_up(w, silent);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_OVERLOAD], 1);
	client(w);
	ask(w);
	take_up(w, half);
	expect_closed(w);
	take_up(w, late);
	ask(w);
	take_up(w, served);
	ask(w);
	world_end(w);
}

static void
h1_makes_room_by_closing_the_longest_idle(void **state)
{
	struct world *w = world_new("");
	int first, second;

	(void)state;
	w->server->max_conns = 2;
	client(w);
	ask(w);
	first = put_aside(w);
	client(w);
	ask(w);
	second = put_aside(w);
	take_up(w, first);
	ask(w);
	first = put_aside(w);
	client(w);
	ask(w);
	take_up(w, second);
	expect_closed(w);
	take_up(w, first);
	ask(w);
	world_end(w);
}

static void
h1_refuses_connections_beyond_its_limit(void **state)
{
	struct world *w = world_new("");
	int first;

	(void)state;
	w->server->max_conns = 1;
	client(w);
	say(w, GET("/wait"));
	first = put_aside(w);
	client(w);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_OVERLOAD], 1);
	take_up(w, first);
	txn_resume(w->t);
	run(w);
	expect(w, HELLO);
	world_end(w);
}

static void
h1_survives_a_reset_at_every_point(void **state)
{
	static const char ask[] =
	    GET("/now") "POST /pull HTTP/1.1\r\n" H
	    "Content-Length: 3\r\n\r\nabc" GET("/wait");
	struct world *w = world_new("");

	(void)state;
	for (size_t i = 0; i <= strlen(ask); i++) {
		client(w);
		say_bytes(w, ask, i);
		/* Closed with bytes unread, a unix socket resets. */
		close(w->fd);
		w->fd = -1;
		run(w);
		if (w->server->n_conns > 0) {
			/* Only who waits does not look. */
			assert_non_null(h1_only(w)->x);
			txn_resume(w->t);
			run(w);
		}
		assert_int_equal(w->server->n_conns, 0);
	}
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h1_answers_one_request_after_the_other),
		cmocka_unit_test(h1_holds_no_buffer_when_idle),
		cmocka_unit_test(h1_closes_when_the_client_asks_for_it),
		cmocka_unit_test(h1_closes_after_keepalive_requests),
		cmocka_unit_test(
		    h1_serves_one_request_each_with_keepalive_requests_1),
		cmocka_unit_test(
		    h1_does_not_answer_what_follows_a_last_request),
		cmocka_unit_test(h1_closes_quietly_when_the_client_leaves),
		cmocka_unit_test(h1_answers_a_client_that_has_shut_its_side),
		cmocka_unit_test(h1_takes_all_requests_that_came_before_fin),
		cmocka_unit_test(h1_closes_after_http_1_0),
		cmocka_unit_test(h1_keeps_http_1_0_alive_when_asked),
		cmocka_unit_test(h1_finds_a_head_split_at_every_byte),
		cmocka_unit_test(h1_finds_a_head_that_comes_byte_by_byte),
		cmocka_unit_test(h1_finds_two_heads_split_at_every_byte),
		cmocka_unit_test(h1_answers_pipelined_requests_in_order),
		cmocka_unit_test(h1_sends_pipelined_responses_in_one_write),
		cmocka_unit_test(
		    h1_does_not_hold_a_response_back_for_one_that_waits),
		cmocka_unit_test(
		    h1_does_not_hold_a_response_back_for_half_a_head),
		cmocka_unit_test(h1_lets_others_have_their_turn),
		cmocka_unit_test(h1_refuses_a_malformed_head_and_closes),
		cmocka_unit_test(h1_refuses_host_and_target_that_disagree),
		cmocka_unit_test(h1_refuses_asterisk_but_for_options),
		cmocka_unit_test(h1_refuses_trace),
		cmocka_unit_test(
		    h1_lets_a_refused_body_come_before_it_closes),
		cmocka_unit_test(
		    h1_refuses_heads_over_their_limit_at_the_byte),
		cmocka_unit_test(h1_refuses_an_endless_head_in_pieces),
		cmocka_unit_test(h1_refuses_an_endless_request_line),
		cmocka_unit_test(h1_closes_what_is_idle_for_too_long),
		cmocka_unit_test(h1_answers_408_to_half_a_head),
		cmocka_unit_test(
		    h1_does_not_answer_an_empty_line_in_two_pieces),
		cmocka_unit_test(
		    h1_begins_the_head_timeout_anew_for_each_head),
		cmocka_unit_test(h1_has_no_deadline_while_a_step_waits),
		cmocka_unit_test(
		    h1_goes_on_in_the_tick_in_which_it_was_resumed),
		cmocka_unit_test(h1_keeps_a_connection_as_its_last_site_says),
		cmocka_unit_test(h1_counts_requests_as_the_site_says),
		cmocka_unit_test(h1_lingers_as_the_site_says),
		cmocka_unit_test(h1_answers_421_to_a_host_that_nobody_has),
		cmocka_unit_test(h1_cut_while_a_step_waits_logs_it),
		cmocka_unit_test(
		    h1_cut_with_more_to_do_in_the_next_tick_does_nothing),
		cmocka_unit_test(h1_resumed_and_cut_in_one_tick_runs_no_step),
		cmocka_unit_test(
		    h1_leaves_when_the_client_leaves_an_upstream_behind),
		cmocka_unit_test(h1_refuses_connections_beyond_its_limit),
		cmocka_unit_test(h1_makes_room_by_closing_who_never_asked),
		cmocka_unit_test(h1_makes_room_by_closing_the_longest_idle),
		cmocka_unit_test(h1_survives_a_reset_at_every_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
