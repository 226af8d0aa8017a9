/*
 * Any bytes as a Range, the first eight as the size: every range lies in the
 * representation, and together they are no larger than it.
 */
#include "http/range.h"

#include "base/panic.h"

static void
fuzz_parse(struct str value, uint64_t size)
{
	struct range ranges[RANGE_MAX];
	unsigned n = RANGE_MAX + 1;
	enum range_status st = range_parse(value, size, ranges, &n);
	uint64_t left = size;

	ASSERT((st == RANGE_NONE || st == RANGE_BAD) || st == RANGE_OK);
	ASSERT(n <= RANGE_MAX);
	if (st != RANGE_OK) {
		ASSERT(st == RANGE_NONE || n == 0);
		return;
	}
	ASSERT(n > 0 && size > 0);
	for (unsigned i = 0; i < n; i++) {
		const struct range *r = &ranges[i];

		ASSERT(r->from <= r->to && r->to < size);
		ASSERT(r->to - r->from < left);
		left -= r->to - r->from + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = {
		0, 1, 10, 1000, INT64_MAX, UINT64_MAX
	};
	struct str value = str_of((const char *)data, size);
	uint64_t given;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		fuzz_parse(value, sizes[i]);
	if (size >= sizeof given) {
		memcpy(&given, data, sizeof given);
		fuzz_parse(str_slice(value, sizeof given, size), given);
	}
	return 0;
}
