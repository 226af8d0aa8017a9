/* The timing wheel: order, levels, what moves, against a naive model. */
#include "event/timer_wheel.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct fired {
	struct wheel *wheel;
	char text[256]; /* "name@time " of each */
};

static void
fired_note(void *arg, struct timer *t)
{
	struct fired *f = arg;
	size_t n = strlen(f->text);

	snprintf(f->text + n, sizeof f->text - n, "%s@%llu ", t->name,
	    (unsigned long long)f->wheel->now);
}

static void
add(struct wheel *w, struct timer *t, const char *name, uint64_t deadline)
{
	*t = (struct timer){.name = name, .deadline = deadline};
	wheel_add(w, t);
}

static void
timers_fire_in_order_of_deadline(void **state)
{
	struct wheel w;
	struct fired f = {.wheel = &w};
	struct timer t[5];

	(void)state;
	wheel_init(&w, 1000);
	add(&w, &t[0], "c", 1300);
	add(&w, &t[1], "a", 1005);
	add(&w, &t[2], "e", 60000);
	add(&w, &t[3], "b", 1063);
	add(&w, &t[4], "d", 5200);
	wheel_run(&w, 1004, fired_note, &f);
	assert_string_equal(f.text, "");
	wheel_run(&w, 1005, fired_note, &f);
	assert_string_equal(f.text, "a@1005 ");
	wheel_run(&w, 100000, fired_note, &f);
	assert_string_equal(f.text, "a@1005 b@1063 c@1300 d@5200 e@60000 ");
	assert_true(wheel_next(&w) == UINT64_MAX);
}

static void
what_is_due_already_fires_in_the_next_millisecond(void **state)
{
	struct wheel w;
	struct fired f = {.wheel = &w};
	struct timer t[2];

	(void)state;
	wheel_init(&w, 1000);
	add(&w, &t[0], "now", 1000);
	add(&w, &t[1], "past", 3);
	assert_int_equal(wheel_next(&w), 1001);
	wheel_run(&w, 1000, fired_note, &f);
	assert_string_equal(f.text, "");
	wheel_run(&w, 1001, fired_note, &f);
	assert_string_equal(f.text, "now@1001 past@1001 ");
}

/* Each power of two and its neighbours, from starts of every kind: whatever
 * level it is filed in, it fires in its millisecond. */
static void
every_distance_fires_in_its_millisecond(void **state)
{
	static const uint64_t starts[] = {
		0, 1, 63, 64, 4095, 4096, 262143, 262144, 16777215, 16777216,
		1234567890123
	};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++)
		for (unsigned bit = 0; bit < 30; bit++)
			for (int by = -1; by <= 1; by++) {
				uint64_t at = starts[s] + (1ULL << bit) +
				    (uint64_t)(int64_t)by;
				struct wheel w;
				struct fired f = {.wheel = &w};
				struct timer t;
				char want[64];

				if (at <= starts[s])
					continue;
				wheel_init(&w, starts[s]);
				add(&w, &t, "t", at);
				wheel_run(&w, at - 1, fired_note, &f);
				assert_string_equal(f.text, "");
				wheel_run(&w, at, fired_note, &f);
				snprintf(want, sizeof want, "t@%llu ",
				    (unsigned long long)at);
				assert_string_equal(f.text, want);
			}
}

static void
the_wheel_never_asks_to_be_woken_too_late(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 1ULL << 40; at = at * 3 + 1) {
		struct wheel w;
		struct timer t;
		unsigned wakes = 0;

		wheel_init(&w, 77);
		add(&w, &t, "t", 77 + at);
		while (wheel_next(&w) != UINT64_MAX) {
			uint64_t next = wheel_next(&w);
			struct fired f = {.wheel = &w};

			assert_true(next > w.now && next <= 77 + at);
			wheel_run(&w, next, fired_note, &f);
			wakes++;
		}
		assert_int_equal(w.now, 77 + at);
		/* Down the levels, and once per turn of the top one. */
		assert_true(wakes <= WHEEL_LEVELS +
		    at / (1ULL << (BITS * (WHEEL_LEVELS - 1)))
		        / (WHEEL_SLOTS - 1) + 1);
	}
}

static void
times_beyond_the_top_level_wait_in_it(void **state)
{
	const uint64_t day = 86400000;
	struct wheel w;
	struct fired f = {.wheel = &w};
	struct timer t[3];

	(void)state;
	wheel_init(&w, 5);
	add(&w, &t[0], "week", 7 * day);
	add(&w, &t[1], "day", day);
	add(&w, &t[2], "ever", UINT64_MAX);
	wheel_run(&w, 8 * day, fired_note, &f);
	assert_string_equal(f.text, "day@86400000 week@604800000 ");
	assert_true(t[2].link.next != &t[2].link);
}

static void
a_stopped_timer_does_not_fire_nor_wake(void **state)
{
	struct wheel w;
	struct fired f = {.wheel = &w};
	struct timer t[3];

	(void)state;
	wheel_init(&w, 0);
	add(&w, &t[0], "a", 10);
	add(&w, &t[1], "b", 10);
	add(&w, &t[2], "c", 5000);
	list_remove(&t[0].link);
	list_remove(&t[2].link);
	assert_int_equal(wheel_next(&w), 10);
	wheel_run(&w, 10000, fired_note, &f);
	assert_string_equal(f.text, "b@10 ");
	assert_true(wheel_next(&w) == UINT64_MAX);
	for (unsigned k = 0; k < WHEEL_LEVELS; k++)
		assert_true(w.used[k] == 0);
}

/* Filing touches one slot, whatever is in the wheel: the one that the deadline
 * alone tells, at its end. */
static void
starting_touches_one_slot_however_full_the_wheel(void **state)
{
	static struct timer many[20000];
	struct wheel w;
	struct timer t;

	(void)state;
	wheel_init(&w, 0);
	for (unsigned i = 0; i < COUNT_OF(many); i++)
		add(&w, &many[i], "m", 5000);
	add(&w, &t, "t", 5000);
	/* A slot of level 2 is 4096 ms long. */
	assert_ptr_equal(t.link.next, &w.slots[2][5000 / 4096]);
	assert_ptr_equal(t.link.prev, &many[COUNT_OF(many) - 1].link);
	assert_true(w.used[2] == 1ULL << (5000 / 4096));
	/* Stopping it touches its neighbours only. */
	list_remove(&t.link);
	assert_ptr_equal(w.slots[2][5000 / 4096].prev,
	    &many[COUNT_OF(many) - 1].link);
}

static void
a_timer_is_filed_at_most_once_per_level(void **state)
{
	struct wheel w;
	struct timer t;
	struct fired f = {.wheel = &w};
	unsigned moves = 0;

	(void)state;
	wheel_init(&w, 1);
	add(&w, &t, "t", 16000000);
	for (uint64_t next; (next = wheel_next(&w)) < 16000000; moves++)
		wheel_run(&w, next, fired_note, &f);
	assert_true(moves <= WHEEL_LEVELS - 1);
	wheel_run(&w, 16000000, fired_note, &f);
	assert_string_equal(f.text, "t@16000000 ");
}

/* ---- against a naive model --------------------------------------------- */

#define MODEL 3000

static struct {
	struct wheel wheel;
	struct timer timers[MODEL];
	uint64_t due[MODEL]; /* 0: stopped */
	uint64_t last, seed;
	unsigned n_fired;
} model;

static uint64_t
model_random(void)
{
	model.seed = model.seed * 6364136223846793005ULL +
	    1442695040888963407ULL;
	return model.seed >> 33;
}

/* Of all magnitudes: most are short, some are beyond the top level. */
static uint64_t
model_distance(void)
{
	return 1 + (model_random() & ((1ULL << (model_random() % 26)) - 1));
}

static void
model_start(unsigned i, uint64_t now)
{
	struct timer *t = &model.timers[i];

	if (t->link.next != NULL)
		list_remove(&t->link);
	t->deadline = model.due[i] = now + model_distance();
	wheel_add(&model.wheel, t);
}

static void
model_on_fire(void *arg, struct timer *t)
{
	unsigned i = (unsigned)(t - model.timers);

	(void)arg;
	model.n_fired++;
	/* In its own millisecond, none before another that was due earlier. */
	assert_int_equal(model.due[i], model.wheel.now);
	assert_true(model.due[i] >= model.last);
	model.last = model.due[i];
	model.due[i] = 0;
	if (model_random() % 4 == 0)
		model_start(i, model.wheel.now);
}

static uint64_t
model_next(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < MODEL; i++)
		if (model.due[i] != 0 && model.due[i] < next)
			next = model.due[i];
	return next;
}

static void
model_change(uint64_t now)
{
	unsigned i = (unsigned)(model_random() % MODEL);

	if (model_random() % 3 != 0) {
		model_start(i, now);
	} else if (model.due[i] != 0) {
		list_remove(&model.timers[i].link);
		model.due[i] = 0;
	}
}

static void
random_timers_do_as_a_sorted_list_would(void **state)
{
	uint64_t now = 1000000007;

	(void)state;
	model.seed = 42;
	wheel_init(&model.wheel, now);
	for (unsigned step = 0; step < 4000; step++) {
		for (unsigned n = model_random() % 8; n > 0; n--)
			model_change(now);
		now += model_distance() % 20000;
		model.last = 0;
		wheel_run(&model.wheel, now, model_on_fire, NULL);
		assert_int_equal(model.wheel.now, now);
		/* All that was due has fired, and no wake comes too late. */
		assert_true(model_next() > now);
		assert_true(wheel_next(&model.wheel) <= model_next());
	}
	assert_true(model.n_fired > 3000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_deadline),
		cmocka_unit_test(
		    what_is_due_already_fires_in_the_next_millisecond),
		cmocka_unit_test(every_distance_fires_in_its_millisecond),
		cmocka_unit_test(the_wheel_never_asks_to_be_woken_too_late),
		cmocka_unit_test(times_beyond_the_top_level_wait_in_it),
		cmocka_unit_test(a_stopped_timer_does_not_fire_nor_wake),
		cmocka_unit_test(
		    starting_touches_one_slot_however_full_the_wheel),
		cmocka_unit_test(a_timer_is_filed_at_most_once_per_level),
		cmocka_unit_test(random_timers_do_as_a_sorted_list_would)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
