/*
 * What leaves an HTTP/2 connection. Frames of all its streams are composed in
 * the scratch page, bodies go there straight from where they are, and a full
 * page is one write: many responses leave in one system call and in full TLS
 * records. What the socket does not take is kept, and until that has left
 * nothing more is composed: a client that does not read makes nothing grow.
 */
#include "http/h2_conn.h"

#include "base/clock.h"
#include "base/panic.h"
#include "http/status.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <unistd.h>

/* The largest frame that we send, with its head. */
#define FRAME_ROOM (16384 + 9)
/* What one connection may send before the others get their turn. */
#define SHARE 524288

bool
h2_is_sending(const struct h2 *h)
{
	return leftover_len(&h->out) > 0 || !h->conn.can_write;
}

static size_t
h2_send_room(const struct h2 *h)
{
	return h->more->buf.cap - h->more->buf.n;
}

/* ---- writing ----------------------------------------------------------- */

static bool
h2_send_kept(struct h2 *h)
{
	struct iovec iov = { .iov_len = leftover_len(&h->out) };
	size_t sent = 0;

	if (iov.iov_len == 0 || !h->conn.can_write)
		return true;
	iov.iov_base = h->out.p + h->out.at;
	if (conn_write(&h->conn, &iov, 1, &sent) == CONN_FAILED)
		return false;
	leftover_take(h->conn.net, &h->out, sent);
	return true;
}

static bool
h2_send_page(struct h2 *h)
{
	struct buf *b = &h->more->buf;
	struct iovec iov = { b->p, b->n };
	size_t sent = 0;

	if (b->n == 0)
		return true;
	if (h->conn.can_write &&
	    conn_write(&h->conn, &iov, 1, &sent) == CONN_FAILED)
		return false;
	leftover_put(h->conn.net, &h->out, b->p + sent, b->n - sent);
	b->n = 0;
	return true;
}

/* Fills the page; false: nghttp2 cannot go on. */
static bool
h2_send_fill(struct h2 *h)
{
	struct h2_more *m = h->more;

	m->paused = false;
	while (h2_send_room(h) >= FRAME_ROOM) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(h->session, &p);

		if (n < 0)
			return false;
		if (n == 0)
			return true;
		buf_put(&m->buf, p, (size_t)n);
		ASSERT(!m->buf.overflow);
	}
	m->paused = true;
	return true;
}

bool
h2_send(struct h2 *h)
{
	size_t share = 0;

	if (!h2_send_kept(h))
		return false;
	while (leftover_len(&h->out) == 0 && h->conn.can_write) {
		h->more->buf = buf_fixed(h->conn.net->out, NET_SCRATCH);
		if (!h2_send_fill(h))
			return false;
		share += h->more->buf.n;
		if (!h2_send_page(h))
			return false;
		if (!h->more->paused)
			return true;
		if (share >= SHARE) {
			loop_next(h->conn.net->loop, &h->work);
			return true;
		}
	}
	return true;
}

/* ---- DATA -------------------------------------------------------------- */

static int
h2_stream_cut(struct h2_stream *s)
{
	s->why = CLOSE_ABORTED;
	/* nghttp2 resets the stream with INTERNAL_ERROR, by which the client
	 * knows that the body is not whole. */
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* The body has ended; what follows are trailers or nothing. */
static int
h2_stream_finish_data(struct h2_stream *s, uint32_t *flags)
{
	const struct head *trailers = s->txn->res.trailers;
	nghttp2_nv *nv;
	size_t n;

	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (trailers == NULL)
		return 0;
	nv = h2_head_compose_trailers(s->txn->arena, trailers, &n);
	if (n == 0)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return nghttp2_submit_trailer(s->h2->session, s->id, nv, n) == 0 ? 0 :
	    NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* How much of the body the next frame carries: what a peek gives. */
static ssize_t
h2_stream_look(struct h2_stream *s, size_t max, uint32_t *flags)
{
	struct flow *body = s->txn->res.body;

	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	s->span.n = 0;
	if (s->left == 0)
		return h2_stream_finish_data(s, flags);
	switch (flow_peek(body, &s->span)) {
	case FLOW_DATA:
		break;
	case FLOW_WAIT:
		s->span.n = 0;
		s->deferred = true;
		timer_stop(s->h2->conn.net->loop, &s->timer);
		if (s->body.waiting)
			h2_stream_await_body(s);
		return NGHTTP2_ERR_DEFERRED;
	case FLOW_END:
		s->span.n = 0;
		return s->left > 0 ? h2_stream_cut(s) :
		    h2_stream_finish_data(s, flags);
	case FLOW_FAIL:
		s->span.n = 0;
		return h2_stream_cut(s);
	}
	if (s->span.n > max)
		s->span.n = max;
	if (s->left >= 0 && s->span.n > (uint64_t)s->left)
		s->span.n = (size_t)s->left;
	if (s->span.n == 0) {
		flow_take(body, 0);
		return h2_stream_cut(s); /* it would never end */
	}
	if (s->left == (int64_t)s->span.n) {
		int rv = h2_stream_finish_data(s, flags);

		if (rv != 0)
			flow_take(body, 0);
		return rv != 0 ? rv : (ssize_t)s->span.n;
	}
	return (ssize_t)s->span.n;
}

static ssize_t
h2_stream_on_read(nghttp2_session *session, int32_t id, uint8_t *to,
    size_t max, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)id;
	(void)to;
	(void)arg;
	return h2_stream_look(source->ptr, max, flags);
}

static bool
h2_stream_read_file(const struct span *span, char *to)
{
	size_t done = 0;

	while (done < span->n) {
		ssize_t n = pread(span->fd, to + done, span->n - done,
		    (off_t)(span->off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* it has shrunk */
			return false;
		done += (size_t)n;
	}
	return true;
}

int
h2_stream_send_data(struct h2_stream *s, const uint8_t *head, size_t n)
{
	struct h2 *h = s->h2;
	struct buf *b = &h->more->buf;
	size_t before = b->n;

	ASSERT(n == s->span.n && h2_send_room(h) >= n + 9);
	buf_put(b, head, 9);
	if (n > 0 && s->span.p != NULL) {
		buf_put(b, s->span.p, n);
	} else if (n > 0) {
		if (!h2_stream_read_file(&s->span, b->p + b->n)) {
			b->n = before;
			flow_take(s->txn->res.body, 0);
			return h2_stream_cut(s);
		}
		b->n += n;
	}
	if (n > 0)
		flow_take(s->txn->res.body, n);
	if (s->left > 0)
		s->left -= (int64_t)n;
	s->txn->bytes_sent += n + 9;
	s->txn->body_sent += n;
	h2_score_sent(&h->more->score);
	h2_stream_await_reader(s);
	if (h2_send_room(h) >= FRAME_ROOM)
		return 0;
	h->more->paused = true;
	return NGHTTP2_ERR_PAUSE;
}

/* ---- heads ------------------------------------------------------------- */

static void
h2_stream_on_body_wake(void *arg)
{
	h2_do(arg);
}

static nghttp2_nv *
h2_stream_compose(struct h2_stream *s, size_t *n)
{
	struct txn *t = s->txn;
	/* To an extended CONNECT the answer is 200, and there is no switch of
	 * protocols (RFC 8441 section 5). */
	int status = t->res.upgraded ? 200 : t->res.status;
	int64_t length = txn_content_length(t);
	nghttp2_nv *nv;

	if (t->res.upgraded)
		head_remove(&t->res.head, STR("Sec-WebSocket-Accept"));
	nv = h2_head_compose(t->arena, status, &t->res.head, 3, n);
	if (request_conf(t)->server_tokens &&
	    !head_has(&t->res.head, FIELD_SERVER))
		h2_head_put(&nv[(*n)++], STR("server"), STR("weir"));
	if (!head_has(&t->res.head, FIELD_DATE))
		h2_head_put(&nv[(*n)++], STR("date"),
		    arena_str(t->arena, clock_http_date()));
	if (length >= 0) {
		struct buf text = buf_in(t->arena);

		buf_u64(&text, (uint64_t)length);
		h2_head_put(&nv[(*n)++], STR("content-length"),
		    buf_view(&text));
	}
	return nv;
}

void
h2_stream_submit(struct h2_stream *s)
{
	struct txn *t = s->txn;
	nghttp2_data_provider provider = {
		.source = { .ptr = s }, .read_callback = h2_stream_on_read
	};
	bool has_body = t->res.body != NULL && txn_has_body(t) &&
	    (t->res.body->length != 0 || t->res.upgraded);
	size_t n;
	nghttp2_nv *nv = h2_stream_compose(s, &n);

	s->submitted = true;
	s->left = has_body ? t->res.body->length : 0;
	if (has_body)
		flow_on_wake(t->res.body, h2_stream_on_body_wake, s);
	if (t->res.upgraded) {
		s->left = -1;
		h2_body_upgrade(s);
	}
	h2_stream_await_reader(s);
	if (nghttp2_submit_response(s->h2->session, s->id, nv, n,
	        has_body ? &provider : NULL) != 0)
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, CLOSE_ABORTED);
}

void
h2_stream_interim(struct h2_stream *s, int status, const struct head *head)
{
	nghttp2_nv *nv;
	size_t n;

	if (s->submitted || s->gone || s->reset || s->h2->conn.closing)
		return;
	nv = h2_head_compose(s->txn->arena, status, head, 0, &n);
	nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL,
	    nv, n, NULL);
	h2_wake(s->h2);
}
