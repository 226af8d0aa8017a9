/*
 * Headers of the PROXY protocol: rows of what came and what it says. Each is
 * fed whole, byte by byte, and cut in two at every point, alone and with the
 * connection's own bytes behind it.
 */
#include "net/proxy_line.c"

#include "../http/feed.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\x21\x11\0\x0c" "\xc0\0\x02\x07" "\xc0\0\x02\x01" "\xdb\xe4\x01\xbb"
#define BEHIND "GET / HTTP/1.1\r\n"

static void
tell_peer(struct buf *out, const struct peer *p)
{
	buf_chr(out, p->family == AF_INET6 ? '6' : '4');
	buf_chr(out, ' ');
	peer_format_ip(out, p);
	buf_printf(out, " %u", p->port);
}

/* "17: 4 192.0.2.7 56324 > 4 192.0.2.1 443", "15: nobody", "bad: ...", or
 * "more". All that came so far is given each time, as the socket would. */
static void
run(struct feed *f, struct arena *a, struct buf *out)
{
	struct buf all = buf_in(a);
	struct proxy_line line;
	enum proxy_line_status st = PROXY_LINE_MORE;
	struct str piece;

	while (st == PROXY_LINE_MORE && feed_next(f, &piece)) {
		char *exact;

		buf_str(&all, piece);
		exact = malloc(all.n);
		assert_non_null(exact);
		memcpy(exact, all.p, all.n);
		st = proxy_line_parse(exact, all.n, &line);
		free(exact);
	}
	if (st == PROXY_LINE_MORE) {
		buf_z(out, "more");
	} else if (st == PROXY_LINE_BAD) {
		buf_printf(out, "bad: %s", line.why);
	} else {
		buf_printf(out, "%zu: ", line.n);
		if (!line.has_peers) {
			buf_z(out, "nobody");
			return;
		}
		tell_peer(out, &line.source);
		buf_z(out, " > ");
		tell_peer(out, &line.destination);
	}
}

static struct str
joined(struct arena *a, struct str s, struct str t)
{
	struct buf b = buf_in(a);

	buf_str(&b, s);
	buf_str(&b, t);
	return buf_view(&b);
}

static void
expect(struct str text, const char *want)
{
	struct arena *a = arena_new();
	const char *got = feed_all_ways(a, run, text);

	if (strncmp(got, want, strlen(want)) != 0)
		fail_msg("%s: want %s, got %s", feed_show(a, text), want, got);
	/* What follows changes nothing of what was OK or BAD. */
	if (strcmp(got, "more") != 0)
		assert_string_equal(feed_all_ways(a, run,
		    joined(a, text, STR(BEHIND))), got);
	arena_end(a);
}

#define EXPECT(literal, want) expect(STR(literal), want)

/* ---- version 1 --------------------------------------------------------- */

static void
lines_name_client_and_server(void **state)
{
	(void)state;
	EXPECT("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n",
	    "42: 4 192.0.2.7 56324 > 4 192.0.2.1 443");
	EXPECT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	    "56: 4 255.255.255.255 65535 > 4 255.255.255.255 65535");
	EXPECT("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n",
	    "32: 4 0.0.0.0 0 > 4 1.2.3.4 1");
	EXPECT("PROXY TCP6 2001:db8::7 2001:DB8:0:0:0:0:0:1 56324 443\r\n",
	    "55: 6 2001:db8::7 56324 > 6 2001:db8::1 443");
	EXPECT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "104: 6 ffff:");
}

static void
an_ipv4_address_that_poses_as_ipv6_is_ipv4(void **state)
{
	(void)state;
	EXPECT("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n",
	    "37: 4 192.0.2.7 1 > 6 ::1 2");
	EXPECT(SIG "\x21\x21\0\x24" "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\x01\0\x02",
	    "52: 4 192.0.2.7 1 > 6 ::1 2");
}

static void
an_unknown_client_is_nobody_whatever_follows(void **state)
{
	(void)state;
	EXPECT("PROXY UNKNOWN\r\n", "15: nobody");
	EXPECT("PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n",
	    "48: nobody");
	EXPECT("PROXY UNKNOWN 192.0.2.7 192.0.2.1 1 2\r\n", "39: nobody");
}

static void
a_line_has_at_most_107_bytes(void **state)
{
	char line[109];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	expect(str_of(line, 107), "107: nobody");
	expect(str_of(line, 106), "more");
	line[105] = 'x';
	memcpy(line + 106, "\r\n", 2);
	expect(str_of(line, 105), "more");
	expect(str_of(line, 106), "bad: the line has more");
	expect(str_of(line, 108), "bad: the line has more");
}

static void
lines_that_are_refused(void **state)
{
	static const struct str rows[] = {
		STR_INIT("PROXY\r\n"),
		STR_INIT("PROXY \r\n"),
		STR_INIT("PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY\tTCP4 192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY UNKNOWNX\r\n"),
		STR_INIT("PROXY TCP4\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n"),
		STR_INIT("PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7  192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1  2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7.8 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 0xc0000207 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 ::1 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 ::1 1 2\r\n"),
		STR_INIT("PROXY TCP6 192.0.2.7 ::1 1 2\r\n"),
		STR_INIT("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
		STR_INIT("PROXY TCP6 [::1] ::1 1 2\r\n"),
		STR_INIT("PROXY TCP6 1::2::3 ::1 1 2\r\n"),
		STR_INIT("PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1  2\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\rX"),
		STR_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\r\n"),
		STR_INIT("PROXY TCP4 192.0.2.7\0 192.0.2.1 1 2\r\n"),
		STR_INIT("PROXY UNKNOWN \xff\r\n"),
		STR_INIT("PROXY UNKNOWN \x7f\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect(rows[i], "bad: ");
}

static void
what_came_instead_is_named(void **state)
{
	(void)state;
	EXPECT("GET / HTTP/1.1\r\n\r\n",
	    "bad: it begins like an HTTP request");
	EXPECT("POST / HTTP/1.1\r\n\r\n",
	    "bad: it begins like an HTTP request");
	EXPECT("\x16\x03\x01\x02\0\x01\0", "bad: it begins with a TLS");
	EXPECT("\0", "bad: it begins with something else");
	EXPECT("\r\n\r\nGET / HTTP/1.1", "bad: it begins with something else");
}

/* ---- version 2 --------------------------------------------------------- */

static void
blocks_name_client_and_server(void **state)
{
	(void)state;
	EXPECT(SIG V4, "28: 4 192.0.2.7 56292 > 4 192.0.2.1 443");
	EXPECT(SIG "\x21\x21\0\x24"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\xff\xff\0\x50",
	    "52: 6 2001:db8::7 65535 > 6 2001:db8::1 80");
}

static void
blocks_that_name_nobody(void **state)
{
	char path[16 + 216] = SIG "\x21\x31\0\xd8" "/run/x";

	(void)state;
	EXPECT(SIG "\x20\0\0\0", "16: nobody");
	EXPECT(SIG "\x21\0\0\0", "16: nobody");
	EXPECT(SIG "\x21\0\0\x04" "\x04\0\x01x", "20: nobody");
	/* Of LOCAL the family is ignored, and all that follows discarded. */
	EXPECT(SIG "\x20\x11\0\0", "16: nobody");
	EXPECT(SIG "\x20\xff\0\x03" "\x03\xff\xff", "19: nobody");
	expect(str_of(path, sizeof path), "232: nobody");
}

static void
blocks_that_are_refused(void **state)
{
	(void)state;
	EXPECT(SIG "\x11", "bad: its version");
	EXPECT(SIG "\x31", "bad: its version");
	EXPECT(SIG "\x01", "bad: its version");
	EXPECT(SIG "\x22", "bad: its version");
	EXPECT(SIG "\x21\x12", "bad: its family"); /* datagrams */
	EXPECT(SIG "\x21\x22", "bad: its family");
	EXPECT(SIG "\x21\x32", "bad: its family");
	EXPECT(SIG "\x21\x10", "bad: its family"); /* half of a pair */
	EXPECT(SIG "\x21\x01", "bad: its family");
	EXPECT(SIG "\x21\x13", "bad: its family");
	EXPECT(SIG "\x21\x41", "bad: its family");
	EXPECT(SIG "\x21\x11\0\x0b", "bad: it is too short");
	EXPECT(SIG "\x21\x21\0\x23", "bad: it is too short");
	EXPECT(SIG "\x21\x31\0\xd7", "bad: it is too short");
	EXPECT(SIG "\x20\0\x0f\xf1", "bad: it has more than 4096");
	EXPECT(SIG "\x21\x11\xff\xff", "bad: it has more than 4096");
}

static void
what_is_not_whole_may_become_so(void **state)
{
	(void)state;
	EXPECT("P", "more");
	EXPECT("PROXY UNKNOWN\r", "more");
	EXPECT("\r\n\r\n\0", "more");
	EXPECT(SIG, "more");
	EXPECT(SIG "\x21\x11\0\x0c\x7f\0\0", "more");
	EXPECT(SIG "\x20\0\x0f\xf0", "more");
}

static void
extensions_are_walked(void **state)
{
	(void)state;
	EXPECT(SIG "\x21\x11\0\x12" "\xc0\0\x02\x07\xc0\0\x02\x01\0\x01\0\x02"
	    "\x02\0\x03" "a.b", "34: 4 192.0.2.7 1 > 4 192.0.2.1 2");
	EXPECT(SIG "\x21\x11\0\x12" "\xc0\0\x02\x07\xc0\0\x02\x01\0\x01\0\x02"
	    "\x04\0\0" "\xee\0\0", "34: 4 192.0.2.7 1 > 4 192.0.2.1 2");
	EXPECT(SIG "\x21\0\0\x02" "\x04\0", "bad: an extension is cut off");
	EXPECT(SIG "\x21\0\0\x04" "\x04\0\x02x", "bad: an extension is long");
	EXPECT(SIG "\x21\0\0\x07" "\x04\0\0" "\x04\xff\xff\0",
	    "bad: an extension is long");
}

/* A header with a checksum; *CRC is where it stands. */
static struct str
with_checksum(struct arena *a, char **crc)
{
	char *p = arena_memdup(a, SIG "\x21\x11\0\x17"
	    "\xc0\0\x02\x07\xc0\0\x02\x01\0\x01\0\x02"
	    "\x03\0\x04\0\0\0\0" "\x04\0\x01x", 39);
	uint32_t sum = UINT32_MAX;

	/* By the definition: a division by the polynomial. */
	for (int i = 0; i < 39 * 8; i++) {
		bool bit = ((uint8_t)p[i / 8] >> i % 8 & 1) != (sum & 1);

		sum = sum >> 1 ^ (bit ? 0x82f63b78 : 0);
	}
	sum = ~sum;
	*crc = p + 31;
	for (int i = 0; i < 4; i++)
		(*crc)[i] = (char)(sum >> (24 - 8 * i));
	return str_of(p, 39);
}

static void
a_checksum_is_checked(void **state)
{
	struct arena *a = arena_new();
	char *crc;
	struct str s = with_checksum(a, &crc);

	(void)state;
	expect(s, "39: 4 192.0.2.7 1 > 4 192.0.2.1 2");
	for (size_t i = 16; i < 28; i++) {
		char *p = (char *)(uintptr_t)s.p + i;

		*p ^= 0x10;
		expect(s, "bad: its checksum is wrong");
		*p ^= 0x10;
	}
	crc[3] ^= 1;
	expect(s, "bad: its checksum is wrong");
	EXPECT(SIG "\x21\0\0\x06" "\x03\0\x03" "abc", "bad: its checksum");
	arena_end(a);
}

/* RFC 3720, appendix B.4 for 32 zeros. */
static void
the_polynomial_is_that_of_iscsi(void **state)
{
	static const char zeros[32];

	(void)state;
	assert_int_equal(~proxy_line_crc32c(UINT32_MAX, zeros, 32),
	    0x8a9136aa);
	assert_int_equal(~proxy_line_crc32c(UINT32_MAX, "123456789", 9),
	    0xe3069283);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_name_client_and_server),
		cmocka_unit_test(an_ipv4_address_that_poses_as_ipv6_is_ipv4),
		cmocka_unit_test(an_unknown_client_is_nobody_whatever_follows),
		cmocka_unit_test(a_line_has_at_most_107_bytes),
		cmocka_unit_test(lines_that_are_refused),
		cmocka_unit_test(what_came_instead_is_named),
		cmocka_unit_test(blocks_name_client_and_server),
		cmocka_unit_test(blocks_that_name_nobody),
		cmocka_unit_test(blocks_that_are_refused),
		cmocka_unit_test(what_is_not_whole_may_become_so),
		cmocka_unit_test(extensions_are_walked),
		cmocka_unit_test(a_checksum_is_checked),
		cmocka_unit_test(the_polynomial_is_that_of_iscsi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
