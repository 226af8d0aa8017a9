/*
 * Feeds a parser one text in every way that a network could cut it: whole, byte
 * by byte, and in two at every point. What the parser made of it is told in
 * words, which must be the same each time. Every piece lies in memory of exactly
 * its size, so that a sanitizer sees a read behind its end.
 */
#ifndef TESTS_HTTP_FEED_H
#define TESTS_HTTP_FEED_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct feed {
	struct str rest;
	size_t first, then; /* length of the first piece and of the others */
	char *piece;
};

/* The next piece; false when there is none. It is valid until the next call. */
static inline bool
feed_next(struct feed *f, struct str *piece)
{
	size_t n = f->first < f->rest.n ? f->first : f->rest.n;

	free(f->piece);
	f->piece = NULL;
	if (f->rest.n == 0)
		return false;
	f->piece = malloc(n);
	assert_non_null(f->piece);
	memcpy(f->piece, f->rest.p, n);
	*piece = str_of(f->piece, n);
	f->rest = str_slice(f->rest, n, f->rest.n);
	f->first = f->then;
	return true;
}

/* Gives all pieces to a fresh parser and says in OUT what came of it. */
typedef void feed_run(struct feed *f, struct arena *a, struct buf *out);

static inline struct str
feed_once(struct arena *a, feed_run *run, struct str text, size_t first,
    size_t then)
{
	struct feed f = {.rest = text, .first = first, .then = then};
	struct buf out = buf_in(a);

	run(&f, a, &out);
	free(f.piece);
	return buf_view(&out);
}

/* What came of it, NUL-terminated in A. */
static inline const char *
feed_all_ways(struct arena *a, feed_run *run, struct str text)
{
	struct str whole = feed_once(a, run, text, SIZE_MAX, SIZE_MAX);

	for (size_t cut = 0; cut < text.n; cut++) {
		struct arena *b = arena_new();
		struct str other = cut == 0 ?
		    feed_once(b, run, text, 1, 1) :
		    feed_once(b, run, text, cut, SIZE_MAX);

		if (!str_eq(whole, other))
			fail_msg("%.*s\nwhole: %.*s\ncut at %zu: %.*s",
			    STR_ARG(text), STR_ARG(whole), cut,
			    STR_ARG(other));
		arena_end(b);
	}
	return arena_str(a, whole).p;
}

/* Controls made visible, for messages. */
static inline const char *
feed_show(struct arena *a, struct str text)
{
	struct buf b = buf_in(a);

	buf_json(&b, text);
	buf_chr(&b, '\0');
	return b.p;
}

#endif
