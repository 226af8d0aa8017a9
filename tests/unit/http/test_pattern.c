/* Patterns: what operators write for paths, values and hosts, what it matches,
 * and what is said of what they probably did not mean. */
#include "http/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_end(arena);
	return 0;
}

struct refused {
	const char *text, *part;
};

static void
expect_refused(const struct conf_type *type, const struct refused *r)
{
	void *out = arena_zalloc(arena, type->size);
	struct err e = {""};

	if (type->parse(arena, str_from(r->text), out, &e))
		fail_msg("\"%s\" was taken", r->text);
	if (strstr(e.text, r->part) == NULL)
		fail_msg("\"%s\": expected \"%s\" in: %s", r->text, r->part,
		    e.text);
}

static void
expect_str(struct str got, const char *expected)
{
	assert_string_equal(arena_memdup(arena, got.p, got.n), expected);
}

/* ---- paths ------------------------------------------------------------- */

static struct path_pattern
path(const char *text)
{
	struct path_pattern p = {0};
	struct err e = {""};

	if (!conf_type_path_pattern.parse(arena, str_from(text), &p, &e))
		fail_msg("%s: %s", text, e.text);
	return p;
}

static void
path_is_read_by_its_star(void **state)
{
	static const struct {
		const char *written;
		enum path_kind kind;
		const char *text;
	} cases[] = {
		{"/", PATH_EXACT, "/"},
		{"/x", PATH_EXACT, "/x"},
		{"/x/", PATH_EXACT, "/x/"},
		{"/x/*", PATH_BELOW, "/x/"},
		{"/*", PATH_BELOW, "/"},
		{"/x*", PATH_PREFIX, "/x"},
		{"/.well-known/*", PATH_BELOW, "/.well-known/"},
		{"/a/..*", PATH_PREFIX, "/a/.."},
		{"*.php", PATH_SUFFIX, ".php"},
		{"*/feed", PATH_SUFFIX, "/feed"},
		{"*/", PATH_SUFFIX, "/"},
		{"*..", PATH_SUFFIX, ".."},
		{"/a%2Fb", PATH_EXACT, "/a%2Fb"},
		{"/100%", PATH_EXACT, "/100%"},
		{"/a b", PATH_EXACT, "/a b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct path_pattern p = path(cases[i].written);

		assert_int_equal(p.kind, cases[i].kind);
		expect_str(p.text, cases[i].text);
		expect_str(p.written, cases[i].written);
		assert_null(p.regex);
	}
	assert_int_equal(path("~ ^/x").kind, PATH_REGEX);
	assert_non_null(path("~^/x").regex);
}

static void
path_matches_what_it_says(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
		{"/x", "/x", true}, {"/x", "/x/", false}, {"/x", "/xy", false},
		{"/x/*", "/x/", true}, {"/x/*", "/x/y/z", true},
		{"/x/*", "/x", false}, {"/x/*", "/xy", false},
		{"/x*", "/x", true}, {"/x*", "/xy/z", true},
		{"/x*", "/y/x", false},
		{"*.php", "/a/b.php", true}, {"*.php", "/a.php5", false},
		{"*.php", ".php", true}, {"*.php", "hp", false},
		{"~ ^/u\\d+$", "/u12", true}, {"~ ^/u\\d+$", "/u", false},
		{"/*", "/", true}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct path_pattern p = path(cases[i].pattern);

		if (path_pattern_matches(&p, str_from(cases[i].path)) !=
		    cases[i].matches)
			fail_msg("%s, %s", cases[i].pattern, cases[i].path);
	}
}

static void
path_that_cannot_match_is_refused(void **state)
{
	static const struct refused cases[] = {
		{"api", "begins with a slash; did you mean \"/api\"?"},
		{"api/*", "did you mean \"/api/*\"?"},
		{"", "begins with a slash"},
		{"*", "leaving \"path\" out, or by /*"},
		{"**", "leaving \"path\" out"},
		{"/a/*/b", "has a \"*\" in its middle"},
		{"/a/**", "has a \"*\" in its middle"},
		{"*/a*b", "has a \"*\" in its middle"},
		{"*.php*", "did you mean the regular expression \"~ .php\"?"},
		{"/a?b=c", "has a query"},
		{"/a%20b", "compared decoded"},
		{"/a\\b", "has a backslash"},
		{"//a", "has an empty segment"},
		{"/a//*", "has an empty segment"},
		{"/a/../b", "only dots"},
		{"/a/./*", "only dots"},
		{"/a/..", "only dots"},
		{"*/../b", "only dots"},
		{"*/.", "only dots"},
		{"~", "expected a regular expression after ~"},
		{"~  ", "expected a regular expression after ~"},
		{"~ ^/(", "missing closing parenthesis"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect_refused(&conf_type_path_pattern, &cases[i]);
}

/* ---- values ------------------------------------------------------------ */

static bool
value_holds(const char *pattern, const char *value)
{
	struct value_pattern v = {0};

	assert_true(conf_type_value_pattern.parse(arena, str_from(pattern),
	    &v, NULL));
	return value_pattern_matches(&v, str_from(value));
}

static void
value_is_equal_or_found(void **state)
{
	static const struct refused bad = {"~(", "missing closing"};

	(void)state;
	assert_true(value_holds("1", "1"));
	assert_false(value_holds("1", "11"));
	assert_true(value_holds("", ""));
	assert_true(value_holds("~^2", "23"));
	assert_false(value_holds("~^2", "12"));
	expect_refused(&conf_type_value_pattern, &bad);
}

/* ---- hosts ------------------------------------------------------------- */

static void
host_is_folded_as_clients_are(void **state)
{
	static const struct {
		const char *written;
		enum host_kind kind;
		const char *text;
	} cases[] = {
		{"example.com", HOST_EXACT, "example.com"},
		{"Example.COM.", HOST_EXACT, "example.com"},
		{"localhost", HOST_EXACT, "localhost"},
		{"a_b.example", HOST_EXACT, "a_b.example"},
		{"xn--bcher-kva.example", HOST_EXACT, "xn--bcher-kva.example"},
		{"*.Example.com", HOST_WILDCARD, ".example.com"},
		{"192.0.2.1", HOST_EXACT, "192.0.2.1"},
		{"[::1]", HOST_EXACT, "[::1]"},
		{"[2001:DB8:0::0:1]", HOST_EXACT, "[2001:db8::1]"},
		{"~^u\\d+", HOST_REGEX, "~^u\\d+"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct host_pattern h = {0};
		struct err e = {""};

		if (!conf_type_host.parse(arena, str_from(cases[i].written),
		        &h, &e))
			fail_msg("%s: %s", cases[i].written, e.text);
		assert_int_equal(h.kind, cases[i].kind);
		expect_str(h.text, cases[i].text);
		expect_str(h.written, cases[i].written);
		assert_int_equal(h.regex != NULL, h.kind == HOST_REGEX);
	}
}

static void
host_that_nobody_sends_is_refused(void **state)
{
	static const struct refused cases[] = {
		{"example.com:8080", "the site's \"listen\"; did you mean "
		 "\"example.com\"?"},
		{"*.example.com:80", "a host has no port"},
		{"[::1]:80", "a host has no port"},
		{"[::1", "lacks its closing bracket"},
		{"[::x]", "is not an IPv6 address"},
		{"[]", "is not an IPv6 address"},
		{"[", "lacks its closing bracket"},
		{"::1", "did you mean \"[::1]\"?"},
		{"b\xc3\xbc" "cher.example", "begins with xn--"},
		{"https://example.com", "has a scheme"},
		{"example.com/x", "has a path"},
		{"*", "`default: on`"},
		{"_", "`default: on`"},
		{".example.com", "[example.com, \"*.example.com\"]"},
		{"www.*.com", "does not stand for the first labels"},
		{"*.*.com", "does not stand for the first labels"},
		{"*example.com", "does not stand for the first labels"},
		{"", "is not a host name"},
		{"*.", "is not a host name"},
		{"a..b", "is not a host name"},
		{"a b", "is not a host name"},
		{"~(", "missing closing parenthesis"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaa.example", "is not a host name"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect_refused(&conf_type_host, &cases[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_read_by_its_star),
		cmocka_unit_test(path_matches_what_it_says),
		cmocka_unit_test(path_that_cannot_match_is_refused),
		cmocka_unit_test(value_is_equal_or_found),
		cmocka_unit_test(host_is_folded_as_clients_are),
		cmocka_unit_test(host_that_nobody_sends_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
