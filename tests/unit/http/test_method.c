/* Methods: names and properties. */
#include "http/method.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void
every_method_is_found_by_its_name(void **state)
{
	(void)state;
	for (unsigned i = 1; i < METHOD_COUNT; i++)
		assert_int_equal(method_lookup(
		    str_from(method_name((enum method)i))), i);
	assert_int_equal(method_lookup(STR("GET")), METHOD_GET);
	assert_int_equal(method_lookup(STR("CONNECT")), METHOD_CONNECT);
}

static void
other_tokens_are_other_methods(void **state)
{
	static const char *const names[] = {
		"get", "GETS", "GE", "G", "Head", "PROPFIND", "PRI", "POS",
		"DELETES", "GEt"
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(method_lookup(str_from(names[i])),
		    METHOD_OTHER);
	assert_string_equal(method_name(METHOD_OTHER), "");
}

/* RFC 9110 sections 9.2.1 and 9.2.2 */
static void
properties_are_those_of_the_standard(void **state)
{
	const unsigned both = METHOD_SAFE | METHOD_IDEMPOTENT;

	(void)state;
	assert_int_equal(method_flags(METHOD_GET), both);
	assert_int_equal(method_flags(METHOD_HEAD), both);
	assert_int_equal(method_flags(METHOD_OPTIONS), both);
	assert_int_equal(method_flags(METHOD_TRACE), both);
	assert_int_equal(method_flags(METHOD_PUT), METHOD_IDEMPOTENT);
	assert_int_equal(method_flags(METHOD_DELETE), METHOD_IDEMPOTENT);
	assert_int_equal(method_flags(METHOD_POST), 0);
	assert_int_equal(method_flags(METHOD_PATCH), 0);
	assert_int_equal(method_flags(METHOD_CONNECT), 0);
	assert_int_equal(method_flags(METHOD_OTHER), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_is_found_by_its_name),
		cmocka_unit_test(other_tokens_are_other_methods),
		cmocka_unit_test(properties_are_those_of_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
