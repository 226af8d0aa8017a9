/* What the tests of the conf floor expect of diagnostics. */
#include "shop.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

void
expect_messages(const char *yaml, const char *expected)
{
	struct run r = run_text(yaml);

	assert_string_equal(run_messages(&r), expected);
	run_end(&r);
}

void
expect_message_has(const char *yaml, const char *part)
{
	struct run r = run_text(yaml);
	const char *all = run_messages(&r);

	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
	run_end(&r);
}
