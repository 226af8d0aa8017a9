/*
 * Any bytes as the value of a field: its elements as a comma list, its tokens,
 * and its cookies are what a second, slower reading finds. The first byte says
 * how many of those that follow are the name that is looked for.
 */
#include "base/panic.h"
#include "http/field.h"

static bool
fuzz_is_inside(struct str part, struct str s)
{
	return part.p >= s.p && part.p + part.n <= s.p + s.n;
}

/* Elements are trimmed parts, in order, none empty, each at most once; whether
 * TOKEN is one of them is what field_has_token says. */
static void
fuzz_list(struct str value, struct str token)
{
	struct str rest = value, element;
	const char *at = value.p;
	bool has = false;

	while (field_next(&rest, &element)) {
		ASSERT(element.n > 0 && fuzz_is_inside(element, value));
		ASSERT(element.p >= at);
		ASSERT(str_eq(str_trim(element), element));
		at = element.p + element.n;
		ASSERT(rest.n == 0 || (rest.p > at && rest.p[-1] == ','));
		/* Without quotes a comma always separates. */
		ASSERT(str_index(element, ',', 0) == SIZE_MAX ||
		    str_index(element, '"', 0) != SIZE_MAX);
		has = has || str_case_eq(element, token);
	}
	ASSERT(rest.n == 0);
	ASSERT(field_has_token(value, token) == has);
}

/* Byte by byte: the first pair with that name, up to its semicolon. */
static struct str
fuzz_find_cookie(struct str value, struct str name)
{
	for (size_t from = 0; from <= value.n; ) {
		size_t to = from;
		struct str pair;

		while (to < value.n && value.p[to] != ';')
			to++;
		pair = str_trim(str_slice(value, from, to));
		if (pair.n > name.n && pair.p[name.n] == '=' &&
		    memchr(pair.p, '=', name.n) == NULL &&
		    str_eq(str_slice(pair, 0, name.n), name))
			return str_slice(pair, name.n + 1, pair.n);
		from = to + 1;
	}
	return str_of(NULL, 0);
}

static void
fuzz_cookie(struct str value, struct str name)
{
	struct str want = fuzz_find_cookie(value, name);
	struct str got = field_cookie(value, name);

	ASSERT((got.p == NULL) == (want.p == NULL));
	ASSERT(str_eq(got, want));
	if (got.p != NULL)
		ASSERT(fuzz_is_inside(got, value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all, name, value;

	if (size == 0)
		return 0;
	all = str_of((const char *)data + 1, size - 1);
	name = str_slice(all, 0, data[0] % 16);
	value = str_slice(all, name.n, all.n);
	fuzz_list(value, name);
	fuzz_cookie(value, name);
	return 0;
}
