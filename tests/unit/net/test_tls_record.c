/* How records grow, and when they begin anew. */
#include "net/tls_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
records_grow_until_they_are_full(void **state)
{
	struct tls_record r;
	size_t before = 0, part;
	unsigned n = 0;

	(void)state;
	tls_record_init(&r, true);
	tls_record_begin(&r, 100000);
	while ((part = tls_record_part(&r, 1 << 20)) < TLS_RECORD_FULL) {
		assert_true(part > before);
		before = part;
		n++;
	}
	assert_in_range(n, 8, 14);
	/* From there on all of it is OpenSSL's to cut. */
	assert_int_equal(part, 1 << 20);
}

static void
what_is_less_is_written_as_it_is(void **state)
{
	struct tls_record r;

	(void)state;
	tls_record_init(&r, true);
	tls_record_begin(&r, 0);
	assert_int_equal(tls_record_part(&r, 5), 5);
	assert_int_equal(tls_record_part(&r, 100000), 1370);
}

static void
after_a_second_of_silence_they_begin_anew(void **state)
{
	struct tls_record r;
	size_t first;

	(void)state;
	tls_record_init(&r, true);
	tls_record_begin(&r, 100000);
	first = tls_record_part(&r, 1 << 20);
	while (tls_record_part(&r, 1 << 20) < TLS_RECORD_FULL)
		;
	tls_record_begin(&r, 100500);
	assert_true(tls_record_part(&r, 1 << 20) > TLS_RECORD_FULL);
	tls_record_begin(&r, 101800);
	assert_int_equal(tls_record_part(&r, 1 << 20), first);
}

static void
towards_an_upstream_they_are_full(void **state)
{
	struct tls_record r;

	(void)state;
	tls_record_init(&r, false);
	tls_record_begin(&r, 0);
	assert_int_equal(tls_record_part(&r, 100000), 100000);
	tls_record_begin(&r, 1000000);
	assert_int_equal(tls_record_part(&r, 100000), 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_grow_until_they_are_full),
		cmocka_unit_test(what_is_less_is_written_as_it_is),
		cmocka_unit_test(after_a_second_of_silence_they_begin_anew),
		cmocka_unit_test(towards_an_upstream_they_are_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
