/* Strings with variables: how they are cut, joined, escaped and refused. */
#include "variable_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct arena *arena;
static struct txn *t;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	t = world_txn(arena);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_end(arena);
	return 0;
}

static struct template *
compile(const char *text)
{
	struct err e = {""};
	struct template *tp = template_compile(arena, str_from(text), &e);

	if (tp == NULL)
		fail_msg("\"%s\" is refused: %s", text, e.text);
	assert_true(str_eq(template_text(tp), str_from(text)));
	return tp;
}

static void
expect(const char *text, const char *expected)
{
	struct str got = template_eval(compile(text), t);

	if (!str_eq(got, str_from(expected)))
		fail_msg("\"%s\" is \"%.*s\", expected \"%s\"", text,
		    STR_ARG(got), expected);
}

static void
expect_written(const char *text, enum template_escape escape,
    const char *expected)
{
	struct buf b = buf_in(arena);

	template_write(compile(text), t, &b, escape);
	buf_chr(&b, '\0');
	assert_string_equal(b.p, expected);
}

static void
expect_refused(const char *text, const char *why)
{
	struct err e = {""};

	if (template_compile(arena, str_from(text), &e) != NULL)
		fail_msg("\"%s\" is not refused", text);
	assert_string_equal(e.text, why);
}

/* ---- cutting ----------------------------------------------------------- */

static void
a_constant_is_itself(void **state)
{
	(void)state;
	expect("", "");
	expect("a", "a");
	expect("https://example.com/x?y=z#w", "https://example.com/x?y=z#w");
	expect("{a} {$$} }{", "{a} {$} }{");
	expect("\xc3\xa9\n", "\xc3\xa9\n");
}

static void
a_doubled_dollar_is_one(void **state)
{
	(void)state;
	expect("$$", "$");
	expect("$$$$", "$$");
	expect("$$host", "$host");
	expect("a$$b$$c", "a$b$c");
	expect("$$$host", "$www.example.com");
	expect("$host$$", "www.example.com$");
	expect("$${host}", "${host}");
}

static void
a_name_ends_where_it_cannot_go_on(void **state)
{
	(void)state;
	expect("$host/x", "www.example.com/x");
	expect("$host-$scheme.", "www.example.com-http.");
	expect("$host$uri", "www.example.com/a b");
	expect("x$request_method", "xGET");
	expect("$host\xc3\xa9", "www.example.com\xc3\xa9");
	expect("($arg_q)", "(1)");
}

static void
braces_end_a_name(void **state)
{
	(void)state;
	expect("${host}", "www.example.com");
	expect("${host}name", "www.example.comname");
	expect("a${scheme}b${arg_q}c", "ahttpb1c");
	expect("${arg_a.b-c}|", "|");
	expect("${host}}", "www.example.com}");
}

static void
a_group_has_one_digit(void **state)
{
	size_t captures[] = { 0, 2, 1, 2 };

	(void)state;
	t->captured = STR("xy");
	t->captures = captures;
	t->n_captures = 2;
	expect("/$1", "/y");
	expect("/$10", "/y0");
	expect("/$1a", "/ya");
	expect("/${1}0", "/y0");
	expect("$2", "");
	expect_refused("${10}", "there is no variable $10; a dollar itself is "
	    "written $$");
	expect_refused("$0", "there is no variable $0; a dollar itself is "
	    "written $$");
}

static void
constants_are_not_copied(void **state)
{
	struct template *tp = compile("a$$b$$c");
	struct str first = template_eval(tp, t);

	(void)state;
	assert_true(template_is_constant(tp));
	assert_ptr_equal(template_eval(tp, NULL).p, first.p);
	assert_true(template_is_constant(compile("")));
	assert_false(template_is_constant(compile("$host")));
	assert_false(template_is_constant(compile("a$host")));
}

static void
nothing_is_no_null(void **state)
{
	(void)state;
	assert_non_null(template_eval(compile(""), t).p);
	assert_non_null(template_eval(compile("$arg_none"), t).p);
}

/* ---- refusals ---------------------------------------------------------- */

static void
an_unknown_name_is_refused_with_a_suggestion(void **state)
{
	(void)state;
	expect_refused("$hots", "there is no variable $hots; did you mean "
	    "$host?");
	expect_refused("a $remote_adr b", "there is no variable $remote_adr; "
	    "did you mean $remote_addr?");
	expect_refused("${requst_uri}", "there is no variable $requst_uri; "
	    "did you mean $request_uri?");
	expect_refused("$htp_user_agent", "there is no variable "
	    "$htp_user_agent; did you mean $http_user_agent?");
	expect_refused("$cokie_a", "there is no variable $cokie_a; did you "
	    "mean $cookie_a?");
	expect_refused("$Host", "there is no variable $Host; did you mean "
	    "$host?");
	expect_refused("$http_", "there is no variable $http_; did you mean "
	    "$https?");
	expect_refused("$banana", "there is no variable $banana; a dollar "
	    "itself is written $$");
	expect_refused("$x", "there is no variable $x; a dollar itself is "
	    "written $$");
	expect_refused("${}", "there is no variable $; a dollar itself is "
	    "written $$");
	expect_refused("${host }", "there is no variable $host ; did you mean "
	    "$host?");
}

static void
a_dollar_without_a_name_is_refused(void **state)
{
	static const char why[] = "a \"$\" without a name behind it; a dollar "
	    "itself is written $$";

	(void)state;
	expect_refused("$", why);
	expect_refused("a$", why);
	expect_refused("$ host", why);
	expect_refused("$$$", why);
	expect_refused("costs $-1", why);
	expect_refused("^/a$)", why);
}

static void
an_open_brace_is_refused(void **state)
{
	(void)state;
	expect_refused("${host", "a \"${\" without its \"}\"");
	expect_refused("${", "a \"${\" without its \"}\"");
	expect_refused("$host ${uri $uri", "a \"${\" without its \"}\"");
}

static void
a_long_name_is_refused_in_few_words(void **state)
{
	char text[1001] = "$";
	struct err e;

	(void)state;
	memset(text + 1, 'x', 999);
	assert_null(template_compile(arena, str_from(text), &e));
	assert_true(strlen(e.text) < 160);
}

static void
a_huge_template_takes_no_time(void **state)
{
	enum { N = 200000 };
	char *text = arena_alloc(arena, 2 * N);
	struct str got;

	(void)state;
	memset(text, '$', 2 * N);
	got = template_eval(template_compile(arena, str_of(text, 2 * N),
	    NULL), t);
	assert_int_equal(got.n, N);
}

/* ---- escaping ---------------------------------------------------------- */

static void
a_log_line_cannot_be_forged(void **state)
{
	(void)state;
	t->req.path = STR("/\"x\\\n\r\t\x7f\xc3\xa9\x01");
	expect_written("[$uri] \"$args\"", ESCAPE_LOG,
	    "[/\\x22x\\x5C\\x0A\\x0D\\x09\\x7F\\xC3\\xA9\\x01] \"q=1\"");
	expect_written("$uri", ESCAPE_NONE,
	    "/\"x\\\n\r\t\x7f\xc3\xa9\x01");
}

static void
every_byte_is_escaped_wherever_it_stands(void **state)
{
	enum { LENGTH = 19 };
	struct template *tp = compile("$uri");

	(void)state;
	for (unsigned i = 0; i < LENGTH * 256; i++) {
		unsigned at = i / 256, c = i % 256;
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
		char path[] = "aaaaaaaaaaaaaaaaaaa";
		struct buf log = buf_in(arena), json = buf_in(arena);

		path[at] = (char)c;
		t->req.path = str_of(path, LENGTH);
		template_write(tp, t, &log, ESCAPE_LOG);
		template_write(tp, t, &json, ESCAPE_JSON);
		assert_int_equal(log.n, LENGTH + (is_plain ? 0 : 3));
		assert_int_equal(log.p[at], is_plain ? (char)c : '\\');
		assert_int_equal(json.n == LENGTH, is_plain);
	}
}

static void
an_empty_value_is_a_dash_in_a_log(void **state)
{
	(void)state;
	expect_written("$arg_none \"$http_referer\" $host", ESCAPE_LOG,
	    "- \"-\" www.example.com");
	expect_written("[$arg_none]", ESCAPE_JSON, "[]");
	expect_written("[$arg_none]", ESCAPE_NONE, "[]");
	expect_written("", ESCAPE_LOG, "");
}

static void
a_value_is_a_json_string(void **state)
{
	(void)state;
	t->req.path = STR("/\"x\\\n\x01\xc3\xa9\xff");
	expect_written("{\"uri\":\"$uri\",\"m\":\"$request_method\"}",
	    ESCAPE_JSON, "{\"uri\":\"/\\\"x\\\\\\n\\u0001\xc3\xa9\\u00ff\","
	    "\"m\":\"GET\"}");
}

static void
constants_are_never_escaped(void **state)
{
	(void)state;
	expect_written("\"\\\n\xc3\xa9", ESCAPE_LOG, "\"\\\n\xc3\xa9");
	expect_written("\"\\\n\xc3\xa9", ESCAPE_JSON, "\"\\\n\xc3\xa9");
}

static void
a_full_buffer_is_not_overrun(void **state)
{
	struct template *tp = compile("$host $uri $arg_none");
	char room[40];

	(void)state;
	t->req.path = STR("/\"\"\"\"");
	for (size_t cap = 0; cap < sizeof room; cap++) {
		struct buf b = buf_fixed(room, cap);

		memset(room, '#', sizeof room);
		template_write(tp, t, &b, ESCAPE_LOG);
		assert_true(b.n <= cap);
		for (size_t i = cap; i < sizeof room; i++)
			assert_int_equal(room[i], '#');
		assert_int_equal(b.overflow, cap < 35);
	}
}

/* ---- configuration ----------------------------------------------------- */

static void
a_value_is_read_and_shown(void **state)
{
	const struct conf_type *type = &conf_type_template;
	struct template *tp = NULL;
	struct buf b = buf_in(arena);
	struct err e = {""};

	(void)state;
	type->format(&b, &tp);
	assert_int_equal(b.n, 0);
	assert_true(type->parse(arena, STR("$host$$"), &tp, &e));
	type->format(&b, &tp);
	assert_true(str_eq(buf_view(&b), STR("$host$$")));
	assert_false(type->parse(arena, STR("$hots"), &tp, &e));
	assert_string_not_equal(e.text, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_constant_is_itself),
		TEST(a_doubled_dollar_is_one),
		TEST(a_name_ends_where_it_cannot_go_on),
		TEST(braces_end_a_name),
		TEST(a_group_has_one_digit),
		TEST(constants_are_not_copied),
		TEST(nothing_is_no_null),
		TEST(an_unknown_name_is_refused_with_a_suggestion),
		TEST(a_dollar_without_a_name_is_refused),
		TEST(an_open_brace_is_refused),
		TEST(a_long_name_is_refused_in_few_words),
		TEST(a_huge_template_takes_no_time),
		TEST(a_log_line_cannot_be_forged),
		TEST(every_byte_is_escaped_wherever_it_stands),
		TEST(an_empty_value_is_a_dash_in_a_log),
		TEST(a_value_is_a_json_string),
		TEST(constants_are_never_escaped),
		TEST(a_full_buffer_is_not_overrun),
		TEST(a_value_is_read_and_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
