/*
 * A stream of HTTP/2: one transaction, from the first field of its head until
 * nghttp2 has forgotten it and the log is written.
 */
#include "http/h2_conn.h"

#include "base/clock.h"
#include "base/panic.h"

#include <nghttp2/nghttp2.h>

static const struct transport h2_transport;

static void h2_stream_on_timeout(struct timer *timer);

struct h2_stream *
h2_stream_new(struct h2 *h, int32_t id)
{
	struct txn *t = txn_new(h->client.server, &h2_transport, &h->conn,
	    NULL);
	struct h2_stream *s = arena_zalloc(t->arena, sizeof *s);

	t->carrier = s;
	t->req.is_https = conn_is_tls(&h->conn);
	t->req.is_early = h->conn.reads_early;
	t->req.major = 2;
	s->h2 = h;
	s->txn = t;
	s->id = id;
	s->timer.name = "h2 stream";
	s->timer.expired = h2_stream_on_timeout;
	list_init(&s->todo);
	list_push_back(&h->more->streams, &s->link);
	h->n_streams++;
	h2_note_idle(h, false);
	h2_head_init(&s->head, &t->req.head, t->arena, h2_conf(h));
	/* Until its head is whole it has none; nobody asks. */
	s->body.flow.length = 0;
	h2_memory_weigh(s);
	return s;
}

/* ---- the end ----------------------------------------------------------- */

void
h2_stream_end(struct h2_stream *s, enum close_reason why)
{
	struct h2 *h = s->h2;
	struct txn *t = s->txn;

	timer_stop(h->conn.net->loop, &s->timer);
	list_remove(&s->todo);
	list_remove(&s->link);
	h->n_streams--;
	h->requests++;
	/* What the client has to do better is its handshake. */
	if (t->refusal == REFUSAL_NO_CERTIFICATE ||
	    t->refusal == REFUSAL_BAD_CERTIFICATE)
		h->is_parting = true;
	txn_finish(t, why);
	if (!s->body.closed)
		h2_body_drop(s);
	h2_memory_forget(s);
	txn_end(t);
}

void
h2_stream_reset(struct h2_stream *s, uint32_t error_code,
    enum close_reason why)
{
	if (s->reset || s->gone)
		return;
	s->reset = true;
	s->why = (uint8_t)why;
	nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id,
	    error_code);
	h2_wake(s->h2);
}

static void
h2_stream_bury(struct h2_stream *s)
{
	enum close_reason why = (enum close_reason)s->why;

	if (s->sent_end && why == CLOSE_DONE) {
		h2_stream_end(s, CLOSE_DONE);
		return;
	}
	if (why == CLOSE_DONE) {
		why = CLOSE_PEER;
		if (s->txn->reason == NULL && s->begun)
			s->txn->reason = "client_left";
	}
	h2_stream_end(s, why);
}

/* ---- the beginning ----------------------------------------------------- */

/*
 * A malformed request is an error of its stream (RFC 9113 section 8.1.1), and
 * not worth an answer: what one reader takes for a field another may not.
 */
static bool
h2_stream_is_malformed(enum refusal why)
{
	switch ((int)why) {
	case REFUSAL_BAD_FIELD:
	case REFUSAL_CONTROL:
	case REFUSAL_BAD_HOST:
	case REFUSAL_MANY_HOSTS:
		return true;
	}
	return false;
}

static void
h2_stream_refuse(struct h2_stream *s, enum refusal why)
{
	if (h2_stream_is_malformed(why)) {
		s->txn->server->stats->requests++;
		txn_note_refusal(s->txn, why);
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, CLOSE_BAD_REQUEST);
		return;
	}
	if (why == REFUSAL_LARGE_HEAD || why == REFUSAL_MANY_FIELDS)
		h2_blame(s->h2, H2_ABUSE_LARGE_HEAD);
	txn_refuse(s->txn, why);
}

/* Scheme and connection must agree, and a site that does not want HTTP/2 is
 * not to be reached through a neighbour's connection. */
static bool
h2_stream_is_misdirected(const struct h2_stream *s)
{
	const struct txn *t = s->txn;

	if (!t->req.is_https && str_case_eq(s->head.scheme, STR("https")))
		return !conn_is_trusted(t->conn);
	return t->req.is_https && t->site != NULL &&
	    !t->site->http->http2->enabled;
}

static enum refusal
h2_stream_read_head(struct h2_stream *s)
{
	struct txn *t = s->txn;
	enum refusal why = (enum refusal)s->refusal;
	enum refusal finish;
	struct str target;

	/* Also of one that is refused, for the log. */
	finish = h2_head_finish(&s->head, t, &target);
	if (why == REFUSAL_NONE)
		why = finish;
	if (why == REFUSAL_NONE)
		why = request_read(t, target);
	if (why == REFUSAL_NONE && h2_stream_is_misdirected(s))
		why = REFUSAL_MISDIRECTED;
	return why;
}

static void
h2_stream_begin(struct h2_stream *s)
{
	struct txn *t = s->txn;
	struct server *server = t->server;
	enum refusal why;

	s->begun = true;
	t->request_bytes += s->head.size;
	if (s->h2->is_fresh) {
		s->h2->is_fresh = false;
		client_settle(&s->h2->client);
	}
	server->current = t;
	why = h2_stream_read_head(s);
	loop_note(server->net->loop, t->req.line.p, t->req.line.n);
	h2_body_init(s);
	if (why != REFUSAL_NONE) {
		h2_stream_refuse(s, why);
	} else {
		request_report_head(t, h2_conf(s->h2), s->head.size);
		/* Of what came with the head nobody has seen the limit; where
		 * the length is known it is seen to with the route. */
		if (t->req.body->length < 0)
			h2_body_weigh(s);
		txn_begin(t);
	}
	server->current = NULL;
}

/* ---- the driver -------------------------------------------------------- */

static void
h2_stream_step(struct h2_stream *s)
{
	if (s->reset)
		return;
	if (s->head_done && !s->begun)
		h2_stream_begin(s);
	if (!s->begun || s->reset)
		return;
	txn_continue(s->txn);
	if (s->ready && !s->submitted && !s->reset)
		h2_stream_submit(s);
	if (s->deferred) {
		s->deferred = false;
		h2_stream_await_reader(s);
		nghttp2_session_resume_data(s->h2->session, s->id);
	}
}

void
h2_stream_turn(struct h2_stream *s)
{
	if (s->gone) {
		h2_stream_bury(s);
		return;
	}
	h2_stream_step(s);
	h2_memory_weigh(s);
}

/* ---- time -------------------------------------------------------------- */

void
h2_stream_await_reader(struct h2_stream *s)
{
	timer_start(s->h2->conn.net->loop, &s->timer,
	    request_conf(s->txn)->send_timeout);
}

/* While a response leaves its reader is who is waited for; and a WebSocket may
 * be silent. */
void
h2_stream_await_body(struct h2_stream *s)
{
	uint64_t patience;

	if (s->body.is_raw || s->body.ended || (s->submitted && !s->deferred))
		return;
	patience = body_rate_patience(&s->body.rate, request_conf(s->txn));
	timer_start(s->h2->conn.net->loop, &s->timer,
	    patience > 0 ? patience : 1);
}

/* Its window is shut, or the connection's is: nobody but the client can open
 * it. Otherwise others had precedence, or the socket is full, which has a
 * deadline of its own. */
static bool
h2_stream_is_shut(const struct h2_stream *s)
{
	nghttp2_session *n = s->h2->session;

	return nghttp2_session_get_stream_remote_window_size(n, s->id) <= 0 ||
	    nghttp2_session_get_remote_window_size(n) <= 0;
}

static void
h2_stream_on_timeout(struct timer *timer)
{
	struct h2_stream *s = CONTAINER_OF(timer, struct h2_stream, timer);
	enum refusal why;

	if (s->gone || s->h2->conn.closing)
		return;
	if (s->submitted && !s->deferred) {
		if (!h2_stream_is_shut(s)) {
			h2_stream_await_reader(s);
			return;
		}
		h2_stream_reset(s, NGHTTP2_CANCEL, CLOSE_SEND_TIMEOUT);
		h2_blame(s->h2, H2_ABUSE_STALLED);
		return;
	}
	if (!s->body.waiting)
		return;
	if (s->submitted) {
		h2_stream_reset(s, NGHTTP2_CANCEL, CLOSE_BODY_TIMEOUT);
		return;
	}
	why = body_rate_overdue(&s->body.rate, s->txn, request_conf(s->txn));
	if (why == REFUSAL_NONE) {
		h2_stream_await_body(s);
		return;
	}
	/* Whoever reads the body is told, and answers 408. */
	txn_note_refusal(s->txn, why);
	h2_body_fail(s);
}

/* ---- what transactions ask --------------------------------------------- */

static void
h2_stream_on_send(struct txn *t)
{
	struct h2_stream *s = t->carrier;

	s->ready = true;
	h2_do(s);
}

static void
h2_stream_on_resume(struct txn *t)
{
	h2_do(t->carrier);
}

static void
h2_stream_on_interim(struct txn *t, int status, const struct head *head)
{
	h2_stream_interim(t->carrier, status, head);
}

static const struct transport h2_transport = {
	.name = "HTTP/2",
	.send = h2_stream_on_send,
	.resume = h2_stream_on_resume,
	.interim = h2_stream_on_interim
};
