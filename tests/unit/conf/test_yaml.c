/* YAML: what is read, what is refused, and in which words. */
#include "expect.c"

static void
expect_clean(const char *yaml)
{
	expect_messages(yaml, "");
}

static void
yaml_may_be_empty(void **state)
{
	(void)state;
	expect_clean("");
	expect_clean("\n\n");
	expect_clean("# only a comment\n");
	expect_clean("---\n");
	expect_clean("\xef\xbb\xbf");
}

static void
yaml_takes_crlf_and_bom(void **state)
{
	struct run r = run_text("\xef\xbb\xbfname: a\r\nopen: off\r\n");

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_string_equal(r.shop->name, "a");
	assert_false(r.shop->open);
	assert_int_equal(conf_pos_of(r.shop, &r.shop->name).column, 7);
	run_end(&r);
}

static void
yaml_values_have_no_type(void **state)
{
	struct run r = run_text("name: no\ndays: [on, 1, ~, null, 0x10]\n");
	char **day = r.shop->days.items;

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_string_equal(r.shop->name, "no");
	assert_string_equal(day[0], "on");
	assert_string_equal(day[1], "1");
	assert_string_equal(day[2], "~");
	assert_string_equal(day[3], "null");
	assert_string_equal(day[4], "0x10");
	run_end(&r);
}

static void
yaml_anchors_and_merge_keys_work(void **state)
{
	struct run r = run_text(
	    "suppliers:\n"
	    "  a: &base {address: x, weight: 7}\n"
	    "  b: *base\n"
	    "  c: {<<: *base, weight: 9}\n");
	struct supplier_conf *b, *c;

	(void)state;
	assert_string_equal(run_messages(&r), "");
	b = r.shop->suppliers.entries[1].value;
	c = r.shop->suppliers.entries[2].value;
	assert_int_equal(b->weight, 7);
	assert_int_equal(c->weight, 9);
	assert_int_equal(c->address.s.n, 1);
	assert_ptr_not_equal(b, r.shop->suppliers.entries[0].value);
	run_end(&r);
}

static void
yaml_refuses_what_it_has_no_use_for(void **state)
{
	(void)state;
	expect_message_has("name: a\n---\nname: b\n",
	    "shop.yaml:2:1: a second document begins here");
	expect_message_has("name: !!str a\n",
	    "tags such as \"!!str\" have no meaning here");
	expect_message_has("{[a]: b}\n", "not a list");
	expect_message_has("{{a: b}: c}\n", "not a map");
	expect_message_has(": b\n", "a key is missing before this \":\"");
	expect_message_has("name: *nobody\n", "no anchor \"&nobody\"");
	expect_message_has("words: {<<: [a]}\n", "\"<<\" takes an alias");
	expect_message_has("- a\n",
	    "shop.yaml:1:1: expected a map of keys and values, found a list");
	expect_message_has("just words\n", "found \"just words\"");
}

static void
yaml_names_both_duplicates(void **state)
{
	(void)state;
	expect_messages("name: a\nopen: on\nname: b\n",
	    "shop.yaml:3:1: the key \"name\" stands here twice; first at "
	    "shop.yaml:1\n"
	    "    3 | name: b\n"
	    "      | ^~~~\n");
}

static void
yaml_finds_duplicates_in_large_maps(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	struct run r;

	(void)state;
	buf_z(&b, "words:\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "  k%d: v\n", i);
	buf_z(&b, "  k500: again\n");
	buf_chr(&b, '\0');
	r = run_text(b.p);
	assert_int_equal(conf_errors(r.load), 1);
	assert_non_null(strstr(run_messages(&r),
	    "shop.yaml:1002:3: the key \"k500\" stands here twice; first at "
	    "shop.yaml:502\n"));
	assert_int_equal(r.shop->words.n, 1000);
	run_end(&r);
	arena_end(a);
	arena_trim();
}

static void
yaml_explains_syntax_errors(void **state)
{
	static const struct {
		const char *yaml, *words;
	} cases[] = {
		{"name: \"corner\nopen: on\n",
		 "shop.yaml:1:7: this quote is never closed; the rest of this "
		 "file was not read\n    1 | name: \"corner\n"},
		{"name: 'corner\n", "shop.yaml:1:7: this quote is never"},
		{"name: a: b\n", "1:8: unexpected \":\" here; a value that "
		 "contains \": \" needs quotes"},
		{"words:\n\ta: b\n", "2:1: tabs cannot indent YAML"},
		{"words:\n  a: b\n \tc: d\n", "tabs cannot indent YAML"},
		{"words:\n    a: b\n  c: d\n", "the indentation does not fit"},
		{"days:\n  - a\n b\n", "the indentation does not fit"},
		{"days: [a, b\nname: c\n", "1:11: a \",\" is missing at the "
		 "end of this line, or the \"[\" of line 1 is not closed"},
		{"{\"name\": 1\n# two\n \"open\": 2}\n", "1:10: a \",\" is "
		 "missing at the end of this line, or the \"{\" of line 1"},
		{"days: [a, b\n", "1:7: this \"[\" is not closed"},
		{"words: {a: b c: d}\n", "1:15: unexpected \":\" here; a "
		 "value that contains"},
		{"name: [a];\n", "1:10: no \";\" ends a line of YAML"},
		{"name: @x\n", "1:7: a value that begins with \"@\" needs"},
		{"name: `x\n", "a value that begins with \"`\" needs"},
		{"name: *.example.com\n",
		 "1:7: a value that begins with \"*\" needs quotes"},
		{"name: &\n", "a value that begins with \"&\" needs quotes"},
		{"name: \"\\d\"\n", "unknown escape in a double-quoted"},
		{"name: \"\\xq\"\n", "hexadecimal"},
		{"name: a\n- b\n", "2:1: the indentation does not fit"},
		{"name: \"a\" b\n", "nothing may follow a value that is in "
		 "quotes or brackets"},
		{"name: a - b\ndays: - a\n", "a list item (\"- \") cannot"},
		{"name\nopen: on\n", "1:1: a \":\" is missing after this key"},
		{"days:\n  - a\n    open: on\n", "2:5: a \":\" is missing "
		 "after this key, or the next line is indented too far"},
		{"name:a\n\n# so\nopen: on\r\n", "1:5: a blank is missing "
		 "after this \":\""},
		{"// name\nopen: on\n", "1:1: a comment begins with \"#\""},
		{"a b\n", "expected a map of keys and values"},
		{"name: a\x01" "b\n", "1:8: control characters cannot stand"},
		{"name: a\nopen: \xff\n", "2:7: this is not UTF-8 text"},
		{"name: a\nopen: \xed\xa0\x80\n", "2:7: this is not UTF-8"},
		{"name: a\n...\nopen: on\n",
		 "does not belong to what stands before"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect_message_has(cases[i].yaml, cases[i].words);
}

static void
yaml_reports_what_stands_before(void **state)
{
	(void)state;
	/* ... and nothing that follows from not having read on. */
	expect_messages("nmae: a\nsuppliers:\n  a:\n    weight: \"1\n",
	    "shop.yaml:1:1: unknown key \"nmae\"; did you mean \"name\"?\n"
	    "    1 | nmae: a\n"
	    "      | ^~~~\n"
	    "shop.yaml:4:13: this quote is never closed; the rest of this "
	    "file was not read\n"
	    "    4 |     weight: \"1\n"
	    "      |             ^~\n");
	expect_messages("till: {clerk: a,\n  timeout: x\n  slots: y}\n",
	    "shop.yaml:2:12: a \",\" is missing at the end of this line, or "
	    "the \"{\" of line 1 is not closed; the rest of this file was not "
	    "read\n    2 |   timeout: x\n      |            ^\n");
	expect_messages("shelves:\n  - till:\n      timeout: 5s\n"
	    "     sign: x\n",
	    "shop.yaml:4:6: the indentation does not fit: the keys of one map "
	    "begin at the same column, and nothing may follow a value that is "
	    "in quotes or brackets; the rest of this file was not read\n"
	    "    4 |      sign: x\n      |      ^~~~\n");
}

static void
yaml_bounds_depth(void **state)
{
	char text[300] = "name: ";

	(void)state;
	memset(text + 6, '[', 200);
	expect_message_has(text, "nested too deeply");
}

/* Nine lines that stand for ten to the ninth nodes. */
static void
yaml_bounds_aliases(void **state)
{
	(void)state;
	expect_message_has(
	    "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	    "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
	    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
	    "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
	    "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
	    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
	    "this file has too many values");
	expect_message_has("words: &w {a: *w}\n", "no anchor \"&w\"");
}

/* Every prefix of a text, and every text with one byte changed. */
static void
yaml_survives_every_cut(void **state)
{
	static const char text[] =
	    "name: \"a\\tb\"\nwords: {a: b, 'c d': e}\ndays:\n  - x\n  - |\n"
	    "    y\nsuppliers: {m: &m {address: q}, n: *m}\n"
	    "shelves: [[a], {goods: b, lamp: off, shelves: [{}]}]\n";
	static const char bytes[] = "\t\n:[]{}\"'*&!|>-#%@\x01\x80";
	char copy[sizeof text];

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct run r;

		memcpy(copy, text, n);
		copy[n] = '\0';
		r = run_text(copy);
		run_messages(&r);
		run_end(&r);
	}
	for (size_t i = 0; i < sizeof text - 1; i++) {
		for (size_t k = 0; k < sizeof bytes - 1; k++) {
			struct run r;

			memcpy(copy, text, sizeof text);
			copy[i] = bytes[k];
			r = run_text(copy);
			run_messages(&r);
			run_end(&r);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_may_be_empty),
		cmocka_unit_test(yaml_takes_crlf_and_bom),
		cmocka_unit_test(yaml_values_have_no_type),
		cmocka_unit_test(yaml_anchors_and_merge_keys_work),
		cmocka_unit_test(yaml_refuses_what_it_has_no_use_for),
		cmocka_unit_test(yaml_names_both_duplicates),
		cmocka_unit_test(yaml_finds_duplicates_in_large_maps),
		cmocka_unit_test(yaml_explains_syntax_errors),
		cmocka_unit_test(yaml_reports_what_stands_before),
		cmocka_unit_test(yaml_bounds_depth),
		cmocka_unit_test(yaml_bounds_aliases),
		cmocka_unit_test(yaml_survives_every_cut)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
