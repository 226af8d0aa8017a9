/*
 * A hash map from strings to pointers, in an arena. Open addressing, SipHash;
 * keys are not copied. Entries can be added and replaced, never removed: it is
 * for what is built when a configuration is loaded.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/arena.h"
#include "base/str.h"

struct map;

struct map *map_new(struct arena *a, size_t expected);
/* As map_new, but ASCII case does not count. */
struct map *map_new_caseless(struct arena *a, size_t expected);
void *map_get(const struct map *m, struct str key); /* NULL: none */
/* Returns what was there before, or NULL; VALUE is not NULL. */
void *map_put(struct map *m, struct str key, void *value);
size_t map_count(const struct map *m);
/* In no order; *AT starts at 0. */
bool map_each(const struct map *m, size_t *at, struct str *key, void **value);

#endif
