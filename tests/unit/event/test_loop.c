/*
 * The loop: the order of the five stages, what waits for the next tick, and
 * that nothing starves anything.
 */
#include "event/loop_world.h"

/* ---- stages ------------------------------------------------------------ */

static void
stages_run_in_their_order(void **state)
{
	struct timer timer = {.name = "timer", .expired = timer_note};
	struct task pending = {.name = "pending", .run = task_note};
	struct task check = {.name = "check", .run = task_note};
	struct task closing = {.name = "closing", .run = task_note};
	struct pipe_io p;

	(void)state;
	pipe_open(&p, "io");
	/* Begun in the opposite order. */
	loop_reap(loop, &closing);
	loop_defer(loop, &check);
	pipe_write(&p);
	loop_next(loop, &pending);
	timer_start(loop, &timer, 5);
	clock_fake_advance(5);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "timer pending io check closing ");
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	pipe_close(&p);
}

/* A callback in each stage that queues work for a stage: what it was told, and
 * that it was. */
static struct {
	struct task task;
	void (*queue)(struct loop *l, struct task *t);
} to_queue;

static void
queue_it(void)
{
	to_queue.queue(loop, &to_queue.task);
}

static void
timer_queue(struct timer *t)
{
	note(t->name);
	queue_it();
}

static void
task_queue_it(struct task *t)
{
	note(t->name);
	queue_it();
}

static void
io_queue(struct io *io, unsigned events)
{
	io_note(io, events);
	queue_it();
}

/* Runs a tick with a callback in STAGE that queues "work" by QUEUE; what ran
 * in it and in the next one. */
static const char *
two_ticks(const char *stage, void (*queue)(struct loop *l, struct task *t))
{
	struct timer timer = {.name = "timers", .expired = timer_queue};
	struct task task = {.name = stage, .run = task_queue_it};
	struct pipe_io p;
	static char text[2 * sizeof order];

	memset(&to_queue, 0, sizeof to_queue);
	to_queue.task = (struct task){.name = "work", .run = task_note};
	to_queue.queue = queue;
	pipe_open(&p, "poll");
	p.io.ready = io_queue;
	if (strcmp(stage, "timers") == 0)
		timer_start(loop, &timer, 1);
	else if (strcmp(stage, "pending") == 0)
		loop_next(loop, &task);
	else if (strcmp(stage, "poll") == 0)
		pipe_write(&p);
	else if (strcmp(stage, "check") == 0)
		loop_defer(loop, &task);
	else
		loop_reap(loop, &task);
	clock_fake_advance(1);
	loop_tick(loop, 0);
	snprintf(text, sizeof text, "%s| ", ran());
	loop_tick(loop, 0);
	strcat(text, ran());
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	pipe_close(&p);
	return text;
}

static void
work_waits_for_its_stage_and_not_within_it(void **state)
{
	static const struct {
		const char *stage;
		void (*queue)(struct loop *l, struct task *t);
		const char *want;
	} rows[] = {
		{"timers", loop_next, "timers work | "},
		{"timers", loop_defer, "timers work | "},
		{"timers", loop_reap, "timers work | "},
		{"pending", loop_next, "pending | work "},
		{"pending", loop_defer, "pending work | "},
		{"pending", loop_reap, "pending work | "},
		{"poll", loop_next, "poll | work "},
		{"poll", loop_defer, "poll work | "},
		{"poll", loop_reap, "poll work | "},
		{"check", loop_next, "check | work "},
		{"check", loop_defer, "check | work "},
		{"check", loop_reap, "check work | "},
		{"closing", loop_next, "closing | work "},
		{"closing", loop_defer, "closing | work "},
		{"closing", loop_reap, "closing | work "}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_string_equal(two_ticks(rows[i].stage, rows[i].queue),
		    rows[i].want);
}

/* ---- starvation -------------------------------------------------------- */

static unsigned n_again;

static void
again_by_next(struct task *t)
{
	n_again++;
	loop_next(loop, t);
}

static void
again_by_defer(struct task *t)
{
	n_again++;
	loop_defer(loop, t);
}

static void
again_by_reap(struct task *t)
{
	n_again++;
	loop_reap(loop, t);
}

static void
work_that_queues_itself_for_ever_starves_nobody(void **state)
{
	static void (*const run[])(struct task *t) = {
		again_by_next, again_by_defer, again_by_reap
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(run); i++) {
		struct task t = {.name = "again", .run = run[i]};
		struct timer timer = {.name = "timer",
			.expired = timer_note};
		struct pipe_io p;

		pipe_open(&p, "io");
		n_again = 0;
		run[i](&t);
		for (unsigned tick = 0; tick < 10; tick++) {
			timer_start(loop, &timer, 1);
			clock_fake_advance(1);
			pipe_write(&p);
			loop_tick(loop, 0);
			assert_string_equal(ran(), "timer io ");
			assert_int_equal(n_again, tick + 2);
		}
		task_cancel(&t);
		pipe_close(&p);
	}
}

static void
timer_again(struct timer *t)
{
	n_again++;
	timer_start(loop, t, 0);
}

static void
a_timer_that_starts_itself_at_0_starves_nobody(void **state)
{
	struct timer t = {.name = "again", .expired = timer_again};
	struct pipe_io p;

	(void)state;
	pipe_open(&p, "io");
	n_again = 0;
	timer_start(loop, &t, 0);
	for (unsigned tick = 0; tick < 10; tick++) {
		clock_fake_advance(1);
		pipe_write(&p);
		loop_tick(loop, 0);
		assert_string_equal(ran(), "io ");
		assert_int_equal(n_again, tick + 1);
	}
	/* After a long tick it does not run for each millisecond of it. */
	clock_fake_advance(1000);
	loop_tick(loop, 0);
	assert_true(n_again <= 12);
	timer_stop(loop, &t);
	pipe_close(&p);
}

static void
io_write_more(struct io *io, unsigned events)
{
	struct pipe_io *p = CONTAINER_OF(io, struct pipe_io, io);

	(void)events;
	n_again++;
	pipe_write(p);
}

static void
a_descriptor_that_is_always_ready_starves_nobody(void **state)
{
	struct timer timer = {.name = "timer", .expired = timer_note};
	struct task task = {.name = "task", .run = task_note};
	struct pipe_io busy, other;

	(void)state;
	pipe_open(&busy, "busy");
	pipe_open(&other, "other");
	busy.io.ready = io_write_more;
	n_again = 0;
	pipe_write(&busy);
	for (unsigned tick = 0; tick < 10; tick++) {
		timer_start(loop, &timer, 1);
		clock_fake_advance(1);
		loop_next(loop, &task);
		pipe_write(&other);
		loop_tick(loop, 0);
		assert_string_equal(ran(), "timer task other ");
		assert_int_equal(n_again, tick + 1);
	}
	pipe_close(&busy);
	pipe_close(&other);
}

/* ---- tasks ------------------------------------------------------------- */

static void
a_task_is_queued_once_whichever_queue(void **state)
{
	struct task t = {.name = "t", .run = task_note};

	(void)state;
	assert_false(task_is_queued(&t));
	loop_defer(loop, &t);
	assert_true(task_is_queued(&t));
	loop_defer(loop, &t);
	loop_next(loop, &t);
	loop_reap(loop, &t);
	loop_tick(loop, 0);
	assert_false(task_is_queued(&t));
	loop_tick(loop, 0);
	assert_string_equal(ran(), "t ");
	task_cancel(&t);
}

static void
tasks_run_in_the_order_they_were_queued(void **state)
{
	struct task t[3] = {
		{.name = "a", .run = task_note},
		{.name = "b", .run = task_note},
		{.name = "c", .run = task_note}
	};

	(void)state;
	loop_next(loop, &t[1]);
	loop_next(loop, &t[2]);
	loop_next(loop, &t[0]);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "b c a ");
}

static struct task *victim;

static void
cancel_victim(struct task *t)
{
	note(t->name);
	task_cancel(victim);
	task_cancel(victim);
}

static void
a_cancelled_task_does_not_run_even_in_this_drain(void **state)
{
	struct task t[3] = {
		{.name = "a", .run = cancel_victim},
		{.name = "b", .run = task_note}, {.name = "c", .run = task_note}
	};

	(void)state;
	victim = &t[1];
	for (int i = 0; i < 3; i++)
		loop_defer(loop, &t[i]);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "a c ");
}

/* ---- running ----------------------------------------------------------- */

static unsigned to_go;

static void
stop_when_done(struct task *t)
{
	note(t->name);
	if (--to_go == 0)
		loop_stop(loop);
	else
		loop_next(loop, t);
}

static void
it_runs_until_it_is_stopped_and_can_run_again(void **state)
{
	struct task t = {.name = "t", .run = stop_when_done};

	(void)state;
	for (int i = 0; i < 2; i++) {
		to_go = 3;
		loop_next(loop, &t);
		loop_run(loop);
		assert_string_equal(ran(), "t t t ");
	}
	assert_int_equal(stats.ticks, 6);
}

/* How long it would sleep is told by arithmetic only; nobody sleeps here. */
static void
it_sleeps_until_the_next_timer_but_not_over_work(void **state)
{
	struct timer t = {.name = "t", .expired = timer_note};
	struct task task = {.name = "task", .run = task_note};
	uint64_t now;

	(void)state;
	clock_fake_end();
	loop->wheel.now = now = clock_ms();
	assert_int_equal(loop_wait_ms(loop, -1, now), -1);
	assert_int_equal(loop_wait_ms(loop, 70, now), 70);
	timer_start(loop, &t, 50);
	assert_int_equal(loop_wait_ms(loop, -1, now), 50);
	assert_int_equal(loop_wait_ms(loop, 70, now), 50);
	assert_int_equal(loop_wait_ms(loop, 20, now), 20);
	/* What the callbacks of the tick took is not slept once more. */
	assert_int_equal(loop_wait_ms(loop, -1, now + 30), 20);
	assert_int_equal(loop_wait_ms(loop, -1, now + 99), 0);
	loop_defer(loop, &task);
	assert_int_equal(loop_wait_ms(loop, -1, now), 0);
	task_cancel(&task);
	loop_next(loop, &task);
	assert_int_equal(loop_wait_ms(loop, -1, now), 0);
	task_cancel(&task);
	loop_reap(loop, &task);
	assert_int_equal(loop_wait_ms(loop, -1, now), 0);
	task_cancel(&task);
	timer_stop(loop, &t);
	assert_int_equal(loop_wait_ms(loop, -1, now), -1);
	clock_fake_start(1, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stages_run_in_their_order),
		TEST(work_waits_for_its_stage_and_not_within_it),
		TEST(work_that_queues_itself_for_ever_starves_nobody),
		TEST(a_timer_that_starts_itself_at_0_starves_nobody),
		TEST(a_descriptor_that_is_always_ready_starves_nobody),
		TEST(a_task_is_queued_once_whichever_queue),
		TEST(tasks_run_in_the_order_they_were_queued),
		TEST(a_cancelled_task_does_not_run_even_in_this_drain),
		TEST(it_runs_until_it_is_stopped_and_can_run_again),
		TEST(it_sleeps_until_the_next_timer_but_not_over_work)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
