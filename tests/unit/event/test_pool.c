/* The pool: jobs run in threads, are done in the loop, and never pile up. */
#include "event/pool.h"

#include "base/clock.h"
#include "base/panic.h"
#include "death.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/mman.h>

static struct loop *loop;
static struct loop_stats loop_stats;
static struct pool_stats stats;
static unsigned n_done;

/* A job that tells where it ran, and waits for GATE if it has one. */
struct work {
	struct job job;
	pthread_t ran_in, done_in;
	sem_t *started, *gate;
	unsigned runs, dones;
};

static int
set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof stats);
	n_done = 0;
	loop = loop_new(&loop_stats, NULL);
	loop_set_slow_limit(loop, 0);
	return loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_end(loop);
	return 0;
}

static void
work_run(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	if (w->started != NULL)
		sem_post(w->started);
	if (w->gate != NULL)
		sem_wait(w->gate);
	w->ran_in = pthread_self();
	w->runs++;
}

static void
work_done(struct job *j)
{
	struct work *w = CONTAINER_OF(j, struct work, job);

	w->done_in = pthread_self();
	w->dones++;
	n_done++;
}

static struct work
work_make(sem_t *gate)
{
	return (struct work){
		.job = {.name = "work", .run = work_run, .done = work_done},
		.gate = gate
	};
}

/* Ticks until N jobs are done, for ten seconds at most. */
static void
wait_done(unsigned n)
{
	uint64_t end = clock_precise_us() + 10000000;

	while (n_done < n && clock_precise_us() < end)
		loop_tick(loop, 100);
	assert_int_equal(n_done, n);
}

static void
jobs_run_in_threads_and_are_done_in_the_loop(void **state)
{
	struct pool *p = pool_new(loop, 2, 100, &stats, NULL);
	struct work w[50];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		w[i] = work_make(NULL);
		assert_true(pool_submit(p, &w[i].job));
	}
	assert_int_equal(pool_busy(p), COUNT_OF(w));
	/* However long ago they ran, nothing is done outside of the loop. */
	assert_int_equal(n_done, 0);
	wait_done(COUNT_OF(w));
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		assert_int_equal(w[i].runs, 1);
		assert_int_equal(w[i].dones, 1);
		assert_false(pthread_equal(w[i].ran_in, pthread_self()));
		assert_true(pthread_equal(w[i].done_in, pthread_self()));
	}
	assert_int_equal(pool_busy(p), 0);
	assert_int_equal(stats.jobs, COUNT_OF(w));
	assert_int_equal(stats.refused, 0);
	pool_end(p);
}

static void
threads_work_side_by_side(void **state)
{
	struct pool *p = pool_new(loop, 3, 100, &stats, NULL);
	struct work w[3];
	sem_t started, gate;

	(void)state;
	sem_init(&started, 0, 0);
	sem_init(&gate, 0, 0);
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		w[i] = work_make(&gate);
		w[i].started = &started;
		assert_true(pool_submit(p, &w[i].job));
	}
	/* All have begun and none can end. */
	for (size_t i = 0; i < COUNT_OF(w); i++)
		sem_wait(&started);
	loop_tick(loop, 0);
	assert_int_equal(n_done, 0);
	for (size_t i = 0; i < COUNT_OF(w); i++)
		sem_post(&gate);
	wait_done(COUNT_OF(w));
	pool_end(p);
	sem_destroy(&started);
	sem_destroy(&gate);
}

static void
a_full_queue_refuses(void **state)
{
	struct pool *p = pool_new(loop, 1, 3, &stats, NULL);
	struct work w[4];
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	for (size_t i = 0; i < COUNT_OF(w); i++)
		w[i] = work_make(&gate);
	for (size_t i = 0; i < 3; i++)
		assert_true(pool_submit(p, &w[i].job));
	assert_false(pool_submit(p, &w[3].job));
	assert_false(pool_submit(p, &w[3].job));
	assert_int_equal(stats.refused, 2);
	assert_int_equal(stats.jobs, 3);
	assert_int_equal(pool_busy(p), 3);
	/* One that is done makes room for another. */
	sem_post(&gate);
	wait_done(1);
	assert_true(pool_submit(p, &w[3].job));
	for (size_t i = 0; i < 3; i++)
		sem_post(&gate);
	wait_done(4);
	assert_int_equal(w[3].runs, 1);
	pool_end(p);
	sem_destroy(&gate);
}

static void
the_end_waits_for_all_that_was_submitted(void **state)
{
	struct pool *p = pool_new(loop, 2, 100, &stats, NULL);
	struct work w[30];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		w[i] = work_make(NULL);
		assert_true(pool_submit(p, &w[i].job));
	}
	pool_end(p);
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		assert_int_equal(w[i].runs, 1);
		assert_int_equal(w[i].dones, 1);
	}
	/* Nothing of it is left in the loop. */
	loop_tick(loop, 0);
	assert_int_equal(n_done, COUNT_OF(w));
}

static struct pool *pool_in_hand;
static unsigned n_refused_again;

static void
work_submit_again(struct job *j)
{
	work_done(j);
	if (!pool_submit(pool_in_hand, j))
		n_refused_again++;
}

static void
a_job_may_be_submitted_again_when_it_is_done(void **state)
{
	struct pool *p = pool_new(loop, 2, 1, &stats, NULL);
	struct work w = work_make(NULL);

	(void)state;
	n_refused_again = 0;
	pool_in_hand = p;
	w.job.done = work_submit_again;
	assert_true(pool_submit(p, &w.job));
	wait_done(20);
	/* At the end, too, it asks; then nobody is left to run it. */
	pool_end(p);
	assert_int_equal(w.runs, w.dones);
	assert_int_equal(w.runs, n_done);
	assert_int_equal(n_refused_again, 1);
}

static void
waiting_is_measured(void **state)
{
	struct pool *p = pool_new(loop, 1, 10, &stats, NULL);
	struct work w[2];
	sem_t gate, started;
	uint64_t from;

	(void)state;
	sem_init(&gate, 0, 0);
	sem_init(&started, 0, 0);
	w[0] = work_make(&gate);
	w[0].started = &started;
	w[1] = work_make(NULL);
	assert_true(pool_submit(p, &w[0].job));
	sem_wait(&started);
	from = clock_precise_us();
	assert_true(pool_submit(p, &w[1].job));
	while (clock_precise_us() < from + 3000)
		continue;
	sem_post(&gate);
	wait_done(2);
	assert_true(stats.wait_us >= 2000);
	pool_end(p);
	sem_destroy(&gate);
	sem_destroy(&started);
}

static sigset_t mask_in_thread;

static void
mask_run(struct job *j)
{
	(void)j;
	pthread_sigmask(SIG_SETMASK, NULL, &mask_in_thread);
}

static void
threads_leave_signals_to_the_loop(void **state)
{
	struct pool *p = pool_new(loop, 1, 10, &stats, NULL);
	struct work w = work_make(NULL);
	sigset_t mine;

	(void)state;
	w.job.run = mask_run;
	assert_true(pool_submit(p, &w.job));
	wait_done(1);
	assert_true(sigismember(&mask_in_thread, SIGTERM));
	assert_true(sigismember(&mask_in_thread, SIGCHLD));
	assert_false(sigismember(&mask_in_thread, SIGSEGV));
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
	pool_end(p);
}

static void
crash_run(struct job *j)
{
	char *page = mmap(NULL, 4096, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)j;
	*(volatile char *)page = 1;
}

static void
crash_in_a_thread(void)
{
	struct pool *p;
	struct work w = work_make(NULL);

	panic_catch_signals();
	loop = loop_new(&loop_stats, NULL);
	p = pool_new(loop, 1, 10, &stats, NULL);
	w.job.run = crash_run;
	(void)pool_submit(p, &w.job);
	wait_done(1);
}

static void
a_crash_in_a_thread_is_reported(void **state)
{
	struct death d = death_of(crash_in_a_thread);

	(void)state;
	assert_int_equal(d.signo, SIGSEGV);
	assert_true(death_says(&d, "panic: signal 11 (SIGSEGV) at address"));
	assert_true(death_says(&d, "backtrace:"));
}

static void
what_cannot_be_started_is_an_error(void **state)
{
	struct rlimit before;
	struct err e = {""};

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max});
	assert_null(pool_new(loop, 1, 1, &stats, &e));
	setrlimit(RLIMIT_NOFILE, &before);
	assert_string_equal(e.text,
	    "cannot make an eventfd: too many open files");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(jobs_run_in_threads_and_are_done_in_the_loop),
		TEST(threads_work_side_by_side),
		TEST(a_full_queue_refuses),
		TEST(the_end_waits_for_all_that_was_submitted),
		TEST(a_job_may_be_submitted_again_when_it_is_done),
		TEST(waiting_is_measured),
		TEST(threads_leave_signals_to_the_loop),
		TEST(a_crash_in_a_thread_is_reported),
		TEST(what_cannot_be_started_is_an_error)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
