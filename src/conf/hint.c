/*
 * Hints: the words of messages about what was expected, what was found and
 * what was probably meant. Runs only when something is wrong, so it may look
 * through the whole schema.
 */
#include "conf/run.h"

/* ---- expected ---------------------------------------------------------- */

static const char *
expect_choices(struct conf_load *load, const char *const *choices)
{
	struct buf b = buf_in(load->arena);

	for (size_t i = 0; choices[i] != NULL; i++) {
		if (i > 0)
			buf_z(&b, choices[i + 1] == NULL ? " or " : ", ");
		buf_z(&b, choices[i]);
	}
	buf_chr(&b, '\0');
	return b.p;
}

/* The keys of a schema, MOST of them at most. */
static const char *
expect_keys(struct conf_load *load, const struct conf_schema *schema,
    size_t most)
{
	struct buf b = buf_in(load->arena);
	struct row_walk w = {.schema = schema};

	for (size_t n = 0; row_next(&w) && n <= most; n++) {
		if (n > 0)
			buf_z(&b, ", ");
		buf_z(&b, n < most ? w.row->name : "...");
	}
	buf_chr(&b, '\0');
	return b.p;
}

static const char *
expect_map(struct conf_load *load, const struct conf_schema *schema)
{
	return arena_printf(load->arena, "a map with %s",
	    expect_keys(load, schema, 5));
}

/* What a block may be besides a map: the value of the one key that its schema
 * names. */
static const char *
expect_short(struct conf_load *load, const struct conf_schema *schema)
{
	struct row_walk w;

	if (schema->shorthand == NULL ||
	    !row_find(schema, str_from(schema->shorthand), &w))
		return expect_map(load, schema);
	if (w.row->schema == NULL)
		return arena_printf(load->arena, "%s, or %s",
		    expect_item(load, w.row), expect_map(load, schema));
	return arena_printf(load->arena, "%s, or %s for its \"%s\"",
	    expect_map(load, schema), w.row->shape == CONF_LIST ? "a list" :
	    "a value", w.row->name);
}

const char *
expect_item(struct conf_load *load, const struct conf_field *row)
{
	if (row->choices != NULL)
		return expect_choices(load, row->choices);
	if (row->schema == NULL)
		return row->type->expected != NULL ? row->type->expected :
		    arena_printf(load->arena, "a %s", row->type->name);
	return arena_printf(load->arena, "%s%s",
	    expect_short(load, row->schema),
	    row->flags & CONF_CAN_BE_ON ? ", on or off" :
	    row->flags & CONF_CAN_BE_OFF ? ", or off" : "");
}

const char *
expect_name(struct conf_load *load, const struct conf_field *row)
{
	return load->short_for != NULL ? load->short_for->name : row->name;
}

const char *
expect_value(struct conf_load *load, const struct conf_field *row)
{
	return load->short_for != NULL ? expect_item(load, load->short_for) :
	    expect_item(load, row);
}

const char *
expect_row(struct conf_load *load, const struct conf_field *row)
{
	switch (row->shape) {
	case CONF_SCALAR:
	case CONF_CHOICE:
	case CONF_BLOCK:
		break;
	case CONF_LIST:
		return arena_printf(load->arena, "a list; each item %s",
		    expect_item(load, row));
	case CONF_MAP:
		return arena_printf(load->arena,
		    "a map from names to values; each value %s%s",
		    row->flags & CONF_OF_LISTS ? "a list; each item " : "",
		    expect_item(load, row));
	}
	return expect_item(load, row);
}

const char *
expect_found(struct conf_load *load, const struct node *node)
{
	enum { SHOWN = 60 };
	struct str text = node->text;
	size_t line;

	if (node->kind == NODE_LIST)
		return "a list";
	if (node->kind == NODE_MAP)
		return "a map";
	if (node_is_empty(node))
		return "nothing";
	line = str_index(text, '\n', 0);
	if (text.n <= SHOWN && line == SIZE_MAX)
		return arena_printf(load->arena, "\"%.*s\"%s", STR_ARG(text),
		    text.n > 1 && text.p[text.n - 1] == ';' && !node->is_quoted
		    ? " (no \";\" ends a value in YAML)" : "");
	text.n = line < SHOWN ? line : SHOWN;
	while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	return arena_printf(load->arena, "\"%.*s...\"", STR_ARG(text));
}

void
expect_report(struct conf_load *load, const struct conf_field *row,
    const char *expected, const struct node *node, struct conf_pos key_pos)
{
	bool is_empty = node_is_empty(node);

	/* Nothing stands nowhere: the key is the better place. */
	conf_error(load, is_empty && key_pos.line != 0 ? key_pos : node->pos,
	    is_empty ? "empty-value" : "wrong-shape",
	    "\"%s\": expected %s, found %s", expect_name(load, row), expected,
	    expect_found(load, node));
}

/* ---- meant ------------------------------------------------------------- */

/* Lower case, with "_" for "-": what operators of other servers type. */
static struct str
hint_fold(struct conf_load *load, struct str s)
{
	char *p = arena_memdup(load->arena, s.p, s.n);

	for (size_t i = 0; i < s.n; i++)
		p[i] = p[i] == '-' ? '_' : chr_lower(p[i]);
	return str_of(p, s.n);
}

/* The name that is close enough to WHAT to be what was meant, or NULL. */
static const char *
hint_closest(struct conf_load *load, struct str what,
    const char *const *names, size_t n, size_t *distance)
{
	enum { LONGEST = 64 }; /* distances cost the product of the lengths */
	const char *best = NULL;

	if (what.n == 0 || what.n > LONGEST)
		return NULL;
	what = hint_fold(load, what);
	*distance = 1 + what.n / 4;
	for (size_t i = 0; i < n; i++) {
		struct str name = str_from(names[i]);
		size_t d;

		if (name.n > LONGEST || name.n + *distance < what.n ||
		    what.n + *distance < name.n)
			continue;
		d = str_distance(what, hint_fold(load, name));
		if (d > *distance || (best != NULL && d == *distance) ||
		    d >= what.n || d >= name.n)
			continue;
		*distance = d;
		best = names[i];
	}
	return best;
}

const char *
conf_suggest(struct conf_load *load, struct str what,
    const char *const *names, size_t n)
{
	size_t distance;
	const char *best = hint_closest(load, what, names, n, &distance);

	return best == NULL ? "" :
	    arena_printf(load->arena, "; did you mean \"%s\"?", best);
}

/* The schemas that can be reached from another, each once. */
struct hint_search {
	const struct conf_schema *seen[128];
	size_t n, at;
};

static void
hint_reach(struct hint_search *s, const struct conf_schema *schema)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->seen[i] == schema)
			return;
	if (s->n < COUNT_OF(s->seen))
		s->seen[s->n++] = schema;
}

/* The nearest schema below FROM, level by level, that has KEY. */
static const struct conf_schema *
hint_owner(const struct conf_schema *from, struct str key)
{
	struct hint_search s = {.seen = {from}, .n = 1};

	for (; s.at < s.n; s.at++) {
		struct row_walk w;

		if (row_find(s.seen[s.at], key, &w))
			return s.seen[s.at];
		w = (struct row_walk){.schema = s.seen[s.at]};
		while (row_next(&w))
			if (w.row->schema != NULL)
				hint_reach(&s, w.row->schema);
	}
	return NULL;
}

/* What another server's word means here, or NULL. */
static const char *
hint_foreign(const struct conf_load *load, const struct conf_schema *schema,
    struct str key)
{
	const struct conf_foreign *f =
	    load->root_schema != NULL ? load->root_schema->foreign : NULL;

	for (; f != NULL && f->word != NULL; f++)
		if (str_case_eq(key, str_from(f->word)) && (f->in == NULL ||
		    strcmp(f->in, schema->name) == 0))
			return f->advice;
	return NULL;
}

/* The key that was meant, if it is a slip of the finger. */
static const char *
hint_meant(struct conf_load *load, const struct conf_schema *schema,
    const struct conf_schema *owner, struct str key)
{
	const char *names[256], *best;
	struct row_walk w = {.schema = schema};
	size_t n = 0, distance = 0;

	while (n < COUNT_OF(names) && row_next(&w))
		names[n++] = w.row->name;
	best = hint_closest(load, key, names, n, &distance);
	/* A slip of the finger is likelier than a wrong section; a wrong
	 * section is likelier than two slips. */
	return owner == NULL || distance <= 1 ? best : NULL;
}

/* Who knows KEY, if that is not this schema; or which keys this one has. */
static const char *
hint_place(struct conf_load *load, const struct conf_schema *schema,
    const struct conf_schema *owner, const char *key)
{
	enum { KEYS_MAX = 12 };
	struct row_walk w = {.schema = schema};
	size_t n = 0;

	if (owner != NULL && owner == load->root_schema)
		return arena_printf(load->arena,
		    "; %s belongs at the top of the file", key);
	if (owner != NULL)
		return arena_printf(load->arena, "; %s belongs in %s", key,
		    owner->name);
	while (row_next(&w))
		n++;
	return n > KEYS_MAX ? ", see weir.yaml(5)" :
	    arena_printf(load->arena, ", which may have %s",
	    expect_keys(load, schema, KEYS_MAX));
}

const char *
hint_unknown_key(struct conf_load *load, const struct conf_schema *schema,
    const struct node_pair *pair)
{
	struct node shown = {.kind = NODE_SCALAR, .text = pair->key,
	    .is_quoted = true};
	const struct conf_schema *owner;
	const char *key, *advice, *meant;

	if (diag_is_full(load)) {
		conf_error(load, pair->pos, "unknown-key", "unknown key");
		return NULL;
	}
	key = expect_found(load, &shown);
	if (str_has_prefix(pair->key, STR("-"))) {
		conf_error(load, pair->pos, "unknown-key", "unknown key %s; a "
		    "blank is missing after the \"-\" of a list item", key);
		return NULL;
	}
	advice = hint_foreign(load, schema, pair->key);
	if (advice != NULL) {
		conf_error(load, pair->pos, "unknown-key",
		    "unknown key %s in this %s; %s", key, schema->name, advice);
		return NULL;
	}
	owner = hint_owner(schema, pair->key);
	if (owner == NULL && load->root_schema != NULL)
		owner = hint_owner(load->root_schema, pair->key);
	meant = hint_meant(load, schema, owner, pair->key);
	if (meant != NULL)
		conf_error(load, pair->pos, "unknown-key",
		    "unknown key %s; did you mean \"%s\"?", key, meant);
	else
		conf_error(load, pair->pos, "unknown-key",
		    "unknown key %s in this %s%s", key, schema->name,
		    hint_place(load, schema, owner, key));
	return meant;
}
