/* Small pieces of memory, which are kept by size. */
#include "base/piece.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
every_size_is_given(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		unsigned char *p[1200];

		for (size_t n = 0; n < COUNT_OF(p); n++) {
			p[n] = piece_alloc(n);
			assert_true(piece_size(p[n]) >= n);
			memset(p[n], (int)n & 0xff, n);
		}
		for (size_t n = 0; n < COUNT_OF(p); n++) {
			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[n][i], n & 0xff);
			piece_free(p[n]);
		}
	}
	piece_trim();
}

static void
what_is_given_back_is_given_again(void **state)
{
	void *p;

	(void)state;
	if (KEPT_BYTES == 0)
		return;
	for (size_t n = 1; n < 1000; n += 7) {
		p = piece_alloc(n);
		piece_free(p);
		assert_ptr_equal(piece_alloc(n), p);
		piece_free(p);
	}
	piece_trim();
	assert_int_equal(n_kept, 0);
}

static void
zeros_are_zeros_also_the_second_time(void **state)
{
	unsigned char *p;

	(void)state;
	for (int round = 0; round < 2; round++) {
		p = piece_zalloc(300);
		for (size_t i = 0; i < 300; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 300);
		piece_free(p);
	}
	piece_trim();
}

static void
no_more_is_kept_than_its_bound(void **state)
{
	enum { N = 2000 };
	static void *p[N];

	(void)state;
	for (int i = 0; i < N; i++)
		p[i] = piece_alloc(500);
	for (int i = 0; i < N; i++)
		piece_free(p[i]);
	assert_true(n_kept <= KEPT_BYTES);
	assert_true(n_kept + 600 > KEPT_BYTES || KEPT_BYTES == 0);
	piece_trim();
	assert_int_equal(n_kept, 0);
}

static void
a_piece_may_grow(void **state)
{
	char *p = piece_alloc(10);

	(void)state;
	memcpy(p, "012345678", 10);
	p = piece_realloc(p, 5000);
	assert_string_equal(p, "012345678");
	piece_free(p);
	piece_free(NULL);
	assert_int_equal(n_kept, 0); /* too large to be kept */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_is_given),
		cmocka_unit_test(what_is_given_back_is_given_again),
		cmocka_unit_test(zeros_are_zeros_also_the_second_time),
		cmocka_unit_test(no_more_is_kept_than_its_bound),
		cmocka_unit_test(a_piece_may_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
