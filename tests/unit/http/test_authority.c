/* Authorities: which hosts and ports are read, and what is none. */
#include "http/target.h"

#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
expect_host(const char *text, const char *expected, unsigned expected_port)
{
	struct arena *a = arena_new();
	struct str host;
	uint16_t port;

	if (!authority_parse(a, str_from(text), &host, &port))
		fail_msg("%s is refused", text);
	if (!str_eq(host, str_from(expected)))
		fail_msg("%s: \"%.*s\", expected \"%s\"", text, STR_ARG(host),
		    expected);
	assert_int_equal(port, expected_port);
	arena_end(a);
}

static void
a_name_is_read_in_lower_case(void **state)
{
	(void)state;
	expect_host("example.com", "example.com", 0);
	expect_host("Example.COM", "example.com", 0);
	expect_host("a-b_c.example", "a-b_c.example", 0);
	expect_host("localhost", "localhost", 0);
	expect_host("192.0.2.1", "192.0.2.1", 0);
	expect_host("a!$&'()*+,;=~z", "a!$&'()*+,;=~z", 0);
	expect_host("xn--bcher-kva.example", "xn--bcher-kva.example", 0);
}

static void
one_dot_at_the_end_goes(void **state)
{
	(void)state;
	expect_host("example.com.", "example.com", 0);
	expect_host("example.com.:80", "example.com", 80);
	expect_host("A.", "a", 0);
}

static void
an_address_of_version_6_keeps_its_brackets(void **state)
{
	(void)state;
	expect_host("[::1]", "[::1]", 0);
	expect_host("[::1]:8080", "[::1]", 8080);
	expect_host("[2001:DB8::A]", "[2001:db8::a]", 0);
	expect_host("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]", 1);
	expect_host("[1111:2222:3333:4444:5555:6666:7777:8888]",
	    "[1111:2222:3333:4444:5555:6666:7777:8888]", 0);
}

static void
ports_are_1_to_65535(void **state)
{
	(void)state;
	expect_host("a:1", "a", 1);
	expect_host("a:80", "a", 80);
	expect_host("a:65535", "a", 65535);
	expect_host("a:00080", "a", 80);
	expect_host("a:", "a", 0);
	expect_host("[::]:", "[::]", 0);
}

static void
what_is_no_authority_is_refused(void **state)
{
	static const char *const rows[] = {
		"", ":", ":80", ".", "..", "...", ".a", "a..b", "a..",
		"..:80", ".:80", "a:0", "a:00", "a:65536", "a:-1", "a:+1",
		"a: 80", "a:80 ", "a:8o", "a:80:80", "a::80",
		"a:18446744073709551617", "a:99999999999999999999999",
		"user@a", "user:pass@a", "@a", "a b", " a", "a ", "a\t",
		"a/b", "a?b", "a#b", "a\\b", "a%41", "%2e%2e", "a\"b", "<a>",
		"a|b", "{a}", "a^b", "a`b", "a\x7f", "a\x01", "\x80",
		"b\xc3\xbc.example",
		"::1", "2001:db8::1", "[", "[]", "[]:80", "[:]", "[::1",
		"::1]", "[::1]]", "[[::1]]", "[::1]80", "[::1]a", "[::1].",
		"[::1] ", "[ ::1]", "[192.0.2.1]", "[example.com]",
		"[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.a]", "[::g]",
		"[1:2:3:4:5:6:7:8:9]", "[::1]:0", "[::1]:65536", "[::1]:x",
		"a[::1]", "[::ffff:192.0.2.1.192.0.2.1.192.0.2.1.192.0.2.1]"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *a = arena_new();
		struct str host;
		uint16_t port;

		if (authority_parse(a, str_from(rows[i]), &host, &port))
			fail_msg("\"%s\" is not refused", rows[i]);
		arena_end(a);
	}
}

static void
a_nul_is_refused_wherever_it_stands(void **state)
{
	struct str rows[] = {
		STR("\0"), STR("a\0"), STR("a\0b"), STR("[::1\0]"),
		STR("[\0::1]"), STR("a:8\0"), STR("[::1]\0")
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct str host;
		uint16_t port;

		assert_false(authority_parse(NULL, rows[i], &host, &port));
	}
}

static void
what_is_lower_case_already_is_not_copied(void **state)
{
	struct str text = STR("example.com.:80"), host;
	uint16_t port;

	(void)state;
	assert_true(authority_parse(NULL, text, &host, &port));
	assert_ptr_equal(host.p, text.p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_in_lower_case),
		cmocka_unit_test(one_dot_at_the_end_goes),
		cmocka_unit_test(an_address_of_version_6_keeps_its_brackets),
		cmocka_unit_test(ports_are_1_to_65535),
		cmocka_unit_test(what_is_no_authority_is_refused),
		cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
		cmocka_unit_test(what_is_lower_case_already_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
