/*
 * A transaction: one request and its response, whatever the transport. It
 * walks the plan of its route; its memory is its arena.
 *
 *   transport reads a head -> txn_new, fills t->req -> txn_begin
 *   site, route, plan; steps up to RESPOND; HEADERS and BODY steps
 *   transport->send: the transport writes the head and pulls t->res.body
 *   transport: the last byte is taken, or it failed -> txn_finish: LOG steps
 */
#ifndef HTTP_TXN_H
#define HTTP_TXN_H

#include "base/arena.h"
#include "event/loop.h"
#include "http/head.h"
#include "http/method.h"
#include "http/refusal.h"
#include "http/target.h"
#include "net/conn.h"
#include "net/flow.h"

#define TXN_MAGIC 0x7A5AC710u

struct admission;
struct error_page;
struct generation;
struct http_conf;
struct plan;
struct provenance;
struct route;
struct server;
struct site;
struct txn;

/* What a step answers. */
enum verdict {
	STEP_NEXT, /* go on */
	STEP_WAIT, /* txn_resume will be called exactly once, then go on with
	            * the same step again (its slot tells it where it was) */
	STEP_STOP, /* t->res is the response */
	STEP_REROUTE /* what txn_reroute said */
};

/* Internal redirects of a request; one more is answered 500. */
#define TXN_REROUTES_MAX 10

struct request {
	enum method method;
	struct str method_name;
	struct str line;   /* "GET /x HTTP/1.1", for logs */
	struct str raw;    /* the target as sent */
	struct target target;
	struct str path;   /* decoded, normalised; rewriting replaces it */
	struct str host;   /* lower case, without port; "" if none */
	uint16_t port;     /* of Host; 0: none */
	bool is_https;
	/* It came as early data, and nobody knows yet whether the client that
	 * asked for it is the one who sends it (RFC 8470). */
	bool is_early;
	uint8_t major, minor; /* 1.0, 1.1, 2.0 */
	bool expects_continue;
	bool wants_upgrade; /* Connection: upgrade with an Upgrade field */
	struct head head;
	/* Never NULL; length 0 when there is no body. Whoever answers without
	 * reading it leaves it; the transport discards or closes. With an
	 * upgrade that was accepted it carries raw bytes after the 101. */
	struct flow *body;
	/* Filled when a chunked body has ended; NULL: none. */
	struct head *trailers;
};

struct response {
	int status; /* 0: no response yet */
	struct head head; /* without framing fields: the transport writes them */
	/* NULL: no body. body->length tells the framing (-1: chunked or until
	 * close). For HEAD and 304 it is still asked for its length and then
	 * closed. */
	struct flow *body;
	/* What Content-Length says on a response to HEAD without a body flow;
	 * -1: nothing. */
	int64_t head_length;
	bool close;    /* the connection ends after this response */
	bool is_builtin; /* its body is the page that we have of its status */
	bool upgraded; /* 101: both bodies are raw bytes from here on */
	/* The body must not wait for more bytes to fill a write; always so:
	 * what a peek gives is sent in the same tick. Trailers, when the body
	 * has ended and its source had some. */
	struct head *trailers;
};

/* What the log says of an exchange with an upstream. */
struct upstream_report {
	const char *name;      /* the group */
	struct str addr;       /* of all attempts, ", " between */
	struct str status;     /* likewise */
	unsigned attempts;
	uint64_t connect_us, header_us, response_us; /* of the last attempt */
	uint64_t bytes_in, bytes_out;
	const char *phase;     /* "connect", "send", "head", "body" where it failed */
	const char *cause;     /* a stable word, "refused", "timeout" */
	/* Its response's, as the server sent it; NULL until there is one. */
	const struct head *head, *trailers;
};

/* What a transaction needs of what carries it (HTTP/1, HTTP/2 stream). */
struct transport {
	const char *name; /* "HTTP/1.1" */
	/* The response head stands: write it and pull the body. Not inline:
	 * may be called from within txn_begin. */
	void (*send)(struct txn *t);
	/* A step that waited may go on: call txn_continue at a safe place of
	 * this tick, never from within this call. */
	void (*resume)(struct txn *t);
	/* Interim response (100, 103), with fields or NULL. */
	void (*interim)(struct txn *t, int status, const struct head *head);
};

struct txn {
	uint32_t magic;
	enum txn_state {
		TXN_NEW,
		TXN_STEPS,    /* running steps, or WAITing in one */
		TXN_SENDING,  /* the transport has the response */
		TXN_FINISHED  /* logged; about to be freed */
	} state;
	struct arena *arena;
	struct server *server;
	struct generation *generation;
	const struct transport *transport;
	struct conn *conn; /* the client's: peer, TLS facts */
	const struct peer *peer; /* who asks: conn's, unless a trusted one says
	                          * on whose behalf; txn_peer */
	const struct provenance *provenance; /* http/provenance.h; NULL: none
	                                      * has looked */
	void *carrier;     /* the transport's own: struct h1 *, ... */

	struct request req;
	struct response res;

	const struct site *site;
	const struct route *route;
	const struct plan *plan;
	unsigned at;  /* the step that runs */
	void **slots; /* one per step, zero at first */
	void **words; /* one per module, NULL until one is asked for */
	unsigned reroutes; /* internal redirects so far */
	struct error_page *page; /* http/error_page.h: it is asked for the page
	                          * of an error, of which this stays; or NULL */
	bool waiting; /* for txn_resume */
	bool resumed; /* it came; txn_continue is owed */
	bool is_held; /* WAITing for the end of the client's handshake */

	/* Captures of the route's regular expression: pairs of offsets into
	 * captured, count entries. */
	struct str captured;
	size_t *captures;
	unsigned n_captures;
	const void *capture_names; /* compiled pattern, for $name */

	struct str *mapped;   /* of each mapping, once asked for; or NULL */

	uint64_t began_us;    /* the first byte of the request, clock_us */
	uint64_t bytes_sent;  /* head and body, by the transport */
	uint64_t body_sent;
	uint64_t request_bytes;
	const char *reason;   /* stable word: why refused, failed or cut; or NULL */
	enum refusal refusal; /* which one, if that was it */
	uint64_t reported;    /* bits: what it was not refused for */
	const char *detail;   /* of it, which the client is told, too; or NULL */
	struct upstream_report *upstream; /* NULL: not proxied */
	struct admission *admission; /* http/admission.h; NULL: every refusal is
	                              * final */
	struct str user; /* who it is, as a step of PHASE_AUTH found; n == 0:
	                  * nobody; p == NULL: none has looked */
	struct str request_id; /* made when first asked for */
	/* Called once when the transaction ends for whatever reason, before
	 * its arena does: for steps that hold something outside of it. */
	struct txn_cleanup {
		struct txn_cleanup *next;
		void (*fn)(void *arg);
		void *arg;
	} *cleanups;
};

/* ---- for transports ---------------------------------------------------- */

struct txn *txn_new(struct server *s, const struct transport *tr,
    struct conn *c, void *carrier);
/* By t->req.host; NULL: nobody has that name here. Before txn_begin, since the
 * site's settings say how the rest of the request is read. */
void txn_choose_site(struct txn *t);
/* t->req is complete (head, target, host, body). Chooses the route, runs the
 * plan. The response may be ready (transport->send called) on return. */
void txn_begin(struct txn *t);
/* As txn_begin for a request that was refused before it had a route: answers
 * with the built-in page of WHY's status. */
void txn_refuse(struct txn *t, enum refusal why);
/* Counts and reports that T is refused; whoever reads its body answers. */
void txn_note_refusal(struct txn *t, enum refusal why);
/* Whether CONF has T go on though there is a reason WHY to refuse it. Then that
 * is counted and reported, once for each reason. */
bool txn_tolerates(struct txn *t, const struct http_conf *conf,
    enum refusal why);
/* Goes on after transport->resume, or when the client's handshake is over;
 * harmless when there was neither. */
void txn_continue(struct txn *t);
/* The response was sent in full (OK) or the exchange ended early: runs cleanups
 * and LOG steps. The transport then calls txn_end at a safe place. */
void txn_finish(struct txn *t, enum close_reason why);
void txn_end(struct txn *t);

/* ---- for steps --------------------------------------------------------- */

/* The running step's own word of state. */
void **txn_slot(struct txn *t);
/* The word of state of a module (by index): unlike a slot it is there for all
 * of its steps and its variables, and outlives an internal redirect. */
void **txn_word(struct txn *t, unsigned module_index);
/*
 * An internal redirect: the request is routed anew, as one for PATH (decoded,
 * normalised; begins with a slash) and QUERY (p == NULL: none), and walks the
 * plan of that route from its beginning; a response that had begun is dropped.
 * To be returned by a step. After TXN_REROUTES_MAX it is answered 500.
 */
enum verdict txn_reroute(struct txn *t, struct str path, struct str query);
/* What upstreams get and routes see from now on; $request_uri stays. */
void txn_rewrite(struct txn *t, struct str path, struct str query);
/* The path alone, RAW being how it is sent; and the query alone. */
void txn_rewrite_path(struct txn *t, struct str raw, struct str path);
void txn_rewrite_query(struct txn *t, struct str query);
/* How PATH is sent, what the site says of encoded slashes considered. */
struct str txn_encode_path(const struct txn *t, struct str path);
/* The groups of another match for a while: exchanges T's and *C, so that a
 * second call puts them back. */
struct captures {
	struct str subject;
	size_t *at; /* pairs of offsets */
	unsigned n;
	const void *names; /* struct regex * */
};
void txn_swap_captures(struct txn *t, struct captures *c);
/* Answers the STEP_WAIT: the step is called again, later in this tick. */
void txn_resume(struct txn *t);
/* For a request that is_early and must not be served so. True: the step has to
 * STEP_WAIT, for the end of the handshake. */
bool txn_must_wait(struct txn *t);
void txn_on_end(struct txn *t, void (*fn)(void *arg), void *arg);

/* Begins a response; drops what another step had begun (its body is closed). */
void txn_reply(struct txn *t, int status);
void txn_reply_field(struct txn *t, enum field_id id, struct str value);
/* Sets the body; LENGTH is in the flow. */
void txn_reply_body(struct txn *t, struct flow *body);
void txn_reply_bytes(struct txn *t, const char *type, struct str bytes);
/* A response with the built-in page of its status: problem+json for who prefers
 * that, else HTML; an error to a client of gRPC is said in its own words. */
void txn_reply_error(struct txn *t, int status);
/* As txn_reply_error, and says why: WORD is stable and goes to the access log;
 * the sentence goes to the error log, rate limited, with the request. */
void txn_fail(struct txn *t, int status, const char *word, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

/* The step's verdict on a request that is refused for WHY: it is counted,
 * reported and answered with the built-in page of STATUS, which may be another
 * than that of the reason. */
enum verdict txn_deny(struct txn *t, enum refusal why, int status);

/* Whether the response has content: not to HEAD, nor with 204 and the like. */
bool txn_has_body(const struct txn *t);
/* What Content-Length says of the response, also of one to HEAD (RFC 9110
 * section 8.6); -1: nothing. */
int64_t txn_content_length(const struct txn *t);

const struct peer *txn_peer(const struct txn *t);
/* "GET /x HTTP/1.1" from 192.0.2.1, for messages; from the txn's arena. */
const char *txn_describe(struct txn *t);
/* What it was not refused for, as words with "," between; "": nothing. */
struct str txn_reported(const struct txn *t);
const char *txn_scheme(const struct txn *t);
/* Made (16 random bytes in hex) when first asked for. */
struct str txn_request_id(struct txn *t);
/* For the panic report. */
void txn_report(const struct txn *t, int fd);

#endif
