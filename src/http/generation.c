/*
 * Generations: from what the file says to what a worker uses. Everything is
 * made in the load's arena, which the generation owns; after
 * generation_compile nothing in it changes. It opens no socket and no log.
 */
#include "http/generation.h"

#include "base/panic.h"
#include "http/site_index.h"
#include "http/plan.h"
#include "http/router.h"
#include "net/listener.h"

#define GENERATION_MAGIC 0x6E4E7A10u

/* A site and the addresses it is served on, while compiling. */
struct endpoint_draft {
	struct endpoint *endpoint;
	bool is_https;
	struct site **sites;
	size_t n_sites, cap_sites;
	struct conf_pos pos;
};

struct compile {
	struct generation *g;
	struct conf_load *load;
	const struct generation_input *in;
	struct plan_maker *plans;
	struct map *by_address; /* endpoint_draft */
	struct map *listeners;  /* conf_entry, by address as well */
	struct endpoint_draft **drafts;
	size_t n_drafts, cap_drafts;
};

struct generation *
generation_new(struct arena *a, uint64_t number)
{
	struct generation *g = arena_zalloc(a, sizeof *g);

	g->magic = GENERATION_MAGIC;
	g->refs = 1;
	g->number = number;
	g->arena = a;
	return g;
}

struct generation *
generation_ref(struct generation *g)
{
	OBJ_CHECK(g, GENERATION_MAGIC);
	g->refs++;
	return g;
}

void
generation_unref(struct generation *g)
{
	OBJ_CHECK(g, GENERATION_MAGIC);
	if (--g->refs > 0)
		return;
	g->magic = 0;
	arena_end(g->arena);
}

/* Makes room for one more in an array of an arena. */
static void *
grow(struct arena *a, void *items, size_t n, size_t *cap, size_t size)
{
	void *more;

	if (n < *cap)
		return items;
	*cap = *cap == 0 ? 8 : *cap * 2;
	more = arena_alloc(a, *cap * size);
	if (n > 0)
		memcpy(more, items, n * size);
	return more;
}

void
generation_reads(struct generation *g, const char *path)
{
	/* Many routes have the same root, mostly one after another. */
	if (g->n_reads > 0 && strcmp(g->reads[g->n_reads - 1], path) == 0)
		return;
	g->reads = grow(g->arena, g->reads, g->n_reads, &g->cap_reads,
	    sizeof *g->reads);
	g->reads[g->n_reads++] = path;
}

static const struct plan *
compile_plan(void *arg, struct route_conf *leaf)
{
	struct compile *c = arg;

	return plan_make(c->plans, &leaf->settings);
}

static void
compile_inherit_routes(struct compile *c, struct settings *outer,
    struct conf_list *routes)
{
	for (CONF_EACH(struct route_conf *, r, routes)) {
		conf_inherit_fields(c->load, module_rows(LEVEL_ROUTE), outer,
		    &(*r)->settings);
		compile_inherit_routes(c, &(*r)->settings, &(*r)->routes);
	}
}

static struct endpoint_draft *
compile_endpoint(struct compile *c, const struct addr *addr, bool is_https,
    struct conf_pos pos)
{
	struct arena *a = c->g->arena;
	char room[128]; /* "unix:" and a path of at most 108 */
	struct buf text = buf_fixed(room, sizeof room);
	struct endpoint_draft *d;

	addr_format(&text, addr);
	d = map_get(c->by_address, buf_view(&text));
	if (d != NULL && d->is_https != is_https) {
		conf_error(c->load, pos, "listen-conflict",
		    "%.*s is listened on for %s here and for %s at %s",
		    STR_ARG(buf_view(&text)), is_https ? "https" : "http",
		    is_https ? "http" : "https",
		    conf_pos_text(c->load, d->pos));
		return NULL;
	}
	if (d != NULL)
		return d;

	d = arena_zalloc(a, sizeof *d);
	d->is_https = is_https;
	d->pos = pos;
	d->endpoint = arena_zalloc(a, sizeof *d->endpoint);
	d->endpoint->addr = *addr;
	d->endpoint->text = arena_memdup(a, text.p, text.n);
	map_put(c->by_address, str_of(d->endpoint->text, text.n), d);
	c->drafts = grow(a, c->drafts, c->n_drafts, &c->cap_drafts,
	    sizeof(struct endpoint_draft *));
	c->drafts[c->n_drafts++] = d;
	return d;
}

static void
compile_listen(struct compile *c, struct site *site,
    const struct conf_list *addrs, bool is_https)
{
	for (size_t i = 0; i < addrs->n; i++) {
		struct endpoint_draft *d = compile_endpoint(c,
		    &CONF_ITEM(addrs, struct addr, i), is_https, addrs->pos[i]);

		if (d == NULL)
			continue;
		d->sites = grow(c->g->arena, d->sites, d->n_sites,
		    &d->cap_sites, sizeof(struct site *));
		d->sites[d->n_sites++] = site;
	}
}

/* A certificate that nobody will see: `listen: 443` is plain HTTP. */
static void
compile_lint_tls(struct compile *c, const struct site_conf *conf)
{
	const struct tls_conf *tls = conf->tls;

	if (tls == NULL || tls == c->in->tls ||
	    (tls->certificates.n == 0 && !tls->self_signed))
		return;
	conf_warning(c->load, conf_block_pos(tls), "unused-certificate",
	    "this site has a certificate but listens for no https; add "
	    "`listen: {https: 443}`");
}

/* Once is enough: ten thousand names may have been forgotten together. */
static void
compile_lint_covers(struct compile *c, const struct tls_context *tls,
    const struct conf_list *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		struct str host = CONF_ITEM(hosts, struct host_pattern, i)
		    .written;

		if (tls_context_covers(tls, host))
			continue;
		conf_warning(c->load, hosts->pos[i], "uncovered-host",
		    "no certificate of this site is for %.*s: browsers will "
		    "refuse it", STR_ARG(host));
		return;
	}
}

static void
compile_site_tls(struct compile *c, struct site *site,
    const struct site_conf *conf)
{
	struct arena *a = c->g->arena;
	struct str *hosts;
	size_t n = 0;

	if (conf->listen == NULL)
		return;
	if (conf->listen->https.n == 0) {
		compile_lint_tls(c, conf);
		return;
	}
	if (conf->tls == NULL ||
	    (conf->tls->certificates.n == 0 && !conf->tls->self_signed)) {
		conf_error(c->load, conf_pos_of(conf->listen,
		    &conf->listen->https), "no-certificate",
		    "this site listens for https but has no certificate; "
		    "add `tls: {certificates: [{certificate: FILE, key: "
		    "FILE}]}` or `tls: {self_signed: on}`");
		return;
	}

	hosts = arena_alloc(a, (conf->hosts.n + 1) * sizeof *hosts);
	for (CONF_EACH(struct host_pattern, h, &conf->hosts))
		hosts[n++] = h->written;
	site->tls = tls_context_new(c->load, conf->tls, hosts, n,
	    conf->http->http2->enabled ? STR("\x02h2\x08http/1.1") :
	    STR("\x08http/1.1"));
	if (site->tls != NULL)
		compile_lint_covers(c, site->tls, &conf->hosts);
}

static void
compile_site(struct compile *c, struct site_conf *conf)
{
	struct site *site = arena_zalloc(c->g->arena, sizeof *site);
	struct host_pattern *first = conf->hosts.items;

	conf_inherit_fields(c->load, module_rows(LEVEL_SITE), c->in->settings,
	    &conf->settings);
	conf->http = conf_inherit(c->load, &http_schema, c->in->http,
	    conf->http);
	conf->tls = conf_inherit(c->load, &tls_schema, c->in->tls, conf->tls);
	compile_inherit_routes(c, &conf->settings, &conf->routes);

	site->conf = conf;
	site->http = conf->http;
	site->name = conf->hosts.n > 0 ? first->written : STR("default");
	site->pos = conf_block_pos(conf);
	site->plan = plan_make(c->plans, &conf->settings);
	site->router = router_compile(c->load, &conf->routes, compile_plan, c);
	compile_site_tls(c, site, conf);
	if (conf->routes.n == 0)
		conf_warning(c->load, site->pos, "no-routes",
		    "this site has no routes: all it answers is 404");
	if (conf->listen == NULL)
		return;
	compile_listen(c, site, &conf->listen->http, false);
	compile_listen(c, site, &conf->listen->https, true);
}

static struct tls_context *
compile_choose_tls(void *arg, struct str name)
{
	const struct site *site = site_index_find(arg, name);

	return site != NULL ? site->tls : NULL;
}

static void
compile_expect_sites(struct tls_context *front, const struct endpoint_draft *d)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i]->tls != NULL)
			tls_context_expect(front, d->sites[i]->tls);
}

/* What `listeners` says, by address; each is one that sites listen on. */
static void
compile_listeners(struct compile *c)
{
	for (size_t i = 0; i < c->in->listeners->n; i++) {
		struct conf_entry *entry = &c->in->listeners->entries[i];
		struct buf text = buf_in(c->g->arena);
		const struct conf_entry *before;
		struct addr addr;
		struct err e;

		if (!addr_parse_listen(entry->key, &addr, &e)) {
			conf_error(c->load, entry->key_pos, "bad-address",
			    "%s", e.text);
			continue;
		}
		addr_format(&text, &addr);
		before = map_put(c->listeners, buf_view(&text), entry);
		if (before != NULL)
			conf_error(c->load, entry->key_pos, "listen-conflict",
			    "%.*s is in \"listeners\" already, at %s",
			    STR_ARG(buf_view(&text)),
			    conf_pos_text(c->load, before->key_pos));
		else if (map_get(c->by_address, buf_view(&text)) == NULL)
			conf_warning(c->load, entry->key_pos,
			    "unused-listener", "no site listens on %.*s",
			    STR_ARG(entry->key));
	}
}

/* The defaults where `listeners` says nothing. */
static const struct listen_conf *
compile_listen_conf(struct compile *c, const struct endpoint *ep)
{
	const struct conf_entry *entry = map_get(c->listeners,
	    str_from(ep->text));

	return entry != NULL ? entry->value :
	    conf_defaults(c->load, &listen_schema);
}

static void
compile_endpoints(struct compile *c)
{
	struct generation *g = c->g;

	g->endpoints = arena_alloc(g->arena,
	    (c->n_drafts + 1) * sizeof(struct endpoint *));
	for (size_t i = 0; i < c->n_drafts; i++) {
		struct endpoint_draft *d = c->drafts[i];
		struct endpoint *ep = d->endpoint;
		struct err e;

		ep->conf = compile_listen_conf(c, ep);
		ep->owner = site_index_compile(c->load,
		    (const struct site **)d->sites, d->n_sites);
		if (d->is_https) {
			ep->tls = tls_context_front(g->arena,
			    compile_choose_tls, ep->owner, &e);
			if (ep->tls == NULL)
				conf_error(c->load, d->pos, "tls", "%s",
				    e.text);
			else
				compile_expect_sites(ep->tls, d);
		}
		g->endpoints[g->n_endpoints++] = ep;
	}
}

static void
compile_lint_routes(struct compile *c, const struct site_conf *site,
    const struct conf_list *routes, bool is_conditional)
{
	for (CONF_EACH(struct route_conf *, rp, routes)) {
		const struct route_conf *r = *rp;
		bool has_match = is_conditional || r->match != NULL;

		compile_lint_routes(c, site, &r->routes, has_match);
		for (unsigned i = 0; i < module_count; i++) {
			const void *conf = r->settings.conf[i];

			if (modules[i]->lint != NULL && conf != NULL &&
			    r->routes.n == 0 && !conf_is_off(conf))
				modules[i]->lint(c->load, site, has_match,
				    conf);
		}
	}
}

void
generation_compile(struct generation *g, struct conf_load *load,
    const struct generation_input *in)
{
	struct compile c = {
		.g = g, .load = load, .in = in,
		.plans = plan_maker_new(load, g),
		.by_address = map_new(g->arena, 16),
		.listeners = map_new(g->arena, 16)
	};

	for (CONF_EACH(struct site_conf *, s, in->sites))
		compile_site(&c, *s);
	compile_listeners(&c);
	compile_endpoints(&c);
	for (CONF_EACH(struct site_conf *, s, in->sites))
		compile_lint_routes(&c, *s, &(*s)->routes, false);
}
