/*
 * Mappings as operators write them, and what they are compiled to. A mapping
 * may be asked for before it is compiled, and by strings that are read before
 * it: what they get is the struct, which is filled in once all are known.
 */
#include "base/units.h"
#include "http/mapping.h"
#include "http/mapping_table.h"
#include "http/pattern.h"

#include <stdlib.h>

struct mapping_conf {
	struct template *source, *split, *otherwise;
	struct conf_map values, cidr, ranges; /* struct template * */
	struct conf_map shares; /* int64_t: MAPPING_WHOLE parts; -1: the rest */
};

/* ---- rows -------------------------------------------------------------- */

static bool
share_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct str number = str_slice(text, 0, text.n - 1), fraction;
	size_t dot = str_index(number, '.', 0);
	uint64_t whole, part = 0;

	(void)a;
	*(int64_t *)out = -1;
	if (str_eq(text, STR("*")))
		return true;
	fraction = dot == SIZE_MAX ? STR("0") :
	    str_slice(number, dot + 1, number.n);
	if (!str_has_suffix(text, STR("%")) ||
	    !str_to_u64(str_slice(number, 0, dot), &whole) || whole > 100 ||
	    fraction.n > 2 || !str_to_u64(fraction, &part))
		return err_set(e, "%s", "");
	*(int64_t *)out = (int64_t)(whole * 100 +
	    (fraction.n == 1 ? part * 10 : part));
	return true;
}

static const struct conf_type conf_type_share = {
	.name = "percentage",
	.expected = "a percentage such as 10% or 0.25%, or \"*\" for the rest",
	.size = sizeof(int64_t), .parse = share_parse,
	.json = "\"type\": \"string\", "
	    "\"pattern\": \"^([0-9]+(\\\\.[0-9]{1,2})?%|\\\\*)$\""
};

static const struct conf_field mapping_fields[] = {
	KEY_TEMPLATE(mapping_conf, source,
	    .doc = "What is looked up in values, cidr or ranges.",
	    .example = "$http_x_beta"),
	KEY_MAP(mapping_conf, values, conf_type_template,
	    .doc = "Results by what the source is: as it stands (case counts), "
	    "then the longest *.example.com for what ends in .example.com, "
	    "then, after ~, regular expressions in their order, whose groups "
	    "are $1 to $9 and $capture_NAME in the result.",
	    .example = "{\"1\": beta, \"*.test\": local, "
	    "\"~^v(\\\\d+)\": $1}"),
	KEY_MAP(mapping_conf, cidr, conf_type_template,
	    .doc = "Results by the address that the source is: that of the "
	    "smallest network with it.",
	    .example = "{10.0.0.0/8: inside, 10.9.0.0/16: lab}"),
	KEY_MAP(mapping_conf, ranges, conf_type_template,
	    .doc = "Results by the number that the source is, both ends "
	    "included; a fraction is cut off.",
	    .example = "{0-999: small, 1000-: large}"),
	KEY_TEMPLATE(mapping_conf, split,
	    .doc = "In place of source: what decides who is in which of the "
	    "shares. The same text is always in the same one, in every worker "
	    "and after a restart.",
	    .example = "$remote_addr$http_user_agent"),
	KEY_MAP(mapping_conf, shares, conf_type_share,
	    .doc = "How many of all there are get which result, in percent, "
	    "and \"*\" for the rest. Who is in the first stays in it when it "
	    "grows.",
	    .example = "{a: 10%, b: \"*\"}"),
	{.name = "default", .shape = CONF_SCALAR, .type = &conf_type_template,
	 .offset = CONF_OFFSET(mapping_conf, otherwise, struct template *),
	 .doc = "The result where nothing fits; left out, it is empty.",
	 .example = "app"},
	KEY_END
};

static void
mapping_check(struct conf_load *load, void *block)
{
	const struct mapping_conf *c = block;
	const struct conf_map *tables[] = {
		&c->values, &c->cidr, &c->ranges, &c->shares
	};
	bool is_split = c->shares.n > 0 || c->split != NULL;
	size_t n = 0;

	for (size_t i = 0; i < COUNT_OF(tables); i++)
		n += tables[i]->n > 0;
	if (n != 1)
		conf_error(load, conf_block_pos(c), "bad-map",
		    "this map has %s of values, cidr, ranges and shares; it "
		    "needs one", n == 0 ? "none" : "several");
	else if (is_split ? c->split == NULL || c->shares.n == 0 :
	    c->source == NULL)
		conf_error(load, conf_block_pos(c), "missing-key",
		    "this map lacks the key \"%s\"", !is_split ? "source" :
		    c->split == NULL ? "split" : "shares");
	else if (is_split && c->source != NULL)
		conf_error(load, conf_pos_of(c, &c->source), "bad-map",
		    "\"source\" is for values, cidr and ranges; shares are "
		    "split by \"split\"");
}

const struct conf_schema mapping_schema = {
	.name = "map",
	.doc = "A variable of your own: the source is looked up, and what is "
	    "found is the value. That is done once for a request, when it is "
	    "first asked for.",
	.size = sizeof(struct mapping_conf),
	.fields = mapping_fields,
	.check = mapping_check,
	.example =
	    "maps:\n"
	    "  pool: {source: $http_x_beta, values: {\"1\": beta, "
	    "\"~^canary-(\\\\w+)\": $1}, default: app}\n"
	    "  office: {source: $remote_addr, cidr: {10.0.0.0/8: \"1\"}}\n"
	    "  size: {source: $request_length, ranges: {0-999: small, "
	    "1000-: large}}\n"
	    "  variant: {split: $remote_addr$http_user_agent, "
	    "shares: {a: 10%, b: \"*\"}}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    response_headers: {set: {X-Seen: $pool $office $size "
	    "$variant}}\n"
	    "    routes:\n"
	    "      - respond: 204\n",
};

/* ---- by value ---------------------------------------------------------- */

static const struct template *
mapping_result(const struct conf_entry *e)
{
	return *(struct template *const *)e->value;
}

static void
mapping_compile_values(struct conf_load *load, struct mapping *m,
    const struct conf_map *values)
{
	struct arena *a = conf_arena(load);
	struct map *ends = map_new(a, 0);

	m->exact = map_new(a, values->n);
	m->regexes = arena_alloc(a, (values->n + 1) * sizeof *m->regexes);
	for (size_t i = 0; i < values->n; i++) {
		const struct conf_entry *e = &values->entries[i];
		void *result = (void *)mapping_result(e);
		struct regex *regex;
		struct err err = {""};

		if (str_eq(e->key, STR("default")))
			conf_warning(load, e->key_pos, "default-in-values",
			    "this is the value \"default\"; what is found "
			    "where nothing fits stands beside \"values\"");
		if (str_has_prefix(e->key, STR("*."))) {
			map_put(ends, str_slice(e->key, 1, e->key.n), result);
		} else if (!str_has_prefix(e->key, STR("~"))) {
			map_put(m->exact, e->key, result);
		} else if (conf_type_regex.parse(a, e->key, &regex, &err)) {
			m->regexes[m->n_regexes++] = (struct mapping_regex){
				.regex = regex, .result = result
			};
		} else {
			conf_error(load, e->key_pos, "bad-value", "%s",
			    err.text);
		}
	}
	m->ends = affix_set_new(a, AFFIX_SUFFIX, ends);
}

/* ---- by network -------------------------------------------------------- */

static struct mapping_nets *
mapping_nets_of(struct arena *a, struct mapping *m, const struct cidr *net)
{
	size_t i = 0;

	while (i < m->n_nets && (m->nets[i].family != net->family ||
	    m->nets[i].bits != net->bits))
		i++;
	if (i < m->n_nets)
		return &m->nets[i];
	/* Longer ones before it stay there. */
	for (i = m->n_nets++; i > 0 && m->nets[i - 1].bits < net->bits; i--)
		m->nets[i] = m->nets[i - 1];
	m->nets[i] = (struct mapping_nets){
		.family = net->family, .bits = net->bits, .by_ip = map_new(a, 0)
	};
	return &m->nets[i];
}

static void
mapping_compile_cidr(struct conf_load *load, struct mapping *m,
    const struct conf_map *cidr)
{
	struct arena *a = conf_arena(load);

	m->nets = arena_alloc(a, (cidr->n + 1) * sizeof *m->nets);
	for (size_t i = 0; i < cidr->n; i++) {
		const struct conf_entry *e = &cidr->entries[i];
		struct cidr *net = arena_zalloc(a, sizeof *net);
		struct mapping_nets *nets;
		struct err err = {""};

		if (!cidr_parse(e->key, net, &err)) {
			conf_error(load, e->key_pos, "bad-value", "%s",
			    err.text);
			continue;
		}
		nets = mapping_nets_of(a, m, net);
		if (map_put(nets->by_ip, mapping_net_key(net, net->bits),
		        (void *)mapping_result(e)) != NULL)
			conf_error(load, e->key_pos, "duplicate-key",
			    "%.*s stands here already, written in another way",
			    STR_ARG(e->key));
	}
}

/* ---- by range ---------------------------------------------------------- */

/* "1-9", "10-", "-5" or "7". */
static bool
mapping_parse_range(struct str text, struct mapping_range *out)
{
	size_t dash = str_index(text, '-', 0);
	struct str from = str_slice(text, 0, dash);
	struct str to = dash == SIZE_MAX ? from :
	    str_slice(text, dash + 1, text.n);

	out->from = 0;
	out->to = UINT64_MAX;
	if (from.n == 0 && to.n == 0)
		return false;
	return (from.n == 0 || str_to_u64(from, &out->from)) &&
	    (to.n == 0 || str_to_u64(to, &out->to)) && out->from <= out->to;
}

static int
mapping_compare_ranges(const void *a, const void *b)
{
	const struct mapping_range *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static void
mapping_compile_ranges(struct conf_load *load, struct mapping *m,
    const struct conf_map *ranges)
{
	struct mapping_range *r = arena_alloc(conf_arena(load),
	    (ranges->n + 1) * sizeof *r);
	size_t n = 0;

	m->ranges = r;
	for (size_t i = 0; i < ranges->n; i++) {
		const struct conf_entry *e = &ranges->entries[i];

		if (!mapping_parse_range(e->key, &r[n])) {
			conf_error(load, e->key_pos, "bad-value", "\"%.*s\" is "
			    "no range of numbers such as 0-999, 1000- or 7",
			    STR_ARG(e->key));
			continue;
		}
		r[n].entry = e;
		r[n++].result = mapping_result(e);
	}
	m->n_ranges = n;
	qsort(r, n, sizeof *r, mapping_compare_ranges);
	for (size_t i = 1; i < n; i++)
		if (r[i].from <= r[i - 1].to)
			conf_error(load, r[i].entry->key_pos, "bad-value",
			    "the ranges %.*s and %.*s meet",
			    STR_ARG(r[i - 1].entry->key),
			    STR_ARG(r[i].entry->key));
}

/* ---- by share ---------------------------------------------------------- */

static void
mapping_compile_shares(struct conf_load *load, struct mapping *m,
    const struct conf_map *shares)
{
	struct arena *a = conf_arena(load);
	uint64_t until = 0;
	struct str rest = {NULL, 0};

	m->shares = arena_alloc(a, (shares->n + 1) * sizeof *m->shares);
	for (size_t i = 0; i < shares->n; i++) {
		const struct conf_entry *e = &shares->entries[i];
		int64_t part = *(const int64_t *)e->value;

		if (part < 0 && rest.p != NULL)
			conf_error(load, e->key_pos, "bad-value",
			    "%.*s has the rest already", STR_ARG(rest));
		if (part < 0) {
			rest = e->key;
			continue;
		}
		until += (uint64_t)part;
		if (until > MAPPING_WHOLE)
			conf_error(load, e->key_pos, "bad-value",
			    "with this, the shares are more than 100%%");
		m->shares[m->n_shares++] = (struct mapping_share){
			.name = e->key, .until = until
		};
	}
	if (rest.p != NULL)
		m->shares[m->n_shares++] = (struct mapping_share){
			.name = rest, .until = MAPPING_WHOLE
		};
}

/* ---- names ------------------------------------------------------------- */

static struct mapping *
mapping_shell(struct conf_load *load, struct str name)
{
	struct conf_declared *d = conf_declared(load, name);
	struct mapping *m;

	if (d == NULL)
		return NULL;
	if (d->made == NULL) {
		m = arena_zalloc(conf_arena(load), sizeof *m);
		m->name = d->name;
		d->made = m;
	}
	return d->made;
}

const struct mapping *
mapping_declared(struct conf_load *load, struct str name)
{
	struct mapping *m = mapping_shell(load, name);

	if (m != NULL)
		m->is_used = true;
	return m;
}

static bool
mapping_check_name(struct conf_load *load, const struct conf_entry *e)
{
	struct variable_arg arg;
	const struct variable *v = variable_find(conf_arena(load), e->key,
	    &arg);
	bool is_good = e->key.n > 0;

	for (size_t i = 0; i < e->key.n; i++) {
		char c = e->key.p[i], low = chr_lower(c);

		is_good &= (low >= 'a' && low <= 'z') || c == '_' ||
		    (i > 0 && c >= '0' && c <= '9');
	}
	if (!is_good)
		conf_error(load, e->key_pos, "bad-name", "\"%.*s\" is not the "
		    "name of a variable: letters, digits and _, not first a "
		    "digit", STR_ARG(e->key));
	else if (v != NULL)
		conf_error(load, e->key_pos, "bad-name", "there is a variable "
		    "$%.*s already; give yours another name", STR_ARG(e->key));
	return is_good && v == NULL;
}

/* ---- all of them ------------------------------------------------------- */

static void
mapping_compile(struct conf_load *load, struct mapping *m,
    const struct mapping_conf *c)
{
	m->source = c->split != NULL ? c->split : c->source;
	m->otherwise = c->otherwise;
	if (c->values.n > 0) {
		m->kind = MAPPING_VALUES;
		mapping_compile_values(load, m, &c->values);
	} else if (c->cidr.n > 0) {
		m->kind = MAPPING_CIDR;
		mapping_compile_cidr(load, m, &c->cidr);
	} else if (c->ranges.n > 0) {
		m->kind = MAPPING_RANGES;
		mapping_compile_ranges(load, m, &c->ranges);
	} else {
		m->kind = MAPPING_SHARES;
		mapping_compile_shares(load, m, &c->shares);
	}
}

/* Looks for mappings that need each other, depth first. */
struct mapping_walk {
	struct conf_load *load;
	const struct conf_map *maps;
	/* By index: how many are needed in a row, it included. */
	size_t *depths;
};
#define WALK_NEW 0
#define WALK_OPEN SIZE_MAX

static size_t mapping_walk(struct mapping_walk *w, size_t i);

/* The greatest depth of those that TP needs for I. */
static size_t
mapping_walk_template(struct mapping_walk *w, size_t i,
    const struct template *tp)
{
	const struct mapping *m;
	size_t most = 0;

	for (size_t k = 0; tp != NULL &&
	    (m = template_mapping(tp, k)) != NULL; k++) {
		size_t depth = mapping_walk(w, m->index);

		if (depth == WALK_OPEN)
			conf_error(w->load, w->maps->entries[i].key_pos,
			    "circular-map", "$%.*s needs $%.*s, which needs "
			    "it", STR_ARG(w->maps->entries[i].key),
			    STR_ARG(m->name));
		else if (depth > most)
			most = depth;
	}
	return most;
}

static size_t
mapping_walk(struct mapping_walk *w, size_t i)
{
	const struct mapping_conf *c = w->maps->entries[i].value;
	const struct conf_map *tables[] = {&c->values, &c->cidr, &c->ranges};
	const struct template *own[] = {c->source, c->split, c->otherwise};
	size_t most = 0, depth;

	if (w->depths[i] != WALK_NEW)
		return w->depths[i];
	w->depths[i] = WALK_OPEN;
	for (size_t k = 0; k < COUNT_OF(own); k++) {
		depth = mapping_walk_template(w, i, own[k]);
		most = depth > most ? depth : most;
	}
	for (size_t k = 0; k < COUNT_OF(tables); k++)
		for (size_t n = 0; n < tables[k]->n; n++) {
			depth = mapping_walk_template(w, i,
			    mapping_result(&tables[k]->entries[n]));
			most = depth > most ? depth : most;
		}
	if (most == MAPPING_DEPTH)
		conf_error(w->load, w->maps->entries[i].key_pos,
		    "circular-map", "$%.*s needs maps that need maps, more "
		    "than %d in a row", STR_ARG(w->maps->entries[i].key),
		    MAPPING_DEPTH);
	w->depths[i] = most + 1;
	return w->depths[i];
}

void
mappings_compile(struct conf_load *load, const struct conf_map *maps)
{
	struct arena *a = conf_arena(load);
	size_t *count = arena_alloc(a, sizeof *count);
	struct mapping_walk walk = {
		.load = load, .maps = maps,
		.depths = arena_zalloc(a, (maps->n + 1) * sizeof *walk.depths)
	};

	*count = maps->n;
	for (size_t i = 0; i < maps->n; i++) {
		const struct conf_entry *e = &maps->entries[i];
		struct mapping *m = mapping_shell(load, e->key);

		m->index = i;
		m->count = count;
		if (mapping_check_name(load, e))
			mapping_compile(load, m, e->value);
	}
	for (size_t i = 0; i < maps->n; i++)
		(void)mapping_walk(&walk, i);
}

void
mappings_lint(struct conf_load *load, const struct conf_map *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		if (!mapping_shell(load, maps->entries[i].key)->is_used)
			conf_warning(load, maps->entries[i].key_pos,
			    "unused-map", "nothing asks for $%.*s",
			    STR_ARG(maps->entries[i].key));
}
