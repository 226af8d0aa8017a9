/*
 * Chains in two arrays, one of entries, one of heads, and through the entries a
 * list in the order of their last use. Memory is taken once, and is the
 * kernel's zero page until it is written to: nothing is ever moved, so no
 * request pays for a table that grows.
 *
 * Strangers choose the keys. They cannot aim at a chain or at another's entry,
 * since the hash is keyed with what they do not know and has 64 bits (that any
 * two of a million keys share one is a matter of one in ten million). They can
 * have an entry of theirs forgotten by filling the table; so of the oldest
 * entries those go first that say nothing any more.
 */
#include "base/keyed_table.h"

#include "base/arena.h"
#include "base/panic.h"

/* How many of the oldest are looked at for one that says nothing. */
#define LOOKS 8

struct keyed_table {
	struct keyed *entries; /* [0] is the list's head */
	uint32_t *heads;
	uint32_t mask; /* heads, less one */
	uint32_t max;
	uint32_t used; /* entries that were ever taken, without [0] */
	uint32_t free; /* of those, the first that was dropped; 0: none */
	uint32_t n;
	uint32_t serial;
	uint64_t *lost;
};

struct keyed_table *
keyed_table_new(uint32_t max, uint64_t *lost)
{
	struct keyed_table *t = mem_zalloc(sizeof *t);
	uint32_t heads = 1;

	ASSERT(max > 0 && max <= UINT32_MAX / 4);
	while (heads < max)
		heads *= 2;
	t->max = max;
	t->mask = heads - 1;
	t->entries = mem_zalloc(((size_t)max + 1) * sizeof *t->entries);
	t->heads = mem_zalloc(heads * sizeof *t->heads);
	t->lost = lost;
	return t;
}

void
keyed_table_end(struct keyed_table *t)
{
	if (t == NULL)
		return;
	mem_free(t->entries);
	mem_free(t->heads);
	mem_free(t);
}

uint32_t
keyed_table_count(const struct keyed_table *t)
{
	return t->n;
}

static uint32_t *
keyed_table_head(struct keyed_table *t, uint64_t hash)
{
	return &t->heads[hash & t->mask];
}

/* ---- the order of use --------------------------------------------------- */

static void
keyed_table_unlink(struct keyed_table *t, const struct keyed *k)
{
	t->entries[k->older].newer = k->newer;
	t->entries[k->newer].older = k->older;
}

/* Before the head is the newest, behind it the oldest. */
static void
keyed_table_link(struct keyed_table *t, struct keyed *k)
{
	struct keyed *head = &t->entries[0];
	uint32_t at = (uint32_t)(k - t->entries);

	k->older = head->older;
	k->newer = 0;
	t->entries[head->older].newer = at;
	head->older = at;
}

/* ---- entries ------------------------------------------------------------ */

struct keyed *
keyed_table_find(struct keyed_table *t, uint64_t hash)
{
	uint32_t at = *keyed_table_head(t, hash);

	while (at != 0 && t->entries[at].hash != hash)
		at = t->entries[at].next;
	return at != 0 ? &t->entries[at] : NULL;
}

void
keyed_table_drop(struct keyed_table *t, struct keyed *k)
{
	uint32_t at = (uint32_t)(k - t->entries);
	uint32_t *link = keyed_table_head(t, k->hash);

	while (*link != at)
		link = &t->entries[*link].next;
	*link = k->next;
	keyed_table_unlink(t, k);
	k->next = t->free;
	t->free = at;
	t->n--;
}

static bool
keyed_says_something(const struct keyed *k, uint64_t now)
{
	return k->count > 0 || k->until > now;
}

static void
keyed_table_forget(struct keyed_table *t, uint64_t now)
{
	struct keyed *victim = &t->entries[t->entries[0].newer];
	struct keyed *k = victim;

	for (int i = 0; i < LOOKS && keyed_says_something(k, now); i++) {
		k = &t->entries[k->newer];
		if (k == &t->entries[0])
			break;
	}
	if (k != &t->entries[0] && !keyed_says_something(k, now))
		victim = k;
	else
		++*t->lost;
	keyed_table_drop(t, victim);
}

static struct keyed *
keyed_table_add(struct keyed_table *t, uint64_t hash, uint64_t now)
{
	uint32_t *head = keyed_table_head(t, hash);
	uint32_t at;

	if (t->n == t->max)
		keyed_table_forget(t, now);
	at = t->free;
	if (at != 0)
		t->free = t->entries[at].next;
	else
		at = ++t->used;
	t->entries[at] = (struct keyed){
		.hash = hash, .serial = ++t->serial, .next = *head
	};
	*head = at;
	t->n++;
	return &t->entries[at];
}

struct keyed *
keyed_table_use(struct keyed_table *t, uint64_t hash, uint64_t now)
{
	struct keyed *k = keyed_table_find(t, hash);

	if (k != NULL)
		keyed_table_unlink(t, k);
	else
		k = keyed_table_add(t, hash, now);
	keyed_table_link(t, k);
	return k;
}
