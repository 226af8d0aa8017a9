/* How a connection comes to stand. For net/conn.c only. */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include "net/conn.h"

/* Goes on with C, which is `connecting` or `is_early`, as far as it can. The
 * owner is told when it stands or failed, and what came early; C may be closed
 * on return. */
void handshake_advance(struct conn *c);
/* Likewise, but when all events of this tick were heard, in the order of
 * arrival, within the share of a tick that handshakes have. */
void handshake_queue(struct conn *c);
/* Of a client: counts and reports the failure, and closes. */
void handshake_abandon(struct conn *c, const char *why,
    enum close_reason reason);

#endif
