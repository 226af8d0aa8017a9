/*
 * Chunked bodies: tables of what is taken and what is refused, each row fed in
 * every way; limits; bytes that are given back.
 */
#include "http/chunk.c"

#include "feed.h"

/* ---- telling ----------------------------------------------------------- */

static void
tell_trailers(struct buf *out, const struct head *trailers)
{
	HEAD_EACH(f, trailers) {
		buf_printf(out, " <%.*s=%.*s>", STR_ARG(f->name),
		    STR_ARG(f->value));
		assert_int_equal(f->id, field_lookup(f->name));
	}
}

/* "content" END <trailers>, or MORE, or BAD; what follows the end is not
 * touched, so it does not count. */
static void
run_chunks(struct feed *f, struct arena *a, struct buf *out)
{
	struct chunk_decoder d;
	struct head trailers;
	struct str piece, data;
	size_t used, at;
	enum chunk_status st = CHUNK_MORE;

	head_init(&trailers, a, 0);
	chunk_decoder_init(&d);
	buf_chr(out, '"');
	while (feed_next(f, &piece)) {
		for (at = 0; ; at += used) {
			st = chunk_decode(&d, piece.p + at, piece.n - at,
			    &used, &data, &trailers);
			if (st != CHUNK_DATA)
				break;
			assert_ptr_equal(data.p + data.n,
			    piece.p + at + used);
			assert_true(data.n > 0);
			buf_str(out, data);
		}
		if (st != CHUNK_MORE)
			break;
		assert_int_equal(at + used, piece.n);
	}
	buf_chr(out, '"');
	switch (st) {
	case CHUNK_MORE:
		buf_z(out, " MORE");
		break;
	case CHUNK_END:
		buf_z(out, " END");
		tell_trailers(out, &trailers);
		break;
	case CHUNK_BAD:
		buf_z(out, " BAD");
		break;
	case CHUNK_DATA:
		fail();
	}
}

struct row {
	struct str text;
	const char *told;
};

#define ROW(text, told) {STR_INIT(text), told}

static void
expect_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		const char *got = feed_all_ways(a, run_chunks, rows[i].text);

		if (strcmp(got, rows[i].told) != 0)
			fail_msg("row %zu: %s\nis %s, not %s", i,
			    feed_show(a, rows[i].text), got, rows[i].told);
		arena_end(a);
	}
}

/* ---- tables ------------------------------------------------------------ */

static const struct row good_rows[] = {
	ROW("0\r\n\r\n", "\"\" END"),
	ROW("5\r\nhello\r\n0\r\n\r\n", "\"hello\" END"),
	ROW("5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n",
	    "\"hello world\" END"),
	ROW("A\r\n0123456789\r\n0\r\n\r\n", "\"0123456789\" END"),
	ROW("a\r\n0123456789\r\n000\r\n\r\n", "\"0123456789\" END"),
	ROW("0000000000000001\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	ROW("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\"\r\n\r\n\" END"),
	ROW("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "\"0\r\n\r\n\" END"),
	ROW("0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\"\" END"),
	/* extensions */
	ROW("1;a\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	ROW("1;a=b\r\nx\r\n0;c\r\n\r\n", "\"x\" END"),
	ROW("1;a=b;c;d=e\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	ROW("1;a=\"b c\t;\xff\"\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	ROW("1;a=\"\\\"\\\\\";b\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	ROW("1;a=\"\"\r\nx\r\n0\r\n\r\n", "\"x\" END"),
	/* trailers */
	ROW("0\r\nA: b\r\n\r\n", "\"\" END <A=b>"),
	ROW("0\r\nA:\r\nB:  c\td \t\r\n\r\n", "\"\" END <A=> <B=c\td>"),
	ROW("0\r\nX-Name-That-Is-Longer-Than-Any: 1\r\netag: \"2\"\r\n\r\n",
	    "\"\" END <X-Name-That-Is-Longer-Than-Any=1> <etag=\"2\">"),
	ROW("0\r\nContent-Lengthy: 1\r\nHosts: a\r\n\r\n",
	    "\"\" END <Content-Lengthy=1> <Hosts=a>"),
	ROW("0\r\nA: \xff\r\n\r\n", "\"\" END <A=\xff>"),
	/* what is not over yet */
	ROW("5\r\nhel", "\"hel\" MORE"),
	ROW("5\r\nhello", "\"hello\" MORE"),
	ROW("5\r\nhello\r\n", "\"hello\" MORE"),
	ROW("0\r\n", "\"\" MORE"),
	ROW("0\r\n\r", "\"\" MORE"),
	ROW("0\r\nA: b\r\n", "\"\" MORE"),
	ROW("ff", "\"\" MORE"),
	ROW("7fffffffffffffff\r\nabc", "\"abc\" MORE"),
};

static const struct row bad_rows[] = {
	/* sizes */
	ROW("\r\n", "\"\" BAD"),
	ROW("\n", "\"\" BAD"),
	ROW("g\r\n", "\"\" BAD"),
	ROW("0x5\r\nhello\r\n", "\"\" BAD"),
	ROW("0X5\r\nhello\r\n", "\"\" BAD"),
	ROW("+5\r\nhello\r\n", "\"\" BAD"),
	ROW("-5\r\nhello\r\n", "\"\" BAD"),
	ROW(" 5\r\nhello\r\n", "\"\" BAD"),
	ROW("\t5\r\nhello\r\n", "\"\" BAD"),
	ROW("5 \r\nhello\r\n", "\"\" BAD"),
	ROW("5\t\r\nhello\r\n", "\"\" BAD"),
	ROW("5 ;a\r\nhello\r\n", "\"\" BAD"),
	ROW("5 5\r\nhello\r\n", "\"\" BAD"),
	ROW("5,\r\nhello\r\n", "\"\" BAD"),
	ROW("5.0\r\nhello\r\n", "\"\" BAD"),
	ROW("5h\r\nhello\r\n", "\"\" BAD"),
	ROW("5_\r\nhello\r\n", "\"\" BAD"),
	ROW("\"5\"\r\nhello\r\n", "\"\" BAD"),
	ROW("5\0\r\nhello\r\n", "\"\" BAD"),
	ROW("\0" "5\r\nhello\r\n", "\"\" BAD"),
	ROW("\x0b" "5\r\nhello\r\n", "\"\" BAD"),
	ROW("5\x0b\r\nhello\r\n", "\"\" BAD"),
	ROW("\xef\xbc\x95\r\nhello\r\n", "\"\" BAD"),
	ROW("8000000000000000\r\n", "\"\" BAD"),
	ROW("ffffffffffffffff\r\n", "\"\" BAD"),
	ROW("fffffffffffffffff\r\n", "\"\" BAD"),
	ROW("10000000000000000\r\n", "\"\" BAD"),
	ROW("10000000000000005\r\nhello\r\n", "\"\" BAD"),
	ROW("00000000000000005\r\nhello\r\n", "\"\" BAD"),
	ROW("00000000000000000\r\n\r\n", "\"\" BAD"),
	/* line ends */
	ROW("5\nhello\r\n", "\"\" BAD"),
	ROW("5\r\rhello\r\n", "\"\" BAD"),
	ROW("5\rhello\r\n", "\"\" BAD"),
	ROW("5\r\nhello\n0\r\n\r\n", "\"hello\" BAD"),
	ROW("5\r\nhello0\r\n\r\n", "\"hello\" BAD"),
	ROW("5\r\nhello \r\n", "\"hello\" BAD"),
	ROW("5\r\nhello\rx", "\"hello\" BAD"),
	ROW("5\r\nhello\r\r\n", "\"hello\" BAD"),
	ROW("5\r\nhello\r\n\r\n0\r\n\r\n", "\"hello\" BAD"),
	ROW("5\r\nhello!\r\n", "\"hello\" BAD"),
	ROW("0\n\r\n", "\"\" BAD"),
	ROW("0\r\n\n", "\"\" BAD"),
	ROW("0\r\n\r\r", "\"\" BAD"),
	ROW("0\r\n\rX", "\"\" BAD"),
	/* extensions */
	ROW("5;\r\nhello\r\n", "\"\" BAD"),
	ROW("5;;\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a;\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a\nhello\r\n", "\"\" BAD"),
	ROW("5;a\rhello\r\n", "\"\" BAD"),
	ROW("5;a=b\nhello\r\n", "\"\" BAD"),
	ROW("5;\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\"\n\"\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\"\\\n\"\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\"\r\n", "\"\" BAD"),
	ROW("5; a\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a \r\nhello\r\n", "\"\" BAD"),
	ROW("5;a =b\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a= b\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\r\nhello\r\n", "\"\" BAD"),
	ROW("5;=b\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=b=c\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\"b\"c\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=b\"c\"\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a=\"\0\"\r\nhello\r\n", "\"\" BAD"),
	ROW("5;a\0\r\nhello\r\n", "\"\" BAD"),
	ROW("5;\xff\r\nhello\r\n", "\"\" BAD"),
	/* trailers */
	ROW("0\r\nA\r\n\r\n", "\"\" BAD"),
	ROW("0\r\n: b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA : b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA\t: b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\n A: b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\r\n c\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\r\n\tc\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\n\n", "\"\" BAD"),
	ROW("0\r\nA: b\rc\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\0c\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: \x7f\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA\0: b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA;: b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\n\0\r\n", "\"\" BAD"),
	ROW("0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nContent-Length: 5\r\n\r\n", "\"\" BAD"),
	ROW("0\r\ncontent-length: 5\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nHost: a\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nAuthorization: Basic eA==\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nProxy-Authorization: x\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nCookie: a=b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nSet-Cookie: a=b\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nConnection: close\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nUpgrade: x\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nExpect: 100-continue\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nX-Forwarded-Proto: https\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nX-Real-IP: 127.0.0.1\r\n\r\n", "\"\" BAD"),
	ROW("0\r\nForwarded: for=a\r\n\r\n", "\"\" BAD"),
};

static void
well_formed_bodies_are_decoded(void **state)
{
	(void)state;
	expect_rows(good_rows, COUNT_OF(good_rows));
}

static void
anything_else_is_bad(void **state)
{
	(void)state;
	expect_rows(bad_rows, COUNT_OF(bad_rows));
}

/* Whoever does not want the trailers still wants them checked. */
static void
trailers_are_checked_when_nobody_keeps_them(void **state)
{
	(void)state;
	for (size_t pass = 0; pass < 2; pass++) {
		const struct row *rows = pass == 0 ? good_rows : bad_rows;
		size_t n = pass == 0 ? COUNT_OF(good_rows) :
		    COUNT_OF(bad_rows);

		for (size_t i = 0; i < n; i++) {
			struct chunk_decoder d;
			enum chunk_status st;
			struct str rest = rows[i].text, data;
			size_t used;

			chunk_decoder_init(&d);
			do {
				st = chunk_decode(&d, rest.p, rest.n, &used,
				    &data, NULL);
				rest = str_slice(rest, used, rest.n);
			} while (st == CHUNK_DATA);
			assert_int_equal(st == CHUNK_BAD, pass == 1);
		}
	}
}

/* ---- limits ------------------------------------------------------------ */

static enum chunk_status
decode_all(struct arena *a, struct buf *text)
{
	struct chunk_decoder d;
	struct head trailers;
	struct str rest = buf_view(text), data;
	enum chunk_status st;
	size_t used;

	head_init(&trailers, a, 0);
	chunk_decoder_init(&d);
	do {
		st = chunk_decode(&d, rest.p, rest.n, &used, &data,
		    &trailers);
		rest = str_slice(rest, used, rest.n);
	} while (st == CHUNK_DATA);
	return st;
}

static enum chunk_status
decode_extensions(unsigned chunks, unsigned each)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	enum chunk_status st;

	for (unsigned i = 0; i < chunks; i++) {
		buf_z(&b, "1;");
		for (unsigned k = 1; k < each; k++)
			buf_chr(&b, 'x');
		buf_z(&b, "\r\n-\r\n");
	}
	buf_z(&b, "0\r\n\r\n");
	st = decode_all(a, &b);
	arena_end(a);
	return st;
}

static void
extensions_are_bounded_over_all_chunks(void **state)
{
	(void)state;
	assert_int_equal(decode_extensions(1, EXTENSION_MAX), CHUNK_END);
	assert_int_equal(decode_extensions(1, EXTENSION_MAX + 1), CHUNK_BAD);
	assert_int_equal(decode_extensions(EXTENSION_MAX / 4, 4), CHUNK_END);
	assert_int_equal(decode_extensions(EXTENSION_MAX / 4 + 1, 4),
	    CHUNK_BAD);
}

static enum chunk_status
decode_trailers(unsigned fields, unsigned each)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	enum chunk_status st;

	buf_z(&b, "0\r\n");
	for (unsigned i = 0; i < fields; i++) {
		buf_z(&b, "A:");
		for (unsigned k = 4; k < each; k++)
			buf_chr(&b, 'x');
		buf_z(&b, "\r\n");
	}
	buf_z(&b, "\r\n");
	st = decode_all(a, &b);
	arena_end(a);
	return st;
}

static void
trailers_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(decode_trailers(1, TRAILER_MAX - 2), CHUNK_END);
	assert_int_equal(decode_trailers(1, TRAILER_MAX - 1), CHUNK_BAD);
	assert_int_equal(decode_trailers(TRAILER_FIELDS_MAX, 4), CHUNK_END);
	assert_int_equal(decode_trailers(TRAILER_FIELDS_MAX + 1, 4),
	    CHUNK_BAD);
	assert_int_equal(decode_trailers(100, 81), CHUNK_END);
	assert_int_equal(decode_trailers(100, 82), CHUNK_BAD);
}

/* ---- behaviour --------------------------------------------------------- */

static void
trailers_outlive_the_input(void **state)
{
	struct arena *a = arena_new();
	char text[] = "0\r\nFirst: a\r\nSecond: bb\r\nThird: ccc\r\n\r\n";
	struct buf told = buf_in(a);
	struct chunk_decoder d;
	struct head trailers;
	struct str data;
	size_t used;

	(void)state;
	head_init(&trailers, a, 0);
	chunk_decoder_init(&d);
	assert_int_equal(chunk_decode(&d, text, sizeof text - 1, &used, &data,
	    &trailers), CHUNK_END);
	memset(text, 'X', sizeof text);
	tell_trailers(&told, &trailers);
	assert_true(str_eq(buf_view(&told),
	    STR(" <First=a> <Second=bb> <Third=ccc>")));
	arena_end(a);
}

static void
what_is_bad_stays_bad(void **state)
{
	struct chunk_decoder d;
	struct str data;
	size_t used;

	(void)state;
	chunk_decoder_init(&d);
	assert_int_equal(chunk_decode(&d, "x", 1, &used, &data, NULL),
	    CHUNK_BAD);
	assert_int_equal(chunk_decode(&d, "5\r\n", 3, &used, &data, NULL),
	    CHUNK_BAD);
}

static void
extensions_have_a_limit_of_their_own(void **state)
{
	static const char text[] = "1;a=b\r\nx\r\n1;cc\r\nx\r\n0;d\r\n\r\n";
	struct chunk_decoder d;
	struct str data;

	(void)state;
	/* What stands after each ";", the end of its line included. */
	for (uint32_t max = 0; max < 10; max++) {
		enum chunk_status st = CHUNK_DATA;
		size_t at = 0, used;

		chunk_decoder_init(&d);
		d.max_extension = max;
		while (st == CHUNK_DATA) {
			st = chunk_decode(&d, text + at, sizeof text - 1 - at,
			    &used, &data, NULL);
			at += used;
		}
		assert_int_equal(st, max < 9 ? CHUNK_BAD : CHUNK_END);
		assert_int_equal(chunk_is_overextended(&d), max < 9);
	}
	chunk_decoder_init(&d);
	assert_int_equal(chunk_decode(&d, "1;\"", 3, &(size_t){0}, &data,
	    NULL), CHUNK_BAD);
	assert_false(chunk_is_overextended(&d));
}

/* A sink that takes less than there is gives the rest back, also when the
 * chunk had ended with it. */
static void
bytes_that_are_not_taken_come_again(void **state)
{
	static const char text[] = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

	(void)state;
	for (size_t most = 1; most < 7; most++) {
		char got[16] = "";
		size_t at = 0, n = 0, used;
		struct chunk_decoder d;
		struct str data;

		chunk_decoder_init(&d);
		while (chunk_decode(&d, text + at, sizeof text - 1 - at,
		    &used, &data, NULL) == CHUNK_DATA) {
			size_t take = data.n < most ? data.n : most;

			memcpy(got + n, data.p, take);
			n += take;
			chunk_decoder_untake(&d, data.n - take);
			at += used - (data.n - take);
		}
		assert_string_equal(got, "hello world");
		assert_int_equal(at + used, sizeof text - 1);
	}
}

static void
nothing_can_be_given(void **state)
{
	struct chunk_decoder d;
	struct str data;
	size_t used = 9;

	(void)state;
	chunk_decoder_init(&d);
	assert_int_equal(chunk_decode(&d, NULL, 0, &used, &data, NULL),
	    CHUNK_MORE);
	assert_int_equal(used, 0);
}

static void
expect_size(uint64_t size, const char *expected)
{
	char out[18];
	size_t n = chunk_format_size(out, size);

	assert_true(n <= sizeof out);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(out, expected, n);
}

static void
sizes_are_written_short(void **state)
{
	(void)state;
	expect_size(0, "0\r\n");
	expect_size(9, "9\r\n");
	expect_size(10, "a\r\n");
	expect_size(15, "f\r\n");
	expect_size(16, "10\r\n");
	expect_size(0x1a2b, "1a2b\r\n");
	expect_size(UINT64_MAX, "ffffffffffffffff\r\n");
	expect_size((uint64_t)1 << 60, "1000000000000000\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_bodies_are_decoded),
		cmocka_unit_test(anything_else_is_bad),
		cmocka_unit_test(trailers_are_checked_when_nobody_keeps_them),
		cmocka_unit_test(extensions_are_bounded_over_all_chunks),
		cmocka_unit_test(trailers_are_bounded),
		cmocka_unit_test(trailers_outlive_the_input),
		cmocka_unit_test(what_is_bad_stays_bad),
		cmocka_unit_test(extensions_have_a_limit_of_their_own),
		cmocka_unit_test(bytes_that_are_not_taken_come_again),
		cmocka_unit_test(nothing_can_be_given),
		cmocka_unit_test(sizes_are_written_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
