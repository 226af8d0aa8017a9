/*
 * From several texts to one tree: the main file, what its `include` names, and
 * the -g texts. Merging happens before anything has a type, so that all that
 * follows sees one tree; every node keeps its own place.
 */
#include "conf/run.h"

enum { INCLUDE_DEPTH_MAX = 8 };

static void include_follow(struct conf_load *load, struct node *root,
    const struct node *includes, const struct conf_schema *schema,
    unsigned depth);

/* ---- files ------------------------------------------------------------- */

uint32_t
file_add(struct conf_load *load, struct conf_file file)
{
	if (load->n_files == load->cap_files) {
		size_t cap = load->cap_files == 0 ? 4 : load->cap_files * 2;
		struct conf_file *more = arena_alloc(load->arena,
		    cap * sizeof *more);

		if (load->n_files > 0)
			memcpy(more, load->files,
			    load->n_files * sizeof *more);
		load->files = more;
		load->cap_files = cap;
	}
	load->files[load->n_files] = file;
	return (uint32_t)load->n_files++;
}

const struct conf_file *
file_of(const struct conf_load *load, struct conf_pos pos)
{
	static const struct conf_file nowhere = {.path = "configuration"};

	return pos.file < load->n_files ? &load->files[pos.file] : &nowhere;
}

char *
file_relative(struct conf_load *load, struct conf_pos pos, struct str path)
{
	const struct conf_file *f = file_of(load, pos);
	const char *slash;

	/* -g texts and defaults have no place: the main file's. */
	if (f->is_override || f->is_default)
		f = &load->files[0];
	slash = strrchr(f->path, '/');
	if (path.p[0] == '/' || slash == NULL)
		return arena_memdup(load->arena, path.p, path.n);
	while (str_has_prefix(path, STR("./")))
		path = str_slice(path, 2, path.n);
	return arena_printf(load->arena, "%.*s%.*s",
	    (int)(slash + 1 - f->path), f->path, STR_ARG(path));
}

char *
conf_path(struct conf_load *load, struct conf_pos pos, struct str path)
{
	char *relative, *cwd;

	if (path.n == 0)
		return arena_strdup(load->arena, "");
	relative = file_relative(load, pos, path);
	if (relative[0] == '/' || load->source->cwd == NULL)
		return relative;
	cwd = load->source->cwd(load->source, load->arena);
	if (cwd == NULL)
		return relative;
	return arena_printf(load->arena, "%s/%s",
	    strcmp(cwd, "/") == 0 ? "" : cwd, relative);
}

/* Reads a file into the load; false after a report at POS. */
static bool
include_open(struct conf_load *load, const char *path, struct conf_pos pos,
    uint32_t *file)
{
	struct conf_file f = {
		.path = path, .included_at = pos, .parent = pos.file
	};
	struct err e = {""};

	if (!load->source->read(load->source, path, load->arena, &f.text, &e)) {
		/* The main file's index must be known for its own report. */
		if (load->n_files == 0)
			file_add(load, (struct conf_file){.path = path});
		conf_error(load, pos, "cannot-read", "%s", e.text);
		return false;
	}
	if (str_has_prefix(f.text, STR("\xef\xbb\xbf")))
		f.text = str_slice(f.text, 3, f.text.n);
	*file = file_add(load, f);
	if (pos.line == 0)
		load->files[*file].parent = *file;
	return true;
}

/* ---- merging ----------------------------------------------------------- */

static struct node_pair *
include_find(const struct node *map, struct str key)
{
	for (size_t i = 0; i < map->map.n; i++)
		if (str_eq(map->map.pairs[i].key, key))
			return &map->map.pairs[i];
	return NULL;
}

static void
include_add_pair(struct conf_load *load, struct node *map,
    struct node_pair pair)
{
	struct node_pair *more = arena_alloc(load->tree,
	    (map->map.n + 1) * sizeof *more);

	if (map->map.n > 0)
		memcpy(more, map->map.pairs, map->map.n * sizeof *more);
	more[map->map.n] = pair;
	map->map.pairs = more;
	map->map.n++;
}

/* The items of a list; anything else is a list of one. */
static struct node **
include_items(struct node **node, size_t *n)
{
	if ((*node)->kind == NODE_LIST) {
		*n = (*node)->list.n;
		return (*node)->list.items;
	}
	*n = 1;
	return node;
}

static struct node *
include_join_lists(struct conf_load *load, struct node *a, struct node *b)
{
	struct node *both = arena_alloc(load->tree, sizeof *both);
	size_t n, more;
	struct node **first = include_items(&a, &n);
	struct node **second = include_items(&b, &more);

	*both = (struct node){
		.kind = NODE_LIST, .pos = a->pos,
		.is_cut = a->is_cut || b->is_cut,
		.list.n = n + more,
		.list.items = arena_alloc(load->tree,
		    (n + more + 1) * sizeof(struct node *))
	};
	if (n > 0)
		memcpy(both->list.items, first, n * sizeof(struct node *));
	if (more > 0)
		memcpy(both->list.items + n, second,
		    more * sizeof(struct node *));
	return both;
}

static struct node *
include_join_maps(struct conf_load *load, struct str key, struct node *a,
    struct node *b)
{
	struct node *both = arena_alloc(load->tree, sizeof *both);
	struct map *seen = map_new(load->tree, a->map.n + b->map.n);

	*both = *a;
	both->is_cut |= b->is_cut;
	both->map.pairs = arena_alloc(load->tree,
	    (a->map.n + b->map.n + 1) * sizeof *both->map.pairs);
	if (a->map.n > 0)
		memcpy(both->map.pairs, a->map.pairs,
		    a->map.n * sizeof *a->map.pairs);
	for (size_t i = 0; i < a->map.n; i++)
		map_put(seen, a->map.pairs[i].key, &a->map.pairs[i]);
	for (size_t i = 0; i < b->map.n; i++) {
		struct node_pair *pair = &b->map.pairs[i];
		const struct node_pair *first = map_get(seen, pair->key);

		if (first == NULL) {
			both->map.pairs[both->map.n++] = *pair;
			continue;
		}
		conf_error(load, pair->pos, "duplicate-name",
		    "\"%.*s\" is in %.*s already, at %s", STR_ARG(pair->key),
		    STR_ARG(key), conf_pos_text(load, first->pos));
	}
	return both;
}

/* Adds what an included file says for one key. */
static void
include_merge_pair(struct conf_load *load, struct node *root,
    const struct node_pair *pair, const struct conf_field *row)
{
	struct node_pair *mine = include_find(root, pair->key);

	if (mine == NULL)
		include_add_pair(load, root, *pair);
	else if (row->shape == CONF_LIST)
		mine->value = include_join_lists(load, mine->value,
		    pair->value);
	else if (mine->value->kind == NODE_MAP &&
	    pair->value->kind == NODE_MAP)
		mine->value = include_join_maps(load, pair->key, mine->value,
		    pair->value);
	else if (pair->value->kind != NODE_MAP)
		expect_report(load, row, expect_row(load, row), pair->value,
		    pair->pos);
}

static const char *
include_allowed(struct conf_load *load, const struct conf_schema *schema)
{
	struct row_walk w = {.schema = schema};
	struct buf b = buf_in(load->arena);

	while (row_next(&w)) {
		if (w.row->shape != CONF_MAP &&
		    (w.row->shape != CONF_LIST || w.row->schema == NULL))
			continue;
		if (b.n > 0)
			buf_z(&b, ", ");
		buf_z(&b, w.row->name);
	}
	buf_chr(&b, '\0');
	return b.p;
}

static void
include_merge(struct conf_load *load, struct node *root,
    const struct node *from, const struct conf_schema *schema, unsigned depth)
{
	for (size_t i = 0; i < from->map.n; i++) {
		const struct node_pair *pair = &from->map.pairs[i];
		struct row_walk w;

		if (!row_find(schema, pair->key, &w))
			hint_unknown_key(load, schema, pair);
		else if (str_eq(pair->key, STR("include")))
			include_follow(load, root, pair->value, schema,
			    depth + 1);
		else if (w.row->shape == CONF_MAP ||
		    (w.row->shape == CONF_LIST && w.row->schema != NULL))
			include_merge_pair(load, root, pair, w.row);
		else
			conf_error(load, pair->pos, "not-in-include",
			    "\"%s\" can only stand in the main file; an "
			    "included file may have %s", w.row->name,
			    include_allowed(load, schema));
	}
}

/* ---- include ----------------------------------------------------------- */

/* Two ways to write one path should not hide a circle. */
static struct str
include_identity(struct arena *a, const char *path)
{
	struct buf b = buf_in(a);
	struct str rest = str_from(path), part;

	if (path[0] == '/')
		buf_chr(&b, '/');
	while (str_split(&rest, '/', &part)) {
		if (part.n == 0 || str_eq(part, STR(".")))
			continue;
		if (b.n > 0 && b.p[b.n - 1] != '/')
			buf_chr(&b, '/');
		buf_str(&b, part);
	}
	return buf_view(&b);
}

static bool
include_is_new(struct conf_load *load, const char *path, struct conf_pos pos)
{
	struct str id = include_identity(load->tree, path);

	for (uint32_t up = pos.file;; up = load->files[up].parent) {
		const struct conf_file *f = &load->files[up];

		if (str_eq(include_identity(load->tree, f->path), id)) {
			conf_error(load, pos, "include-circle",
			    "%s includes itself%s%s", path,
			    up == pos.file ? "" : " through ",
			    up == pos.file ? "" : file_of(load, pos)->path);
			return false;
		}
		if (f->parent == up)
			break;
	}
	for (size_t i = 0; i < load->n_files; i++) {
		const struct conf_file *f = &load->files[i];

		if (f->is_override || f->is_default ||
		    !str_eq(include_identity(load->tree, f->path), id))
			continue;
		conf_error(load, pos, "included-twice",
		    "%s is included already, at %s", path,
		    conf_pos_text(load, f->included_at));
		return false;
	}
	return true;
}

static void
include_file(struct conf_load *load, struct node *root, const char *path,
    struct conf_pos pos, const struct conf_schema *schema, unsigned depth)
{
	uint32_t file;
	struct node *from;

	if (!include_is_new(load, path, pos) ||
	    !include_open(load, path, pos, &file))
		return;
	from = yaml_read(load, load->tree, file, load->files[file].text);
	if (from == NULL || node_is_empty(from))
		return;
	if (from->kind != NODE_MAP) {
		conf_error(load, from->pos, "wrong-shape",
		    "expected a map with %s, found %s",
		    include_allowed(load, schema), expect_found(load, from));
		return;
	}
	root->is_cut |= from->is_cut;
	include_merge(load, root, from, schema, depth);
}

static void
include_pattern(struct conf_load *load, struct node *root,
    const struct node *node, const struct conf_schema *schema, unsigned depth)
{
	struct conf_list paths = {0};
	struct err e = {""};
	struct str text;
	char *pattern;

	if (node->kind != NODE_SCALAR || node_is_empty(node)) {
		conf_error(load, node->pos, "wrong-shape",
		    "\"include\": expected a path, found %s",
		    expect_found(load, node));
		return;
	}
	if (!interpolate(load, node, &text))
		return;
	if (text.n == 0) {
		conf_error(load, node->pos, "bad-value",
		    "\"include\": expected a path, found \"\"");
		return;
	}
	if (depth > INCLUDE_DEPTH_MAX) {
		conf_error(load, node->pos, "include-depth",
		    "includes are nested too deeply (more than %d levels)",
		    INCLUDE_DEPTH_MAX);
		return;
	}
	pattern = file_relative(load, node->pos, text);
	if (strpbrk(pattern, "*?[") == NULL) {
		include_file(load, root, pattern, node->pos, schema, depth);
		return;
	}
	if (!load->source->glob(load->source, pattern, load->tree, &paths,
	    &e)) {
		conf_error(load, node->pos, "cannot-read", "%s", e.text);
		return;
	}
	for (size_t i = 0; i < paths.n; i++)
		include_file(load, root,
		    arena_strdup(load->arena, CONF_ITEM(&paths, char *, i)),
		    node->pos, schema, depth);
}

static void
include_follow(struct conf_load *load, struct node *root,
    const struct node *includes, const struct conf_schema *schema,
    unsigned depth)
{
	if (includes->kind != NODE_LIST) {
		include_pattern(load, root, includes, schema, depth);
		return;
	}
	for (size_t i = 0; i < includes->list.n; i++)
		include_pattern(load, root, includes->list.items[i], schema,
		    depth);
}

/* ---- -g ---------------------------------------------------------------- */

/* OVER on top of UNDER: maps key by key, everything else replaces. */
static struct node *
include_override(struct conf_load *load, struct node *under, struct node *over)
{
	struct node *both;

	if (under->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	both = arena_alloc(load->tree, sizeof *both);
	*both = *under;
	both->map.pairs = arena_alloc(load->tree,
	    (under->map.n + 1) * sizeof *both->map.pairs);
	if (under->map.n > 0)
		memcpy(both->map.pairs, under->map.pairs,
		    under->map.n * sizeof *both->map.pairs);
	for (size_t i = 0; i < over->map.n; i++) {
		const struct node_pair *pair = &over->map.pairs[i];
		struct node_pair *mine = include_find(both, pair->key);

		if (mine == NULL)
			include_add_pair(load, both, *pair);
		else
			*mine = (struct node_pair){
				.key = pair->key, .pos = pair->pos,
				.value = include_override(load, mine->value,
				    pair->value)
			};
	}
	return both;
}

static struct node *
include_read_override(struct conf_load *load, const char *text)
{
	uint32_t file = file_add(load, (struct conf_file){
		.path = "-g", .text = str_from(text), .is_override = true
	});
	struct node *over = yaml_read(load, load->tree, file,
	    load->files[file].text);

	load->files[file].parent = file;
	if (over == NULL)
		return NULL;
	if (over->kind == NODE_MAP)
		return over;
	conf_error(load, over->pos, "wrong-shape",
	    "expected \"KEY: VALUE\", found %s%s", expect_found(load, over),
	    over->kind == NODE_SCALAR && memchr(over->text.p, ':',
	    over->text.n) != NULL ? "; a space must follow the \":\"" : "");
	return NULL;
}

/* ---- all --------------------------------------------------------------- */

static struct node *
include_read_main(struct conf_load *load, const char *path)
{
	struct node *root = NULL, *copy;
	uint32_t file;

	path = arena_strdup(load->arena, path);
	if (include_open(load, path, (struct conf_pos){0}, &file))
		root = yaml_read(load, load->tree, file,
		    load->files[file].text);
	if (root != NULL && root->kind == NODE_SCALAR && root->is_cut)
		root = NULL; /* words up to where YAML ended: not worth two */
	if (root != NULL && root->kind != NODE_MAP && !node_is_empty(root)) {
		conf_error(load, root->pos, "wrong-shape",
		    "expected a map of keys and values%s, found %s",
		    root->kind == NODE_SCALAR ? " (\"KEY: VALUE\")" : "",
		    expect_found(load, root));
		root = NULL;
	}
	copy = arena_zalloc(load->tree, sizeof *copy);
	copy->kind = NODE_MAP;
	copy->pos = (struct conf_pos){.line = 1, .column = 1};
	/* What could not be read is not missing as well. */
	copy->is_cut = root == NULL && load->errors > 0;
	if (root != NULL && root->kind == NODE_MAP)
		*copy = *root;
	return copy;
}

struct node *
include_read(struct conf_load *load, const char *path,
    const struct conf_schema *schema, const char *const *overrides,
    size_t n_overrides)
{
	struct node *root = include_read_main(load, path);
	struct node *over = arena_zalloc(load->tree, sizeof *over);
	struct node_pair *includes;
	struct row_walk w;

	over->kind = NODE_MAP;
	for (size_t i = 0; i < n_overrides; i++) {
		struct node *one = include_read_override(load, overrides[i]);

		if (one != NULL)
			over = include_override(load, over, one);
	}
	includes = include_find(over, STR("include"));
	if (includes == NULL)
		includes = include_find(root, STR("include"));
	if (includes != NULL && row_find(schema, STR("include"), &w))
		include_follow(load, root, includes->value, schema, 1);
	return include_override(load, root, over);
}
