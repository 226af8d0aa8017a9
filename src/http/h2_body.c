/*
 * The body of an HTTP/2 request as a flow. What came and was not taken yet is
 * kept; the stream's window is opened again only by what was taken, so that is
 * never more than a window.
 */
#include "http/h2_conn.h"

#include "base/panic.h"

#include <nghttp2/nghttp2.h>

static const struct flow_ops h2_body_ops;

static struct h2_stream *
h2_body_stream(struct flow *f)
{
	return CONTAINER_OF(f, struct h2_stream, body.flow);
}

/* What came together with its head is here already, perhaps all of it. */
void
h2_body_init(struct h2_stream *s)
{
	struct h2_body *b = &s->body;
	const struct http_conf *conf = request_conf(s->txn);

	b->flow.ops = &h2_body_ops;
	/* With trailers it has to be a body whose end is marked. */
	b->flow.length = b->ended && s->trailers == NULL ?
	    (int64_t)leftover_len(&b->in) :
	    h2_head_length(&s->txn->req.head);
	b->max = conf->max_body_size;
	body_rate_init(&b->rate, conf);
	b->continue_owed = s->txn->req.expects_continue && !b->ended;
	/* Of a stream that is to be a WebSocket nothing is a body. */
	if (s->txn->req.wants_upgrade)
		b->flow.length = 0;
	s->txn->req.body = &b->flow;
}

/* Bytes that will not be looked at any more free the connection's window, or
 * streams that are over would close it for the others. */
static void
h2_body_release(struct h2_stream *s, size_t n)
{
	ASSERT(s->h2->more->held >= n);
	s->h2->more->held -= n;
	h2_settle_window(s->h2);
}

void
h2_body_drop(struct h2_stream *s)
{
	size_t n = leftover_len(&s->body.in);

	s->body.closed = true;
	s->body.waiting = false;
	leftover_free(s->h2->conn.net, &s->body.in);
	h2_memory_weigh(s);
	h2_body_release(s, n);
}

void
h2_body_fail(struct h2_stream *s)
{
	if (s->body.failed)
		return;
	s->body.failed = true;
	s->body.waiting = false;
	flow_wake(&s->body.flow);
}

static bool
h2_body_is_too_large(struct h2_stream *s)
{
	const struct h2_body *b = &s->body;

	if (b->max == 0 || b->is_raw || b->received <= b->max)
		return false;
	return !txn_tolerates(s->txn, request_conf(s->txn),
	    REFUSAL_LARGE_BODY);
}

void
h2_body_weigh(struct h2_stream *s)
{
	if (!h2_body_is_too_large(s))
		return;
	if (s->txn->reason == NULL)
		txn_note_refusal(s->txn, REFUSAL_LARGE_BODY);
	h2_body_fail(s);
}

/* ---- what comes -------------------------------------------------------- */

static void
h2_body_wake(struct h2_stream *s)
{
	if (!s->body.waiting)
		return;
	s->body.waiting = false;
	if (!s->submitted)
		timer_stop(s->h2->conn.net->loop, &s->timer);
	flow_wake(&s->body.flow);
}

void
h2_body_receive(struct h2_stream *s, const void *p, size_t n)
{
	struct h2_body *b = &s->body;
	struct h2 *h = s->h2;

	s->txn->request_bytes += n;
	b->received += n;
	h->more->owed += n;
	if (b->closed || b->failed) {
		h2_settle_window(h);
		return;
	}
	h2_body_weigh(s);
	if (b->failed) {
		h2_settle_window(h);
		return;
	}
	body_rate_earn(&b->rate, request_conf(s->txn), n);
	leftover_put(h->conn.net, &b->in, p, n);
	h->more->held += n;
	h2_memory_weigh(s);
	h2_settle_window(h);
	h2_body_wake(s);
}

void
h2_body_end(struct h2_stream *s)
{
	s->body.ended = true;
	h2_body_wake(s);
}

void
h2_body_upgrade(struct h2_stream *s)
{
	s->body.is_raw = true;
	s->body.flow.length = -1;
	flow_wake(&s->body.flow);
}

/* ---- the flow ---------------------------------------------------------- */

static enum flow_status
h2_body_peek(struct flow *f, struct span *out)
{
	struct h2_stream *s = h2_body_stream(f);
	struct h2_body *b = &s->body;

	if (b->failed)
		return FLOW_FAIL;
	if (leftover_len(&b->in) > 0) {
		*out = (struct span){
			.p = b->in.p + b->in.at, .n = leftover_len(&b->in)
		};
		return FLOW_DATA;
	}
	if (b->ended || (s->txn->req.wants_upgrade && !b->is_raw))
		return FLOW_END;
	if (b->continue_owed && b->received == 0)
		s->txn->transport->interim(s->txn, 100, NULL);
	b->continue_owed = false;
	b->waiting = true;
	body_rate_wait(&b->rate);
	h2_stream_await_body(s);
	return FLOW_WAIT;
}

static void
h2_body_take(struct flow *f, size_t n)
{
	struct h2_stream *s = h2_body_stream(f);

	if (n == 0)
		return;
	leftover_take(s->h2->conn.net, &s->body.in, n);
	h2_memory_weigh(s);
	if (f->length > 0)
		f->length -= (int64_t)n;
	if (!s->gone)
		nghttp2_session_consume_stream(s->h2->session, s->id, n);
	h2_body_release(s, n);
	h2_wake(s->h2);
}

static void
h2_body_close(struct flow *f)
{
	h2_body_drop(h2_body_stream(f));
}

static const struct flow_ops h2_body_ops = {
	.name = "h2_body",
	.peek = h2_body_peek,
	.take = h2_body_take,
	.close = h2_body_close
};
