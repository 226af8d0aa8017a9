/* Keyed tables: what is remembered of a key, and who is forgotten first. */
#include "base/keyed_table.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void
a_key_is_found_again(void **state)
{
	uint64_t lost = 0;
	struct keyed_table *t = keyed_table_new(3, &lost);

	(void)state;
	assert_null(keyed_table_find(t, 7));
	keyed_table_use(t, 7, 0)->until = 70;
	keyed_table_use(t, 8, 0)->until = 80;
	assert_int_equal(keyed_table_use(t, 7, 0)->until, 70);
	assert_int_equal(keyed_table_find(t, 8)->until, 80);
	assert_int_equal(keyed_table_count(t), 2);
	keyed_table_end(t);
}

static void
keys_of_one_chain_are_told_apart(void **state)
{
	uint64_t lost = 0;
	struct keyed_table *t = keyed_table_new(4, &lost);

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		keyed_table_use(t, i << 32, 0)->until = i;
	keyed_table_drop(t, keyed_table_find(t, (uint64_t)2 << 32));
	assert_null(keyed_table_find(t, (uint64_t)2 << 32));
	assert_int_equal(keyed_table_find(t, (uint64_t)1 << 32)->until, 1);
	assert_int_equal(keyed_table_find(t, (uint64_t)3 << 32)->until, 3);
	assert_int_equal(keyed_table_find(t, (uint64_t)4 << 32)->until, 4);
	keyed_table_end(t);
}

static void
a_full_table_forgets_the_one_not_used_for_longest(void **state)
{
	uint64_t lost = 0;
	struct keyed_table *t = keyed_table_new(3, &lost);

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		keyed_table_use(t, i, 0)->until = 100;
	keyed_table_use(t, 1, 0);
	keyed_table_use(t, 4, 0);
	assert_int_equal(keyed_table_count(t), 3);
	assert_int_equal(lost, 1);
	assert_null(keyed_table_find(t, 2));
	assert_non_null(keyed_table_find(t, 1));
	assert_non_null(keyed_table_find(t, 3));
	keyed_table_end(t);
}

static void
who_says_nothing_goes_before_who_is_older(void **state)
{
	uint64_t lost = 0;
	struct keyed_table *t = keyed_table_new(3, &lost);

	(void)state;
	keyed_table_use(t, 1, 0)->until = 100;
	keyed_table_use(t, 2, 0)->count = 1;
	keyed_table_use(t, 3, 0)->until = 10;
	keyed_table_use(t, 4, 10);
	assert_null(keyed_table_find(t, 3));
	assert_int_equal(lost, 0);
	/* Nobody is left who says nothing but the new one; that is the last. */
	keyed_table_find(t, 4)->until = 100;
	keyed_table_use(t, 5, 10);
	assert_null(keyed_table_find(t, 1));
	assert_non_null(keyed_table_find(t, 2));
	assert_int_equal(lost, 1);
	keyed_table_end(t);
}

static void
an_entry_that_was_given_away_has_another_serial(void **state)
{
	uint64_t lost = 0;
	struct keyed_table *t = keyed_table_new(1, &lost);
	uint32_t serial = keyed_table_use(t, 1, 0)->serial;

	(void)state;
	assert_int_equal(keyed_table_use(t, 1, 0)->serial, serial);
	keyed_table_use(t, 2, 0);
	assert_int_not_equal(keyed_table_use(t, 1, 0)->serial, serial);
	assert_int_equal(keyed_table_use(t, 1, 0)->until, 0);
	keyed_table_end(t);
}

/* Against a plain list in the order of use. */
#define MODEL 16
static void
any_course_is_that_of_a_plain_list(void **state)
{
	uint64_t lost = 0, model[MODEL];
	struct keyed_table *t = keyed_table_new(MODEL, &lost);
	size_t n = 0;

	(void)state;
	srandom(1);
	for (int step = 0; step < 20000; step++) {
		uint64_t key = (uint64_t)(random() % 40) << 30;
		size_t at = 0;

		while (at < n && model[at] != key)
			at++;
		if (at == n && n == MODEL)
			at = 0; /* the oldest */
		else if (at == n)
			model[n++] = key;
		memmove(model + at, model + at + 1,
		    (n - at - 1) * sizeof *model);
		n--;
		if (random() % 8 == 0) {
			struct keyed *k = keyed_table_find(t, key);

			if (k != NULL) {
				keyed_table_drop(t, k);
				assert_int_equal(keyed_table_count(t), n);
				continue;
			}
		}
		model[n++] = key;
		keyed_table_use(t, key, 0)->until = UINT64_MAX;
		assert_int_equal(keyed_table_count(t), n);
		for (size_t i = 0; i < n; i++)
			assert_non_null(keyed_table_find(t, model[i]));
	}
	keyed_table_end(t);
}

static void
no_table_ends_well(void **state)
{
	(void)state;
	keyed_table_end(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_again),
		cmocka_unit_test(keys_of_one_chain_are_told_apart),
		cmocka_unit_test(
		    a_full_table_forgets_the_one_not_used_for_longest),
		cmocka_unit_test(who_says_nothing_goes_before_who_is_older),
		cmocka_unit_test(
		    an_entry_that_was_given_away_has_another_serial),
		cmocka_unit_test(any_course_is_that_of_a_plain_list),
		cmocka_unit_test(no_table_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
