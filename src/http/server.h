/*
 * The server: HTTP in one process. It has the listeners, the client
 * connections, the modules' private state and the counters; it draws on one
 * generation at a time.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/list.h"
#include "http/client_table.h"
#include "http/generation.h"
#include "http/h2_score.h"
#include "http/refusal.h"
#include "net/net.h"

#define STATUS_CLASSES 5

struct http_stats {
	uint64_t requests;
	uint64_t responses[STATUS_CLASSES]; /* 1xx .. 5xx */
	uint64_t in_flight; /* gauge: transactions */
	uint64_t idle;      /* gauge: kept connections without a request */
	uint64_t refused[REFUSAL_COUNT];
	uint64_t reported[REFUSAL_COUNT]; /* only: see policy.h */
	uint64_t early_held; /* requests */
	uint64_t cut;       /* ended before the response was complete */
	uint64_t memory;    /* gauge: bytes; 0 while nobody looks */
	uint64_t starved;   /* times that it passed max_memory */
	uint64_t pipeline_pauses;
	uint64_t h2_connections;
	uint64_t h2_events[H2_ABUSE_COUNT]; /* noted */
	uint64_t h2_abuses[H2_ABUSE_COUNT]; /* too many: closed */
};
extern const struct counter_set http_counters;

struct server {
	struct net *net;
	struct generation *generation;
	struct http_stats *stats;
	void *module_stats[MODULE_MAX];
	void *module_state[MODULE_MAX];
	struct listener **listeners;
	size_t n_listeners;
	struct list conns;  /* struct client's link */
	struct list fresh;  /* likewise, before the first whole request */
	unsigned n_conns, max_conns;
	const char *max_conns_by; /* what allows for no more, for the log */
	struct client_table clients; /* those whose limits are set */
	bool is_starved; /* of memory: no new requests */
	bool draining;
	struct timer drain_timer;
	uint64_t drain_until, drain_within; /* clock_ms; ms */
	unsigned drain_from; /* connections when it began */
	void (*drained)(void *arg); /* no connection is left */
	void *drained_arg;
	struct txn *current; /* the transaction in hand, for the panic report */
};

/* MODULE_STATS: where each module counts, by index; entries may be NULL only
 * for modules without counters. */
struct server *server_new(struct net *n, struct http_stats *stats,
    void *const module_stats[], struct generation *g);
/* Closes everything that is left. */
void server_end(struct server *s);
/* Listens on socket WORKER of each of N endpoints. */
bool server_listen(struct server *s, struct endpoint **eps, size_t n,
    unsigned worker, struct err *e);

/*
 * Stops accepting. Connections with a request get `Connection: close` with
 * their response. Idle ones are not cut at once: whoever sends another request
 * in the meantime is answered (and then closed); the rest is closed spread over
 * WITHIN_MS. DRAINED is called when none is left.
 */
void server_drain(struct server *s, uint64_t within_ms,
    void (*drained)(void *arg), void *arg);
/* Makes room by closing a connection that has no request: of those that never
 * had one the oldest, else one that is idle for long. False: there is none. */
bool server_shed(struct server *s, enum close_reason why);
/* Closes what is still there (shutdown_timeout is over). */
void server_cut(struct server *s);

void *server_module(struct server *s, unsigned module_index);
void *server_stats(struct server *s, unsigned module_index);

#endif
