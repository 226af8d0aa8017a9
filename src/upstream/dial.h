/*
 * A dial: connecting to one address of a server, within a time-out. Embedded in
 * whoever waits for it; zero-filled memory is none.
 */
#ifndef UPSTREAM_DIAL_H
#define UPSTREAM_DIAL_H

#include "upstream/call.h"
#include "upstream/uplink.h"

struct dial {
	struct uplink *up; /* NULL: none is under way */
	struct str alpn;   /* to offer with TLS; n == 0: HTTP/1.1 */
	/* Called from the loop; the dial is over and may be started again. */
	void (*connected)(struct dial *d, struct uplink *up);
	void (*failed)(struct dial *d, enum exchange_cause cause,
	    const char *detail);
};

/* False: it could not even begin. */
bool dial_start(struct dial *d, struct backend *b, unsigned server,
    unsigned addr, uint64_t timeout_ms, struct err *e);
/* Gives it up; harmless when none is under way. */
void dial_end(struct dial *d);

#endif
