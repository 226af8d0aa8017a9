/*
 * What a process remembers of keys that strangers choose: a table of a fixed
 * number of entries, found by hash. A key itself is not kept, so a long one
 * costs no more than a short one. Where all entries are taken, the one that was
 * not used for longest is forgotten for the next.
 */
#ifndef BASE_KEYED_TABLE_H
#define BASE_KEYED_TABLE_H

#include "base/str.h"

#include <stdint.h>

struct keyed_table;

struct keyed {
	uint64_t hash;
	/* The user's; zero in a new entry. Whose `count` is 0 and whose `until`
	 * is over says nothing that a new one would not say. */
	uint64_t until;
	uint32_t count;
	uint32_t serial; /* of another use of the same entry, another one */
	uint32_t next;   /* of its chain; 0: none */
	uint32_t older, newer;
};

/* Counts in *LOST the entries that were forgotten although they said
 * something. */
struct keyed_table *keyed_table_new(uint32_t max, uint64_t *lost);
void keyed_table_end(struct keyed_table *t); /* NULL is harmless */

/* The entry of the key with HASH (str_hash), made if there is none; it is now
 * the last to be forgotten. Good until the table is used again. */
struct keyed *keyed_table_use(struct keyed_table *t, uint64_t hash,
    uint64_t now);
/* NULL: there is none. */
struct keyed *keyed_table_find(struct keyed_table *t, uint64_t hash);
void keyed_table_drop(struct keyed_table *t, struct keyed *k);
uint32_t keyed_table_count(const struct keyed_table *t);

#endif
