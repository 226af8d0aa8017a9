/*
 * The account of a body's rate: each byte buys a moment. What is saved up is
 * bounded, or a fast beginning would buy hours of dripping. Knows no transport;
 * whoever reads the body tells it what came and when somebody waits.
 */
#include "http/body_rate.h"

#include "base/clock.h"

void
body_rate_init(struct body_rate *r, const struct http_conf *conf)
{
	*r = (struct body_rate){ .credit = (int64_t)conf->min_rate_grace };
}

void
body_rate_wait(struct body_rate *r)
{
	if (r->waits_since == 0)
		r->waits_since = clock_ms();
}

void
body_rate_earn(struct body_rate *r, const struct http_conf *conf, size_t n)
{
	uint64_t most = conf->min_rate_grace > conf->body_timeout ?
	    conf->min_rate_grace : conf->body_timeout;

	if (r->waits_since != 0)
		r->credit -= (int64_t)(clock_ms() - r->waits_since);
	r->waits_since = 0;
	if (conf->min_rate == 0)
		return;
	r->credit += (int64_t)(n * 1000 / conf->min_rate);
	if (r->credit > (int64_t)most)
		r->credit = (int64_t)most;
}

uint64_t
body_rate_patience(const struct body_rate *r, const struct http_conf *conf)
{
	int64_t left = r->is_excused ? (int64_t)conf->body_timeout : r->credit;

	if (conf->min_rate == 0)
		return conf->body_timeout;
	if (r->waits_since != 0)
		left -= (int64_t)(clock_ms() - r->waits_since);
	if (left <= 0)
		return 0;
	return (uint64_t)left < conf->body_timeout ? (uint64_t)left :
	    conf->body_timeout;
}

enum refusal
body_rate_overdue(struct body_rate *r, struct txn *t,
    const struct http_conf *conf)
{
	if (r->is_excused || body_rate_patience(r, conf) > 0)
		return REFUSAL_BODY_TIMEOUT;
	if (!txn_tolerates(t, conf, REFUSAL_SLOW_BODY))
		return REFUSAL_SLOW_BODY;
	r->is_excused = true;
	return body_rate_patience(r, conf) > 0 ? REFUSAL_NONE :
	    REFUSAL_BODY_TIMEOUT;
}
