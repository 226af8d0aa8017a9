/*
 * The timers of a loop: a hierarchical wheel of 4 levels of 64 slots, a
 * millisecond at the bottom, 4.6 hours at the top; what is due later waits in
 * the top level and is filed again. Private to the event floor.
 */
#ifndef EVENT_TIMER_WHEEL_H
#define EVENT_TIMER_WHEEL_H

#include "event/loop.h"

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 64

struct wheel {
	uint64_t now; /* ms up to which everything was run */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
	/* A bit per slot that may hold something; cleared when found empty. */
	uint64_t used[WHEEL_LEVELS];
};

void wheel_init(struct wheel *w, uint64_t now_ms);
/* Files T, which is not running, at T->deadline. */
void wheel_add(struct wheel *w, struct timer *t);
/* When the wheel has to be looked at next; UINT64_MAX: never. */
uint64_t wheel_next(struct wheel *w);
/* Takes what is due up to NOW_MS, in order, and gives it to FIRE. */
void wheel_run(struct wheel *w, uint64_t now_ms,
    void (*fire)(void *arg, struct timer *t), void *arg);

#endif
