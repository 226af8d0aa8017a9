/*
 * Regular expressions of the configuration: PCRE2 with its JIT and with match
 * limits, so that no request can make one run for long.
 */
#ifndef HTTP_REGEX_H
#define HTTP_REGEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct regex;
struct regex *regex_compile(struct arena *a, struct str pattern,
    struct err *e);
#define REGEX_CAPTURES 16
/* Whether it is found in SUBJECT; captures as pairs of offsets (SIZE_MAX: not
 * taken part) when OUT is not NULL; *N is how many pairs. A match that runs
 * into its limit counts as not found and is logged, rate limited. */
bool regex_match(const struct regex *r, struct str subject,
    size_t out[2 * REGEX_CAPTURES], unsigned *n);
/* The number of the named group, -1: none. */
int regex_group(const struct regex *r, struct str name);

#endif
