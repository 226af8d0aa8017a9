/* Sentences for what the world refused. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
set_says_and_answers_false(void **state)
{
	struct err e;

	(void)state;
	assert_false(err_set(&e, "%s is %d bytes too long", "name", 3));
	assert_string_equal(e.text, "name is 3 bytes too long");
}

static void
sys_appends_the_words_of_errno_and_keeps_it(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_false(err_sys(&e, "cannot open %s", "/x"));
	assert_string_equal(e.text,
	    "cannot open /x: no such file or directory");
	assert_int_equal(errno, ENOENT);
}

static void
wraps_read_from_the_outside_in(void **state)
{
	struct err e;

	(void)state;
	errno = EADDRINUSE;
	err_sys(&e, "cannot bind");
	assert_false(err_wrap(&e, "listen %s:%d", "0.0.0.0", 80));
	assert_string_equal(e.text,
	    "listen 0.0.0.0:80: cannot bind: address already in use");
}

static void
nobody_need_listen(void **state)
{
	(void)state;
	errno = EPERM;
	assert_false(err_set(NULL, "x"));
	assert_false(err_sys(NULL, "x"));
	assert_false(err_wrap(NULL, "x"));
	assert_int_equal(errno, EPERM);
}

static void
long_sentences_are_cut_not_overrun(void **state)
{
	struct {
		struct err e;
		char after;
	} room = {.after = '!'};
	char path[2000];

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	errno = EIO;
	err_set(&room.e, "%s", path);
	assert_int_equal(strlen(room.e.text), sizeof room.e.text - 1);
	err_sys(&room.e, "%s", path);
	assert_int_equal(strlen(room.e.text), sizeof room.e.text - 1);
	err_wrap(&room.e, "%.508s", path);
	assert_string_equal(room.e.text + 508, ": x");
	err_wrap(&room.e, "%s", path);
	assert_int_equal(strlen(room.e.text), sizeof room.e.text - 1);
	assert_int_equal(room.after, '!');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_says_and_answers_false),
		cmocka_unit_test(sys_appends_the_words_of_errno_and_keeps_it),
		cmocka_unit_test(wraps_read_from_the_outside_in),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(long_sentences_are_cut_not_overrun)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
