/*
 * Pacing. Before a piece may pass, its time is booked at each rate; the piece
 * passes when the last of them has come. What is booked is nobody else's, so
 * that bodies which share a rate (the streams of a connection) take turns in
 * the order in which they asked, however their timers fire.
 */
#include "http/paced_flow.h"

#include "base/panic.h"

/* A piece takes this long, or a slow rate would wake us for a few bytes and a
 * fast one would outrun the timers; 50 ms are not seen by whoever watches. */
#define PIECES_A_SECOND 20
#define PIECE_MIN 1460 /* a segment */
#define PIECE_MAX 1048576
/* How far back time that nobody used counts at least: a timer that fires late
 * must not make the rate less than it is. */
#define SLACK (RATE_SECOND / 10)

struct paced_flow {
	struct flow flow;
	struct loop *loop;
	struct timer timer;
	uint64_t granted; /* bytes that may pass, now or when the timer fires */
	uint64_t *waits;
	struct paced_one {
		struct paced_rate rate;
		uint64_t due; /* ns, where it is not in the table */
	} ones[PACED_RATES];
};

static uint64_t
paced_piece(uint64_t bytes)
{
	uint64_t piece = bytes / PIECES_A_SECOND;

	if (piece < PIECE_MIN)
		return bytes < PIECE_MIN ? bytes : PIECE_MIN;
	return piece < PIECE_MAX ? piece : PIECE_MAX;
}

/* Books N bytes; the result is for how long they have to wait. */
static uint64_t
paced_one_book(struct paced_one *o, uint64_t n, uint64_t now)
{
	struct rate rate = { o->rate.bytes, RATE_SECOND };
	uint64_t slack = rate_cost(&rate, o->rate.burst);
	uint64_t *due = &o->due, begin;

	if (slack < SLACK)
		slack = SLACK;
	if (o->rate.table != NULL)
		due = &keyed_table_use(o->rate.table, o->rate.hash, now)->until;
	begin = now > slack ? now - slack : 0;
	if (*due > begin)
		begin = *due;
	*due = begin + rate_cost(&rate, n);
	return begin > now ? begin - now : 0;
}

/* Of N bytes that are there, how many are the next piece. */
static uint64_t
paced_flow_piece(const struct paced_flow *p, uint64_t n)
{
	for (int i = 0; i < PACED_RATES; i++) {
		uint64_t bytes = p->ones[i].rate.bytes;

		if (bytes > 0 && paced_piece(bytes) < n)
			n = paced_piece(bytes);
	}
	return n;
}

/* Whether a piece of what is there may pass now; else the timer runs. */
static bool
paced_flow_book(struct paced_flow *p, uint64_t n)
{
	uint64_t now = rate_now(), wait = 0;

	p->granted = paced_flow_piece(p, n);
	for (int i = 0; i < PACED_RATES; i++) {
		uint64_t w = 0;

		if (p->ones[i].rate.bytes > 0)
			w = paced_one_book(&p->ones[i], p->granted, now);
		if (w > wait)
			wait = w;
	}
	if (wait == 0)
		return true;
	++*p->waits;
	timer_start(p->loop, &p->timer, (wait + 999999) / 1000000);
	return false;
}

static void
paced_flow_on_time(struct timer *t)
{
	flow_wake(&CONTAINER_OF(t, struct paced_flow, timer)->flow);
}

static enum flow_status
paced_flow_peek(struct flow *f, struct span *out)
{
	struct paced_flow *p = (struct paced_flow *)f;
	enum flow_status st;

	if (timer_is_running(&p->timer))
		return FLOW_WAIT;
	st = flow_peek(f->src, out);
	if (st != FLOW_DATA)
		return st;
	if (out->n > 0 && p->granted == 0 && !paced_flow_book(p, out->n)) {
		flow_take(f->src, 0);
		return FLOW_WAIT;
	}
	if (out->n > p->granted)
		out->n = (size_t)p->granted;
	return FLOW_DATA;
}

static void
paced_flow_take(struct flow *f, size_t n)
{
	struct paced_flow *p = (struct paced_flow *)f;

	ASSERT(n <= p->granted);
	p->granted -= n;
	flow_take(f->src, n);
	f->length = f->src->length;
}

static void
paced_flow_close(struct flow *f)
{
	struct paced_flow *p = (struct paced_flow *)f;

	timer_stop(p->loop, &p->timer);
}

static const struct flow_ops paced_flow_ops = {
	.name = "paced", .peek = paced_flow_peek, .take = paced_flow_take,
	.close = paced_flow_close
};

struct flow *
paced_flow(struct arena *a, struct loop *l, struct flow *src,
    const struct paced_rate rates[PACED_RATES], uint64_t *waits)
{
	struct paced_flow *p = arena_zalloc(a, sizeof *p);

	p->flow.ops = &paced_flow_ops;
	p->flow.length = src->length;
	flow_set_source(&p->flow, src);
	p->loop = l;
	p->timer.name = "bandwidth";
	p->timer.expired = paced_flow_on_time;
	p->waits = waits;
	for (int i = 0; i < PACED_RATES; i++)
		p->ones[i].rate = rates[i];
	return &p->flow;
}
