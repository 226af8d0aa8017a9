/*
 * Strings that are being written. Growth doubles in the arena; over fixed
 * memory the first write that does not fit sets `overflow` and writes nothing.
 */
#include "base/buf.h"

#include "base/panic.h"

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

static bool
buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap * 2 : BUF_FIRST;
	char *p;

	if (b->arena == NULL) {
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

char *
buf_room(struct buf *b, size_t n)
{
	if (b->overflow || (n > b->cap - b->n && !buf_grow(b, n)))
		return NULL;
	return b->p + b->n;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void
buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void
buf_z(struct buf *b, const char *z)
{
	buf_put(b, z, strlen(z));
}

void
buf_chr(struct buf *b, char c)
{
	char *to = buf_room(b, 1);

	if (to == NULL)
		return;
	*to = c;
	b->n++;
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
	char small[512];
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	if ((size_t)n < sizeof small) {
		buf_put(b, small, (size_t)n);
		return;
	}
	to = buf_room(b, (size_t)n + 1);
	if (to == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

/* The length of the UTF-8 sequence at P, 0 if it is none (RFC 3629). */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 :
	    p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
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
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_length(p + i, s.n - i);

		if (len == 0 || p[i] < 0x20 || p[i] == '"' || p[i] == '\\' ||
		    p[i] == 0x7f) {
			buf_json_escape(b, p[i]);
			i++;
			continue;
		}
		buf_put(b, p + i, len);
		i += len;
	}
}
