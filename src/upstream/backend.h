/*
 * What one worker has of an upstream group: whose turn it is, which address of
 * a server answered last, and the idle connections.
 */
#ifndef UPSTREAM_BACKEND_H
#define UPSTREAM_BACKEND_H

#include "base/list.h"
#include "net/net.h"
#include "net/tls_resume.h"
#include "upstream/balancer.h"

struct exchange_stats;
struct h2_pool;

struct backend_server {
	struct list idle; /* struct uplink's newest: last used first */
	struct h2_pool *h2; /* NULL: not spoken yet */
	unsigned addr_at; /* the address to begin with */
	struct tls_resume resume; /* the last session, if it speaks TLS */
	struct str addr_text[UPSTREAM_ADDRESSES]; /* for logs */
};

struct backend {
	struct arena *arena; /* of all of them */
	const struct upstream_group *group;
	struct net *net;
	struct balancer *balancer;
	struct exchange_stats *stats;
	struct list idle_by_age; /* struct uplink's oldest: longest idle first */
	unsigned n_idle;
	bool draining; /* keeps no connection any more */
	struct backend_server servers[];
};

struct backends;

/* upstream/h2_pool.c: no further call is taken, and what is idle closed. */
void h2_pool_drain(struct h2_pool *p);

/* One for each group of G. STATS is written to and outlives them. */
struct backends *backends_new(struct net *n, const struct generation *g,
    struct exchange_stats *stats);
/* Closes what is idle and keeps nothing from now on. */
void backends_drain(struct backends *all);
/* No exchange may be left. */
void backends_end(struct backends *all);
struct backend *backends_at(struct backends *all, unsigned group_index);

#endif
