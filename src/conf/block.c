/*
 * Blocks: the structs that the loader makes, and the small header before each
 * that knows where its members came from. A member without a mark has its
 * default.
 */
#include "base/panic.h"
#include "conf/run.h"

struct block *
block_new(struct conf_load *load, const struct conf_schema *schema,
    struct conf_pos pos, size_t marks)
{
	struct block *b = arena_zalloc(load->arena,
	    sizeof *b + schema->size);

	b->magic = BLOCK_MAGIC;
	b->schema = schema;
	b->pos = pos;
	b->cap_marks = (uint32_t)marks;
	if (marks > 0)
		b->marks = arena_alloc(load->arena, marks * sizeof *b->marks);
	if (schema->extra != NULL) {
		b->extra_at = b->data + schema->extra_offset;
		map_put(load->extras,
		    str_of((char *)&b->extra_at, sizeof b->extra_at), b);
	}
	return b;
}

struct block *
block_of(const void *data)
{
	struct block *b = (struct block *)((char *)data -
	    offsetof(struct block, data));

	OBJ_CHECK(b, BLOCK_MAGIC);
	return b;
}

struct mark *
block_mark(const struct block *b, size_t offset)
{
	for (uint32_t i = 0; i < b->n_marks; i++)
		if (b->marks[i].offset == offset)
			return &b->marks[i];
	return NULL;
}

struct mark *
block_add_mark(struct conf_load *load, struct block *b, struct mark mark)
{
	if (b->n_marks == b->cap_marks) {
		uint32_t cap = b->cap_marks + b->cap_marks / 2 + 1;
		struct mark *more = arena_alloc(load->arena,
		    cap * sizeof *more);

		if (b->n_marks > 0)
			memcpy(more, b->marks, b->n_marks * sizeof *more);
		b->marks = more;
		b->cap_marks = cap;
	}
	b->marks[b->n_marks] = mark;
	return &b->marks[b->n_marks++];
}

static const struct mark *
block_mark_of(const void *block, const void *member)
{
	return block_mark(block_of(block),
	    (size_t)((const char *)member - (const char *)block));
}

bool
conf_is_set(const void *block, const void *member)
{
	const struct mark *m = block_mark_of(block, member);

	return m != NULL && m->origin != ORIGIN_INHERITED;
}

bool
conf_is_off(const void *block)
{
	return block != NULL && block_of(block)->is_off;
}

struct conf_pos
conf_pos_of(const void *block, const void *member)
{
	const struct mark *m = block_mark_of(block, member);

	return m != NULL ? m->pos : block_of(block)->pos;
}

struct conf_pos
conf_block_pos(const void *block)
{
	return block_of(block)->pos;
}

/* ---- texts that are kept beside values --------------------------------- */

struct conf_pos *
list_places(struct arena *a, size_t n)
{
	size_t places = (n * sizeof(struct conf_pos) + sizeof(char *) - 1) /
	    sizeof(char *) * sizeof(char *);

	return arena_zalloc(a, places + n * sizeof(char *));
}

const char **
list_texts(const struct conf_list *list)
{
	size_t places = (list->n * sizeof(struct conf_pos) +
	    sizeof(char *) - 1) / sizeof(char *) * sizeof(char *);

	return (const char **)((char *)list->pos + places);
}
