/* Basic credentials: what is one, and what it says. */
#include "http/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* "user|password", or "-". */
static const char *
reading(struct arena *a, const char *value)
{
	struct credentials c;

	if (!credentials_read(a, str_from(value), &c))
		return "-";
	return arena_printf(a, "%.*s|%.*s", STR_ARG(c.user),
	    STR_ARG(c.password));
}

static void
expect(const char *value, const char *want)
{
	struct arena *a = arena_new();

	assert_string_equal(reading(a, value), want);
	arena_end(a);
}

static void
a_name_ends_at_the_first_colon(void **state)
{
	(void)state;
	expect("Basic YTpi", "a|b");
	expect("basic  YTpi", "a|b");
	expect("BASIC YTpiOmM=", "a|b:c");
	expect("Basic YWxhZGRpbjpvcGVuc2VzYW1l", "aladdin|opensesame");
	expect("Basic Og==", "|");
	expect("Basic YTo=", "a|");
	expect("Basic w6TDtsO8OsOf", "\303\244\303\266\303\274|\303\237");
}

static void
what_is_no_credentials_has_no_user(void **state)
{
	static const char *const values[] = {
		"", "Basic", "Basic ", "Basic  ", "Bearer YTpi", "YTpi",
		"Basic YWI=",     /* no colon */
		"Basic YTp",      /* not whole groups */
		"Basic YTpiOmM",  /* no padding */
		"Basic YTo==",    /* too much of it */
		"Basic Y===", "Basic ====", "Basic YT=pi===",
		"Basic YTpj\tYTpj", "Basic YT pi", "Basic YTpi YTpi",
		"Basic YTp_",     /* of another alphabet */
		"Basic YTr=",     /* bits behind the end: also "YTo=" */
		"Basic YQA6Yg==", /* NUL */
		"Basic YTpiCg==", /* LF */
		"Basic YX86Yg==", /* DEL */
	};

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		expect(values[i], "-");
}

static void
longer_than_anybodys_is_nobodys(void **state)
{
	struct arena *a = arena_new();
	struct credentials c;
	char text[2048] = "Basic YTpi";

	(void)state;
	memset(text + 10, 'Y', 1600);
	assert_false(credentials_read(a, str_from(text), &c));
	memset(text + 6, 'Y', 340);
	memcpy(text + 346, "YTpi", 5);
	/* 256 bytes of a name before the colon */
	assert_false(credentials_read(a, str_from(text), &c));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_ends_at_the_first_colon),
		cmocka_unit_test(what_is_no_credentials_has_no_user),
		cmocka_unit_test(longer_than_anybodys_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
