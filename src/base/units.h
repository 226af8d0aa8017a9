/* Sizes and durations as operators write them, both ways. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* "512", "8k", "1m", "2g" (powers of 1024; case does not count) to bytes. */
bool units_parse_size(struct str s, uint64_t *bytes, struct err *e);
/* "500ms", "30s", "5m", "12h", "7d"; also sums such as "1h30m"; to
 * milliseconds. A bare number other than 0 is refused by name. */
bool units_parse_duration(struct str s, uint64_t *ms, struct err *e);
/* The shortest exact form: 65536 is "64k", 90000 ms is "90s". */
void units_format_size(struct buf *b, uint64_t bytes);
void units_format_duration(struct buf *b, uint64_t ms);

#endif
