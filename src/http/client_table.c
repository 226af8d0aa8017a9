/*
 * Clients by address: a hash table of chains in two arrays, one of entries,
 * one of heads, as long as each other. An entry is named by its place, which
 * costs a connection half of a pointer and stays right when the arrays move.
 *
 * A client is in it for as long as it has a connection, so it is bounded by the
 * limit of connections; with the last client the arrays go. The hash is keyed
 * with what no client knows (str_hash), or some could choose addresses that all
 * fall into one chain.
 */
#include "http/client_table.h"

#include "base/panic.h"

#include <string.h>

#define FIRST 64 /* entries */

struct client_entry {
	uint64_t key;
	uint64_t memory;
	uint32_t conns;
	uint32_t next; /* of its chain, or of the free ones; 0: none */
};

static void
client_table_clear(struct client_table *t)
{
	mem_free(t->entries);
	mem_free(t->heads);
	*t = (struct client_table){ .entries = NULL };
}

/* False: it is nobody's. */
static bool
client_table_key(const struct peer *p, uint64_t *key)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	/* ::ffff:0:0/96, moved to the front: of 0000::/8, where nobody is. */
	uint8_t bytes[8] = { [2] = 0xff, [3] = 0xff };

	if (p->family == AF_INET)
		memcpy(bytes + 4, p->ip, 4);
	else if (p->family == AF_INET6 && memcmp(p->ip, mapped, 12) == 0)
		memcpy(bytes + 4, p->ip + 12, 4);
	else if (p->family == AF_INET6)
		memcpy(bytes, p->ip, 8);
	else
		return false;
	memcpy(key, bytes, 8);
	return true;
}

static uint32_t *
client_table_head(const struct client_table *t, uint64_t key)
{
	struct str bytes = str_of((const char *)&key, sizeof key);

	return &t->heads[str_hash(bytes) & (t->cap - 1)];
}

static void
client_table_chain(struct client_table *t, uint32_t at)
{
	uint32_t *head = client_table_head(t, t->entries[at].key);

	t->entries[at].next = *head;
	*head = at;
}

/* Only when all are in use, so that each has its place in a chain. */
static void
client_table_grow(struct client_table *t)
{
	t->cap = t->cap == 0 ? FIRST : 2 * t->cap;
	t->entries = mem_realloc(t->entries, t->cap * sizeof *t->entries);
	mem_free(t->heads);
	t->heads = mem_zalloc(t->cap * sizeof *t->heads);
	if (t->used == 0)
		t->used = 1;
	for (uint32_t i = 1; i < t->used; i++)
		client_table_chain(t, i);
}

static uint32_t
client_table_find(const struct client_table *t, uint64_t key)
{
	uint32_t at = t->cap > 0 ? *client_table_head(t, key) : 0;

	while (at != 0 && t->entries[at].key != key)
		at = t->entries[at].next;
	return at;
}

static uint32_t
client_table_add(struct client_table *t, uint64_t key)
{
	uint32_t at = t->free;

	if (at != 0) {
		t->free = t->entries[at].next;
	} else {
		if (t->used == t->cap)
			client_table_grow(t);
		at = t->used++;
	}
	t->entries[at] = (struct client_entry){ .key = key };
	client_table_chain(t, at);
	t->n++;
	return at;
}

static struct client_entry *
client_table_at(const struct client_table *t, uint32_t client)
{
	ASSERT(client != 0 && client < t->used);
	ASSERT(t->entries[client].conns > 0);
	return &t->entries[client];
}

uint32_t
client_table_enter(struct client_table *t, const struct peer *peer)
{
	uint64_t key;
	uint32_t at;

	if (!client_table_key(peer, &key))
		return 0;
	at = client_table_find(t, key);
	if (at == 0)
		at = client_table_add(t, key);
	t->entries[at].conns++;
	return at;
}

void
client_table_leave(struct client_table *t, uint32_t client)
{
	struct client_entry *e;
	uint32_t *link;

	if (client == 0)
		return;
	e = client_table_at(t, client);
	if (--e->conns > 0)
		return;
	ASSERT(e->memory == 0);
	if (--t->n == 0) {
		client_table_clear(t);
		return;
	}
	link = client_table_head(t, e->key);
	while (*link != client)
		link = &t->entries[*link].next;
	*link = e->next;
	e->next = t->free;
	t->free = client;
}

uint32_t
client_table_conns(const struct client_table *t, uint32_t client)
{
	return client_table_at(t, client)->conns;
}

uint64_t
client_table_memory(const struct client_table *t, uint32_t client)
{
	return client_table_at(t, client)->memory;
}

void
client_table_hold(struct client_table *t, uint32_t client, int64_t more)
{
	struct client_entry *e = client_table_at(t, client);

	ASSERT(more >= 0 || e->memory >= (uint64_t)-more);
	e->memory += (uint64_t)more;
}
