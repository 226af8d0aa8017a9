/* Rates as they are written, and what a unit of them costs. */
#include "http/rate.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct arena *arena;

static bool
parses(const char *text, struct rate *r, struct err *e)
{
	*r = (struct rate){ 0, 0 };
	e->text[0] = '\0';
	return conf_type_rate.parse(arena, str_from(text), r, e);
}

static void
a_rate_is_a_number_in_a_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t n, per;
	} rows[] = {
		{"1/s", 1, RATE_SECOND}, {"300/m", 300, 60ull * RATE_SECOND},
		{"1000000/h", 1000000, 3600ull * RATE_SECOND}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b = buf_in(arena);
		struct rate r;
		struct err e;

		assert_true(parses(rows[i].text, &r, &e));
		assert_int_equal(r.n, rows[i].n);
		assert_int_equal(r.per, rows[i].per);
		conf_type_rate.format(&b, &r);
		assert_true(str_eq(buf_view(&b), str_from(rows[i].text)));
	}
}

static void
anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "/", "/s", "10", "10/", "10/d", "0/s", "-1/s", "1000001/s",
		"10r/s", "1.5/s", "10 /s", "10/s ", "10/S", "10/ss",
		"99999999999999999999/s"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct rate r;
		struct err e;

		assert_false(parses(texts[i], &r, &e));
	}
}

static void
costs_are_exact_to_the_nanosecond(void **state)
{
	struct rate r = { 700000, RATE_SECOND };
	struct rate fast = { UINT64_C(4) << 30, RATE_SECOND };
	struct rate slow = { 1, 3600ull * RATE_SECOND };

	(void)state;
	assert_int_equal(rate_cost(&r, 1), 1428);
	assert_int_equal(rate_cost(&r, 700000), RATE_SECOND);
	assert_int_equal(rate_cost(&fast, fast.n), RATE_SECOND);
	assert_int_equal(rate_cost(&slow, RATE_MAX),
	    3600ull * RATE_SECOND * RATE_MAX);
}

static void
seconds_are_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(rate_seconds(0), 1);
	assert_int_equal(rate_seconds(RATE_SECOND), 1);
	assert_int_equal(rate_seconds(RATE_SECOND + 1), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_a_number_in_a_time),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(costs_are_exact_to_the_nanosecond),
		cmocka_unit_test(seconds_are_rounded_up),
	};
	int failed;

	arena = arena_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_end(arena);
	return failed;
}
