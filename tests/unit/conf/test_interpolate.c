/* ${env:} and ${file:}. */
#include "expect.c"

static void
expect_name(const char *value, const char *expected)
{
	struct arena *a = arena_new();
	const char *files[] = {
		"/c/shop.yaml", arena_printf(a, "name: %s\n", value),
		"/c/token", "hush\n", "/c/two", "a\n\n", "/c/dos", "x\r\n",
		"/c/corner", "by name", "/c/binary", "\xff", NULL
	};
	struct run r = run_files(files);

	assert_string_equal(run_messages(&r), "");
	assert_string_equal(r.shop->name, expected);
	run_end(&r);
	arena_end(a);
	arena_trim();
}

static void
interpolate_puts_values_in(void **state)
{
	(void)state;
	expect_name("${env:NAME}", "corner");
	expect_name("a ${env:NAME} b ${env:NAME}", "a corner b corner");
	expect_name("'${env:NONE:-other}'", "other");
	expect_name("'${env:EMPTY:-other}'", "other");
	expect_name("'${env:NONE:-}'", "");
	expect_name("'${env:EMPTY}'", "");
	expect_name("'${env:NONE:-${host}/x}'", "${host}/x");
	expect_name("${file:token}", "hush");
	expect_name("${file:/c/two}", "a\n");
	expect_name("${file:dos}", "x");
	expect_name("${file:${env:NAME}}", "by name");
}

/* Whatever the value is, it is a value, and it is put in once. */
static void
interpolate_cannot_change_structure(void **state)
{
	(void)state;
	expect_name("${env:TRICKY}", "a: {b: [c]} # ${env:NAME} \"");
}

static void
interpolate_leaves_the_rest(void **state)
{
	(void)state;
	expect_name("$host ${uri} $$ $${env:NAME} $", "$host ${uri} $$ "
	    "$${env:NAME} $");
	expect_name("${environment} ${env} {env:NAME}",
	    "${environment} ${env} {env:NAME}");
}

static void
interpolate_works_in_every_type(void **state)
{
	struct run r = run_text("version: ${env:NONE:-7}\n"
	    "mode: \"${env:NONE:-slow}\"\ndays: [\"${env:NAME}\"]\n"
	    "words: {a: \"${env:NAME}\"}\n");

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_int_equal(r.shop->version, 7);
	assert_int_equal(r.shop->mode, 0);
	assert_string_equal(CONF_ITEM(&r.shop->days, char *, 0), "corner");
	run_end(&r);
}

static void
interpolate_says_what_is_wrong(void **state)
{
	(void)state;
	expect_messages("name: ${env:NONE}\n",
	    "shop.yaml:1:7: the environment variable NONE is not set; "
	    "${env:NONE:-...} would give it a default\n"
	    "    1 | name: ${env:NONE}\n"
	    "      |       ^~~~~~~~~~~\n");
	expect_message_has("name: ${env:}\n", "\"\" cannot name an");
	expect_message_has("name: ${env:a b}\n", "\"a b\" cannot name an");
	expect_message_has("name: ${env:NAME\n", "never closed by \"}\"");
	expect_message_has("name: ${file:}\n", "${file:} needs a path");
	expect_message_has("name: ${file:gone}\n",
	    "1:7: cannot open gone: no such file");
	expect_message_has("name: ${env:BINARY}\n", "is not UTF-8 text");
	expect_message_has("name: ${file:${file:${file:${file:${file:"
	    "${file:x}}}}}}\n", "nested too deeply");
	expect_message_has("version: ${env:NAME}\n",
	    "1:10: \"version\": expected a whole number, found \"corner\"");
}

/* A secret is used and never shown, whoever asks: the one who looks at the
 * effective configuration, or the one who reads what is wrong with it. */
static void
interpolate_shows_no_file(void **state)
{
	const char *files[] = {
		"/c/shop.yaml", "name: a ${file:token}, ${file:token}!\n"
		    "capacity: ${file:token}\nlog: ${file:short}\n",
		"/c/token", "hush-hush\n", "/c/short", "log", NULL
	};
	struct run r = run_files(files);
	const char *dump = run_dump(&r), *said = run_messages(&r);

	(void)state;
	assert_string_equal(r.shop->name, "a hush-hush, hush-hush!");
	assert_non_null(strstr(said, "${file:/c/token}"));
	assert_null(strstr(said, "hush"));
	assert_null(strstr(dump, "hush"));
	assert_non_null(strstr(dump,
	    "name: \"a ${file:/c/token}, ${file:/c/token}!\""));
	assert_non_null(strstr(dump, "log: /c/log"));
	run_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interpolate_puts_values_in),
		cmocka_unit_test(interpolate_shows_no_file),
		cmocka_unit_test(interpolate_cannot_change_structure),
		cmocka_unit_test(interpolate_leaves_the_rest),
		cmocka_unit_test(interpolate_works_in_every_type),
		cmocka_unit_test(interpolate_says_what_is_wrong)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
