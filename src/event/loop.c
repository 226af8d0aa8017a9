/*
 * The loop. A tick has five stages, in this order:
 *
 *   timers   what is due runs, in order of deadline
 *   pending  what loop_next queued before this tick
 *   poll     epoll_wait, edge-triggered; then each ready io's callback
 *   check    what loop_defer queued in this tick
 *   closing  what loop_reap queued; here objects die
 *
 * Each queue is taken whole before it is run, so that work which queues itself
 * again waits for the next tick and cannot starve the poll. The loop is owned
 * by its process and touched by one thread only.
 */
#include "event/loop.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "event/timer_wheel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256          /* of one poll */
#define SLOW_DEFAULT 50000  /* us */
#define NOTE_MAX 200        /* bytes of a note that are kept */

struct loop {
	int epoll;
	bool stopping;
	struct loop_stats *stats;
	struct wheel wheel;
	struct list pending, check, closing;
	struct epoll_event events[EVENTS];
	int n_events, at_event; /* while a poll's events are gone through */
	bool was_full;          /* there may have been more of them */
	uint64_t polls;
	uint64_t polled_us;     /* when epoll_wait returned last; 0: never */
	uint64_t slow_us;
	uint64_t callback_us;   /* when the running callback began */
	const char *running;
	char note[NOTE_MAX];
	size_t note_n; /* 0: none */
};

const uint64_t loop_lag_bounds[LOOP_LAG_BUCKETS] = {
	50, 100, 250, 500, 1000, 2000, 5000, 10000, 25000, 50000, 100000, 500000
};

static const struct counter_row loop_rows[] = {
	COUNTER(loop_stats, ticks, COUNTER_TOTAL, "weir_loop_ticks_total",
	    "Rounds of the event loops."),
	COUNTER(loop_stats, events, COUNTER_TOTAL, "weir_loop_events_total",
	    "Events that the kernel reported."),
	COUNTER(loop_stats, timers_fired, COUNTER_TOTAL,
	    "weir_loop_timers_fired_total", "Timers that expired."),
	COUNTER(loop_stats, slow_callbacks, COUNTER_TOTAL,
	    "weir_loop_slow_callbacks_total",
	    "Callbacks that ran longer than the limit."),
	COUNTER(loop_stats, lag_us, COUNTER_TOTAL,
	    "weir_loop_busy_microseconds_total",
	    "Time between the return of a poll and the next."),
	{ .name = "weir_loop_lag_microseconds",
	  .help = "Time between the return of a poll and the next.",
	  .kind = COUNTER_BUCKETS,
	  .offset = offsetof(struct loop_stats, lag),
	  .buckets = LOOP_LAG_BUCKETS, .bounds = loop_lag_bounds },
	COUNTER_END
};

const struct counter_set loop_counters = {
	.name = "loop", .size = sizeof(struct loop_stats), .rows = loop_rows
};

struct loop *
loop_new(struct loop_stats *stats, struct err *e)
{
	struct loop *l;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0) {
		err_sys(e, "cannot make an epoll descriptor");
		return NULL;
	}
	l = mem_zalloc(sizeof *l);
	l->epoll = fd;
	l->stats = stats;
	l->slow_us = SLOW_DEFAULT;
	clock_update();
	l->callback_us = clock_us();
	wheel_init(&l->wheel, clock_ms());
	list_init(&l->pending);
	list_init(&l->check);
	list_init(&l->closing);
	return l;
}

void
loop_end(struct loop *l)
{
	close(l->epoll);
	mem_free(l);
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

void
loop_set_slow_limit(struct loop *l, uint64_t us)
{
	l->slow_us = us;
}

void
loop_note(struct loop *l, const char *text, size_t n)
{
	l->note_n = n < sizeof l->note ? n : sizeof l->note;
	memcpy(l->note, text, l->note_n);
}

void
loop_report(struct loop *l, int fd)
{
	char note[NOTE_MAX];

	if (l->running == NULL)
		return;
	panic_print(fd, "callback in hand: %s\n", l->running);
	if (l->note_n == 0)
		return;
	/* It may be a peer's words: they do not forge a line of the report. */
	for (size_t i = 0; i < l->note_n; i++)
		note[i] = l->note[i] >= ' ' && l->note[i] <= '~' ?
		    l->note[i] : '?';
	panic_print(fd, "working on: %.*s\n", (int)l->note_n, note);
}

/* ---- callbacks, measured ----------------------------------------------- */

static void
loop_enter(struct loop *l, const char *name)
{
	l->running = name != NULL ? name : "?";
	l->note_n = 0;
}

/* The time at which one callback ends is that at which the next begins: one
 * reading of the clock each. */
static void
loop_leave(struct loop *l)
{
	uint64_t now, took;

	if (l->slow_us == 0)
		return;
	now = clock_precise_us();
	took = now - l->callback_us;
	l->callback_us = now;
	if (took <= l->slow_us)
		return;
	l->stats->slow_callbacks++;
	log_warn("slow callback \"%s\" took %llu ms%s%.*s", l->running,
	    (unsigned long long)took / 1000, l->note_n > 0 ? ": " : "",
	    (int)l->note_n, l->note);
}

/* ---- timers ------------------------------------------------------------ */

bool
timer_is_running(const struct timer *t)
{
	return t->link.next != NULL && list_is_linked(&t->link);
}

void
timer_start(struct loop *l, struct timer *t, uint64_t ms_from_now)
{
	uint64_t deadline;

	/* The longest time-out that can be configured is for ever. */
	if (__builtin_add_overflow(clock_ms(), ms_from_now, &deadline))
		deadline = UINT64_MAX;
	if (timer_is_running(t)) {
		if (deadline >= t->slot_at) {
			t->deadline = deadline;
			return;
		}
		list_remove(&t->link);
	}
	t->deadline = deadline;
	wheel_add(&l->wheel, t);
}

void
timer_stop(struct loop *l, struct timer *t)
{
	(void)l;
	if (timer_is_running(t))
		list_remove(&t->link);
}

static void
loop_fire(void *arg, struct timer *t)
{
	struct loop *l = arg;

	l->stats->timers_fired++;
	loop_enter(l, t->name);
	t->expired(t);
	loop_leave(l);
}

/* ---- tasks ------------------------------------------------------------- */

bool
task_is_queued(const struct task *t)
{
	return t->link.next != NULL && list_is_linked(&t->link);
}

void
task_cancel(struct task *t)
{
	if (task_is_queued(t))
		list_remove(&t->link);
}

static void
task_queue(struct list *queue, struct task *t)
{
	if (!task_is_queued(t))
		list_push_back(queue, &t->link);
}

void
loop_next(struct loop *l, struct task *t)
{
	task_queue(&l->pending, t);
}

void
loop_defer(struct loop *l, struct task *t)
{
	task_queue(&l->check, t);
}

void
loop_reap(struct loop *l, struct task *t)
{
	task_queue(&l->closing, t);
}

static void
loop_run_queue(struct loop *l, struct list *queue)
{
	struct list now, *n;

	if (list_is_empty(queue))
		return;
	list_init(&now);
	list_splice(&now, queue);
	while ((n = list_pop_front(&now)) != NULL) {
		struct task *t = LIST_ITEM(n, struct task, link);

		loop_enter(l, t->name);
		t->run(t);
		loop_leave(l);
	}
}

/* ---- descriptors ------------------------------------------------------- */

static bool
loop_register(struct loop *l, struct io *io, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, io->fd, &ev) != 0)
		return err_sys(e, "cannot watch a descriptor");
	return true;
}

bool
loop_add_io(struct loop *l, struct io *io, struct err *e)
{
	return loop_register(l, io, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	    e);
}

bool
loop_add_listener(struct loop *l, struct io *io, struct err *e)
{
	return loop_register(l, io, EPOLLIN | EPOLLEXCLUSIVE, e);
}

void
loop_forget_io(struct loop *l, struct io *io)
{
	struct epoll_event none = { 0 };

	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, &none);
	for (int i = l->at_event; i < l->n_events; i++)
		if (l->events[i].data.ptr == io)
			l->events[i].data.ptr = NULL;
}

uint64_t
loop_polls(const struct loop *l)
{
	return l->polls;
}

bool
loop_owes(const struct loop *l, const struct io *io)
{
	for (int i = l->at_event; i < l->n_events; i++)
		if (l->events[i].data.ptr == io)
			return true;
	return l->was_full;
}

static void
loop_dispatch(struct loop *l)
{
	for (l->at_event = 0; l->at_event < l->n_events; l->at_event++) {
		struct epoll_event *ev = &l->events[l->at_event];
		struct io *io = ev->data.ptr;

		if (io == NULL)
			continue;
		loop_enter(l, io->name);
		io->ready(io, ev->events);
		loop_leave(l);
	}
	l->n_events = 0;
}

/* ---- the tick ---------------------------------------------------------- */

static void
loop_count_lag(struct loop *l, uint64_t now_us)
{
	uint64_t lag;
	unsigned i = 0;

	if (l->polled_us == 0)
		return;
	lag = now_us - l->polled_us;
	while (i < LOOP_LAG_BUCKETS && lag > loop_lag_bounds[i])
		i++;
	l->stats->lag[i]++;
	l->stats->lag_us += lag;
}

/* How long the poll may sleep: not at all while work is queued. NOW_MS is not
 * the tick's time: what the callbacks took is not slept once more. */
static int
loop_wait_ms(struct loop *l, int wait_ms, uint64_t now_ms)
{
	uint64_t next, left;

	if (clock_is_fake() || !list_is_empty(&l->pending) ||
	    !list_is_empty(&l->check) || !list_is_empty(&l->closing))
		return 0;
	next = wheel_next(&l->wheel);
	if (next == UINT64_MAX)
		return wait_ms;
	left = next > now_ms ? next - now_ms : 0;
	if (left > INT32_MAX)
		left = INT32_MAX;
	return wait_ms >= 0 && (uint64_t)wait_ms < left ? wait_ms : (int)left;
}

static void
loop_poll(struct loop *l, int wait_ms)
{
	uint64_t now = clock_precise_us();
	int n;

	loop_count_lag(l, now);
	l->running = NULL;
	n = epoll_wait(l->epoll, l->events, EVENTS,
	    loop_wait_ms(l, wait_ms, now / 1000));
	ASSERT(n >= 0 || errno == EINTR);
	clock_update();
	l->polled_us = l->callback_us = clock_us();
	l->n_events = n > 0 ? n : 0;
	l->was_full = n == EVENTS;
	l->polls++;
	l->stats->events += (unsigned)l->n_events;
	loop_dispatch(l);
}

void
loop_tick(struct loop *l, int wait_ms)
{
	l->stats->ticks++;
	/* What its owner did between two ticks is no callback's. */
	l->callback_us = clock_precise_us();
	wheel_run(&l->wheel, clock_ms(), loop_fire, l);
	loop_run_queue(l, &l->pending);
	loop_poll(l, l->stopping ? 0 : wait_ms);
	loop_run_queue(l, &l->check);
	loop_run_queue(l, &l->closing);
	l->running = NULL;
}

void
loop_run(struct loop *l)
{
	while (!l->stopping)
		loop_tick(l, -1);
	l->stopping = false;
}
