/*
 * The exchange of a transaction with an upstream: which server, over which
 * connection, how often, and what became of it.
 */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include "upstream/call.h"

struct exchange;

struct exchange_conf {
	const struct call_protocol *protocol;
	bool is_grpc;
	uint64_t connect_timeout, send_timeout, read_timeout; /* ms */
	const struct forward_edits *edits;
	const struct conf_list *upgrades; /* char *: what may pass */
};

#define EXCHANGE_CLASSES 5

struct exchange_stats {
	uint64_t requests;
	uint64_t attempts;
	uint64_t dialled; /* attempts that opened a connection */
	uint64_t reused;  /* attempts over an idle connection */
	uint64_t tls_handshakes;
	uint64_t tls_resumed; /* of these */
	uint64_t retries;
	uint64_t upgrades;
	uint64_t idle;    /* gauge: idle connections */
	uint64_t responses[EXCHANGE_CLASSES]; /* 1xx .. 5xx */
	uint64_t failed_phase[EXCHANGE_PHASE_COUNT];
	uint64_t failed_cause[CAUSE_COUNT];
};
extern const struct counter_set exchange_counters;

/* Of a step: one exchange for T, in its arena; ends with T. */
struct exchange *exchange_new(struct txn *t, struct backend *b,
    const struct exchange_conf *conf);
/* STEP_STOP: t->res is the response, or says why there is none. STEP_WAIT:
 * txn_resume is called when that is so; then call it again. */
enum verdict exchange_step(struct exchange *x);

#endif
