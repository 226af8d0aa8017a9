/* Timers as the loop runs them: when they fire, moved, stopped, together. */
#include "event/loop_world.h"

/* ---- timers ------------------------------------------------------------ */

static void
timers_fire_when_due_and_not_before(void **state)
{
	struct timer t = {.name = "t", .expired = timer_note};

	(void)state;
	assert_false(timer_is_running(&t));
	timer_start(loop, &t, 100);
	assert_true(timer_is_running(&t));
	clock_fake_advance(99);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	clock_fake_advance(1);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "t ");
	assert_false(timer_is_running(&t));
	assert_int_equal(stats.timers_fired, 1);
}

static void
timers_due_in_one_tick_fire_in_order_of_deadline(void **state)
{
	struct timer t[4] = {
		{.name = "a", .expired = timer_note},
		{.name = "b", .expired = timer_note},
		{.name = "c", .expired = timer_note},
		{.name = "d", .expired = timer_note}
	};

	(void)state;
	timer_start(loop, &t[2], 7000);
	timer_start(loop, &t[0], 3);
	timer_start(loop, &t[3], 300000);
	timer_start(loop, &t[1], 90);
	clock_fake_advance(400000);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "a b c d ");
}

static void
a_moved_timer_fires_at_its_last_deadline(void **state)
{
	struct timer t = {.name = "t", .expired = timer_note};
	struct list *prev;
	uint64_t slot_at;

	(void)state;
	timer_start(loop, &t, 100);
	prev = t.link.prev;
	slot_at = t.slot_at;
	/* Later: it stays where it is, only the deadline is written. */
	timer_start(loop, &t, 5000);
	assert_ptr_equal(t.link.prev, prev);
	assert_int_equal(t.slot_at, slot_at);
	clock_fake_advance(4999);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	/* Later once more, then earlier. */
	timer_start(loop, &t, 60000);
	timer_start(loop, &t, 20);
	clock_fake_advance(19);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	clock_fake_advance(1);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "t ");
	clock_fake_advance(100000);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
}

static void
a_stopped_timer_does_not_fire(void **state)
{
	struct timer t = {.name = "t", .expired = timer_note};

	(void)state;
	timer_stop(loop, &t); /* never started */
	timer_start(loop, &t, 10);
	timer_stop(loop, &t);
	timer_stop(loop, &t);
	assert_false(timer_is_running(&t));
	clock_fake_advance(1000);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	/* And can be started again. */
	timer_start(loop, &t, 10);
	clock_fake_advance(10);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "t ");
}

static struct timer *other_timer;

static void
timer_stop_other(struct timer *t)
{
	note(t->name);
	timer_stop(loop, other_timer);
}

static void
a_timer_may_stop_another_that_is_due_with_it(void **state)
{
	struct timer t[2] = {
		{.name = "a", .expired = timer_stop_other},
		{.name = "b", .expired = timer_note}
	};

	(void)state;
	other_timer = &t[1];
	timer_start(loop, &t[0], 10);
	timer_start(loop, &t[1], 10);
	clock_fake_advance(10);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "a ");
}

static void
for_ever_is_no_deadline_in_the_past(void **state)
{
	struct timer t = {.name = "t", .expired = timer_note};

	(void)state;
	timer_start(loop, &t, UINT64_MAX);
	clock_fake_advance(100000000);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	assert_true(timer_is_running(&t));
	timer_stop(loop, &t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_when_due_and_not_before),
		TEST(timers_due_in_one_tick_fire_in_order_of_deadline),
		TEST(a_moved_timer_fires_at_its_last_deadline),
		TEST(a_stopped_timer_does_not_fire),
		TEST(a_timer_may_stop_another_that_is_due_with_it),
		TEST(for_ever_is_no_deadline_in_the_past)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
