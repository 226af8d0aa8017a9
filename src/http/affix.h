/*
 * Many prefixes (or suffixes) at once: which of them does a string have?
 * Answered in the logarithm of their number and the number of answers.
 */
#ifndef HTTP_AFFIX_H
#define HTTP_AFFIX_H

#include "base/map.h"

enum affix_side { AFFIX_PREFIX, AFFIX_SUFFIX };

struct affix {
	struct str text;
	const struct affix *outer; /* the longest of the others that this has */
	void *value;
};

struct affix_set;
/* Of the keys and values of VALUES; in A. */
struct affix_set *affix_set_new(struct arena *a, enum affix_side side,
    const struct map *values);
/* The longest affix that S has, the others by `outer`; NULL: none. */
const struct affix *affix_find(const struct affix_set *set, struct str s);

#endif
