/*
 * Coders as filters. One call of a coder takes a piece of what the source
 * offers and fills a page, which is given away before the next call. The coder
 * itself is made at the first peek: a response to HEAD never has one.
 */
#include "http/coder_flow.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"

#include <errno.h>
#include <unistd.h>

/* In: what is encoded in about half a millisecond. Out: one TLS record. */
#define PIECE 16384
#define PAGE 16384
/* Microseconds of a tick that all coders may use together. */
#define TICK_SHARE 1000

struct coder_bench {
	struct loop *loop;
	struct coder_stats *stats;
	uint64_t polls; /* which tick SPENT is of */
	uint64_t spent; /* microseconds */
	char piece[PIECE]; /* of a file */
};

struct coder_flow {
	struct flow flow;
	struct txn *txn;
	struct coder_bench *bench;
	const struct coder_ops *ops;
	int level;
	int64_t size; /* of the source, -1: unknown */
	size_t memory;
	void *state; /* NULL: not begun */
	struct task turn; /* for the next tick, when this one's share is used */
	char *page;
	size_t from, to; /* of the page: what is not yet taken */
	enum {
		CODER_FLOW_CLEAN, /* what went in has come out */
		CODER_FLOW_DIRTY, /* something of it may be in the coder */
		CODER_FLOW_LAST,  /* the source has ended */
		CODER_FLOW_DONE   /* so has the coder */
	} at;
};

/* ---- the bench --------------------------------------------------------- */

struct coder_bench *
coder_bench_new(struct loop *l, struct coder_stats *stats)
{
	struct coder_bench *b = mem_zalloc(sizeof *b);

	b->loop = l;
	b->stats = stats;
	return b;
}

void
coder_bench_end(struct coder_bench *b)
{
	mem_free(b);
}

static bool
coder_bench_has_time(struct coder_bench *b)
{
	uint64_t polls = loop_polls(b->loop);

	if (b->polls != polls) {
		b->polls = polls;
		b->spent = 0;
	}
	return b->spent < TICK_SHARE;
}

/* ---- the work ---------------------------------------------------------- */

static enum flow_status
coder_flow_break(struct coder_flow *cf, const char *what)
{
	static struct log_limit limit = LOG_LIMIT(5);

	cf->bench->stats->broken++;
	if (cf->txn->reason == NULL)
		cf->txn->reason = "bad_encoding";
	log_limited(&limit, LOG_ERROR, "%s: the response is cut, %s", what,
	    txn_describe(cf->txn));
	return FLOW_FAIL;
}

static bool
coder_flow_begin(struct coder_flow *cf)
{
	if (cf->state != NULL)
		return true;
	cf->state = cf->ops->start(cf->level, cf->size);
	cf->page = arena_alloc(cf->txn->arena, PAGE);
	return cf->state != NULL;
}

/* Has the coder work on IN; how much of it was taken is in *TAKEN. */
static enum coder_status
coder_flow_run(struct coder_flow *cf, struct str in, enum coder_mode mode,
    size_t *taken)
{
	struct coder_bench *b = cf->bench;
	struct coder_io io = {
		.in = in.p, .in_n = in.n, .out = cf->page, .out_n = PAGE
	};
	uint64_t from = clock_precise_us();
	enum coder_status st = cf->ops->run(cf->state, &io, mode);

	b->spent += clock_precise_us() - from;
	*taken = in.n - io.in_n;
	cf->from = 0;
	cf->to = PAGE - io.out_n;
	b->stats->bytes_in += *taken;
	b->stats->bytes_out += cf->to;
	return st;
}

/* A piece of what the source offers, in memory. False: it cannot be read. */
static bool
coder_flow_piece(struct coder_flow *cf, const struct span *span,
    struct str *out)
{
	size_t n = span->n < PIECE ? span->n : PIECE;
	ssize_t got;

	if (span->p != NULL) {
		*out = str_of(span->p, n);
		return true;
	}
	do
		got = pread(span->fd, cf->bench->piece, n, (off_t)span->off);
	while (got < 0 && errno == EINTR);
	*out = str_of(cf->bench->piece, got > 0 ? (size_t)got : 0);
	return got > 0;
}

static enum flow_status
coder_flow_take_in(struct coder_flow *cf, const struct span *span)
{
	struct flow *src = cf->flow.src;
	enum coder_status st;
	struct str in;
	size_t taken = 0;

	if (!coder_flow_piece(cf, span, &in)) {
		flow_take(src, 0);
		return FLOW_FAIL;
	}
	st = coder_flow_run(cf, in, CODER_RUN, &taken);
	flow_take(src, taken);
	cf->at = CODER_FLOW_DIRTY;
	/* One that takes nothing and gives nothing never would. */
	if (st == CODER_BAD || (taken == 0 && cf->to == 0))
		return coder_flow_break(cf, "the body is not in the encoding "
		    "that it is said to be in");
	return FLOW_DATA;
}

static enum flow_status
coder_flow_flush(struct coder_flow *cf)
{
	size_t taken;

	if (cf->at == CODER_FLOW_CLEAN)
		return FLOW_WAIT;
	switch (coder_flow_run(cf, STR(""), CODER_FLUSH, &taken)) {
	case CODER_MORE:
		if (cf->to == 0)
			return coder_flow_break(cf, "a body stands still");
		break;
	case CODER_DONE:
		cf->at = CODER_FLOW_CLEAN;
		break;
	case CODER_BAD:
		return coder_flow_break(cf, "a body cannot be flushed");
	}
	return FLOW_DATA;
}

static enum flow_status
coder_flow_finish(struct coder_flow *cf)
{
	size_t taken;

	cf->at = CODER_FLOW_LAST;
	switch (coder_flow_run(cf, STR(""), CODER_END, &taken)) {
	case CODER_MORE:
		if (cf->to == 0)
			return coder_flow_break(cf, "a body stands still");
		break;
	case CODER_DONE:
		cf->at = CODER_FLOW_DONE;
		break;
	case CODER_BAD:
		return coder_flow_break(cf, "the encoded body ends too early");
	}
	return FLOW_DATA;
}

/* One call of the coder. DATA: it was made, and may have filled the page. */
static enum flow_status
coder_flow_step(struct coder_flow *cf)
{
	struct span span;

	if (cf->at == CODER_FLOW_DONE)
		return FLOW_END;
	if (!coder_flow_begin(cf))
		return coder_flow_break(cf, "no memory for an encoder");
	if (cf->at == CODER_FLOW_LAST)
		return coder_flow_finish(cf);

	switch (flow_peek(cf->flow.src, &span)) {
	case FLOW_DATA:
		return coder_flow_take_in(cf, &span);
	case FLOW_WAIT:
		return coder_flow_flush(cf);
	case FLOW_END:
		return coder_flow_finish(cf);
	case FLOW_FAIL:
		break;
	}
	return FLOW_FAIL;
}

/* ---- the flow ---------------------------------------------------------- */

static void
coder_flow_turn(struct task *task)
{
	struct coder_flow *cf = CONTAINER_OF(task, struct coder_flow, turn);

	flow_wake(&cf->flow);
}

static enum flow_status
coder_flow_peek(struct flow *f, struct span *out)
{
	struct coder_flow *cf = (struct coder_flow *)f;

	while (cf->from == cf->to) {
		enum flow_status st;

		if (!coder_bench_has_time(cf->bench)) {
			cf->bench->stats->pauses++;
			loop_next(cf->bench->loop, &cf->turn);
			return FLOW_WAIT;
		}
		st = coder_flow_step(cf);
		if (st != FLOW_DATA)
			return st;
	}
	*out = (struct span){
		.p = cf->page + cf->from, .n = cf->to - cf->from
	};
	return FLOW_DATA;
}

static void
coder_flow_take(struct flow *f, size_t n)
{
	struct coder_flow *cf = (struct coder_flow *)f;

	ASSERT(n <= cf->to - cf->from);
	cf->from += n;
}

static void
coder_flow_close(struct flow *f)
{
	struct coder_flow *cf = (struct coder_flow *)f;

	task_cancel(&cf->turn);
	if (cf->state != NULL)
		cf->ops->end(cf->state);
	cf->state = NULL;
	cf->bench->stats->memory -= cf->memory;
}

static const struct flow_ops coder_flow_ops = {
	.name = "coder", .peek = coder_flow_peek, .take = coder_flow_take,
	.close = coder_flow_close
};

bool
coder_flow_insert(struct coder_bench *b, struct txn *t,
    const struct coder_order *order)
{
	struct coder_flow *cf;

	if (order->memory_max != 0 &&
	    b->stats->memory + order->memory > order->memory_max) {
		b->stats->no_memory++;
		return false;
	}
	cf = arena_zalloc(t->arena, sizeof *cf);
	cf->flow.ops = &coder_flow_ops;
	cf->flow.length = -1;
	cf->txn = t;
	cf->bench = b;
	cf->ops = order->ops;
	cf->level = order->level;
	cf->size = t->res.body->length;
	cf->memory = order->memory;
	cf->turn.name = "coder";
	cf->turn.run = coder_flow_turn;
	flow_set_source(&cf->flow, t->res.body);
	t->res.body = &cf->flow;
	b->stats->bodies[order->coding]++;
	b->stats->memory += order->memory;
	return true;
}
