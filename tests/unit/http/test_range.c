/* Range requests: rows of a Range, a size and the parts that are meant. */
#include "http/range.h"

#include "base/buf.h"
#include "base/compiler.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* "0-1 5-9", "none" or "bad". */
static const char *
show(struct arena *a, struct str value, uint64_t size)
{
	struct range ranges[RANGE_MAX];
	struct buf b = buf_in(a);
	unsigned n = 99;

	switch (range_parse(value, size, ranges, &n)) {
	case RANGE_NONE:
		return "none";
	case RANGE_BAD:
		assert_int_equal(n, 0);
		return "bad";
	case RANGE_OK:
		break;
	}
	assert_in_range(n, 1, RANGE_MAX);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%s%" PRIu64 "-%" PRIu64, i > 0 ? " " : "",
		    ranges[i].from, ranges[i].to);
	buf_chr(&b, '\0');
	return b.p;
}

struct row {
	const char *value;
	uint64_t size;
	const char *expected;
};

static void
expect_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		const char *got = show(a, str_from(rows[i].value),
		    rows[i].size);

		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("%s of %" PRIu64 ": %s, expected %s",
			    rows[i].value, rows[i].size, got,
			    rows[i].expected);
		arena_end(a);
	}
}

static void
one_range_is_cut_to_the_size(void **state)
{
	static const struct row rows[] = {
		{"bytes=0-0", 10, "0-0"}, {"bytes=0-9", 10, "0-9"},
		{"bytes=2-5", 10, "2-5"}, {"bytes=5-", 10, "5-9"},
		{"bytes=0-", 10, "0-9"}, {"bytes=9-", 10, "9-9"},
		{"bytes=0-99", 10, "0-9"}, {"bytes=0-10", 10, "0-9"},
		{"BYTES=0-1", 10, "0-1"}, {"bytes=00-01", 10, "0-1"},
		{"bytes=0-18446744073709551615", 10, "0-9"},
		{"bytes=0-99999999999999999999999999", 10, "0-9"},
		{"bytes=9223372036854775806-", INT64_MAX,
		    "9223372036854775806-9223372036854775806"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
a_suffix_is_the_last_bytes(void **state)
{
	static const struct row rows[] = {
		{"bytes=-1", 10, "9-9"}, {"bytes=-10", 10, "0-9"},
		{"bytes=-11", 10, "0-9"},
		{"bytes=-99999999999999999999999999", 10, "0-9"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
what_lies_behind_the_end_cannot_be_met(void **state)
{
	static const struct row rows[] = {
		{"bytes=10-", 10, "bad"}, {"bytes=10-20", 10, "bad"},
		{"bytes=99999999999999999999999999-", 10, "bad"},
		{"bytes=-0", 10, "bad"}, {"bytes=20-30,40-50", 10, "bad"},
		{"bytes=0-", 0, "bad"}, {"bytes=0-0", 0, "bad"},
		{"bytes=-0", 0, "bad"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

/* It is met by all of nothing, which no Content-Range can tell. */
static void
a_suffix_of_nothing_gives_the_whole(void **state)
{
	static const struct row rows[] = {
		{"bytes=-1", 0, "none"}, {"bytes=0-0,-1", 0, "none"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
several_ranges_keep_their_order(void **state)
{
	static const struct row rows[] = {
		{"bytes=0-1,4-5", 10, "0-1 4-5"},
		{"bytes=8-9,0-1", 10, "8-9 0-1"},
		{"bytes=0-1, 4-5 ,\t8-", 10, "0-1 4-5 8-9"},
		{"bytes=,,0-1,,4-5,", 10, "0-1 4-5"},
		{"bytes= 0-1", 10, "0-1"},
		{"bytes=0-1,50-60,-1", 10, "0-1 9-9"},
		{"bytes=0-4,5-9", 10, "0-4 5-9"},
		{"bytes=0-3,2-5", 10, "0-3 2-5"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
more_than_the_whole_is_ignored(void **state)
{
	static const struct row rows[] = {
		{"bytes=0-,0-", 10, "none"}, {"bytes=0-9,0-0", 10, "none"},
		{"bytes=0-5,4-9", 10, "none"}, {"bytes=-9,-2", 10, "none"},
		{"bytes=0-,0-,0-,0-", INT64_MAX, "none"},
		{"bytes=0-,0-", UINT64_MAX, "none"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
what_is_malformed_is_ignored(void **state)
{
	static const struct row rows[] = {
		{"", 10, "none"}, {"bytes", 10, "none"}, {"bytes=", 10, "none"},
		{"bytes=,", 10, "none"}, {"bytes= ,\t,", 10, "none"},
		{"bytes=-", 10, "none"}, {"bytes=--1", 10, "none"},
		{"bytes=5", 10, "none"}, {"bytes=a-b", 10, "none"},
		{"bytes=0-b", 10, "none"}, {"bytes=5-4", 10, "none"},
		{"bytes=0 -1", 10, "none"}, {"bytes=0- 1", 10, "none"},
		{"bytes=0-1-2", 10, "none"}, {"bytes=0-1;4-5", 10, "none"},
		{"bytes=0-1,x", 10, "none"}, {"bytes=x,0-1", 10, "none"},
		{"bytes=0-1,5-4", 10, "none"}, {"bytes=+0-1", 10, "none"},
		{"bytes =0-1", 10, "none"}, {" bytes=0-1", 10, "none"},
		{"bytes:0-1", 10, "none"}, {"items=0-1", 10, "none"},
		{"byte=0-1", 10, "none"}, {"0-1", 10, "none"},
		{"bytes=0x0-1", 10, "none"}, {"bytes=99-98", 10, "none"},
		{"bytes=20-,9-8", 10, "none"},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static const char *
many(struct arena *a, unsigned n, unsigned from)
{
	struct buf b = buf_in(a);

	buf_z(&b, "bytes=");
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%u-%u,", from + 2 * i, from + 2 * i);
	return show(a, buf_view(&b), 1000);
}

static void
more_parts_than_range_max_are_ignored(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_string_not_equal(many(a, RANGE_MAX, 0), "none");
	assert_string_equal(many(a, RANGE_MAX + 1, 0), "none");
	/* Those that cannot be met are a burden as well. */
	assert_string_equal(many(a, RANGE_MAX, 1000), "bad");
	assert_string_equal(many(a, RANGE_MAX + 1, 1000), "none");
	arena_end(a);
}

static void
no_value_is_no_range(void **state)
{
	struct range ranges[RANGE_MAX];
	unsigned n;

	(void)state;
	assert_int_equal(range_parse(str_of(NULL, 0), 10, ranges, &n),
	    RANGE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_range_is_cut_to_the_size),
		cmocka_unit_test(a_suffix_is_the_last_bytes),
		cmocka_unit_test(what_lies_behind_the_end_cannot_be_met),
		cmocka_unit_test(a_suffix_of_nothing_gives_the_whole),
		cmocka_unit_test(several_ranges_keep_their_order),
		cmocka_unit_test(more_than_the_whole_is_ignored),
		cmocka_unit_test(what_is_malformed_is_ignored),
		cmocka_unit_test(more_parts_than_range_max_are_ignored),
		cmocka_unit_test(no_value_is_no_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
