/*
 * Any bytes as a request target, under each setting for encoded slashes: what
 * is taken has a path that no reader can take for another one, and encoding and
 * reading that path again changes nothing.
 */
#include "http/target.h"

#include "base/panic.h"

/* A path as it is matched and opened: clean, and beneath the root. */
static void
fuzz_check_path(struct str path)
{
	struct str rest = path, part;
	size_t n_slashes = 0, n_parts = 0;

	ASSERT(path.n > 0 && path.p[0] == '/');
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		ASSERT(c >= 0x20 && c != 0x7f && c != '\\');
		ASSERT(c != '/' || i == 0 || path.p[i - 1] != '/');
		n_slashes += c == '/';
	}
	while (str_split(&rest, '/', &part)) {
		ASSERT(!str_eq(part, STR(".")) && !str_eq(part, STR("..")));
		n_parts++;
	}
	ASSERT(n_parts <= n_slashes + 1);
}

/* The path, if it needed no work, must be what was sent. */
static bool
fuzz_is_inside(struct str part, struct str whole)
{
	return part.n == 0 ||
	    (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void
fuzz_check_again(struct arena *a, struct str path, enum encoded_slash slash)
{
	struct str encoded = path_encode(a, path);
	struct target again;

	ASSERT(target_parse(a, encoded, slash, &again) == TARGET_OK);
	ASSERT(!again.has_query && str_eq(again.path, path));
	ASSERT(str_eq(path_encode(a, again.path), encoded));
}

static void
fuzz_parse(struct arena *a, struct str raw, enum encoded_slash slash)
{
	struct target t;

	if (target_parse(a, raw, slash, &t) != TARGET_OK)
		return;
	fuzz_check_path(t.path);
	fuzz_check_again(a, t.path, slash);
	ASSERT(fuzz_is_inside(t.query, raw));
	ASSERT(t.has_query || t.query.n == 0);
	switch (t.form) {
	case TARGET_ORIGIN:
		ASSERT(raw.p[0] == '/' && fuzz_is_inside(t.raw_path, raw));
		ASSERT(t.raw_path.n + t.has_query + t.query.n == raw.n);
		break;
	case TARGET_ABSOLUTE:
		ASSERT(t.authority.n > 0 && fuzz_is_inside(t.authority, raw));
		break;
	case TARGET_ASTERISK:
		ASSERT(str_eq(raw, STR("*")));
		break;
	}
	/* What refusing lets through has no encoded slash, so that the other
	 * settings read the same. */
	if (slash == SLASH_REFUSE) {
		struct target other;

		ASSERT(target_parse(a, raw, SLASH_DECODE, &other) ==
		    TARGET_OK && str_eq(other.path, t.path));
		ASSERT(target_parse(a, raw, SLASH_KEEP, &other) == TARGET_OK &&
		    str_eq(other.path, t.path));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str raw = str_of((const char *)data, size);

	fuzz_parse(a, raw, SLASH_REFUSE);
	fuzz_parse(a, raw, SLASH_KEEP);
	fuzz_parse(a, raw, SLASH_DECODE);
	arena_end(a);
	return 0;
}
