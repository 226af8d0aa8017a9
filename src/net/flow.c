/*
 * Flows: the common half, and the sources that need no connection. A flow is
 * memory of a transaction's arena; close releases what is not.
 */
#include "net/flow.h"

void
flow_close(struct flow *f)
{
	if (f == NULL || f->closed)
		return;
	f->closed = true;
	f->wake = NULL;
	if (f->ops->close != NULL)
		f->ops->close(f);
	flow_close(f->src);
}

void
flow_on_wake(struct flow *f, void (*wake)(void *arg), void *arg)
{
	f->wake = wake;
	f->wake_arg = arg;
}

void
flow_wake(struct flow *f)
{
	if (f->wake != NULL && !f->closed)
		f->wake(f->wake_arg);
}

static void
flow_pass_wake(void *arg)
{
	flow_wake(arg);
}

void
flow_set_source(struct flow *f, struct flow *src)
{
	f->src = src;
	flow_on_wake(src, flow_pass_wake, f);
}

/* ---- bytes in memory --------------------------------------------------- */

struct flow_bytes {
	struct flow flow;
	struct str left;
};

static enum flow_status
flow_bytes_peek(struct flow *f, struct span *out)
{
	struct flow_bytes *b = (struct flow_bytes *)f;

	if (b->left.n == 0)
		return FLOW_END;
	*out = (struct span){ .p = b->left.p, .n = b->left.n };
	return FLOW_DATA;
}

static void
flow_bytes_take(struct flow *f, size_t n)
{
	struct flow_bytes *b = (struct flow_bytes *)f;

	ASSERT(n <= b->left.n);
	b->left = str_slice(b->left, n, b->left.n);
	f->length -= (int64_t)n;
}

static const struct flow_ops flow_bytes_ops = {
	.name = "bytes", .peek = flow_bytes_peek, .take = flow_bytes_take
};

struct flow *
flow_bytes(struct arena *a, struct str bytes)
{
	struct flow_bytes *b = arena_zalloc(a, sizeof *b);

	b->flow.ops = &flow_bytes_ops;
	b->flow.length = (int64_t)bytes.n;
	b->left = bytes;
	return &b->flow;
}

/* ---- a range of a file ------------------------------------------------- */

struct flow_file {
	struct flow flow;
	int fd;
	uint64_t off, left;
};

static enum flow_status
flow_file_peek(struct flow *f, struct span *out)
{
	struct flow_file *s = (struct flow_file *)f;

	if (s->left == 0)
		return FLOW_END;
	*out = (struct span){
		.n = s->left < SIZE_MAX ? (size_t)s->left : SIZE_MAX,
		.fd = s->fd, .off = s->off
	};
	return FLOW_DATA;
}

static void
flow_file_take(struct flow *f, size_t n)
{
	struct flow_file *s = (struct flow_file *)f;

	ASSERT(n <= s->left);
	s->off += n;
	s->left -= n;
	f->length -= (int64_t)n;
}

static const struct flow_ops flow_file_ops = {
	.name = "file", .peek = flow_file_peek, .take = flow_file_take
};

struct flow *
flow_file(struct arena *a, int fd, uint64_t off, uint64_t len)
{
	struct flow_file *s = arena_zalloc(a, sizeof *s);

	s->flow.ops = &flow_file_ops;
	s->flow.length = (int64_t)len;
	s->fd = fd;
	s->off = off;
	s->left = len;
	return &s->flow;
}

/* ---- one after the other ----------------------------------------------- */

struct flow_concat {
	struct flow flow;
	struct flow **parts;
	size_t n, at;
};

static enum flow_status
flow_concat_peek(struct flow *f, struct span *out)
{
	struct flow_concat *c = (struct flow_concat *)f;

	while (c->at < c->n) {
		enum flow_status st = flow_peek(c->parts[c->at], out);

		if (st != FLOW_END)
			return st;
		c->at++;
	}
	return FLOW_END;
}

static void
flow_concat_take(struct flow *f, size_t n)
{
	struct flow_concat *c = (struct flow_concat *)f;

	flow_take(c->parts[c->at], n);
	if (f->length >= 0)
		f->length -= (int64_t)n;
}

static void
flow_concat_close(struct flow *f)
{
	struct flow_concat *c = (struct flow_concat *)f;

	for (size_t i = 0; i < c->n; i++)
		flow_close(c->parts[i]);
}

static const struct flow_ops flow_concat_ops = {
	.name = "concat", .peek = flow_concat_peek, .take = flow_concat_take,
	.close = flow_concat_close
};

struct flow *
flow_concat(struct arena *a, struct flow **parts, size_t n)
{
	struct flow_concat *c = arena_zalloc(a, sizeof *c);

	c->flow.ops = &flow_concat_ops;
	c->parts = parts;
	c->n = n;
	for (size_t i = 0; i < n; i++) {
		flow_on_wake(parts[i], flow_pass_wake, &c->flow);
		if (parts[i]->length < 0 || c->flow.length < 0)
			c->flow.length = -1;
		else
			c->flow.length += parts[i]->length;
	}
	return &c->flow;
}
