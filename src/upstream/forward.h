/*
 * What of a head travels on. Heads are never passed through: the request to the
 * upstream and the fields of the response to the client are written anew
 * (RFC 9110 section 7.6).
 */
#ifndef UPSTREAM_FORWARD_H
#define UPSTREAM_FORWARD_H

#include "conf/load.h"
#include "http/template.h"
#include "http/txn.h"

/* `request_headers` of a proxy. */
struct forward_conf {
	struct conf_map set;     /* struct template *, by field name */
	struct conf_map add;     /* likewise */
	struct conf_list remove; /* char * */
};
extern const struct conf_schema forward_schema;

/* It, compiled. */
struct forward_edits;
/* CONF may be NULL. Mistakes go to conf_error. */
const struct forward_edits *forward_compile(struct conf_load *load,
    const struct forward_conf *conf);

/* Whether they give requests another Host. */
bool forward_sets_host(const struct forward_edits *e);

/* How the request's body is framed towards the upstream. */
enum forward_body {
	FORWARD_NO_BODY,
	FORWARD_LENGTH, /* req.body->length bytes */
	FORWARD_CHUNKED
};
enum forward_body forward_body_of(const struct txn *t);

struct forward_request {
	const struct forward_edits *edits;
	struct str host; /* for a client that named none */
	/* Decided before the first byte of the body is looked at: the length
	 * of a chunked one turns 0 when its end has been seen. */
	enum forward_body body;
	struct str loop_mark; /* upstream/loop_mark.h; n == 0: none */
	struct str upgrade; /* the protocol to ask for; n == 0: none */
	bool close;      /* the connection is for this request only */
};
/* Whether Max-Forwards counts for this request, and then how many may still
 * pass it on; with 0 it is ours to answer (RFC 9110 section 7.6.2). */
bool forward_counts_hops(const struct txn *t, uint64_t *left);
/* Which of the protocols that may pass (char *) the client asks for; n == 0:
 * none of them. */
struct str forward_upgrade(const struct txn *t,
    const struct conf_list *allowed);
/* Reports protocols that never pass. */
void forward_check_upgrades(struct conf_load *load,
    const struct conf_list *allowed);

/* Writes the request head to OUT, its empty line included. False: a variable
 * put something into a field that must not stand there. */
bool forward_request(struct txn *t, const struct forward_request *r,
    struct buf *out);
/* Writes the request's trailers, if it had some, and the empty line. */
void forward_trailers(const struct txn *t, struct buf *out);

/* The same for protocols that have their own way to write fields: those of the
 * request and of its trailers are added to OUT, in its arena. The Host is among
 * them; method and target are not. */
bool forward_request_fields(struct txn *t, const struct forward_request *r,
    struct head *out);
void forward_trailer_fields(const struct txn *t, struct head *out);
/* The target that a request to the upstream names: "/x?y", "*". */
struct str forward_target(const struct txn *t);

/* Adds what a client may see of the upstream's head FROM to TO. */
void forward_response(struct head *to, const struct head *from);
/* Drops from trailers what has no meaning there (RFC 9110 section 6.5.1). */
void forward_clean_trailers(struct head *trailers);

#endif
