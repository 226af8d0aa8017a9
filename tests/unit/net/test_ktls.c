/* Whether the kernel's list of what goes on top of TCP is read aright. */
#include "net/ktls.h"

#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
it_is_a_word_of_the_list(void **state)
{
	static const struct {
		const char *list;
		bool has;
	} rows[] = {
		{"tls\n", true},
		{"espintcp mptcp tls\n", true},
		{"mptcp tls espintcp", true},
		{"", false},
		{"\n", false},
		{" \n", false},
		{"mptcp\n", false},
		{"mptls tlsx xtls\n", false},
		{"tl s\n", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(ktls_is_listed(str_from(rows[i].list)),
		    rows[i].has);
}

static void
each_answer_has_its_words(void **state)
{
	(void)state;
	assert_int_equal(strncmp(ktls_text(KTLS_NO_KERNEL), "no: ", 4), 0);
	assert_int_equal(strncmp(ktls_text(KTLS_NO_OPENSSL), "no: ", 4), 0);
	assert_int_equal(strncmp(ktls_text(KTLS_UNUSED), "not used", 8), 0);
	assert_non_null(ktls_text(ktls_find()));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_word_of_the_list),
		cmocka_unit_test(each_answer_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
