/*
 * A few threads for what would block the loop. A job runs in a thread, its
 * `done` runs later in the loop. The queue is bounded: when it is full,
 * pool_submit refuses and the caller answers 503 or runs it inline.
 */
#ifndef EVENT_POOL_H
#define EVENT_POOL_H

#include "event/loop.h"

struct pool;

/* Embedded; belongs to the pool from pool_submit until `done` is called. The
 * owner must not die before; a cancelled job is still `done`. */
struct job {
	struct list link;
	const char *name;
	void (*run)(struct job *j);  /* in a thread: touch only the job's own data */
	void (*done)(struct job *j); /* in the loop */
	uint64_t queued_us;
};

struct pool_stats {
	uint64_t jobs;
	uint64_t refused;
	uint64_t wait_us; /* sum of the time from submit to run */
};
extern const struct counter_set pool_counters;

/* THREADS 1..64. Signals are blocked in the threads, but for faults of their
 * own. */
struct pool *pool_new(struct loop *l, unsigned threads, size_t queue_limit,
    struct pool_stats *stats, struct err *e);
/* Waits for running jobs; queued ones run too, their `done` is called. What
 * these submit is refused. */
void pool_end(struct pool *p);
bool pool_submit(struct pool *p, struct job *j);
unsigned pool_threads(const struct pool *p);
size_t pool_busy(const struct pool *p); /* submitted and not yet done */

#endif
