/*
 * Conditional requests against a representation with the tag "a", changed at
 * DATE: a table over fields and methods, and what each decides.
 */
#include "http/condition.h"

#include "base/clock.h"
#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
#define MODIFIED 784111777

#define PASS CONDITION_PASS
#define WHOLE CONDITION_WHOLE
#define HAS_IT CONDITION_NOT_MODIFIED
#define FAILED CONDITION_FAILED

struct row {
	const char *fields; /* "name: value\n" each */
	enum condition get, head, put;
};

static struct head
head_of(struct arena *a, const char *fields)
{
	struct str rest = str_from(fields), line;
	struct head h;

	head_init(&h, a, 4);
	while (str_split(&rest, '\n', &line)) {
		size_t colon = str_index(line, ':', 0);
		struct str name = str_slice(line, 0, colon);

		assert_true(colon != SIZE_MAX);
		head_add(&h, field_lookup(name), name,
		    str_trim(str_slice(line, colon + 1, line.n)));
	}
	return h;
}

static enum condition
check(const char *etag, const char *fields, enum method method)
{
	struct arena *a = arena_new();
	struct head h = head_of(a, fields);
	enum condition c = condition_check(&h, method, str_from(etag),
	    MODIFIED);

	arena_end(a);
	return c;
}

static void
expect_of(const char *etag, const char *fields, enum method method,
    enum condition expected)
{
	enum condition c = check(etag, fields, method);

	if (c != expected)
		fail_msg("%s %s: %d, expected %d", method_name(method), fields,
		    c, expected);
}

static void
expect(const char *fields, enum method method, enum condition expected)
{
	expect_of("\"a\"", fields, method, expected);
}

static void
expect_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		expect(rows[i].fields, METHOD_GET, rows[i].get);
		expect(rows[i].fields, METHOD_HEAD, rows[i].head);
		expect(rows[i].fields, METHOD_PUT, rows[i].put);
		expect(rows[i].fields, METHOD_POST, rows[i].put);
		expect(rows[i].fields, METHOD_DELETE, rows[i].put);
		expect(rows[i].fields, METHOD_PATCH, rows[i].put);
		expect(rows[i].fields, METHOD_OTHER, rows[i].put);
		expect(rows[i].fields, METHOD_OPTIONS, PASS);
		expect(rows[i].fields, METHOD_TRACE, PASS);
		expect(rows[i].fields, METHOD_CONNECT, PASS);
	}
}

static void
without_conditions_everything_passes(void **state)
{
	static const struct row rows[] = {
		{"", PASS, PASS, PASS},
		{"Range: bytes=0-1", PASS, PASS, PASS},
		{"Host: a", PASS, PASS, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
if_match_wants_a_strong_match(void **state)
{
	static const struct row rows[] = {
		{"If-Match: \"a\"", PASS, PASS, PASS},
		{"If-Match: *", PASS, PASS, PASS},
		{"If-Match: \"b\"", FAILED, FAILED, FAILED},
		{"If-Match: \"b\", \"a\"", PASS, PASS, PASS},
		{"If-Match: ,, \"b\" ,\t\"a\",", PASS, PASS, PASS},
		{"If-Match: \"b\"\nIf-Match: \"a\"", PASS, PASS, PASS},
		{"If-Match: W/\"a\"", FAILED, FAILED, FAILED},
		{"If-Match: W/\"a\", \"a\"", PASS, PASS, PASS},
		{"If-Match: \"A\"", FAILED, FAILED, FAILED},
		{"If-Match: a", FAILED, FAILED, FAILED},
		{"If-Match: \"a", FAILED, FAILED, FAILED},
		{"If-Match: \"a\"x", FAILED, FAILED, FAILED},
		{"If-Match: \"b\"\"a\"", FAILED, FAILED, FAILED},
		{"If-Match: w/\"a\"", FAILED, FAILED, FAILED},
		{"If-Match: x, \"a\"", FAILED, FAILED, FAILED},
		{"If-Match: \"b\", *", FAILED, FAILED, FAILED},
		{"If-Match:", FAILED, FAILED, FAILED},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
if_none_match_takes_a_weak_match(void **state)
{
	static const struct row rows[] = {
		{"If-None-Match: \"a\"", HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: W/\"a\"", HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: *", HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: \"b\"", PASS, PASS, PASS},
		{"If-None-Match: \"b\", W/\"a\"", HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: \"b\"\nIf-None-Match: \"a\"",
		    HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: a", PASS, PASS, PASS},
		{"If-None-Match: \"a", PASS, PASS, PASS},
		{"If-None-Match: \"*\"", PASS, PASS, PASS},
		{"If-None-Match:", PASS, PASS, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

/* RFC 9110 section 8.8.3: etagc has commas and backslashes. */
static void
a_tag_may_hold_commas_and_backslashes(void **state)
{
	(void)state;
	expect_of("\"a,\\\"", "If-None-Match: \"b,\", \"a,\\\"",
	    METHOD_GET, HAS_IT);
	expect_of("\"a,\\\"", "If-None-Match: \"a,\\\", \"b\"",
	    METHOD_GET, HAS_IT);
	expect_of("\"a,\\\"", "If-None-Match: \"a,\"", METHOD_GET, PASS);
	expect_of("\"b\"", "If-None-Match: \"a, \"b\" c\"", METHOD_GET, PASS);
}

static void
a_weak_tag_of_ours_never_matches_strongly(void **state)
{
	(void)state;
	expect_of("W/\"a\"", "If-Match: W/\"a\"", METHOD_PUT, FAILED);
	expect_of("W/\"a\"", "If-Match: \"a\"", METHOD_PUT, FAILED);
	expect_of("W/\"a\"", "If-Match: *", METHOD_PUT, PASS);
	expect_of("W/\"a\"", "If-None-Match: \"a\"", METHOD_GET, HAS_IT);
	expect_of("W/\"a\"", "If-None-Match: W/\"a\"", METHOD_GET, HAS_IT);
	expect_of("W/\"a\"", "Range: bytes=0-1\nIf-Range: W/\"a\"",
	    METHOD_GET, WHOLE);
	expect_of("W/\"a\"", "Range: bytes=0-1\nIf-Range: \"a\"",
	    METHOD_GET, WHOLE);
}

static void
without_a_tag_only_the_star_matches(void **state)
{
	(void)state;
	expect_of(NULL, "If-Match: \"a\"", METHOD_PUT, FAILED);
	expect_of(NULL, "If-Match: *", METHOD_PUT, PASS);
	expect_of(NULL, "If-None-Match: \"a\"", METHOD_GET, PASS);
	expect_of(NULL, "If-None-Match: *", METHOD_GET, HAS_IT);
	expect_of(NULL, "Range: bytes=0-1\nIf-Range: \"a\"", METHOD_GET, WHOLE);
	expect_of(NULL, "Range: bytes=0-1\nIf-Range: " DATE, METHOD_GET, PASS);
}

static void
if_unmodified_since_holds_up_to_its_second(void **state)
{
	static const struct row rows[] = {
		{"If-Unmodified-Since: " BEFORE, FAILED, FAILED, FAILED},
		{"If-Unmodified-Since: " DATE, PASS, PASS, PASS},
		{"If-Unmodified-Since: " AFTER, PASS, PASS, PASS},
		{"If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT",
		    FAILED, FAILED, FAILED},
		{"If-Unmodified-Since: yesterday", PASS, PASS, PASS},
		{"If-Unmodified-Since:", PASS, PASS, PASS},
		{"If-Unmodified-Since: " BEFORE "\nIf-Unmodified-Since: "
		    BEFORE, PASS, PASS, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
if_modified_since_is_for_reading_only(void **state)
{
	static const struct row rows[] = {
		{"If-Modified-Since: " BEFORE, PASS, PASS, PASS},
		{"If-Modified-Since: " DATE, HAS_IT, HAS_IT, PASS},
		{"If-Modified-Since: " AFTER, HAS_IT, HAS_IT, PASS},
		{"If-Modified-Since: Sun Nov  6 08:49:37 1994",
		    HAS_IT, HAS_IT, PASS},
		{"If-Modified-Since: 784111777", PASS, PASS, PASS},
		{"If-Modified-Since: " DATE "\nIf-Modified-Since: " DATE,
		    PASS, PASS, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

/* The order of section 13.2.2. */
static void
tags_go_before_dates(void **state)
{
	static const struct row rows[] = {
		{"If-Match: \"a\"\nIf-Unmodified-Since: " BEFORE,
		    PASS, PASS, PASS},
		{"If-Match: \"b\"\nIf-Unmodified-Since: " AFTER,
		    FAILED, FAILED, FAILED},
		{"If-None-Match: \"b\"\nIf-Modified-Since: " AFTER,
		    PASS, PASS, PASS},
		{"If-None-Match: \"a\"\nIf-Modified-Since: " BEFORE,
		    HAS_IT, HAS_IT, FAILED},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
what_must_hold_goes_before_what_must_not(void **state)
{
	static const struct row rows[] = {
		{"If-None-Match: \"a\"\nIf-Match: \"b\"",
		    FAILED, FAILED, FAILED},
		{"If-None-Match: \"a\"\nIf-Match: \"a\"",
		    HAS_IT, HAS_IT, FAILED},
		{"If-None-Match: \"b\"\nIf-Match: \"a\"", PASS, PASS, PASS},
		{"If-Modified-Since: " AFTER "\nIf-Unmodified-Since: " BEFORE,
		    FAILED, FAILED, FAILED},
		{"If-Modified-Since: " AFTER "\nIf-Unmodified-Since: " AFTER,
		    HAS_IT, HAS_IT, PASS},
		{"If-None-Match: \"a\"\nIf-Unmodified-Since: " AFTER,
		    HAS_IT, HAS_IT, FAILED},
		{"If-Match: \"a\"\nIf-Modified-Since: " AFTER,
		    HAS_IT, HAS_IT, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
if_range_wants_the_same_representation(void **state)
{
#define RANGE "Range: bytes=0-1\n"
	static const struct row rows[] = {
		{RANGE "If-Range: \"a\"", PASS, PASS, PASS},
		{RANGE "If-Range: \"b\"", WHOLE, PASS, PASS},
		{RANGE "If-Range: W/\"a\"", WHOLE, PASS, PASS},
		{RANGE "If-Range: \"a\", \"b\"", WHOLE, PASS, PASS},
		{RANGE "If-Range: *", WHOLE, PASS, PASS},
		{RANGE "If-Range: a", WHOLE, PASS, PASS},
		{RANGE "If-Range:", WHOLE, PASS, PASS},
		{RANGE "If-Range: " DATE, PASS, PASS, PASS},
		{RANGE "If-Range: " BEFORE, WHOLE, PASS, PASS},
		{RANGE "If-Range: " AFTER, WHOLE, PASS, PASS},
		{RANGE "If-Range: \"a\"\nIf-Range: \"a\"", WHOLE, PASS, PASS},
		/* Without a Range there is nothing to condition. */
		{"If-Range: \"b\"", PASS, PASS, PASS},
		/* It is the last step. */
		{RANGE "If-Range: \"b\"\nIf-None-Match: \"a\"",
		    HAS_IT, HAS_IT, FAILED},
		{RANGE "If-Range: \"a\"\nIf-Match: \"b\"",
		    FAILED, FAILED, FAILED},
		{RANGE "If-Range: \"b\"\nIf-None-Match: \"b\"",
		    WHOLE, PASS, PASS},
	};

	(void)state;
	expect_rows(rows, COUNT_OF(rows));
}

static void
a_date_is_no_strong_validator_in_its_own_second(void **state)
{
	(void)state;
	clock_fake_start(1000, MODIFIED);
	expect(RANGE "If-Range: " DATE, METHOD_GET, WHOLE);
	clock_fake_advance(1000);
	expect(RANGE "If-Range: " DATE, METHOD_GET, PASS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_conditions_everything_passes),
		cmocka_unit_test(if_match_wants_a_strong_match),
		cmocka_unit_test(if_none_match_takes_a_weak_match),
		cmocka_unit_test(a_tag_may_hold_commas_and_backslashes),
		cmocka_unit_test(a_weak_tag_of_ours_never_matches_strongly),
		cmocka_unit_test(without_a_tag_only_the_star_matches),
		cmocka_unit_test(if_unmodified_since_holds_up_to_its_second),
		cmocka_unit_test(if_modified_since_is_for_reading_only),
		cmocka_unit_test(tags_go_before_dates),
		cmocka_unit_test(what_must_hold_goes_before_what_must_not),
		cmocka_unit_test(if_range_wants_the_same_representation),
		cmocka_unit_test(
		    a_date_is_no_strong_validator_in_its_own_second),
	};

	clock_fake_start(1000, MODIFIED + 3600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
