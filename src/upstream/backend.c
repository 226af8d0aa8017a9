/*
 * Backends: the worker's side of the groups of a generation, in an arena of
 * their own that the proxy's private state owns. They hold idle connections
 * and turns; exchanges in flight hold their connections themselves.
 */
#include "upstream/backend.h"

#include "base/clock.h"
#include "upstream/idle.h"

#include <config.h>

struct backends {
	struct arena *arena;
	size_t n;
	struct backend *at[];
};

/* Groups of one worker need not be spread against each other, workers must:
 * the process's hash key is as random as anything. */
static uint64_t
backend_seed(struct str name)
{
	uint64_t us = clock_precise_us();

	return str_hash(name) ^ str_hash(str_of((const char *)&us, sizeof us));
}

static void
backend_on_end(void *resume)
{
	tls_resume_drop(resume);
}

static struct backend *
backend_new(struct arena *a, struct net *n, const struct upstream_group *g,
    struct exchange_stats *stats)
{
	struct backend *b = arena_zalloc(a,
	    sizeof *b + g->n_servers * sizeof(struct backend_server));

	b->arena = a;
	b->group = g;
	b->net = n;
	b->stats = stats;
	b->balancer = balancer_new(a, g, backend_seed(g->name));
	list_init(&b->idle_by_age);
	for (unsigned i = 0; i < g->n_servers; i++) {
		struct backend_server *s = &b->servers[i];

		list_init(&s->idle);
		arena_on_end(a, backend_on_end, &s->resume);
		for (unsigned k = 0; k < g->servers[i].n_addrs; k++) {
			struct buf text = buf_in(a);

			addr_format(&text, &g->servers[i].addrs[k]);
			s->addr_text[k] = buf_view(&text);
		}
	}
	return b;
}

struct backends *
backends_new(struct net *n, const struct generation *g,
    struct exchange_stats *stats)
{
	size_t count = upstreams_count(g);
	struct arena *a = arena_new();
	struct backends *all =
	    arena_zalloc(a, sizeof *all + count * sizeof all->at[0]);

	all->arena = a;
	all->n = count;
	for (size_t i = 0; i < count; i++)
		all->at[i] = backend_new(a, n, upstreams_at(g, i), stats);
	return all;
}

static void
backend_drain_http2(struct backend *b)
{
#if WEIR_HTTP2
	for (unsigned i = 0; i < b->group->n_servers; i++)
		if (b->servers[i].h2 != NULL)
			h2_pool_drain(b->servers[i].h2);
#else
	(void)b;
#endif
}

void
backends_drain(struct backends *all)
{
	for (size_t i = 0; i < all->n; i++) {
		all->at[i]->draining = true;
		idle_close_all(all->at[i]);
		backend_drain_http2(all->at[i]);
	}
}

void
backends_end(struct backends *all)
{
	backends_drain(all);
	arena_end(all->arena);
}

struct backend *
backends_at(struct backends *all, unsigned group_index)
{
	ASSERT(group_index < all->n);
	return all->at[group_index];
}
