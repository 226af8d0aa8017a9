/* Responses of HTTP/1: how they are framed, whatever their body does and
 * however slowly they are read. */
#include "h1_world.h"

/* ---- helpers ----------------------------------------------------------- */

/* Bytes that tell where they stand. */
static char *
pattern(struct world *w, size_t n)
{
	char *p = arena_alloc(w->arena, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (i * 7 + i / 251) % 26);
	return p;
}

static int
file_of(const char *p, size_t n)
{
	char path[] = "/tmp/weir-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	return fd;
}

static void
feed_file(struct world *w, int fd, uint64_t off, size_t n)
{
	feed_piece(w, FLOW_DATA, (struct span){
	    .fd = fd, .off = off, .n = n });
}

/* The body of all that came, without its chunks; "" in *END says that nothing
 * follows it. */
static struct str
body(struct world *w)
{
	struct str all = buf_view(&w->in);
	struct buf b = buf_in(w->arena);
	char *at;

	buf_chr(&w->in, '\0');
	w->in.n--;
	at = strstr(w->in.p, "\r\n\r\n");
	assert_non_null(at);
	all = str_slice(all, (size_t)(at + 4 - w->in.p), all.n);
	if (strstr(w->in.p, "Transfer-Encoding: chunked\r\n") == NULL)
		return all;
	for (;;) {
		char *end;
		size_t n = strtoul(all.p, &end, 16);

		assert_memory_equal(end, "\r\n", 2);
		all = str_slice(all, (size_t)(end + 2 - all.p), all.n);
		if (n == 0)
			break;
		assert_true(n + 2 < all.n);
		buf_put(&b, all.p, n);
		assert_memory_equal(all.p + n, "\r\n", 2);
		all = str_slice(all, n + 2, all.n);
	}
	assert_true(str_eq(all, STR("\r\n")));
	return buf_view(&b);
}

static void
expect_body(struct world *w, const char *p, size_t n)
{
	struct str got = body(w);

	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, p, n);
}

static const size_t sizes[] = {
	1, 15, 16, 4095, 16383, 16384, 16385, 65519, 65536, 65537, 300000,
	1100000
};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* ---- framing ----------------------------------------------------------- */

static void
respond_frames_an_unknown_length_in_chunks(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_text(w, "hello, ");
	feed_text(w, "world");
	feed_end(w);
	say(w, GET("/fed"));
	expect(w, OK "Transfer-Encoding: chunked||"
	    "7|hello, |5|world|0||");
	assert_int_equal(w->feed.closed, 1);
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

static void
respond_sends_pieces_of_every_size(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, sizes[SIZES - 1]);

	(void)state;
	for (int chunked = 0; chunked < 2; chunked++) {
		for (int sndbuf = 0; sndbuf < 8192; sndbuf += 6000) {
			client_with(w, sndbuf);
			for (size_t i = 0; i < SIZES; i++) {
				w->in.n = w->in_at = 0;
				feed_begin(w, chunked ? -1 :
				    (int64_t)sizes[i]);
				feed_bytes(w, p, sizes[i]);
				feed_end(w);
				say(w, GET("/fed"));
				listen_all(w);
				expect_body(w, p, sizes[i]);
			}
		}
	}
	world_end(w);
}

static void
respond_sends_ranges_of_files(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 700000);
	int fd = file_of(p, 700000);

	(void)state;
	for (int chunked = 0; chunked < 2; chunked++) {
		for (int sndbuf = 0; sndbuf < 8192; sndbuf += 6000) {
			client_with(w, sndbuf);
			feed_begin(w, chunked ? -1 : 700000);
			feed_bytes(w, p, 10);
			feed_file(w, fd, 10, 600000);
			feed_file(w, fd, 600010, 1);
			feed_bytes(w, p + 600011, 99989);
			feed_end(w);
			say(w, GET("/fed"));
			listen_all(w);
			expect_body(w, p, 700000);
		}
	}
	close(fd);
	world_end(w);
}

static void
respond_sends_many_small_pieces(void **state)
{
	static const size_t steps[] = { 1, 100, 1111, 1500, 2048, 4099 };
	struct world *w = world_new("");
	char *p = pattern(w, 300000);

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		size_t n = 0;

		client_with(w, i % 2 == 0 ? 0 : 6000);
		feed_begin(w, -1);
		for (int k = 0; k < PIECES - 1; k++, n += steps[i])
			feed_bytes(w, p + n, steps[i]);
		feed_end(w);
		say(w, GET("/fed"));
		listen_all(w);
		expect_body(w, p, n);
	}
	world_end(w);
}

static void
respond_sends_the_head_before_the_body_is_there(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/fed"));
	expect(w, OK "Transfer-Encoding: chunked||");
	feed_text(w, "one");
	expect(w, "3|one|");
	feed_text(w, "two");
	feed_text(w, "three");
	expect(w, "3|two|5|three|");
	feed_end(w);
	expect(w, "0||");
	expect_open(w);
	world_end(w);
}

static void
respond_does_not_hurry_a_body_that_waits(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/fed"));
	pass(w, 24 * 3600 * 1000);
	feed_end(w);
	expect(w, OK "Transfer-Encoding: chunked||0||");
	world_end(w);
}

static void
respond_lets_http_1_0_read_until_the_end(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_text(w, "hello");
	feed_end(w);
	say(w, "GET /fed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	expect(w, OK "Connection: close||hello");
	expect_closed(w);
	world_end(w);
}

static void
reply_304(struct txn *t)
{
	txn_reply(t, 304);
	txn_reply_body(t, &the->feed.flow);
}

static void
reply_204(struct txn *t)
{
	txn_reply(t, 204);
}

static void
reply_length_only(struct txn *t)
{
	txn_reply(t, 200);
	t->res.head_length = 4711;
}

static void
respond_answers_head_without_a_body(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "HEAD /now HTTP/1.1\r\n" H "\r\n");
	expect(w, OK "Content-Length: 5||");
	feed_begin(w, -1);
	feed_text(w, "hello");
	say(w, "HEAD /fed HTTP/1.1\r\n" H "\r\n");
	expect(w, OK "|");
	assert_int_equal(w->feed.closed, 1);
	w->reply = reply_length_only;
	say(w, "HEAD /now HTTP/1.1\r\n" H "\r\n");
	expect(w, OK "Content-Length: 4711||");
	w->reply = answer_hello;
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

static void
respond_gives_204_and_304_no_body(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	w->reply = reply_204;
	say(w, GET("/now"));
	expect(w, "HTTP/1.1 204 No Content||");
	w->reply = reply_304;
	feed_begin(w, 100);
	say(w, GET("/now"));
	expect(w, "HTTP/1.1 304 Not Modified||");
	assert_int_equal(w->feed.closed, 1);
	expect_open(w);
	world_end(w);
}

/* ---- bodies that are not what was announced ---------------------------- */

static void
respond_sends_no_more_than_was_announced(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_begin(w, 3);
	feed_text(w, "abcdef");
	say(w, GET("/fed"));
	expect(w, OK "Content-Length: 3||abc");
	say(w, GET("/now"));
	expect(w, HELLO);
	world_end(w);
}

static void
respond_cuts_what_ends_before_its_length(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_begin(w, 6);
	feed_text(w, "abc");
	feed_end(w);
	say(w, GET("/fed") GET("/now"));
	expect(w, OK "Content-Length: 6||abc");
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_ABORTED], 1);
	expect_log(w, "GET /fed HTTP/1.1 200 aborted;");
	world_end(w);
}

static void
respond_cuts_chunks_whose_source_fails(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_text(w, "abc");
	say(w, GET("/fed"));
	expect(w, OK "Transfer-Encoding: chunked||3|abc|");
	feed_fail(w);
	expect(w, "");
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_ABORTED], 1);
	assert_int_equal(w->stats.cut, 1);
	world_end(w);
}

static void
respond_cuts_what_fails_at_once(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_fail(w);
	say(w, GET("/fed"));
	expect(w, OK "Transfer-Encoding: chunked||");
	expect_closed(w);
	world_end(w);
}

static void
respond_resets_where_only_the_end_tells_the_length(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client_tcp(w);
	say(w, "GET /fed HTTP/1.0\r\n\r\n");
	feed_text(w, "abc");
	expect(w, OK "Connection: close||abc");
	feed_fail(w);
	run(w);
	listen_all(w);
	assert_true(w->reset);
	world_end(w);
}

static void
respond_cuts_a_file_that_has_become_shorter(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 1000);
	int fd = file_of(p, 1000);

	(void)state;
	client(w);
	feed_begin(w, 2000);
	feed_file(w, fd, 0, 2000);
	say(w, GET("/fed"));
	listen_all(w);
	expect_body(w, p, 1000);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_ABORTED], 1);
	close(fd);
	world_end(w);
}

static void
respond_notices_a_client_that_is_gone(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 300000);

	(void)state;
	client(w);
	say(w, GET("/fed"));
	close(w->fd);
	w->fd = -1;
	feed_bytes(w, p, 300000);
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.closed[CLOSE_RESET], 1);
	expect_log(w, "GET /fed HTTP/1.1 200 peer_reset;");
	assert_int_equal(w->feed.closed, 1);
	world_end(w);
}

/* ---- trailers ---------------------------------------------------------- */

static void
add_trailer(struct world *w, const char *name, struct str value)
{
	if (w->feed.trailers.arena == NULL)
		head_init(&w->feed.trailers, w->arena, 4);
	head_add(&w->feed.trailers, FIELD_OTHER, str_from(name), value);
}

static void
respond_sends_trailers_after_the_last_chunk(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	add_trailer(w, "X-Sum", STR("17"));
	feed_text(w, "abc");
	feed_end(w);
	say(w, GET("/fed"));
	expect(w, OK "Transfer-Encoding: chunked||3|abc|0|X-Sum: 17||");
	world_end(w);
}

static void
respond_has_no_trailers_without_chunks(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	feed_begin(w, 3);
	add_trailer(w, "X-Sum", STR("17"));
	feed_text(w, "abc");
	feed_end(w);
	say(w, GET("/fed"));
	expect(w, OK "Content-Length: 3||abc");
	world_end(w);
}

static void
respond_has_room_for_trailers_after_full_pages(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 65536);
	char want[8300];

	(void)state;
	client(w);
	for (size_t last = 15000; last < 16384; last += 100) {
		feed_begin(w, -1);
		add_trailer(w, "X-Long", str_of(p, 8000));
		for (int i = 0; i < 3; i++)
			feed_bytes(w, p, 16384);
		feed_bytes(w, p, last);
		feed_end(w);
		say(w, GET("/fed"));
		listen_all(w);
		snprintf(want, sizeof want, "\r\n0\r\nX-Long: %.8000s\r\n\r\n",
		    p);
		assert_true(str_has_suffix(buf_view(&w->in), str_from(want)));
		expect_open(w);
	}
	world_end(w);
}

/* ---- large heads ------------------------------------------------------- */

static size_t filler;

static void
reply_large_head(struct txn *t)
{
	char *p = arena_alloc(t->arena, filler);

	memset(p, 'x', filler);
	txn_reply(t, 200);
	head_add(&t->res.head, FIELD_OTHER, STR("X-Long"),
	    str_of(p, filler));
	txn_reply_body(t, &the->feed.flow);
}

/* The head is composed in a page; whatever it leaves of it, the chunk's size
 * has to follow. */
static void
respond_frames_the_body_after_a_head_of_any_size(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 70000);

	(void)state;
	client(w);
	w->reply = reply_large_head;
	for (filler = 65360; filler < 65560; filler++) {
		feed_begin(w, -1);
		feed_bytes(w, p, filler % 2 == 0 ? 3 : 70000);
		feed_end(w);
		w->in.n = w->in_at = 0;
		say(w, GET("/now"));
		listen_all(w);
		expect_body(w, p, filler % 2 == 0 ? 3 : 70000);
	}
	world_end(w);
}

/* ---- interim responses and upgrades ------------------------------------ */

static void
respond_sends_interim_responses_before_the_head(void **state)
{
	struct world *w = world_new("");
	struct head hints;

	(void)state;
	client(w);
	say(w, GET("/wait"));
	head_init(&hints, w->arena, 1);
	head_add(&hints, FIELD_OTHER, STR("Link"), STR("</a>"));
	w->t->transport->interim(w->t, 103, &hints);
	expect(w, "HTTP/1.1 103 Early Hints|Link: </a>||");
	txn_resume(w->t);
	expect(w, HELLO);
	world_end(w);
}

static void
respond_sends_interim_responses_after_earlier_answers(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/now") "POST /pull HTTP/1.1\r\n" H
	    "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	expect(w, HELLO "HTTP/1.1 100 Continue||");
	say(w, "abc");
	expect(w, HELLO);
	world_end(w);
}

static void
respond_sends_no_interim_response_to_http_1_0(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET /wait HTTP/1.0\r\n\r\n");
	w->t->transport->interim(w->t, 103, NULL);
	expect(w, "");
	txn_resume(w->t);
	expect(w, HELLO_CLOSE);
	world_end(w);
}

static void
respond_sends_no_interim_response_within_another(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/fed"));
	w->t->transport->interim(w->t, 103, NULL);
	expect(w, OK "Transfer-Encoding: chunked||");
	world_end(w);
}

static void
reply_101(struct txn *t)
{
	txn_reply(t, 101);
	t->res.upgraded = true;
	txn_reply_body(t, &the->feed.flow);
	the->t = t;
}

static void
respond_passes_raw_bytes_after_101(void **state)
{
	struct world *w = world_new("");
	struct span span;

	(void)state;
	client(w);
	w->reply = reply_101;
	say(w, "GET /now HTTP/1.1\r\n" H "Connection: upgrade\r\n"
	    "Upgrade: x\r\n\r\nabc");
	expect(w, "HTTP/1.1 101 Switching Protocols|Connection: upgrade||");
	feed_text(w, "raw");
	expect(w, "raw");
	assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_DATA);
	assert_int_equal(span.n, 3);
	assert_memory_equal(span.p, "abc", 3);
	flow_take(w->t->req.body, 3);
	assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_WAIT);
	shutdown(w->fd, SHUT_WR);
	run(w);
	expect_open(w);
	assert_int_equal(flow_peek(w->t->req.body, &span), FLOW_END);
	feed_text(w, "bye");
	feed_end(w);
	expect(w, "bye");
	expect_closed(w);
	world_end(w);
}

/* ---- clients that read slowly ------------------------------------------ */

/* Fills the socket: a response of N bytes of which most cannot leave yet. */
static void
stall(struct world *w, const char *request, size_t n)
{
	char *p = pattern(w, n);

	client_with(w, 4096);
	feed_begin(w, -1);
	for (size_t at = 0; at < n; at += 10000)
		feed_bytes(w, p + at, 10000);
	feed_end(w);
	assert_int_equal(send(w->fd, request, strlen(request), 0),
	    (ssize_t)strlen(request));
	run(w);
}

static void
respond_gives_up_a_client_that_reads_nothing(void **state)
{
	struct world *w = world_new("send_timeout: 3s");

	(void)state;
	stall(w, GET("/fed"), 500000);
	pass(w, 2900);
	assert_int_equal(w->server->n_conns, 1);
	pass(w, 200);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.closed[CLOSE_SEND_TIMEOUT], 1);
	expect_log(w, "GET /fed HTTP/1.1 200 send_timeout;");
	world_end(w);
}

static void
respond_is_patient_with_a_client_that_reads_a_little(void **state)
{
	struct world *w = world_new("send_timeout: 3s");

	(void)state;
	stall(w, GET("/fed"), 500000);
	for (int i = 0; i < 20; i++) {
		pass(w, 2000);
		/* Enough for the kernel to say that there is room. */
		while (listen_some(w, 65536))
			;
		run(w);
	}
	listen_all(w);
	assert_int_equal(body(w).n, 500000);
	world_end(w);
}

/* A whole response is taken over, so that the next request may be read: what
 * of it is still here must leave nevertheless. */
static void
respond_does_not_call_idle_who_still_reads(void **state)
{
	struct world *w = world_new("keepalive_timeout: 1s, send_timeout: 9s");

	(void)state;
	stall(w, GET("/fed"), 30000);
	assert_true(leftover_len(&h1_only(w)->out) > 0);
	pass(w, 8000);
	listen_all(w);
	assert_int_equal(body(w).n, 30000);
	assert_false(w->eof);
	pass(w, 1100);
	expect_closed(w);
	assert_int_equal(w->net_stats.closed[CLOSE_IDLE], 1);
	world_end(w);
}

static void
respond_gives_up_who_reads_nothing_of_the_rest(void **state)
{
	struct world *w = world_new("keepalive_timeout: 60s, send_timeout: 9s");

	(void)state;
	stall(w, GET("/fed"), 30000);
	pass(w, 9100);
	assert_int_equal(w->net_stats.closed[CLOSE_SEND_TIMEOUT], 1);
	world_end(w);
}

/* The time for a head and the time for reading are one deadline: the one that
 * was used up by half a head must not leave the other without any. */
static void
respond_gives_up_who_sends_half_a_head_and_reads_nothing(void **state)
{
	struct world *w = world_new("header_timeout: 2s, send_timeout: 9s");

	(void)state;
	stall(w, GET("/fed"), 30000);
	assert_int_equal(send(w->fd, "GET", 3, 0), 3);
	run(w);
	pass(w, 2100);
	assert_int_equal(w->server->n_conns, 1);
	pass(w, 9100);
	assert_int_equal(w->net_stats.closed[CLOSE_SEND_TIMEOUT], 1);
	world_end(w);
}

static void
respond_ends_after_the_last_byte(void **state)
{
	struct world *w = world_new("");

	(void)state;
	stall(w, "GET /fed HTTP/1.1\r\n" H "Connection: close\r\n\r\n", 30000);
	assert_true(leftover_len(&h1_only(w)->out) > 0);
	pass(w, 50000);
	expect_closed(w);
	assert_int_equal(body(w).n, 30000);
	world_end(w);
}

/* Only the end of the connection tells how long the body is, and the rest of
 * it has not left: who cuts it now must not make it look whole. */
static void
stall_without_length(struct world *w)
{
	static const char ask[] = "GET /fed HTTP/1.0\r\n\r\n";

	client_tcp(w);
	for (int i = 0; i < 6; i++)
		feed_bytes(w, pattern(w, 10000), 10000);
	feed_end(w);
	assert_int_equal(send(w->fd, ask, strlen(ask), 0),
	    (ssize_t)strlen(ask));
	run(w);
	assert_int_equal(h1_only(w)->state, H1_FLUSH);
}

static void
respond_resets_when_the_end_does_not_leave_in_time(void **state)
{
	struct world *w = world_new("send_timeout: 3s");

	(void)state;
	stall_without_length(w);
	pass(w, 3100);
	listen_all(w);
	assert_true(w->reset);
	assert_int_equal(w->net_stats.closed[CLOSE_SEND_TIMEOUT], 1);
	world_end(w);
}

static void
respond_resets_when_the_end_is_cut(void **state)
{
	struct world *w = world_new("");

	(void)state;
	stall_without_length(w);
	server_cut(w->server);
	run(w);
	listen_all(w);
	assert_true(w->reset);
	world_end(w);
}

static void
respond_gives_up_who_does_not_read_the_end(void **state)
{
	struct world *w = world_new("send_timeout: 3s");

	(void)state;
	stall(w, "GET /fed HTTP/1.1\r\n" H "Connection: close\r\n\r\n", 30000);
	pass(w, 3100);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.closed[CLOSE_SEND_TIMEOUT], 1);
	world_end(w);
}

static void
respond_stops_reading_requests_while_answers_pile_up(void **state)
{
	struct world *w = world_new("");
	struct buf many = buf_in(w->arena);

	(void)state;
	client_with(w, 4096);
	for (int i = 0; i < 3000; i++)
		buf_z(&many, GET("/now"));
	assert_int_equal(send(w->fd, many.p, many.n, 0), (ssize_t)many.n);
	for (int i = 0; i < 100; i++)
		run(w);
	assert_true(w->stats.requests < 1000);
	assert_true(leftover_len(&h1_only(w)->out) < 65536);
	listen_all(w);
	assert_int_equal(w->stats.requests, 3000);
	world_end(w);
}

/* ---- TLS --------------------------------------------------------------- */

static size_t
tls_listen_all(struct world *w, SSL *ssl)
{
	static char page[65536];
	size_t n = 0;

	for (int i = 0; i < 1000; i++) {
		int got = SSL_read(ssl, page, sizeof page);

		if (got > 0)
			n += (size_t)got;
		else if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ)
			break;
		run(w);
	}
	return n;
}

/* The body has been encrypted, but not all of it has left: FIN and the time to
 * linger come after it. */
static void
respond_lingers_when_tls_holds_nothing_any_more(void **state)
{
	static const char ask[] =
	    "GET /fed HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
	struct world *w = world_of(
	    "http: {send_timeout: 30s, lingering_timeout: 2s}\n" TLS_SITE);
	SSL *ssl = tls_client(w, 4096);

	(void)state;
	feed_bytes(w, pattern(w, 16000), 16000);
	feed_end(w);
	assert_int_equal(SSL_write(ssl, ask, (int)strlen(ask)),
	    (int)strlen(ask));
	run(w);
	assert_int_equal(leftover_len(&h1_only(w)->out), 0);
	pass(w, 20000);
	assert_int_equal(w->server->n_conns, 1);
	assert_in_range(tls_listen_all(w, ssl), 16000, 16200);
	assert_int_equal(SSL_get_shutdown(ssl), SSL_RECEIVED_SHUTDOWN);
	assert_int_equal(h1_only(w)->state, H1_LINGER);
	pass(w, 2100);
	assert_int_equal(w->server->n_conns, 0);
	SSL_free(ssl);
	world_end(w);
}

/* ---- lingering --------------------------------------------------------- */

#define POST_LARGE \
	"POST /now HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n"

static void
respond_reads_on_so_that_the_answer_is_not_lost(void **state)
{
	struct world *w = world_new("");
	char *p = pattern(w, 50000);

	(void)state;
	client(w);
	say(w, POST_LARGE);
	for (int i = 0; i < 5; i++)
		say_bytes(w, p, 50000);
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	assert_int_equal(w->server->n_conns, 1);
	close(w->fd);
	w->fd = -1;
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.closed[CLOSE_DONE], 1);
	world_end(w);
}

static void
respond_does_not_linger_longer_than_lingering_timeout(void **state)
{
	struct world *w = world_new("lingering_timeout: 3s");

	(void)state;
	client(w);
	say(w, POST_LARGE);
	expect(w, HELLO_CLOSE);
	for (int i = 0; i < 2; i++) {
		pass(w, 1400);
		say(w, "abc");
	}
	assert_int_equal(w->server->n_conns, 1);
	pass(w, 300);
	assert_int_equal(w->server->n_conns, 0);
	world_end(w);
}

int
main(void)
{
#define T(name) cmocka_unit_test(respond_##name)
	const struct CMUnitTest tests[] = {
		T(frames_an_unknown_length_in_chunks),
		T(sends_pieces_of_every_size),
		T(sends_ranges_of_files),
		T(sends_many_small_pieces),
		T(sends_the_head_before_the_body_is_there),
		T(does_not_hurry_a_body_that_waits),
		T(lets_http_1_0_read_until_the_end),
		T(answers_head_without_a_body),
		T(gives_204_and_304_no_body),
		T(sends_no_more_than_was_announced),
		T(cuts_what_ends_before_its_length),
		T(cuts_chunks_whose_source_fails),
		T(cuts_what_fails_at_once),
		T(resets_where_only_the_end_tells_the_length),
		T(cuts_a_file_that_has_become_shorter),
		T(notices_a_client_that_is_gone),
		T(sends_trailers_after_the_last_chunk),
		T(has_no_trailers_without_chunks),
		T(has_room_for_trailers_after_full_pages),
		T(frames_the_body_after_a_head_of_any_size),
		T(sends_interim_responses_before_the_head),
		T(sends_interim_responses_after_earlier_answers),
		T(sends_no_interim_response_to_http_1_0),
		T(sends_no_interim_response_within_another),
		T(passes_raw_bytes_after_101),
		T(gives_up_a_client_that_reads_nothing),
		T(is_patient_with_a_client_that_reads_a_little),
		T(does_not_call_idle_who_still_reads),
		T(gives_up_who_reads_nothing_of_the_rest),
		T(gives_up_who_sends_half_a_head_and_reads_nothing),
		T(ends_after_the_last_byte),
		T(resets_when_the_end_does_not_leave_in_time),
		T(resets_when_the_end_is_cut),
		T(gives_up_who_does_not_read_the_end),
		T(stops_reading_requests_while_answers_pile_up),
		T(lingers_when_tls_holds_nothing_any_more),
		T(reads_on_so_that_the_answer_is_not_lost),
		T(does_not_linger_longer_than_lingering_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
