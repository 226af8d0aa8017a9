/*
 * HTTP/1.1 towards an upstream: one request and its response over one
 * connection. It writes the request of its transaction, finds the response's
 * head, and is then the flow of the response's body.
 */
#ifndef UPSTREAM_H1_CLIENT_H
#define UPSTREAM_H1_CLIENT_H

#include "http/chunk.h"
#include "http/h1_parse.h"
#include "upstream/dial.h"

#define H1_CLIENT_MAGIC 0x48314C13u

struct h1_client {
	struct call call; /* first: so is the flow of the body */
	uint32_t magic;
	struct dial dial;
	struct uplink *up; /* NULL: let go */
	struct task work;

	enum h1_client_state {
		H1_CLIENT_HEAD, /* until the final head is there */
		H1_CLIENT_BODY, /* the body is pulled */
		H1_CLIENT_OVER
	} state;

	/* The request. */
	bool head_sent;  /* composed, and in `out` if not written */
	bool sent;       /* all of it is written */
	bool abandoned;  /* no more of it will be */
	bool broken;     /* because writing failed */
	bool blocked;    /* the connection takes no more now */
	bool body_over;  /* nothing more is to be pulled */
	uint64_t body_length; /* FORWARD_LENGTH */
	struct leftover out;

	/* The response. */
	struct h1_response response;
	uint64_t left; /* BODY_LENGTH: still to be read */
	struct chunk_decoder decoder;
	unsigned interims;
	size_t scanned;
	bool ended;   /* all of the body is read; some may be in `in` */
	bool dirty;   /* bytes after its end */
	bool failed;  /* the rest of the body will not come */
	bool waiting; /* the body owes a wake */
	bool stalled; /* the sink takes less than we read */
	bool joined;  /* tunnel: the client's bytes are pulled */
	size_t lent;  /* of the scratch page, between peek and take */
	struct leftover in;

	/* What the deadline was set for, and when: bytes moved until then. */
	enum h1_client_await { AWAIT_NOTHING, AWAIT_READ, AWAIT_SEND } awaits;
	uint64_t armed_at;
};

extern const struct call_protocol h1_client_protocol;

/* Which body follows RESPONSE to a request with METHOD. */
enum body_framing h1_client_framing(enum method method,
    const struct h1_response *response);

#endif
