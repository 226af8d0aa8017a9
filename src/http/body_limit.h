/* A request's body that may be no larger than the request's route allows, for
 * those that do not say how large they are. */
#ifndef HTTP_BODY_LIMIT_H
#define HTTP_BODY_LIMIT_H

#include "http/site.h"
#include "http/txn.h"

/* Puts itself between t->req.body and who will read it. Beyond MAX bytes the
 * reader finds that the body failed and t->refusal set, unless CONF has that
 * only reported. */
void body_limit(struct txn *t, const struct http_conf *conf, uint64_t max);

#endif
