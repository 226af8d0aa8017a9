/*
 * limits: how often, how many at once, how large and how fast. What is known of
 * a key is one entry in a table of the rule's (base/keyed_table.h); a worker
 * has its own tables and tells nobody, so nothing is locked and nothing
 * outlives a reload. A request is looked at by all of its rules before any of
 * them counts it: who is refused by one has not used up another.
 *
 * A rule is a block of the configuration: levels that inherit it have one rule,
 * and one table, together. Whatever routes an internal redirect leads through,
 * a rule counts the request once.
 */
#include "base/clock.h"
#include "base/panic.h"
#include "http/body_limit.h"
#include "http/paced_flow.h"
#include "http/policy.h"
#include "http/rate.h"
#include "http/server.h"
#include "http/template.h"
#include "modules/modules.h"

/* Requests that wait for their turn, in a worker: each holds some KiB. */
#define WAITING_MAX 10000
/* A request that had to wait for longer would be given up by most clients. */
#define WAIT_MAX (UINT64_C(60) * RATE_SECOND)
/* Connections with bandwidth of their own that are remembered. */
#define PACED_MAX 65536

/* What both kinds of rules have, first in their structs. */
struct limits_rule {
	struct template *key;
	int64_t status;
	int64_t max_keys;
	unsigned table; /* its place among the worker's, from 1 */
};

struct limits_requests_conf {
	struct limits_rule rule;
	struct rate rate;
	int64_t burst;
	bool delay, headers;

	uint64_t cost, slack; /* ns: of one, of the burst */
};

struct limits_connections_conf {
	struct limits_rule rule;
	int64_t max;
};

struct limits_bandwidth_conf {
	uint64_t response, connection; /* bytes a second; 0: any */
	uint64_t burst;
};

struct limits_conf {
	struct conf_list requests;    /* struct limits_requests_conf * */
	struct conf_list connections; /* struct limits_connections_conf * */
	struct limits_bandwidth_conf *bandwidth;
	uint64_t body; /* bytes; 0: any */
	int mode;      /* enum policy_mode */
};

#define RULE_FIELD(s, member, type_, conf_type_, ...) \
	{.name = #member, .shape = CONF_SCALAR, .type = &(conf_type_), \
	 .offset = offsetof(struct s, rule) + \
	     CONF_OFFSET(limits_rule, member, type_), __VA_ARGS__}

#define RULE_FIELDS(s) \
	RULE_FIELD(s, key, struct template *, conf_type_template, \
	    .dflt = "$remote_network", \
	    .doc = "Who or what is counted: a string with variables. Nobody " \
	    "is where it is empty."), \
	RULE_FIELD(s, status, int64_t, conf_type_int, .dflt = "429", \
	    .min = "400", .max = "599", \
	    .doc = "Status of the answer to who is refused."), \
	RULE_FIELD(s, max_keys, int64_t, conf_type_int, .dflt = "65536", \
	    .min = "1", .max = "16777216", \
	    .doc = "How many keys a worker remembers, at 48 bytes each, " \
	    "however long they are. Beyond that the one that was not seen for " \
	    "longest is forgotten for the next, and starts anew should it " \
	    "come again; weir_limits_forgotten_total counts those that still " \
	    "owed something.")

static const struct conf_field limits_requests_fields[] = {
	KEY_OTHER(limits_requests_conf, rate, struct rate, conf_type_rate,
	    .flags = CONF_REQUIRED,
	    .doc = "How many requests a key may make, evenly spread: 10/s is "
	    "one every 100 ms.", .example = "10/s"),
	KEY_INT(limits_requests_conf, burst, .dflt = "0", .min = "0",
	    .max = "1000000",
	    .doc = "How many may come before they are due: with 20, 21 may "
	    "come at once, and then one whenever one is due. Others are "
	    "refused, with a Retry-After that says when to come again, and do "
	    "not count."),
	KEY_BOOL(limits_requests_conf, delay, .dflt = "off",
	    .doc = "Whether requests of the burst have to wait until they are "
	    "due, which is a minute at most, instead of passing at once. A "
	    "worker has 10000 of them wait; more are refused."),
	KEY_BOOL(limits_requests_conf, headers, .dflt = "off",
	    .doc = "Whether responses say how much is left, in the fields "
	    "RateLimit and RateLimit-Policy as the IETF drafts them. Of "
	    "several rules the first that says so."),
	RULE_FIELDS(limits_requests_conf),
	KEY_END
};

static const struct conf_schema limits_requests_schema = {
	.name = "requests",
	.doc = "How often requests may come.",
	.size = sizeof(struct limits_requests_conf),
	.fields = limits_requests_fields,
	.shorthand = "rate",
};

static const struct conf_field limits_connections_fields[] = {
	KEY_INT(limits_connections_conf, max, .flags = CONF_REQUIRED,
	    .min = "1", .max = "1000000",
	    .doc = "How many requests of a key may be in progress at once, "
	    "from their head until their response has left. Of HTTP/1 a "
	    "connection has one, of HTTP/2 each stream. Connections without a "
	    "request do not count: those are bounded by "
	    "max_connections_per_client of http."),
	RULE_FIELDS(limits_connections_conf),
	KEY_END
};

static const struct conf_schema limits_connections_schema = {
	.name = "connections",
	.doc = "How many requests may be in progress at once.",
	.size = sizeof(struct limits_connections_conf),
	.fields = limits_connections_fields,
	.shorthand = "max",
};

static const struct conf_field limits_bandwidth_fields[] = {
	KEY_SIZE(limits_bandwidth_conf, response, .dflt = "0", .max = "4g",
	    .doc = "How many bytes a second the body of a response may have; "
	    "0: any."),
	KEY_SIZE(limits_bandwidth_conf, connection, .dflt = "0", .max = "4g",
	    .doc = "The same of all that leave by one connection, of HTTP/2 "
	    "those that leave at the same time; 0: any."),
	KEY_SIZE(limits_bandwidth_conf, burst, .dflt = "0", .max = "1g",
	    .doc = "How many bytes may leave at once in the beginning and "
	    "after a pause; at least what the rate gives in 100 ms."),
	KEY_END
};

static const struct conf_schema limits_bandwidth_schema = {
	.name = "bandwidth",
	.doc = "How fast bodies of responses leave.",
	.size = sizeof(struct limits_bandwidth_conf),
	.fields = limits_bandwidth_fields,
	.shorthand = "response",
};

static const struct conf_field limits_fields[] = {
	KEY_BLOCKS(limits_conf, requests, limits_requests_schema,
	    .doc = "How often requests may come: a rule, or a list of them "
	    "that all have to allow a request.",
	    .example = "{rate: 10/s, burst: 20}"),
	KEY_BLOCKS(limits_conf, connections, limits_connections_schema,
	    .doc = "How many requests may be in progress at once: a rule, or a "
	    "list of them.",
	    .example = "{max: 20}"),
	KEY_BLOCK(limits_conf, bandwidth, struct limits_bandwidth_conf,
	    limits_bandwidth_schema, .flags = CONF_CAN_BE_OFF,
	    .doc = "How fast bodies of responses leave; a size alone is for "
	    "each response. Connections that were upgraded are not held back.",
	    .example = "1m"),
	KEY_SIZE(limits_conf, body, .dflt = "0", .max = "1048576g",
	    .doc = "How large the body of a request may be; 0: as large as "
	    "max_body_size of http allows, which comes first. Beyond that: "
	    "413, for a body of unknown length when that much of it was read."),
	KEY_CHOICE(limits_conf, mode, policy_modes, .dflt = "enforce",
	    .doc = "With log, who is over a limit is only reported, as with "
	    "mode of http; nobody is delayed, and bandwidth is not held back."),
	KEY_END
};

static const struct conf_schema limits_schema = {
	.name = "limits",
	.doc = "How often, how many at once, how large, how fast. Levels that "
	    "inherit a rule share it: one at the top counts the requests of "
	    "all sites together. Each worker counts for itself: with steer: "
	    "client in listeners all connections of an address reach the same "
	    "worker, and limits by address are exact; with steer: balanced a "
	    "key may get up to as many times as much as there are workers, and "
	    "one with a single connection gets exactly as much. Counts start "
	    "anew with each reload. Keys are strangers' words: who can choose "
	    "many (an IPv6 user has 2^64 addresses, hence $remote_network; a "
	    "field of the request is whatever the client likes) has a limit "
	    "for each of them. A refused request is logged as request_rate, "
	    "requests_at_once or large_body.",
	.size = sizeof(struct limits_conf),
	.fields = limits_fields,
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    limits:\n"
	    "      requests: {rate: 100/s, burst: 200}\n"
	    "      connections: {max: 50}\n"
	    "    routes:\n"
	    "      - path: /login\n"
	    "        limits:\n"
	    "          requests:\n"
	    "            - {rate: 10/m, burst: 5, headers: on}\n"
	    "            - {key: $host, rate: 50/s, burst: 50, delay: on}\n"
	    "          body: 4k\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - path: /downloads/*\n"
	    "        limits: {bandwidth: {response: 1m, burst: 256k}}\n"
	    "        files: /srv/www\n"
	    "      - files: /srv/www\n",
};

struct limits_stats {
	uint64_t delayed, waiting, forgotten, paced;
};

static const struct counter_row limits_rows[] = {
	COUNTER(limits_stats, delayed, COUNTER_TOTAL,
	    "weir_limits_delayed_total",
	    "Requests that had to wait until they were due."),
	COUNTER(limits_stats, waiting, COUNTER_GAUGE,
	    "weir_limits_waiting", "Requests that wait for that."),
	COUNTER(limits_stats, forgotten, COUNTER_TOTAL,
	    "weir_limits_forgotten_total",
	    "Keys that owed something and were forgotten for others."),
	COUNTER(limits_stats, paced, COUNTER_TOTAL,
	    "weir_limits_paced_total",
	    "Times that a response was held back by its bandwidth."),
	COUNTER_END
};

static const struct counter_set limits_counters = {
	.name = "limits",
	.size = sizeof(struct limits_stats),
	.rows = limits_rows,
};

/* ---- loading ----------------------------------------------------------- */

/* Blocks that several levels share are seen more than once. */
static bool
limits_rule_prepare(struct conf_load *load, struct generation *g,
    struct limits_rule *r)
{
	unsigned *n = g->shared[MODULE_limits];

	if (r->table != 0)
		return false;
	if (n == NULL)
		n = g->shared[MODULE_limits] =
		    arena_zalloc(conf_arena(load), sizeof *n);
	r->table = ++*n;
	return true;
}

static void
limits_requests_prepare(struct conf_load *load, struct generation *g,
    struct limits_requests_conf *r)
{
	if (!limits_rule_prepare(load, g, &r->rule))
		return;
	r->cost = rate_cost(&r->rate, 1);
	r->slack = rate_cost(&r->rate, (uint64_t)r->burst);
	if (r->delay && r->burst == 0)
		conf_error(load, conf_pos_of(r, &r->delay), "bad-value",
		    "\"delay\" is for requests of the \"burst\", which is 0");
	else if (r->delay && r->slack > WAIT_MAX)
		conf_error(load, conf_pos_of(r, &r->delay), "bad-value",
		    "the last of %d requests would wait for %llu seconds; "
		    "expected a burst of no more than the rate allows in 60",
		    (int)r->burst,
		    (unsigned long long)rate_seconds(r->slack));
}

static void
limits_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct limits_conf *c = conf;

	for (CONF_EACH(struct limits_requests_conf *, r, &c->requests))
		limits_requests_prepare(load, g, *r);
	for (CONF_EACH(struct limits_connections_conf *, r, &c->connections))
		(void)limits_rule_prepare(load, g, &(*r)->rule);
}

/* ---- the worker's state ------------------------------------------------- */

struct limits_state {
	unsigned n;
	struct keyed_table *paced;    /* connections; NULL: none yet */
	struct keyed_table *tables[]; /* by rule; NULL: none yet */
};

static void *
limits_start(struct server *s)
{
	const unsigned *n = s->generation->shared[MODULE_limits];
	unsigned count = n != NULL ? *n : 0;
	struct limits_state *st = arena_zalloc(s->generation->arena,
	    sizeof *st + count * sizeof st->tables[0]);

	st->n = count;
	return st;
}

static void
limits_stop(struct server *s, void *state)
{
	struct limits_state *st = state;

	(void)s;
	for (unsigned i = 0; i < st->n; i++) {
		keyed_table_end(st->tables[i]);
		st->tables[i] = NULL;
	}
	keyed_table_end(st->paced);
	st->paced = NULL;
}

static struct limits_stats *
limits_stats(const struct txn *t)
{
	return server_stats(t->server, MODULE_limits);
}

static struct keyed *
limits_use(struct txn *t, const struct limits_rule *r, struct str key)
{
	struct limits_state *st = server_module(t->server, MODULE_limits);
	struct keyed_table **table = &st->tables[r->table - 1];

	if (*table == NULL)
		*table = keyed_table_new((uint32_t)r->max_keys,
		    &limits_stats(t)->forgotten);
	return keyed_table_use(*table, str_hash(key), rate_now());
}

/* ---- a request ---------------------------------------------------------- */

/* A rule that looked at it. Those of a request are a list; whoever comes to the
 * end of a step without having been refused is counted by all of them. */
struct limits_look {
	struct limits_look *next;
	const struct limits_rule *rule;
	struct keyed *k; /* good in the step that looked; NULL: not counted */
	const struct limits_requests_conf *requests; /* NULL: at once */
};

struct limits_txn {
	struct txn *t;
	struct limits_look *looks; /* of all its steps, the last first */
	uint64_t wait, waited;     /* ns */
	struct timer timer;
	bool waits;
	/* For the RateLimit fields. */
	const struct limits_requests_conf *told;
	uint64_t left, reset; /* requests; seconds */
};

static struct limits_txn *
limits_of(struct txn *t)
{
	void **word = txn_word(t, MODULE_limits);
	struct limits_txn *l = *word;

	if (l == NULL) {
		l = *word = arena_zalloc(t->arena, sizeof *l);
		l->t = t;
	}
	return l;
}

/* What says whether a limit is enforced. */
static const struct http_conf *
limits_policy(const struct txn *t, const struct limits_conf *c)
{
	static const struct http_conf log_only = { .mode = POLICY_LOG };

	return c->mode == POLICY_LOG ? &log_only : t->site->http;
}

/* Whether a request that WHY speaks against goes on all the same. */
static bool
limits_tolerates(struct txn *t, const struct limits_conf *c, enum refusal why)
{
	return txn_tolerates(t, limits_policy(t, c), why);
}

/* NULL: the rule does not look at it, or did so before. */
static struct limits_look *
limits_look(struct limits_txn *l, const struct limits_rule *r)
{
	struct str key = template_eval(r->key, l->t);
	struct limits_look *look = l->looks;

	if (key.n == 0)
		return NULL;
	for (; look != NULL; look = look->next)
		if (look->rule == r)
			return NULL;
	look = arena_zalloc(l->t->arena, sizeof *look);
	*look = (struct limits_look){
		.next = l->looks, .rule = r, .k = limits_use(l->t, r, key)
	};
	l->looks = look;
	return look;
}

static enum verdict
limits_refuse(struct txn *t, enum refusal why, const struct limits_rule *r,
    uint64_t seconds)
{
	enum verdict v = txn_deny(t, why, (int)r->status);

	txn_reply_field(t, FIELD_RETRY_AFTER, arena_strf(t->arena, "%llu",
	    (unsigned long long)seconds));
	return v;
}

static enum verdict
limits_check_connections(struct limits_txn *l, const struct limits_conf *c,
    const struct limits_connections_conf *r)
{
	struct limits_look *look = limits_look(l, &r->rule);

	if (look == NULL || look->k->count < (uint64_t)r->max ||
	    limits_tolerates(l->t, c, REFUSAL_REQUESTS_AT_ONCE))
		return STEP_NEXT;
	return limits_refuse(l->t, REFUSAL_REQUESTS_AT_ONCE, &r->rule, 1);
}

/* How far ahead of now a key is. */
static uint64_t
limits_debt(const struct keyed *k)
{
	uint64_t now = rate_now();

	return k->until > now ? k->until - now : 0;
}

static void
limits_tell(struct limits_txn *l, const struct limits_requests_conf *r,
    uint64_t debt)
{
	if (!r->headers || (l->told != NULL && l->told != r))
		return;
	l->told = r;
	l->left = debt > r->slack ? 0 : (r->slack - debt) / r->cost + 1;
	l->reset = rate_seconds(debt);
}

static enum verdict
limits_check_requests(struct limits_txn *l, const struct limits_conf *c,
    const struct limits_requests_conf *r)
{
	struct txn *t = l->t;
	struct limits_look *look = limits_look(l, &r->rule);
	uint64_t debt, seconds = 1;
	bool waits;

	if (look == NULL)
		return STEP_NEXT;
	look->requests = r;
	debt = limits_debt(look->k);
	limits_tell(l, r, debt);
	waits = r->delay && debt > 0 &&
	    policy_holds(limits_policy(t, c), REFUSAL_REQUEST_RATE);
	if (debt <= r->slack &&
	    (!waits || limits_stats(t)->waiting < WAITING_MAX)) {
		if (waits && debt > l->wait)
			l->wait = debt;
		return STEP_NEXT;
	}
	/* Who is too early does not become later by asking again. */
	look->k = NULL;
	if (limits_tolerates(t, c, REFUSAL_REQUEST_RATE))
		return STEP_NEXT;
	if (debt > r->slack)
		seconds = rate_seconds(debt - r->slack);
	return limits_refuse(t, REFUSAL_REQUEST_RATE, &r->rule, seconds);
}

static enum verdict
limits_check_body(struct txn *t, const struct limits_conf *c)
{
	int64_t length = t->req.body->length;

	if (c->body == 0 || (length >= 0 && (uint64_t)length <= c->body))
		return STEP_NEXT;
	if (length < 0) {
		body_limit(t, limits_policy(t, c), c->body);
		return STEP_NEXT;
	}
	if (limits_tolerates(t, c, REFUSAL_LARGE_BODY))
		return STEP_NEXT;
	t->res.close = true;
	return txn_deny(t, REFUSAL_LARGE_BODY, 413);
}

static enum verdict
limits_check(struct txn *t, const struct limits_conf *c)
{
	enum verdict v = limits_check_body(t, c);

	for (CONF_EACH(struct limits_connections_conf *, r, &c->connections))
		if (v == STEP_NEXT)
			v = limits_check_connections(limits_of(t), c, *r);
	for (CONF_EACH(struct limits_requests_conf *, r, &c->requests))
		if (v == STEP_NEXT)
			v = limits_check_requests(limits_of(t), c, *r);
	return v;
}

/* ---- counting ----------------------------------------------------------- */

struct limits_hold {
	struct limits_state *state;
	unsigned table;
	uint64_t hash;
	uint32_t serial;
};

static void
limits_let_go(void *arg)
{
	struct limits_hold *h = arg;
	struct keyed_table *table = h->state->tables[h->table - 1];
	struct keyed *k = table != NULL ? keyed_table_find(table, h->hash) :
	    NULL;

	/* It may have been forgotten, and another of the key begun. */
	if (k == NULL || k->serial != h->serial)
		return;
	ASSERT(k->count > 0);
	if (--k->count == 0)
		keyed_table_drop(table, k);
}

static void
limits_hold(struct txn *t, const struct limits_look *look)
{
	struct limits_hold *h = arena_alloc(t->arena, sizeof *h);

	*h = (struct limits_hold){
		.state = server_module(t->server, MODULE_limits),
		.table = look->rule->table, .hash = look->k->hash,
		.serial = look->k->serial
	};
	look->k->count++;
	txn_on_end(t, limits_let_go, h);
}

/* Those of the looks down to BEFORE, which earlier steps have counted. */
static void
limits_count(struct limits_txn *l, const struct limits_look *before)
{
	uint64_t now = rate_now();

	for (struct limits_look *look = l->looks; look != before;
	    look = look->next) {
		struct keyed *k = look->k;
		const struct limits_requests_conf *r = look->requests;

		if (k == NULL)
			continue;
		if (r == NULL) {
			limits_hold(l->t, look);
		} else {
			k->until = (k->until > now ? k->until : now) + r->cost;
			limits_tell(l, r, k->until - now);
		}
		look->k = NULL;
	}
}

static void
limits_stop_waiting(void *arg)
{
	struct limits_txn *l = arg;

	if (!l->waits)
		return;
	l->waits = false;
	limits_stats(l->t)->waiting--;
	timer_stop(l->t->server->net->loop, &l->timer);
}

static void
limits_on_due(struct timer *timer)
{
	struct limits_txn *l = CONTAINER_OF(timer, struct limits_txn, timer);

	limits_stop_waiting(l);
	txn_resume(l->t);
}

static enum verdict
limits_wait(struct limits_txn *l)
{
	struct limits_stats *stats = limits_stats(l->t);

	if (l->wait == 0)
		return STEP_NEXT;
	stats->delayed++;
	stats->waiting++;
	if (l->waited == 0)
		txn_on_end(l->t, limits_stop_waiting, l);
	l->waits = true;
	l->waited += l->wait;
	l->timer.name = "limits";
	l->timer.expired = limits_on_due;
	timer_start(l->t->server->net->loop, &l->timer,
	    (l->wait + 999999) / 1000000);
	l->wait = 0;
	return STEP_WAIT;
}

static enum verdict
limits_step(struct txn *t, const void *conf)
{
	const struct limits_conf *c = conf;
	struct limits_txn *l;
	struct limits_look *before;
	enum verdict v;

	/* Its time has come; or it is for the page of an error, which may be
	 * that of a limit. What had no route was not asked before. */
	if (*txn_slot(t) != NULL || (t->page != NULL &&
	    *txn_word(t, MODULE_limits) != NULL))
		return STEP_NEXT;
	if (c->requests.n + c->connections.n == 0)
		return limits_check_body(t, c);
	l = limits_of(t);
	before = l->looks;
	v = limits_check(t, c);
	if (v != STEP_NEXT) {
		l->looks = before;
		return v;
	}
	limits_count(l, before);
	*txn_slot(t) = l;
	return limits_wait(l);
}

/* ---- the response -------------------------------------------------------- */

/* draft-ietf-httpapi-ratelimit-headers: q requests in w seconds; r are left,
 * all of them in t seconds. */
static enum verdict
limits_fields_step(struct txn *t, const void *conf)
{
	const struct limits_txn *l = *txn_word(t, MODULE_limits);
	const struct limits_requests_conf *r = l != NULL ? l->told : NULL;

	(void)conf;
	if (r == NULL)
		return STEP_NEXT;
	head_add(&t->res.head, FIELD_OTHER, STR("RateLimit-Policy"),
	    arena_strf(t->arena, "\"requests\";q=%llu;w=%llu",
	        (unsigned long long)r->burst + 1,
	        (unsigned long long)rate_seconds(r->slack + r->cost)));
	head_add(&t->res.head, FIELD_OTHER, STR("RateLimit"),
	    arena_strf(t->arena, "\"requests\";r=%llu;t=%llu",
	        (unsigned long long)l->left, (unsigned long long)l->reset));
	return STEP_NEXT;
}

static enum verdict
limits_pace_step(struct txn *t, const void *conf)
{
	const struct limits_conf *c = conf;
	const struct limits_bandwidth_conf *b = c->bandwidth;
	struct limits_state *st = server_module(t->server, MODULE_limits);
	struct paced_rate rates[PACED_RATES] = { { .bytes = 0 } };

	if (b == NULL || conf_is_off(b) || b->response + b->connection == 0 ||
	    c->mode == POLICY_LOG || t->res.body == NULL || t->res.upgraded ||
	    !txn_has_body(t))
		return STEP_NEXT;
	rates[0].bytes = b->response;
	rates[1].bytes = b->connection;
	rates[0].burst = rates[1].burst = b->burst;
	if (b->connection > 0) {
		if (st->paced == NULL)
			st->paced = keyed_table_new(PACED_MAX,
			    &limits_stats(t)->forgotten);
		rates[1].table = st->paced;
		rates[1].hash = str_hash(str_of(
		    (const char *)&t->conn->number, sizeof t->conn->number));
	}
	t->res.body = paced_flow(t->arena, t->server->net->loop, t->res.body,
	    rates, &limits_stats(t)->paced);
	return STEP_NEXT;
}

/* ---- variables ----------------------------------------------------------- */

static void
limits_write_network(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	struct peer p = *txn_peer(t);

	(void)arg;
	if (p.family == AF_INET6)
		memset(p.ip + 8, 0, 8);
	peer_format_ip(out, &p);
	if (p.family == AF_INET6)
		buf_z(out, "/64");
}

static void
limits_write_delay(struct txn *t, const struct variable_arg *arg,
    struct buf *out)
{
	const struct limits_txn *l = *txn_word(t, MODULE_limits);

	(void)arg;
	if (l == NULL || l->waited == 0)
		return;
	buf_u64(out, l->waited / RATE_SECOND);
	buf_printf(out, ".%03u",
	    (unsigned)(l->waited % RATE_SECOND / 1000000));
}

static const struct variable limits_variables[] = {
	{"remote_network", limits_write_network, "The client as limits take "
	    "it: its IPv4 address, or the first 64 bits of its IPv6 address, "
	    "as \"2001:db8::/64\"."},
	{"limits_delay", limits_write_delay, "Seconds for which the request "
	    "had to wait until it was due; empty if it had not to."},
	{NULL, NULL, NULL}
};

const struct module limits_module = {
	.name = "limits",
	.phase = PHASE_LIMIT,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &limits_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "How often requests may come, how many at once, how large their "
	    "bodies may be and how fast responses leave.",
	.prepare = limits_prepare,
	.step = limits_step,
	.then = { {PHASE_HEADERS, limits_fields_step},
	    {PHASE_BODY, limits_pace_step}, {0, NULL} },
	.variables = limits_variables,
	.start = limits_start,
	.stop = limits_stop,
	.counters = &limits_counters,
};
