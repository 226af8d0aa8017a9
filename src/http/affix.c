/*
 * Affixes: sorted, with a link from each to the longest other one that it has
 * itself. Suffixes are prefixes read from the end. It is made when a router is
 * compiled and never changes.
 *
 * Why one binary search suffices: a string between a prefix of S and S itself
 * in the order has that prefix, too. So all affixes of S are affixes of the
 * last one that is not behind S, or that one itself, and on its chain.
 */
#include "http/affix.h"

#include <stdlib.h>

struct affix_set {
	enum affix_side side;
	size_t n;
	struct affix *sorted;
};

/* How many bytes A and B have in common from their side on. */
static size_t
affix_common(enum affix_side side, struct str a, struct str b)
{
	size_t most = a.n < b.n ? a.n : b.n, n = 0;

	if (side == AFFIX_PREFIX)
		while (n < most && a.p[n] == b.p[n])
			n++;
	else
		while (n < most && a.p[a.n - 1 - n] == b.p[b.n - 1 - n])
			n++;
	return n;
}

static int
affix_compare(enum affix_side side, struct str a, struct str b,
    size_t *common)
{
	size_t n = affix_common(side, a, b);
	size_t i = side == AFFIX_PREFIX ? n : a.n - 1 - n;
	size_t k = side == AFFIX_PREFIX ? n : b.n - 1 - n;

	*common = n;
	if (n == a.n || n == b.n)
		return (a.n > b.n) - (a.n < b.n);
	return (unsigned char)a.p[i] < (unsigned char)b.p[k] ? -1 : 1;
}

static int
affix_by_prefix(const void *a, const void *b)
{
	size_t common;

	return affix_compare(AFFIX_PREFIX, ((const struct affix *)a)->text,
	    ((const struct affix *)b)->text, &common);
}

static int
affix_by_suffix(const void *a, const void *b)
{
	size_t common;

	return affix_compare(AFFIX_SUFFIX, ((const struct affix *)a)->text,
	    ((const struct affix *)b)->text, &common);
}

/* The one before in the order, or one on its chain, is the longest that AT
 * has. */
static void
affix_link(struct affix_set *set, struct affix *at)
{
	const struct affix *outer = at > set->sorted ? at - 1 : NULL;

	while (outer != NULL && affix_common(set->side, outer->text,
	        at->text) < outer->text.n)
		outer = outer->outer;
	at->outer = outer;
}

struct affix_set *
affix_set_new(struct arena *a, enum affix_side side, const struct map *values)
{
	struct affix_set *set = arena_alloc(a, sizeof *set);
	size_t at = 0;
	struct str key;
	void *value;

	set->side = side;
	set->n = 0;
	set->sorted =
	    arena_alloc(a, (map_count(values) + 1) * sizeof *set->sorted);
	while (map_each(values, &at, &key, &value))
		set->sorted[set->n++] =
		    (struct affix){ .text = key, .value = value };
	qsort(set->sorted, set->n, sizeof *set->sorted,
	    side == AFFIX_PREFIX ? affix_by_prefix : affix_by_suffix);
	for (size_t i = 0; i < set->n; i++)
		affix_link(set, &set->sorted[i]);
	return set;
}

const struct affix *
affix_find(const struct affix_set *set, struct str s)
{
	size_t low = 0, high = set->n, common = 0;
	const struct affix *a;

	/* Below LOW none is behind S; from HIGH on all are. COMMON is that of
	 * the one before LOW. */
	while (low < high) {
		size_t middle = low + (high - low) / 2, n;

		if (affix_compare(set->side, set->sorted[middle].text, s,
		        &n) <= 0) {
			low = middle + 1;
			common = n;
		} else {
			high = middle;
		}
	}
	a = low > 0 ? &set->sorted[low - 1] : NULL;
	while (a != NULL && a->text.n > common)
		a = a->outer;
	return a;
}
