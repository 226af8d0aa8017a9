/* Strings that are being written: growth, fixed memory, numbers, JSON. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define ASSERT_VIEW(b, text) \
	assert_true(str_eq(buf_view(b), str_from(text)))

static void
writing_grows_in_the_arena(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		buf_chr(&b, (char)('a' + i % 26));
	assert_false(b.overflow);
	assert_int_equal(b.n, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	arena_end(a);
}

static void
one_write_may_be_larger_than_any_doubling(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	char *large = arena_zalloc(a, 100000);

	(void)state;
	buf_z(&b, "x");
	buf_put(&b, large, 100000);
	assert_int_equal(b.n, 100001);
	assert_int_equal(b.p[0], 'x');
	arena_end(a);
}

static void
an_empty_buf_takes_empty_strings(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a), nowhere = buf_fixed(NULL, 0);

	(void)state;
	buf_str(&b, (struct str){0});
	buf_put(&b, NULL, 0);
	buf_put(&nowhere, NULL, 0);
	assert_int_equal(b.n, 0);
	assert_false(b.overflow || nowhere.overflow);
	arena_end(a);
}

static void
fixed_memory_is_filled_to_its_last_byte(void **state)
{
	char room[9] = "........";
	struct buf b = buf_fixed(room, 8);

	(void)state;
	buf_z(&b, "12345678");
	assert_false(b.overflow);
	ASSERT_VIEW(&b, "12345678");
	buf_put(&b, "", 0);
	assert_false(b.overflow);
	buf_chr(&b, '9');
	assert_true(b.overflow);
	assert_int_equal(room[8], '\0');
}

static void
what_does_not_fit_writes_nothing_and_ends_it(void **state)
{
	char room[8];
	struct buf b = buf_fixed(room, sizeof room);

	(void)state;
	buf_z(&b, "12345");
	buf_z(&b, "6789");
	assert_true(b.overflow);
	ASSERT_VIEW(&b, "12345");
	/* There would be room for this one, but the text would have a hole. */
	buf_chr(&b, 'x');
	buf_u64(&b, 1);
	buf_printf(&b, "%d", 1);
	assert_null(buf_room(&b, 1));
	ASSERT_VIEW(&b, "12345");
}

static void
room_is_written_by_the_caller(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	char *p = buf_room(&b, 1000);

	(void)state;
	memset(p, 'x', 1000);
	assert_int_equal(b.n, 0);
	b.n += 3;
	ASSERT_VIEW(&b, "xxx");
	arena_end(a);
}

static void
numbers_have_no_more_digits_than_they_need(void **state)
{
	char room[128];
	struct buf b = buf_fixed(room, sizeof room);

	(void)state;
	buf_u64(&b, 0);
	buf_chr(&b, ' ');
	buf_u64(&b, 1090);
	buf_chr(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_chr(&b, ' ');
	buf_hex(&b, 0);
	buf_chr(&b, ' ');
	buf_hex(&b, 0x1f0);
	buf_chr(&b, ' ');
	buf_hex(&b, UINT64_MAX);
	ASSERT_VIEW(&b,
	    "0 1090 18446744073709551615 0 1f0 ffffffffffffffff");
}

static void
printf_takes_texts_of_any_length(void **state)
{
	(void)state;
	/* 512 is where the text stops to fit the stack. */
	for (int n = 500; n < 530; n++) {
		struct arena *a = arena_new();
		struct buf b = buf_in(a);

		buf_printf(&b, "<%0*d>", n, 7);
		buf_z(&b, "!");
		assert_int_equal(b.n, n + 3);
		assert_int_equal(b.p[n], '7');
		assert_int_equal(b.p[n + 1], '>');
		assert_int_equal(b.p[n + 2], '!');
		arena_end(a);
	}
}

static void
printf_fills_fixed_memory_to_its_last_byte(void **state)
{
	char room[1024];

	(void)state;
	for (int n = 1; n < 1000; n++) {
		struct buf fits = buf_fixed(room, (size_t)n);
		struct buf lacks = buf_fixed(room, (size_t)n - 1);

		buf_printf(&fits, "%0*d", n, 7);
		assert_false(fits.overflow);
		assert_int_equal(fits.n, n);
		assert_int_equal(room[n - 1], '7');
		buf_printf(&lacks, "%0*d", n, 7);
		assert_true(lacks.overflow);
		assert_int_equal(lacks.n, 0);
	}
}

static void
json_escapes_what_it_must(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{STR_INIT(""), ""},
		{STR_INIT("plain / text"), "plain / text"},
		{STR_INIT("\"\\"), "\\\"\\\\"},
		{STR_INIT("\n\r\t"), "\\n\\r\\t"},
		{STR_INIT("a\0b\x1f\x7f"), "a\\u0000b\\u001f\\u007f"},
		{STR_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		/* Not UTF-8: alone, cut short, overlong, a surrogate, beyond
		 * U+10FFFF. */
		{STR_INIT("\x80"), "\\u0080"},
		{STR_INIT("\xff\xfe"), "\\u00ff\\u00fe"},
		{STR_INIT("\xc3"), "\\u00c3"},
		{STR_INIT("\xc3(") , "\\u00c3("},
		{STR_INIT("\xe2\x82"), "\\u00e2\\u0082"},
		{STR_INIT("\xc0\xaf"), "\\u00c0\\u00af"},
		{STR_INIT("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af"},
		{STR_INIT("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080"},
		{STR_INIT("\xf0\x80\x80\xaf"),
		    "\\u00f0\\u0080\\u0080\\u00af"},
		{STR_INIT("\xf4\x90\x80\x80"),
		    "\\u00f4\\u0090\\u0080\\u0080"},
		{STR_INIT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
		    "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"}
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf b = buf_in(a);

		buf_json(&b, rows[i].in);
		buf_chr(&b, '\0');
		assert_string_equal(b.p, rows[i].out);
	}
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writing_grows_in_the_arena),
		cmocka_unit_test(one_write_may_be_larger_than_any_doubling),
		cmocka_unit_test(an_empty_buf_takes_empty_strings),
		cmocka_unit_test(fixed_memory_is_filled_to_its_last_byte),
		cmocka_unit_test(what_does_not_fit_writes_nothing_and_ends_it),
		cmocka_unit_test(room_is_written_by_the_caller),
		cmocka_unit_test(numbers_have_no_more_digits_than_they_need),
		cmocka_unit_test(printf_takes_texts_of_any_length),
		cmocka_unit_test(printf_fills_fixed_memory_to_its_last_byte),
		cmocka_unit_test(json_escapes_what_it_must)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
