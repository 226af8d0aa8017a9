/*
 * The gate of a listener with `proxy_protocol: on`: nothing of a connection is
 * read before a trusted proxy has said whose it is. For net/conn.c only.
 */
#ifndef NET_PROXY_GATE_H
#define NET_PROXY_GATE_H

#include "net/conn.h"

/* Whether a header has to come first on C, which was just accepted. */
bool proxy_gate_stands(const struct conn *c);
/* Closes C, and says false, unless it comes from a trusted proxy. */
bool proxy_gate_admits(struct conn *c);
/* Reads the header: true when all of it came and the peer is who it names. Not
 * a byte more is read. False: it is still awaited, or C was closed. */
bool proxy_gate_pass(struct conn *c);
void proxy_gate_timeout(struct conn *c);

#endif
