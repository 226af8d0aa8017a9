/*
 * A hierarchical timing wheel. Starting and stopping touch one list; a timer
 * is moved down a level at most three times in its life. A deadline that moved
 * later is left where it is and filed again when its slot comes up, because
 * most timers (idle connections) are moved many times and seldom fire.
 */
#include "event/timer_wheel.h"

#include "base/panic.h"

#define BITS 6 /* of a slot number */

static uint64_t
span_of(unsigned level)
{
	return 1ULL << (BITS * (level + 1));
}

void
wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->now = now_ms;
	for (unsigned k = 0; k < WHEEL_LEVELS; k++) {
		w->used[k] = 0;
		for (unsigned i = 0; i < WHEEL_SLOTS; i++)
			list_init(&w->slots[k][i]);
	}
}

static void
wheel_file(struct wheel *w, struct timer *t, uint64_t at)
{
	uint64_t delta = at - w->now;
	unsigned level = 0, slot;

	while (level + 1 < WHEEL_LEVELS && delta >= span_of(level))
		level++;
	if (delta >= span_of(level))
		at = w->now + span_of(level) - 1;
	t->slot_at = at;
	slot = (at >> (BITS * level)) % WHEEL_SLOTS;
	list_push_back(&w->slots[level][slot], &t->link);
	w->used[level] |= 1ULL << slot;
}

void
wheel_add(struct wheel *w, struct timer *t)
{
	/* The slot of this very millisecond was run already. */
	wheel_file(w, t, t->deadline > w->now ? t->deadline : w->now + 1);
}

/* When the next used slot of LEVEL begins. */
static uint64_t
level_next(struct wheel *w, unsigned level)
{
	uint64_t turn = w->now >> (BITS * level);
	unsigned here = turn % WHEEL_SLOTS;

	while (w->used[level] != 0) {
		unsigned by = (here + 1) % WHEEL_SLOTS;
		uint64_t bits = w->used[level];
		unsigned steps, slot;

		/* Bit 0 is the slot after this one; this one itself, last,
		 * holds what is due a whole turn from now. */
		if (by > 0)
			bits = bits >> by | bits << (WHEEL_SLOTS - by);
		steps = (unsigned)__builtin_ctzll(bits) + 1;
		slot = (here + steps) % WHEEL_SLOTS;
		if (!list_is_empty(&w->slots[level][slot]))
			return (turn + steps) << (BITS * level);
		w->used[level] &= ~(1ULL << slot);
	}
	return UINT64_MAX;
}

uint64_t
wheel_next(struct wheel *w)
{
	uint64_t next = UINT64_MAX;

	for (unsigned k = 0; k < WHEEL_LEVELS; k++) {
		uint64_t t = level_next(w, k);

		if (t < next)
			next = t;
	}
	return next;
}

static struct timer *
timer_pop(struct list *l)
{
	struct list *n = list_pop_front(l);

	return n != NULL ? LIST_ITEM(n, struct timer, link) : NULL;
}

/* Files what waits in the slot that begins now one or more levels lower. */
static void
wheel_cascade(struct wheel *w, unsigned level)
{
	unsigned slot = (w->now >> (BITS * level)) % WHEEL_SLOTS;
	struct list due;
	struct timer *t;

	list_init(&due);
	list_splice(&due, &w->slots[level][slot]);
	w->used[level] &= ~(1ULL << slot);
	while ((t = timer_pop(&due)) != NULL)
		wheel_file(w, t,
		    t->deadline > w->now ? t->deadline : w->now);
}

static void
wheel_fire(struct wheel *w, void (*fire)(void *arg, struct timer *t),
    void *arg)
{
	unsigned slot = w->now % WHEEL_SLOTS;
	struct list due;
	struct timer *t;

	list_init(&due);
	list_splice(&due, &w->slots[0][slot]);
	w->used[0] &= ~(1ULL << slot);
	while ((t = timer_pop(&due)) != NULL) {
		if (t->deadline > w->now)
			wheel_file(w, t, t->deadline);
		else
			fire(arg, t);
	}
}

void
wheel_run(struct wheel *w, uint64_t now_ms,
    void (*fire)(void *arg, struct timer *t), void *arg)
{
	uint64_t next;

	while ((next = wheel_next(w)) <= now_ms) {
		w->now = next;
		for (unsigned k = WHEEL_LEVELS - 1; k > 0; k--)
			if (next % span_of(k - 1) == 0)
				wheel_cascade(w, k);
		wheel_fire(w, fire, arg);
	}
	if (now_ms > w->now)
		w->now = now_ms;
}
