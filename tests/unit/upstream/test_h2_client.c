/*
 * Calls over HTTP/2: streams of a connection that stays, what is tried again,
 * what flows at whose pace, and how a server is found dead. The server is
 * nghttp2's, which says nothing that the test has not told it to.
 */
#include "upstream/world.h"

#include "upstream/h2_client.h"
#include "upstream/h2_uplink.h"

#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>

/* ---- the server -------------------------------------------------------- */

static struct {
	int fd;
	nghttp2_session *ng;
	char heard[4096]; /* for the eye */
	struct {
		const char *p;
		bool is_open;
	} body; /* of the response that comes next */
	size_t got; /* bytes of DATA */
} server;

static void
server_note(const char *text)
{
	assert_true(strlen(server.heard) + strlen(text) <
	    sizeof server.heard);
	strcat(server.heard, text);
}

static int
server_on_header(nghttp2_session *ng, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
    uint8_t flags, void *arg)
{
	struct str key = str_of((const char *)name, name_n);
	char text[128];

	(void)ng, (void)flags, (void)arg;
	if (!str_eq(key, STR(":path")) && !str_eq(key, STR("x-sum")))
		return 0;
	snprintf(text, sizeof text, "%d:%.*s;", frame->hd.stream_id,
	    (int)value_n, value);
	server_note(text);
	return 0;
}

static int
server_on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	char text[64] = "";

	(void)ng, (void)arg;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		snprintf(text, sizeof text, "%d reset %u;",
		    frame->hd.stream_id, frame->rst_stream.error_code);
	else if (frame->hd.type == NGHTTP2_GOAWAY)
		snprintf(text, sizeof text, "goaway %u;",
		    frame->goaway.error_code);
	else if (frame->hd.type == NGHTTP2_PING &&
	    (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
		strcpy(text, "ping;");
	else if ((frame->hd.type == NGHTTP2_HEADERS ||
	    frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		snprintf(text, sizeof text, "%d end;", frame->hd.stream_id);
	server_note(text);
	return 0;
}

static int
server_on_data(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *arg)
{
	(void)ng, (void)flags, (void)id, (void)p, (void)arg;
	server.got += n;
	return 0;
}

static ssize_t
server_on_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t max,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	size_t n = strlen(server.body.p);

	(void)ng, (void)id, (void)source, (void)arg;
	n = n < max ? n : max;
	if (n == 0 && server.body.is_open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(to, server.body.p, n);
	server.body.p += n;
	if (*server.body.p == '\0' && !server.body.is_open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* What there is to say and to hear, for as long as something happens. */
static void
serve(struct world *w)
{
	const uint8_t *p;
	uint8_t page[65536];
	ssize_t n;

	for (int quiet = 0; quiet < 5; quiet++) {
		while ((n = nghttp2_session_mem_send(server.ng, &p)) > 0)
			if (write(server.fd, p, (size_t)n) != n)
				break;
		tick(w);
		while ((n = read(server.fd, page, sizeof page)) > 0) {
			quiet = 0;
			(void)nghttp2_session_mem_recv(server.ng, page,
			    (size_t)n);
		}
	}
}

/* The connection that comes next; STREAMS at once are allowed, windows have
 * WINDOW bytes. */
static void
server_accept(struct world *w, uint32_t streams, uint32_t window)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window }
	};
	nghttp2_session_callbacks *c;
	nghttp2_option *o;
	int on = 1;

	memset(&server, 0, sizeof server);
	server.fd = accept_one(w);
	setsockopt(server.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	assert_int_equal(nghttp2_option_new(&o), 0);
	nghttp2_session_callbacks_set_on_header_callback(c, server_on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c,
	    server_on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c,
	    server_on_data);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_auto_ping_ack(o, 1);
	assert_int_equal(nghttp2_session_server_new2(&server.ng, c, NULL, o),
	    0);
	nghttp2_session_callbacks_del(c);
	nghttp2_option_del(o);
	assert_int_equal(nghttp2_submit_settings(server.ng, NGHTTP2_FLAG_NONE,
	    settings, 2), 0);
	serve(w);
}

static void
server_leave(void)
{
	nghttp2_session_del(server.ng);
	close(server.fd);
}

static void
expect_heard(struct world *w, const char *want)
{
	serve(w);
	assert_string_equal(server.heard, want);
	server.heard[0] = '\0';
}

/* BODY NULL: none; IS_OPEN: it does not end. */
static void
answer(struct world *w, int32_t id, const char *body, bool is_open)
{
	nghttp2_nv status = {
		(uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)"200",
		7, 3, NGHTTP2_NV_FLAG_NONE
	};
	nghttp2_data_provider provider = {
		.read_callback = server_on_read
	};

	server.body.p = body;
	server.body.is_open = is_open;
	assert_int_equal(nghttp2_submit_response(server.ng, id, &status, 1,
	    body != NULL ? &provider : NULL), 0);
	serve(w);
}

static int
open_h2(void **state)
{
	struct world *w;

	world_open(state);
	w = *state;
	w->conf.protocol = &h2_client_protocol;
	return 0;
}

static void
call(struct world *w)
{
	assert_int_equal(begin(w, GET), STEP_WAIT);
}

/* ---- streams ----------------------------------------------------------- */

static void
a_request_is_a_stream(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	expect_heard(w, "1:/;1 end;");
	answer(w, 1, "hi", false);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	server_leave();
}

static void
the_next_is_of_the_same_connection(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	answer(w, 1, "hi", false);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	call(w);
	expect_heard(w, "1:/;1 end;3:/;3 end;");
	answer(w, 3, NULL, false);
	assert_int_equal(finish(w), 200);
	assert_false(has_new_connection(w));
	assert_int_equal(w->stats.dialled, 1);
	server_leave();
}

static void
a_client_that_left_resets_its_stream_only(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	world_end_txn(w);
	expect_heard(w, "1:/;1 end;1 reset 8;"); /* CANCEL */
	call(w);
	expect_heard(w, "3:/;3 end;");
	server_leave();
}

static void
a_refused_stream_is_tried_again(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	nghttp2_submit_rst_stream(server.ng, NGHTTP2_FLAG_NONE, 1,
	    NGHTTP2_REFUSED_STREAM);
	expect_heard(w, "1:/;1 end;3:/;3 end;");
	answer(w, 3, "hi", false);
	assert_int_equal(finish(w), 200);
	assert_int_equal(w->stats.retries, 1);
	server_leave();
}

static void
but_only_once(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	nghttp2_submit_rst_stream(server.ng, NGHTTP2_FLAG_NONE, 1,
	    NGHTTP2_REFUSED_STREAM);
	serve(w);
	nghttp2_submit_rst_stream(server.ng, NGHTTP2_FLAG_NONE, 3,
	    NGHTTP2_REFUSED_STREAM);
	serve(w);
	assert_int_equal(finish(w), 503);
	assert_string_equal(w->t->reason, "upstream_unprocessed");
	server_leave();
}

static void
another_reset_is_a_failure(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	nghttp2_submit_rst_stream(server.ng, NGHTTP2_FLAG_NONE, 1,
	    NGHTTP2_INTERNAL_ERROR);
	serve(w);
	assert_int_equal(finish(w), 502);
	assert_string_equal(w->t->reason, "upstream_stream");
	server_leave();
}

static void
a_reset_in_the_body_cuts_it(void **state)
{
	struct world *w = *state;
	enum flow_status st;

	call(w);
	server_accept(w, 100, 65535);
	answer(w, 1, "half", true);
	assert_int_equal(finish(w), 200);
	nghttp2_submit_rst_stream(server.ng, NGHTTP2_FLAG_NONE, 1,
	    NGHTTP2_INTERNAL_ERROR);
	serve(w);
	assert_string_equal(body(w, &st), "half");
	assert_int_equal(st, FLOW_FAIL);
	server_leave();
}

/* ---- connections ------------------------------------------------------- */

static void
after_goaway_there_is_another(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	nghttp2_submit_goaway(server.ng, NGHTTP2_FLAG_NONE, 1,
	    NGHTTP2_NO_ERROR, NULL, 0);
	serve(w);
	/* What had begun is finished. */
	answer(w, 1, "hi", false);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_true(is_closed(w, server.fd));
	server_leave();
	call(w);
	server_accept(w, 100, 65535);
	expect_heard(w, "1:/;1 end;");
	server_leave();
}

static void
what_goaway_left_out_is_tried_on_another(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	nghttp2_submit_goaway(server.ng, NGHTTP2_FLAG_NONE, 0,
	    NGHTTP2_NO_ERROR, NULL, 0);
	serve(w);
	server_leave();
	server_accept(w, 100, 65535);
	expect_heard(w, "1:/;1 end;");
	answer(w, 1, "hi", false);
	assert_int_equal(finish(w), 200);
	server_leave();
}

static void
an_idle_connection_ends_with_goaway(void **state)
{
	struct world *w = *state;

	call(w);
	server_accept(w, 100, 65535);
	answer(w, 1, NULL, false);
	assert_int_equal(finish(w), 200);
	world_end_txn(w);
	expect_heard(w, "1:/;1 end;");
	clock_fake_advance(w->group->keepalive.idle);
	expect_heard(w, "goaway 0;");
	assert_true(is_closed(w, server.fd));
	server_leave();
}

/* Without it a server that is gone would be noticed by the time-out only. */
static void
silence_is_answered_by_a_ping(void **state)
{
	struct world *w = *state;

	w->conf.read_timeout = 600000;
	call(w);
	server_accept(w, 100, 65535);
	expect_heard(w, "1:/;1 end;");
	clock_fake_advance(w->group->keepalive.ping);
	expect_heard(w, "ping;");
	clock_fake_advance(10000);
	serve(w);
	assert_int_equal(finish(w), 504);
	assert_true(is_closed(w, server.fd));
	server_leave();
}

static void
a_server_that_does_not_answer_loses_the_call_only(void **state)
{
	struct world *w = *state;

	w->conf.read_timeout = 2000;
	call(w);
	server_accept(w, 100, 65535);
	clock_fake_advance(2000);
	expect_heard(w, "1:/;1 end;1 reset 8;");
	assert_int_equal(finish(w), 504);
	call(w);
	expect_heard(w, "3:/;3 end;");
	server_leave();
}

static void
what_is_no_http2_is_a_bad_server(void **state)
{
	struct world *w = *state;
	int fd;

	call(w);
	fd = accept_one(w);
	say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
	assert_int_equal(finish(w), 502);
	assert_string_equal(w->t->reason, "upstream_bad_http2");
	assert_true(is_closed(w, fd));
	close(fd);
}

/* ---- bodies ------------------------------------------------------------ */

#define POST "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* A call whose connection knows the server's settings from then on. */
static void
warm_up_h2(struct world *w, uint32_t window)
{
	call(w);
	server_accept(w, 100, window);
	answer(w, 1, NULL, false);
	assert_int_equal(finish(w), 200);
	expect_heard(w, "1:/;1 end;");
}

static void
a_body_leaves_as_the_server_allows(void **state)
{
	struct world *w = *state;

	warm_up_h2(w, 10);
	set_body(w, "0123456789abcdef", true);
	assert_int_equal(begin(w, POST), STEP_WAIT);
	expect_heard(w, "3:/;");
	assert_int_equal(server.got, 10);
	nghttp2_submit_window_update(server.ng, NGHTTP2_FLAG_NONE, 3, 100);
	expect_heard(w, "3 end;");
	assert_int_equal(server.got, 16);
	server_leave();
}

static void
a_server_that_takes_nothing_times_out(void **state)
{
	struct world *w = *state;

	w->conf.send_timeout = 2000;
	warm_up_h2(w, 0);
	set_body(w, "0123456789abcdef", true);
	assert_int_equal(begin(w, POST), STEP_WAIT);
	expect_heard(w, "3:/;");
	assert_int_equal(server.got, 0);
	clock_fake_advance(2000);
	serve(w);
	assert_int_equal(finish(w), 504);
	server_leave();
}

/* Nobody takes it, so the stream's window stays shut. */
static void
a_response_waits_for_its_taker(void **state)
{
	static char large[200001];
	struct world *w = *state;
	struct span span;

	memset(large, 'x', sizeof large - 1);
	call(w);
	server_accept(w, 100, 65535);
	answer(w, 1, large, false);
	assert_int_equal(finish(w), 200);
	serve(w);
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_DATA);
	assert_int_equal(span.n, 65536);
	flow_take(w->t->res.body, 65536);
	serve(w);
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_DATA);
	assert_in_range(span.n, 65536, 200000 - 65536);
	server_leave();
}

/* ---- deadlines --------------------------------------------------------- */

static void
a_body_that_is_ended_by_us_is_whole(void **state)
{
	struct world *w = *state;
	enum flow_status st;

	w->conf.is_grpc = true;
	assert_int_equal(begin(w, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Content-Type: application/grpc\r\ngrpc-timeout: 1S\r\n\r\n"),
	    STEP_WAIT);
	w->t->req.minor = 1;
	server_accept(w, 100, 65535);
	answer(w, 1, "half", true);
	assert_int_equal(finish(w), 200);
	clock_fake_advance(1000);
	expect_heard(w, "1:/;1 end;1 reset 8;");
	assert_string_equal(body(w, &st), "half");
	assert_int_equal(st, FLOW_END);
	assert_true(str_eq(head_value_name(w->t->res.trailers,
	    STR("grpc-status")), STR("4")));
	assert_string_equal(w->t->reason, "upstream_deadline");
	server_leave();
}

#define H2_TEST(name) \
	cmocka_unit_test_setup_teardown(name, open_h2, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		H2_TEST(a_request_is_a_stream),
		H2_TEST(the_next_is_of_the_same_connection),
		H2_TEST(a_client_that_left_resets_its_stream_only),
		H2_TEST(a_refused_stream_is_tried_again),
		H2_TEST(but_only_once),
		H2_TEST(another_reset_is_a_failure),
		H2_TEST(a_reset_in_the_body_cuts_it),
		H2_TEST(after_goaway_there_is_another),
		H2_TEST(what_goaway_left_out_is_tried_on_another),
		H2_TEST(an_idle_connection_ends_with_goaway),
		H2_TEST(silence_is_answered_by_a_ping),
		H2_TEST(a_server_that_does_not_answer_loses_the_call_only),
		H2_TEST(what_is_no_http2_is_a_bad_server),
		H2_TEST(a_body_leaves_as_the_server_allows),
		H2_TEST(a_server_that_takes_nothing_times_out),
		H2_TEST(a_response_waits_for_its_taker),
		H2_TEST(a_body_that_is_ended_by_us_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
