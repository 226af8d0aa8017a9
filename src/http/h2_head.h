/*
 * Heads of HTTP/2 (RFC 9113 section 8): fields one by one, as HPACK gives
 * them, into a request; and a response as a list of fields. What nghttp2 has
 * seen to (case, pseudo-fields and their order, fields of a connection) is not
 * looked at twice. Knows no connection.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "base/buf.h"
#include "http/policy.h"
#include "http/txn.h"

#include <nghttp2/nghttp2.h>

/* What a head may be, of its fields when they are unpacked. */
struct h2_head {
	struct policy_bounds bounds; /* bytes: 32 for each field on top */
	struct str method, scheme, authority, path, protocol;
	struct buf cookie; /* its crumbs, joined */
	bool hides_cookie; /* one of them is never to be indexed */
	uint64_t size;
	int64_t n;
};

void h2_head_init(struct h2_head *x, struct head *fields, struct arena *a,
    const struct http_conf *conf);
/* One field, which is copied; REFUSAL_NONE or what is wrong with the head.
 * FLAGS are nghttp2's. */
enum refusal h2_head_take(struct h2_head *x, struct head *fields,
    struct str name, struct str value, uint8_t flags);
/* Adds a field whose name is in lower case to HEAD, from its arena. */
void h2_head_add(struct head *head, struct str name, struct str value,
    uint8_t flags);
/*
 * All fields are there: fills T's request but for its body. *TARGET is for
 * request_read. A WebSocket by extended CONNECT (RFC 8441) becomes what it
 * would have been in HTTP/1.1.
 */
enum refusal h2_head_finish(struct h2_head *x, struct txn *t,
    struct str *target);
/* How long its Content-Length says that the body is; -1: nothing. */
int64_t h2_head_length(const struct head *head);

/* STATUS and the fields of HEAD (or NULL) that may stand in HTTP/2; *N of them,
 * with room for EXTRA more; names and values are not copied. */
nghttp2_nv *h2_head_compose(struct arena *a, int status,
    const struct head *head, size_t extra, size_t *n);
void h2_head_put(nghttp2_nv *nv, struct str name, struct str value);
/* Likewise for trailers, which have no status. */
nghttp2_nv *h2_head_compose_trailers(struct arena *a,
    const struct head *head, size_t *n);

#endif
