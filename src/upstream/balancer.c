/*
 * Smooth weighted round robin: with each pick every server earns its weight,
 * the richest is chosen and pays what all earned together. So a server of
 * weight 3 among two of weight 1 is not picked three times in a row. A backend
 * owns one; workers share nothing, so each starts at a random place of the
 * cycle, else all would send their first requests to the same server.
 */
#include "upstream/balancer.h"

struct balancer {
	const struct upstream_group *group;
	int64_t earned[];
};

/* Bounds the work of finding a random start in huge groups. */
#define BALANCER_START_STEPS (1u << 20)

struct balancer *
balancer_new(struct arena *a, const struct upstream_group *g, uint64_t seed)
{
	struct balancer *b =
	    arena_zalloc(a, sizeof *b + g->n_servers * sizeof b->earned[0]);
	uint64_t cycle = 0, skip;

	b->group = g;
	for (unsigned i = 0; i < g->n_servers; i++)
		cycle += g->servers[i].weight;
	if (cycle == 0)
		return b;

	skip = seed % cycle % (BALANCER_START_STEPS / g->n_servers + 1);
	while (skip-- > 0)
		balancer_pick(b, NULL);
	return b;
}

unsigned
balancer_pick(struct balancer *b, const bool *tried)
{
	unsigned best = BALANCER_NONE;
	int64_t total = 0;

	for (unsigned i = 0; i < b->group->n_servers; i++) {
		const struct upstream_server *s = &b->group->servers[i];

		if (s->n_addrs == 0 || (tried != NULL && tried[i]))
			continue;
		b->earned[i] += s->weight;
		total += s->weight;
		if (best == BALANCER_NONE || b->earned[i] > b->earned[best])
			best = i;
	}
	if (best != BALANCER_NONE)
		b->earned[best] -= total;
	return best;
}
