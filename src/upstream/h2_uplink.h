/*
 * A connection to an upstream that speaks HTTP/2, shared by the calls of one
 * worker. For upstream/h2_*.c only.
 */
#ifndef UPSTREAM_H2_UPLINK_H
#define UPSTREAM_H2_UPLINK_H

#include "upstream/h2_client.h"

#include <nghttp2/nghttp2.h>

#define H2_UPLINK_MAGIC 0x48325E55u

struct h2_uplink {
	uint32_t magic;
	struct h2_pool *pool; /* NULL: closed */
	struct list link;     /* in its sessions */
	struct uplink *up;
	nghttp2_session *ng;
	struct list calls; /* struct h2_client's link */
	struct list news;  /* struct h2_client's news: to be told something */
	unsigned n_calls;
	unsigned limit;    /* of calls at once, by the server's word or ours */
	bool draining;     /* takes no further call */
	bool has_settings; /* the server's have come */
	bool has_room;     /* for who waits, to be told in this tick */
	bool pinged;       /* and not answered yet */
	unsigned continuations; /* of the head that is being read */
	uint64_t heard_ms;
	/* Frames that do nothing for any request, against those that do. */
	int64_t patience, patience_ms;
	const char *why; /* what the server did wrong, if something */
	struct leftover out;
	struct task write, read, reap;
};

/* UP is connected; it is the session's from now on. */
struct h2_uplink *h2_uplink_new(struct h2_pool *pool, struct uplink *up);
bool h2_uplink_takes_calls(const struct h2_uplink *s);
/* Takes no further call; it ends with the last one, in this tick if there is
 * none. */
void h2_uplink_drain(struct h2_uplink *s);
/* Ends it now; it has no calls. */
void h2_uplink_end(struct h2_uplink *s);

/* ---- for calls --------------------------------------------------------- */

void h2_uplink_join(struct h2_uplink *s, struct h2_client *h);
void h2_uplink_leave(struct h2_uplink *s, struct h2_client *h);
/* Something was submitted: it is written in this tick. */
void h2_uplink_wants_write(struct h2_uplink *s);

#endif
