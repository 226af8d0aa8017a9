/*
 * Whose turn it is: smooth weighted round robin over the servers of a group,
 * private to a worker.
 */
#ifndef UPSTREAM_BALANCER_H
#define UPSTREAM_BALANCER_H

#include "upstream/upstream.h"

struct balancer;

#define BALANCER_NONE UINT32_MAX

/* SEED puts the start anywhere in the cycle. */
struct balancer *balancer_new(struct arena *a, const struct upstream_group *g,
    uint64_t seed);
/* The next server, by index. Servers without an address and those that TRIED
 * marks (NULL: none) are passed over; BALANCER_NONE: nobody is left. */
unsigned balancer_pick(struct balancer *b, const bool *tried);

#endif
