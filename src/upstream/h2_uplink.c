/*
 * A connection to an upstream that speaks HTTP/2. nghttp2 knows frames and
 * HPACK; this file moves its bytes, says how long the connection lives, and
 * bounds what a server may have us do for nothing.
 *
 * nghttp2's callbacks only take notes on calls (upstream/h2_client.c). Whoever
 * has to be told something is on the list of news, and is told when nghttp2 has
 * returned: an owner may then begin a call, or end this very connection.
 * What all calls send in a tick leaves in one write.
 */
#include "upstream/h2_uplink.h"

#if WEIR_HTTP2

#include "base/clock.h"
#include "base/panic.h"
#include "http/server.h"
#include "upstream/h2_pool.h"
#include "upstream/h2_answer.h"

#include <stdio.h>

/* Streams until the server's SETTINGS have come, which is soon: more could be
 * more than it takes, and some then end the connection. And at most. */
#define H2_UPLINK_FIRST_CALLS 1
#define H2_UPLINK_CALLS 1024
/* Of the whole connection. Streams have their own windows, and what arrives is
 * theirs at once: one that is not read must not hold up the others. */
#define H2_UPLINK_WINDOW (16 << 20)
/* How long an answer to PING may take. */
#define H2_UPLINK_PONG_MS 10000
/* 64 KiB each; then others have a turn. */
#define H2_UPLINK_READS 4
/* Frames without use that are borne at once, and per second. An upload earns
 * WINDOW_UPDATEs, a download PINGs that measure it. */
#define H2_UPLINK_PATIENCE 4000
#define H2_UPLINK_EARNED 4
#define H2_UPLINK_CONTINUATIONS 8

/* ---- ends -------------------------------------------------------------- */

static void
h2_uplink_on_reap(struct task *t)
{
	struct h2_uplink *s = CONTAINER_OF(t, struct h2_uplink, reap);

	nghttp2_session_del(s->ng);
	s->magic = 0;
	mem_free(s);
}

static void
h2_uplink_close(struct h2_uplink *s, enum close_reason why)
{
	struct net *net = s->pool->backend->net;

	list_remove(&s->link);
	s->pool->n_sessions--;
	s->pool = NULL;
	task_cancel(&s->write);
	task_cancel(&s->read);
	leftover_free(net, &s->out);
	uplink_close(s->up, why);
	loop_reap(net->loop, &s->reap);
}

/* It carries nothing any more. Calls may try again on another one. */
static void
h2_uplink_fail(struct h2_uplink *s, enum exchange_cause cause,
    const char *detail)
{
	struct h2_pool *p = s->pool;
	char words[160] = "";
	struct list *n;

	if (p == NULL)
		return;
	/* They may be the connection's, which is gone then. */
	if (detail != NULL)
		snprintf(words, sizeof words, "%s", detail);
	h2_uplink_close(s, cause == CAUSE_CLOSED ? CLOSE_PEER :
	    cause == CAUSE_RESET ? CLOSE_RESET : CLOSE_ABORTED);
	while ((n = list_pop_front(&s->calls)) != NULL)
		h2_client_lose(LIST_ITEM(n, struct h2_client, link), cause,
		    detail != NULL ? words : NULL);
	h2_pool_serve(p);
}

static void
h2_uplink_settle(struct h2_uplink *s)
{
	struct list *n;

	while (s->pool != NULL && (n = list_pop_front(&s->news)) != NULL)
		h2_client_settle(LIST_ITEM(n, struct h2_client, news));
}

/* Not where a call ends: whoever ends it may be in the midst of the scratch
 * pages, which the body of the next one is read into. */
static void
h2_uplink_admit(struct h2_uplink *s)
{
	if (!s->has_room)
		return;
	s->has_room = false;
	h2_pool_serve(s->pool);
}

/* ---- time -------------------------------------------------------------- */

static const struct upstream_keepalive_conf *
h2_uplink_keepalive(const struct h2_uplink *s)
{
	return &s->pool->backend->group->keepalive;
}

static void
h2_uplink_arm(struct h2_uplink *s)
{
	const struct upstream_keepalive_conf *k = h2_uplink_keepalive(s);

	if (!s->pinged)
		conn_set_deadline(&s->up->conn,
		    s->n_calls > 0 ? k->ping : k->idle);
}

static void
h2_uplink_on_timeout(struct uplink *up, void *arg)
{
	struct h2_uplink *s = arg;
	uint64_t silent = clock_ms() - s->heard_ms;
	const struct upstream_keepalive_conf *k = h2_uplink_keepalive(s);

	(void)up;
	OBJ_CHECK(s, H2_UPLINK_MAGIC);
	if (s->n_calls == 0)
		h2_uplink_drain(s);
	else if (s->pinged)
		h2_uplink_fail(s, CAUSE_TIMEOUT, "no answer to a PING");
	else if (silent < k->ping)
		conn_set_deadline(&s->up->conn, k->ping - silent);
	else if (nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) == 0) {
		s->pinged = true;
		conn_set_deadline(&s->up->conn, H2_UPLINK_PONG_MS);
		h2_uplink_wants_write(s);
	}
}

/* ---- writing ----------------------------------------------------------- */

/* Frames of all calls to TO, as many as fit; false: nghttp2 gave up. */
static bool
h2_uplink_compose(struct h2_uplink *s, char *to, size_t *n)
{
	struct net *net = s->pool->backend->net;
	const uint8_t *p;
	ssize_t some;

	*n = 0;
	while (*n <= NET_SCRATCH - 2 * NET_PAGE) {
		some = nghttp2_session_mem_send(s->ng, &p);
		if (some <= 0)
			return some == 0;
		if ((size_t)some > NET_SCRATCH - *n) {
			leftover_put(net, &s->out, p, (size_t)some);
			return true;
		}
		memcpy(to + *n, p, (size_t)some);
		*n += (size_t)some;
	}
	return true;
}

static enum conn_status
h2_uplink_send(struct h2_uplink *s, const char *p, size_t n, size_t *sent)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};

	*sent = 0;
	if (!s->up->conn.can_write)
		return CONN_AGAIN;
	return conn_write(&s->up->conn, &iov, 1, sent);
}

/* False: the connection takes nothing any more. */
static bool
h2_uplink_flush(struct h2_uplink *s)
{
	struct net *net = s->pool->backend->net;
	enum conn_status st;
	size_t n, sent;

	while (leftover_len(&s->out) > 0) {
		st = h2_uplink_send(s, s->out.p + s->out.at,
		    leftover_len(&s->out), &sent);
		if (st != CONN_OK)
			return st == CONN_AGAIN;
		leftover_take(net, &s->out, sent);
	}
	while (s->up->conn.can_write && leftover_len(&s->out) == 0) {
		if (!h2_uplink_compose(s, net->out, &n))
			return false;
		if (n == 0)
			return true;
		st = h2_uplink_send(s, net->out, n, &sent);
		if (st != CONN_OK && st != CONN_AGAIN)
			return false;
		if (sent < n) {
			struct leftover late = s->out;

			/* What did not fit the page comes after it. */
			s->out = (struct leftover){0};
			leftover_put(net, &s->out, net->out + sent, n - sent);
			if (leftover_len(&late) > 0)
				leftover_put(net, &s->out, late.p + late.at,
				    leftover_len(&late));
			leftover_free(net, &late);
		}
	}
	return true;
}

static void h2_uplink_read(struct h2_uplink *s);

static void
h2_uplink_on_write(struct task *t)
{
	struct h2_uplink *s = CONTAINER_OF(t, struct h2_uplink, write);
	struct h2_pool *p = s->pool;
	bool ok = h2_uplink_flush(s);

	LIST_EACH(n, &s->calls)
		h2_client_arm(LIST_ITEM(n, struct h2_client, link));
	h2_uplink_settle(s);
	if (s->pool == NULL)
		return;
	if (s->draining && s->n_calls == 0) {
		h2_uplink_close(s, CLOSE_DONE);
		h2_pool_serve(p);
		return;
	}
	h2_uplink_admit(s);
	/* It may have said why before it closed. */
	if (!ok)
		h2_uplink_read(s);
	if (!ok)
		h2_uplink_fail(s, CAUSE_RESET, NULL);
	else if (!nghttp2_session_want_read(s->ng) &&
	    !nghttp2_session_want_write(s->ng))
		h2_uplink_fail(s, CAUSE_BAD_HTTP2, s->why);
}

void
h2_uplink_wants_write(struct h2_uplink *s)
{
	if (s->pool != NULL)
		loop_defer(s->pool->backend->net->loop, &s->write);
}

/* ---- reading ----------------------------------------------------------- */

/* Bytes of the scratch page. False: the connection is of no use any more. */
static bool
h2_uplink_take(struct h2_uplink *s, const char *p, size_t n)
{
	ssize_t took = nghttp2_session_mem_recv(s->ng, (const uint8_t *)p, n);

	s->heard_ms = clock_ms();
	h2_uplink_settle(s);
	if (s->pool == NULL)
		return false;
	h2_uplink_admit(s);
	if (took >= 0 && s->patience > 0)
		return true;
	if (s->why == NULL)
		s->why = took < 0 ? nghttp2_strerror((int)took) :
		    "too many frames that do nothing";
	(void)nghttp2_session_terminate_session(s->ng,
	    NGHTTP2_ENHANCE_YOUR_CALM);
	(void)h2_uplink_flush(s);
	h2_uplink_fail(s, CAUSE_BAD_HTTP2, s->why);
	return false;
}

static void
h2_uplink_read(struct h2_uplink *s)
{
	struct conn *c = &s->up->conn;
	struct net *net = s->pool->backend->net;
	size_t n;

	for (int i = 0; i < H2_UPLINK_READS; i++) {
		if (!c->can_read && !c->hung_up)
			break;
		switch (conn_read(c, net->in, NET_SCRATCH, &n)) {
		case CONN_OK:
			if (!h2_uplink_take(s, net->in, n))
				return;
			break;
		case CONN_AGAIN:
			i = H2_UPLINK_READS;
			break;
		case CONN_EOF:
			h2_uplink_fail(s, CAUSE_CLOSED, NULL);
			return;
		case CONN_FAILED:
			h2_uplink_fail(s, CAUSE_RESET, conn_failure(c));
			return;
		}
	}
	if (c->can_read || c->hung_up)
		loop_next(net->loop, &s->read);
	if (nghttp2_session_want_write(s->ng) ||
	    !nghttp2_session_want_read(s->ng))
		h2_uplink_wants_write(s);
}

static void
h2_uplink_on_read(struct task *t)
{
	struct h2_uplink *s = CONTAINER_OF(t, struct h2_uplink, read);

	OBJ_CHECK(s, H2_UPLINK_MAGIC);
	h2_uplink_read(s);
}

static void
h2_uplink_on_ready(struct uplink *up, void *arg)
{
	struct h2_uplink *s = arg;

	OBJ_CHECK(s, H2_UPLINK_MAGIC);
	h2_uplink_read(s);
	if (s->pool != NULL && up->conn.can_write)
		h2_uplink_wants_write(s);
}

static const struct uplink_user h2_uplink_user = {
	.ready = h2_uplink_on_ready,
	.timeout = h2_uplink_on_timeout,
};

/* ---- what nghttp2 tells ------------------------------------------------ */

static struct h2_client *
h2_uplink_call(struct h2_uplink *s, int32_t id)
{
	struct h2_client *h = nghttp2_session_get_stream_user_data(s->ng, id);

	if (h == NULL)
		return NULL;
	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	return h;
}

static void
h2_uplink_note(struct h2_uplink *s, struct h2_client *h)
{
	if (!list_is_linked(&h->news))
		list_push_back(&s->news, &h->news);
}

/* A frame that moves no request. The budget fills with time, to its top. */
static void
h2_uplink_bear(struct h2_uplink *s)
{
	int64_t now = (int64_t)clock_ms();
	int64_t more = (now - s->patience_ms) * H2_UPLINK_PATIENCE / 1000;

	if (more > 0) {
		s->patience_ms = now;
		s->patience = more > H2_UPLINK_PATIENCE - s->patience ?
		    H2_UPLINK_PATIENCE : s->patience + more;
	}
	s->patience--;
}

static int
h2_uplink_on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd,
    void *arg)
{
	struct h2_uplink *s = arg;

	(void)ng;
	if (hd->type != NGHTTP2_CONTINUATION) {
		s->continuations = 0;
		return 0;
	}
	h2_uplink_bear(s);
	if (++s->continuations <= H2_UPLINK_CONTINUATIONS)
		return 0;
	s->why = "a head in too many CONTINUATION frames";
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
h2_uplink_on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame,
    void *arg)
{
	struct h2_client *h = h2_uplink_call(arg, frame->hd.stream_id);

	(void)ng;
	if (h != NULL)
		h2_answer_on_head(h);
	return 0;
}

static int
h2_uplink_on_header(nghttp2_session *ng, const nghttp2_frame *frame,
    const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value,
    uint8_t flags, void *arg)
{
	struct h2_client *h = h2_uplink_call(arg, frame->hd.stream_id);

	(void)ng;
	if (h == NULL || h2_answer_on_field(h,
	    str_of((const char *)name, n_name),
	    str_of((const char *)value, n_value),
	    (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0))
		return 0;
	h2_uplink_note(arg, h);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Left alone, nghttp2 would drop the field and go on. */
static int
h2_uplink_on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame,
    const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value,
    uint8_t flags, void *arg)
{
	struct h2_client *h = h2_uplink_call(arg, frame->hd.stream_id);

	(void)ng, (void)name, (void)n_name, (void)value, (void)n_value;
	(void)flags;
	if (h != NULL) {
		h2_answer_fail(h, CAUSE_BAD_HEAD, NULL);
		h2_uplink_note(arg, h);
	}
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
h2_uplink_on_settings(struct h2_uplink *s)
{
	uint32_t max = nghttp2_session_get_remote_settings(s->ng,
	    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	s->has_settings = s->has_room = true;
	s->limit = max < H2_UPLINK_CALLS ? max : H2_UPLINK_CALLS;
}

static int
h2_uplink_on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_uplink *s = arg;
	struct h2_client *h = h2_uplink_call(s, frame->hd.stream_id);
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (h == NULL)
			break;
		h->call.bytes_in += frame->hd.length;
		h2_answer_on_head_end(h, is_end);
		h2_uplink_note(s, h);
		return 0;
	case NGHTTP2_DATA:
		if (h != NULL && is_end) {
			h->ended = true;
			h2_uplink_note(s, h);
		}
		if (h != NULL && (frame->hd.length > 0 || is_end))
			return 0;
		break;
	case NGHTTP2_SETTINGS:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
			return 0;
		h2_uplink_on_settings(s);
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
			s->pinged = false;
		break;
	case NGHTTP2_GOAWAY:
		s->draining = true;
		break;
	default:
		break;
	}
	h2_uplink_bear(s);
	return 0;
}

static int
h2_uplink_on_data(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *arg)
{
	struct h2_uplink *s = arg;
	struct h2_client *h = h2_uplink_call(s, id);

	(void)flags;
	/* The connection's window is given back at once; the stream's when the
	 * bytes have found a taker. */
	if (nghttp2_session_consume_connection(ng, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (h == NULL) {
		(void)nghttp2_session_consume_stream(ng, id, n);
		return 0;
	}
	h2_answer_on_data(h, (const char *)p, n);
	h2_uplink_note(s, h);
	return 0;
}

static int
h2_uplink_on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code,
    void *arg)
{
	struct h2_client *h = h2_uplink_call(arg, id);

	(void)ng;
	if (h == NULL)
		return 0;
	h2_answer_on_close(h, code);
	h2_uplink_note(arg, h);
	return 0;
}

static int
h2_uplink_on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_uplink *s = arg;
	struct h2_client *h = h2_uplink_call(s, frame->hd.stream_id);

	(void)ng;
	if (frame->hd.type != NGHTTP2_HEADERS &&
	    frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (s->patience < H2_UPLINK_PATIENCE)
		s->patience += H2_UPLINK_EARNED;
	if (h == NULL)
		return 0;
	h->call.bytes_out += frame->hd.length;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		h->sent = true;
	return 0;
}

/* A head that may not leave any more: the server said GOAWAY before. */
static int
h2_uplink_on_not_sent(nghttp2_session *ng, const nghttp2_frame *frame,
    int code, void *arg)
{
	struct h2_uplink *s = arg;

	(void)ng, (void)code;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	/* The stream does not exist yet, so it cannot be asked whose it is. */
	LIST_EACH(n, &s->calls) {
		struct h2_client *h = LIST_ITEM(n, struct h2_client, link);

		if (h->id != frame->hd.stream_id)
			continue;
		h2_answer_on_close(h, NGHTTP2_REFUSED_STREAM);
		h2_uplink_note(s, h);
	}
	return 0;
}

static int
h2_uplink_on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame,
    int code, void *arg)
{
	struct h2_uplink *s = arg;
	struct h2_client *h = h2_uplink_call(s, frame->hd.stream_id);

	(void)ng;
	if (h == NULL)
		s->why = nghttp2_strerror(code);
	else {
		h2_answer_fail(h, CAUSE_BAD_HEAD, nghttp2_strerror(code));
		h2_uplink_note(s, h);
	}
	return 0;
}

/* ---- making ------------------------------------------------------------ */

static nghttp2_session_callbacks *
h2_uplink_callbacks(void)
{
	nghttp2_session_callbacks *c;
	int failed = nghttp2_session_callbacks_new(&c);

	ASSERT(failed == 0); /* memory is all that could be missing */
	nghttp2_session_callbacks_set_on_begin_frame_callback(c,
	    h2_uplink_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c,
	    h2_uplink_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c,
	    h2_uplink_on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c,
	    h2_uplink_on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c,
	    h2_uplink_on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c,
	    h2_uplink_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c,
	    h2_uplink_on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c,
	    h2_uplink_on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c,
	    h2_uplink_on_not_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c,
	    h2_uplink_on_invalid_frame);
	return c;
}

static void
h2_uplink_open(struct h2_uplink *s)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_ANSWER_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, CALL_MAX_HEAD},
	};
	nghttp2_session_callbacks *callbacks = h2_uplink_callbacks();
	nghttp2_option *options;
	int failed = nghttp2_option_new(&options);

	ASSERT(failed == 0);
	nghttp2_option_set_no_auto_window_update(options, 1);
	failed = nghttp2_session_client_new2(&s->ng, callbacks, s, options);
	ASSERT(failed == 0);
	failed = nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings,
	    COUNT_OF(settings));
	ASSERT(failed == 0);
	failed = nghttp2_session_set_local_window_size(s->ng,
	    NGHTTP2_FLAG_NONE, 0, H2_UPLINK_WINDOW);
	ASSERT(failed == 0);
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
}

struct h2_uplink *
h2_uplink_new(struct h2_pool *pool, struct uplink *up)
{
	struct h2_uplink *s = mem_zalloc(sizeof *s);

	s->magic = H2_UPLINK_MAGIC;
	s->pool = pool;
	s->up = up;
	s->limit = H2_UPLINK_FIRST_CALLS;
	s->heard_ms = clock_ms();
	s->patience = H2_UPLINK_PATIENCE;
	s->patience_ms = (int64_t)s->heard_ms;
	list_init(&s->link);
	list_init(&s->calls);
	list_init(&s->news);
	s->write = (struct task){.name = "h2", .run = h2_uplink_on_write};
	s->read = (struct task){.name = "h2", .run = h2_uplink_on_read};
	s->reap = (struct task){.name = "h2", .run = h2_uplink_on_reap};
	h2_uplink_open(s);
	uplink_use(up, &h2_uplink_user, s);
	h2_uplink_arm(s);
	h2_uplink_wants_write(s);
	return s;
}

/* ---- calls ------------------------------------------------------------- */

static bool
h2_uplink_is_worn(const struct h2_uplink *s)
{
	const struct upstream_keepalive_conf *k = h2_uplink_keepalive(s);

	if (k->connections == 0)
		return s->up->requests > 0;
	return s->up->requests >= (uint64_t)k->requests ||
	    clock_ms() - s->up->opened_ms >= k->lifetime;
}

bool
h2_uplink_takes_calls(const struct h2_uplink *s)
{
	return !s->draining && s->n_calls < s->limit &&
	    !s->up->conn.hung_up && !h2_uplink_is_worn(s) &&
	    nghttp2_session_check_request_allowed(s->ng);
}

void
h2_uplink_join(struct h2_uplink *s, struct h2_client *h)
{
	list_push_back(&s->calls, &h->link);
	s->n_calls++;
	s->up->requests++;
	if (s->n_calls == 1)
		h2_uplink_arm(s);
	h2_uplink_wants_write(s);
}

void
h2_uplink_leave(struct h2_uplink *s, struct h2_client *h)
{
	list_remove(&h->link);
	list_remove(&h->news);
	s->n_calls--;
	s->has_room = true;
	if (s->pool == NULL)
		return;
	h2_uplink_wants_write(s);
	if (s->n_calls > 0)
		return;
	h2_uplink_arm(s);
	if (s->draining || h2_uplink_is_worn(s) || s->pool->backend->draining)
		h2_uplink_drain(s);
}

void
h2_uplink_drain(struct h2_uplink *s)
{
	s->draining = true;
	if (s->n_calls > 0)
		return;
	(void)nghttp2_session_terminate_session(s->ng, NGHTTP2_NO_ERROR);
	h2_uplink_wants_write(s);
}

void
h2_uplink_end(struct h2_uplink *s)
{
	ASSERT(s->n_calls == 0);
	(void)h2_uplink_flush(s);
	h2_uplink_close(s, CLOSE_SHUTDOWN);
}

#endif
