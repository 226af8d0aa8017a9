/* Bodies of HTTP/1 requests: read when somebody pulls, discarded when nobody
 * does, refused when they are too large or malformed. */
#include "h1_world.h"

#define POST(fields) "POST /pull HTTP/1.1\r\n" H fields "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define EXPECT "Expect: 100-continue\r\n"
#define CONTINUE "HTTP/1.1 100 Continue||"

/* The beginning of an answer, after which the connection ends. */
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
say_many(struct world *w, size_t n)
{
	char page[4096];

	memset(page, 'x', sizeof page);
	while (n > 0) {
		size_t piece = n < sizeof page ? n : sizeof page;

		say_bytes(w, page, piece);
		n -= piece;
	}
}

/* ---- reading ----------------------------------------------------------- */

static void
body_is_read_however_it_is_split(void **state)
{
	static const char *const asks[] = {
		POST("Content-Length: 5\r\n") "hello" GET("/now"),
		POST(CHUNKED) "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n"
		GET("/now"),
	};
	struct world *w = world_new("");

	(void)state;
	client(w);
	for (size_t k = 0; k < 2; k++) {
		const char *ask = asks[k];

		say(w, ask);
		expect(w, HELLO HELLO);
		expect_pulled(w, "hello");
		for (size_t i = 1; i < strlen(ask); i++) {
			say_bytes(w, ask, i);
			say(w, ask + i);
			expect(w, HELLO HELLO);
			expect_pulled(w, "hello");
		}
		for (size_t i = 0; i < strlen(ask); i++)
			say_bytes(w, ask + i, 1);
		expect(w, HELLO HELLO);
		expect_pulled(w, "hello");
	}
	assert_int_equal(w->net_stats.pages_leased, 0);
	world_end(w);
}

static void
body_is_not_read_before_somebody_pulls(void **state)
{
	struct world *w = world_new("");
	uint64_t before;

	(void)state;
	client(w);
	w->pull_stops = true;
	say(w, POST("Content-Length: 9000\r\n"));
	before = w->net_stats.bytes_in;
	say_many(w, 9000);
	assert_int_equal(w->net_stats.bytes_in, before);
	/* Nobody waits for the client, so it has no deadline either. */
	pass(w, 3600 * 1000);
	expect(w, "");
	txn_resume(w->t);
	expect(w, HELLO);
	assert_int_equal(w->pulled.n, 9000);
	world_end(w);
}

static void
body_tells_how_much_is_to_come(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->pull_stops = true;
	say(w, POST("Content-Length: 7\r\n") "abc");
	assert_int_equal(w->t->req.body->length, 7);
	txn_resume(w->t);
	run(w);
	assert_int_equal(w->t->req.body->length, 4);
	say(w, "defg");
	expect(w, HELLO);
	w->pull_stops = true;
	say(w, POST(CHUNKED));
	assert_int_equal(w->t->req.body->length, -1);
	world_end(w);
}

static void
body_keeps_what_a_sink_does_not_take(void **state)
{
	static const char text[] = "hello";
	struct world *w = world_new("");
	struct span span;

	(void)state;
	client(w);
	for (int chunked = 0; chunked < 2; chunked++) {
		w->pull_stops = true;
		say(w, chunked ? POST(CHUNKED) : POST("Content-Length: 5\r\n"));
		say(w, chunked ? "5\r\nhello\r\n0\r\n\r\n" : "hello");
		for (size_t i = 0; i < 5; i++) {
			assert_int_equal(flow_peek(w->t->req.body, &span),
			    FLOW_DATA);
			assert_int_equal(span.n, 5 - i);
			assert_memory_equal(span.p, text + i, span.n);
			flow_take(w->t->req.body, 0);
			assert_int_equal(flow_peek(w->t->req.body, &span),
			    FLOW_DATA);
			flow_take(w->t->req.body, 1);
		}
		assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_END);
		txn_resume(w->t);
		expect(w, HELLO);
	}
	assert_int_equal(w->net_stats.pages_leased, 0);
	world_end(w);
}

static void
reply_trailers(struct txn *t)
{
	txn_reply(t, 200);
	assert_non_null(t->req.trailers);
	txn_reply_bytes(t, NULL,
	    head_value_name(t->req.trailers, STR("x-sum")));
}

static void
body_gives_its_trailers(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->reply = reply_trailers;
	say(w, POST(CHUNKED) "1\r\na\r\n0\r\nX-Sum: 17\r\n\r\n");
	expect(w, OK "Content-Length: 2||17");
	world_end(w);
}

static void
body_of_a_client_that_leaves_fails(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 5\r\n") "abc");
	shutdown(w->fd, SHUT_WR);
	expect_refused(w, "HTTP/1.1 400 Bad Request|");
	expect_pulled(w, "abc");
	expect_log(w, "POST /pull HTTP/1.1 400 client_left;");
	world_end(w);
}

static void
body_is_whole_though_the_client_has_shut_its_side(void **state)
{
	static const char ask[] = POST("Content-Length: 5\r\n") "hello";
	struct world *w = world_new("");

	(void)state;
	client(w);
	assert_int_equal(send(w->fd, ask, strlen(ask), 0),
	    (ssize_t)strlen(ask));
	shutdown(w->fd, SHUT_WR);
	expect(w, HELLO);
	expect_pulled(w, "hello");
	expect_closed(w);
	world_end(w);
}

static void
body_with_bad_chunks_is_refused(void **state)
{
	static const char *const bad[] = {
		"g\r\n", "1\r\nab", "-1\r\n", "ffffffffffffffffff\r\n",
		"1\nab", "1\r\na\n"
	};
	struct world *w = world_new("");

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		client(w);
		say(w, POST(CHUNKED));
		say(w, bad[i]);
		say(w, GET("/now"));
		expect_refused(w, "HTTP/1.1 400 Bad Request|");
		expect_log(w, "POST /pull HTTP/1.1 400 bad_chunk;");
	}
	world_end(w);
}

/* ---- Expect ------------------------------------------------------------ */

static void
body_is_asked_for_when_it_is_pulled(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->pull_stops = true;
	say(w, POST(EXPECT "Content-Length: 5\r\n"));
	expect(w, "");
	txn_resume(w->t);
	expect(w, CONTINUE);
	say(w, "hel");
	expect(w, "");
	say(w, "lo");
	expect(w, HELLO);
	expect_pulled(w, "hello");
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

static void
body_that_is_there_is_not_asked_for(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, POST(EXPECT "Content-Length: 5\r\n") "hello");
	expect(w, HELLO);
	world_end(w);
}

/* The client may send its body or the next request: nobody can tell. */
static void
body_that_is_not_asked_for_ends_the_connection(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "POST /now HTTP/1.1\r\n" H EXPECT "Content-Length: 5\r\n\r\n");
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	world_end(w);
}

static void
body_of_http_1_0_is_not_asked_for(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "POST /pull HTTP/1.0\r\n" EXPECT "Content-Length: 5\r\n\r\n");
	expect(w, "");
	say(w, "hello");
	expect(w, HELLO_CLOSE);
	world_end(w);
}

static void
body_without_length_is_not_asked_for(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, POST(EXPECT));
	expect(w, HELLO);
	expect_open(w);
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

/* ---- bodies that nobody reads ------------------------------------------ */

static void
body_that_is_short_is_discarded(void **state)
{
	static const char *const asks[] = {
		"POST /now HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
		"POST /now HTTP/1.1\r\n" H CHUNKED "\r\n5\r\nhello\r\n0\r\n"
		"\r\n",
	};
	struct world *w = world_new("");

	(void)state;
	client(w);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i <= strlen(asks[k]); i++) {
			say_bytes(w, asks[k], i);
			say(w, asks[k] + i);
			say(w, GET("/now"));
			expect(w, HELLO HELLO);
		}
	}
	world_end(w);
}

static void
body_that_is_discarded_may_take_its_time(void **state)
{
	struct world *w = world_new("body_timeout: 5s");

	(void)state;
	client(w);
	say(w, "POST /now HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
	expect(w, HELLO);
	for (int i = 0; i < 4; i++) {
		pass(w, 4000);
		say(w, "x");
	}
	expect_open(w);
	pass(w, 5100);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_BODY_TIMEOUT], 1);
	world_end(w);
}

static void
body_that_is_long_ends_the_connection(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "POST /now HTTP/1.1\r\n" H "Content-Length: 65536\r\n\r\n");
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	client(w);
	say(w, "POST /now HTTP/1.1\r\n" H "Content-Length: 65535\r\n\r\n");
	expect(w, HELLO);
	say_many(w, 65535);
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

static void
body_that_turns_out_long_ends_the_connection(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "POST /now HTTP/1.1\r\n" H CHUNKED "\r\n");
	expect(w, HELLO);
	say(w, "100000\r\n");
	for (int i = 0; i < 30 && w->net_stats.closed[CLOSE_PEER] == 0; i++)
		say_many(w, 4000);
	expect_closed(w);
	world_end(w);
}

static void
body_that_is_answered_early_is_not_taken_for_a_request(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->pull_early = true;
	say(w, POST("Content-Length: 200000\r\n") "GET /now HTTP/1.1\r\n"
	    H "\r\n");
	listen_all(w);
	for (int i = 0; i < 20; i++)
		say(w, GET("/now"));
	listen_all(w);
	assert_int_equal(w->stats.requests, 1);
	expect_closed(w);
	world_end(w);
}

static void
body_that_is_answered_early_is_discarded_if_short(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->pull_early = true;
	say(w, POST("Content-Length: 10\r\n") "hello");
	expect(w, HELLO);
	say(w, "hello" GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

/* ---- time-outs --------------------------------------------------------- */

static void
body_that_does_not_come_is_answered_with_408(void **state)
{
	struct world *w = world_new("body_timeout: 5s");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 5\r\n"));
	for (int i = 0; i < 3; i++) {
		pass(w, 4500);
		say(w, "x");
	}
	expect(w, "");
	pass(w, 5100);
	expect_refused(w, "HTTP/1.1 408 Request Timeout|");
	expect_log(w, "POST /pull HTTP/1.1 408 body_timeout;");
	world_end(w);
}

#define RATE "body_timeout: 60s, min_rate: 10, min_rate_grace: 5s"

static void
body_that_drips_is_refused_when_its_grace_is_over(void **state)
{
	struct world *w = world_new(RATE);

	(void)state;
	client(w);
	say(w, POST("Content-Length: 100\r\n"));
	/* A byte a second, of which each buys a tenth of one. */
	for (int i = 0; i < 5; i++) {
		pass(w, 1000);
		say(w, "x");
		expect(w, "");
	}
	pass(w, 700);
	expect_refused(w, "HTTP/1.1 408 Request Timeout|");
	expect_log(w, "POST /pull HTTP/1.1 408 slow_body;");
	assert_int_equal(w->stats.refused[REFUSAL_SLOW_BODY], 1);
	world_end(w);
}

static void
body_that_is_as_fast_as_it_must_be_goes_on(void **state)
{
	struct world *w = world_new(RATE);

	(void)state;
	client(w);
	say(w, POST("Content-Length: 1000\r\n"));
	for (int i = 0; i < 25; i++) {
		/* A bad line: nothing for four seconds, then it comes. */
		pass(w, 4000);
		say(w, "0123456789012345678901234567890123456789");
		expect(w, i < 24 ? "" : HELLO);
	}
	world_end(w);
}

static void
body_that_began_fast_saves_no_more_than_body_timeout(void **state)
{
	struct world *w = world_new("body_timeout: 8s, min_rate: 10, "
	    "min_rate_grace: 5s");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 9999\r\n"));
	pass(w, 100);
	for (int i = 0; i < 50; i++)
		say(w, "0123456789012345678901234567890123456789");
	pass(w, 4000);
	say(w, "x");
	expect(w, "");
	pass(w, 4200);
	expect_refused(w, "HTTP/1.1 408 Request Timeout|");
	expect_log(w, "POST /pull HTTP/1.1 408 slow_body;");
	world_end(w);
}

static void
body_that_nobody_waits_for_is_not_slow(void **state)
{
	struct world *w = world_new(RATE);

	(void)state;
	client(w);
	w->pull_stops = true;
	say(w, POST("Content-Length: 2\r\n") "x");
	pass(w, 30000);
	txn_resume(w->t);
	run(w);
	pass(w, 4000);
	say(w, "y");
	expect(w, HELLO);
	world_end(w);
}

static void
body_that_drips_cuts_a_response_that_has_begun(void **state)
{
	struct world *w = world_new(RATE);
	struct span span;

	(void)state;
	client(w);
	say(w, "POST /fed HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
	feed_text(w, "abc");
	assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_WAIT);
	expect(w, OK "Transfer-Encoding: chunked||3|abc|");
	pass(w, 5100);
	expect_closed(w);
	assert_int_equal(w->stats.refused[REFUSAL_SLOW_BODY], 1);
	expect_log(w, "POST /fed HTTP/1.1 200 slow_body;");
	world_end(w);
}

static void
body_may_be_as_slow_as_it_likes_without_a_rate(void **state)
{
	struct world *w = world_new("body_timeout: 60s, min_rate: 0, "
	    "min_rate_grace: 5s");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 3\r\n"));
	for (int i = 0; i < 3; i++) {
		pass(w, 50000);
		say(w, "x");
	}
	expect(w, HELLO);
	world_end(w);
}

static void
body_that_does_not_come_cuts_a_response_that_has_begun(void **state)
{
	struct world *w = world_new("body_timeout: 5s");
	struct span span;

	(void)state;
	client(w);
	say(w, "POST /fed HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
	feed_text(w, "abc");
	assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_WAIT);
	expect(w, OK "Transfer-Encoding: chunked||3|abc|");
	pass(w, 5100);
	expect_closed(w);
	expect_log(w, "POST /fed HTTP/1.1 200 body_timeout;");
	world_end(w);
}

/* ---- limits ------------------------------------------------------------ */

static void
body_over_its_limit_is_refused_unread(void **state)
{
	struct world *w = world_new("max_body_size: 10");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 10\r\n") "0123456789");
	expect(w, HELLO);
	say(w, POST(EXPECT "Content-Length: 11\r\n"));
	expect_refused(w, "HTTP/1.1 413 ");
	expect_log(w, "POST /pull HTTP/1.1 200 -;"
	    "POST /pull HTTP/1.1 413 large_body;");
	assert_int_equal(w->stats.refused[REFUSAL_LARGE_BODY], 1);
	world_end(w);
}

static void
body_in_chunks_over_its_limit_is_refused(void **state)
{
	struct world *w = world_new("max_body_size: 10");

	(void)state;
	client(w);
	say(w, POST(CHUNKED) "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
	expect(w, HELLO);
	expect_pulled(w, "0123456789");
	say(w, POST(CHUNKED) "5\r\n01234\r\n6\r\n56789");
	expect(w, "");
	say(w, "x\r\n0\r\n\r\n");
	expect_refused(w, "HTTP/1.1 413 ");
	world_end(w);
}

static void
body_may_be_of_any_size_with_limit_0(void **state)
{
	struct world *w = world_new("max_body_size: 0");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 100000\r\n"));
	say_many(w, 100000);
	expect(w, HELLO);
	assert_int_equal(w->pulled.n, 100000);
	world_end(w);
}

static void
body_is_limited_by_the_site(void **state)
{
	struct world *w = world_of(
	    "sites:\n"
	    "- hosts: [a]\n  listen: 80\n  http: {max_body_size: 10}\n" ROUTES
	    "- hosts: [b]\n  listen: 80\n  http: {max_body_size: 20}\n" ROUTES);

	(void)state;
	client(w);
	say(w, "POST /pull HTTP/1.1\r\nHost: b\r\n" CHUNKED "\r\n"
	    "14\r\n01234567890123456789\r\n0\r\n\r\n");
	expect(w, HELLO);
	say(w, "POST /pull HTTP/1.1\r\nHost: b\r\n" CHUNKED "\r\n"
	    "15\r\n012345678901234567890\r\n0\r\n\r\n");
	expect_refused(w, "HTTP/1.1 413 ");
	client(w);
	say(w, POST("Content-Length: 11\r\n"));
	expect_refused(w, "HTTP/1.1 413 ");
	world_end(w);
}

int
main(void)
{
#define T(name) cmocka_unit_test(body_##name)
	const struct CMUnitTest tests[] = {
		T(is_read_however_it_is_split),
		T(is_not_read_before_somebody_pulls),
		T(tells_how_much_is_to_come),
		T(keeps_what_a_sink_does_not_take),
		T(gives_its_trailers),
		T(of_a_client_that_leaves_fails),
		T(is_whole_though_the_client_has_shut_its_side),
		T(with_bad_chunks_is_refused),
		T(is_asked_for_when_it_is_pulled),
		T(that_is_there_is_not_asked_for),
		T(that_is_not_asked_for_ends_the_connection),
		T(of_http_1_0_is_not_asked_for),
		T(without_length_is_not_asked_for),
		T(that_is_short_is_discarded),
		T(that_is_discarded_may_take_its_time),
		T(that_is_long_ends_the_connection),
		T(that_turns_out_long_ends_the_connection),
		T(that_is_answered_early_is_not_taken_for_a_request),
		T(that_is_answered_early_is_discarded_if_short),
		T(that_does_not_come_is_answered_with_408),
		T(that_drips_is_refused_when_its_grace_is_over),
		T(that_is_as_fast_as_it_must_be_goes_on),
		T(that_began_fast_saves_no_more_than_body_timeout),
		T(that_nobody_waits_for_is_not_slow),
		T(may_be_as_slow_as_it_likes_without_a_rate),
		T(that_does_not_come_cuts_a_response_that_has_begun),
		T(that_drips_cuts_a_response_that_has_begun),
		T(over_its_limit_is_refused_unread),
		T(in_chunks_over_its_limit_is_refused),
		T(may_be_of_any_size_with_limit_0),
		T(is_limited_by_the_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
