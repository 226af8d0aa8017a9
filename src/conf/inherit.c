/*
 * Inheritance: what an outer level says holds further in, unless it is said
 * again there. Blocks that an inner level does not mention are shared, not
 * copied. Doing it twice gives what doing it once gives.
 */
#include "conf/run.h"

/* A member on one level. BLOCK is NULL for a struct that the loader did not
 * make: then nobody knows what was set in it. */
struct member {
	struct block *block;
	size_t offset; /* in the block */
	char *at;
	const struct conf_list *drops; /* of the inner level; NULL: none */
};

static void inherit_block(struct conf_load *load, struct block *outer,
    struct block *inner);

static struct mark *
inherit_mark(const struct member *m)
{
	return m->block != NULL ? block_mark(m->block, m->offset) : NULL;
}

static void
inherit_add_mark(struct conf_load *load, const struct conf_field *row,
    const struct member *inner, const struct mark *from, size_t appended)
{
	struct mark mark = {
		.row = row, .offset = (uint32_t)inner->offset,
		.origin = ORIGIN_INHERITED, .appended = appended
	};

	if (inner->block == NULL)
		return;
	if (from != NULL) {
		mark.pos = from->pos;
		mark.text = from->text;
	}
	block_add_mark(load, inner->block, mark);
}

static void
inherit_one_block(struct conf_load *load, const struct conf_field *row,
    const struct member *outer, const struct member *inner)
{
	const struct mark *from = inherit_mark(outer);
	void *out, *in;

	memcpy(&out, outer->at, sizeof out);
	memcpy(&in, inner->at, sizeof in);
	/* Without a mark it is there by default, and so it is further in. */
	if (out == NULL || out == in ||
	    (outer->block != NULL && from == NULL))
		return;
	if (in == NULL ||
	    (inner->block != NULL && inherit_mark(inner) == NULL)) {
		memcpy(inner->at, &out, sizeof out);
		inherit_add_mark(load, row, inner, from, 0);
		return;
	}
	inherit_block(load, block_of(out), block_of(in));
}

static size_t
inherit_size(const struct conf_field *row)
{
	switch (row->shape) {
	case CONF_SCALAR:
		return row->type->size;
	case CONF_CHOICE:
		return sizeof(int);
	case CONF_BLOCK:
		return sizeof(void *);
	case CONF_LIST:
		return sizeof(struct conf_list);
	case CONF_MAP:
		break;
	}
	return sizeof(struct conf_map);
}

/* The outer's items, then the inner's own. */
static void
inherit_append(struct conf_load *load, const struct conf_field *row,
    const struct conf_list *outer, struct conf_list *inner, struct mark *mark)
{
	size_t size = row->schema != NULL ? sizeof(void *) : row->type->size;
	size_t own = inner->n - mark->appended;
	struct conf_pos *places = list_places(load->arena, outer->n + own);
	struct conf_list both = {
		.n = outer->n + own, .pos = places,
		.items = arena_alloc(load->arena,
		    (outer->n + own + 1) * size)
	};
	const struct conf_list *from[] = {outer, inner};
	size_t skip[] = {0, mark->appended}, at = 0;

	for (size_t k = 0; k < COUNT_OF(from); k++) {
		size_t n = from[k]->n - skip[k];

		if (n == 0)
			continue;
		memcpy((char *)both.items + at * size,
		    (const char *)from[k]->items + skip[k] * size, n * size);
		memcpy(places + at, from[k]->pos + skip[k],
		    n * sizeof *places);
		memcpy(list_texts(&both) + at, list_texts(from[k]) + skip[k],
		    n * sizeof(char *));
		at += n;
	}
	mark->appended = outer->n;
	*inner = both;
}

/* What the inner level itself wrote in a list that drops keys. */
static const struct conf_list *
inherit_drops(const struct block *inner)
{
	struct row_walk w = {.schema = inner->schema};
	const struct mark *mark;

	while (row_next(&w)) {
		if ((w.row->flags & CONF_DROPS) == 0)
			continue;
		mark = block_mark(inner, w.offset);
		if (mark != NULL && mark->origin != ORIGIN_INHERITED)
			return (const void *)(inner->data + w.offset);
	}
	return NULL;
}

static bool
inherit_is_dropped(const struct conf_list *drops, struct str key)
{
	if (drops == NULL)
		return false;
	for (size_t i = 0; i < drops->n; i++)
		if (str_case_eq(str_from(CONF_ITEM(drops, char *, i)), key))
			return true;
	return false;
}

/* The outer's entries that the inner does not have, then the inner's own, of
 * which N_OWN are at the end. Returns how many are the outer's. */
static size_t
inherit_merge(struct conf_load *load, const struct conf_field *row,
    const struct conf_map *outer, const struct member *m, size_t n_own)
{
	struct conf_map *inner = (void *)m->at;
	struct conf_entry *own = inner->entries + (inner->n - n_own);
	struct map *keys = (row->flags & CONF_CASELESS) != 0 ?
	    map_new_caseless(load->arena, n_own) : map_new(load->arena, n_own);
	struct conf_map both = {
		.entries = arena_alloc(load->arena,
		    (outer->n + n_own + 1) * sizeof *both.entries)
	};
	size_t inherited;

	for (size_t i = 0; i < n_own; i++)
		map_put(keys, own[i].key, &own[i]);
	for (size_t i = 0; i < outer->n; i++)
		if (map_get(keys, outer->entries[i].key) == NULL &&
		    !inherit_is_dropped(m->drops, outer->entries[i].key))
			both.entries[both.n++] = outer->entries[i];
	inherited = both.n;
	if (n_own > 0)
		memcpy(both.entries + both.n, own, n_own * sizeof *own);
	both.n += n_own;
	*inner = both;
	return inherited;
}

static void
inherit_member(struct conf_load *load, const struct conf_field *row,
    const struct member *outer, const struct member *inner)
{
	bool appends = row->shape == CONF_LIST &&
	    (row->flags & CONF_APPENDS) != 0;
	const struct mark *from;
	struct mark *mark;
	size_t n;

	if ((row->flags & CONF_LOCAL) != 0)
		return;
	if (row->shape == CONF_BLOCK) {
		inherit_one_block(load, row, outer, inner);
		return;
	}
	from = inherit_mark(outer);
	mark = inherit_mark(inner);
	if (from == NULL || inner->block == NULL)
		return;
	if (mark != NULL && mark->origin != ORIGIN_INHERITED) {
		if (appends)
			inherit_append(load, row, (void *)outer->at,
			    (void *)inner->at, mark);
		else if (row->shape == CONF_MAP)
			mark->appended = inherit_merge(load, row,
			    (void *)outer->at, inner,
			    ((struct conf_map *)(void *)inner->at)->n -
			    mark->appended);
		return;
	}
	if (mark != NULL)
		return;
	if (row->shape == CONF_MAP && inner->drops != NULL)
		inherit_merge(load, row, (void *)outer->at, inner, 0);
	else
		memcpy(inner->at, outer->at, inherit_size(row));
	n = appends ? ((struct conf_list *)(void *)inner->at)->n : 0;
	inherit_add_mark(load, row, inner, from, n);
}

static void
inherit_block(struct conf_load *load, struct block *outer,
    struct block *inner)
{
	struct row_walk w = {.schema = inner->schema};
	const struct conf_list *drops;

	if (outer->is_off || inner->is_off || outer == inner)
		return;
	drops = inherit_drops(inner);
	while (row_next(&w)) {
		struct member from = {
			.block = outer, .offset = w.offset,
			.at = outer->data + w.offset
		};
		struct member to = {
			.block = inner, .offset = w.offset,
			.at = inner->data + w.offset, .drops = drops
		};

		inherit_member(load, w.row, &from, &to);
	}
}

void *
conf_inherit(struct conf_load *load, const struct conf_schema *schema,
    void *outer, void *inner)
{
	(void)schema; /* every block knows its own */
	if (inner == NULL)
		return outer;
	if (outer != NULL)
		inherit_block(load, block_of(outer), block_of(inner));
	return inner;
}

/* The block whose extra members are at AT; NULL: the loader did not make it. */
static struct block *
inherit_extra_block(struct conf_load *load, void *at)
{
	return map_get(load->extras, str_of((char *)&at, sizeof at));
}

static struct member
inherit_extra(struct block *b, const struct conf_field *row, void *at)
{
	struct member m = {.block = b, .at = (char *)at + row->offset};

	if (b != NULL)
		m.offset = b->schema->extra_offset + row->offset;
	return m;
}

void
conf_inherit_fields(struct conf_load *load, const struct conf_field *fields,
    void *outer, void *inner)
{
	struct block *out = inherit_extra_block(load, outer);
	struct block *in = inherit_extra_block(load, inner);

	for (const struct conf_field *row = fields; row->name != NULL; row++) {
		struct member from = inherit_extra(out, row, outer);
		struct member to = inherit_extra(in, row, inner);

		inherit_member(load, row, &from, &to);
	}
}
