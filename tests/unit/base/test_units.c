/* Sizes and durations in the words of operators, both ways. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

typedef bool parse_fn(struct str s, uint64_t *out, struct err *e);
typedef void format_fn(struct buf *b, uint64_t v);

struct row {
	const char *text;
	uint64_t value;
};

static void
assert_parses(parse_fn *parse, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 1;

		if (!parse(str_from(rows[i].text), &v, NULL))
			fail_msg("%s is refused", rows[i].text);
		if (v != rows[i].value)
			fail_msg("%s is %llu", rows[i].text,
			    (unsigned long long)v);
	}
}

static void
assert_refuses(parse_fn *parse, const char *text, const char *why)
{
	struct err e = {""};
	uint64_t v = 77;

	if (parse(str_from(text), &v, &e))
		fail_msg("%s is taken", text);
	assert_string_equal(e.text, why);
}

static void
sizes_are_powers_of_1024(void **state)
{
	static const struct row rows[] = {
		{"0", 0}, {"512", 512}, {"8k", 8192}, {"8K", 8192},
		{"1m", 1048576}, {"2G", 2147483648}, {"007k", 7168}, {"0g", 0},
		{"18446744073709551615", UINT64_MAX},
		{"17179869183g", 17179869183ULL << 30}
	};

	(void)state;
	assert_parses(units_parse_size, rows, COUNT_OF(rows));
}

static void
what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "k", "-1", "+1", "1 k", " 1k", "1k ", "1kb", "1t", "1.5m",
		"1k1", "1m5k", "0x10", "1,000", "99999999999999999999"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char why[128];

		snprintf(why, sizeof why, "expected a size such as 512, 8k, 1m "
		    "or 2g, found \"%s\"", bad[i]);
		assert_refuses(units_parse_size, bad[i], why);
	}
	assert_refuses(units_parse_size, "17179869184g",
	    "17179869184g is larger than any size can be");
}

static void
durations_are_numbers_with_units(void **state)
{
	static const struct row rows[] = {
		{"0", 0}, {"00", 0}, {"0s", 0}, {"500ms", 500}, {"30s", 30000},
		{"5m", 300000}, {"12h", 43200000}, {"7d", 604800000},
		{"5M", 300000}, {"250MS", 250}, {"1h30m", 5400000},
		{"1d2h3m4s5ms", 93784005}, {"0s0ms", 0}, {"1m1m", 120000},
		{"18446744073709551615ms", UINT64_MAX},
		{"18446744073709551s615ms", UINT64_MAX}
	};

	(void)state;
	assert_parses(units_parse_duration, rows, COUNT_OF(rows));
}

static void
what_is_no_duration_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "s", "-1s", "1 s", " 1s", "1s ", "1h 30m", "1.5s", "1x",
		"1h30", "0h5", "0h0", "1sm", "s1", "99999999999999999999s"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char why[128];

		snprintf(why, sizeof why, "expected a duration such as 500ms, "
		    "30s, 5m, 12h or 7d, found \"%s\"", bad[i]);
		assert_refuses(units_parse_duration, bad[i], why);
	}
	assert_refuses(units_parse_duration, "30",
	    "a duration needs a unit: write 30s or 30ms");
}

static void
durations_that_overflow_are_refused(void **state)
{
	static const char *const bad[] = {
		"18446744073709552s", "213503982335d",
		"18446744073709551s616ms", "18446744073709551615ms1ms"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char why[128];

		snprintf(why, sizeof why, "%s is longer than any duration can "
		    "be", bad[i]);
		assert_refuses(units_parse_duration, bad[i], why);
	}
}

static void
assert_formats(format_fn *format, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char room[64] = "";
		struct buf b = buf_fixed(room, sizeof room - 1);

		format(&b, rows[i].value);
		assert_string_equal(room, rows[i].text);
	}
}

static void
formats_are_the_shortest_exact_ones(void **state)
{
	static const struct row sizes[] = {
		{"0", 0}, {"1", 1}, {"1023", 1023}, {"1k", 1024},
		{"1025", 1025}, {"64k", 65536}, {"1m", 1048576},
		{"1536k", 1572864}, {"1g", 1073741824}, {"1024g", 1ULL << 40},
		{"18446744073709551615", UINT64_MAX}
	};
	static const struct row durations[] = {
		{"0s", 0}, {"1ms", 1}, {"1s", 1000}, {"1500ms", 1500},
		{"90s", 90000}, {"1m", 60000}, {"90m", 5400000},
		{"36h", 129600000}, {"7d", 604800000},
		{"18446744073709551615ms", UINT64_MAX}
	};

	(void)state;
	assert_formats(units_format_size, sizes, COUNT_OF(sizes));
	assert_formats(units_format_duration, durations,
	    COUNT_OF(durations));
}

static void
assert_round_trip(parse_fn *parse, format_fn *format, uint64_t v)
{
	char room[64];
	struct buf b = buf_fixed(room, sizeof room);
	uint64_t back;

	format(&b, v);
	assert_false(b.overflow);
	assert_true(parse(buf_view(&b), &back, NULL));
	assert_true(back == v);
}

static void
what_is_formatted_reads_the_same(void **state)
{
	uint64_t v = 1;

	(void)state;
	for (uint64_t i = 0; i < 70000; i++) {
		assert_round_trip(units_parse_size, units_format_size, i);
		assert_round_trip(units_parse_duration, units_format_duration,
		    i * 500);
	}
	for (int i = 0; i < 20000; i++) {
		v = v * 6364136223846793005ULL + 1442695040888963407ULL;
		assert_round_trip(units_parse_size, units_format_size,
		    v >> i % 64);
		assert_round_trip(units_parse_duration, units_format_duration,
		    v >> i % 64);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(durations_are_numbers_with_units),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(durations_that_overflow_are_refused),
		cmocka_unit_test(formats_are_the_shortest_exact_ones),
		cmocka_unit_test(what_is_formatted_reads_the_same)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
