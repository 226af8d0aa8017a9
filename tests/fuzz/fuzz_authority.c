/*
 * Any bytes as a Host: what is taken is lower case, names one host that may
 * stand in a path, a header or a URL, and is read again as itself.
 */
#include "http/target.h"

#include "base/panic.h"

static void
fuzz_check_host(struct str host)
{
	ASSERT(host.n > 0 && host.p[host.n - 1] != '.' && host.p[0] != '.');
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];

		ASSERT(c > 0x20 && c < 0x7f && c == (unsigned char)
		    chr_lower((char)c));
		ASSERT(memchr("/\\@?#%\"<>|^`{}", c, 14) == NULL);
		ASSERT(c != ':' || host.p[0] == '[');
		ASSERT((c == '[') == (i == 0 && host.p[0] == '['));
		ASSERT(c != '.' || host.p[i - 1] != '.');
	}
	ASSERT((host.p[0] == '[') == (host.p[host.n - 1] == ']'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str text = str_of((const char *)data, size), host, again;
	uint16_t port, port_again;

	if (authority_parse(a, text, &host, &port)) {
		fuzz_check_host(host);
		ASSERT(authority_parse(a, host, &again, &port_again));
		ASSERT(str_eq(again, host) && port_again == 0);
		if (port != 0) {
			ASSERT(authority_parse(a, arena_strf(a, "%.*s:%u",
			    STR_ARG(host), port), &again, &port_again));
			ASSERT(str_eq(again, host) && port_again == port);
		}
	}
	arena_end(a);
	return 0;
}
