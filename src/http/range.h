/* Range requests (RFC 9110 section 14). */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/str.h"

struct range {
	uint64_t from, to; /* inclusive */
};

enum range_status {
	RANGE_NONE, /* no Range, not bytes, or malformed: send everything */
	RANGE_OK,   /* *N ranges */
	RANGE_BAD   /* none of them can be met: 416 */
};

#define RANGE_MAX 32

/*
 * VALUE against a representation of SIZE bytes. Unsatisfiable parts are
 * dropped; more than RANGE_MAX parts, or parts that together ask for more than
 * the whole with overlaps (section 14.2 allows to ignore those), give
 * RANGE_NONE. Adjacent and overlapping ranges are left as they are otherwise.
 */
enum range_status range_parse(struct str value, uint64_t size,
    struct range out[RANGE_MAX], unsigned *n);

#endif
