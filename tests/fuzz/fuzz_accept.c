/*
 * Any bytes as Accept-Encoding: the chosen coding is offered and is not
 * excluded by name; every member of the list is a trimmed part of it, and its
 * weight lies within bounds. Choosing again, and by two lines instead of a
 * comma, gives the same.
 */
#include "base/panic.h"
#include "http/coding.h"
#include "http/weight.h"

static const int offered[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };

static enum coding
fuzz_choose(struct arena *a, const struct str *lines, size_t n)
{
	struct head h;
	enum coding c;

	head_init(&h, a, 2);
	for (size_t i = 0; i < n; i++)
		head_add_known(&h, FIELD_ACCEPT_ENCODING, lines[i]);
	c = coding_choose(&h, offered, sizeof offered / sizeof offered[0]);
	ASSERT(c == CODING_IDENTITY || coding_is_accepted(&h, c));
	return c;
}

static void
fuzz_members(struct str value)
{
	struct str rest = value, name;
	unsigned weight;

	while (weight_next(&rest, &name, &weight)) {
		ASSERT(name.n > 0 && weight <= WEIGHT_MAX);
		ASSERT(name.p >= value.p &&
		    name.p + name.n <= value.p + value.n);
		ASSERT(str_eq(str_trim(name), name));
		ASSERT(str_index(name, ',', 0) == SIZE_MAX);
		ASSERT(str_index(name, ';', 0) == SIZE_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str value = str_of((const char *)data, size);
	size_t comma = str_index(value, ',', 0);
	struct arena *a = arena_new();
	enum coding c = fuzz_choose(a, &value, 1);

	fuzz_members(value);
	if (comma != SIZE_MAX) {
		struct str lines[] = {
			str_slice(value, 0, comma),
			str_slice(value, comma + 1, value.n)
		};

		ASSERT(fuzz_choose(a, lines, 2) == c);
	}
	arena_end(a);
	return 0;
}
