/*
 * What the drivers of both kinds of heads share: finding a head in pieces that
 * the input chooses, looking at what was accepted, writing it again.
 */
#ifndef TESTS_FUZZ_HEAD_H
#define TESTS_FUZZ_HEAD_H

#include "base/buf.h"
#include "base/panic.h"
#include "http/h1_parse.h"

/* Lengths of pieces, from a simple generator that the input seeds. */
static inline size_t
fuzz_piece(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 24) % 9 + 1;
}

/* The head at the start of TEXT, found whole and in pieces alike; 0: none. */
static inline size_t
fuzz_find(struct str text, uint32_t seed)
{
	size_t scanned = 0, whole, n = 0, head = 0;

	whole = h1_scan_head(text.p, text.n, &scanned);
	ASSERT(whole <= text.n);
	ASSERT(whole > 0 || scanned <= text.n);
	scanned = 0;
	while (head == 0 && n < text.n) {
		n += fuzz_piece(&seed);
		if (n > text.n)
			n = text.n;
		head = h1_scan_head(text.p, n, &scanned);
	}
	ASSERT(head == whole);
	return whole;
}

static inline bool
fuzz_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') ||
		    s.p[i] == 0x7f)
			return true;
	return false;
}

static inline bool
fuzz_is_inside(struct str s, struct str text)
{
	return s.p >= text.p && s.p + s.n <= text.p + text.n;
}

/* What is true of every field that was accepted. */
static inline void
fuzz_check_fields(const struct head *h, struct str text)
{
	HEAD_EACH(f, h) {
		ASSERT(field_token_is_valid(f->name));
		ASSERT(field_value_is_valid(f->value));
		ASSERT(!fuzz_has_control(f->name));
		ASSERT(!fuzz_has_control(f->value));
		ASSERT(str_eq(str_trim(f->value), f->value));
		ASSERT(fuzz_is_inside(f->name, text));
		ASSERT(fuzz_is_inside(f->value, text));
		ASSERT(f->id == field_lookup(f->name));
	}
}

/* What the framing may be, whatever the head says. */
static inline void
fuzz_check_framing(const struct head *h, int64_t length, bool chunked,
    int minor)
{
	unsigned lengths = head_count(h, FIELD_CONTENT_LENGTH);
	unsigned codings = head_count(h, FIELD_TRANSFER_ENCODING);

	ASSERT(lengths + codings <= 1);
	ASSERT((length >= 0) == (lengths == 1));
	ASSERT(chunked == (codings == 1));
	ASSERT(!chunked || minor == 1);
	ASSERT(!chunked || str_case_eq(head_value(h, FIELD_TRANSFER_ENCODING),
	    STR("chunked")));
}

static inline void
fuzz_write_fields(struct buf *out, const struct head *h)
{
	HEAD_EACH(f, h) {
		buf_str(out, f->name);
		buf_str(out, STR(": "));
		buf_str(out, f->value);
		buf_str(out, STR("\r\n"));
	}
	buf_str(out, STR("\r\n"));
}

static inline void
fuzz_same_fields(const struct head *a, const struct head *b)
{
	ASSERT(a->n == b->n);
	for (unsigned i = 0; i < a->n; i++) {
		ASSERT(str_eq(a->fields[i].name, b->fields[i].name));
		ASSERT(str_eq(a->fields[i].value, b->fields[i].value));
		ASSERT(a->fields[i].id == b->fields[i].id);
	}
}

#endif
