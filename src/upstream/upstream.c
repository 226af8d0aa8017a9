/*
 * Upstream groups: the rows of `upstreams`, what they become in a generation,
 * and the groups that exist only because a route names an address outright.
 *
 * Everything here belongs to the generation and stands still once workers run;
 * what changes per request (whose turn it is, idle connections) is a backend's.
 * Nothing here opens a socket; names are looked up by upstreams_resolve alone.
 */
#include "upstream/upstream.h"

#include "base/log.h"
#include "base/map.h"

/* What is spoken to the servers, as TLS offers it (RFC 7301 section 3.1). */
#define UPSTREAM_ALPN STR("\x08http/1.1")

/* ---- rows -------------------------------------------------------------- */

static const struct conf_field upstream_server_fields[] = {
	KEY_TEXT(upstream_server_conf, address, .flags = CONF_REQUIRED,
	    .doc = "Where the server listens: host:port, [v6]:port or "
	    "unix:PATH. A host name is looked up when the configuration is "
	    "loaded; all its addresses are used.",
	    .example = "10.0.0.1:8080"),
	KEY_INT(upstream_server_conf, weight, .dflt = "1", .min = "1",
	    .max = "1000",
	    .doc = "Its share of the requests, relative to the others'."),
	KEY_END
};
static const struct conf_schema upstream_server_schema = {
	.name = "server",
	.doc = "A server of an upstream.",
	.size = sizeof(struct upstream_server_conf),
	.fields = upstream_server_fields,
	.shorthand = "address",
};

static const struct conf_field upstream_keepalive_fields[] = {
	KEY_INT(upstream_keepalive_conf, connections, .dflt = "64",
	    .min = "0", .max = "1000000",
	    .doc = "How many idle connections a worker keeps to the servers "
	    "of this upstream together; beyond that the one that is idle for "
	    "longest is closed."),
	KEY_DURATION(upstream_keepalive_conf, idle, .dflt = "60s",
	    .min = "100ms",
	    .doc = "How long a connection is kept without a request. A server "
	    "that announces less (Keep-Alive: timeout=5) is believed."),
	KEY_INT(upstream_keepalive_conf, requests, .dflt = "10000",
	    .min = "1",
	    .doc = "How many requests a connection carries at most."),
	KEY_DURATION(upstream_keepalive_conf, ping, .dflt = "5m", .min = "1s",
	    .doc = "How long an HTTP/2 connection with requests on it may be "
	    "silent before it is asked for a sign of life (PING); without one "
	    "within 10s its requests fail. Servers of gRPC take less than 5m "
	    "for an attack by default."),
	KEY_DURATION(upstream_keepalive_conf, lifetime, .dflt = "1h",
	    .min = "1s",
	    .doc = "How old a connection may grow and still take another "
	    "request."),
	KEY_END
};
static const struct conf_schema upstream_keepalive_schema = {
	.name = "keepalive",
	.doc = "Which connections are kept for further requests. With off, "
	    "every request has a connection of its own.",
	.size = sizeof(struct upstream_keepalive_conf),
	.fields = upstream_keepalive_fields,
};

static const char *const balance_choices[] = {"round_robin", NULL};

static const struct conf_field upstream_fields[] = {
	KEY_CHOICE(upstream_conf, balance, balance_choices,
	    .dflt = "round_robin",
	    .doc = "Who gets the next request: in turn, by weight."),
	KEY_BLOCKS(upstream_conf, servers, upstream_server_schema,
	    .flags = CONF_REQUIRED, .doc = "The servers; at least one.",
	    .example = "[10.0.0.1:8080, 10.0.0.2:8080]"),
	KEY_BLOCK(upstream_conf, keepalive, struct upstream_keepalive_conf,
	    upstream_keepalive_schema, .flags = CONF_ALWAYS | CONF_CAN_BE_OFF,
	    .doc = "Which connections are kept for further requests."),
	KEY_CHOICE(upstream_conf, bare_lf, bare_lf_choices, .dflt = "refuse",
	    .doc = "What a line of a response's head means that ends in LF "
	    "without CR: refuse answers 502; accept takes it for the end of a "
	    "line. Never in chunked bodies."),
	KEY_BLOCK(upstream_conf, tls, struct tls_client_conf,
	    tls_client_schema, .flags = CONF_CAN_BE_OFF,
	    .doc = "Speaks TLS to the servers. Left out: plain TCP."),
	KEY_END
};
const struct conf_schema upstream_schema = {
	.name = "upstream",
	.doc = "A group of servers that do the same work. Routes pass requests "
	    "to it by name.",
	.size = sizeof(struct upstream_conf),
	.fields = upstream_fields,
	.shorthand = "servers",
	.example =
	    "upstreams:\n"
	    "  app:\n"
	    "    servers:\n"
	    "      - 127.0.0.1:8080\n"
	    "      - {address: \"127.0.0.1:8081\", weight: 2}\n"
	    "    keepalive: {connections: 128}\n",
};

/* ---- the groups of a generation ---------------------------------------- */

struct upstreams {
	struct map *by_name; /* struct upstream_group * */
	struct upstream_group **groups;
	size_t n, cap;
	const char **names; /* of those that the file names, not of literals */
	size_t n_names;
};

static struct upstreams *
upstreams_of(struct generation *g)
{
	struct upstreams *u = g->upstreams;

	if (u == NULL) {
		u = arena_zalloc(g->arena, sizeof *u);
		u->by_name = map_new(g->arena, 16);
		g->upstreams = u;
	}
	return u;
}

static struct upstream_group *
upstreams_add(struct generation *g, struct str name, size_t n_servers)
{
	struct upstreams *u = upstreams_of(g);
	struct upstream_group *group = arena_zalloc(g->arena, sizeof *group);

	if (u->n == u->cap) {
		size_t cap = u->cap == 0 ? 8 : 2 * u->cap;
		struct upstream_group **more =
		    arena_alloc(g->arena, cap * sizeof(*more));

		if (u->n > 0)
			memcpy(more, u->groups, u->n * sizeof(*more));
		u->groups = more;
		u->cap = cap;
	}
	group->name = arena_str(g->arena, name);
	group->index = (unsigned)u->n;
	group->servers =
	    arena_zalloc(g->arena, n_servers * sizeof *group->servers);
	u->groups[u->n++] = group;
	map_put(u->by_name, group->name, group);
	return group;
}

/* Reads one address into the next free place of GROUP. */
static bool
upstreams_add_server(struct generation *g, struct upstream_group *group,
    struct str text, unsigned weight, uint16_t default_port, struct err *e)
{
	struct upstream_server *s = &group->servers[group->n_servers];
	struct addr addr = {0};
	struct buf ip = buf_in(g->arena);
	struct peer peer;

	if (str_contains(text, STR("://")))
		return err_set(e, "\"%.*s\" has a scheme; a server is "
		    "host:port or unix:PATH, and TLS is the upstream's key "
		    "\"tls\"", STR_ARG(text));
	if (str_index(text, '/', 0) != SIZE_MAX &&
	    !str_has_prefix(text, STR("unix:")))
		return err_set(e, "\"%.*s\" has a path; an upstream has no "
		    "path", STR_ARG(text));
	if (str_index(text, ' ', 0) != SIZE_MAX &&
	    !str_has_prefix(text, STR("unix:")))
		return err_set(e, "\"%.*s\" is more than an address; the rest "
		    "are keys beside it: {address: \"%.*s\", weight: 2}",
		    STR_ARG(text),
		    STR_ARG(str_slice(text, 0, str_index(text, ' ', 0))));
	if (!addr_parse_server(text, default_port, &addr, &s->name, &s->port,
	    e))
		return false;

	s->text = arena_str(g->arena, text);
	s->weight = weight;
	if (s->name.n > 0) {
		s->tls_name = arena_memdup(g->arena, s->name.p, s->name.n);
		s->name = str_from(s->tls_name);
	} else {
		s->addrs[0] = addr;
		s->n_addrs = 1;
		peer = peer_from(&addr);
		peer_format_ip(&ip, &peer);
		s->tls_name = arena_memdup(g->arena, ip.p, ip.n);
	}
	group->n_servers++;
	return true;
}

/* A port that nobody wrote is the scheme's. */
static uint16_t
upstreams_default_port(bool is_tls)
{
	return is_tls ? 443 : 80;
}

static void
upstreams_compile_group(struct generation *g, struct conf_load *load,
    const struct conf_entry *entry)
{
	const struct upstream_conf *conf = entry->value;
	bool is_tls = conf->tls != NULL && !conf_is_off(conf->tls);
	struct upstream_group *group =
	    upstreams_add(g, entry->key, conf->servers.n);
	struct upstreams *u = g->upstreams;

	group->conf = conf;
	group->pos = entry->key_pos;
	group->keepalive = *conf->keepalive;
	if (conf_is_off(conf->keepalive))
		group->keepalive.connections = 0;
	u->names[u->n_names++] = group->name.p;

	for (CONF_EACH(struct upstream_server_conf *, sp, &conf->servers)) {
		const struct upstream_server_conf *s = *sp;
		struct err e;

		if (!upstreams_add_server(g, group, s->address.s,
		    (unsigned)s->weight, upstreams_default_port(is_tls), &e))
			conf_error(load, s->address.pos, "bad-value", "%s",
			    e.text);
		else if (is_tls && conf->tls->name != NULL)
			group->servers[group->n_servers - 1].tls_name =
			    conf->tls->name;
	}
	if (conf->servers.n == 0)
		conf_error(load, entry->pos, "missing-key",
		    "the upstream \"%.*s\" has no servers",
		    STR_ARG(entry->key));
	if (is_tls)
		group->tls = tls_context_new_client(load, conf->tls,
		    UPSTREAM_ALPN);
}

void
upstreams_compile(struct generation *g, struct conf_load *load,
    const struct conf_map *conf)
{
	struct upstreams *u = upstreams_of(g);

	u->names = arena_zalloc(g->arena,
	    (conf->n + 1) * sizeof(const char *));
	for (size_t i = 0; i < conf->n; i++)
		upstreams_compile_group(g, load, &conf->entries[i]);
}

/* ---- literals ---------------------------------------------------------- */

/* A block of SCHEMA's defaults: literal groups have no block in the file. */
static void
upstreams_defaults(struct arena *a, const struct conf_schema *schema,
    void *block)
{
	for (const struct conf_field *f = schema->fields; f->name != NULL; f++)
		if (f->shape == CONF_SCALAR && f->dflt != NULL) {
			bool ok = f->type->parse(a, str_from(f->dflt),
			    (char *)block + f->offset, NULL);

			ASSERT(ok);
		}
}

static bool
upstreams_split_literal(struct str url, struct str *address, bool *is_tls,
    struct err *e)
{
	struct str rest;

	*is_tls = str_has_prefix(url, STR("https://"));
	if (str_has_prefix(url, STR("unix:"))) {
		*address = url;
		return true;
	}
	if (!*is_tls && !str_has_prefix(url, STR("http://")))
		return err_set(e, "\"%.*s\" is neither http://host:port, "
		    "https://host:port nor unix:PATH", STR_ARG(url));

	rest = str_slice(url, *is_tls ? 8 : 7, url.n);
	for (const char *p = "/?#@"; *p != '\0'; p++)
		if (str_index(rest, *p, 0) != SIZE_MAX)
			return err_set(e, *p == '@' ?
			    "\"%.*s\" has a user; credentials are set as a "
			    "request header" :
			    "\"%.*s\" has a path; a request keeps the path "
			    "that it came with, so an address ends at the port",
			    STR_ARG(url));
	*address = rest;
	return true;
}

struct upstream_group *
upstreams_literal(struct generation *g, struct conf_load *load,
    struct conf_text url)
{
	struct upstream_group *group = map_get(upstreams_of(g)->by_name, url.s);
	struct upstream_conf *conf;
	struct str address;
	struct err e;
	bool is_tls;

	if (group != NULL)
		return group;
	if (!upstreams_split_literal(url.s, &address, &is_tls, &e))
		goto fail;

	group = upstreams_add(g, url.s, 1);
	group->pos = url.pos;
	group->is_used = true;
	upstreams_defaults(g->arena, &upstream_keepalive_schema,
	    &group->keepalive);
	conf = arena_zalloc(g->arena, sizeof *conf);
	conf->keepalive = &group->keepalive;
	group->conf = conf;
	if (!upstreams_add_server(g, group, address, 1,
	    upstreams_default_port(is_tls), &e))
		goto fail;
	if (is_tls) {
		conf->tls = conf_defaults(load, &tls_client_schema);
		group->tls = tls_context_new_client(load, conf->tls,
		    UPSTREAM_ALPN);
	}
	return group;

fail:
	conf_error(load, url.pos, "bad-value", "%s", e.text);
	return NULL;
}

/* ---- access ------------------------------------------------------------ */

struct upstream_group *
upstreams_find(struct generation *g, struct str name)
{
	struct upstream_group *group = map_get(upstreams_of(g)->by_name, name);

	if (group != NULL)
		group->is_used = true;
	return group;
}

size_t
upstreams_count(const struct generation *g)
{
	const struct upstreams *u = g->upstreams;

	return u == NULL ? 0 : u->n;
}

struct upstream_group *
upstreams_at(const struct generation *g, size_t i)
{
	const struct upstreams *u = g->upstreams;

	ASSERT(i < u->n);
	return u->groups[i];
}

const char *const *
upstreams_names(const struct generation *g, size_t *n)
{
	const struct upstreams *u = g->upstreams;

	*n = u == NULL ? 0 : u->n_names;
	return u == NULL ? NULL : u->names;
}

void
upstreams_lint(struct generation *g, struct conf_load *load)
{
	for (size_t i = 0; i < upstreams_count(g); i++) {
		const struct upstream_group *group = upstreams_at(g, i);

		if (!group->is_used)
			conf_warning(load, group->pos, "unused-upstream",
			    "no route passes requests to the upstream \"%.*s\"",
			    STR_ARG(group->name));
	}
}

static void
upstreams_resolve_server(const struct upstream_group *group,
    struct upstream_server *s)
{
	struct err e;

	if (s->name.n == 0)
		return;
	s->n_addrs = (unsigned)addr_resolve(s->name, s->port, s->addrs,
	    UPSTREAM_ADDRESSES, &e);
	if (s->n_addrs == 0)
		log_warn("upstream %.*s: server %.*s has no address and gets "
		    "no requests: %s", STR_ARG(group->name), STR_ARG(s->text),
		    e.text);
}

void
upstreams_resolve(struct generation *g)
{
	for (size_t i = 0; i < upstreams_count(g); i++) {
		struct upstream_group *group = upstreams_at(g, i);

		for (unsigned k = 0; k < group->n_servers; k++)
			upstreams_resolve_server(group, &group->servers[k]);
	}
}
