/*
 * Strings that are being written. Growth doubles in the arena; over fixed
 * memory the first write that does not fit sets `overflow` and writes nothing.
 */
#include "base/buf.h"

#include "base/panic.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define BUF_FIRST 64

struct buf
buf_in(struct arena *a)
{
	return (struct buf){ .arena = a };
}

struct buf
buf_fixed(char *p, size_t cap)
{
	return (struct buf){ .p = p, .cap = cap };
}

bool
buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap * 2 : BUF_FIRST;
	char *p;

	if (b->overflow || b->arena == NULL) {
		b->overflow = true;
		return false;
	}
	while (cap - b->n < n) {
		ASSERT(cap <= SIZE_MAX / 4);
		cap *= 2;
	}
	p = arena_alloc(b->arena, cap);
	if (b->n > 0)
		memcpy(p, b->p, b->n);
	b->p = p;
	b->cap = cap;
	return true;
}

void
buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_put(b, digits + at, sizeof digits - at);
}

void
buf_hex(struct buf *b, uint64_t v)
{
	char digits[16];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v > 0);
	buf_put(b, digits + at, sizeof digits - at);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512], *large;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	if ((size_t)n < sizeof small) {
		buf_put(b, small, (size_t)n);
		return;
	}
	/* Not in place: the NUL that vsnprintf insists on may not fit. */
	large = mem_alloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(large, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_put(b, large, (size_t)n);
	mem_free(large);
}

static void
buf_json_escape(struct buf *b, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

	switch (c) {
	case '"': buf_put(b, "\\\"", 2); return;
	case '\\': buf_put(b, "\\\\", 2); return;
	case '\n': buf_put(b, "\\n", 2); return;
	case '\r': buf_put(b, "\\r", 2); return;
	case '\t': buf_put(b, "\\t", 2); return;
	default: buf_put(b, text, sizeof text); return;
	}
}

void
buf_json(struct buf *b, struct str s)
{
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = utf8_char(s);

		if (n == 0 || c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
			buf_json_escape(b, c);
			n = 1;
		} else {
			buf_put(b, s.p, n);
		}
		s = str_slice(s, n, s.n);
	}
}
