/* Fields: known names, comma lists, cookies, and what may stand where. */
#include "http/field.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const names[FIELD_COUNT] = {
#define FIELD(id, slot, name, written, flags) [FIELD_##id] = name,
#include "http/field.def"
#undef FIELD
};
static const unsigned written_slot[FIELD_COUNT] = {
#define FIELD(id, slot, name, written, flags) [FIELD_##id] = slot,
#include "http/field.def"
#undef FIELD
};

/* ---- names ------------------------------------------------------------- */

/* Where the row belongs: its hash or, if others lie there, behind them. */
static unsigned
right_slot(enum field_id id)
{
	uint8_t slot = field_hash(str_from(names[id]));

	while (slots[slot] != FIELD_OTHER && slots[slot] != id)
		slot++;
	return slot;
}

static void
every_row_lies_where_its_hash_says(void **state)
{
	(void)state;
	for (unsigned i = 1; i < FIELD_COUNT; i++)
		if (written_slot[i] != right_slot((enum field_id)i))
			fail_msg("field.def: the slot of %s is %u, not %u",
			    names[i], right_slot((enum field_id)i),
			    written_slot[i]);
}

static void
every_name_is_found_in_any_case(void **state)
{
	(void)state;
	for (unsigned i = 1; i < FIELD_COUNT; i++) {
		struct str name = field_name((enum field_id)i);
		char upper[NAME_MAX_LENGTH];

		assert_int_equal(field_lookup(name), i);
		assert_int_equal(
		    field_lookup(field_written((enum field_id)i)), i);
		for (size_t k = 0; k < name.n; k++)
			upper[k] = name.p[k] >= 'a' && name.p[k] <= 'z' ?
			    (char)(name.p[k] - 32) : name.p[k];
		assert_int_equal(field_lookup(str_of(upper, name.n)), i);
	}
}

static void
rows_are_lower_case_and_spelled_alike(void **state)
{
	(void)state;
	for (unsigned i = 1; i < FIELD_COUNT; i++) {
		struct str name = field_name((enum field_id)i);

		assert_true(str_case_eq(name,
		    field_written((enum field_id)i)));
		for (size_t k = 0; k < name.n; k++)
			assert_true(name.p[k] == '-' ||
			    (name.p[k] >= 'a' && name.p[k] <= 'z'));
	}
}

/* One character changed, added or lost makes another name. */
static void
nearly_a_name_is_none(void **state)
{
	(void)state;
	for (unsigned i = 1; i < FIELD_COUNT; i++) {
		struct str name = field_name((enum field_id)i);
		char text[NAME_MAX_LENGTH + 1];

		memcpy(text, name.p, name.n);
		for (size_t k = 0; k < name.n; k++)
			for (int c = 0; c < 256; c++) {
				enum field_id id;

				text[k] = (char)c;
				id = field_lookup(str_of(text, name.n));
				if (str_case_eq(str_of(text, name.n), name))
					assert_int_equal(id, i);
				else if (id != FIELD_OTHER)
					assert_string_equal(names[id], "");
				text[k] = name.p[k];
			}
		text[name.n] = 's';
		assert_int_equal(field_lookup(str_of(text, name.n + 1)),
		    FIELD_OTHER);
		assert_int_not_equal(field_lookup(str_of(text, name.n - 1)),
		    i);
	}
	assert_int_equal(field_lookup(STR("")), FIELD_OTHER);
	assert_int_equal(field_lookup(STR("x-a-name-longer-than-any-known")),
	    FIELD_OTHER);
}

static void
flags_say_what_is_not_forwarded(void **state)
{
	(void)state;
	assert_true(field_flags(FIELD_CONNECTION) & FIELD_HOP);
	assert_true(field_flags(FIELD_TRANSFER_ENCODING) & FIELD_FRAMING);
	assert_true(field_flags(FIELD_HOST) & FIELD_SINGLE);
	assert_int_equal(field_flags(FIELD_ACCEPT), 0);
	assert_int_equal(field_flags(FIELD_OTHER), 0);
}

/* ---- lists ------------------------------------------------------------- */

static void
expect_elements(const char *value, const char *expected)
{
	struct str rest = str_from(value), element;
	char got[256] = "";
	size_t n = 0;

	while (field_next(&rest, &element))
		n += (size_t)snprintf(got + n, sizeof got - n, "<%.*s>",
		    STR_ARG(element));
	assert_string_equal(got, expected);
}

static void
lists_are_cut_at_commas_outside_of_quotes(void **state)
{
	(void)state;
	expect_elements("", "");
	expect_elements(" ,\t, ", "");
	expect_elements("a", "<a>");
	expect_elements(" a\t,, b ,c", "<a><b><c>");
	expect_elements("W/\"a,b\", \"c\"", "<W/\"a,b\"><\"c\">");
	expect_elements("\"a\\\",b\",c", "<\"a\\\",b\"><c>");
	expect_elements("\"a,b", "<\"a,b>");
	expect_elements("\"a\\", "<\"a\\>");
	expect_elements("a\\,b", "<a\\><b>");
}

static void
a_token_is_a_whole_element(void **state)
{
	(void)state;
	assert_true(field_has_token(STR("Keep-Alive, Upgrade"),
	    STR("upgrade")));
	assert_true(field_has_token(STR("upgrade"), STR("Upgrade")));
	assert_false(field_has_token(STR("upgrades"), STR("upgrade")));
	assert_false(field_has_token(STR("x upgrade"), STR("upgrade")));
	assert_false(field_has_token(STR("\"upgrade\""), STR("upgrade")));
	assert_false(field_has_token(STR("\"a,upgrade\""), STR("upgrade")));
	assert_false(field_has_token(str_of(NULL, 0), STR("upgrade")));
}

static void
expect_cookie(const char *value, const char *name, const char *expected)
{
	struct str got = field_cookie(str_from(value), str_from(name));

	if (expected == NULL) {
		assert_null(got.p);
		return;
	}
	assert_non_null(got.p);
	assert_true(str_eq(got, str_from(expected)));
}

static void
a_cookie_is_found_by_its_exact_name(void **state)
{
	(void)state;
	expect_cookie("a=1; b=2", "a", "1");
	expect_cookie("a=1; b=2", "b", "2");
	expect_cookie("a=1;b=2", "b", "2");
	expect_cookie("aa=1; a=2; a=3", "a", "2");
	expect_cookie("a=x=y", "a", "x=y");
	expect_cookie("a=\"q\"", "a", "\"q\"");
	expect_cookie("a=; b=1", "a", "");
	expect_cookie("A=1", "a", NULL);
	expect_cookie("a; b=1", "a", NULL);
	expect_cookie("", "a", NULL);
	expect_cookie(";;=;", "a", NULL);
	expect_cookie("b=a=1", "a", NULL);
	expect_cookie("b=1;", "", NULL);
}

/* ---- characters -------------------------------------------------------- */

/* The grammar once more, written as it reads in RFC 9110 section 5.6.2. */
static bool
is_tchar(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void
characters_are_what_the_grammar_says(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char one = (char)c;
		struct str s = str_of(&one, 1);
		bool is_visible = c > 0x20 && c < 0x7f;

		assert_int_equal(field_token_is_valid(s), is_tchar(c));
		assert_int_equal(field_value_is_valid(s),
		    is_visible || c == ' ' || c == '\t' || c >= 0x80);
		assert_int_equal(field_char_is(one, FIELD_CHAR_VISIBLE),
		    is_visible);
	}
	assert_false(field_token_is_valid(STR("")));
	assert_true(field_value_is_valid(STR("")));
	assert_false(field_value_is_valid(STR("a\r\nb")));
	assert_false(field_token_is_valid(STR("a b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_lies_where_its_hash_says),
		cmocka_unit_test(every_name_is_found_in_any_case),
		cmocka_unit_test(rows_are_lower_case_and_spelled_alike),
		cmocka_unit_test(nearly_a_name_is_none),
		cmocka_unit_test(flags_say_what_is_not_forwarded),
		cmocka_unit_test(lists_are_cut_at_commas_outside_of_quotes),
		cmocka_unit_test(a_token_is_a_whole_element),
		cmocka_unit_test(a_cookie_is_found_by_its_exact_name),
		cmocka_unit_test(characters_are_what_the_grammar_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
