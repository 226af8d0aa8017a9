/*
 * What a request is for: reads its target and its host, which must agree with
 * each other and with the connection, and finds the site. Every transport asks
 * here, so that none of them is a way around. Keeps nothing of its own.
 */
#include "http/request.h"

#include "http/client_certificate.h"
#include "http/policy.h"
#include "http/site_index.h"

const struct http_conf *
request_conf(const struct txn *t)
{
	const struct site *site = t->site != NULL ? t->site :
	    site_index_first(t->conn->endpoint->owner);

	return site->http;
}

/* Host and an absolute target must name the same (RFC 9112 section 3.2). */
static bool
request_read_host(struct txn *t)
{
	struct str field = head_value(&t->req.head, FIELD_HOST);
	struct str authority = t->req.target.authority;
	struct str host = { "", 0 };
	uint16_t port = 0;

	if (field.p != NULL && field.n > 0 &&
	    !authority_parse(t->arena, field, &host, &port))
		return false;
	if (t->req.target.form == TARGET_ABSOLUTE) {
		if (!authority_parse(t->arena, authority, &t->req.host,
		        &t->req.port))
			return false;
		return field.p == NULL ||
		    (str_eq(host, t->req.host) && port == t->req.port);
	}
	t->req.host = host;
	t->req.port = port;
	return true;
}

/*
 * Another site is asked for than the one that was named in TLS, and its host is
 * not of our certificate: a site's settings for TLS would be got around by
 * naming its neighbour there. Within a site it is left alone, for a proxy
 * before us may name all its upstreams alike.
 */
static bool
request_is_for_another_site(const struct txn *t)
{
	struct str name = conn_tls_name(t->conn);

	return name.n > 0 && t->site != NULL &&
	    !str_eq(name, t->req.host) &&
	    site_index_find(t->conn->endpoint->owner, name) != t->site &&
	    !conn_tls_covers(t->conn, t->req.host);
}

/* Who asks for an https resource must have come over TLS that was secured for
 * its host, or through somebody who took that off (RFC 9110 section 7.4). */
static bool
request_is_misdirected(const struct txn *t)
{
	bool is_bad = t->req.is_https ? request_is_for_another_site(t) :
	    str_case_eq(t->req.target.scheme, STR("https"));

	return is_bad && !conn_is_trusted(t->conn);
}

static bool
request_has_underscore(const struct head *head)
{
	HEAD_EACH(f, head)
		if (f->id == FIELD_OTHER &&
		    memchr(f->name.p, '_', f->name.n) != NULL)
			return true;
	return false;
}

enum refusal
request_read(struct txn *t, struct str raw)
{
	struct target *target = &t->req.target;
	const struct http_conf *conf;
	enum refusal client;

	if (target_split(raw, target) != TARGET_OK)
		return REFUSAL_BAD_TARGET;
	if (target->form == TARGET_ASTERISK &&
	    t->req.method != METHOD_OPTIONS)
		return REFUSAL_BAD_TARGET;
	/* Its only form is an authority (RFC 9112 section 3.2.3), which is no
	 * target here; passed on with another, its 200 would be read as the
	 * begin of a tunnel by one of two. */
	if (t->req.method == METHOD_CONNECT)
		return REFUSAL_BAD_TARGET;
	if (!request_read_host(t))
		return REFUSAL_BAD_HOST;
	txn_choose_site(t);
	if (request_is_misdirected(t))
		return REFUSAL_MISDIRECTED;
	client = client_certificate_check(t);
	if (client != REFUSAL_NONE)
		return client;

	conf = request_conf(t);
	if (target_decode(t->arena, (enum encoded_slash)conf->encoded_slash,
	        target) != TARGET_OK)
		return REFUSAL_BAD_TARGET;
	t->req.raw = raw;
	t->req.path = target->path;
	if (t->req.method == METHOD_TRACE)
		return REFUSAL_TRACE;
	if (conf->underscores == UNDERSCORES_REFUSE &&
	    request_has_underscore(&t->req.head) &&
	    !txn_tolerates(t, conf, REFUSAL_UNDERSCORE))
		return REFUSAL_UNDERSCORE;
	return REFUSAL_NONE;
}

void
request_report_head(struct txn *t, const struct http_conf *conf, size_t n)
{
	if (n > conf->max_header_size)
		(void)txn_tolerates(t, conf, REFUSAL_LARGE_HEAD);
	if (t->req.raw.n > conf->max_target_size)
		(void)txn_tolerates(t, conf, REFUSAL_LONG_TARGET);
	if (t->req.head.n > conf->max_headers)
		(void)txn_tolerates(t, conf, REFUSAL_MANY_FIELDS);
}
