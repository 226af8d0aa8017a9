/*
 * Connections between two requests: kept per worker and server, last used
 * first, within the limits of the group's `keepalive`.
 */
#ifndef UPSTREAM_IDLE_H
#define UPSTREAM_IDLE_H

#include "upstream/uplink.h"

/* One that may carry another request, without a user; NULL: none. */
struct uplink *idle_take(struct backend *b, unsigned server);
/* Keeps UP, or closes it when it may not live on. ANNOUNCED_MS is how long the
 * server said that it keeps the connection; 0: it did not. */
void idle_put(struct uplink *up, uint64_t announced_ms);
void idle_close_all(struct backend *b);

#endif
