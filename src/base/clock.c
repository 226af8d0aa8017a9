/*
 * The time of this tick, and its texts. State of the process: one loop, one
 * clock. Pool threads do not read it.
 */
#include "base/clock.h"

#include "base/panic.h"

#include <stdio.h>
#include <time.h>

static uint64_t mono_us;
static int64_t wall_ms;
static bool is_fake;

/* Texts made for this second. */
static struct {
	int64_t second;
	bool made;
	char http[32], log[32], iso[32];
} texts;

uint64_t
clock_ms(void)
{
	return mono_us / 1000;
}

uint64_t
clock_us(void)
{
	return mono_us;
}

int64_t
clock_wall(void)
{
	return wall_ms / 1000;
}

int64_t
clock_wall_ms(void)
{
	return wall_ms;
}

uint64_t
clock_precise_us(void)
{
	struct timespec t;

	if (is_fake)
		return mono_us;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
clock_update(void)
{
	struct timespec t;

	if (is_fake)
		return;
	mono_us = clock_precise_us();
	clock_gettime(CLOCK_REALTIME, &t);
	wall_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
clock_make_texts(void)
{
	static const char days[7][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t now = (time_t)clock_wall();
	struct tm t;
	long offset;
	char sign;

	if (texts.made && texts.second == now)
		return;
	texts.made = true;
	texts.second = now;
	gmtime_r(&now, &t);
	snprintf(texts.http, sizeof texts.http,
	    "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday],
	    (unsigned)t.tm_mday % 100, months[t.tm_mon],
	    (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
	    (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);

	localtime_r(&now, &t);
	sign = t.tm_gmtoff < 0 ? '-' : '+';
	offset = t.tm_gmtoff < 0 ? -t.tm_gmtoff : t.tm_gmtoff;
	snprintf(texts.log, sizeof texts.log,
	    "%02u/%s/%04u:%02u:%02u:%02u %c%02u%02u",
	    (unsigned)t.tm_mday % 100, months[t.tm_mon],
	    (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
	    (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100, sign,
	    (unsigned)(offset / 3600) % 100, (unsigned)(offset / 60) % 60);
	snprintf(texts.iso, sizeof texts.iso,
	    "%04u-%02u-%02uT%02u:%02u:%02u%c%02u:%02u",
	    (unsigned)(t.tm_year + 1900) % 10000,
	    (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100,
	    (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100,
	    (unsigned)t.tm_sec % 100, sign, (unsigned)(offset / 3600) % 100,
	    (unsigned)(offset / 60) % 60);
}

struct str
clock_http_date(void)
{
	clock_make_texts();
	return str_of(texts.http, 29);
}

struct str
clock_log_date(void)
{
	clock_make_texts();
	return str_of(texts.log, 26);
}

struct str
clock_iso_date(void)
{
	clock_make_texts();
	return str_of(texts.iso, 25);
}

void
clock_fake_start(uint64_t mono_ms, int64_t wall_s)
{
	is_fake = true;
	mono_us = mono_ms * 1000;
	wall_ms = wall_s * 1000;
	texts.made = false;
}

void
clock_fake_advance(uint64_t ms)
{
	ASSERT(is_fake);
	mono_us += ms * 1000;
	wall_ms += (int64_t)ms;
}

void
clock_fake_end(void)
{
	is_fake = false;
	texts.made = false;
	clock_update();
}

bool
clock_is_fake(void)
{
	return is_fake;
}
