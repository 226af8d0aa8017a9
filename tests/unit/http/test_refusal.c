/* Refusals: each has a word of its own, a status, a sentence and a counter. */
#include "http/h1_parse.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LABEL "abcdefghijklmnopqrstuvwxyz_0123456789"
#define EACH(r) int r = REFUSAL_NONE + 1; r < REFUSAL_COUNT; r++

static void
words_are_unique_and_fit_for_a_label(void **state)
{
	(void)state;
	for (EACH(r)) {
		const char *word = refusal_word((enum refusal)r);

		assert_true(word[0] != '\0');
		assert_int_equal(strspn(word, LABEL), strlen(word));
		for (int other = r + 1; other < REFUSAL_COUNT; other++)
			assert_string_not_equal(word,
			    refusal_word((enum refusal)other));
	}
}

static void
each_has_an_error_status_and_a_sentence(void **state)
{
	(void)state;
	for (EACH(r)) {
		assert_in_range(refusal_status((enum refusal)r), 400, 599);
		assert_true(refusal_text((enum refusal)r)[0] != '\0');
	}
}

static void
each_is_counted_under_its_word(void **state)
{
	(void)state;
	for (EACH(r)) {
		size_t at = offsetof(struct http_stats, refused) +
		    (size_t)r * sizeof(uint64_t);
		const struct counter_row *row = http_counters.rows;
		char label[64];

		while (row->name != NULL && row->offset != at)
			row++;
		assert_non_null(row->name);
		snprintf(label, sizeof label, "reason=\"%s\"",
		    refusal_word((enum refusal)r));
		assert_string_equal(row->name, "weir_http_refused_total");
		assert_string_equal(row->labels, label);
	}
}

static void
heads_use_the_same_rows(void **state)
{
	(void)state;
	assert_int_equal(h1_refusal_row(H1_OK), REFUSAL_NONE);
	assert_int_equal(h1_refusal_row(H1_TWO_FRAMINGS),
	    REFUSAL_TWO_FRAMINGS);
	assert_int_equal(h1_refusal_row(H1_BAD_EXPECT), REFUSAL_BAD_EXPECT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_unique_and_fit_for_a_label),
		cmocka_unit_test(each_has_an_error_status_and_a_sentence),
		cmocka_unit_test(each_is_counted_under_its_word),
		cmocka_unit_test(heads_use_the_same_rows),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
