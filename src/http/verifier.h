/*
 * Verifying passwords without holding up the loop: hashes are computed by the
 * threads, a few at a time, and what was right is remembered for a moment.
 */
#ifndef HTTP_VERIFIER_H
#define HTTP_VERIFIER_H

#include "base/list.h"
#include "event/pool.h"
#include "http/credentials.h"
#include "http/txn.h"

/* How long a password that was right is not computed again. */
#define VERIFIER_REMEMBERS 60000 /* ms */
/* Passwords that may wait for a thread; beyond: ASK_BUSY. */
#define VERIFIER_MAX_QUEUED 128

struct verifier_stats {
	uint64_t computed;   /* hashes */
	uint64_t remembered; /* answered without one */
	uint64_t shared;     /* joined one that was under way */
	uint64_t busy;       /* refused: too many are waiting */
};

enum ask_state { ASK_WAITS, ASK_RIGHT, ASK_WRONG, ASK_BUSY };

/* One request that wants to know; in its arena. */
struct ask {
	struct list link; /* of the check; linked while it waits */
	struct txn *t;
	struct check *check;
	enum ask_state state;
};

struct verifier;

/* STATS outlives it; POOL until its jobs are done. */
struct verifier *verifier_new(struct pool *pool, struct verifier_stats *stats);
/* Nobody may wait any more. What is being computed ends by itself. */
void verifier_end(struct verifier *v);
/*
 * Whether CREDENTIALS are those that HASH was made of; never right unless
 * IS_KNOWN, but as expensive. While the answer's state is ASK_WAITS, txn_resume
 * is owed.
 */
const struct ask *verifier_ask(struct verifier *v, struct txn *t,
    const char *hash, bool is_known, const struct credentials *credentials);

#endif
