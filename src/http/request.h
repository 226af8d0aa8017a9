/*
 * Requests, whatever brought them: what their target and host must be before
 * anybody works on them (RFC 9110 section 7, RFC 9112 section 3).
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "http/txn.h"

/*
 * Reads TARGET, as sent, and the Host of t->req.head into t->req, and chooses
 * the site. t->req.method, is_https and head are filled; the strings live as
 * long as T. REFUSAL_NONE: all is well, but there may be no site of that name
 * (txn_begin says so). Once the site is chosen it stays, also after a refusal.
 */
enum refusal request_read(struct txn *t, struct str target);

/* The protocol settings that hold for T: of its site or, without one, of the
 * first of its endpoint. */
const struct http_conf *request_conf(const struct txn *t);

/* A head of N bytes was taken: what of it is over a limit of CONF got here only
 * because that is not enforced, and is reported. */
void request_report_head(struct txn *t, const struct http_conf *conf,
    size_t n);

#endif
