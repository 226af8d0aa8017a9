/*
 * query: the request's query is edited, parameter by parameter. Those that are
 * not meant stay byte for byte as the client wrote them, in their order; a
 * query that nothing is done to is not touched at all.
 */
#include "http/query.h"
#include "http/template.h"
#include "modules/modules.h"

struct query_conf {
	struct conf_map set;           /* struct template *, by name */
	struct conf_list remove, keep; /* char * */
	bool keeps_some;               /* "keep" was given; by query_prepare */
};

static const struct conf_field query_fields[] = {
	KEY_LIST(query_conf, keep, conf_type_str,
	    .doc = "The parameters that stay; all others are dropped. "
	    "[]: none stays. A name that ends in * means all that begin so. "
	    "Names are compared decoded.",
	    .example = "[page, sort]"),
	KEY_LIST(query_conf, remove, conf_type_str,
	    .doc = "Parameters that are dropped; names as in keep.",
	    .example = "[utm_*, fbclid]"),
	KEY_MAP(query_conf, set, conf_type_template,
	    .doc = "Parameters by name, with their value, decoded: they stand "
	    "in place of those of that name, or at the end. One whose value "
	    "is empty is dropped. Applied after keep and remove.",
	    .example = "{lang: $cookie_lang}"),
	KEY_END
};

static const struct conf_schema query_schema = {
	.name = "query",
	.doc = "Edits queries before requests are answered. $args and "
	    "$arg_NAME are those of the edited one; $request_uri stays.",
	.size = sizeof(struct query_conf),
	.fields = query_fields,
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    query: {remove: [utm_*, fbclid]}\n"
	    "    routes:\n"
	    "      - path: /search\n"
	    "        query: {keep: [q, page], set: {lang: $cookie_lang}}\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - files: /srv/www\n",
};

static void
query_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct query_conf *c = conf;

	(void)load;
	(void)g;
	/* An empty list, too, and one of an outer level. */
	c->keeps_some = c->keep.pos != NULL;
}

/* ---- requests ---------------------------------------------------------- */

static bool
query_is_listed(const struct conf_list *list, struct str name)
{
	for (CONF_EACH(char *, item, list)) {
		struct str text = str_from(*item);

		if (str_has_suffix(text, STR("*")) ?
		    query_has_prefix(name, str_slice(text, 0, text.n - 1)) :
		    query_eq(name, text))
			return true;
	}
	return false;
}

/* Which of SET has this name; SIZE_MAX: none. */
static size_t
query_find_set(const struct conf_map *set, struct str name)
{
	for (size_t i = 0; i < set->n; i++)
		if (query_eq(name, set->entries[i].key))
			return i;
	return SIZE_MAX;
}

static void
query_put_between(struct buf *out)
{
	if (out->n > 0)
		buf_chr(out, '&');
}

static void
query_put_set(const struct conf_entry *e, struct txn *t, struct buf *out)
{
	struct template *value = *(struct template **)e->value;
	size_t before = out->n, from;

	query_put_between(out);
	query_encode(out, e->key);
	buf_chr(out, '=');
	from = out->n;
	template_write(value, t, out, ESCAPE_QUERY_VALUE);
	if (out->n == from)
		out->n = before;
}

/* The parameters of the client's query that stay, in their order, with values
 * that are set in their places; DONE notes these. */
static void
query_put_kept(const struct query_conf *c, struct txn *t, bool *done,
    struct buf *out)
{
	struct str rest = t->req.target.query, pair, name;

	while (query_next(&rest, &pair, &name)) {
		size_t i = query_find_set(&c->set, name);

		if (i != SIZE_MAX) {
			if (!done[i])
				query_put_set(&c->set.entries[i], t, out);
			done[i] = true;
			continue;
		}
		if ((c->keeps_some && !query_is_listed(&c->keep, name)) ||
		    query_is_listed(&c->remove, name))
			continue;
		query_put_between(out);
		buf_str(out, pair);
	}
}

static enum verdict
query_step(struct txn *t, const void *conf)
{
	const struct query_conf *c = conf;
	struct buf out = buf_in(t->arena);
	bool *done;

	if (t->req.target.form == TARGET_ASTERISK ||
	    (t->req.target.query.n == 0 && c->set.n == 0))
		return STEP_NEXT;
	done = arena_zalloc(t->arena, c->set.n + 1);
	query_put_kept(c, t, done, &out);
	for (size_t i = 0; i < c->set.n; i++)
		if (!done[i])
			query_put_set(&c->set.entries[i], t, &out);
	if (!str_eq(buf_view(&out), t->req.target.query))
		txn_rewrite_query(t, out.n > 0 ? buf_view(&out) :
		    str_of(NULL, 0));
	return STEP_NEXT;
}

const struct module query_module = {
	.name = "query",
	.phase = PHASE_REWRITE,
	.levels = LEVEL_SITE | LEVEL_ROUTE,
	.schema = &query_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Parameters of the query that are set, dropped or kept.",
	.prepare = query_prepare,
	.step = query_step,
};
