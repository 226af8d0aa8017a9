/*
 * A call: one request to an upstream and its response, in whichever protocol.
 * The exchange decides where a call goes and how often; a protocol knows the
 * bytes. Both see this much of it.
 */
#ifndef UPSTREAM_CALL_H
#define UPSTREAM_CALL_H

#include "upstream/backend.h"
#include "upstream/forward.h"

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
	CAUSE(TLS_VERIFY,  502, "tls_verify",  "the server's certificate is refused") \
	CAUSE(TLS_REFUSED, 502, "tls_refused", "the server refuses us in TLS") \
	CAUSE(TIMEOUT,     504, "timeout",     "timed out") \
	CAUSE(RESET,       502, "reset",       "the server reset the connection") \
	CAUSE(UNPROCESSED, 503, "unprocessed", "the server refused the stream") \
	CAUSE(STREAM,      502, "stream",      "the server reset the stream") \
	CAUSE(CLOSED,      502, "closed",      "the server closed the connection") \
	CAUSE(BAD_HEAD,    502, "bad_head",    "the response head is malformed") \
	CAUSE(LARGE_HEAD,  502, "large_head",  "the response head is too large") \
	CAUSE(INTERIM,     502, "interim",     "too many interim responses") \
	CAUSE(BAD_UPGRADE, 502, "bad_upgrade", "an upgrade that nobody asked for") \
	CAUSE(CHALLENGE,   502, "challenge",   "the server asks the proxy for credentials") \
	CAUSE(BAD_CHUNK,   502, "bad_chunk",   "the chunked body is malformed") \
	CAUSE(BAD_HTTP2,   502, "bad_http2",   "the server broke the rules of HTTP/2") \
	CAUSE(NO_HTTP2,    502, "no_http2",    "the server did not choose HTTP/2 (ALPN h2)") \
	CAUSE(DEADLINE,    504, "deadline",    "grpc-timeout has passed") \
	CAUSE(BAD_TIMEOUT, 400, "bad_timeout", "grpc-timeout is malformed") \
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

/* A head of more is refused; what real applications send is far below. */
#define CALL_MAX_HEAD 65536
#define CALL_MAX_FIELDS 200
/* Interim responses before the final one. */
#define CALL_MAX_INTERIM 16

/* How much there is of a response body (RFC 9112 section 6.3). */
enum body_framing {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED, /* its end is marked */
	BODY_CLOSE,   /* until the connection ends */
	BODY_TUNNEL   /* raw both ways, after a 101 */
};

struct call;

struct call_protocol {
	size_t size; /* of its calls; zero-filled memory is one */
	/* A connection to the server that stands takes the call. False: there
	 * is none, and nobody is told anything. */
	bool (*reuse)(struct call *c, unsigned server);
	/* Begins to connect. False: it could not even begin. */
	bool (*connect)(struct call *c, unsigned server, unsigned addr,
	    struct err *e);
	/* After answered: its body fails as if the server had. */
	void (*abort)(struct call *c, enum exchange_cause cause);
	/* After answered: its body ends here, as if the server had ended it.
	 * NULL: this protocol is never asked to. */
	void (*finish)(struct call *c);
	/* Lets go of everything that is not memory; twice is harmless. */
	void (*end)(struct call *c);
};

/* Whoever makes it; each is called at most once for a `reuse` or `connect`
 * that worked, possibly from within that. */
struct call_owner {
	/* A connection to this address of the server carries the call. */
	void (*connected)(struct call *c, unsigned addr);
	/* There will be none. */
	void (*unconnected)(struct call *c, enum exchange_cause cause,
	    const char *detail);
	/* The final head is in `status` and `head`. */
	void (*answered)(struct call *c);
	/* There will be no head. */
	void (*failed)(struct call *c, enum exchange_phase phase,
	    enum exchange_cause cause, const char *detail);
	/* After answered: the body has ended, or will not be complete for that
	 * cause. The connection is not ours any more. */
	void (*ended)(struct call *c);
	void (*cut)(struct call *c, enum exchange_cause cause,
	    const char *detail);
};

struct call {
	struct flow body; /* of the response; first: the flow is the object */

	/* Set by the owner, before anything else. */
	const struct call_owner *owner;
	void *owner_arg;
	struct txn *t;
	struct backend *backend;
	struct forward_request forward;
	uint64_t connect_timeout, send_timeout, read_timeout; /* ms */
	bool is_grpc;
	bool bare_lf; /* the server may end lines of a head so */

	/* What has become of it. */
	uint64_t bytes_in, bytes_out;
	uint64_t body_taken; /* of the request's */
	bool is_replayable;  /* that is still at hand for a second attempt */
	bool is_unprocessed; /* it failed, and nobody has acted on it */
	int status;
	struct head head;
	struct head trailers;
	enum body_framing framing;
	int64_t content_length; /* -1: not said */
};

#endif
