/*
 * Any bytes as the value of a field in which proxies say whom they speak for:
 * after the first byte, which says how it is read. Whatever a client wrote at
 * the front changes nothing about what a proxy adds behind it.
 */
#include "base/panic.h"
#include "http/provenance.h"

static unsigned
fuzz_read(struct arena *a, struct str value, bool is_forwarded, bool once,
    struct peer hops[PROVENANCE_HOPS], bool *is_whole)
{
	static struct cidr network = { .family = AF_INET, .bits = 8,
		.ip = { 10 } };
	static const struct conf_list proxies = { .n = 1, .items = &network };
	enum field_id id = is_forwarded ? FIELD_FORWARDED :
	    FIELD_X_FORWARDED_FOR;
	struct head h;
	unsigned n;

	head_init(&h, a, 1);
	head_add_known(&h, id, value);
	n = provenance_read(&h, id, field_name(id), &proxies, once, hops,
	    is_whole);
	ASSERT(n <= PROVENANCE_HOPS && (!once || n <= 1));
	/* All but the last of them are proxies. */
	for (unsigned i = 0; i + 1 < n; i++)
		ASSERT(cidr_contains(&network, &hops[i]));
	if (n > 0 && !cidr_contains(&network, &hops[n - 1]))
		ASSERT(*is_whole);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct peer hops[PROVENANCE_HOPS];
	struct str value, longer;
	bool is_forwarded, is_whole;

	if (size == 0)
		return 0;
	is_forwarded = (data[0] & 1) != 0;
	value = str_of((const char *)data + 1, size - 1);
	(void)fuzz_read(a, value, is_forwarded, (data[0] & 2) != 0, hops,
	    &is_whole);

	longer = arena_strf(a, "%.*s, %s192.0.2.7", STR_ARG(value),
	    is_forwarded ? "for=" : "");
	/* A NUL ends what arena_strf takes. */
	if (memchr(value.p, '\0', value.n) == NULL) {
		ASSERT(fuzz_read(a, longer, is_forwarded, false, hops,
		    &is_whole) == 1);
		ASSERT(is_whole && hops[0].ip[3] == 7);
	}
	arena_end(a);
	return 0;
}
