/* The time of a tick, its texts, and time that stands still. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define NOV_1994 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static void
assert_text(struct str got, const char *want)
{
	char text[64];

	assert_true(got.n < sizeof text);
	memcpy(text, got.p, got.n);
	text[got.n] = '\0';
	assert_string_equal(text, want);
}

static void
set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void
time_of_a_tick_stands_until_the_next(void **state)
{
	uint64_t us;

	(void)state;
	clock_update();
	us = clock_us();
	while (clock_precise_us() < us + 2)
		continue;
	assert_int_equal(clock_us(), us);
	assert_int_equal(clock_ms(), us / 1000);
	clock_update();
	assert_true(clock_us() > us);
}

static void
wall_time_is_that_of_the_system(void **state)
{
	time_t before = time(NULL);

	(void)state;
	clock_update();
	assert_true(clock_wall() >= before);
	assert_true(clock_wall() <= time(NULL));
	assert_int_equal(clock_wall(), clock_wall_ms() / 1000);
}

static void
fake_time_moves_only_when_told(void **state)
{
	(void)state;
	clock_fake_start(5000, NOV_1994);
	assert_true(clock_is_fake());
	clock_update();
	assert_int_equal(clock_ms(), 5000);
	assert_int_equal(clock_wall(), NOV_1994);
	clock_fake_advance(1750);
	clock_update();
	assert_int_equal(clock_ms(), 6750);
	assert_int_equal(clock_us(), 6750000);
	assert_int_equal(clock_precise_us(), 6750000);
	assert_int_equal(clock_wall(), NOV_1994 + 1);
	assert_int_equal(clock_wall_ms(), (NOV_1994 + 1) * 1000LL + 750);
	clock_fake_end();
	assert_false(clock_is_fake());
	assert_true(clock_wall() > NOV_1994 + 1);
}

static void
dates_read_as_their_formats_say(void **state)
{
	(void)state;
	set_zone("UTC");
	clock_fake_start(1, NOV_1994);
	assert_text(clock_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_text(clock_log_date(), "06/Nov/1994:08:49:37 +0000");
	assert_text(clock_iso_date(), "1994-11-06T08:49:37+00:00");
	clock_fake_end();
}

static void
dates_of_the_log_are_local(void **state)
{
	(void)state;
	clock_fake_start(1, NOV_1994);
	set_zone("NPT-05:45"); /* POSIX counts westwards */
	clock_fake_start(1, NOV_1994);
	assert_text(clock_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_text(clock_log_date(), "06/Nov/1994:14:34:37 +0545");
	assert_text(clock_iso_date(), "1994-11-06T14:34:37+05:45");
	set_zone("MART09:30");
	clock_fake_start(1, NOV_1994);
	assert_text(clock_log_date(), "05/Nov/1994:23:19:37 -0930");
	assert_text(clock_iso_date(), "1994-11-05T23:19:37-09:30");
	set_zone("UTC");
	clock_fake_end();
}

static void
dates_follow_the_second(void **state)
{
	(void)state;
	set_zone("UTC");
	clock_fake_start(1, NOV_1994);
	clock_fake_advance(999);
	assert_text(clock_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
	clock_fake_advance(1);
	assert_text(clock_http_date(), "Sun, 06 Nov 1994 08:49:38 GMT");
	assert_text(clock_iso_date(), "1994-11-06T08:49:38+00:00");
	/* A leap day and the last second of a year. */
	clock_fake_start(1, 951782399);
	assert_text(clock_http_date(), "Mon, 28 Feb 2000 23:59:59 GMT");
	clock_fake_advance(1000);
	assert_text(clock_http_date(), "Tue, 29 Feb 2000 00:00:00 GMT");
	clock_fake_start(1, 1798761599);
	assert_text(clock_log_date(), "31/Dec/2026:23:59:59 +0000");
	clock_fake_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_of_a_tick_stands_until_the_next),
		cmocka_unit_test(wall_time_is_that_of_the_system),
		cmocka_unit_test(fake_time_moves_only_when_told),
		cmocka_unit_test(dates_read_as_their_formats_say),
		cmocka_unit_test(dates_of_the_log_are_local),
		cmocka_unit_test(dates_follow_the_second)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
