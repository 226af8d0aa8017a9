/* UTF-8: every code point goes, and nothing else (RFC 3629). */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* How Unicode says to write CODE; the test's own, from the definition. */
static size_t
encode(uint32_t code, unsigned char *p)
{
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 :
	    code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = n - 1; i > 0; i--) {
		p[i] = (unsigned char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	p[0] = (unsigned char)(lead[n] | code);
	return n;
}

static void
every_code_point_but_surrogates_is_a_character(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x120000; code++) {
		bool is_one = code < 0x110000 &&
		    !(code >= 0xd800 && code < 0xe000);
		char p[5] = "....";
		size_t n = encode(code, (unsigned char *)p);

		if (utf8_char(str_of(p, 4)) != (is_one ? n : 0))
			fail_msg("U+%04X", code);
		/* Cut short it is none. */
		for (size_t k = 0; k < n; k++)
			if (utf8_char(str_of(p, k)) != 0)
				fail_msg("U+%04X cut to %zu", code, k);
	}
}

static void
two_bytes_are_a_character_only_if_they_were_encoded(void **state)
{
	(void)state;
	for (unsigned first = 0x80; first < 0x100; first++)
		for (unsigned second = 0; second < 0x100; second++) {
			char p[2] = {(char)first, (char)second};
			bool is_one = first >= 0xc2 && first <= 0xdf &&
			    second >= 0x80 && second <= 0xbf;

			assert_int_equal(utf8_char(str_of(p, 2)),
			    is_one ? 2 : 0);
		}
}

static void
overlong_forms_are_none(void **state)
{
	(void)state;
	assert_int_equal(utf8_char(STR("\xc0\xaf")), 0);
	assert_int_equal(utf8_char(STR("\xe0\x80\xaf")), 0);
	assert_int_equal(utf8_char(STR("\xf0\x80\x80\xaf")), 0);
	assert_int_equal(utf8_char(STR("\xf8\x88\x80\x80\x80")), 0);
}

static void
a_text_is_valid_when_all_of_it_is(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(STR("")));
	assert_true(utf8_is_valid(STR("gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac")));
	assert_true(utf8_is_valid(STR("a\0b")));
	assert_false(utf8_is_valid(STR("gr\xfc\xdf dich")));
	assert_false(utf8_is_valid(STR("cut \xe2\x82")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_code_point_but_surrogates_is_a_character),
		cmocka_unit_test(
		    two_bytes_are_a_character_only_if_they_were_encoded),
		cmocka_unit_test(overlong_forms_are_none),
		cmocka_unit_test(a_text_is_valid_when_all_of_it_is)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
