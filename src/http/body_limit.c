/*
 * The limit of a body that comes in chunks or frames: it shows only while it is
 * read, by whoever reads it. The transport knows the limit of the site; this
 * one is of what was found to be the route.
 */
#include "http/body_limit.h"

struct body_limit {
	struct flow flow;
	struct txn *t;
	const struct http_conf *conf;
	uint64_t left;
	bool failed;
};

static enum flow_status
body_limit_peek(struct flow *f, struct span *out)
{
	struct body_limit *b = (struct body_limit *)f;
	enum flow_status st;

	if (b->failed)
		return FLOW_FAIL;
	st = flow_peek(f->src, out);
	f->length = f->src->length;
	/* After a 101 it is no body any more. */
	if (st != FLOW_DATA || out->n <= b->left || b->t->res.upgraded ||
	    txn_tolerates(b->t, b->conf, REFUSAL_LARGE_BODY))
		return st;

	flow_take(f->src, 0);
	b->failed = true;
	b->t->res.close = true;
	if (b->t->reason == NULL)
		txn_note_refusal(b->t, REFUSAL_LARGE_BODY);
	return FLOW_FAIL;
}

static void
body_limit_take(struct flow *f, size_t n)
{
	struct body_limit *b = (struct body_limit *)f;

	b->left -= n < b->left ? n : b->left;
	flow_take(f->src, n);
	f->length = f->src->length;
}

static const struct flow_ops body_limit_ops = {
	.name = "body_limit", .peek = body_limit_peek, .take = body_limit_take
};

void
body_limit(struct txn *t, const struct http_conf *conf, uint64_t max)
{
	struct body_limit *b = arena_zalloc(t->arena, sizeof *b);

	b->flow.ops = &body_limit_ops;
	b->flow.length = t->req.body->length;
	flow_set_source(&b->flow, t->req.body);
	b->t = t;
	b->conf = conf;
	b->left = max;
	t->req.body = &b->flow;
}
