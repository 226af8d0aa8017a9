/*
 * Reading the header of the PROXY protocol (proxy-protocol.txt of HAProxy,
 * sections 2.1 and 2.2). A function of the bytes that are there: it keeps
 * nothing and asks nobody, so that a header may come in any pieces. As whoever
 * writes it is believed, nothing is repaired: what is not exactly as the
 * standard has it is refused.
 */
#include "net/proxy_line.h"

#include <arpa/inet.h>

#define V1_BEGIN "PROXY "
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_FIXED 16 /* signature, command, family, length */

static enum proxy_line_status
proxy_line_bad(struct proxy_line *out, const char *why)
{
	out->has_peers = false;
	out->why = why;
	return PROXY_LINE_BAD;
}

/* What begins like neither version. Only the first byte is looked at: it is
 * there however the network cuts what comes. */
static enum proxy_line_status
proxy_line_none(struct proxy_line *out, char first)
{
	if (first == 0x16)
		return proxy_line_bad(out, "it begins with a TLS handshake");
	if (first >= 'A' && first <= 'Z')
		return proxy_line_bad(out, "it begins like an HTTP request");
	return proxy_line_bad(out, "it begins with something else");
}

static bool
proxy_line_begins(const char *p, size_t n, struct str with)
{
	return memcmp(p, with.p, n < with.n ? n : with.n) == 0;
}

/* ---- version 1 --------------------------------------------------------- */

/* A number from 0 to 65535, without leading zeros. */
static bool
proxy_line_port(struct str s, uint16_t *out)
{
	uint64_t v;

	if (s.n > 5 || (s.n > 1 && s.p[0] == '0') || !str_to_u64(s, &v) ||
	    v > UINT16_MAX)
		return false;
	*out = (uint16_t)v;
	return true;
}

/* What stands between "TCP4 " or "TCP6 " and the line's end. */
static enum proxy_line_status
proxy_line_addresses(int family, struct str s, struct proxy_line *out)
{
	struct str part[4];
	uint16_t from, to;

	for (unsigned i = 0; i < COUNT_OF(part); i++) {
		size_t space = str_index(s, ' ', 0);

		if ((space == SIZE_MAX) != (i == 3))
			return proxy_line_bad(out, "it has not two addresses "
			    "and two ports, with one space between");
		part[i] = str_slice(s, 0, space);
		s = str_slice(s, part[i].n + 1, s.n);
	}
	if (!proxy_line_port(part[2], &from) || !proxy_line_port(part[3], &to))
		return proxy_line_bad(out, "a port of it is none");
	if (!peer_parse_ip(family, part[0], from, &out->source) ||
	    !peer_parse_ip(family, part[1], to, &out->destination))
		return proxy_line_bad(out, "an address of it is none of its "
		    "family");
	out->has_peers = true;
	return PROXY_LINE_OK;
}

/* LINE is without "PROXY " and CRLF. */
static enum proxy_line_status
proxy_line_read(struct str line, struct proxy_line *out)
{
	struct str family = str_slice(line, 0, str_index(line, ' ', 0));
	struct str rest = str_slice(line, family.n + 1, line.n);

	if (str_eq(family, STR("TCP4")))
		return proxy_line_addresses(AF_INET, rest, out);
	if (str_eq(family, STR("TCP6")))
		return proxy_line_addresses(AF_INET6, rest, out);
	/* "the receiver must ignore anything presented before the CRLF" */
	if (str_eq(family, STR("UNKNOWN")))
		return PROXY_LINE_OK;
	return proxy_line_bad(out, "its family is not TCP4, TCP6 or UNKNOWN");
}

static bool
proxy_line_is_text(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x7f;
}

static enum proxy_line_status
proxy_line_parse_v1(const char *p, size_t n, struct proxy_line *out)
{
	size_t begin = sizeof V1_BEGIN - 1;
	size_t end = begin;

	if (!proxy_line_begins(p, n, STR(V1_BEGIN)))
		return proxy_line_none(out, p[0]);
	while (end < n && end < PROXY_LINE_V1_MAX && proxy_line_is_text(p[end]))
		end++;
	/* The CR may stand no later than before the last byte. */
	if (end >= PROXY_LINE_V1_MAX - 1)
		return proxy_line_bad(out, "the line has more than 107 bytes");
	if (end >= n)
		return PROXY_LINE_MORE;
	if (p[end] != '\r' || (end + 1 < n && p[end + 1] != '\n'))
		return proxy_line_bad(out, "the line has a byte that is no "
		    "text, or ends without CRLF");
	if (end + 1 >= n)
		return PROXY_LINE_MORE;
	out->n = end + 2;
	return proxy_line_read(str_of(p + begin, end - begin), out);
}

/* ---- version 2 --------------------------------------------------------- */

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };

/* Family and protocol in one byte. Datagrams have no place on a connection,
 * and neither have halves of a pair: refused, though they might be skipped. */
static const struct proxy_family {
	uint8_t byte;
	sa_family_t family; /* AF_UNSPEC: no addresses that are of use here */
	uint8_t ip;         /* bytes of an address */
	uint8_t n;          /* bytes of all addresses and ports */
} proxy_families[] = {
	{ 0x00, AF_UNSPEC, 0, 0 },
	{ 0x11, AF_INET, 4, 12 },
	{ 0x21, AF_INET6, 16, 36 },
	/* A path is nobody's address: the socket's stay. */
	{ 0x31, AF_UNSPEC, 0, 216 },
};

static const struct proxy_family *
proxy_line_family(uint8_t byte)
{
	for (size_t i = 0; i < COUNT_OF(proxy_families); i++)
		if (proxy_families[i].byte == byte)
			return &proxy_families[i];
	return NULL;
}

static uint16_t
proxy_line_u16(const char *p)
{
	return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

static struct peer
proxy_line_peer(const struct proxy_family *f, const char *ip, const char *port)
{
	struct addr a = { .len = sizeof a.in };

	a.sa.sa_family = f->family;
	if (f->family == AF_INET) {
		memcpy(&a.in.sin_addr, ip, f->ip);
		a.in.sin_port = htons(proxy_line_u16(port));
	} else {
		a.len = sizeof a.in6;
		memcpy(&a.in6.sin6_addr, ip, f->ip);
		a.in6.sin6_port = htons(proxy_line_u16(port));
	}
	/* An IPv4 address that poses as IPv6 meets the rules for IPv4. */
	return peer_from(&a);
}

/* RFC 3309: polynomial 0x1edc6f41, reflected. Once in a connection, of a few
 * hundred bytes: a table would not pay. */
static uint32_t
proxy_line_crc32c(uint32_t crc, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= (uint8_t)p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
	}
	return crc;
}

/* The checksum at AT is of the whole header P..P+N with zeros in its place. */
static bool
proxy_line_is_intact(const char *p, size_t n, size_t at)
{
	static const char zeros[4];
	uint32_t crc = proxy_line_crc32c(UINT32_MAX, p, at);
	uint32_t want = (uint32_t)proxy_line_u16(p + at) << 16 |
	    proxy_line_u16(p + at + 2);

	crc = proxy_line_crc32c(crc, zeros, sizeof zeros);
	crc = proxy_line_crc32c(crc, p + at + 4, n - at - 4);
	return ~crc == want;
}

/* Extensions from AT to the end: one that is not known is passed over. */
static enum proxy_line_status
proxy_line_extensions(const char *p, size_t n, size_t at,
    struct proxy_line *out)
{
	enum { CRC32C = 0x03, HEAD = 3 };
	bool has_crc = false;

	while (at < n) {
		size_t len;

		if (n - at < HEAD)
			return proxy_line_bad(out, "an extension is cut off");
		len = proxy_line_u16(p + at + 1);
		if (n - at - HEAD < len)
			return proxy_line_bad(out, "an extension is longer "
			    "than the header");
		if (p[at] == CRC32C) {
			if (has_crc || len != 4 ||
			    !proxy_line_is_intact(p, n, at + HEAD))
				return proxy_line_bad(out, "its checksum is "
				    "wrong");
			has_crc = true;
		}
		at += HEAD + len;
	}
	return PROXY_LINE_OK;
}

static enum proxy_line_status
proxy_line_read_block(const char *p, const struct proxy_family *f,
    struct proxy_line *out)
{
	const char *ports = p + V2_FIXED + 2 * f->ip;

	if (proxy_line_extensions(p, out->n, (size_t)V2_FIXED + f->n, out) !=
	    PROXY_LINE_OK)
		return PROXY_LINE_BAD;
	if (f->family == AF_UNSPEC)
		return PROXY_LINE_OK;
	out->has_peers = true;
	out->source = proxy_line_peer(f, p + V2_FIXED, ports);
	out->destination = proxy_line_peer(f, p + V2_FIXED + f->ip, ports + 2);
	return PROXY_LINE_OK;
}

/* Each byte is judged as soon as it is there. */
static enum proxy_line_status
proxy_line_parse_v2(const char *p, size_t n, struct proxy_line *out)
{
	size_t fixed = sizeof V2_SIGNATURE - 1;
	const struct proxy_family *f = NULL;
	uint8_t command;

	if (!proxy_line_begins(p, n, STR(V2_SIGNATURE)))
		return proxy_line_none(out, p[0]);
	if (n <= fixed)
		return PROXY_LINE_MORE;
	command = (uint8_t)p[fixed];
	if (command != V2_LOCAL && command != V2_PROXY)
		return proxy_line_bad(out, "its version is not 2, or its "
		    "command neither LOCAL nor PROXY");
	if (n <= fixed + 1)
		return PROXY_LINE_MORE;
	/* Of LOCAL all else is to be discarded, the family included. */
	if (command == V2_PROXY) {
		f = proxy_line_family((uint8_t)p[fixed + 1]);
		if (f == NULL)
			return proxy_line_bad(out, "its family is none of a "
			    "stream");
	}
	if (n < V2_FIXED)
		return PROXY_LINE_MORE;
	out->n = V2_FIXED + (size_t)proxy_line_u16(p + fixed + 2);
	if (out->n > PROXY_LINE_MAX)
		return proxy_line_bad(out, "it has more than 4096 bytes");
	if (f != NULL && out->n < (size_t)V2_FIXED + f->n)
		return proxy_line_bad(out, "it is too short for its "
		    "addresses");
	if (n < out->n)
		return PROXY_LINE_MORE;
	return f != NULL ? proxy_line_read_block(p, f, out) : PROXY_LINE_OK;
}

enum proxy_line_status
proxy_line_parse(const char *p, size_t n, struct proxy_line *out)
{
	*out = (struct proxy_line){ .n = 0 };
	if (n == 0)
		return PROXY_LINE_MORE;
	if (p[0] == V2_SIGNATURE[0])
		return proxy_line_parse_v2(p, n, out);
	return proxy_line_parse_v1(p, n, out);
}
