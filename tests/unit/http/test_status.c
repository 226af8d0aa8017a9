/* Statuses: their words and pages. */
#include "http/status.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void
expect_text(struct str got, const char *expected)
{
	assert_non_null(got.p);
	if (!str_eq(got, str_from(expected)))
		fail_msg("%.*s, not %s", STR_ARG(got), expected);
}

static void
registered_codes_have_their_reason_and_line(void **state)
{
	(void)state;
	expect_text(status_reason(200), "OK");
	expect_text(status_reason(404), "Not Found");
	expect_text(status_reason(431), "Request Header Fields Too Large");
	expect_text(status_line(200), "HTTP/1.1 200 OK\r\n");
	expect_text(status_line(101), "HTTP/1.1 101 Switching Protocols\r\n");
	expect_text(status_line(511),
	    "HTTP/1.1 511 Network Authentication Required\r\n");
}

static void
other_codes_mean_what_their_class_means(void **state)
{
	(void)state;
	expect_text(status_reason(199), "Information");
	expect_text(status_reason(299), "Success");
	expect_text(status_reason(306), "Redirection");
	expect_text(status_reason(499), "Client Error");
	expect_text(status_reason(599), "Server Error");
	expect_text(status_reason(600), "Unknown Status");
	expect_text(status_reason(99), "Unknown Status");
	expect_text(status_reason(-1), "Unknown Status");
	assert_null(status_line(499).p);
	assert_null(status_line(999).p);
	assert_true(str_contains(status_page(499), STR("Client Error")));
}

/* Whatever the number, three answers that fit each other. */
static void
line_reason_and_page_agree(void **state)
{
	(void)state;
	for (int status = 0; status < 1000; status++) {
		struct str reason = status_reason(status);
		char line[64];

		assert_true(reason.n > 0);
		assert_true(str_contains(status_page(status), reason));
		if (status_line(status).p == NULL)
			continue;
		snprintf(line, sizeof line, "HTTP/1.1 %d %.*s\r\n", status,
		    STR_ARG(reason));
		expect_text(status_line(status), line);
		snprintf(line, sizeof line, "<h1>%d</h1>", status);
		assert_true(str_contains(status_page(status),
		    str_from(line)));
	}
}

static void
a_page_is_small_and_says_nothing_of_us(void **state)
{
	(void)state;
	for (int status = 400; status < 600; status++) {
		struct str page = status_page(status);

		assert_true(page.n < 600);
		assert_true(str_has_prefix(page, STR("<!doctype html>\n")));
		assert_true(str_has_suffix(page, STR("</html>\n")));
		assert_false(str_contains(page, STR("eir")));
	}
}

/* RFC 9110 section 6.4.1 */
static void
some_never_have_a_body(void **state)
{
	(void)state;
	assert_true(status_has_no_body(100));
	assert_true(status_has_no_body(101));
	assert_true(status_has_no_body(103));
	assert_true(status_has_no_body(204));
	assert_true(status_has_no_body(304));
	assert_false(status_has_no_body(200));
	assert_false(status_has_no_body(205));
	assert_false(status_has_no_body(404));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registered_codes_have_their_reason_and_line),
		cmocka_unit_test(other_codes_mean_what_their_class_means),
		cmocka_unit_test(line_reason_and_page_agree),
		cmocka_unit_test(a_page_is_small_and_says_nothing_of_us),
		cmocka_unit_test(some_never_have_a_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
