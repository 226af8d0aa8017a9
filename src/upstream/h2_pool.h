/*
 * What one worker has of one server that speaks HTTP/2: its connections, and
 * the calls that wait for one.
 */
#ifndef UPSTREAM_H2_POOL_H
#define UPSTREAM_H2_POOL_H

#include "upstream/h2_uplink.h"

struct h2_pool {
	struct backend *backend;
	unsigned server;
	struct list sessions; /* struct h2_uplink's link */
	struct list waiting;  /* struct h2_client's link: who came first */
	unsigned n_sessions, n_waiting;
	struct dial dial;
	uint64_t connect_timeout; /* of the dial's call */
};

/* One that takes another call; NULL: none. */
struct h2_uplink *h2_pool_uplink(struct h2_pool *p);
/* Has H wait for a connection, and dials ADDR unless that is under way. */
bool h2_pool_wait(struct h2_pool *p, struct h2_client *h, unsigned addr,
    struct err *e);
void h2_pool_leave(struct h2_pool *p, struct h2_client *h);
/* There may be room for who waits. */
void h2_pool_serve(struct h2_pool *p);
/* The pool of a server, made when it is first asked for. */
struct h2_pool *h2_pool_of(struct backend *b, unsigned server);

#endif
