/* Request methods by name and what RFC 9110 section 9.2 says of each. */
#include "http/method.h"

struct method_row {
	const char *name;
	uint8_t n, flags;
};

static const struct method_row rows[METHOD_COUNT] = {
	[METHOD_OTHER] = {"", 0, METHOD_NONE},
#define METHOD(name, flags) \
	[METHOD_##name] = {#name, sizeof #name - 1, METHOD_##flags},
	METHODS
#undef METHOD
};

enum method
method_lookup(struct str name)
{
	for (unsigned i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		if (rows[i].n == name.n && rows[i].name[0] == name.p[0] &&
		    memcmp(rows[i].name, name.p, name.n) == 0)
			return (enum method)i;
	return METHOD_OTHER;
}

const char *
method_name(enum method m)
{
	return rows[m].name;
}

unsigned
method_flags(enum method m)
{
	return rows[m].flags;
}
