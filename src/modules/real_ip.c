/*
 * real_ip: behind proxies, the address of a request is the one that they name
 * in a field. It is set before the route is chosen, so that everything that
 * asks for the client (access, match, limits, logs) sees the same one. Only
 * what trusted proxies wrote is believed, and only that travels on.
 */
#include "base/log.h"
#include "http/provenance.h"
#include "http/server.h"
#include "modules/modules.h"
#include "net/listener.h"

struct real_ip_conf {
	struct conf_list from; /* struct cidr; none: the listener's */
	char *header;
	bool recursive;

	/* Made by real_ip_prepare. */
	struct str field;
	enum field_id id;
};

struct real_ip_stats {
	uint64_t replaced, malformed;
};

static const struct conf_field real_ip_fields[] = {
	KEY_LIST(real_ip_conf, from, conf_type_cidr,
	    .doc = "Addresses and networks of the proxies that are believed. "
	    "Left out: the listener's `trusted`, so that they are named once. "
	    "Given here, it holds instead of that for requests to these "
	    "sites, also for what X-Forwarded-* fields are passed on.",
	    .example = "[10.0.0.0/8]"),
	KEY_STR(real_ip_conf, header, .dflt = "X-Forwarded-For",
	    .doc = "The field in which they say for whom they speak: "
	    "X-Forwarded-For, Forwarded (RFC 7239), or any that holds an "
	    "address or a list of them, as X-Real-IP and CF-Connecting-IP."),
	KEY_BOOL(real_ip_conf, recursive, .dflt = "on",
	    .doc = "The client is the last address in the field that is none "
	    "of the proxies. off: the last address, whoever it is."),
	KEY_END
};

static const struct conf_schema real_ip_schema = {
	.name = "real_ip",
	.doc = "Takes the address of the client from a field that proxies "
	    "before this one write, where they are trusted. $remote_addr, "
	    "`access`, `match: {client}` and all that goes by address then "
	    "mean the client; $realip_remote_addr stays the proxy's. Of the "
	    "field only what trusted proxies wrote is believed, read from its "
	    "end; where it holds no address, nothing left of that counts. "
	    "Upstreams get X-Forwarded-For with the client, the proxies on the "
	    "way and who connected, and none of what the client itself put in "
	    "front; Forwarded and X-Real-IP only where they are the `header`. "
	    "Addresses of the PROXY protocol need no real_ip.",
	.size = sizeof(struct real_ip_conf),
	.fields = real_ip_fields,
	.example =
	    "listeners:\n"
	    "  8000: {trusted: [10.0.0.0/8]}\n"
	    "real_ip: {header: X-Forwarded-For}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /office/*\n"
	    "        access: [allow 192.0.2.0/24, deny all]\n"
	    "        proxy: http://127.0.0.1:8080\n"
	    "      - respond: {body: \"you are $remote_addr\\n\"}\n",
};

static void
real_ip_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct real_ip_conf *c = conf;

	(void)g;
	c->field = str_from(c->header);
	c->id = field_lookup(c->field);
	if (!field_token_is_valid(c->field))
		conf_error(load, conf_pos_of(c, &c->header), "bad-field",
		    "\"%s\" is not the name of a header: letters, digits and "
		    "\"-\"", c->header);
	for (size_t i = 0; i < c->from.n; i++)
		if (CONF_ITEM(&c->from, struct cidr, i).family != AF_UNIX &&
		    CONF_ITEM(&c->from, struct cidr, i).bits == 0)
			conf_warning(load, c->from.pos[i], "trusts-everybody",
			    "every address is trusted: any client may say that "
			    "it is another");
}

/* ---- requests ---------------------------------------------------------- */

/* What claims the same as the field that is believed, and what nobody
 * trustworthy wrote, does not travel on. */
static void
real_ip_withhold(struct txn *t, const struct real_ip_conf *c, bool is_trusted)
{
	static const enum field_id others[] = {
		FIELD_FORWARDED, FIELD_X_REAL_IP
	};

	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (c->id != others[i])
			head_withhold(&t->req.head, field_name(others[i]),
			    true);
	if (!is_trusted)
		head_withhold(&t->req.head, c->field, true);
}

static struct str
real_ip_join(struct arena *a, const struct peer *hops, unsigned n)
{
	struct buf b = buf_in(a);

	while (n-- > 0) {
		peer_format_ip(&b, &hops[n]);
		if (n > 0)
			buf_put(&b, ", ", 2);
	}
	return buf_view(&b);
}

static void
real_ip_note_malformed(struct txn *t, const struct real_ip_conf *c,
    struct real_ip_stats *stats)
{
	static struct log_limit limit = LOG_LIMIT(5);

	stats->malformed++;
	log_limited(&limit, LOG_INFO, "%s holds what is no address, and is "
	    "believed no further: %s", c->header, txn_describe(t));
}

static enum verdict
real_ip_step(struct txn *t, const void *conf)
{
	const struct real_ip_conf *c = conf;
	struct real_ip_stats *stats = server_stats(t->server, MODULE_real_ip);
	const struct conf_list *proxies = c->from.n > 0 ? &c->from :
	    &t->conn->endpoint->conf->trusted;
	struct provenance *p = arena_zalloc(t->arena, sizeof *p);
	struct peer hops[PROVENANCE_HOPS];
	bool is_whole;
	unsigned n;

	p->is_trusted = conn_is_trusted_by(t->conn, proxies);
	p->via = STR("");
	t->provenance = p;
	real_ip_withhold(t, c, p->is_trusted);
	if (!p->is_trusted)
		return STEP_NEXT;

	n = provenance_read(&t->req.head, c->id, c->field, proxies,
	    !c->recursive, hops, &is_whole);
	if (!is_whole)
		real_ip_note_malformed(t, c, stats);
	if (n == 0)
		return STEP_NEXT;
	p->via = real_ip_join(t->arena, hops, n);
	p->client = hops[n - 1];
	t->peer = &p->client;
	stats->replaced++;
	return STEP_NEXT;
}

static const struct counter_row real_ip_rows[] = {
	COUNTER(real_ip_stats, replaced, COUNTER_TOTAL,
	    "weir_real_ip_total",
	    "Requests whose address was taken from a field."),
	COUNTER(real_ip_stats, malformed, COUNTER_TOTAL,
	    "weir_real_ip_malformed_total",
	    "Fields of trusted proxies that held what is no address."),
	COUNTER_END
};
static const struct counter_set real_ip_counters = {
	.name = "real_ip",
	.size = sizeof(struct real_ip_stats),
	.rows = real_ip_rows,
};

const struct module real_ip_module = {
	.name = "real_ip",
	.phase = PHASE_IDENTIFY,
	.levels = LEVEL_TOP | LEVEL_SITE,
	.schema = &real_ip_schema,
	.flags = CONF_CAN_BE_OFF | CONF_CAN_BE_ON,
	.doc = "Takes the client's address from a field that trusted proxies "
	    "write.",
	.prepare = real_ip_prepare,
	.step = real_ip_step,
	.counters = &real_ip_counters,
};
