/*
 * Authorities: "host[:port]" as Host and absolute targets have it (RFC 3986
 * section 3.2.2), strictly, because sites are chosen by it and templates put it
 * into paths and headers. Escapes in names are refused: DNS knows none, and who
 * decodes them sees another host than who does not.
 */
#include "http/target.h"

#include <arpa/inet.h>

/* unreserved and sub-delims, the characters of reg-name. */
static const bool authority_is_name[256] = {
	['!'] = true, ['$'] = true, ['&' ... '.'] = true,
	['0' ... '9'] = true, [';'] = true, ['='] = true,
	['A' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true, ['~'] = true
};

/* Takes "[v6]" off REST. Zones (RFC 6874) mean something only to the machine
 * that wrote them, and IPvFuture means nothing yet. */
static bool
authority_take_literal(struct str *rest, struct str *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;
	size_t end = str_index(*rest, ']', 0);

	if (end == SIZE_MAX || end > sizeof text)
		return false;
	memcpy(text, rest->p + 1, end - 1);
	text[end - 1] = '\0';
	/* A NUL within would make inet_pton see less than we pass on. */
	if (strlen(text) != end - 1 || inet_pton(AF_INET6, text, &ip) != 1)
		return false;
	*host = str_slice(*rest, 0, end + 1);
	*rest = str_slice(*rest, end + 1, rest->n);
	return true;
}

/*
 * Takes a name or an IPv4 address off REST. Empty labels are no host, and as a
 * part of a path ("/srv/$host") ".." would be worse than none; only the dot
 * that marks a complete name may stand, and goes.
 */
static bool
authority_take_name(struct str *rest, struct str *host)
{
	size_t n = 0;

	while (n < rest->n && authority_is_name[(unsigned char)rest->p[n]]) {
		if (rest->p[n] == '.' && (n == 0 || rest->p[n - 1] == '.'))
			return false;
		n++;
	}
	if (n == 0)
		return false;
	*host = str_slice(*rest, 0, rest->p[n - 1] == '.' ? n - 1 : n);
	*rest = str_slice(*rest, n, rest->n);
	return true;
}

/* Nothing, ":" (RFC 3986 section 6.2.3 allows it) or ":port". */
static bool
authority_read_port(struct str rest, uint16_t *port)
{
	uint64_t v;

	*port = 0;
	if (rest.n == 0)
		return true;
	if (rest.p[0] != ':')
		return false;
	if (rest.n == 1)
		return true;
	if (!str_to_u64(str_slice(rest, 1, rest.n), &v) || v < 1 ||
	    v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	return true;
}

static struct str
authority_lower(struct arena *a, struct str host)
{
	size_t i = 0;
	char *copy;

	while (i < host.n && chr_lower(host.p[i]) == host.p[i])
		i++;
	if (i == host.n)
		return host;
	copy = arena_memdup(a, host.p, host.n);
	for (; i < host.n; i++)
		copy[i] = chr_lower(copy[i]);
	return str_of(copy, host.n);
}

bool
authority_parse(struct arena *a, struct str authority, struct str *host,
    uint16_t *port)
{
	struct str rest = authority, name;
	uint16_t number;
	bool is_literal = rest.n > 0 && rest.p[0] == '[';

	if (!(is_literal ? authority_take_literal(&rest, &name) :
	    authority_take_name(&rest, &name)))
		return false;
	if (!authority_read_port(rest, &number))
		return false;
	*host = authority_lower(a, name);
	*port = number;
	return true;
}
