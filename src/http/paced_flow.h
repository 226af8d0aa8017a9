/*
 * A body that is held to rates: of its own and, together with others, of
 * whatever they share. Ranges of files stay ranges of files.
 */
#ifndef HTTP_PACED_FLOW_H
#define HTTP_PACED_FLOW_H

#include "base/keyed_table.h"
#include "event/loop.h"
#include "http/rate.h"
#include "net/flow.h"

struct paced_rate {
	uint64_t bytes; /* a second; 0: any */
	uint64_t burst; /* bytes that may leave at once */
	/* Where it is kept how much is due. NULL: in the flow. */
	struct keyed_table *table;
	uint64_t hash;
};

#define PACED_RATES 2

/* WAITS is counted up each time that the sink is made to wait. */
struct flow *paced_flow(struct arena *a, struct loop *l, struct flow *src,
    const struct paced_rate rates[PACED_RATES], uint64_t *waits);

#endif
