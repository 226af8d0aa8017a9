/*
 * Site indexes: the sites of one address by host name. It is made when a
 * configuration is compiled, lives in the load's arena and never changes. A
 * name costs one look-up and one more per label, however many sites there are.
 */
#include "http/site_index.h"

#include "base/panic.h"

struct site_regex {
	const struct regex *regex;
	const struct site *site;
};

struct site_index {
	const struct site *first;
	const struct site *dflt; /* NULL: none */
	struct map *exact;       /* struct site */
	struct map *wildcards;   /* likewise; by ".example.com" */
	size_t longest;          /* of the wildcards */
	struct site_regex *regexes;
	size_t n_regexes;
};

struct site_index_compile {
	struct conf_load *load;
	struct site_index *index;
	struct map *places; /* hosts as written and folded -> struct conf_pos */
};

/* ---- compiling --------------------------------------------------------- */

static struct conf_pos
site_host_pos(const struct site *site, const struct host_pattern *h)
{
	const struct conf_list *hosts = &site->conf->hosts;

	return hosts->pos == NULL ? site->pos :
	    hosts->pos[h - (const struct host_pattern *)hosts->items];
}

/* Where the same host stood before; NULL: nowhere. */
static const struct conf_pos *
site_index_place(struct site_index_compile *c, const struct site *site,
    const struct host_pattern *h)
{
	struct conf_pos *pos = arena_alloc(conf_arena(c->load), sizeof *pos);
	const struct conf_pos *before = map_get(c->places, h->text);

	*pos = site_host_pos(site, h);
	if (before == NULL)
		map_put(c->places, h->text, pos);
	return before;
}

static void
site_index_add_host(struct site_index_compile *c, const struct site *site,
    const struct host_pattern *h)
{
	struct site_index *x = c->index;
	const struct conf_pos *before = site_index_place(c, site, h);

	if (h->kind == HOST_REGEX) {
		x->regexes[x->n_regexes++] =
		    (struct site_regex){ h->regex, site };
		if (before != NULL)
			conf_warning(c->load, site_host_pos(site, h),
			    "hidden-host", "the same regular expression at %s "
			    "comes first and takes its hosts",
			    conf_pos_text(c->load, *before));
		return;
	}
	if (before != NULL) {
		conf_error(c->load, site_host_pos(site, h), "duplicate-host",
		    "the host %.*s has a site on the same address already, "
		    "at %s", STR_ARG(h->written),
		    conf_pos_text(c->load, *before));
		return;
	}
	map_put(h->kind == HOST_EXACT ? x->exact : x->wildcards, h->text,
	    (void *)site);
	if (h->kind == HOST_WILDCARD && h->text.n > x->longest)
		x->longest = h->text.n;
}

static struct conf_pos
site_default_pos(const struct site *site)
{
	return site->conf->is_default ?
	    conf_pos_of(site->conf, &site->conf->is_default) : site->pos;
}

static void
site_index_add_default(struct site_index_compile *c, const struct site *site)
{
	struct site_index *x = c->index;

	if (x->dflt == NULL) {
		x->dflt = site;
		return;
	}
	conf_error(c->load, site_default_pos(site), "duplicate-default",
	    "%s is the default of its address, which has one already, at %s",
	    site->conf->is_default ? "this site" : "a site without hosts",
	    conf_pos_text(c->load, site_default_pos(x->dflt)));
}

/* Settings that hold before the host is known, so only in the first site. */
#define EARLY_SETTINGS \
	EARLY(header_timeout) EARLY(max_header_size) EARLY(max_headers) \
	EARLY(max_target_size)

static void
site_index_lint_early(struct site_index_compile *c, const struct site *site)
{
	const struct site *first = site_index_first(c->index);
	const struct http_conf *h = site->http, *f = first->http;

	/* The top's own block says nothing about this site. */
	if (site == first || h == f ||
	    !conf_is_set(site->conf, &site->conf->http))
		return;
#define EARLY(member) \
	if (h->member != f->member && conf_is_set(h, &h->member)) \
		conf_warning(c->load, conf_pos_of(h, &h->member), \
		    "idle-setting", "\"%s\" is needed before the host is " \
		    "known; that of the site at %s holds on this address", \
		    #member, conf_pos_text(c->load, first->pos));
	EARLY_SETTINGS
#undef EARLY
}

struct site_index *
site_index_compile(struct conf_load *load, const struct site *const *sites,
    size_t n)
{
	struct arena *a = conf_arena(load);
	struct site_index *x = arena_zalloc(a, sizeof *x);
	struct site_index_compile c = { .load = load, .index = x };
	size_t n_hosts = 0;

	ASSERT(n > 0);
	for (size_t i = 0; i < n; i++)
		n_hosts += sites[i]->conf->hosts.n;
	x->first = sites[0];
	x->exact = map_new(a, n_hosts);
	x->wildcards = map_new(a, 0);
	x->regexes = arena_alloc(a, (n_hosts + 1) * sizeof *x->regexes);
	c.places = map_new(a, n_hosts);

	for (size_t i = 0; i < n; i++) {
		const struct site_conf *conf = sites[i]->conf;

		if (conf->is_default || conf->hosts.n == 0)
			site_index_add_default(&c, sites[i]);
		for (CONF_EACH(struct host_pattern, h, &conf->hosts))
			site_index_add_host(&c, sites[i], h);
	}
	for (size_t i = 0; i < n; i++)
		site_index_lint_early(&c, sites[i]);
	return x;
}

/* ---- finding ----------------------------------------------------------- */

/* The longest "*.suffix": that of the first dot which has one. */
static const struct site *
site_index_find_wildcard(const struct site_index *x, struct str host)
{
	size_t dot = 0;

	if (x->longest == 0)
		return NULL;
	while ((dot = str_index(host, '.', dot + 1)) != SIZE_MAX) {
		const struct site *site;

		/* Nobody has a name of that length: a client made it up to
		 * have much hashed. */
		if (host.n - dot > x->longest)
			continue;
		site = map_get(x->wildcards, str_slice(host, dot, host.n));
		if (site != NULL)
			return site;
	}
	return NULL;
}

const struct site *
site_index_find(const struct site_index *x, struct str host)
{
	const struct site *site = map_get(x->exact, host);

	if (site == NULL)
		site = site_index_find_wildcard(x, host);
	for (size_t i = 0; i < x->n_regexes && site == NULL; i++)
		if (regex_match(x->regexes[i].regex, host, NULL, NULL))
			site = x->regexes[i].site;
	return site != NULL ? site : x->dflt;
}

const struct site *
site_index_first(const struct site_index *x)
{
	return x->dflt != NULL ? x->dflt : x->first;
}
