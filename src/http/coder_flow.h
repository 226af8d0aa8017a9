/* Bodies that are encoded or decoded as they are pulled. */
#ifndef HTTP_CODER_FLOW_H
#define HTTP_CODER_FLOW_H

#include "http/coder.h"
#include "http/txn.h"

struct coder_stats {
	uint64_t bodies[CODING_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t broken;    /* what went in was malformed */
	uint64_t no_memory; /* bodies left as they were: memory_max is reached */
	uint64_t memory;    /* gauge: estimated bytes of coders at work */
	uint64_t pauses;    /* waits for the next tick, its share being used up */
};

/*
 * Where the coders of a process work: all of them together have a bounded share
 * of each tick, so that other connections do not wait for them, and a bounded
 * amount of memory.
 */
struct coder_bench;

/* STATS is written to. */
struct coder_bench *coder_bench_new(struct loop *l, struct coder_stats *stats);
/* No coder is at work. */
void coder_bench_end(struct coder_bench *b);

/* What is done to a body. */
struct coder_order {
	enum coding coding;
	const struct coder_ops *ops; /* of it, one way or the other */
	int level;
	size_t memory;     /* estimate, bytes */
	size_t memory_max; /* of all coders of the bench; 0: any */
};
/*
 * Puts a coder between T and its response's body. What has come of the source
 * when it has to be waited for is flushed, so that streams stay streams. False:
 * there is no memory for it, and nothing has changed.
 */
bool coder_flow_insert(struct coder_bench *b, struct txn *t,
    const struct coder_order *order);

#endif
