/*
 * A string that is being written. It grows in its arena (the outgrown copy
 * stays there until the arena ends), or, over fixed memory, stops growing and
 * remembers that it overflowed: the writer checks once, at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct buf {
	struct arena *arena; /* NULL: fixed */
	char *p;
	size_t n, cap;
	bool overflow;
};

struct buf buf_in(struct arena *a);
struct buf buf_fixed(char *p, size_t cap);

/* The rare half of buf_room: there is not enough of it. */
bool buf_grow(struct buf *b, size_t n);
void buf_u64(struct buf *b, uint64_t v);
void buf_hex(struct buf *b, uint64_t v); /* lower case, no leading zeros */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* JSON string contents, without the quotes; bytes that are not UTF-8 become
 * \u00XX of the byte. */
void buf_json(struct buf *b, struct str s);

/*
 * Heads and log lines are written in pieces of a few bytes, many of them
 * constants: these are inline so that a piece costs a comparison and a move.
 */

/* Makes room for N more bytes; NULL (and overflow) if that cannot be. */
static inline char *
buf_room(struct buf *b, size_t n)
{
	if (UNLIKELY(n > b->cap - b->n || b->overflow) && !buf_grow(b, n))
		return NULL;
	return b->p + b->n;
}

static inline void
buf_put(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0)
		return;
	to = buf_room(b, n);
	if (to == NULL)
		return;
	memcpy(to, p, n);
	b->n += n;
}

static inline void
buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

static inline void
buf_z(struct buf *b, const char *z)
{
	buf_put(b, z, strlen(z));
}

static inline void
buf_chr(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

static inline struct str
buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#endif
