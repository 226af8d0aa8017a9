/* Hash maps from strings to pointers. */
#include "base/map.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int values[20000];

static struct str
key_of(struct arena *a, unsigned i)
{
	return arena_strf(a, "key %u", i);
}

static void
what_was_put_is_found(void **state)
{
	struct arena *a = arena_new();
	struct map *m = map_new(a, 0);

	(void)state;
	assert_null(map_get(m, STR("a")));
	assert_null(map_put(m, STR("a"), &values[0]));
	assert_null(map_put(m, STR(""), &values[1]));
	assert_null(map_put(m, STR("a\0b"), &values[2]));
	assert_ptr_equal(map_get(m, STR("a")), &values[0]);
	assert_ptr_equal(map_get(m, STR("")), &values[1]);
	assert_ptr_equal(map_get(m, (struct str){0}), &values[1]);
	assert_ptr_equal(map_get(m, STR("a\0b")), &values[2]);
	assert_null(map_get(m, STR("A")));
	assert_null(map_get(m, STR("a\0c")));
	assert_int_equal(map_count(m), 3);
	arena_end(a);
}

static void
replacing_gives_back_what_was_there(void **state)
{
	struct arena *a = arena_new();
	struct map *m = map_new_caseless(a, 4);
	char first[] = "Key", second[] = "kEY";
	struct str key;
	size_t at = 0;
	void *value;

	(void)state;
	map_put(m, str_from(first), &values[0]);
	assert_ptr_equal(map_put(m, str_from(second), &values[1]),
	    &values[0]);
	assert_ptr_equal(map_get(m, STR("key")), &values[1]);
	assert_int_equal(map_count(m), 1);
	/* The first key stays: the second may not live as long. */
	assert_true(map_each(m, &at, &key, &value));
	assert_ptr_equal(key.p, first);
	arena_end(a);
}

static void
caseless_keys_are_one(void **state)
{
	struct arena *a = arena_new();
	struct map *m = map_new_caseless(a, 2);

	(void)state;
	map_put(m, STR("Content-Type"), &values[0]);
	map_put(m, STR("X_[1]"), &values[1]);
	assert_ptr_equal(map_get(m, STR("content-TYPE")), &values[0]);
	assert_ptr_equal(map_get(m, STR("x_[1]")), &values[1]);
	assert_null(map_get(m, STR("x_{1}")));
	arena_end(a);
}

static void
many_keys_are_all_found(void **state)
{
	struct arena *a = arena_new();
	struct map *m = map_new(a, 0);

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(values); i++) {
		assert_null(map_put(m, key_of(a, i), &values[i]));
		assert_int_equal(map_count(m), i + 1);
		/* Never full, or a search for what is not there would not
		 * end. */
		assert_true(m->n <= m->cap / 4 * 3);
	}
	for (unsigned i = 0; i < COUNT_OF(values); i++)
		assert_ptr_equal(map_get(m, key_of(a, i)), &values[i]);
	for (unsigned i = 0; i < 1000; i++)
		assert_null(map_get(m, arena_strf(a, "no %u", i)));
	arena_end(a);
}

static void
what_is_expected_needs_no_growth(void **state)
{
	static const size_t expected[] = {0, 1, 6, 7, 12, 13, 1000};
	struct arena *a = arena_new();

	(void)state;
	for (size_t k = 0; k < COUNT_OF(expected); k++) {
		struct map *m = map_new(a, expected[k]);
		size_t cap = m->cap;

		assert_null(m->slots); /* until there is an entry */
		for (unsigned i = 0; i < expected[k]; i++)
			map_put(m, key_of(a, i), &values[i]);
		assert_int_equal(m->cap, cap);
	}
	arena_end(a);
}

static void
each_gives_every_entry_once(void **state)
{
	struct arena *a = arena_new();
	struct map *m = map_new(a, 0);
	bool seen[500] = {false};
	struct str key;
	void *value;
	size_t at = 0, n = 0;

	(void)state;
	assert_false(map_each(m, &at, &key, &value));
	for (unsigned i = 0; i < COUNT_OF(seen); i++)
		map_put(m, key_of(a, i), &values[i]);
	at = 0;
	while (map_each(m, &at, &key, &value)) {
		size_t i = (size_t)((int *)value - values);

		assert_true(str_eq(key, key_of(a, (unsigned)i)));
		assert_false(seen[i]);
		seen[i] = true;
		n++;
	}
	assert_int_equal(n, COUNT_OF(seen));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found),
		cmocka_unit_test(replacing_gives_back_what_was_there),
		cmocka_unit_test(caseless_keys_are_one),
		cmocka_unit_test(many_keys_are_all_found),
		cmocka_unit_test(what_is_expected_needs_no_growth),
		cmocka_unit_test(each_gives_every_entry_once)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
