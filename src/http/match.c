/*
 * Matches: conditions on a request that are no path. They are evaluated as they
 * were loaded, against the head as it was sent; nothing is allocated, unless a
 * regular expression has to see a query's value decoded or a variable is asked.
 */
#include "http/match.h"

#include "http/query.h"
#include "http/template.h"
#include "net/addr.h"

/* ---- rows -------------------------------------------------------------- */

static const char *const match_schemes[] = {
	[MATCH_ANY] = "any", [MATCH_HTTP] = "http", [MATCH_HTTPS] = "https",
	NULL
};

static const struct conf_field match_fields[] = {
	KEY_LIST(match_conf, method, conf_type_str,
	    .doc = "The request's method is one of these. GET means HEAD as "
	    "well, since whoever answers the one must answer the other.",
	    .example = "[GET, POST]"),
	KEY_MAP(match_conf, header, conf_type_value_pattern,
	    .doc = "By name: a field of the request has this value, or, after "
	    "~, one in which the regular expression is found. Of several "
	    "fields with that name, one is enough.",
	    .example = "{X-Beta: \"1\", User-Agent: \"~^curl/\"}"),
	KEY_MAP(match_conf, query, conf_type_value_pattern,
	    .doc = "By name: a parameter of the query has this value, or one "
	    "in which the regular expression is found. Names and values are "
	    "compared decoded, once, with + as a space.",
	    .example = "{v: \"~^2\"}"),
	KEY_MAP(match_conf, cookie, conf_type_value_pattern,
	    .doc = "By name: a cookie has this value, or one in which the "
	    "regular expression is found.",
	    .example = "{beta: \"1\"}"),
	KEY_CHOICE(match_conf, scheme, match_schemes, .dflt = "any",
	    .doc = "Whether the client speaks TLS to us."),
	KEY_LIST(match_conf, client, conf_type_cidr,
	    .doc = "The client's address is one of these, or in one of these "
	    "networks; unix: means those that come by a unix socket.",
	    .example = "[10.0.0.0/8, 2001:db8::/32]"),
	KEY_MAP(match_conf, variable, conf_type_value_pattern,
	    .doc = "By a string with variables: its value for the request is "
	    "this, or one in which the regular expression is found. What is "
	    "not known before the route is chosen ($1, $status) is empty.",
	    .example = "{$ssl_client_verify: SUCCESS, $pool: \"~^beta\"}"),
	KEY_BLOCKS(match_conf, any, match_schema,
	    .doc = "One of these must hold, each a match of its own.",
	    .example = "[{client: 10.0.0.0/8}, {header: {X-Key: \"1\"}}]"),
	KEY_BLOCKS(match_conf, all, match_schema,
	    .doc = "All of these must hold, each a match of its own."),
	KEY_BLOCKS(match_conf, not, match_schema,
	    .doc = "None of these may hold, each a match of its own.",
	    .example = "{method: [GET, POST]}"),
	KEY_END
};

static struct conf_pos
match_method_pos(const struct match_conf *m, size_t i)
{
	return m->method.pos != NULL ? m->method.pos[i] :
	    conf_pos_of(m, &m->method);
}

static void
match_check_method(struct conf_load *load, const struct match_conf *m,
    size_t i)
{
	const char *name = CONF_ITEM(&m->method, char *, i);
	char *upper = arena_strdup(conf_arena(load), name);

	if (!field_token_is_valid(str_from(name))) {
		conf_error(load, match_method_pos(m, i), "bad-method",
		    "\"%s\" is not a method: a word such as GET", name);
		return;
	}
	for (char *p = upper; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	if (strcmp(upper, name) != 0)
		conf_error(load, match_method_pos(m, i), "bad-method",
		    "methods are written in upper case; did you mean \"%s\"?",
		    upper);
}

static void
match_check_names(struct conf_load *load, const struct conf_map *map,
    const char *what)
{
	for (size_t i = 0; i < map->n; i++)
		if (!field_token_is_valid(map->entries[i].key))
			conf_error(load, map->entries[i].key_pos, "bad-name",
			    "\"%.*s\" is not the name of a %s",
			    STR_ARG(map->entries[i].key), what);
}

static void
match_compile_variables(struct conf_load *load, struct match_conf *m)
{
	m->variables = arena_zalloc(conf_arena(load),
	    (m->variable.n + 1) * sizeof(struct template *));
	for (size_t i = 0; i < m->variable.n; i++) {
		const struct conf_entry *e = &m->variable.entries[i];
		struct err err = {""};

		m->variables[i] = template_load(load, e->key, &err);
		if (m->variables[i] == NULL)
			conf_error(load, e->key_pos, "bad-variable", "%s",
			    err.text);
		else if (template_is_constant(m->variables[i]))
			conf_error(load, e->key_pos, "bad-variable",
			    "\"%.*s\" has no variable in it; did you mean "
			    "\"$%.*s\"?", STR_ARG(e->key), STR_ARG(e->key));
	}
}

static void
match_check(struct conf_load *load, void *block)
{
	struct match_conf *m = block;

	match_compile_variables(load, m);

	for (size_t i = 0; i < m->method.n; i++)
		match_check_method(load, m, i);
	match_check_names(load, &m->header, "header field");
	match_check_names(load, &m->cookie, "cookie");
}

const struct conf_schema match_schema = {
	.name = "match",
	.doc = "What a request must be besides its path. All of it must hold.",
	.size = sizeof(struct match_conf),
	.fields = match_fields,
	.check = match_check,
};

/* ---- conditions -------------------------------------------------------- */

static bool
match_query_value(const struct value_pattern *v, struct str value,
    struct txn *t)
{
	if (v->regex == NULL)
		return query_eq(value, v->text);
	return value_pattern_matches(v, query_decode(t->arena, value));
}

static bool
match_query(const struct conf_entry *e, struct txn *t)
{
	struct str rest = t->req.target.query, pair, name;

	while (query_next(&rest, &pair, &name))
		if (query_eq(name, e->key) &&
		    match_query_value(e->value, query_value(pair), t))
			return true;
	return false;
}

static bool
match_header(const struct conf_entry *e, struct txn *t)
{
	HEAD_EACH(f, &t->req.head) {
		if (str_case_eq(f->name, e->key) &&
		    value_pattern_matches(e->value, f->value))
			return true;
	}
	return false;
}

static bool
match_cookie(const struct conf_entry *e, struct txn *t)
{
	HEAD_EACH(f, &t->req.head) {
		struct str value;

		if (f->id != FIELD_COOKIE)
			continue;
		value = field_cookie(f->value, e->key);
		if (value.p != NULL && value_pattern_matches(e->value, value))
			return true;
	}
	return false;
}

static bool
match_every(const struct conf_map *map, struct txn *t,
    bool (*holds)(const struct conf_entry *e, struct txn *t))
{
	for (size_t i = 0; i < map->n; i++)
		if (!holds(&map->entries[i], t))
			return false;
	return true;
}

/* RFC 9110 section 9.3.2: HEAD is GET without the content. */
static bool
match_method(const struct conf_list *methods, const struct txn *t)
{
	for (CONF_EACH(char *, name, methods)) {
		if (str_eq(str_from(*name), t->req.method_name))
			return true;
		if (t->req.method == METHOD_HEAD && strcmp(*name, "GET") == 0)
			return true;
	}
	return methods->n == 0;
}

static bool
match_client(const struct conf_list *networks, const struct txn *t)
{
	for (CONF_EACH(struct cidr, c, networks))
		if (cidr_contains(c, txn_peer(t)))
			return true;
	return networks->n == 0;
}

static bool
match_scheme(int scheme, const struct txn *t)
{
	return scheme == MATCH_ANY ||
	    (scheme == MATCH_HTTPS) == t->req.is_https;
}

static bool
match_variables(const struct match_conf *m, struct txn *t)
{
	for (size_t i = 0; i < m->variable.n; i++)
		if (!value_pattern_matches(m->variable.entries[i].value,
		        template_eval(m->variables[i], t)))
			return false;
	return true;
}

static bool
match_all(const struct conf_list *list, struct txn *t)
{
	for (CONF_EACH(struct match_conf *, m, list))
		if (!match_holds(*m, t))
			return false;
	return true;
}

static bool
match_some(const struct conf_list *list, struct txn *t)
{
	for (CONF_EACH(struct match_conf *, m, list))
		if (match_holds(*m, t))
			return true;
	return false;
}

/* What costs least is asked first. */
bool
match_holds(const struct match_conf *m, struct txn *t)
{
	return match_scheme(m->scheme, t) && match_method(&m->method, t) &&
	    match_client(&m->client, t) &&
	    match_every(&m->header, t, match_header) &&
	    match_every(&m->cookie, t, match_cookie) &&
	    match_every(&m->query, t, match_query) &&
	    match_variables(m, t) && match_all(&m->all, t) &&
	    (m->any.n == 0 || match_some(&m->any, t)) &&
	    !match_some(&m->not, t);
}
