/*
 * The body of an HTTP/1 request as a flow: Content-Length, chunked or, after
 * a 101, raw. It reads from the connection only when somebody pulls, into the
 * scratch page; what the sink leaves is kept as the connection's leftover.
 */
#include "http/h1_conn.h"

#include "base/panic.h"
#include "http/policy.h"

/* A body of which less than this is left is read to its end so that the
 * connection can go on; more costs less as a new connection. */
#define BODY_SHORT 65536

static const struct flow_ops h1_body_ops;

static struct h1_body *
h1_body_of(struct flow *f)
{
	return CONTAINER_OF(f, struct h1_body, flow);
}

void
h1_body_init(struct h1_body *b, struct h1 *h, struct txn *t,
    const struct h1_request *r)
{
	b->flow.ops = &h1_body_ops;
	b->h1 = h;
	b->max = h1_conf(h)->max_body_size;
	body_rate_init(&b->rate, h1_conf(h));
	b->continue_owed = r->expect_continue && r->minor > 0;
	if (r->chunked) {
		b->kind = H1_BODY_CHUNKED;
		b->flow.length = -1;
		chunk_decoder_init(&b->decoder);
		b->decoder.max_extension = policy_holds(h1_conf(h),
		    REFUSAL_LARGE_EXTENSIONS) ?
		    (uint32_t)h1_conf(h)->max_chunk_extensions :
		    POLICY_MAX_EXTENSIONS;
		head_init(&b->trailers, t->arena, 4);
	} else {
		b->kind = H1_BODY_LENGTH;
		b->left = r->content_length > 0 ?
		    (uint64_t)r->content_length : 0;
		b->flow.length = (int64_t)b->left;
		b->ended = b->left == 0;
	}
	t->req.body = &b->flow;
}

void
h1_body_upgrade(struct h1_body *b)
{
	b->kind = H1_BODY_RAW;
	b->ended = false;
	b->flow.length = -1;
	b->max = 0;
	flow_wake(&b->flow);
}

bool
h1_body_is_short(const struct h1_body *b)
{
	/* The client waits for a 100 that it will not get: it may send the
	 * body or the next request, so the connection cannot go on. */
	if (b->continue_owed || b->failed)
		return false;
	return b->kind == H1_BODY_CHUNKED ? b->total < BODY_SHORT :
	    b->left < BODY_SHORT;
}

/* ---- reading ------------------------------------------------------------ */

/* Bytes to decode: the leftover, else a read into the scratch page. */
static enum conn_status
h1_body_fill(struct h1_body *b)
{
	struct h1 *h = b->h1;
	struct net *net = h->conn.net;
	enum conn_status st;

	b->src_is_scratch = leftover_len(&h->in) == 0;
	if (!b->src_is_scratch) {
		b->src = h->in.p + h->in.at;
		b->src_n = leftover_len(&h->in);
		return CONN_OK;
	}
	if (!h->conn.can_read && !h->conn.hung_up)
		return CONN_AGAIN;
	st = conn_read(&h->conn, net->in, NET_SCRATCH, &b->src_n);
	b->src = net->in;
	if (st == CONN_OK && b->kind != H1_BODY_RAW)
		body_rate_earn(&b->rate, h1_conf(h), b->src_n);
	return st;
}

/* The bytes that were looked at and not used stay for later. */
static void
h1_body_settle(struct h1_body *b, size_t used)
{
	struct h1 *h = b->h1;

	ASSERT(used <= b->src_n);
	h->x->txn->request_bytes += used;
	if (!b->src_is_scratch)
		leftover_take(h->conn.net, &h->in, used);
	else if (used < b->src_n)
		leftover_put(h->conn.net, &h->in, b->src + used,
		    b->src_n - used);
	b->src_n = 0;
}

static enum flow_status
h1_body_fail(struct h1_body *b)
{
	b->failed = true;
	b->h1->x->txn->res.close = true;
	return FLOW_FAIL;
}

static enum flow_status
h1_body_refuse(struct h1_body *b, enum refusal why)
{
	struct txn *t = b->h1->x->txn;

	if (t->reason == NULL)
		txn_note_refusal(t, why);
	return h1_body_fail(b);
}

/* More chunk extensions than there may be, where that is only reported. */
static void
h1_body_check_extensions(struct h1_body *b)
{
	const struct http_conf *conf = h1_conf(b->h1);

	if (!b->failed && b->decoder.extension > conf->max_chunk_extensions)
		(void)txn_tolerates(b->h1->x->txn, conf,
		    REFUSAL_LARGE_EXTENSIONS);
}

static bool
h1_body_is_too_large(struct h1_body *b)
{
	if (b->max == 0 || b->total + b->data_n <= b->max)
		return false;
	return !txn_tolerates(b->h1->x->txn, h1_conf(b->h1),
	    REFUSAL_LARGE_BODY);
}

static enum flow_status
h1_body_lose(struct h1_body *b)
{
	struct txn *t = b->h1->x->txn;

	if (t->reason == NULL)
		t->reason = "client_left";
	return h1_body_fail(b);
}

/* Finds content in what was filled: b->used bytes are gone through, the last
 * b->data_n of them are content. */
static enum flow_status
h1_body_decode(struct h1_body *b)
{
	struct str data = { NULL, 0 };

	switch (b->kind) {
	case H1_BODY_RAW:
		b->used = b->data_n = b->src_n;
		return FLOW_DATA;
	case H1_BODY_LENGTH:
		b->used = b->src_n < b->left ? b->src_n : (size_t)b->left;
		b->data_n = b->used;
		return FLOW_DATA;
	case H1_BODY_CHUNKED:
		break;
	}

	b->data_n = 0;
	switch (chunk_decode(&b->decoder, b->src, b->src_n, &b->used, &data,
	    &b->trailers)) {
	case CHUNK_DATA:
		b->data_n = data.n;
		return FLOW_DATA;
	case CHUNK_MORE:
		h1_body_settle(b, b->used);
		return FLOW_WAIT;
	case CHUNK_END:
		h1_body_settle(b, b->used);
		b->ended = true;
		b->flow.length = 0;
		if (b->trailers.n > 0)
			b->h1->x->txn->req.trailers = &b->trailers;
		return FLOW_END;
	case CHUNK_BAD:
		h1_body_settle(b, b->src_n);
		return h1_body_refuse(b, chunk_is_overextended(&b->decoder) ?
		    REFUSAL_LARGE_EXTENSIONS : REFUSAL_BAD_CHUNK);
	}
	UNREACHABLE();
}

static enum flow_status
h1_body_peek(struct flow *f, struct span *out)
{
	struct h1_body *b = h1_body_of(f);
	enum flow_status st;

	if (b->failed)
		return FLOW_FAIL;
	if (b->ended)
		return FLOW_END;
	if (b->continue_owed && leftover_len(&b->h1->in) == 0) {
		h1_interim(b->h1, 100, NULL);
	}
	b->continue_owed = false;

	do {
		switch (h1_body_fill(b)) {
		case CONN_OK:
			break;
		case CONN_AGAIN:
			/* An upstream pulls when it likes, not only when the
			 * driver runs: the wait begins here. */
			b->h1->body_waiting = true;
			body_rate_wait(&b->rate);
			h1_set_deadline(b->h1);
			return FLOW_WAIT;
		case CONN_EOF:
			if (b->kind != H1_BODY_RAW)
				return h1_body_lose(b);
			b->ended = true;
			return FLOW_END;
		case CONN_FAILED:
			return h1_body_lose(b);
		}
		st = h1_body_decode(b);
		if (b->kind == H1_BODY_CHUNKED)
			h1_body_check_extensions(b);
	} while (st == FLOW_WAIT);

	if (st != FLOW_DATA)
		return st;
	if (h1_body_is_too_large(b)) {
		h1_body_settle(b, b->src_n);
		return h1_body_refuse(b, REFUSAL_LARGE_BODY);
	}
	*out = (struct span){
		.p = b->src + b->used - b->data_n, .n = b->data_n
	};
	return FLOW_DATA;
}

static void
h1_body_take(struct flow *f, size_t n)
{
	struct h1_body *b = h1_body_of(f);
	size_t kept = b->data_n - n;

	ASSERT(n <= b->data_n);
	b->total += n;
	switch (b->kind) {
	case H1_BODY_RAW:
		break;
	case H1_BODY_LENGTH:
		b->left -= n;
		b->flow.length = (int64_t)b->left;
		b->ended = b->left == 0;
		break;
	case H1_BODY_CHUNKED:
		chunk_decoder_untake(&b->decoder, kept);
		break;
	}
	h1_body_settle(b, b->used - kept);
}

enum h1_discard
h1_body_discard(struct h1_body *b)
{
	struct span span;

	while (!b->ended) {
		switch (h1_body_peek(&b->flow, &span)) {
		case FLOW_DATA:
			h1_body_take(&b->flow, span.n);
			if (!h1_body_is_short(b))
				return DISCARD_FAILED;
			break;
		case FLOW_WAIT:
			return DISCARD_WAIT;
		case FLOW_END:
			break;
		case FLOW_FAIL:
			return DISCARD_FAILED;
		}
	}
	return DISCARD_DONE;
}

static void
h1_body_close(struct flow *f)
{
	h1_body_of(f)->h1->body_waiting = false;
}

static const struct flow_ops h1_body_ops = {
	.name = "h1_body",
	.peek = h1_body_peek,
	.take = h1_body_take,
	.close = h1_body_close
};
