/*
 * Time, read once per tick by the loop. Everything that waits asks here, so
 * tests advance time instead of sleeping.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#include <stdint.h>

uint64_t clock_ms(void);  /* monotonic, milliseconds, of this tick */
uint64_t clock_us(void);  /* monotonic, microseconds, of this tick */
int64_t clock_wall(void); /* seconds since 1970, of this tick */
int64_t clock_wall_ms(void);
void clock_update(void);  /* the loop calls it after every poll */

/* Monotonic microseconds now, not of the tick: for measuring. */
uint64_t clock_precise_us(void);

/* Texts of this tick's second, made once per second:
 * "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), */
struct str clock_http_date(void);
/* "06/Nov/1994:08:49:37 +0000" in local time (combined log), */
struct str clock_log_date(void);
/* "1994-11-06T08:49:37+00:00" in local time (ISO 8601). */
struct str clock_iso_date(void);

/* Time stands still at these values until clock_fake_advance or _end. */
void clock_fake_start(uint64_t mono_ms, int64_t wall_s);
void clock_fake_advance(uint64_t ms);
void clock_fake_end(void);
bool clock_is_fake(void);

#endif
