/*
 * How fast a request's body comes: `min_rate` and `min_rate_grace`. Only time
 * in which the client is waited for counts, so that nobody is slow who sends to
 * an upstream that is.
 */
#ifndef HTTP_BODY_RATE_H
#define HTTP_BODY_RATE_H

#include "http/site.h"
#include "http/txn.h"

struct body_rate {
	uint64_t waits_since; /* clock_ms: more is waited for; 0: it is not */
	int64_t credit;       /* ms: how long that may be, for what came */
	bool is_excused;      /* it was too slow, and that is only reported */
};

void body_rate_init(struct body_rate *r, const struct http_conf *conf);
/* Somebody asks for more than there is. */
void body_rate_wait(struct body_rate *r);
/* N bytes came. */
void body_rate_earn(struct body_rate *r, const struct http_conf *conf,
    size_t n);
/* How long from now on the client may be waited for, in ms; 0: it is too
 * slow. */
uint64_t body_rate_patience(const struct body_rate *r,
    const struct http_conf *conf);
/* Why it is not waited for any longer, now that this time has passed;
 * REFUSAL_NONE: it is, with a new one. */
enum refusal body_rate_overdue(struct body_rate *r, struct txn *t,
    const struct http_conf *conf);

#endif
