/*
 * Hash maps from strings to pointers: open addressing with linear probing,
 * grown at three quarters. The table lies in the map's arena; an outgrown one
 * stays there. It is made for the first entry: of the maps that are built for
 * each site most stay empty.
 */
#include "base/map.h"

#include "base/panic.h"

struct slot {
	uint64_t hash;
	struct str key;
	void *value; /* NULL: free */
};

struct map {
	struct arena *arena;
	struct slot *slots; /* NULL: none yet */
	size_t cap;         /* that they have or will have; a power of two */
	size_t n;
	bool caseless;
};

static struct map *
map_make(struct arena *a, size_t expected, bool caseless)
{
	struct map *m = arena_zalloc(a, sizeof *m);

	m->arena = a;
	m->caseless = caseless;
	for (m->cap = 8; m->cap / 4 * 3 < expected; m->cap *= 2)
		continue;
	return m;
}

struct map *
map_new(struct arena *a, size_t expected)
{
	return map_make(a, expected, false);
}

struct map *
map_new_caseless(struct arena *a, size_t expected)
{
	return map_make(a, expected, true);
}

/* The slot of KEY, or the free one where it would go. */
static struct slot *
map_slot(const struct map *m, struct str key, uint64_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->slots[i];

		if (s->value == NULL)
			return s;
		if (s->hash == hash && (m->caseless ?
		        str_case_eq(s->key, key) : str_eq(s->key, key)))
			return s;
	}
}

static uint64_t
map_hash(const struct map *m, struct str key)
{
	return m->caseless ? str_case_hash(key) : str_hash(key);
}

void *
map_get(const struct map *m, struct str key)
{
	return m->n > 0 ? map_slot(m, key, map_hash(m, key))->value : NULL;
}

static struct slot *
map_table(struct arena *a, size_t cap)
{
	return arena_zalloc(a, cap * sizeof(struct slot));
}

static void
map_grow(struct map *m)
{
	struct slot *old = m->slots;
	size_t n = m->cap;

	m->cap *= 2;
	m->slots = map_table(m->arena, m->cap);
	for (size_t i = 0; i < n; i++)
		if (old[i].value != NULL)
			*map_slot(m, old[i].key, old[i].hash) = old[i];
}

void *
map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = map_hash(m, key);
	struct slot *s;
	void *before;

	ASSERT(value != NULL);
	if (m->slots == NULL)
		m->slots = map_table(m->arena, m->cap);
	else if (m->n >= m->cap / 4 * 3)
		map_grow(m);
	s = map_slot(m, key, hash);
	before = s->value;
	if (before == NULL)
		m->n++;
	else
		key = s->key; /* the first key stays: it may be longer-lived */
	*s = (struct slot){ .hash = hash, .key = key, .value = value };
	return before;
}

size_t
map_count(const struct map *m)
{
	return m->n;
}

bool
map_each(const struct map *m, size_t *at, struct str *key, void **value)
{
	while (m->n > 0 && *at < m->cap) {
		const struct slot *s = &m->slots[(*at)++];

		if (s->value == NULL)
			continue;
		*key = s->key;
		*value = s->value;
		return true;
	}
	return false;
}
