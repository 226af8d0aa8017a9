/* Media types of files. */
#include "http/mime.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
assert_type(const struct mime_types *m, const char *path, const char *want)
{
	struct str got = mime_type_of(m, str_from(path));

	if (!str_eq(got, str_from(want)))
		fail_msg("%s is %.*s", path, STR_ARG(got));
}

static void
the_table_is_sorted_and_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(mime_rows); i++) {
		struct str ext = str_from(mime_rows[i].ext);

		if (i > 0 && str_cmp(str_from(mime_rows[i - 1].ext), ext) >= 0)
			fail_msg("%s is out of order", mime_rows[i].ext);
		assert_true(ext.n <= MIME_EXT_MAX);
		for (size_t k = 0; k < ext.n; k++)
			assert_int_equal(ext.p[k], chr_lower(ext.p[k]));
		assert_true(mime_is_valid(mime_rows[i].type));
		assert_ptr_equal(mime_row_find(ext), &mime_rows[i]);
	}
}

/* What an operator sets is completed; the table must say the same itself. */
static void
text_of_the_table_says_its_charset(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mime_rows); i++) {
		struct str type = mime_rows[i].type;

		if (!str_eq(mime_complete(a, type), type))
			fail_msg("%s lacks a charset", mime_rows[i].ext);
	}
	arena_end(a);
}

static void
the_extension_tells_the_type(void **state)
{
	struct arena *a = arena_new();
	struct mime_types *m = mime_types_new(a, STR("x/default"));

	(void)state;
	assert_type(m, "index.html", "text/html; charset=utf-8");
	assert_type(m, "dir.html/a.css", "text/css; charset=utf-8");
	assert_type(m, "A.PNG", "image/png");
	assert_type(m, "a.tar.gz", "application/gzip");
	assert_type(m, ".png", "image/png");
	arena_end(a);
}

static void
what_is_unknown_has_the_default(void **state)
{
	static const char *const paths[] = {
		"", "name", "dir.png/name", "name.", "a.unheard-of", "png",
		"dir/", "a.png/", "a.pn g",
		"a.0123456789012345678901234567890123456789"
	};
	struct arena *a = arena_new();
	struct mime_types *m = mime_types_new(a, STR("x/default"));

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		assert_type(m, paths[i], "x/default");
	assert_true(str_eq(mime_type_of(m, STR("a.p\0g")), STR("x/default")));
	arena_end(a);
}

static void
operators_have_the_last_word(void **state)
{
	struct arena *a = arena_new();
	struct mime_types *m = mime_types_new(a, STR("x/default"));

	(void)state;
	mime_types_set(m, STR("PNG"), STR("x/mine"));
	mime_types_set(m, STR("own"), STR("text/own"));
	mime_types_set(m, STR("own"), STR("text/newer"));
	assert_type(m, "a.png", "x/mine");
	assert_type(m, "a.Own", "text/newer; charset=utf-8");
	assert_type(m, "a.html", "text/html; charset=utf-8");
	arena_end(a);
}

static void
textual_types_get_a_charset_unless_they_have_parameters(void **state)
{
	static const char *const rows[][2] = {
		{"text/plain", "text/plain; charset=utf-8"},
		{"text/plain; charset=latin1", "text/plain; charset=latin1"},
		{"text/plain;format=flowed", "text/plain;format=flowed"},
		{"application/json", "application/json; charset=utf-8"},
		{"application/problem+json",
		    "application/problem+json; charset=utf-8"},
		{"image/svg+xml", "image/svg+xml; charset=utf-8"},
		{"application/javascript",
		    "application/javascript; charset=utf-8"},
		{"application/jsonish", "application/jsonish"},
		{"image/png", "image/png"}
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_type(mime_types_new(a, str_from(rows[i][0])), "x",
		    rows[i][1]);
	arena_end(a);
}

static void
a_type_is_two_tokens(void **state)
{
	static const char *const good[] = {
		"text/html", "a/b", "text/html; charset=utf-8", "text/html ;q",
		"application/vnd.x+json"
	};
	static const char *const bad[] = {
		"", "text", "/", "text/", "/html", "te xt/html", "text/ht ml",
		"text/html/x", "text/html\r\nx: y", "t\xc3\xa4xt/html",
		"text/html; a=\n", ";text/html", "text;/html"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (!mime_is_valid(str_from(good[i])))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (mime_is_valid(str_from(bad[i])))
			fail_msg("%s is taken", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sorted_and_sound),
		cmocka_unit_test(text_of_the_table_says_its_charset),
		cmocka_unit_test(the_extension_tells_the_type),
		cmocka_unit_test(what_is_unknown_has_the_default),
		cmocka_unit_test(operators_have_the_last_word),
		cmocka_unit_test(
		    textual_types_get_a_charset_unless_they_have_parameters),
		cmocka_unit_test(a_type_is_two_tokens)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
