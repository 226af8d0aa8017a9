/*
 * How many connections each client has to this worker, and how much memory
 * they hold. A client is an IPv4 address or, since whoever has one IPv6 address
 * has many, the first 64 bits of it; peers of unix sockets are nobody.
 */
#ifndef HTTP_CLIENT_TABLE_H
#define HTTP_CLIENT_TABLE_H

#include "net/addr.h"

struct client_entry;

/* Zero-filled memory is an empty table, and an empty table holds nothing. */
struct client_table {
	struct client_entry *entries; /* [0] is nobody */
	uint32_t *heads;
	uint32_t cap;  /* of both; a power of two */
	uint32_t used; /* entries that were ever taken, [0] included */
	uint32_t free; /* of those, the first that was given back */
	uint32_t n;    /* clients */
};

/* Counts one connection more of PEER's client, who is named by the result until
 * as many were counted off again. 0: a peer of a unix socket, not counted. */
uint32_t client_table_enter(struct client_table *t, const struct peer *peer);
/* A connection less; 0 is harmless. What it held was subtracted before. */
void client_table_leave(struct client_table *t, uint32_t client);

uint32_t client_table_conns(const struct client_table *t, uint32_t client);
uint64_t client_table_memory(const struct client_table *t, uint32_t client);
/* MORE may be negative. */
void client_table_hold(struct client_table *t, uint32_t client, int64_t more);

#endif
