/* How many connections open files allow for. */
#include "process/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <cmocka.h>

static void
capacity_keeps_some_files_for_the_other_side(void **state)
{
	(void)state;
	assert_int_equal(capacity_connections(128, 0), 64);
	assert_int_equal(capacity_connections(511, 0), 255);
	assert_int_equal(capacity_connections(1024, 0), 768);
	assert_int_equal(capacity_connections(1048576, 0), 1048320);
}

static void
capacity_takes_no_more_than_is_wanted_nor_than_fits(void **state)
{
	(void)state;
	assert_int_equal(capacity_connections(1024, 10), 10);
	assert_int_equal(capacity_connections(1024, 768), 768);
	assert_int_equal(capacity_connections(1024, 100000), 768);
}

static void
capacity_keeps_some_files_from_upstreams(void **state)
{
	(void)state;
	assert_int_equal(capacity_dial_below(128), 112);
	assert_int_equal(capacity_dial_below(1048576), 1048560);
	/* Where there is next to nothing, nothing is kept. */
	assert_int_equal(capacity_dial_below(20), 0);
	assert_int_equal(capacity_dial_below(UINT32_MAX), 0);
}

static void
capacity_needs_what_then_allows_for_as_many(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 2000; n++)
		assert_int_equal(capacity_connections(
		    (unsigned)capacity_files(n), n), n);
}

static void
capacity_says_what_the_limit_is_when_it_cannot_be_raised(void **state)
{
	struct rlimit before, low;
	unsigned files = 0;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &low);
	assert_true(capacity_raise(100, &files));
	assert_true(files >= 200);
	/* Beyond fs.nr_open nobody gets. */
	assert_false(capacity_raise(4000000000u, &files));
	assert_in_range(files, before.rlim_max, UINT32_MAX - 1);
	setrlimit(RLIMIT_NOFILE, &before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity_keeps_some_files_for_the_other_side),
		cmocka_unit_test(
		    capacity_takes_no_more_than_is_wanted_nor_than_fits),
		cmocka_unit_test(capacity_keeps_some_files_from_upstreams),
		cmocka_unit_test(capacity_needs_what_then_allows_for_as_many),
		cmocka_unit_test(
		    capacity_says_what_the_limit_is_when_it_cannot_be_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
