/*
 * HTTP/1.1 towards an upstream: heads, bodies both ways, upgrades, and all that
 * a server may do wrong.
 */
#include "upstream/world.h"

/* ---- heads ------------------------------------------------------------- */

static void
broken_heads_are_a_502(void **state)
{
	static const char *const heads[] = {
		"garbage\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		    "Content-Length: 3\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		    "Transfer-Encoding: chunked\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		    "Connection: upgrade\r\n\r\n",
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		int fd;

		begin(w, GET);
		fd = accept_one(w);
		receive(w, fd, "\r\n\r\n");
		say(fd, heads[i]);
		assert_int_equal(finish(w), 502);
		assert_true(is_closed(w, fd));
		assert_int_equal(w->backend->n_idle, 0);
		close(fd);
	}
}

static void
a_head_without_end_is_refused(void **state)
{
	struct world *w = *state;
	char line[1024];
	int fd;

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 80 && !w->resumed; i++) {
		ssize_t n = write(fd, line, sizeof line - 1);

		(void)n;
		tick(w);
	}
	assert_int_equal(finish(w), 502);
	assert_string_equal(w->t->upstream->cause, "large_head");
	close(fd);
}

static void
interim_responses_pass_but_not_without_end(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
	    "Link: </a>\r\nConnection: close\r\n\r\n" OK_2);
	assert_int_equal(finish(w), 200);
	assert_string_equal(w->interims, "103:1;");
	expect_body(w, "hi");
	close(fd);
	for (int i = 0; i < 20; i++)
		tick(w);

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	for (int i = 0; i < 17; i++)
		say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
	assert_int_equal(finish(w), 502);
	assert_string_equal(w->t->upstream->cause, "interim");
	close(fd);
}

/* ---- bodies ------------------------------------------------------------ */

#define CHUNKS "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" \
	"5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 1\r\n\r\n"

static void
every_split_gives_the_same_response(void **state)
{
	static const char *const answers[][2] = {
		{CHUNKS, "hello world"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
		    "hello world"},
		{"HTTP/1.1 103 Early Hints\r\n\r\n" CHUNKS, "hello world"},
	};
	struct world *w = *state;

	for (size_t k = 0; k < COUNT_OF(answers); k++) {
		const char *text = answers[k][0];
		int fd = -1;

		for (size_t at = 1; at < strlen(text); at++) {
			char first[256];

			begin(w, GET);
			if (fd < 0)
				fd = accept_one(w);
			receive(w, fd, "\r\n\r\n");
			snprintf(first, sizeof first, "%.*s", (int)at, text);
			say(fd, first);
			tick(w);
			say(fd, text + at);
			assert_int_equal(finish(w), 200);
			expect_body(w, answers[k][1]);
			assert_int_equal(w->t->res.trailers != NULL, k != 1);
			assert_int_equal(w->backend->n_idle, 1);
			world_end_txn(w);
		}
		close(fd);
		for (int i = 0; i < 20; i++)
			tick(w);
	}
}

static void
a_complete_chunked_body_gets_a_length(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "b\r\nhello world\r\n0\r\n\r\n");
	assert_int_equal(finish(w), 200);
	assert_int_equal(w->t->res.body->length, 11);
	expect_body(w, "hello world");
	assert_int_equal(w->backend->n_idle, 1);
	close(fd);
}

static void
a_complete_body_with_trailers_stays_chunked(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, CHUNKS);
	assert_int_equal(finish(w), 200);
	assert_int_equal(w->t->res.body->length, -1);
	expect_body(w, "hello world");
	assert_non_null(w->t->res.trailers);
	close(fd);
}

static void
a_body_that_ends_early_fails(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhelloX\r\n0\r\n\r\n",
	};
	struct world *w = *state;
	enum flow_status st;

	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		int fd;

		begin(w, GET);
		fd = accept_one(w);
		receive(w, fd, "\r\n\r\n");
		say(fd, answers[i]);
		assert_int_equal(finish(w), 200);
		shutdown(fd, SHUT_WR);
		assert_string_equal(body(w, &st), "hello");
		assert_int_equal(st, FLOW_FAIL);
		assert_string_equal(w->t->upstream->phase, "body");
		assert_int_equal(w->backend->n_idle, 0);
		close(fd);
	}
}

static void
a_body_may_end_with_the_connection(void **state)
{
	struct world *w = *state;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
	assert_int_equal(finish(w), 200);
	assert_int_equal(w->t->res.body->length, -1);
	close(fd);
	expect_body(w, "until the end");
	assert_int_equal(w->backend->n_idle, 0);
}

static void
responses_without_body_have_none(void **state)
{
	static const char *const cases[][2] = {
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
		{GET, "HTTP/1.1 204 No Content\r\n\r\n"},
		{GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
		{GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	};
	struct world *w = *state;
	int fd = -1;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		begin(w, cases[i][0]);
		if (fd < 0)
			fd = accept_one(w);
		receive(w, fd, "\r\n\r\n");
		say(fd, cases[i][1]);
		finish(w);
		if (i == 0)
			assert_int_equal(w->t->res.body->length, 7);
		assert_int_equal(w->backend->n_idle, 1);
	}
	close(fd);
}

static void
a_sink_that_takes_little_gets_everything(void **state)
{
	struct world *w = *state;
	struct buf got;
	struct span span;
	int fd;

	begin(w, GET);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, CHUNKS);
	finish(w);
	got = buf_in(w->t->arena);
	while (flow_peek(w->t->res.body, &span) == FLOW_DATA) {
		buf_chr(&got, span.p[0]);
		flow_take(w->t->res.body, 1);
	}
	assert_true(str_eq(buf_view(&got), STR("hello world")));
	close(fd);
}

/* ---- requests with a body ---------------------------------------------- */

static void
a_body_of_known_length_leaves_with_the_head(void **state)
{
	struct world *w = *state;
	int fd;

	set_body(w, "hello", true);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
	fd = accept_one(w);
	assert_non_null(strstr(receive(w, fd, "hello"),
	    "Content-Length: 5\r\n\r\nhello"));
	say(fd, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_int_equal(w->backend->n_idle, 1);
	close(fd);
}

static void
a_body_of_unknown_length_is_chunked(void **state)
{
	struct world *w = *state;
	int fd;

	set_body(w, "hello", false);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n");
	fd = accept_one(w);
	assert_non_null(strstr(receive(w, fd, "hello\r\n"),
	    "\r\n\r\n5\r\nhello\r\n"));
	w->feed.p = "world!";
	w->feed.n = 6;
	w->feed.is_over = true;
	flow_wake(&w->feed.flow);
	assert_string_equal(receive(w, fd, "0\r\n\r\n"),
	    "6\r\nworld!\r\n0\r\n\r\n");
	say(fd, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	close(fd);
}

static void
a_large_body_waits_for_the_server(void **state)
{
	struct world *w = *state;
	size_t n = 8 << 20, got = 0;
	char *text = malloc(n), *end = malloc(65536);
	char head[128];
	int fd;

	memset(text, 'x', n);
	w->feed = (struct feed){.p = text, .n = n, .is_over = true,
		.limit = 65536};
	snprintf(head, sizeof head,
	    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", n);
	begin(w, head);
	fd = accept_one(w);
	for (int i = 0; i < 50; i++)
		tick(w);
	assert_true(w->feed.n > 0); /* held back, not held in memory */
	for (int i = 0; i < 20000 && got < n; i++) {
		ssize_t r = read(fd, end, 65536);

		if (r > 0)
			got += (size_t)r;
		else
			tick(w);
	}
	assert_true(got >= n);
	assert_int_equal(w->feed.n, 0);
	say(fd, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	close(fd);
	free(text);
	free(end);
}

static void
a_refusal_ends_the_upload(void **state)
{
	struct world *w = *state;
	int fd;

	set_body(w, "some", false);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
	fd = accept_one(w);
	receive(w, fd, "some");
	say(fd, "HTTP/1.1 413 Content Too Large\r\n"
	    "Content-Length: 2\r\n\r\nno");
	assert_int_equal(finish(w), 413);
	expect_body(w, "no");
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, fd));
	close(fd);
}

static void
an_early_answer_does_not_end_the_upload(void **state)
{
	struct world *w = *state;
	int fd;

	set_body(w, "one", false);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n");
	fd = accept_one(w);
	receive(w, fd, "one\r\n");
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\none\r\n");
	assert_int_equal(finish(w), 200);
	w->feed.p = "two";
	w->feed.n = 3;
	w->feed.is_over = true;
	flow_wake(&w->feed.flow);
	receive(w, fd, "3\r\ntwo\r\n0\r\n\r\n");
	say(fd, "3\r\ntwo\r\n0\r\n\r\n");
	expect_body(w, "onetwo");
	assert_int_equal(w->backend->n_idle, 1);
	close(fd);
}

static void
a_failing_upload_is_a_400_and_ends_the_connection(void **state)
{
	struct world *w = *state;
	int fd;

	set_body(w, "one", false);
	begin(w, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n");
	fd = accept_one(w);
	receive(w, fd, "one\r\n");
	w->feed.fails = true;
	flow_wake(&w->feed.flow);
	assert_int_equal(finish(w), 400);
	assert_true(is_closed(w, fd));
	close(fd);
}

/* ---- upgrades ---------------------------------------------------------- */

static void
a_websocket_passes_both_ways_and_half_closes(void **state)
{
	struct world *w = *state;
	struct span span;
	int fd;

	set_body(w, "", true);
	begin(w, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
	fd = accept_one(w);
	receive(w, fd, "Upgrade: websocket\r\n\r\n");
	say(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: z\r\n\r\nfirst");
	assert_int_equal(finish(w), 101);
	assert_true(w->t->res.upgraded);
	assert_true(head_has(&w->t->res.head, FIELD_UPGRADE));

	/* From here on the client's bytes are raw. */
	w->feed.p = "ping";
	w->feed.n = 4;
	w->feed.is_over = false;
	flow_on_wake(w->t->res.body, on_wake, w);
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_DATA);
	assert_true(str_eq(str_of(span.p, span.n), STR("first")));
	flow_take(w->t->res.body, span.n);
	assert_string_equal(receive(w, fd, "ping"), "ping");

	w->feed.is_over = true;
	flow_wake(&w->feed.flow);
	assert_true(is_closed(w, fd)); /* their FIN reached the server, */
	say(fd, "bye");                /* which may still speak */
	shutdown(fd, SHUT_WR);
	expect_body(w, "bye");
	assert_int_equal(w->stats.upgrades, 1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(broken_heads_are_a_502),
		TEST(a_head_without_end_is_refused),
		TEST(interim_responses_pass_but_not_without_end),
		TEST(every_split_gives_the_same_response),
		TEST(a_complete_chunked_body_gets_a_length),
		TEST(a_complete_body_with_trailers_stays_chunked),
		TEST(a_body_that_ends_early_fails),
		TEST(a_body_may_end_with_the_connection),
		TEST(responses_without_body_have_none),
		TEST(a_sink_that_takes_little_gets_everything),
		TEST(a_body_of_known_length_leaves_with_the_head),
		TEST(a_body_of_unknown_length_is_chunked),
		TEST(a_large_body_waits_for_the_server),
		TEST(a_refusal_ends_the_upload),
		TEST(an_early_answer_does_not_end_the_upload),
		TEST(a_failing_upload_is_a_400_and_ends_the_connection),
		TEST(a_websocket_passes_both_ways_and_half_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
