/*
 * The loader: walks a tree along a schema and makes the structs. It changes
 * nothing outside its arena. A mistake in one key is reported and the key is
 * left at its default; whoever asked looks at conf_errors before using
 * anything.
 */
#include "base/panic.h"
#include "conf/run.h"

/* The blocks around the one that is loaded: a required key may come from
 * them. */
struct scope {
	const struct scope *outer;
	const struct block *block;
	unsigned depth;
	/* Keys that are missing because they are misspelt. */
	const char *misspelt[4];
	size_t n_misspelt;
};

/* What is loaded now: a row of a block. */
struct place {
	struct conf_load *load;
	const struct scope *scope;
	const struct conf_field *row;
	struct conf_pos key_pos;
};

static void *load_block(const struct place *at,
    const struct conf_schema *schema, const struct node *node,
    struct conf_pos pos);

struct conf_load *
conf_load_new(struct arena *a, struct conf_source *source)
{
	struct conf_load *load = arena_zalloc(a, sizeof *load);

	load->magic = CONF_LOAD_MAGIC;
	load->arena = a;
	load->source = source;
	load->extras = map_new(a, 64);
	load->defaults = map_new(a, 64);
	load->declared_by_name = map_new(a, 16);
	return load;
}

struct arena *
conf_arena(struct conf_load *load)
{
	return load->arena;
}

struct conf_source *
conf_source_of(struct conf_load *load)
{
	return load->source;
}

bool
conf_read(struct conf_load *load, struct conf_pos pos, const char *path,
    struct str *out)
{
	struct err e = {""};

	if (load->source->read(load->source, path, load->arena, out, &e))
		return true;
	conf_error(load, pos, "cannot-read", "%s", e.text);
	return false;
}

/* ---- declared names ---------------------------------------------------- */

struct conf_declared *
conf_declared(struct conf_load *load, struct str name)
{
	return map_get(load->declared_by_name, name);
}

struct conf_declared *
conf_declared_at(struct conf_load *load, size_t i)
{
	return i < load->n_declared ? load->declared[i] : NULL;
}

static void
load_declare_name(struct conf_load *load, struct str name)
{
	struct conf_declared *d;

	if (map_get(load->declared_by_name, name) != NULL)
		return;
	d = arena_zalloc(load->arena, sizeof *d);
	d->name = arena_str(load->arena, name);
	map_put(load->declared_by_name, d->name, d);
	load->declared[load->n_declared++] = d;
}

/* The names that ROOT declares, whatever is wrong with what they stand for. */
static void
load_declare(struct conf_load *load, const struct conf_schema *schema,
    const struct node *root)
{
	struct row_walk w;

	for (size_t i = 0; root->kind == NODE_MAP && i < root->map.n; i++) {
		const struct node_pair *pair = &root->map.pairs[i];

		if (!row_find(schema, pair->key, &w) ||
		    (w.row->flags & CONF_DECLARES) == 0 ||
		    pair->value->kind != NODE_MAP)
			continue;
		ASSERT(load->declared == NULL);
		load->declared = arena_alloc(load->arena,
		    (pair->value->map.n + 1) * sizeof *load->declared);
		for (size_t k = 0; k < pair->value->map.n; k++)
			load_declare_name(load, pair->value->map.pairs[k].key);
	}
}

/* ---- values ------------------------------------------------------------ */

static bool
load_wrong_shape(const struct place *at, const struct node *node)
{
	expect_report(at->load, at->row, expect_row(at->load, at->row), node,
	    at->key_pos);
	return false;
}

/* One item: a scalar's bytes or a pointer to a block, at OUT. */
static bool
load_item(const struct place *at, const struct node *node,
    struct conf_pos pos, void *out, const char **text)
{
	void *block;

	if (at->row->schema == NULL)
		return scalar_load(at->load, at->row, node, at->key_pos, out,
		    text);
	block = load_block(at, at->row->schema, node, pos);
	memcpy(out, &block, sizeof block);
	return block != NULL;
}

static size_t
load_item_size(const struct conf_field *row)
{
	return row->schema != NULL ? sizeof(void *) : row->type->size;
}

/* A list, or one value as a list of one. */
static bool
load_list(const struct place *at, const struct node *node,
    struct conf_list *out)
{
	struct arena *a = at->load->arena;
	const struct node *const *items = &node;
	size_t size = load_item_size(at->row), n = 1;
	struct conf_pos *places;
	bool is_good = true;

	if (node->kind == NODE_LIST) {
		items = (const struct node *const *)node->list.items;
		n = node->list.n;
	} else if (node_is_empty(node) ||
	    (node->kind == NODE_MAP && at->row->schema == NULL) ||
	    (node->kind == NODE_SCALAR && at->row->schema != NULL &&
	    at->row->schema->shorthand == NULL)) {
		return load_wrong_shape(at, node);
	}
	places = list_places(a, n);
	*out = (struct conf_list){
		.n = n, .items = arena_zalloc(a, n * size), .pos = places
	};
	const char **texts = list_texts(out);

	for (size_t i = 0; i < n; i++) {
		places[i] = items[i]->pos;
		is_good &= load_item(at, items[i], items[i]->pos,
		    (char *)out->items + i * size, &texts[i]);
	}
	/* A list with holes helps nobody; the mistake is reported. */
	if (!is_good)
		*out = (struct conf_list){0};
	return is_good;
}

static bool
load_entry(const struct place *at, const struct node_pair *pair,
    struct conf_entry *out)
{
	struct conf_load *load = at->load;
	size_t size = load_item_size(at->row);
	struct place inner = *at;
	struct kept_value *kept;
	void *block;

	inner.key_pos = pair->pos;
	if (interpolate_wants(pair->key)) {
		conf_error(load, pair->pos, "bad-variable",
		    "${env:} and ${file:} can stand in values, not in keys");
		return false;
	}
	*out = (struct conf_entry){
		.key = arena_str(load->arena, pair->key),
		.key_pos = pair->pos, .pos = pair->value->pos
	};
	if (at->row->flags & CONF_OF_LISTS) {
		out->value = arena_zalloc(load->arena,
		    sizeof(struct conf_list));
		return load_list(&inner, pair->value, out->value);
	}
	if (at->row->schema != NULL) {
		block = load_block(&inner, at->row->schema, pair->value,
		    pair->pos);
		out->value = block;
		return block != NULL;
	}
	kept = arena_zalloc(load->arena, sizeof *kept + size);
	out->value = kept->value;
	return load_item(&inner, pair->value, pair->pos, kept->value,
	    &kept->text);
}

static bool
load_map(const struct place *at, const struct node *node, struct conf_map *out)
{
	bool is_good = true;

	if (node->kind != NODE_MAP)
		return load_wrong_shape(at, node);
	out->entries = arena_alloc(at->load->arena,
	    (node->map.n + 1) * sizeof *out->entries);
	for (size_t i = 0; i < node->map.n; i++) {
		if (load_entry(at, &node->map.pairs[i], &out->entries[out->n]))
			out->n++;
		else
			is_good = false;
	}
	return is_good;
}

static void
load_value(const struct place *at, const struct node *node, void *out,
    const char **text)
{
	void *block;

	switch (at->row->shape) {
	case CONF_SCALAR:
		if (!scalar_load(at->load, at->row, node, at->key_pos, out,
		    text))
			memset(out, 0, at->row->type->size);
		break;
	case CONF_CHOICE:
		scalar_load_choice(at->load, at->row, node, at->key_pos, out);
		break;
	case CONF_BLOCK:
		block = load_block(at, at->row->schema, node, at->key_pos);
		memcpy(out, &block, sizeof block);
		break;
	case CONF_LIST:
		load_list(at, node, out);
		break;
	case CONF_MAP:
		load_map(at, node, out);
		break;
	}
}

/* ---- rows -------------------------------------------------------------- */

static void
load_row(struct conf_load *load, const struct scope *scope,
    const struct row_walk *w, const struct node_pair *pair)
{
	struct block *b = (struct block *)scope->block;
	struct place at = {
		.load = load, .scope = scope, .row = w->row,
		.key_pos = pair->pos
	};
	const struct conf_file *f = file_of(load, pair->value->pos);
	const char *text = NULL;

	load_value(&at, pair->value, b->data + w->offset, &text);
	block_add_mark(load, b, (struct mark){
		.row = w->row, .offset = (uint32_t)w->offset,
		.origin = f->is_override ? ORIGIN_OVERRIDE : ORIGIN_FILE,
		.pos = node_is_empty(pair->value) ? pair->pos :
		    pair->value->pos,
		.text = text
	});
}

/* The entries of a map that has no key of its own, as if it had one. */
static void
load_numbered(struct conf_load *load, const struct scope *scope,
    const struct node *node)
{
	const struct conf_schema *schema = scope->block->schema;
	struct node map = { .kind = NODE_MAP };
	struct node_pair pair = { .value = &map };
	struct row_walk w, of;

	map.map.pairs = arena_alloc(load->arena,
	    node->map.n * sizeof *map.map.pairs);
	for (size_t i = 0; i < node->map.n; i++)
		if (!row_find(schema, node->map.pairs[i].key, &w) &&
		    row_find_numbered(schema, node->map.pairs[i].key, &of))
			map.map.pairs[map.map.n++] = node->map.pairs[i];
	pair.pos = map.pos = map.map.pairs[0].pos;
	row_find_numbered(schema, map.map.pairs[0].key, &of);
	load_row(load, scope, &of, &pair);
}

/*
 * The keys of a block. Lists and maps of blocks come last, whatever the order
 * of the file is: what is in them may lean on what stands beside them.
 */
static void
load_rows(struct conf_load *load, struct scope *scope,
    const struct node *node)
{
	bool has_deferred = false, has_numbered = false;
	const char *meant;
	struct row_walk w;

	for (size_t i = 0; i < node->map.n; i++) {
		const struct node_pair *pair = &node->map.pairs[i];

		if (row_find(scope->block->schema, pair->key, &w)) {
			if (row_has_many_blocks(w.row))
				has_deferred = true;
			else
				load_row(load, scope, &w, pair);
		} else if (row_find_numbered(scope->block->schema, pair->key,
		    &w)) {
			has_numbered = true;
		} else {
			meant = hint_unknown_key(load, scope->block->schema,
			    pair);
			if (meant != NULL &&
			    scope->n_misspelt < COUNT_OF(scope->misspelt))
				scope->misspelt[scope->n_misspelt++] = meant;
		}
	}
	if (has_numbered)
		load_numbered(load, scope, node);
	for (size_t i = 0; has_deferred && i < node->map.n; i++) {
		const struct node_pair *pair = &node->map.pairs[i];

		if (row_find(scope->block->schema, pair->key, &w) &&
		    row_has_many_blocks(w.row))
			load_row(load, scope, &w, pair);
	}
}

/* The default of a row as a tree; it is read once. */
static const struct node *
load_default_node(struct conf_load *load, const struct conf_field *row)
{
	struct str key = str_of((char *)&row, sizeof row);
	struct node *node = map_get(load->defaults, key);
	uint32_t file;

	if (node != NULL)
		return node;
	node = arena_zalloc(load->arena, sizeof *node);
	node->kind = NODE_SCALAR;
	node->is_quoted = true;
	node->text = str_from(row->dflt);
	if (row->shape != CONF_SCALAR && row->shape != CONF_CHOICE) {
		file = file_add(load, (struct conf_file){
			.path = "default", .text = node->text,
			.is_default = true
		});
		node = yaml_read(load, load->arena, file, node->text);
		ASSERT(node != NULL);
	}
	map_put(load->defaults, arena_str(load->arena, key), node);
	return node;
}

static void
load_default(struct conf_load *load, const struct scope *scope,
    const struct row_walk *w)
{
	struct block *b = (struct block *)scope->block;
	struct place at = {
		.load = load, .scope = scope, .row = w->row, .key_pos = b->pos
	};
	const char *text = NULL;

	if (w->row->dflt != NULL) {
		load_value(&at, load_default_node(load, w->row),
		    b->data + w->offset, &text);
		return;
	}
	void *block = load_block(&at, w->row->schema, NULL, b->pos);

	memcpy(b->data + w->offset, &block, sizeof block);
}

/* ---- required keys ----------------------------------------------------- */

/* The block that B would inherit from: that of the same kind under the same
 * key, further out. */
static const struct block *
load_outer_block(const struct place *at, const struct scope **scope)
{
	for (const struct scope *s = *scope; s != NULL; s = s->outer) {
		struct row_walk w;
		void *data;

		*scope = s->outer;
		if (!row_find(s->block->schema, str_from(at->row->name), &w) ||
		    w.row->shape != CONF_BLOCK ||
		    w.row->schema != at->row->schema ||
		    (w.row->flags & CONF_LOCAL) != 0)
			continue;
		memcpy(&data, s->block->data + w.offset, sizeof data);
		if (data != NULL)
			return block_of(data);
	}
	return NULL;
}

static bool
load_is_given_further_out(const struct place *at, const struct conf_field *row,
    size_t offset)
{
	const struct scope *scope;
	const struct block *outer;

	if (at->row == NULL || at->row->shape != CONF_BLOCK ||
	    at->scope == NULL || (row->flags & CONF_LOCAL) != 0 ||
	    (at->row->flags & CONF_LOCAL) != 0)
		return false;
	/* The innermost is the block whose key this is. */
	scope = at->scope->outer;
	while ((outer = load_outer_block(at, &scope)) != NULL) {
		if (outer->is_off)
			return false;
		if (block_mark(outer, offset) != NULL)
			return true;
	}
	return false;
}

static void
load_check_missing(const struct place *at, const struct block *b,
    const struct row_walk *w)
{
	const char *expected = expect_row(at->load, w->row);

	if (load_is_given_further_out(at, w->row, w->offset))
		return;
	/* One of many is told by its kind, the only one by its key. */
	if (at->row != NULL && at->row->shape == CONF_BLOCK)
		conf_error(at->load, b->pos, "missing-key",
		    "\"%s\" lacks the key \"%s\": %s", at->row->name,
		    w->row->name, expected);
	else
		conf_error(at->load, b->pos, "missing-key",
		    "this %s lacks the key \"%s\": %s", b->schema->name,
		    w->row->name, expected);
}

static bool
load_is_misspelt(const struct scope *scope, const struct conf_field *row)
{
	for (size_t i = 0; i < scope->n_misspelt; i++)
		if (strcmp(scope->misspelt[i], row->name) == 0)
			return true;
	return false;
}

/* What the file leaves open. */
static void
load_complete(const struct place *at, const struct scope *scope, bool is_cut)
{
	struct row_walk w = {.schema = scope->block->schema};

	while (row_next(&w)) {
		unsigned flags = w.row->flags;

		if (block_mark(scope->block, w.offset) != NULL)
			continue;
		if (w.row->dflt != NULL || ((flags & CONF_ALWAYS) != 0 &&
		    w.row->shape == CONF_BLOCK))
			load_default(at->load, scope, &w);
		else if ((flags & CONF_REQUIRED) != 0 && !is_cut &&
		    scope->block->pos.line != 0 &&
		    !load_is_misspelt(scope, w.row))
			load_check_missing(at, scope->block, &w);
	}
}

/* ---- blocks ------------------------------------------------------------ */

/* Whether NODE is the word for a whole block that FLAG allows. */
static bool
load_is_word(const struct conf_field *row, unsigned flag,
    const struct node *node, struct str word)
{
	return row != NULL && (row->flags & flag) != 0 && node != NULL &&
	    node->kind == NODE_SCALAR && str_eq(node->text, word);
}

/* Whether NODE stands for a map with the one key that the shorthand names. */
static bool
load_is_short(const struct conf_schema *schema, const struct node *node,
    struct row_walk *w)
{
	if (schema->shorthand == NULL || node_is_empty(node))
		return false;
	ASSERT(row_find(schema, str_from(schema->shorthand), w));
	if (node->kind == NODE_LIST)
		return w->row->shape == CONF_LIST ||
		    w->row->shape == CONF_BLOCK;
	return node->kind == NODE_SCALAR;
}

/* A block of SCHEMA from NODE, or with nothing but defaults when it is NULL.
 * NULL after a report that it has another shape. */
static void *
load_block(const struct place *at, const struct conf_schema *schema,
    const struct node *node, struct conf_pos pos)
{
	struct conf_load *load = at->load;
	const struct conf_field *outer_short = load->short_for;
	size_t reports = load->reports;
	bool is_map = node != NULL && node->kind == NODE_MAP;
	bool is_off = load_is_word(at->row, CONF_CAN_BE_OFF, node, STR("off"));
	bool is_on = load_is_word(at->row, CONF_CAN_BE_ON, node, STR("on"));
	struct row_walk w;
	bool is_short = node != NULL && !is_map && !is_off && !is_on &&
	    load_is_short(schema, node, &w);
	struct block *b;

	if (node != NULL && !is_map && !is_off && !is_on && !is_short) {
		expect_report(load, at->row, expect_item(load, at->row), node,
		    at->key_pos);
		return NULL;
	}
	load->short_for = is_short ? at->row : NULL;
	b = block_new(load, schema, pos, is_map ? node->map.n : is_short);
	b->is_off = is_off;
	struct scope scope = {
		.outer = at->scope, .block = b,
		.depth = at->scope != NULL ? at->scope->depth + 1 : 0
	};

	ASSERT(scope.depth <= 2 * NODE_DEPTH_MAX);
	if (is_map)
		load_rows(load, &scope, node);
	else if (is_short)
		load_row(load, &scope, &w, &(struct node_pair){
			.pos = node->pos, .value = (struct node *)node});
	/* What is off still holds its defaults, but lacks nothing. */
	load->short_for = NULL;
	load_complete(at, &scope, is_off || (is_map && node->is_cut));
	if (schema->check != NULL && !is_off && load->reports == reports &&
	    !(is_map && node->is_cut))
		schema->check(load, b->data);
	load->short_for = outer_short;
	return b->data;
}

void *
conf_defaults(struct conf_load *load, const struct conf_schema *schema)
{
	struct place at = {.load = load};

	return load_block(&at, schema, NULL, (struct conf_pos){0});
}

void *
conf_load_file(struct conf_load *load, const char *path,
    const struct conf_schema *schema, const char *const *overrides,
    size_t n_overrides)
{
	struct place at = {.load = load};
	struct node *root;

	OBJ_CHECK(load, CONF_LOAD_MAGIC);
	load->root_schema = schema;
	load->tree = arena_new();
	root = include_read(load, path, schema, overrides, n_overrides);
	load_declare(load, schema, root);
	load->root = load_block(&at, schema, root, root->pos);
	arena_end(load->tree);
	load->tree = NULL;
	return load->root;
}
