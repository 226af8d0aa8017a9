/* The watch: which certificates the board has room for. What it does with files
 * is tested beneath it, by net/test_tls_renewal, and above it, by the running
 * daemon. */
#include "process/cert_watch.c"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct page_board board;

static void
rank(const char *path, int64_t ends)
{
	cert_watch_rank(&board, (struct tls_facts){
		.certificate = path, .ends = ends
	});
}

static void
those_that_end_first_are_shown_in_order(void **state)
{
	/* 7 and 1,000 have no common divisor: each number once, shuffled. */
	(void)state;
	board.n_certificates_shown = 0;
	for (int64_t i = 0; i < 1000; i++)
		rank("x", i * 7 % 1000);
	assert_int_equal(board.n_certificates_shown, PAGE_CERTIFICATES);
	for (int64_t i = 0; i < PAGE_CERTIFICATES; i++)
		assert_int_equal(board.certificates[i].ends, i);
}

static void
a_few_are_all_shown(void **state)
{
	(void)state;
	board.n_certificates_shown = 0;
	rank("/b", 2);
	rank("/a", 1);
	rank("/expired", -1);
	assert_int_equal(board.n_certificates_shown, 3);
	assert_string_equal(board.certificates[0].path, "/expired");
	assert_string_equal(board.certificates[1].path, "/a");
	assert_string_equal(board.certificates[2].path, "/b");
}

static void
a_long_path_is_cut(void **state)
{
	char path[1000];

	(void)state;
	memset(path, 'p', sizeof path);
	path[sizeof path - 1] = '\0';
	board.n_certificates_shown = 0;
	rank(path, 1);
	assert_int_equal(strlen(board.certificates[0].path),
	    sizeof board.certificates[0].path - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_end_first_are_shown_in_order),
		cmocka_unit_test(a_few_are_all_shown),
		cmocka_unit_test(a_long_path_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
