/*
 * Any bytes as a query: its parameters put side by side are the query again;
 * what is encoded is one value, stands in a target, and is read back; and a
 * path made of the bytes is refused or is one that a client could send.
 */
#include "base/panic.h"
#include "http/query.h"
#include "http/target.h"

static void
fuzz_parameters(struct arena *a, struct str query)
{
	struct buf out = buf_in(a);
	struct str rest = query, pair, name;
	bool is_first = true;

	while (query_next(&rest, &pair, &name)) {
		struct str decoded = query_decode(a, name);

		ASSERT(query_eq(name, decoded));
		ASSERT(query_has_prefix(name, str_slice(decoded, 0,
		    decoded.n / 2)));
		ASSERT(name.n + query_value(pair).n <= pair.n);
		if (!is_first)
			buf_chr(&out, '&');
		is_first = false;
		buf_str(&out, pair);
	}
	/* An "&" at the end has nothing behind it. */
	ASSERT(str_has_prefix(query, buf_view(&out)));
	ASSERT(query.n - out.n <= 1);
}

static void
fuzz_encode(struct arena *a, struct str text)
{
	struct buf out = buf_in(a);
	struct target t;
	struct str pair, name, rest;

	buf_z(&out, "/?k=");
	query_encode(&out, text);
	ASSERT(target_parse(a, buf_view(&out), SLASH_REFUSE, &t) == TARGET_OK);
	rest = t.query;
	ASSERT(query_next(&rest, &pair, &name) && rest.n == 0);
	ASSERT(query_eq(query_value(pair), text));

	out.n = 2;
	query_encode_piece(&out, text);
	ASSERT(target_parse(a, buf_view(&out), SLASH_REFUSE, &t) == TARGET_OK);
}

static void
fuzz_path(struct arena *a, struct str text)
{
	static const enum encoded_slash slashes[] = {SLASH_DECODE, SLASH_KEEP};
	struct str path = text;

	if (!path_settle(a, &path))
		return;
	for (size_t i = 0; i < sizeof slashes / sizeof *slashes; i++) {
		struct target t;

		ASSERT(target_parse(a, path_encode_as(a, path, slashes[i]),
		    slashes[i], &t) == TARGET_OK);
		/* A slash that is kept is written in one way only. */
		ASSERT(slashes[i] == SLASH_KEEP ? t.path.n == path.n :
		    str_eq(t.path, path));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str text = str_of((const char *)data, size);

	fuzz_parameters(a, text);
	fuzz_encode(a, text);
	fuzz_path(a, text);
	arena_end(a);
	return 0;
}
