/*
 * A witness of a connection: reads again, strictly and from the beginning, what
 * each side said, and knows nothing of how it was passed on. What it takes for
 * complete is what a careful client or server would.
 */
#ifndef TESTS_FUZZ_WITNESS_H
#define TESTS_FUZZ_WITNESS_H

#include "base/buf.h"
#include "base/panic.h"
#include "http/chunk.h"
#include "http/h1_parse.h"
#include "http/status.h"

struct said_request {
	struct h1_request r;
	struct head head;
	struct buf body;
	bool whole;
	size_t end;    /* of the head, in all that was said */
	unsigned seen; /* by upstreams */
};

struct said_response {
	struct h1_response r;
	struct head head;
	bool has_head;
	bool until_close;
	struct buf body;
	bool whole;
	struct str raw; /* after a 101 */
};

/* How the bytes end: a FIN makes a body without framing whole. */
struct said {
	struct arena *arena;
	struct str all;
	size_t at;
	bool has_fin;
};

static struct str
said_rest(const struct said *s)
{
	return str_slice(s->all, s->at, s->all.n);
}

/* Takes a body in chunks; -1: it is none. 0: it is not whole. */
static int
said_chunks(struct said *s, struct buf *body)
{
	struct chunk_decoder d;
	struct head trailers;
	struct str data;
	size_t used;

	head_init(&trailers, s->arena, 0);
	chunk_decoder_init(&d);
	for (;;) {
		struct str rest = said_rest(s);

		if (rest.n == 0)
			return 0;
		switch (chunk_decode(&d, rest.p, rest.n, &used, &data,
		    &trailers)) {
		case CHUNK_DATA:
			buf_str(body, data);
			s->at += used;
			continue;
		case CHUNK_MORE:
			s->at += used;
			return 0;
		case CHUNK_END:
			s->at += used;
			return 1;
		case CHUNK_BAD:
			return -1;
		}
	}
}

static bool
said_length(struct said *s, struct buf *body, uint64_t length)
{
	struct str rest = said_rest(s);

	if (rest.n > length)
		rest.n = (size_t)length;
	buf_str(body, rest);
	s->at += rest.n;
	return rest.n == length;
}

enum said_head { SAID_OK, SAID_BAD, SAID_PART, SAID_NOTHING };

/* The next request; OK even if its body is not whole. */
static inline enum said_head
said_request(struct said *s, const struct h1_limits *limits, size_t max,
    struct said_request *out)
{
	struct str rest = said_rest(s);
	size_t scanned = 0, n;

	*out = (struct said_request){ .body = buf_in(s->arena) };
	if (rest.n == 0)
		return SAID_NOTHING;
	/* An empty line may begin a request. */
	s->at += h1_skip_blank(rest.p, rest.n);
	rest = said_rest(s);
	n = h1_scan_head(rest.p, rest.n, &scanned);
	if (n > max || (n == 0 && rest.n >= max))
		return SAID_BAD;
	if (n == 0)
		return SAID_PART;
	head_init(&out->head, s->arena, 16);
	if (h1_parse_request(rest.p, n, limits, &out->r, &out->head) != H1_OK)
		return SAID_BAD;
	s->at += n;
	out->end = s->at;
	if (out->r.chunked)
		out->whole = said_chunks(s, &out->body) > 0;
	else
		out->whole = said_length(s, &out->body,
		    out->r.content_length > 0 ?
		    (uint64_t)out->r.content_length : 0);
	return SAID_OK;
}

static void
said_response_body(struct said *s, enum method method,
    struct said_response *out)
{
	int status = out->r.status;

	if (status == 101) {
		out->raw = said_rest(s);
		s->at = s->all.n;
		out->whole = true;
	} else if (method == METHOD_HEAD || status_has_no_body(status)) {
		out->whole = true;
	} else if (out->r.chunked) {
		out->whole = said_chunks(s, &out->body) > 0;
	} else if (out->r.content_length >= 0) {
		out->whole = said_length(s, &out->body,
		    (uint64_t)out->r.content_length);
	} else {
		out->until_close = true;
		buf_str(&out->body, said_rest(s));
		s->at = s->all.n;
		out->whole = s->has_fin;
	}
}

/* The next response to METHOD; *INTERIMS is how many 1xx came before it. */
static inline enum said_head
said_response(struct said *s, enum method method, unsigned *interims,
    struct said_response *out)
{
	static const struct h1_limits limits = { .max_fields = 200 };

	*interims = 0;
	*out = (struct said_response){ .body = buf_in(s->arena) };
	for (;; ++*interims) {
		struct str rest = said_rest(s);
		size_t scanned = 0;
		size_t n = h1_scan_head(rest.p, rest.n, &scanned);

		if (n == 0)
			return rest.n == 0 ? SAID_NOTHING : SAID_PART;
		head_init(&out->head, s->arena, 16);
		if (h1_parse_response(rest.p, n, &limits, &out->r,
		    &out->head) != H1_OK)
			return SAID_BAD;
		s->at += n;
		if (out->r.status >= 200 || out->r.status == 101)
			break;
	}
	out->has_head = true;
	said_response_body(s, method, out);
	return SAID_OK;
}

#endif
