/*
 * A string that is being written. It grows in its arena (the outgrown copy
 * stays there until the arena ends), or, over fixed memory, stops growing and
 * remembers that it overflowed: the writer checks once, at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"
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

/* Makes room for N more bytes; NULL (and overflow) if that cannot be. */
char *buf_room(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_z(struct buf *b, const char *z);
void buf_chr(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);
void buf_hex(struct buf *b, uint64_t v); /* lower case, no leading zeros */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* JSON string contents, without the quotes; bytes that are not UTF-8 become
 * \u00XX of the byte. */
void buf_json(struct buf *b, struct str s);

static inline struct str
buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#endif
