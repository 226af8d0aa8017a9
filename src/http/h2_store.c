/*
 * The memory of an nghttp2 session. What it is made with stays as long as it
 * does, and lies in a block that can be folded up; what comes and goes after
 * that (streams, frames, fields of the tables) is pieces. Beyond a bound
 * nothing more is given: nghttp2 gives up then, and so does the connection.
 */
#include "http/h2_store.h"

#include "base/panic.h"
#include "base/piece.h"

#include <string.h>

/* Before each thing of the block: how large it is. Keeps what follows aligned
 * for any object. */
#define LABEL 16

static bool
h2_store_is_in_block(const struct h2_store *s, const void *p)
{
	return s->block != NULL && (const char *)p >= s->block &&
	    (const char *)p < s->block + FOLD_BLOCK;
}

/* ---- the block --------------------------------------------------------- */

/* Zeroed; NULL: not from there. */
static void *
h2_store_cut(struct h2_store *s, size_t n)
{
	size_t room = FOLD_BLOCK - s->used;
	char *p;

	if (!s->is_making || s->block == NULL || room < 2 * LABEL ||
	    n > room - 2 * LABEL)
		return NULL;
	p = s->block + s->used + LABEL;
	memcpy(p - LABEL, &n, sizeof n);
	s->used += (uint32_t)(LABEL + (n + LABEL - 1) / LABEL * LABEL);
	return p;
}

static size_t
h2_store_size(const struct h2_store *s, const void *p)
{
	size_t n;

	if (!h2_store_is_in_block(s, p))
		return piece_size(p);
	memcpy(&n, (const char *)p - LABEL, sizeof n);
	return n;
}

/* ---- what nghttp2 calls ------------------------------------------------ */

static bool
h2_store_may_have(const struct h2_store *s, size_t n)
{
	return n <= s->max && s->heap <= s->max - n;
}

static void
h2_store_on_free(void *p, void *arg)
{
	struct h2_store *s = arg;

	/* The block is given back as a whole. */
	if (p == NULL || h2_store_is_in_block(s, p))
		return;
	s->heap -= piece_size(p);
	piece_free(p);
}

static void *
h2_store_on_calloc(size_t n, size_t size, void *arg)
{
	struct h2_store *s = arg;
	void *p;

	/* Both are nghttp2's own and small. */
	if (!h2_store_may_have(s, n * size))
		return NULL;
	p = h2_store_cut(s, n * size);
	if (p != NULL)
		return p;
	p = piece_zalloc(n * size);
	s->heap += piece_size(p);
	return p;
}

static void *
h2_store_on_malloc(size_t n, void *arg)
{
	struct h2_store *s = arg;
	void *p;

	if (!h2_store_may_have(s, n))
		return NULL;
	p = h2_store_cut(s, n);
	if (p != NULL)
		return p;
	p = piece_alloc(n);
	s->heap += piece_size(p);
	return p;
}

static void *
h2_store_on_realloc(void *p, size_t n, void *arg)
{
	struct h2_store *s = arg;
	size_t before;
	void *q;

	if (p == NULL)
		return h2_store_on_malloc(n, arg);
	before = h2_store_size(s, p);
	if (h2_store_is_in_block(s, p)) {
		q = h2_store_on_malloc(n, arg);
		if (q != NULL)
			memcpy(q, p, n < before ? n : before);
		return q;
	}
	if (!h2_store_may_have(s, n))
		return NULL;
	q = piece_realloc(p, n);
	s->heap += piece_size(q) - before;
	return q;
}

nghttp2_mem
h2_store_mem(struct h2_store *s)
{
	return (nghttp2_mem){
		.mem_user_data = s, .malloc = h2_store_on_malloc,
		.free = h2_store_on_free, .calloc = h2_store_on_calloc,
		.realloc = h2_store_on_realloc
	};
}

/* ---- its life ---------------------------------------------------------- */

void
h2_store_open(struct h2_store *s, size_t max)
{
	*s = (struct h2_store){
		.max = max, .block = fold_take(), .is_making = true
	};
}

void
h2_store_is_made(struct h2_store *s)
{
	s->is_making = false;
}

void
h2_store_close(struct h2_store *s)
{
	ASSERT(s->fold == NULL && s->heap == 0);
	fold_give(s->block);
	s->block = NULL;
}

void
h2_store_fold(struct h2_store *s)
{
	ASSERT(s->fold == NULL);
	if (s->block != NULL)
		s->fold = fold_up(s->block);
}

void
h2_store_unfold(struct h2_store *s)
{
	if (s->fold == NULL)
		return;
	fold_out(s->block, s->fold);
	s->fold = NULL;
}

size_t
h2_store_held(const struct h2_store *s)
{
	return s->heap + (s->fold != NULL ? fold_size(s->fold) : s->used);
}
