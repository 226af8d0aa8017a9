/* Queries: parameters one by one, and what is encoded. */
#include "http/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
parameters_come_in_their_order(void **state)
{
	static const char *const names[] = {"a", "b", "", "c", "d"};
	static const char *const values[] = {"1", "", "", "=2", ""};
	struct str rest = STR("a=1&b&&c==2&d="), pair, name;
	size_t n = 0;

	(void)state;
	for (; query_next(&rest, &pair, &name); n++) {
		assert_true(str_eq(name, str_from(names[n])));
		assert_true(str_eq(query_value(pair), str_from(values[n])));
	}
	assert_int_equal(n, 5);
	rest = STR("");
	assert_false(query_next(&rest, &pair, &name));
}

static void
texts_are_compared_decoded_once(void **state)
{
	(void)state;
	assert_true(query_eq(STR("a%20b+c"), STR("a b c")));
	assert_true(query_eq(STR("%2525"), STR("%25")));
	assert_true(query_eq(STR("100%"), STR("100%")));
	assert_true(query_eq(STR("%zz"), STR("%zz")));
	assert_false(query_eq(STR("ab"), STR("a")));
	assert_false(query_eq(STR("a"), STR("ab")));
	assert_true(query_has_prefix(STR("%75tm_x"), STR("utm_")));
	assert_true(query_has_prefix(STR("x"), STR("")));
	assert_false(query_has_prefix(STR("ut"), STR("utm_")));
}

static void
what_is_encoded_is_one_value_and_read_back(void **state)
{
	struct arena *a = arena_new();
	struct buf out = buf_in(a);
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	query_encode(&out, str_of(all, 256));
	for (size_t i = 0; i < out.n; i++)
		assert_null(memchr("&=+#? ;\"<>\\", out.p[i], 11));
	assert_true(query_eq(buf_view(&out), str_of(all, 256)));
	assert_true(str_eq(query_decode(a, buf_view(&out)),
	    str_of(all, 256)));
	arena_end(a);
}

static void
a_piece_keeps_what_it_means(void **state)
{
	struct arena *a = arena_new();
	struct buf out = buf_in(a);

	(void)state;
	query_encode_piece(&out, STR("a=1&b=%20+?;[]#\" \xc3"));
	assert_true(str_eq(buf_view(&out),
	    STR("a=1&b=%20+?;[]%23%22%20%C3")));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_come_in_their_order),
		cmocka_unit_test(texts_are_compared_decoded_once),
		cmocka_unit_test(what_is_encoded_is_one_value_and_read_back),
		cmocka_unit_test(a_piece_keeps_what_it_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
