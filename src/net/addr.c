/*
 * Addresses: from what operators write to what the kernel takes, and back.
 * Only addr_resolve asks anybody.
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct peer
peer_from(const struct addr *a)
{
	struct peer p = { .family = a->len > 0 ? a->sa.sa_family : AF_UNIX };

	if (p.family == AF_INET) {
		p.port = ntohs(a->in.sin_port);
		memcpy(p.ip, &a->in.sin_addr, 4);
	} else if (p.family == AF_INET6) {
		p.port = ntohs(a->in6.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
			p.family = AF_INET;
			memcpy(p.ip, a->in6.sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(p.ip, &a->in6.sin6_addr, 16);
		}
	} else {
		p.family = AF_UNIX;
	}
	return p;
}

/* inet_pton takes no leading zeros and no zone. Of IPv6 it takes every way to
 * write an address, and each of them has one reading. */
bool
peer_parse_ip(int family, struct str s, uint16_t port, struct peer *out)
{
	struct addr a = { .len = sizeof a.in };
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof text)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	a.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		a.in.sin_port = htons(port);
		if (inet_pton(family, text, &a.in.sin_addr) != 1)
			return false;
	} else {
		a.len = sizeof a.in6;
		a.in6.sin6_port = htons(port);
		if (inet_pton(family, text, &a.in6.sin6_addr) != 1)
			return false;
	}
	*out = peer_from(&a);
	return true;
}

void
peer_format_ip(struct buf *b, const struct peer *p)
{
	char text[INET6_ADDRSTRLEN];

	switch (p->family) {
	case AF_INET:
		for (int i = 0; i < 4; i++) {
			if (i > 0)
				buf_chr(b, '.');
			buf_u64(b, p->ip[i]);
		}
		return;
	case AF_INET6:
		inet_ntop(AF_INET6, p->ip, text, sizeof text);
		buf_z(b, text);
		return;
	default:
		buf_z(b, "unix:");
		return;
	}
}

void
addr_format(struct buf *b, const struct addr *a)
{
	struct peer p = peer_from(a);
	size_t path = offsetof(struct sockaddr_un, sun_path);

	if (a->len == 0) {
		buf_z(b, "(no address)");
		return;
	}
	if (a->sa.sa_family == AF_UNIX) {
		buf_z(b, "unix:");
		if (a->len > path)
			buf_put(b, a->un.sun_path,
			    strnlen(a->un.sun_path, a->len - path));
		return;
	}
	if (p.family == AF_INET6)
		buf_chr(b, '[');
	peer_format_ip(b, &p);
	if (p.family == AF_INET6)
		buf_chr(b, ']');
	buf_chr(b, ':');
	buf_u64(b, p.port);
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->len != b->len || a->len == 0)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		    a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	default:
		return memcmp(&a->un, &b->un, a->len) == 0;
	}
}

/* ---- reading ----------------------------------------------------------- */

static bool
addr_parse_unix(struct str path, struct addr *out, struct err *e)
{
	*out = (struct addr){ .un = { .sun_family = AF_UNIX } };
	if (path.n == 0)
		return err_set(e, "unix: needs a path, such as "
		    "unix:/run/x.sock");
	if (path.n >= sizeof out->un.sun_path)
		return err_set(e, "the path of a unix socket may have at most "
		    "%zu bytes", sizeof out->un.sun_path - 1);
	memcpy(out->un.sun_path, path.p, path.n);
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    path.n + 1);
	return true;
}

static bool
addr_parse_port(struct str s, uint16_t *port, struct err *e)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v < 1 || v > 65535)
		return err_set(e, "\"%.*s\" is not a port (1 to 65535)",
		    STR_ARG(s));
	*port = (uint16_t)v;
	return true;
}

/* HOST without brackets and port as an address; false if it is a name. */
static bool
addr_parse_ip(struct str host, uint16_t port, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];

	*out = (struct addr){ .len = 0 };
	if (host.n == 0 || host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port);
		out->len = sizeof out->in;
		return true;
	}
	if (inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		out->len = sizeof out->in6;
		return true;
	}
	return false;
}

/* Cuts "HOST:PORT", "[v6]:PORT", "HOST"; *PORT has n == 0 without one. */
static bool
addr_cut(struct str s, struct str *host, struct str *port, struct err *e)
{
	size_t end;

	*port = str_of("", 0);
	if (s.n > 0 && s.p[0] == '[') {
		end = str_index(s, ']', 0);
		if (end == SIZE_MAX)
			return err_set(e, "\"%.*s\": \"[\" without \"]\"",
			    STR_ARG(s));
		*host = str_slice(s, 1, end);
		/* An IP-literal (RFC 3986 section 3.2.2), not a name. */
		if (str_index(*host, ':', 0) == SIZE_MAX)
			return err_set(e, "\"%.*s\": brackets are for IPv6 "
			    "addresses, such as [::1]:80", STR_ARG(s));
		s = str_slice(s, end + 1, s.n);
		if (s.n == 0)
			return true;
		if (s.p[0] != ':')
			return err_set(e, "expected \":PORT\" after \"]\", "
			    "found \"%.*s\"", STR_ARG(s));
		*port = str_slice(s, 1, s.n);
		return true;
	}
	end = str_index(s, ':', 0);
	*host = str_slice(s, 0, end);
	if (end == SIZE_MAX)
		return true;
	*port = str_slice(s, end + 1, s.n);
	if (str_index(*port, ':', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\": an IPv6 address with a port is "
		    "written in brackets, such as [::1]:80", STR_ARG(s));
	return true;
}

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
addr_any(uint16_t port, struct addr *out)
{
	*out = (struct addr){ .len = 0 };
	if (has_ipv6()) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		out->len = sizeof out->in6;
	} else {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port);
		out->len = sizeof out->in;
	}
}

/* What stands in the place of an address elsewhere. */
static bool
addr_check_listen(struct str s, struct err *e)
{
	if (str_contains(s, STR("://")))
		return err_set(e, "\"%.*s\" has a scheme; expected a port, "
		    "ADDRESS:PORT or unix:PATH, under \"http\" or \"https\"",
		    STR_ARG(s));
	if (str_has_suffix(s, STR(" ssl")))
		return err_set(e, "expected an address alone; did you mean "
		    "{https: %.*s}?", STR_ARG(str_slice(s, 0, s.n - 4)));
	if (s.n > 1 && s.p[0] == ':' && str_to_u64(str_slice(s, 1, s.n),
	    &(uint64_t){ 0 }))
		return err_set(e, "an address is missing before the \":\"; "
		    "did you mean \"%.*s\", every address?",
		    STR_ARG(str_slice(s, 1, s.n)));
	return true;
}

bool
addr_parse_listen(struct str s, struct addr *out, struct err *e)
{
	struct str host, text;
	uint16_t port = 0;

	if (str_has_prefix(s, STR("unix:")))
		return addr_parse_unix(str_slice(s, 5, s.n), out, e);
	if (!addr_check_listen(s, e))
		return false;
	if (!addr_cut(s, &host, &text, e))
		return false;
	if (text.n == 0) {
		/* A port alone; an address alone listens nowhere. */
		if (!str_to_u64(host, &(uint64_t){ 0 }))
			return err_set(e, addr_parse_ip(host, 1, out) ?
			    "\"%.*s\" lacks its port; expected a port, "
			    "ADDRESS:PORT or unix:PATH" :
			    "expected a port, ADDRESS:PORT or unix:PATH, "
			    "found \"%.*s\"", STR_ARG(s));
		if (!addr_parse_port(host, &port, e))
			return false;
		addr_any(port, out);
		return true;
	}
	if (!addr_parse_port(text, &port, e))
		return false;
	if (str_eq(host, STR("*"))) {
		addr_any(port, out);
		return true;
	}
	if (!addr_parse_ip(host, port, out))
		return err_set(e, "\"%.*s\" is not an address of this machine; "
		    "host names belong in `hosts`", STR_ARG(host));
	return true;
}

static bool
name_is_valid(struct str s)
{
	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = chr_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		        c == '-' || c == '.' || c == '_'))
			return false;
	}
	return true;
}

bool
addr_parse_server(struct str s, uint16_t default_port, struct addr *out,
    struct str *name, uint16_t *port, struct err *e)
{
	struct str host, text;

	*name = str_of(NULL, 0);
	*port = default_port;
	if (str_has_prefix(s, STR("unix:")))
		return addr_parse_unix(str_slice(s, 5, s.n), out, e);
	if (!addr_cut(s, &host, &text, e))
		return false;
	if (text.n > 0 && !addr_parse_port(text, port, e))
		return false;
	if (*port == 0)
		return err_set(e, "\"%.*s\" needs a port: HOST:PORT",
		    STR_ARG(s));
	if (addr_parse_ip(host, *port, out))
		return true;
	if (!name_is_valid(host))
		return err_set(e, "expected HOST:PORT, [IPv6]:PORT or "
		    "unix:PATH, found \"%.*s\"", STR_ARG(s));
	*name = host;
	return true;
}

size_t
addr_resolve(struct str name, uint16_t port, struct addr *out, size_t cap,
    struct err *e)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG
	};
	struct addrinfo *list;
	char host[256], service[8];
	size_t n = 0;
	int status;

	snprintf(host, sizeof host, "%.*s", STR_ARG(name));
	snprintf(service, sizeof service, "%u", port);
	status = getaddrinfo(host, service, &hints, &list);
	if (status != 0) {
		err_set(e, "cannot resolve %s: %s", host, gai_strerror(status));
		return 0;
	}
	for (struct addrinfo *i = list; i != NULL && n < cap; i = i->ai_next) {
		if (i->ai_addrlen > sizeof out[n].un)
			continue;
		out[n] = (struct addr){ .len = i->ai_addrlen };
		memcpy(&out[n].sa, i->ai_addr, i->ai_addrlen);
		n++;
	}
	freeaddrinfo(list);
	return n;
}

/* ---- networks ---------------------------------------------------------- */

bool
cidr_parse(struct str s, struct cidr *out, struct err *e)
{
	size_t slash = str_index(s, '/', 0);
	struct str ip = str_slice(s, 0, slash);
	struct addr a;
	struct peer p;
	uint64_t bits;

	*out = (struct cidr){ .family = AF_UNIX };
	if (str_eq(s, STR("unix:")))
		return true;
	if (!addr_parse_ip(ip, 1, &a))
		return err_set(e, "expected an address or a network such as "
		    "10.0.0.0/8, found \"%.*s\"", STR_ARG(s));
	p = peer_from(&a);
	out->family = p.family;
	memcpy(out->ip, p.ip, sizeof out->ip);
	bits = p.family == AF_INET ? 32 : 128;
	out->bits = (uint8_t)bits;
	if (slash == SIZE_MAX)
		return true;
	if (!str_to_u64(str_slice(s, slash + 1, s.n), &bits) ||
	    bits > out->bits)
		return err_set(e, "\"%.*s\": the prefix length is a number "
		    "from 0 to %u", STR_ARG(s), out->bits);
	out->bits = (uint8_t)bits;
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = bits > 8 * i ? (unsigned)bits - 8 * i : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

		if (p.family == AF_INET && i >= 4)
			break;
		if ((out->ip[i] & ~mask & 0xff) != 0)
			return err_set(e, "%.*s has bits set beyond its "
			    "prefix length", STR_ARG(s));
	}
	return true;
}

bool
cidr_contains(const struct cidr *c, const struct peer *p)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (c->family != p->family)
		return false;
	if (memcmp(c->ip, p->ip, whole) != 0)
		return false;
	return rest == 0 ||
	    ((c->ip[whole] ^ p->ip[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

/* ---- scalar types ------------------------------------------------------ */

static bool
listen_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	(void)a;
	return addr_parse_listen(text, out, e);
}

static bool
cidr_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	(void)a;
	return cidr_parse(text, out, e);
}

const struct conf_type conf_type_listen = {
	.name = "address",
	.expected = "a port, ADDRESS:PORT or unix:PATH",
	.size = sizeof(struct addr),
	.parse = listen_type_parse,
	.json = "\"type\": [\"integer\", \"string\"], \"minimum\": 1, "
	    "\"maximum\": 65535, "
	    "\"pattern\": \"^(unix:.+|([^ /]+:)?[0-9]+)$\""
};

const struct conf_type conf_type_cidr = {
	.name = "network",
	.expected = "an address or a network such as 10.0.0.0/8",
	.size = sizeof(struct cidr),
	.parse = cidr_type_parse,
	.json = "\"type\": \"string\""
};
