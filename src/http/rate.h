/*
 * Rates: so many in a second, a minute or an hour, as an operator writes them
 * ("10/s"). What is due by a rate is kept as one point in time (the generic
 * cell rate algorithm): each unit moves it on by what a unit costs, and how far
 * it may be ahead of now is the burst.
 */
#ifndef HTTP_RATE_H
#define HTTP_RATE_H

#include "conf/schema.h"

#include <stdint.h>

#define RATE_SECOND 1000000000u /* ns */
#define RATE_MAX 1000000u       /* of a conf_type_rate */

struct rate {
	uint64_t n;
	uint64_t per; /* ns */
};

/* struct rate: "10/s", "300/m", "1000/h". */
extern const struct conf_type conf_type_rate;

/* The time of N units, in ns; no more than RATE_MAX of them an hour, or 4 GiB a
 * second. */
static inline uint64_t
rate_cost(const struct rate *r, uint64_t n)
{
	return n * r->per / r->n;
}

/* Of this tick; never 0. */
uint64_t rate_now(void); /* ns */
/* From DUE until NOW, rounded up; at least one. */
uint64_t rate_seconds(uint64_t ns);

#endif
