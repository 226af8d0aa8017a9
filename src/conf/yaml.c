/*
 * From YAML text to a tree of nodes with places, by libyaml's events. It takes
 * the part of YAML that a configuration needs: tags, several documents and
 * keys that are not scalars are refused. Anchors, aliases and merge keys work,
 * within bounds. It knows no schema and gives no value a type.
 */
#include "conf/run.h"

#include <yaml.h>

struct yaml_reader {
	struct conf_load *load;
	struct arena *a;
	uint32_t file;
	yaml_parser_t parser;
	struct map *anchors;
	uint32_t weight;
	bool failed; /* nothing more can be read; it has been reported */
};

static struct node *yaml_read_node(struct yaml_reader *r,
    const yaml_event_t *ev, unsigned depth);

static struct conf_pos
yaml_read_pos(const struct yaml_reader *r, yaml_mark_t mark)
{
	return (struct conf_pos){
		.file = r->file,
		.line = (uint32_t)mark.line + 1,
		.column = (uint32_t)mark.column + 1
	};
}

/* ---- events ------------------------------------------------------------ */

static void
yaml_read_fail(struct yaml_reader *r, struct conf_pos pos, const char *why)
{
	r->failed = true;
	conf_error(r->load, pos, "yaml-syntax",
	    "%s; the rest of this file was not read", why);
	/* A bracket that goes wrong may have gone wrong anywhere in it. */
	if (r->parser.context != NULL &&
	    strstr(r->parser.context, "flow") != NULL)
		pos = yaml_read_pos(r, r->parser.context_mark);
	r->load->files[r->file].cut = pos;
}

/* The next event; the caller deletes it. */
static bool
yaml_read_event(struct yaml_reader *r, yaml_event_t *ev)
{
	struct conf_pos pos;
	const char *why;

	if (r->failed)
		return false;
	if (yaml_parser_parse(&r->parser, ev))
		return true;
	why = yaml_problem(r->load, r->file, &r->parser, &pos);
	yaml_read_fail(r, pos, why);
	return false;
}

static struct node *
yaml_read_new(struct yaml_reader *r, enum node_kind kind, yaml_mark_t mark)
{
	struct node *n = arena_zalloc(r->a, sizeof *n);

	n->kind = kind;
	n->weight = 1;
	n->pos = yaml_read_pos(r, mark);
	return n;
}

/* Counts what a tree costs; an alias costs what it repeats, or else a few
 * lines could stand for billions of nodes. */
static bool
yaml_read_charge(struct yaml_reader *r, uint32_t weight, struct conf_pos pos)
{
	if (r->failed)
		return false;
	if (weight > NODE_COUNT_MAX - r->weight) {
		yaml_read_fail(r, pos, "this file has too many values; at "
		    "most 2000000 are allowed, with aliases written out");
		return false;
	}
	r->weight += weight;
	return true;
}

/* An array of an arena with room for one more. */
static void *
yaml_read_grow(struct yaml_reader *r, void *items, size_t n, size_t size)
{
	void *more;

	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return items;
	more = arena_alloc(r->a, (n < 4 ? 4 : n * 2) * size);
	if (n > 0)
		memcpy(more, items, n * size);
	return more;
}

static void
yaml_read_adopt(struct node *parent, const struct node *child)
{
	if (parent->height <= child->height)
		parent->height = (uint8_t)(child->height + 1);
	parent->weight += child->weight;
	parent->is_cut |= child->is_cut;
}

/* What a syntax error ended, down to the last that was read: there may have
 * been more of each. */
static void
yaml_read_cut(struct node *n)
{
	for (;;) {
		n->is_cut = true;
		if (n->kind == NODE_LIST && n->list.n > 0)
			n = n->list.items[n->list.n - 1];
		else if (n->kind == NODE_MAP && n->map.n > 0)
			n = n->map.pairs[n->map.n - 1].value;
		else
			return;
	}
}

static void
yaml_read_tag(struct yaml_reader *r, const yaml_char_t *tag,
    struct conf_pos pos)
{
	static const char core[] = "tag:yaml.org,2002:"; /* of "!!" */
	const char *name = (const char *)tag;
	bool is_core;

	/* A lone "!" is what libyaml gives for the non-specific tag. */
	if (name == NULL)
		return;
	is_core = strncmp(name, core, sizeof core - 1) == 0;
	conf_error(r->load, pos, "yaml-tag", "tags such as \"%s%s\" have no "
	    "meaning here; the type of a value comes from its key (a value "
	    "that begins with \"!\" needs quotes)", is_core ? "!!" : "",
	    is_core ? name + sizeof core - 1 : name);
}

static void
yaml_read_anchor(struct yaml_reader *r, const yaml_char_t *anchor,
    struct node *n)
{
	if (anchor == NULL)
		return;
	map_put(r->anchors,
	    arena_str(r->a, str_from((const char *)anchor)), n);
}

static struct node *
yaml_read_alias(struct yaml_reader *r, const yaml_event_t *ev, unsigned depth)
{
	struct str name = str_from((const char *)ev->data.alias.anchor);
	struct conf_pos pos = yaml_read_pos(r, ev->start_mark);
	struct node *n = map_get(r->anchors, name);

	if (n == NULL) {
		conf_error(r->load, pos, "yaml-alias", "no anchor \"&%.*s\" "
		    "stands before this alias; a value that begins with \"*\" "
		    "needs quotes", STR_ARG(name));
		return NULL;
	}
	if (depth + n->height > NODE_DEPTH_MAX) {
		yaml_read_fail(r, pos, "lists and maps are nested too deeply "
		    "(more than 64 levels)");
		return NULL;
	}
	return yaml_read_charge(r, n->weight, pos) ? n : NULL;
}

static struct node *
yaml_read_scalar(struct yaml_reader *r, const yaml_event_t *ev)
{
	struct node *n = yaml_read_new(r, NODE_SCALAR, ev->start_mark);

	yaml_read_tag(r, ev->data.scalar.tag, n->pos);
	n->text.n = ev->data.scalar.length;
	n->text.p = arena_memdup(r->a, ev->data.scalar.value, n->text.n);
	n->is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	yaml_read_anchor(r, ev->data.scalar.anchor, n);
	return yaml_read_charge(r, 1, n->pos) ? n : NULL;
}

static struct node *
yaml_read_list(struct yaml_reader *r, const yaml_event_t *ev, unsigned depth)
{
	struct node *n = yaml_read_new(r, NODE_LIST, ev->start_mark);
	yaml_event_t next;
	bool is_end = false;

	yaml_read_tag(r, ev->data.sequence_start.tag, n->pos);
	if (!yaml_read_charge(r, 1, n->pos))
		return NULL;
	while (!is_end && yaml_read_event(r, &next)) {
		struct node *item = NULL;

		is_end = next.type == YAML_SEQUENCE_END_EVENT;
		if (!is_end)
			item = yaml_read_node(r, &next, depth + 1);
		yaml_event_delete(&next);
		if (item == NULL)
			continue;
		n->list.items = yaml_read_grow(r, n->list.items, n->list.n,
		    sizeof(struct node *));
		n->list.items[n->list.n++] = item;
		yaml_read_adopt(n, item);
	}
	if (!is_end)
		yaml_read_cut(n);
	yaml_read_anchor(r, ev->data.sequence_start.anchor, n);
	return n;
}

/* ---- maps -------------------------------------------------------------- */

/* A map while it is read. */
struct yaml_map {
	struct node *node;
	struct map *by_key; /* once it is large */
	struct node *merged[8];
	size_t n_merged;
};

static struct node_pair *
yaml_map_find(struct yaml_reader *r, struct yaml_map *m, struct str key)
{
	enum { LINEAR_MAX = 16 };
	struct node *n = m->node;

	if (n->map.n <= LINEAR_MAX) {
		for (size_t i = 0; i < n->map.n; i++)
			if (str_eq(n->map.pairs[i].key, key))
				return &n->map.pairs[i];
		return NULL;
	}
	/* The hash holds index + 1: the array moves when it grows. */
	if (m->by_key == NULL) {
		m->by_key = map_new(r->a, 64);
		for (size_t i = 0; i < n->map.n; i++)
			map_put(m->by_key, n->map.pairs[i].key,
			    (void *)(uintptr_t)(i + 1));
	}
	uintptr_t at = (uintptr_t)map_get(m->by_key, key);
	return at != 0 ? &n->map.pairs[at - 1] : NULL;
}

static void
yaml_map_add(struct yaml_reader *r, struct yaml_map *m, struct node_pair pair)
{
	struct node *n = m->node;

	n->map.pairs = yaml_read_grow(r, n->map.pairs, n->map.n, sizeof pair);
	n->map.pairs[n->map.n++] = pair;
	if (m->by_key != NULL)
		map_put(m->by_key, pair.key, (void *)(uintptr_t)n->map.n);
	yaml_read_adopt(n, pair.value);
}

/* `<<: *base`: keys of other maps that this one does not have itself. */
static void
yaml_map_merge(struct yaml_reader *r, struct yaml_map *m)
{
	for (size_t i = 0; i < m->n_merged; i++) {
		const struct node *from = m->merged[i];

		for (size_t k = 0; k < from->map.n; k++)
			if (yaml_map_find(r, m, from->map.pairs[k].key) == NULL)
				yaml_map_add(r, m, from->map.pairs[k]);
	}
}

static void
yaml_map_note_merge(struct yaml_reader *r, struct yaml_map *m,
    struct node *value)
{
	struct node **items = &value;
	size_t n = 1;

	if (value->kind == NODE_LIST) {
		items = value->list.items;
		n = value->list.n;
	}
	for (size_t i = 0; i < n; i++) {
		if (items[i]->kind != NODE_MAP ||
		    m->n_merged == COUNT_OF(m->merged)) {
			conf_error(r->load, value->pos, "yaml-merge",
			    "\"<<\" takes an alias of a map, or a list of up "
			    "to %zu of them", COUNT_OF(m->merged));
			return;
		}
		m->merged[m->n_merged++] = items[i];
	}
}

static void
yaml_map_pair(struct yaml_reader *r, struct yaml_map *m,
    const struct node *key, struct node *value)
{
	struct node_pair *first;

	if (!key->is_quoted && str_eq(key->text, STR("<<"))) {
		yaml_map_note_merge(r, m, value);
		return;
	}
	first = yaml_map_find(r, m, key->text);
	if (first == NULL) {
		yaml_map_add(r, m, (struct node_pair){
			.key = key->text, .pos = key->pos, .value = value});
		return;
	}
	/* The first key once more: probably the next item of a list. */
	conf_error(r->load, key->pos, "duplicate-key",
	    "the key \"%.*s\" stands here twice; first at %s%s",
	    STR_ARG(key->text), conf_pos_text(r->load, first->pos),
	    first == m->node->map.pairs && key->pos.column > 1 ?
	    "; a new item of a list begins with \"- \"" : "");
}

/* Whether KEY can be one; it is reported when not. */
static bool
yaml_map_key(struct yaml_reader *r, const struct node *key)
{
	if (key->kind != NODE_SCALAR) {
		conf_error(r->load, key->pos, "yaml-key", "a key must be a "
		    "plain word or a string, not a %s",
		    key->kind == NODE_LIST ? "list" : "map");
		return false;
	}
	if (node_is_empty(key)) {
		conf_error(r->load, key->pos, "yaml-key",
		    "a key is missing before this \":\"");
		return false;
	}
	return true;
}

static struct node *
yaml_read_map(struct yaml_reader *r, const yaml_event_t *ev, unsigned depth)
{
	struct node *n = yaml_read_new(r, NODE_MAP, ev->start_mark);
	struct yaml_map m = {.node = n};
	yaml_event_t next;
	bool is_end = false;

	yaml_read_tag(r, ev->data.mapping_start.tag, n->pos);
	if (!yaml_read_charge(r, 1, n->pos))
		return NULL;
	while (!is_end && yaml_read_event(r, &next)) {
		struct node *key = NULL, *value = NULL;

		is_end = next.type == YAML_MAPPING_END_EVENT;
		if (!is_end)
			key = yaml_read_node(r, &next, depth + 1);
		yaml_event_delete(&next);
		if (is_end || !yaml_read_event(r, &next))
			continue;
		value = yaml_read_node(r, &next, depth + 1);
		yaml_event_delete(&next);
		if (key != NULL && yaml_map_key(r, key) && value != NULL)
			yaml_map_pair(r, &m, key, value);
		else
			n->is_cut = true;
	}
	yaml_map_merge(r, &m);
	if (!is_end)
		yaml_read_cut(n);
	yaml_read_anchor(r, ev->data.mapping_start.anchor, n);
	return n;
}

/* ---- the file ---------------------------------------------------------- */

/* The node that EV begins; NULL after a report. */
static struct node *
yaml_read_node(struct yaml_reader *r, const yaml_event_t *ev, unsigned depth)
{
	if (depth > NODE_DEPTH_MAX) {
		yaml_read_fail(r, yaml_read_pos(r, ev->start_mark), "lists and "
		    "maps are nested too deeply (more than 64 levels)");
		return NULL;
	}
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return yaml_read_alias(r, ev, depth);
	case YAML_SCALAR_EVENT:
		return yaml_read_scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return yaml_read_list(r, ev, depth);
	case YAML_MAPPING_START_EVENT:
		return yaml_read_map(r, ev, depth);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	return NULL;
}

static struct node *
yaml_read_stream(struct yaml_reader *r)
{
	struct node *root = NULL;
	unsigned documents = 0;
	yaml_event_t ev;
	bool is_end = false;

	while (!is_end && yaml_read_event(r, &ev)) {
		is_end = ev.type == YAML_STREAM_END_EVENT;
		if (ev.type == YAML_DOCUMENT_START_EVENT && documents++ > 0)
			yaml_read_fail(r, yaml_read_pos(r, ev.start_mark),
			    "a second document begins here; a file holds one");
		else if (!is_end && ev.type != YAML_STREAM_START_EVENT &&
		    ev.type != YAML_DOCUMENT_START_EVENT &&
		    ev.type != YAML_DOCUMENT_END_EVENT)
			root = yaml_read_node(r, &ev, 0);
		yaml_event_delete(&ev);
	}
	if (root != NULL)
		root->is_cut |= r->failed;
	return root;
}

struct node *
yaml_read(struct conf_load *load, struct arena *a, uint32_t file,
    struct str text)
{
	struct yaml_reader r = {.load = load, .a = a, .file = file};
	struct node *root;

	if (!yaml_parser_initialize(&r.parser)) {
		conf_error(load, (struct conf_pos){.file = file}, "yaml-syntax",
		    "out of memory");
		return NULL;
	}
	/* Nothing but UTF-8: a file in UTF-16 would show up garbled in every
	 * message about it. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const yaml_char_t *)text.p,
	    text.n);
	r.anchors = map_new(a, 8);
	root = yaml_read_stream(&r);
	yaml_parser_delete(&r.parser);
	return root;
}
