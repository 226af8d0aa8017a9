/*
 * Any bytes as the header of the PROXY protocol: one verdict however they are
 * cut, which nothing that follows changes; and what was read, written again in
 * either version, is read as the same. A header whose checksum is right is
 * refused when a bit of an address is turned.
 */
#include "base/panic.h"
#include "net/proxy_line.c"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

static bool
fuzz_is_same_peer(const struct peer *a, const struct peer *b)
{
	return a->family == b->family && a->port == b->port &&
	    memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static bool
fuzz_is_same(const struct proxy_line *a, const struct proxy_line *b)
{
	if (a->has_peers != b->has_peers)
		return false;
	return !a->has_peers ||
	    (fuzz_is_same_peer(&a->source, &b->source) &&
	    fuzz_is_same_peer(&a->destination, &b->destination));
}

/* In memory of exactly its size, for the sanitizer. */
static enum proxy_line_status
fuzz_parse(const uint8_t *p, size_t n, struct proxy_line *out)
{
	char *exact = mem_alloc(n > 0 ? n : 1);
	enum proxy_line_status st;

	memcpy(exact, p, n);
	st = proxy_line_parse(exact, n, out);
	mem_free(exact);
	return st;
}

/* ---- cuts -------------------------------------------------------------- */

static enum proxy_line_status
fuzz_pieces(const uint8_t *p, size_t n, struct proxy_line *whole)
{
	enum proxy_line_status want = fuzz_parse(p, n, whole);
	enum proxy_line_status st = PROXY_LINE_MORE;
	struct proxy_line part;
	size_t have = 0;

	ASSERT(want != PROXY_LINE_MORE || n < PROXY_LINE_MAX);
	ASSERT((want == PROXY_LINE_BAD) == (whole->why != NULL));
	while (st == PROXY_LINE_MORE && have < n)
		st = fuzz_parse(p, ++have, &part);
	ASSERT(st == want);
	if (want == PROXY_LINE_MORE)
		return want;
	ASSERT(part.why == whole->why);
	ASSERT(fuzz_is_same(&part, whole));
	if (want == PROXY_LINE_OK)
		ASSERT(part.n == have && whole->n == have &&
		    have <= PROXY_LINE_MAX);
	if (have < n) {
		ASSERT(fuzz_parse(p, have + 1, &part) == want);
		ASSERT(part.why == whole->why && fuzz_is_same(&part, whole));
	}
	return want;
}

/* ---- written again ----------------------------------------------------- */

/* Of a pair that has one of each family, both are written as IPv6. */
static void
fuzz_put_ip6(struct buf *b, const struct peer *p)
{
	static const char mapped[12] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";

	if (p->family == AF_INET) {
		buf_put(b, mapped, sizeof mapped);
		buf_put(b, p->ip, 4);
	} else {
		buf_put(b, p->ip, 16);
	}
}

static void
fuzz_put_text(struct buf *b, const struct peer *p, bool is_v4)
{
	if (!is_v4 && p->family == AF_INET)
		buf_z(b, "::ffff:");
	peer_format_ip(b, p);
	buf_chr(b, ' ');
}

static void
fuzz_put_u16(struct buf *b, unsigned v)
{
	buf_chr(b, (char)(v >> 8));
	buf_chr(b, (char)v);
}

static bool
fuzz_is_v4(const struct proxy_line *x)
{
	return x->source.family == AF_INET &&
	    x->destination.family == AF_INET;
}

static void
fuzz_write_v1(struct buf *b, const struct proxy_line *x)
{
	bool is_v4 = fuzz_is_v4(x);

	buf_z(b, is_v4 ? "PROXY TCP4 " : "PROXY TCP6 ");
	fuzz_put_text(b, &x->source, is_v4);
	fuzz_put_text(b, &x->destination, is_v4);
	buf_printf(b, "%u %u\r\n", x->source.port, x->destination.port);
}

/* With a checksum behind. */
static void
fuzz_write_v2(struct buf *b, const struct proxy_line *x)
{
	bool is_v4 = fuzz_is_v4(x);
	uint32_t crc;

	buf_put(b, SIG, sizeof SIG - 1);
	buf_put(b, is_v4 ? "\x21\x11\0\x13" : "\x21\x21\0\x2b", 4);
	if (is_v4) {
		buf_put(b, x->source.ip, 4);
		buf_put(b, x->destination.ip, 4);
	} else {
		fuzz_put_ip6(b, &x->source);
		fuzz_put_ip6(b, &x->destination);
	}
	fuzz_put_u16(b, x->source.port);
	fuzz_put_u16(b, x->destination.port);
	buf_put(b, "\x03\0\x04\0\0\0\0", 7);
	crc = ~proxy_line_crc32c(UINT32_MAX, b->p, b->n);
	b->n -= 4;
	fuzz_put_u16(b, crc >> 16);
	fuzz_put_u16(b, crc & 0xffff);
}

static void
fuzz_expect(const struct buf *b, const struct proxy_line *want)
{
	struct proxy_line got;

	ASSERT(fuzz_pieces((const uint8_t *)b->p, b->n, &got) ==
	    PROXY_LINE_OK);
	ASSERT(got.n == b->n && fuzz_is_same(&got, want));
}

static void
fuzz_write_again(const struct proxy_line *x, unsigned noise)
{
	char text[256];
	struct buf b = buf_fixed(text, sizeof text);
	struct proxy_line got;

	fuzz_write_v1(&b, x);
	ASSERT(b.n <= PROXY_LINE_V1_MAX);
	fuzz_expect(&b, x);
	b.n = 0;
	fuzz_write_v2(&b, x);
	ASSERT(!b.overflow);
	fuzz_expect(&b, x);
	/* Addresses and ports lie between the fixed part and the checksum. */
	text[16 + noise / 8 % (b.n - 16 - 7)] ^= (char)(1 << noise % 8);
	ASSERT(fuzz_parse((const uint8_t *)text, b.n, &got) ==
	    PROXY_LINE_BAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_line line;

	if (size > PROXY_LINE_MAX + 64)
		return 0;
	if (fuzz_pieces(data, size, &line) == PROXY_LINE_OK && line.has_peers)
		fuzz_write_again(&line, data[size - 1] + 256u * data[size / 2]);
	return 0;
}
