/*
 * Writes responses of HTTP/1: composes the head, pulls the body and frames it
 * anew (RFC 9112 section 6). Head and small bodies are composed in the scratch
 * page and leave in one write; large spans go from where they are; what the
 * socket does not take is kept as the connection's leftover.
 */
#include "http/h1_conn.h"

#include "base/clock.h"
#include "base/panic.h"
#include "http/status.h"

/* Spans up to this size are copied behind the head rather than given to the
 * kernel as a vector of their own: the copy costs less than the iovec. */
#define COPY_MAX 16384
/* Kept free in the scratch page while a body is written: the size of a chunk
 * and the line ends around it. */
#define CHUNK_ROOM 64
/* Pipelined responses are collected up to this size before they are sent. */
#define COLLECT_MAX 16384
/* What one connection may send before the others get their turn. */
#define SHARE 524288

/* What is being composed; `out` of the connection goes before it. */
struct writer {
	struct h1 *h;
	struct buf buf; /* over the scratch page */
	size_t sent;    /* in this call, for fairness */
};

/* ---- sending ----------------------------------------------------------- */

typedef enum conn_status conn_write_fn(struct conn *c, const struct iovec *iov,
    int n_iov, size_t *n);

/*
 * Sends the leftover, the composed bytes and TAIL, in this order and with one
 * call of WRITE. What is not taken of the composed bytes becomes leftover;
 * *TOOK says how much of TAIL went. False: the connection failed.
 */
static bool
writer_send_by(struct writer *w, conn_write_fn *write, struct str tail,
    size_t *took)
{
	struct h1 *h = w->h;
	struct net *net = h->conn.net;
	size_t kept = leftover_len(&h->out);
	size_t composed = w->buf.n;
	struct iovec iov[3];
	size_t sent = 0;
	int n = 0;

	*took = 0;
	if (kept > 0)
		iov[n++] = (struct iovec){ h->out.p + h->out.at, kept };
	if (composed > 0)
		iov[n++] = (struct iovec){ w->buf.p, composed };
	if (tail.n > 0)
		iov[n++] = (struct iovec){ (char *)tail.p, tail.n };
	if (n > 0 && h->conn.can_write &&
	    write(&h->conn, iov, n, &sent) == CONN_FAILED)
		return false;

	w->sent += sent;
	if (sent < kept) {
		leftover_take(net, &h->out, sent);
		sent = 0;
	} else {
		leftover_take(net, &h->out, kept);
		sent -= kept;
	}
	if (sent < composed) {
		leftover_put(net, &h->out, w->buf.p + sent, composed - sent);
		sent = 0;
	} else {
		sent -= composed;
	}
	w->buf.n = 0;
	*took = sent;
	return true;
}

static bool
writer_send(struct writer *w, struct str tail, size_t *took)
{
	return writer_send_by(w, conn_write, tail, took);
}

bool
h1_flush(struct h1 *h)
{
	struct writer w = { .h = h, .buf = buf_fixed(h->conn.net->out, 0) };
	size_t took;

	return writer_send(&w, str_of(NULL, 0), &took);
}

static bool
writer_is_clear(const struct writer *w)
{
	return w->buf.n == 0 && leftover_len(&w->h->out) == 0;
}

/* ---- the head ---------------------------------------------------------- */

/* Decides how the body is framed and whether the connection goes on. */
static void
h1_choose_framing(struct h1 *h)
{
	struct h1_exchange *x = h->x;
	struct txn *t = x->txn;
	int64_t length = t->res.body != NULL ? t->res.body->length : 0;

	x->keep = !x->peer_closes && !t->res.close &&
	    !h->client.server->draining &&
	    h->requests + 1 < (uint64_t)h1_conf(h)->keepalive_requests;
	if (!x->body.ended && !h1_body_is_short(&x->body))
		x->keep = x->keep && x->body.total > 0;

	if (t->res.upgraded) {
		x->framing = FRAMING_CLOSE;
	} else if (!txn_has_body(t)) {
		x->framing = FRAMING_NONE;
	} else if (length >= 0) {
		x->framing = FRAMING_LENGTH;
		x->left = (uint64_t)length;
	} else if (t->req.minor > 0) {
		x->framing = FRAMING_CHUNKED;
	} else {
		x->framing = FRAMING_CLOSE;
	}
	if (x->framing == FRAMING_CLOSE)
		x->keep = false;
}

static void
compose_field(struct buf *b, struct str name, struct str value)
{
	buf_str(b, name);
	buf_put(b, ": ", 2);
	buf_str(b, value);
	buf_put(b, "\r\n", 2);
}

static void
compose_status(struct buf *b, int status)
{
	struct str line = status_line(status);

	if (line.p != NULL)
		buf_str(b, line);
	else
		buf_printf(b, "HTTP/1.1 %d %.*s\r\n", status,
		    STR_ARG(status_reason(status)));
}

static void
compose_length(struct buf *b, uint64_t length)
{
	buf_z(b, "Content-Length: ");
	buf_u64(b, length);
	buf_put(b, "\r\n", 2);
}

static void
compose_framing(struct buf *b, const struct h1_exchange *x)
{
	int64_t length;

	if (x->framing == FRAMING_CHUNKED) {
		buf_z(b, "Transfer-Encoding: chunked\r\n");
		return;
	}
	if (x->framing == FRAMING_CLOSE)
		return;
	length = txn_content_length(x->txn);
	if (length >= 0)
		compose_length(b, (uint64_t)length);
}

/* Who sends Upgrade names it in Connection (RFC 9110 section 7.8). */
static void
compose_connection(struct buf *b, const struct h1_exchange *x)
{
	const struct txn *t = x->txn;

	if (t->res.upgraded)
		buf_z(b, "Connection: upgrade\r\n");
	else if (head_has(&t->res.head, FIELD_UPGRADE))
		buf_z(b, x->keep ? "Connection: upgrade\r\n" :
		    "Connection: upgrade, close\r\n");
	else if (!x->keep)
		buf_z(b, "Connection: close\r\n");
	else if (t->req.minor == 0)
		buf_z(b, "Connection: keep-alive\r\n");
}

static void
compose_head(struct buf *b, struct h1 *h)
{
	struct h1_exchange *x = h->x;
	struct txn *t = x->txn;

	compose_status(b, t->res.status);
	if (h1_conf(h)->server_tokens && !head_has(&t->res.head, FIELD_SERVER))
		buf_z(b, "Server: weir\r\n");
	if (!head_has(&t->res.head, FIELD_DATE))
		compose_field(b, STR("Date"), clock_http_date());
	HEAD_EACH(f, &t->res.head)
		compose_field(b, f->name, f->value);
	compose_framing(b, x);
	compose_connection(b, x);
	buf_put(b, "\r\n", 2);
}

static void
h1_write_head(struct writer *w)
{
	struct h1 *h = w->h;
	struct h1_exchange *x = h->x;
	size_t before = w->buf.n;

	h1_choose_framing(h);
	w->buf.cap -= CHUNK_ROOM;
	compose_head(&w->buf, h);
	w->buf.cap += CHUNK_ROOM;
	if (w->buf.overflow) {
		struct buf large = buf_in(x->txn->arena);

		w->buf.overflow = false;
		w->buf.n = before;
		compose_head(&large, h);
		leftover_put(h->conn.net, &h->out, w->buf.p, w->buf.n);
		leftover_put(h->conn.net, &h->out, large.p, large.n);
		w->buf.n = 0;
		x->txn->bytes_sent += large.n;
	} else {
		x->txn->bytes_sent += w->buf.n - before;
	}
	x->head_sent = true;
	if (x->txn->res.upgraded)
		h1_body_upgrade(&x->body);
}

void
h1_interim(struct h1 *h, int status, const struct head *head)
{
	struct txn *t = h->x->txn;
	struct buf b;

	if (h->x->head_sent || h->conn.closing || t->req.minor == 0)
		return;
	b = buf_in(t->arena);
	compose_status(&b, status);
	if (head != NULL)
		HEAD_EACH(f, head)
			compose_field(&b, f->name, f->value);
	buf_put(&b, "\r\n", 2);
	leftover_put(h->conn.net, &h->out, b.p, b.n);
	/* A failure is met again by the response itself. */
	(void)h1_flush(h);
}

/* ---- the body ---------------------------------------------------------- */

enum piece {
	PIECE_GO_ON,
	PIECE_WAIT,
	PIECE_END,
	PIECE_CUT,   /* the body cannot be completed */
	PIECE_FAILED /* the connection failed */
};

static void
h1_account(struct h1_exchange *x, size_t n)
{
	x->txn->bytes_sent += n;
	x->txn->body_sent += n;
	if (x->framing == FRAMING_LENGTH)
		x->left -= n;
	if (x->framing == FRAMING_CHUNKED)
		x->chunk_left -= n;
}

/* Begins a chunk of N bytes, unless one is open. */
static void
h1_open_chunk(struct writer *w, uint64_t n)
{
	char size[18];

	if (w->h->x->framing != FRAMING_CHUNKED || w->h->x->chunk_left > 0)
		return;
	buf_put(&w->buf, size, chunk_format_size(size, n));
	w->h->x->chunk_left = n;
}

static void
h1_close_chunk(struct writer *w)
{
	if (w->h->x->framing == FRAMING_CHUNKED && w->h->x->chunk_left == 0)
		buf_put(&w->buf, "\r\n", 2);
}

static enum piece
h1_copy_span(struct writer *w, struct flow *body, const struct span *span,
    size_t n)
{
	h1_open_chunk(w, n);
	buf_put(&w->buf, span->p, n);
	flow_take(body, n);
	h1_account(w->h->x, n);
	h1_close_chunk(w);
	return PIECE_GO_ON;
}

/* From where the bytes are, together with what was composed. */
static enum piece
h1_send_span(struct writer *w, struct flow *body, const struct span *span,
    size_t n)
{
	struct h1 *h = w->h;
	size_t took = 0;
	bool alive = true;

	if (span->p != NULL) {
		alive = writer_send(w, str_of(span->p, n), &took);
	} else {
		alive = writer_send_by(w, conn_write_more, str_of(NULL, 0),
		    &took);
		if (alive && writer_is_clear(w) && h->conn.can_write)
			alive = conn_sendfile(&h->conn, span->fd, span->off, n,
			    &took) != CONN_FAILED;
		w->sent += took;
	}
	flow_take(body, took);
	h1_account(h->x, took);
	if (took > 0)
		h1_close_chunk(w);
	if (!alive) /* without an errno it is the file, which has shrunk */
		return span->p == NULL && conn_errno(&h->conn) == 0 ?
		    PIECE_CUT : PIECE_FAILED;
	return h->conn.can_write ? PIECE_GO_ON : PIECE_WAIT;
}

static enum piece
h1_write_span(struct writer *w, struct flow *body, const struct span *span)
{
	struct h1_exchange *x = w->h->x;
	size_t n = span->n;

	if (x->framing == FRAMING_LENGTH && n > x->left)
		n = (size_t)x->left;
	if (x->framing == FRAMING_CHUNKED && x->chunk_left > 0 &&
	    n > x->chunk_left)
		n = (size_t)x->chunk_left;
	if (n == 0) {
		flow_take(body, 0);
		return PIECE_CUT; /* who offers nothing would never end */
	}
	if (span->p != NULL && n <= COPY_MAX &&
	    n + CHUNK_ROOM <= w->buf.cap - w->buf.n)
		return h1_copy_span(w, body, span, n);
	h1_open_chunk(w, n);
	return h1_send_span(w, body, span, n);
}

/* Trailers are rare and may be large: the page has no room for them. */
static void
h1_write_trailers(struct writer *w, const struct head *trailers)
{
	struct h1 *h = w->h;
	struct buf b = buf_in(h->x->txn->arena);

	HEAD_EACH(f, trailers)
		compose_field(&b, f->name, f->value);
	leftover_put(h->conn.net, &h->out, w->buf.p, w->buf.n);
	leftover_put(h->conn.net, &h->out, b.p, b.n);
	w->buf.n = 0;
}

static void
h1_write_last_chunk(struct writer *w, const struct head *trailers)
{
	buf_put(&w->buf, "0\r\n", 3);
	if (trailers != NULL)
		h1_write_trailers(w, trailers);
	buf_put(&w->buf, "\r\n", 2);
}

static enum piece
h1_end_body(struct writer *w)
{
	struct h1_exchange *x = w->h->x;

	if (x->framing == FRAMING_LENGTH && x->left > 0)
		return PIECE_CUT; /* shorter than announced */
	if (x->framing == FRAMING_CHUNKED)
		h1_write_last_chunk(w, x->txn->res.trailers);
	ASSERT(!w->buf.overflow);
	return PIECE_END;
}

static enum piece
h1_write_piece(struct writer *w)
{
	struct h1_exchange *x = w->h->x;
	struct flow *body = x->txn->res.body;
	struct span span;

	if (body == NULL || x->framing == FRAMING_NONE)
		return PIECE_END;
	if (x->framing == FRAMING_LENGTH && x->left == 0)
		return PIECE_END;

	switch (flow_peek(body, &span)) {
	case FLOW_DATA:
		return h1_write_span(w, body, &span);
	case FLOW_WAIT:
		return PIECE_WAIT;
	case FLOW_END:
		return h1_end_body(w);
	case FLOW_FAIL:
		return PIECE_CUT;
	}
	UNREACHABLE();
}

static void
h1_on_body_wake(void *arg)
{
	struct h1 *h = arg;

	if (!h->conn.closing)
		loop_defer(h->conn.net->loop, &h->work);
}

/* Small pipelined responses wait for their neighbours. */
static bool
h1_may_collect(const struct writer *w)
{
	const struct h1 *h = w->h;

	return h->x->keep && leftover_len(&h->in) > 0 &&
	    leftover_len(&h->out) + w->buf.n < COLLECT_MAX;
}

static enum h1_progress
h1_end_response(struct writer *w)
{
	struct h1 *h = w->h;
	size_t took;

	if (h1_may_collect(w)) {
		leftover_put(h->conn.net, &h->out, w->buf.p, w->buf.n);
		return H1_DONE;
	}
	return writer_send(w, str_of(NULL, 0), &took) ? H1_DONE : H1_FAILED;
}

enum h1_progress
h1_respond(struct h1 *h)
{
	struct h1_exchange *x = h->x;
	struct writer w = {
		.h = h, .buf = buf_fixed(h->conn.net->out, NET_SCRATCH)
	};
	size_t took;

	if (!x->ready)
		return H1_BLOCKED;
	if (leftover_len(&h->out) >= COLLECT_MAX || x->head_sent) {
		if (!h1_flush(h))
			return H1_FAILED;
		if (leftover_len(&h->out) > 0)
			return H1_BLOCKED;
	}
	if (!x->head_sent) {
		if (x->txn->res.body != NULL)
			flow_on_wake(x->txn->res.body, h1_on_body_wake, h);
		h1_write_head(&w);
	}

	for (;;) {
		switch (h1_write_piece(&w)) {
		case PIECE_GO_ON:
			if (w.sent < SHARE)
				continue;
			loop_next(h->conn.net->loop, &h->work);
			break;
		case PIECE_WAIT:
			break;
		case PIECE_END:
			return h1_end_response(&w);
		case PIECE_CUT:
			(void)writer_send(&w, str_of(NULL, 0), &took);
			return H1_CUT;
		case PIECE_FAILED:
			return H1_FAILED;
		}
		return writer_send(&w, str_of(NULL, 0), &took) ? H1_BLOCKED :
		    H1_FAILED;
	}
}
