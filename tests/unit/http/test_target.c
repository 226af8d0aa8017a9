/*
 * Request targets: what a path is read as, and what is refused. The rows are
 * the specification; every trick that has led out of a document root somewhere
 * has its row.
 */
#include "http/target.h"

#include "base/buf.h"
#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- paths ------------------------------------------------------------- */

struct row {
	const char *raw;
	const char *path; /* NULL: refused with STATUS */
	enum target_status status;
};

#define OK(raw, path) {raw, path, TARGET_OK}
#define BAD(raw) {raw, NULL, TARGET_BAD}
#define ABOVE(raw) {raw, NULL, TARGET_ABOVE_ROOT}
#define ESCAPE(raw) {raw, NULL, TARGET_BAD_ESCAPE}
#define SLASH(raw) {raw, NULL, TARGET_SLASH}

static const struct row plain_rows[] = {
	OK("/", "/"), OK("/a", "/a"), OK("/a/", "/a/"), OK("/a/b", "/a/b"),
	OK("/index.html", "/index.html"), OK("/a.b/c.d", "/a.b/c.d"),
	OK("/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"),
	OK("/|{}^`\"<>[]", "/|{}^`\"<>[]"),
	OK("/a;b=c/d", "/a;b=c/d"), OK("/a:80/b", "/a:80/b"),
	OK("/a@b", "/a@b"), OK("/*", "/*"), OK("/~u/", "/~u/"),
	OK("/.well-known/acme", "/.well-known/acme"),
	OK("/.hidden", "/.hidden"), OK("/..hidden", "/..hidden"),
	OK("/a.", "/a."), OK("/a..", "/a.."), OK("/a../b", "/a../b"),
	OK("/...", "/..."), OK("/.../", "/.../"), OK("/..../a", "/..../a"),
	OK("/a...b", "/a...b"), OK("/.a/..b/...", "/.a/..b/..."),
};

static const struct row dot_rows[] = {
	OK("/.", "/"), OK("/./", "/"), OK("/./a", "/a"), OK("/a/.", "/a/"),
	OK("/a/./b", "/a/b"), OK("/././.", "/"), OK("/a/././b/.", "/a/b/"),
	OK("/a/..", "/"), OK("/a/../", "/"), OK("/a/../b", "/b"),
	OK("/a/b/..", "/a/"), OK("/a/b/../", "/a/"),
	OK("/a/b/../c", "/a/c"), OK("/a/b/../../c", "/c"),
	OK("/a/b/c/./../../g", "/a/g"), OK("/a/./../b", "/b"),
	OK("/ab/../b", "/b"), OK("/a/bcd/..", "/a/"),
	ABOVE("/.."), ABOVE("/../"), ABOVE("/../a"), ABOVE("/a/../.."),
	ABOVE("/a/../../b"), ABOVE("/./.."), ABOVE("/../../etc/passwd"),
	ABOVE("/a/b/../../../c"), ABOVE("/a/../../a"),
	ABOVE("//.."), ABOVE("/.//.."), ABOVE("/a//../.."),
};

static const struct row slash_rows[] = {
	OK("//", "/"), OK("///", "/"), OK("//a", "/a"), OK("/a//b", "/a/b"),
	OK("/a//", "/a/"), OK("/a///b////c", "/a/b/c"), OK("//./a", "/a"),
	OK("/.//a", "/a"), OK("/a/.//b", "/a/b"),
	/* As the file system would see it, not as RFC 3986 alone would. */
	OK("/a//../b", "/b"), OK("/a/b///../c", "/a/c"),
	OK("//example.com/a", "/example.com/a"),
	OK("///example.com", "/example.com"),
};

static const struct row escape_rows[] = {
	OK("/%61", "/a"), OK("/%41%7a", "/Az"), OK("/a%20b", "/a b"),
	OK("/%2e", "/"), OK("/%2E/a", "/a"), OK("/a/%2e%2e", "/"),
	OK("/a/.%2e/b", "/b"), OK("/a/%2e./b", "/b"),
	OK("/a/%2E%2e/b", "/b"), OK("/%2e%2e%2e", "/..."),
	OK("/%2ea", "/.a"), OK("/a%2e", "/a."),
	ABOVE("/%2e%2e"), ABOVE("/%2e%2e/"), ABOVE("/.%2E/a"),
	ABOVE("/%2e./%2e./etc/passwd"), ABOVE("/a/%2e%2e/%2e%2e"),
	/* Decoded once: what comes out is a name. */
	OK("/%252e%252e/a", "/%2e%2e/a"), OK("/%252f", "/%2f"),
	OK("/%25", "/%"), OK("/%2500", "/%00"), OK("/%25%32%65", "/%2e"),
	ESCAPE("/%%32%65"), /* "%%" is no escape */
	OK("/a%3fb", "/a?b"), OK("/a%23b", "/a#b"), OK("/a%3Bb", "/a;b"),
	OK("/%c3%a9", "/\xc3\xa9"), OK("/%ff%fe", "/\xff\xfe"),
	OK("/%80", "/\x80"), OK("/%3c%3e%22", "/<>\""),
	ESCAPE("/%"), ESCAPE("/%2"), ESCAPE("/a%"), ESCAPE("/%zz"),
	ESCAPE("/%2g"), ESCAPE("/%g2"), ESCAPE("/%/2e"), BAD("/% 2"),
	ESCAPE("/%-1"), ESCAPE("/%+1"), ESCAPE("/%0x"), ESCAPE("/%u002e"),
	ESCAPE("/%00"), ESCAPE("/a%00.jpg"), ESCAPE("/%00/../a"),
	ESCAPE("/%01"), ESCAPE("/%0a"), ESCAPE("/%0d%0aX:y"),
	ESCAPE("/%09"), ESCAPE("/%1f"), ESCAPE("/%7f"), ESCAPE("/%1B[2J"),
	BAD("/%5c"), BAD("/%5C..%5C"), BAD("/a/..%5c../b"),
};

static const struct row trick_rows[] = {
	/* Overlong UTF-8 of "/", "." and backslash: bytes of a name. */
	OK("/%c0%af", "/\xc0\xaf"), OK("/..%c0%af..", "/..\xc0\xaf.."),
	OK("/%c0%ae%c0%ae/a", "/\xc0\xae\xc0\xae/a"),
	OK("/%e0%80%af", "/\xe0\x80\xaf"),
	OK("/%f0%80%80%af", "/\xf0\x80\x80\xaf"),
	OK("/%c1%9c", "/\xc1\x9c"), ESCAPE("/%c1%1c"),
	/* Full-width and division slashes, one-dot leaders. */
	OK("/..%ef%bc%8f..", "/..\xef\xbc\x8f.."),
	OK("/%e2%80%a4%e2%80%a4/a", "/\xe2\x80\xa4\xe2\x80\xa4/a"),
	/* Path parameters belong to the name; nobody here cuts them off. */
	OK("/..;/a", "/..;/a"), OK("/a/..;/..;/b", "/a/..;/..;/b"),
	OK("/..;a=b/c", "/..;a=b/c"), OK("/a;/../b", "/b"),
	OK("/;/a", "/;/a"), OK("/%2e%2e;/a", "/..;/a"),
	OK("/.;/a", "/.;/a"), OK("/%2e%2e%3b/a", "/..;/a"),
	/* Trailing dots, spaces and streams that other systems drop. */
	OK("/.../a", "/.../a"), BAD("/a/.. ./b"),
	OK("/..%20/a", "/.. /a"), OK("/a%20", "/a "),
	OK("/a.php.", "/a.php."), OK("/a::$DATA", "/a::$DATA"),
	OK("/C:/x", "/C:/x"), OK("/~root", "/~root"),
	BAD("/..\\..\\a"), BAD("\\a"), BAD("/a\\"), BAD("/\\example.com"),
	BAD("/a b"), BAD("/a\tb"), BAD("/a\x7f"), BAD("/a\x01"),
	BAD("/a\x80"), BAD("/\xc3\xa9"), BAD("/a#b"), BAD("/#"),
	BAD(""), BAD("a"), BAD("a/b"), BAD("."), BAD(".."), BAD("../a"),
	BAD("?a"), BAD("**"), BAD("%2f"), BAD(" /"), BAD("/ "),
	BAD("example.com:443"), BAD("file:///etc/passwd"),
	SLASH("/%2f"), SLASH("/a%2Fb"), SLASH("/..%2f..%2fetc"),
	SLASH("/a/..%2fb"), SLASH("/%2e%2e%2f"),
};

static const struct row keep_rows[] = {
	OK("/a%2fb", "/a%2Fb"), OK("/a%2Fb", "/a%2Fb"),
	OK("/..%2f..%2fa", "/..%2F..%2Fa"), OK("/%2f", "/%2F"),
	OK("/a/%2f/../b", "/a/b"), OK("/%2e%2e%2fa", "/..%2Fa"),
	OK("/a%2f%2fb", "/a%2F%2Fb"), ABOVE("/%2f/../.."),
};

static const struct row decode_rows[] = {
	OK("/a%2fb", "/a/b"), OK("/%2f", "/"), OK("/%2f%2fa", "/a"),
	OK("/a%2f..%2fb", "/b"), OK("/a%2f%2e%2e", "/"),
	OK("/a/b/..%2f..%2fc", "/c"), OK("/a%2f", "/a/"),
	OK("/a/%2f/b", "/a/b"), OK("/a%2f.", "/a/"),
	OK("/%252f", "/%2f"),
	ABOVE("/..%2f..%2fetc"), ABOVE("/%2e%2e%2f"), ABOVE("/a%2f..%2f.."),
	ABOVE("/%2f..%2fa"),
};

static void
expect_row(const struct row *r, enum encoded_slash slash)
{
	struct arena *a = arena_new();
	/* Of its exact size, so that a sanitizer sees a look behind it. */
	size_t n = strlen(r->raw);
	char *exact = malloc(n > 0 ? n : 1);
	struct str raw = str_of(exact, n);
	struct target t;
	enum target_status st;

	memcpy(exact, r->raw, n);
	st = target_parse(a, raw, slash, &t);
	if (st != r->status)
		fail_msg("%s: status %d, expected %d", r->raw, st, r->status);
	if (r->path != NULL && !str_eq(t.path, str_from(r->path)))
		fail_msg("%s: \"%.*s\", expected \"%s\"", r->raw,
		    STR_ARG(t.path), r->path);
	if (r->path != NULL)
		assert_true(str_eq(t.raw_path, raw));
	free(exact);
	arena_end(a);
}

static void
expect_rows(const struct row *rows, size_t n, enum encoded_slash slash)
{
	for (size_t i = 0; i < n; i++)
		expect_row(&rows[i], slash);
}
#define EXPECT_ROWS(rows, slash) expect_rows(rows, COUNT_OF(rows), slash)

static void
a_plain_path_is_itself(void **state)
{
	(void)state;
	EXPECT_ROWS(plain_rows, SLASH_REFUSE);
	EXPECT_ROWS(plain_rows, SLASH_KEEP);
	EXPECT_ROWS(plain_rows, SLASH_DECODE);
}

static void
a_plain_path_points_into_the_target(void **state)
{
	struct str raw = STR("/a/.b/c..?q");
	struct target t;

	(void)state;
	/* No arena: it must not be needed. */
	assert_int_equal(target_parse(NULL, raw, SLASH_REFUSE, &t), TARGET_OK);
	assert_ptr_equal(t.path.p, raw.p);
	assert_ptr_equal(t.query.p, raw.p + 10);
}

static void
dot_segments_go_and_never_above_the_root(void **state)
{
	(void)state;
	EXPECT_ROWS(dot_rows, SLASH_REFUSE);
}

static void
runs_of_slashes_are_one(void **state)
{
	(void)state;
	EXPECT_ROWS(slash_rows, SLASH_REFUSE);
}

static void
escapes_are_decoded_once(void **state)
{
	(void)state;
	EXPECT_ROWS(escape_rows, SLASH_REFUSE);
}

static void
tricks_lead_nowhere(void **state)
{
	(void)state;
	EXPECT_ROWS(trick_rows, SLASH_REFUSE);
}

static void
an_encoded_slash_can_be_kept(void **state)
{
	(void)state;
	EXPECT_ROWS(keep_rows, SLASH_KEEP);
}

static void
an_encoded_slash_can_be_a_slash(void **state)
{
	(void)state;
	EXPECT_ROWS(decode_rows, SLASH_DECODE);
}

static void
every_byte_is_allowed_or_refused(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (int c = 0; c < 256; c++) {
		char path[3] = { '/', (char)c, 'x' };
		char query[4] = { '/', '?', (char)c, 'x' };
		bool allowed = c > 0x20 && c < 0x7f && c != '#' && c != '\\';
		struct target t;

		assert_int_equal(target_parse(a, str_of(path, 3), SLASH_REFUSE,
		    &t), !allowed ? TARGET_BAD :
		    c == '%' ? TARGET_BAD_ESCAPE : TARGET_OK);
		assert_int_equal(target_parse(a, str_of(query, 4),
		    SLASH_REFUSE, &t), allowed ? TARGET_OK : TARGET_BAD);
	}
	arena_end(a);
}

static void
a_long_climb_ends_where_it_began(void **state)
{
	enum { DEPTH = 2000 };
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	struct target t;

	(void)state;
	for (int i = 0; i < DEPTH; i++)
		buf_z(&b, "/d");
	for (int i = 0; i < DEPTH; i++)
		buf_z(&b, "/..");
	assert_int_equal(target_parse(a, buf_view(&b), SLASH_REFUSE, &t),
	    TARGET_OK);
	assert_true(str_eq(t.path, STR("/")));
	buf_z(&b, "/..");
	assert_int_equal(target_parse(a, buf_view(&b), SLASH_REFUSE, &t),
	    TARGET_ABOVE_ROOT);
	arena_end(a);
}

/* ---- forms and queries ------------------------------------------------- */

static void
expect_target(const char *raw, const char *scheme, const char *authority,
    const char *raw_path, const char *query, const char *path)
{
	struct arena *a = arena_new();
	struct target t;

	if (target_parse(a, str_from(raw), SLASH_REFUSE, &t) != TARGET_OK)
		fail_msg("%s is refused", raw);
	assert_int_equal(t.form,
	    scheme != NULL ? TARGET_ABSOLUTE : TARGET_ORIGIN);
	assert_true(str_eq(t.scheme, str_from(scheme)));
	assert_true(str_eq(t.authority, str_from(authority)));
	assert_true(str_eq(t.raw_path, str_from(raw_path)));
	assert_true(str_eq(t.path, str_from(path)));
	assert_int_equal(t.has_query, query != NULL);
	assert_true(str_eq(t.query, str_from(query)));
	arena_end(a);
}

static void
a_query_begins_at_the_first_question_mark(void **state)
{
	(void)state;
	expect_target("/a?b=c", NULL, NULL, "/a", "b=c", "/a");
	expect_target("/a?", NULL, NULL, "/a", "", "/a");
	expect_target("/?b?c", NULL, NULL, "/", "b?c", "/");
	expect_target("/a/..?/../b", NULL, NULL, "/a/..", "/../b", "/");
	expect_target("/.?x", NULL, NULL, "/.", "x", "/");
	expect_target("/a%3f?b", NULL, NULL, "/a%3f", "b", "/a?");
}

static void
a_query_is_not_decoded(void **state)
{
	(void)state;
	expect_target("/?a=%41&b=%zz%", NULL, NULL, "/", "a=%41&b=%zz%", "/");
	expect_target("/?..//%2f%5c%00", NULL, NULL, "/", "..//%2f%5c%00", "/");
}

static void
an_absolute_target_has_an_authority(void **state)
{
	(void)state;
	expect_target("http://example.com/a", "http", "example.com", "/a",
	    NULL, "/a");
	expect_target("HTTPS://Example.com:8443/a/../b?c", "HTTPS",
	    "Example.com:8443", "/a/../b", "c", "/b");
	expect_target("http://example.com", "http", "example.com", "/", NULL,
	    "/");
	expect_target("http://example.com?x=/y", "http", "example.com", "/",
	    "x=/y", "/");
	expect_target("http://[::1]:80/", "http", "[::1]:80", "/", NULL, "/");
	expect_target("http://h//a", "http", "h", "//a", NULL, "/a");
}

static void
expect_refused(const char *raw)
{
	struct arena *a = arena_new();
	struct target t;

	if (target_parse(a, str_from(raw), SLASH_REFUSE, &t) == TARGET_OK)
		fail_msg("%s is not refused", raw);
	arena_end(a);
}

static void
a_malformed_absolute_target_is_refused(void **state)
{
	static const char *const rows[] = {
		"http://", "http:///", "http:///a", "http://?a", "http:/a",
		"http:a", "http:", "ftp://a/", "ws://a/", "://a/", ":",
		"httpx://a/", "http ://a/", "http://a b/", "http://a\\b/",
		"http://a#b", "http://a/../..", "http://a/%00",
		"javascript:x", "http//a/", "http://a\x80/"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_refused(rows[i]);
}

static void
a_star_is_the_server_itself(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(target_parse(NULL, STR("*"), SLASH_REFUSE, &t),
	    TARGET_OK);
	assert_int_equal(t.form, TARGET_ASTERISK);
	assert_true(str_eq(t.path, STR("/")));
}

/* ---- encoding ---------------------------------------------------------- */

static void
expect_encoded(const char *path, const char *expected)
{
	struct arena *a = arena_new();
	struct str s = path_encode(a, str_from(path));

	if (!str_eq(s, str_from(expected)))
		fail_msg("%s: \"%.*s\", expected \"%s\"", path, STR_ARG(s),
		    expected);
	arena_end(a);
}

static void
what_may_not_stand_in_a_path_is_encoded(void **state)
{
	(void)state;
	expect_encoded("/a b", "/a%20b");
	expect_encoded("/\xc3\xa9", "/%C3%A9");
	expect_encoded("/a?b#c", "/a%3Fb%23c");
	expect_encoded("/100%", "/100%25");
	expect_encoded("/%2F", "/%252F");
	expect_encoded("/\"<>\\^`{|}[]", "/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D");
	expect_encoded("/\r\n\x7f", "/%0D%0A%7F");
	expect_encoded("", "");
}

static void
what_may_stand_in_a_path_is_not_copied(void **state)
{
	struct str s = STR("/aZ09-._~!$&'()*+,;=:@/");

	(void)state;
	assert_ptr_equal(path_encode(NULL, s).p, s.p);
}

static void
an_encoded_path_is_read_back(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (int c = 0x20; c < 256; c++) {
		char path[4] = { '/', 'x', (char)c, 'y' };
		struct target t;

		if (c == '/' || c == '\\' || c == 0x7f)
			continue;
		assert_int_equal(target_parse(a, path_encode(a,
		    str_of(path, 4)), SLASH_REFUSE, &t), TARGET_OK);
		assert_true(str_eq(t.path, str_of(path, 4)));
	}
	arena_end(a);
}

static void
a_slash_that_was_kept_stays_encoded(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_true(str_eq(path_encode_as(a, STR("/a%2Fb%2f%25 "), SLASH_KEEP),
	    STR("/a%2Fb%2f%2525%20")));
	assert_true(str_eq(path_encode_as(a, STR("/a%2"), SLASH_KEEP),
	    STR("/a%252")));
	assert_true(str_eq(path_encode_as(a, STR("/a%2F"), SLASH_DECODE),
	    STR("/a%252F")));
	arena_end(a);
}

static void
a_path_that_was_put_together_is_settled(void **state)
{
	static const struct {
		const char *path, *settled; /* NULL: it is none */
	} rows[] = {
		{"/", "/"}, {"/a", "/a"}, {"/a/", "/a/"}, {"//a", "/a"},
		{"///", "/"}, {"/a//b///", "/a/b/"}, {"/...", "/..."},
		{"/.a/b.", "/.a/b."}, {"/a%2e%2e", "/a%2e%2e"},
		{"", NULL}, {"a", NULL}, {"/..", NULL}, {"/a/..", NULL},
		{"/a/../b", NULL}, {"/.", NULL}, {"/./a", NULL},
		{"/a\\b", NULL}, {"/a\n", NULL}, {"/a\x7f", NULL},
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str path = str_from(rows[i].path);
		bool is_path = path_settle(a, &path);

		assert_int_equal(is_path, rows[i].settled != NULL);
		if (is_path)
			assert_true(str_eq(path, str_from(rows[i].settled)));
	}
	assert_false(path_settle(a, &(struct str){"/a\0b", 4}));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slash_that_was_kept_stays_encoded),
		cmocka_unit_test(a_path_that_was_put_together_is_settled),
		cmocka_unit_test(a_plain_path_is_itself),
		cmocka_unit_test(a_plain_path_points_into_the_target),
		cmocka_unit_test(dot_segments_go_and_never_above_the_root),
		cmocka_unit_test(runs_of_slashes_are_one),
		cmocka_unit_test(escapes_are_decoded_once),
		cmocka_unit_test(tricks_lead_nowhere),
		cmocka_unit_test(an_encoded_slash_can_be_kept),
		cmocka_unit_test(an_encoded_slash_can_be_a_slash),
		cmocka_unit_test(every_byte_is_allowed_or_refused),
		cmocka_unit_test(a_long_climb_ends_where_it_began),
		cmocka_unit_test(a_query_begins_at_the_first_question_mark),
		cmocka_unit_test(a_query_is_not_decoded),
		cmocka_unit_test(an_absolute_target_has_an_authority),
		cmocka_unit_test(a_malformed_absolute_target_is_refused),
		cmocka_unit_test(a_star_is_the_server_itself),
		cmocka_unit_test(what_may_not_stand_in_a_path_is_encoded),
		cmocka_unit_test(what_may_stand_in_a_path_is_not_copied),
		cmocka_unit_test(an_encoded_path_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
