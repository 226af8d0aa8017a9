/*
 * HTTP/1.1 towards an upstream: one request and its response over one
 * connection. It writes the request of its transaction, finds the response's
 * head, and is then the flow of the response's body.
 */
#ifndef UPSTREAM_H1_CLIENT_H
#define UPSTREAM_H1_CLIENT_H

#include "http/chunk.h"
#include "http/h1_parse.h"
#include "upstream/forward.h"
#include "upstream/uplink.h"

#define H1_CLIENT_MAGIC 0x48314C13u

/* Where and why an exchange fails: one row each gives the word in the logs, in
 * metrics, and the status that the client gets if it has none yet. */
#define EXCHANGE_PHASES \
	PHASE_ROW(PICK,    "pick") \
	PHASE_ROW(CONNECT, "connect") \
	PHASE_ROW(SEND,    "send") \
	PHASE_ROW(HEAD,    "head") \
	PHASE_ROW(BODY,    "body")

#define EXCHANGE_CAUSES \
	CAUSE(NO_SERVER,   503, "no_server",   "no server has an address") \
	CAUSE(REFUSED,     502, "refused",     "refused") \
	CAUSE(UNREACHABLE, 502, "unreachable", "unreachable") \
	CAUSE(TLS,         502, "tls",         "the TLS handshake failed") \
	CAUSE(TIMEOUT,     504, "timeout",     "timed out") \
	CAUSE(RESET,       502, "reset",       "the server reset the connection") \
	CAUSE(CLOSED,      502, "closed",      "the server closed the connection") \
	CAUSE(BAD_HEAD,    502, "bad_head",    "the response head is malformed") \
	CAUSE(LARGE_HEAD,  502, "large_head",  "the response head is too large") \
	CAUSE(INTERIM,     502, "interim",     "too many interim responses") \
	CAUSE(BAD_UPGRADE, 502, "bad_upgrade", "an upgrade that nobody asked for") \
	CAUSE(BAD_CHUNK,   502, "bad_chunk",   "the chunked body is malformed") \
	CAUSE(BAD_FIELD,   400, "bad_field",   "a variable put control characters into a header") \
	CAUSE(CLIENT,      400, "client",      "the request's body failed")

enum exchange_phase {
#define PHASE_ROW(name, word) EXCHANGE_##name,
	EXCHANGE_PHASES
#undef PHASE_ROW
	EXCHANGE_PHASE_COUNT
};
enum exchange_cause {
#define CAUSE(name, status, word, text) CAUSE_##name,
	EXCHANGE_CAUSES
#undef CAUSE
	CAUSE_COUNT
};

/* How much there is of a response body (RFC 9112 section 6.3). */
enum body_framing {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_CLOSE, /* until the connection ends */
	BODY_TUNNEL /* raw both ways, after a 101 */
};

struct h1_client;

/* Whoever uses it; each is called at most once, possibly from within
 * h1_client_start. */
struct h1_client_owner {
	/* The final head is in `head` and `response`. */
	void (*answered)(struct h1_client *h);
	/* There will be no head. The connection is closed. */
	void (*failed)(struct h1_client *h, enum exchange_phase phase,
	    enum exchange_cause cause, const char *detail);
	/* After answered: the body has ended, or (IS_CUT) will not be complete
	 * for that cause. The connection is not ours any more. */
	void (*ended)(struct h1_client *h);
	void (*cut)(struct h1_client *h, enum exchange_cause cause,
	    const char *detail);
};

struct h1_client {
	struct flow body; /* first: the flow is the object */
	uint32_t magic;
	const struct h1_client_owner *owner;
	struct txn *t;
	struct uplink *up; /* NULL: let go */
	struct forward_request forward;
	uint64_t send_timeout, read_timeout; /* ms */
	bool bare_lf; /* the server may end lines of a head so */
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
	uint64_t bytes_out, body_taken;
	uint64_t body_length; /* FORWARD_LENGTH */
	struct leftover out;

	/* The response. */
	struct h1_response response;
	struct head head;
	struct head trailers;
	enum body_framing framing;
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
	uint64_t bytes_in;
	struct leftover in;

	/* What the deadline was set for, and when: bytes moved until then. */
	enum h1_client_await { AWAIT_NOTHING, AWAIT_READ, AWAIT_SEND } awaits;
	uint64_t armed_at;
};

/* Uses UP, which is connected, for the request of T. OWNER, FORWARD, BARE_LF
 * and the time-outs are set by the caller before. */
void h1_client_start(struct h1_client *h, struct txn *t, struct uplink *up);
/* Lets go of everything that is not memory; twice is harmless. */
void h1_client_end(struct h1_client *h);

/* Which body follows RESPONSE to a request with METHOD. */
enum body_framing h1_client_framing(enum method method,
    const struct h1_response *response);

#endif
