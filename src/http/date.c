/*
 * HTTP dates without locale, time zone or the C library's calendar: the three
 * forms are read to the letter, one is written. The calendar is the Gregorian
 * one of years 0 to 9999, which is all that four digits can say.
 */
#include "http/date.h"

#include "base/clock.h"

#define DAY 86400
#define DAYS_TO_1970 719528 /* since the first of January of year 0 */
#define LAST_SECOND 253402300799 /* 9999-12-31 23:59:59 */

static const char weekdays[7][10] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday"
};
static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec"
};

struct date {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
	int weekday; /* from Sunday, 0 */
};

/* ---- the calendar ------------------------------------------------------ */

static bool
date_is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
date_month_length(int year, int month)
{
	static const uint8_t days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	return days[month - 1] + (month == 2 && date_is_leap(year));
}

/* Days from the beginning of year 0, itself a leap year, to that of YEAR. */
static int
date_days_before(int year)
{
	int y = year - 1;

	return year == 0 ? 0 : 366 + y * 365 + y / 4 - y / 100 + y / 400;
}

static int
date_days(const struct date *d)
{
	int days = date_days_before(d->year) + d->day - 1;

	for (int m = 1; m < d->month; m++)
		days += date_month_length(d->year, m);
	return days;
}

/* The first day of year 0 was a Saturday. */
static int
date_weekday(int days)
{
	return (days + 6) % 7;
}

/* ---- reading ----------------------------------------------------------- */

static bool
date_take(struct str *s, const char *word)
{
	struct str w = str_from(word);

	if (!str_has_prefix(*s, w))
		return false;
	*s = str_slice(*s, w.n, s->n);
	return true;
}

static bool
date_take_number(struct str *s, size_t digits, int *out)
{
	uint64_t v;

	if (s->n < digits || !str_to_u64(str_slice(*s, 0, digits), &v))
		return false;
	*s = str_slice(*s, digits, s->n);
	*out = (int)v;
	return true;
}

static bool
date_take_month(struct str *s, int *out)
{
	for (int i = 0; i < 12; i++)
		if (date_take(s, months[i])) {
			*out = i + 1;
			return true;
		}
	return false;
}

static bool
date_take_time(struct str *s, struct date *d)
{
	return date_take_number(s, 2, &d->hour) && date_take(s, ":") &&
	    date_take_number(s, 2, &d->minute) && date_take(s, ":") &&
	    date_take_number(s, 2, &d->second);
}

/* " 06 Nov 1994 08:49:37 GMT", after "Sun," */
static bool
date_take_fixed(struct str *s, struct date *d)
{
	return date_take(s, " ") && date_take_number(s, 2, &d->day) &&
	    date_take(s, " ") && date_take_month(s, &d->month) &&
	    date_take(s, " ") && date_take_number(s, 4, &d->year) &&
	    date_take(s, " ") && date_take_time(s, d) && date_take(s, " GMT");
}

/* " 06-Nov-94 08:49:37 GMT", after "Sunday," */
static bool
date_take_rfc850(struct str *s, struct date *d)
{
	return date_take(s, " ") && date_take_number(s, 2, &d->day) &&
	    date_take(s, "-") && date_take_month(s, &d->month) &&
	    date_take(s, "-") && date_take_number(s, 2, &d->year) &&
	    date_take(s, " ") && date_take_time(s, d) && date_take(s, " GMT");
}

/* " Nov  6 08:49:37 1994", after "Sun" */
static bool
date_take_asctime(struct str *s, struct date *d)
{
	return date_take(s, " ") && date_take_month(s, &d->month) &&
	    date_take(s, " ") &&
	    date_take_number(s, date_take(s, " ") ? 1 : 2, &d->day) &&
	    date_take(s, " ") && date_take_time(s, d) && date_take(s, " ") &&
	    date_take_number(s, 4, &d->year);
}

static int
date_year_of(int64_t seconds)
{
	int days = (int)(seconds / DAY) + DAYS_TO_1970;
	int year = days / 366;

	while (date_days_before(year + 1) <= days)
		year++;
	return year;
}

/* RFC 9110 section 5.6.7: two digits that look more than fifty years ahead
 * are of the past. */
static int
date_guess_century(int two_digits)
{
	int now = date_year_of(clock_wall());
	int year = now - now % 100 + two_digits;

	if (year > now + 50)
		return year - 100;
	return year <= now - 50 ? year + 100 : year;
}

static bool
date_take_any(struct str *s, struct date *d)
{
	for (int i = 0; i < 7; i++) {
		char abbreviated[4] = {
			weekdays[i][0], weekdays[i][1], weekdays[i][2]
		};

		d->weekday = i;
		if (date_take(s, weekdays[i])) {
			if (!date_take(s, ",") || !date_take_rfc850(s, d))
				return false;
			d->year = date_guess_century(d->year);
			return true;
		}
		if (date_take(s, abbreviated))
			return date_take(s, ",") ? date_take_fixed(s, d) :
			    date_take_asctime(s, d);
	}
	return false;
}

/* A second of 60 is a leap second, and those come at the end of a day. */
static bool
date_is_possible(const struct date *d)
{
	bool leap_second = d->hour == 23 && d->minute == 59 &&
	    d->second == 60;

	return d->day >= 1 &&
	    d->day <= date_month_length(d->year, d->month) &&
	    d->hour <= 23 && d->minute <= 59 &&
	    (d->second <= 59 || leap_second) &&
	    date_weekday(date_days(d)) == d->weekday;
}

bool
http_date_parse(struct str s, int64_t *out)
{
	struct date d;

	if (!date_take_any(&s, &d) || s.n > 0 || !date_is_possible(&d))
		return false;
	*out = ((int64_t)date_days(&d) - DAYS_TO_1970) * DAY +
	    d.hour * 3600 + d.minute * 60 + d.second;
	return true;
}

/* ---- writing ----------------------------------------------------------- */

static void
date_put_number(char *p, int digits, int v)
{
	while (digits-- > 0) {
		p[digits] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
http_date_format(int64_t seconds, char out[HTTP_DATE_TEXT])
{
	const int64_t first = (int64_t)-DAYS_TO_1970 * DAY;
	int days, rest, year, month = 1;

	/* A file system may say anything. */
	if (seconds < first)
		seconds = first;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	days = (int)((seconds - first) / DAY);
	rest = (int)((seconds - first) % DAY);
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_TEXT);
	memcpy(out, weekdays[date_weekday(days)], 3);

	year = date_year_of(seconds - rest);
	days -= date_days_before(year);
	for (; days >= date_month_length(year, month); month++)
		days -= date_month_length(year, month);
	date_put_number(out + 5, 2, days + 1);
	memcpy(out + 8, months[month - 1], 3);
	date_put_number(out + 12, 4, year);
	date_put_number(out + 17, 2, rest / 3600);
	date_put_number(out + 20, 2, rest / 60 % 60);
	date_put_number(out + 23, 2, rest % 60);
}
