/*
 * HTTP/2 towards upstreams: calls are streams of connections that a worker has
 * to each server. Only there when nghttp2 is (WEIR_HTTP2).
 */
#ifndef UPSTREAM_H2_CLIENT_H
#define UPSTREAM_H2_CLIENT_H

#include "upstream/dial.h"

#include <config.h>

#define H2_CLIENT_MAGIC 0x4832C13Eu

struct h2_uplink;

extern const struct call_protocol h2_client_protocol;

struct h2_client {
	struct call call; /* first: so is the flow of the body */
	uint32_t magic;
	int32_t id; /* of the stream; 0: none */
	struct h2_pool *pool; /* while it waits there */
	struct h2_uplink *session; /* NULL: waits, or let go */
	struct list link; /* in the pool's waiting or the session's calls */
	struct list news; /* in the session's, when it has to be told */
	struct timer timer;
	struct task work;

	enum h2_client_state {
		H2_CLIENT_HEAD, /* until the final head is there */
		H2_CLIENT_BODY, /* the body is pulled */
		H2_CLIENT_OVER  /* there is nothing to tell any more */
	} state;

	/* The request. Bytes of its body that were sent are kept in front of
	 * SENT_TO for a second attempt, if there are few. */
	struct leftover out;
	size_t sent_to;
	uint64_t body_length; /* FORWARD_LENGTH */
	bool body_over; /* nothing more is to be pulled */
	bool sent;      /* END_STREAM was */
	bool deferred;  /* nghttp2 waits for more of the body */

	/* The response. */
	struct leftover in;
	size_t head_bytes;
	unsigned interims, fields;
	bool has_head; /* the final one */
	bool ended;    /* END_STREAM has come; some may be in `in` */
	bool closed;   /* the stream is no more */
	bool failed;   /* for `cause`; what is in `in` is still good */
	bool waiting;  /* the body owes a wake */
	enum exchange_cause cause;
	const char *detail;
	uint32_t window;     /* of the stream, and what came of it since */
	uint64_t window_taken;

	/* What the timer was started for, and when: bytes moved until then. */
	enum h2_client_await { H2_AWAIT_NOTHING, H2_AWAIT_READ, H2_AWAIT_SEND }
	    awaits;
	uint64_t armed_at;
};

/* ---- for upstream/h2_*.c ----------------------------------------------- */

/* S carries it from now on. */
void h2_client_begin(struct h2_client *h, struct h2_uplink *s);
/* Tells its owner what has become of it. */
void h2_client_settle(struct h2_client *h);
/* It waits no more: there is no connection to be had. */
void h2_client_give_up(struct h2_client *h, enum exchange_cause cause,
    const char *detail);
/* The connection is gone. */
void h2_client_lose(struct h2_client *h, enum exchange_cause cause,
    const char *detail);
/* After a write: whether it waits for the server to take more. */
void h2_client_arm(struct h2_client *h);

#endif
