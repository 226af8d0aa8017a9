/*
 * The verifier: how many hashes a number of requests costs, and what each is
 * told. The threads are real; what they compute is the test's own.
 */
#define password_matches fake_matches
#include "http/verifier.c"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <time.h>

static sem_t gate;
static atomic_uint begun;
static unsigned resumed;

/* Right is what the hash says after "is:"; not before the gate is open. */
bool
password_matches(const char *hash, const char *password)
{
	begun++;
	sem_wait(&gate);
	return strcmp(hash + 3, password) == 0;
}

static void
on_resume(struct txn *t)
{
	(void)t;
	resumed++;
}

static const struct transport transport = {
	.name = "test", .resume = on_resume
};

struct world {
	struct loop_stats loop_stats;
	struct pool_stats pool_stats;
	struct loop *loop;
	struct pool *pool;
	struct verifier_stats stats;
	struct verifier *v;
};

static void
world_new(struct world *w, unsigned threads, size_t queue)
{
	memset(w, 0, sizeof *w);
	resumed = 0;
	begun = 0;
	sem_init(&gate, 0, 0);
	clock_fake_start(1000000, 1700000000);
	w->loop = loop_new(&w->loop_stats, NULL);
	loop_set_slow_limit(w->loop, 0);
	w->pool = pool_new(w->loop, threads, queue, &w->pool_stats, NULL);
	assert_non_null(w->pool);
	w->v = verifier_new(w->pool, &w->stats);
}

static void
open_gate(unsigned n)
{
	while (n-- > 0)
		sem_post(&gate);
}

static void
world_end(struct world *w)
{
	verifier_end(w->v);
	open_gate(1000);
	pool_end(w->pool);
	loop_end(w->loop);
	clock_fake_end();
	sem_destroy(&gate);
}

static struct txn *
txn(void)
{
	struct arena *a = arena_new();
	struct txn *t = arena_zalloc(a, sizeof *t);

	t->magic = TXN_MAGIC;
	t->arena = a;
	t->state = TXN_STEPS;
	t->transport = &transport;
	return t;
}

/* As txn_finish does, and txn_end. */
static void
end(struct txn *t)
{
	for (; t->cleanups != NULL; t->cleanups = t->cleanups->next)
		t->cleanups->fn(t->cleanups->arg);
	arena_end(t->arena);
}

static const struct ask *
ask(struct world *w, struct txn *t, const char *user, const char *password)
{
	struct credentials c = { str_from(user), str_from(password) };

	return verifier_ask(w->v, t, "is:good", strcmp(user, "eve") != 0, &c);
}

/* The clock stands still, and the loop does not wait by it; the threads take
 * the time that they take. */
static bool
is_late(time_t since)
{
	struct timespec now;

	sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > since + 10;
}

static time_t
now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void
wait_for(struct world *w, unsigned n)
{
	time_t since = now_seconds();

	while (resumed < n && !is_late(since))
		loop_tick(w->loop, 0);
	assert_int_equal(resumed, n);
}

static enum ask_state
answer(struct world *w, const char *user, const char *password)
{
	struct txn *t = txn();
	const struct ask *a = ask(w, t, user, password);
	unsigned n = resumed + (a->state == ASK_WAITS);
	enum ask_state state;

	open_gate(a->state == ASK_WAITS);
	wait_for(w, n);
	state = a->state;
	end(t);
	return state;
}

static void
a_right_password_is_computed_once(void **state)
{
	struct world w;

	(void)state;
	world_new(&w, 2, 8);
	assert_int_equal(answer(&w, "ann", "good"), ASK_RIGHT);
	assert_int_equal(answer(&w, "ann", "good"), ASK_RIGHT);
	assert_int_equal(w.stats.computed, 1);
	assert_int_equal(w.stats.remembered, 1);
	/* Another user with the same password is another question. */
	assert_int_equal(answer(&w, "bob", "good"), ASK_RIGHT);
	assert_int_equal(w.stats.computed, 2);
	clock_fake_advance((uint64_t)VERIFIER_REMEMBERS * 1000);
	assert_int_equal(answer(&w, "ann", "good"), ASK_RIGHT);
	assert_int_equal(w.stats.computed, 3);
	world_end(&w);
}

static void
a_wrong_one_is_computed_each_time(void **state)
{
	struct world w;

	(void)state;
	world_new(&w, 2, 8);
	assert_int_equal(answer(&w, "ann", "bad"), ASK_WRONG);
	assert_int_equal(answer(&w, "ann", "bad"), ASK_WRONG);
	assert_int_equal(w.stats.computed, 2);
	world_end(&w);
}

static void
an_unknown_user_is_computed_and_never_right(void **state)
{
	struct world w;

	(void)state;
	world_new(&w, 2, 8);
	assert_int_equal(answer(&w, "eve", "good"), ASK_WRONG);
	assert_int_equal(answer(&w, "eve", "good"), ASK_WRONG);
	assert_int_equal(w.stats.computed, 2);
	world_end(&w);
}

/* The decoy of an unknown user may be the hash that is theirs elsewhere. */
static void
who_is_known_elsewhere_is_unknown_here(void **state)
{
	struct credentials ann = { STR("ann"), STR("good") };
	struct world w;
	struct txn *t = txn();
	const struct ask *a;

	(void)state;
	world_new(&w, 2, 8);
	assert_int_equal(answer(&w, "ann", "good"), ASK_RIGHT);
	a = verifier_ask(w.v, t, "is:good", false, &ann);
	assert_int_equal(a->state, ASK_WAITS);
	open_gate(1);
	wait_for(&w, 2);
	assert_int_equal(a->state, ASK_WRONG);
	end(t);
	world_end(&w);
}

static void
the_same_question_is_asked_once_at_a_time(void **state)
{
	struct world w;
	struct txn *t[8];
	const struct ask *a[8];

	(void)state;
	world_new(&w, 1, 8);
	for (unsigned i = 0; i < 8; i++) {
		t[i] = txn();
		a[i] = ask(&w, t[i], "ann", i < 4 ? "good" : "bad");
	}
	assert_int_equal(w.stats.shared, 6);
	end(t[0]); /* who goes away takes nothing with him */
	open_gate(2);
	wait_for(&w, 7);
	for (unsigned i = 1; i < 8; i++) {
		assert_int_equal(a[i]->state, i < 4 ? ASK_RIGHT : ASK_WRONG);
		end(t[i]);
	}
	assert_int_equal(w.stats.computed, 2);
	world_end(&w);
}

static void
half_of_the_threads_stay_free(void **state)
{
	struct world w;
	struct txn *t[6];
	char password[8];

	(void)state;
	world_new(&w, 4, 100);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(password, sizeof password, "%u", i);
		t[i] = txn();
		ask(&w, t[i], "ann", password);
	}
	assert_int_equal(pool_busy(w.pool), 2);
	open_gate(6);
	wait_for(&w, 6);
	assert_int_equal(w.stats.computed, 6);
	for (unsigned i = 0; i < 6; i++)
		end(t[i]);
	world_end(&w);
}

static void
what_nobody_waits_for_is_not_begun(void **state)
{
	struct world w;
	struct txn *first, *second;

	(void)state;
	world_new(&w, 1, 8);
	ask(&w, first = txn(), "ann", "1");
	ask(&w, second = txn(), "ann", "2");
	end(second);
	end(first); /* under way: it ends by itself */
	open_gate(2);
	for (time_t since = now_seconds();
	    pool_busy(w.pool) > 0 && !is_late(since); )
		loop_tick(w.loop, 0);
	assert_int_equal(w.stats.computed, 1);
	assert_int_equal(resumed, 0);
	world_end(&w);
}

static void
too_many_are_told_at_once(void **state)
{
	struct txn *t[VERIFIER_MAX_QUEUED + 2];
	const size_t n = sizeof t / sizeof *t;
	struct world w;

	(void)state;
	world_new(&w, 1, 8);
	for (size_t i = 0; i < n; i++) {
		char password[24];
		const struct ask *a;

		snprintf(password, sizeof password, "%zu", i);
		a = ask(&w, t[i] = txn(), "ann", password);
		assert_int_equal(a->state, i + 1 < n ? ASK_WAITS : ASK_BUSY);
	}
	assert_int_equal(w.stats.busy, 1);
	assert_int_equal(resumed, 0);
	for (size_t i = 0; i < n; i++)
		end(t[i]);
	world_end(&w);
}

static void
a_full_pool_is_told_at_once(void **state)
{
	struct world w;
	struct txn *t = txn();

	(void)state;
	world_new(&w, 1, 0);
	assert_int_equal(ask(&w, t, "ann", "good")->state, ASK_BUSY);
	assert_int_equal(resumed, 0);
	end(t);
	world_end(&w);
}

/* A worker that stops: the thread is still busy. */
static void
it_may_end_before_its_hashes_do(void **state)
{
	struct world w;
	struct txn *t[3];

	(void)state;
	world_new(&w, 1, 8);
	for (unsigned i = 0; i < 3; i++)
		ask(&w, t[i] = txn(), "ann", i == 0 ? "1" : "2");
	for (unsigned i = 0; i < 3; i++)
		end(t[i]);
	world_end(&w);
	assert_int_equal(w.stats.computed, 1);
	assert_int_equal(resumed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_password_is_computed_once),
		cmocka_unit_test(a_wrong_one_is_computed_each_time),
		cmocka_unit_test(an_unknown_user_is_computed_and_never_right),
		cmocka_unit_test(who_is_known_elsewhere_is_unknown_here),
		cmocka_unit_test(the_same_question_is_asked_once_at_a_time),
		cmocka_unit_test(half_of_the_threads_stay_free),
		cmocka_unit_test(what_nobody_waits_for_is_not_begun),
		cmocka_unit_test(too_many_are_told_at_once),
		cmocka_unit_test(a_full_pool_is_told_at_once),
		cmocka_unit_test(it_may_end_before_its_hashes_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
