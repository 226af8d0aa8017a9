/*
 * One loop per process, private to it. A tick has five stages:
 *
 *   timers   what is due runs, in order of deadline
 *   pending  what loop_next queued before this tick
 *   poll     epoll_wait, edge-triggered; then each ready io's callback
 *   check    what loop_defer queued in this tick, together
 *   closing  what loop_reap queued: the only place where objects die
 *
 * Work that is queued while its queue is drained waits for the next tick.
 * Time is read once, after the poll.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include "base/counter.h"
#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* A descriptor that is watched. Embedded in its owner; registered once, for
 * reading, writing and hang-up, edge-triggered, and never modified. */
struct io {
	int fd;
	const char *name; /* for the log of slow callbacks: "h1", "listener" */
	void (*ready)(struct io *io, unsigned events); /* EPOLLIN | ... */
};

/* A timer; embedded. Zero-filled memory is a stopped timer. */
struct timer {
	struct list link;
	uint64_t deadline; /* ms, clock_ms */
	uint64_t slot_at;  /* where the wheel keeps it; <= deadline */
	const char *name;
	void (*expired)(struct timer *t);
};

/* A unit of deferred work; embedded. Zero-filled memory is an idle task. */
struct task {
	struct list link;
	const char *name;
	void (*run)(struct task *t);
};

#define LOOP_LAG_BUCKETS 12
/* Upper bounds in microseconds; the last bucket is unbounded. */
extern const uint64_t loop_lag_bounds[LOOP_LAG_BUCKETS];

struct loop_stats {
	uint64_t ticks;
	uint64_t events;
	uint64_t timers_fired;
	uint64_t slow_callbacks;
	uint64_t lag_us;                    /* sum */
	uint64_t lag[LOOP_LAG_BUCKETS + 1]; /* time between two polls */
};
extern const struct counter_set loop_counters;

/* STATS is written to (a counter page); never NULL. */
struct loop *loop_new(struct loop_stats *stats, struct err *e);
void loop_end(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* One tick, waiting at most WAIT_MS (-1: until something happens). With a
 * fake clock it never waits. */
void loop_tick(struct loop *l, int wait_ms);
void loop_stop(struct loop *l);

/* A callback that runs longer is logged with its name and what it worked on
 * (loop_note); 0 switches that off. Default 50 ms. */
void loop_set_slow_limit(struct loop *l, uint64_t us);
/* Says what the running callback works on (a request line): what of it is
 * shown is copied, and forgotten before the next callback. */
void loop_note(struct loop *l, const char *text, size_t n);
/* The name of what is running and its note, for the panic report. */
void loop_report(struct loop *l, int fd);

bool loop_add_io(struct loop *l, struct io *io, struct err *e);
/* As loop_add_io for listening sockets: EPOLLEXCLUSIVE, level-triggered,
 * reading only. */
bool loop_add_listener(struct loop *l, struct io *io, struct err *e);
/* No callback of IO arrives after this, not even one of this tick's events
 * that epoll has already reported. The descriptor stays open. */
void loop_forget_io(struct loop *l, struct io *io);

/* How often the loop has polled; between two of the same the kernel may have
 * more to say of a descriptor than was heard. */
uint64_t loop_polls(const struct loop *l);
/* Whether the last poll may have had something to say of IO that its callback
 * has yet to be told. */
bool loop_owes(const struct loop *l, const struct io *io);

/* Starts or moves; O(1). Moving a deadline later (the common case: every
 * request moves its connection's time-out) touches two words. */
void timer_start(struct loop *l, struct timer *t, uint64_t ms_from_now);
void timer_stop(struct loop *l, struct timer *t); /* O(1); twice is harmless */
bool timer_is_running(const struct timer *t);

/* Each is a no-op when the task is already queued (in whichever queue). */
void loop_next(struct loop *l, struct task *t);  /* pending, next tick */
void loop_defer(struct loop *l, struct task *t); /* check, this tick */
void loop_reap(struct loop *l, struct task *t);  /* closing, this tick */
void task_cancel(struct task *t);
bool task_is_queued(const struct task *t);

#endif
