/* Dates of HTTP: three forms read, one written, and the calendar between. */
#include "http/date.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define EXAMPLE 784111777 /* the date of RFC 9110 section 5.6.7 */

static void
expect_date(const char *text, int64_t expected)
{
	int64_t got = -1;

	if (!http_date_parse(str_from(text), &got) || got != expected)
		fail_msg("\"%s\" gives %lld", text, (long long)got);
}

static void
the_three_forms_are_read(void **state)
{
	(void)state;
	expect_date("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
	expect_date("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
	expect_date("Sun Nov  6 08:49:37 1994", EXAMPLE);
	expect_date("Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * DAY);
	expect_date("Thu, 01 Jan 1970 00:00:00 GMT", 0);
	expect_date("Wed, 31 Dec 1969 23:59:59 GMT", -1);
	expect_date("Sat, 01 Jan 0000 00:00:00 GMT", -62167219200);
	expect_date("Fri, 31 Dec 9999 23:59:59 GMT", LAST_SECOND);
	expect_date("Tue, 29 Feb 2000 12:00:00 GMT", 951825600);
	expect_date("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
}

static void
anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "Sun", "Sunday", "Sun,", "0", "784111777",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 ",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 gmt",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		" Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT; length=5",
		"Sun, 06 Nov 1994 08:49:37 +0000",
		"sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun,  6 Nov 1994 08:49:37 GMT",
		"Sun,06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 08:49 GMT",
		"Sun, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Xyz, 06 Nov 1994 08:49:37 GMT",
		"Sun, +6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Thu, 31 Nov 1994 08:49:37 GMT",
		"Wed, 29 Feb 1995 08:49:37 GMT",
		"Mon, 29 Feb 1900 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT",
		"Sun, 06 Nov 1994 23:59:61 GMT",
		"Mon, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sunday, 06 Nov 94 08:49:37 GMT",
		"Sunday 06-Nov-94 08:49:37 GMT",
		"Sunday Nov  6 08:49:37 1994",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov  06 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT",
		"Sun Nov  6 08:49:37 94",
		"1994-11-06T08:49:37Z",
	};
	int64_t out;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (http_date_parse(str_from(texts[i]), &out))
			fail_msg("\"%s\" is read", texts[i]);
}

/* Every beginning of a date is none, and reading stops at its end. */
static void
a_cut_date_is_refused(void **state)
{
	static const char *const texts[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};
	int64_t out;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n < strlen(texts[i]); n++) {
			char *exact = malloc(n + (n == 0));

			memcpy(exact, texts[i], n);
			assert_false(http_date_parse(str_of(exact, n), &out));
			free(exact);
		}
}

/* RFC 9110 section 5.6.7: at most fifty years ahead. */
static void
two_digits_are_of_the_nearest_century(void **state)
{
	(void)state;
	clock_fake_start(0, 1700000000); /* 2023 */
	expect_date("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
	expect_date("Tuesday, 14-Nov-23 22:13:20 GMT", 1700000000);
	expect_date("Sunday, 01-Jan-73 00:00:00 GMT", 3250454400);
	expect_date("Tuesday, 01-Jan-74 00:00:00 GMT", 126230400);
	clock_fake_end();
	clock_fake_start(0, 3786912000); /* 2090 */
	expect_date("Wednesday, 01-Jan-10 00:00:00 GMT", 4417977600);
	clock_fake_end();
}

static void
expect_text(int64_t seconds, const char *expected)
{
	char text[HTTP_DATE_TEXT + 1] = "";

	http_date_format(seconds, text);
	assert_string_equal(text, expected);
}

static void
a_date_is_written_in_the_first_form(void **state)
{
	(void)state;
	expect_text(EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT");
	expect_text(0, "Thu, 01 Jan 1970 00:00:00 GMT");
	expect_text(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
	expect_text(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
	expect_text(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
	expect_text(INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT");
}

/* The C library's calendar agrees about a moment of every eleventh day. */
static void
the_calendar_is_that_of_the_library(void **state)
{
	(void)state;
	for (int64_t s = -62167219200; s < LAST_SECOND; s += 11 * DAY + 7777) {
		char text[HTTP_DATE_TEXT + 1] = "", expected[64];
		time_t t = (time_t)s;
		struct tm tm;
		int64_t back;

		gmtime_r(&t, &tm);
		snprintf(expected, sizeof expected,
		    "%.3s, %02d %s %04d %02d:%02d:%02d GMT",
		    weekdays[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		http_date_format(s, text);
		assert_string_equal(text, expected);
		assert_true(http_date_parse(str_from(text), &back));
		assert_true(back == s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_forms_are_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(a_cut_date_is_refused),
		cmocka_unit_test(two_digits_are_of_the_nearest_century),
		cmocka_unit_test(a_date_is_written_in_the_first_form),
		cmocka_unit_test(the_calendar_is_that_of_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
