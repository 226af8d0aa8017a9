/* Diagnostics: order, lines, carets, and what a file may not do to a
 * terminal. */
#include "expect.c"

static void
diag_points_at_the_word(void **state)
{
	(void)state;
	expect_messages("name: a\n\nopne: 1\ndays: [\"a\\0\", b]\n",
	    "shop.yaml:3:1: unknown key \"opne\"; did you mean \"open\"?\n"
	    "    3 | opne: 1\n"
	    "      | ^~~~\n"
	    "shop.yaml:4:8: \"days\": a NUL cannot stand in a value\n"
	    "    4 | days: [\"a\\0\", b]\n"
	    "      |        ^~~~~\n");
}

static void
diag_counts_characters(void **state)
{
	(void)state;
	expect_messages("words: {\"\xc3\xa4\xe2\x82\xac\": [\xc3\xb6]}\n",
	    "shop.yaml:1:15: \"words\": expected a string, found a list\n"
	    "    1 | words: {\"\xc3\xa4\xe2\x82\xac\": [\xc3\xb6]}\n"
	    "      |               ^\n");
}

static void
diag_escapes_what_it_shows(void **state)
{
	(void)state;
	expect_messages("version: \"a\\e[31m\\u202e\"\n",
	    "shop.yaml:1:10: \"version\": expected a whole number, found "
	    "\"a\\x1b[31m\\xe2\\x80\\xae\"\n"
	    "    1 | version: \"a\\e[31m\\u202e\"\n"
	    "      |          ^~~~~~~~~~~~~~~\n");
	expect_message_has("name: \x1b[31m\xff\n", "\\x1b[31m\\xff");
	expect_message_has("name: a\nx:\ty\n", "2 | x:\\ty\n");
}

static void
diag_cuts_long_lines(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	struct run r;
	struct str rest, line;

	(void)state;
	buf_z(&b, "words: {");
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "k%d: v, ", i);
	buf_z(&b, "bad: [x]}\n");
	buf_chr(&b, '\0');
	r = run_text(b.p);
	rest = str_from(run_messages(&r));
	while (str_split(&rest, '\n', &line))
		assert_true(line.n < 100);
	assert_non_null(strstr(run_messages(&r), " | ..."));
	assert_non_null(strstr(run_messages(&r), "bad: [x]}\n"));
	run_end(&r);

	/* A value of a megabyte is not repeated. */
	b.n = 0;
	buf_z(&b, "version: ");
	for (int i = 0; i < 1 << 17; i++)
		buf_z(&b, "xxxxxxxx");
	buf_chr(&b, '\0');
	r = run_text(b.p);
	assert_true(strlen(run_messages(&r)) < 400);
	run_end(&r);
	arena_end(a);
	arena_trim();
}

static void
diag_stops_at_twenty(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	struct run r;
	const char *all;

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_printf(&b, "zz%d: v\n", i);
	buf_chr(&b, '\0');
	r = run_text(b.p);
	for (int i = 0; i < 25; i++)
		conf_warning(r.load, (struct conf_pos){.line = 1, .column = 1},
		    "doubt", "doubt %d", i);
	all = run_messages(&r);
	assert_int_equal(conf_errors(r.load), 3000);
	assert_int_equal(conf_warnings(r.load), 25);
	assert_non_null(strstr(all, "unknown key \"zz19\""));
	assert_null(strstr(all, "unknown key \"zz20\""));
	assert_non_null(strstr(all, "\nand 2980 more errors\n"
	    "and 5 more warnings\n"));
	run_end(&r);
	arena_end(a);
	arena_trim();
}

static void
diag_sorts_by_place(void **state)
{
	struct run r = run_text("name: a\nopen: on\nmode: fast\n");
	struct conf_pos pos = {.line = 3, .column = 7};

	(void)state;
	conf_warning(r.load, pos, "late", "%s", "third");
	conf_error(r.load, conf_pos_of(r.shop, &r.shop->open), "x", "second");
	conf_error(r.load, conf_pos_of(r.shop, &r.shop->name), "x", "first");
	conf_error(r.load, (struct conf_pos){0}, "x", "nowhere");
	assert_string_equal(run_messages(&r),
	    "shop.yaml: nowhere\n"
	    "shop.yaml:1:7: first\n    1 | name: a\n      |       ^\n"
	    "shop.yaml:2:7: second\n    2 | open: on\n      |       ^~\n"
	    "shop.yaml:3:7: warning: third\n"
	    "    3 | mode: fast\n      |       ^~~~\n");
	assert_string_equal(conf_pos_text(r.load, pos), "shop.yaml:3");
	run_end(&r);
}

static void
diag_speaks_json(void **state)
{
	struct run r = run_text("opne: 1\n");
	struct buf b = buf_in(r.a);

	(void)state;
	conf_print_diagnostics_json(r.load, &b);
	buf_chr(&b, '\0');
	assert_string_equal(b.p,
	    "{\"errors\": 1, \"warnings\": 0, \"diagnostics\": [\n"
	    "  {\"severity\": \"error\", \"code\": \"unknown-key\", "
	    "\"file\": \"shop.yaml\", \"line\": 1, \"column\": 1, "
	    "\"message\": \"unknown key \\\"opne\\\"; did you mean "
	    "\\\"open\\\"?\"}\n]}\n");
	run_end(&r);
	r = run_text("");
	b = buf_in(r.a);
	conf_print_diagnostics_json(r.load, &b);
	buf_chr(&b, '\0');
	assert_string_equal(b.p,
	    "{\"errors\": 0, \"warnings\": 0, \"diagnostics\": []}\n");
	run_end(&r);
}

static void
diag_suggests_only_what_is_close(void **state)
{
	static const char *const names[] = {"app", "static", "backend"};
	struct run r = run_text("");

	(void)state;
	assert_string_equal(conf_suggest(r.load, STR("bakend"), names, 3),
	    "; did you mean \"backend\"?");
	assert_string_equal(conf_suggest(r.load, STR("Back-end"), names, 3),
	    "; did you mean \"backend\"?");
	assert_string_equal(conf_suggest(r.load, STR("zebra"), names, 3), "");
	assert_string_equal(conf_suggest(r.load, STR(""), names, 3), "");
	assert_string_equal(conf_suggest(r.load, STR("x"), names, 0), "");
	run_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diag_points_at_the_word),
		cmocka_unit_test(diag_counts_characters),
		cmocka_unit_test(diag_escapes_what_it_shows),
		cmocka_unit_test(diag_cuts_long_lines),
		cmocka_unit_test(diag_stops_at_twenty),
		cmocka_unit_test(diag_sorts_by_place),
		cmocka_unit_test(diag_speaks_json),
		cmocka_unit_test(diag_suggests_only_what_is_close)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
