/*
 * Any bytes as a chunked body: content, end and trailers are the same whether
 * it comes whole, in pieces, or with content given back that is given again;
 * and a body that was accepted says the same when it is written and read again.
 * The first byte chooses the pieces.
 */
#include "base/buf.h"
#include "base/panic.h"
#include "http/chunk.h"

struct decoded {
	enum chunk_status st; /* never CHUNK_DATA */
	size_t used;
	struct buf content;
	struct head trailers;
};

static size_t
fuzz_piece(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 24) % 11 + 1;
}

/* In pieces that SEED chooses, whole if it is NULL. If it GIVES_BACK, half
 * of the content comes a second time. */
static void
fuzz_decode(struct arena *a, struct str text, uint32_t *seed, bool gives_back,
    struct decoded *out)
{
	struct chunk_decoder d;
	struct str data = {NULL, 0};
	size_t used, back;

	*out = (struct decoded){.st = CHUNK_MORE, .content = buf_in(a)};
	head_init(&out->trailers, a, 0);
	chunk_decoder_init(&d);
	while (out->used < text.n && (out->st == CHUNK_MORE ||
	    out->st == CHUNK_DATA)) {
		size_t n = seed != NULL ? fuzz_piece(seed) : text.n;
		struct str piece = str_slice(text, out->used, out->used + n);

		out->st = chunk_decode(&d, piece.p, piece.n, &used, &data,
		    &out->trailers);
		ASSERT(used <= piece.n);
		ASSERT(out->st != CHUNK_MORE || used == piece.n);
		out->used += used;
		if (out->st != CHUNK_DATA)
			continue;
		ASSERT(data.n > 0 && data.n <= used);
		ASSERT(data.p + data.n == piece.p + used);
		back = gives_back ? data.n / 2 : 0;
		chunk_decoder_untake(&d, back);
		out->used -= back;
		buf_put(&out->content, data.p, data.n - back);
	}
	/* Content was the last that came: more is wanted. */
	if (out->st == CHUNK_DATA)
		out->st = CHUNK_MORE;
}

static void
fuzz_same(const struct decoded *a, const struct decoded *b)
{
	ASSERT(a->st == b->st);
	ASSERT(a->used == b->used);
	ASSERT(str_eq(buf_view(&a->content), buf_view(&b->content)));
	ASSERT(a->trailers.n == b->trailers.n);
	for (unsigned i = 0; i < a->trailers.n; i++) {
		const struct field *f = &a->trailers.fields[i];
		const struct field *g = &b->trailers.fields[i];

		ASSERT(str_eq(f->name, g->name));
		ASSERT(str_eq(f->value, g->value));
		ASSERT(field_token_is_valid(f->name));
		ASSERT(field_value_is_valid(f->value));
		ASSERT(f->id == field_lookup(f->name));
		ASSERT((field_flags(f->id) &
		    (FIELD_HOP | FIELD_FRAMING)) == 0);
	}
}

static void
fuzz_again(struct arena *a, const struct decoded *d)
{
	struct buf b = buf_in(a);
	struct decoded again;
	char size[18];

	if (d->content.n > 0) {
		buf_put(&b, size, chunk_format_size(size, d->content.n));
		buf_str(&b, buf_view(&d->content));
		buf_str(&b, STR("\r\n"));
	}
	buf_str(&b, STR("0\r\n"));
	HEAD_EACH(f, &d->trailers) {
		buf_str(&b, f->name);
		buf_chr(&b, ':');
		buf_str(&b, f->value);
		buf_str(&b, STR("\r\n"));
	}
	buf_str(&b, STR("\r\n"));
	fuzz_decode(a, buf_view(&b), NULL, false, &again);
	ASSERT(again.used == b.n);
	again.used = d->used;
	fuzz_same(d, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded whole, pieces;
	struct arena *a;
	struct str text;
	uint32_t seed;

	if (size == 0)
		return 0;
	a = arena_new();
	seed = data[0];
	text = str_of((const char *)data + 1, size - 1);
	fuzz_decode(a, text, NULL, false, &whole);
	fuzz_decode(a, text, &seed, false, &pieces);
	fuzz_same(&whole, &pieces);
	fuzz_decode(a, text, &seed, true, &pieces);
	fuzz_same(&whole, &pieces);
	fuzz_decode(a, text, NULL, true, &pieces);
	fuzz_same(&whole, &pieces);
	if (whole.st == CHUNK_END)
		fuzz_again(a, &whole);
	arena_end(a);
	return 0;
}
