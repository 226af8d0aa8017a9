/*
 * The body of a response from an upstream, as a flow. A peek reads from the
 * connection into the worker's scratch page, takes the framing out in place and
 * lends that page to the sink; only what the sink does not take is copied. So a
 * body of any size costs at most one read's worth of memory.
 */
#include "base/panic.h"
#include "upstream/h1_client_io.h"

static struct h1_client *
h1_client_of(struct flow *f)
{
	struct h1_client *h = (struct h1_client *)f;

	OBJ_CHECK(h, H1_CLIENT_MAGIC);
	return h;
}

/*
 * Chunks are moved together, so that many small ones leave in one write.
 * What stands before a bad chunk is still passed on; then the body fails.
 */
static size_t
h1_client_decode_chunks(struct h1_client *h, char *p, size_t n)
{
	size_t in = 0, out = 0, used = 0;
	struct str data;

	for (;;) {
		switch (chunk_decode(&h->decoder, p + in, n - in, &used, &data,
		    &h->call.trailers)) {
		case CHUNK_DATA:
			memmove(p + out, data.p, data.n);
			out += data.n;
			in += used;
			break;
		case CHUNK_MORE:
			return out;
		case CHUNK_END:
			h->ended = true;
			h->dirty = in + used < n;
			forward_clean_trailers(&h->call.trailers);
			return out;
		case CHUNK_BAD:
			h->failed = true;
			return out;
		}
	}
}

size_t
h1_client_decode(struct h1_client *h, char *p, size_t n)
{
	size_t body = n;

	switch (h->call.framing) {
	case BODY_NONE:
	case BODY_LENGTH:
		body = n < h->left ? n : (size_t)h->left;
		h->left -= body;
		h->ended = h->left == 0;
		h->dirty = body < n;
		break;
	case BODY_CHUNKED:
		body = h1_client_decode_chunks(h, p, n);
		break;
	case BODY_CLOSE:
	case BODY_TUNNEL:
		break;
	}
	return body;
}

/* The raw bytes of the client begin with the first peek: by then its transport
 * has written the 101 and passes raw bytes. */
static void
h1_client_join(struct h1_client *h)
{
	h->joined = true;
	h->sent = h->body_over = false;
	flow_on_wake(h->call.t->req.body, h1_client_on_body_wake, h);
	h1_client_on_body_wake(h);
}

/* The upstream said FIN, which ends a body only where nothing else does. */
static enum flow_status
h1_client_on_eof(struct h1_client *h)
{
	if (h->call.framing != BODY_CLOSE && h->call.framing != BODY_TUNNEL) {
		h1_client_break(h, CAUSE_CLOSED, NULL);
		return FLOW_FAIL;
	}
	/* The write that failed has taken the socket's error with it: what
	 * reads as FIN from then on may have been a reset. */
	if (h->broken) {
		h1_client_break(h, CAUSE_RESET, NULL);
		return FLOW_FAIL;
	}
	h->ended = true;
	/* Half of a tunnel may be open still. */
	if (h->call.framing == BODY_CLOSE || h->sent)
		h1_client_release(h);
	return FLOW_END;
}

/* Looks at N bytes that were read into the scratch page. FLOW_WAIT: there was
 * only framing among them. */
static enum flow_status
h1_client_lend(struct h1_client *h, char *p, size_t n, struct span *out)
{
	h->call.bytes_in += n;
	h->lent = h1_client_decode(h, p, n);
	if (h->lent > 0) {
		*out = (struct span){.p = p, .n = h->lent};
		if (h->ended)
			h1_client_release(h);
		return FLOW_DATA;
	}
	if (h->ended) {
		h1_client_release(h);
		return FLOW_END;
	}
	if (h->failed) {
		h1_client_break(h, CAUSE_BAD_CHUNK, NULL);
		return FLOW_FAIL;
	}
	return FLOW_WAIT;
}

static enum flow_status
h1_client_read(struct h1_client *h, struct span *out)
{
	struct net *net = h->call.t->server->net;
	struct conn *c = &h->up->conn;
	enum flow_status st = FLOW_WAIT;
	size_t n;

	/* Who cannot keep up shall not make us hold more than a page. */
	while (st == FLOW_WAIT && (c->can_read || c->hung_up)) {
		switch (conn_read(c, net->in,
		    h->stalled ? NET_PAGE : NET_SCRATCH, &n)) {
		case CONN_OK:
			st = h1_client_lend(h, net->in, n, out);
			break;
		case CONN_AGAIN:
			goto wait;
		case CONN_EOF:
			return h1_client_on_eof(h);
		case CONN_FAILED:
			h1_client_break(h, CAUSE_RESET, conn_failure(c));
			return FLOW_FAIL;
		}
	}
	if (st != FLOW_WAIT)
		return st;
wait:
	h->waiting = true;
	h1_client_arm(h);
	return FLOW_WAIT;
}

static enum flow_status
h1_client_peek(struct flow *f, struct span *out)
{
	struct h1_client *h = h1_client_of(f);

	h->waiting = false;
	if (h->call.framing == BODY_TUNNEL && !h->joined && h->up != NULL)
		h1_client_join(h);
	if (leftover_len(&h->in) > 0) {
		*out = (struct span){
			.p = h->in.p + h->in.at, .n = leftover_len(&h->in)};
		return FLOW_DATA;
	}
	if (h->ended)
		return FLOW_END;
	if (h->failed && h->up != NULL)
		h1_client_break(h, CAUSE_BAD_CHUNK, NULL);
	if (h->up == NULL)
		return FLOW_FAIL;
	return h1_client_read(h, out);
}

static void
h1_client_take(struct flow *f, size_t n)
{
	struct h1_client *h = h1_client_of(f);
	struct net *net = h->call.t->server->net;
	size_t lent = h->lent;

	h->lent = 0;
	if (f->length > 0)
		f->length -= (int64_t)n;
	if (lent == 0) {
		h->stalled = n < leftover_len(&h->in);
		leftover_take(net, &h->in, n);
		return;
	}
	ASSERT(n <= lent);
	h->stalled = n < lent;
	if (h->stalled)
		leftover_put(net, &h->in, net->in + n, lent - n);
}

static void
h1_client_close(struct flow *f)
{
	h1_client_end(h1_client_of(f));
}

const struct flow_ops h1_client_body_ops = {
	.name = "upstream",
	.peek = h1_client_peek,
	.take = h1_client_take,
	.close = h1_client_close,
};
