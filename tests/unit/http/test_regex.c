/* Regular expressions: what is found, what is captured, and that nothing makes
 * one run for long. */
#include "http/regex.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_end(arena);
	return 0;
}

static struct regex *
compile(const char *pattern)
{
	struct err e = {""};
	struct regex *r = regex_compile(arena, str_from(pattern), &e);

	if (r == NULL)
		fail_msg("%s", e.text);
	return r;
}

static bool
matches(const char *pattern, struct str subject)
{
	return regex_match(compile(pattern), subject, NULL, NULL);
}

static void
regex_is_found_anywhere_unless_anchored(void **state)
{
	(void)state;
	assert_true(matches("b+", STR("abbc")));
	assert_false(matches("^b", STR("abc")));
	assert_false(matches("a", STR("")));
	assert_true(matches("^$", str_of(NULL, 0)));
}

static void
regex_gives_offsets_of_captures(void **state)
{
	struct regex *r = compile("^/(?<user>[a-z]+)(/x)?/(\\d+)");
	size_t out[2 * REGEX_CAPTURES];
	unsigned n;

	(void)state;
	assert_true(regex_match(r, STR("/bob/42"), out, &n));
	assert_int_equal(n, 4);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[1], 7);
	assert_int_equal(out[2], 1);
	assert_int_equal(out[3], 4);
	assert_true(out[4] == SIZE_MAX && out[5] == SIZE_MAX);
	assert_int_equal(out[6], 5);
	assert_int_equal(out[7], 7);
}

static void
regex_keeps_as_many_captures_as_there_is_room_for(void **state)
{
	struct regex *r = compile("(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)"
	    "(a)(a)(a)(a)(a)(a)");
	size_t out[2 * REGEX_CAPTURES];
	unsigned n;

	(void)state;
	assert_true(regex_match(r, STR("aaaaaaaaaaaaaaaaaaaa"), out, &n));
	assert_int_equal(n, REGEX_CAPTURES);
	assert_int_equal(out[2 * REGEX_CAPTURES - 1], REGEX_CAPTURES - 1);
}

static void
regex_knows_its_groups_by_name(void **state)
{
	struct regex *r = compile("(a)(?<second>b)");
	static char long_name[300];

	(void)state;
	memset(long_name, 'x', sizeof long_name - 1);
	assert_int_equal(regex_group(r, STR("second")), 2);
	assert_int_equal(regex_group(r, STR("third")), -1);
	assert_int_equal(regex_group(r, STR("")), -1);
	assert_int_equal(regex_group(r, str_from(long_name)), -1);
}

/* %0A in a path must not get around a rule. */
static void
regex_takes_a_newline_as_any_byte(void **state)
{
	(void)state;
	assert_false(matches("^/admin$", STR("/admin\n")));
	assert_true(matches("^/admin/.*\\.php$", STR("/admin/\nx.php")));
}

static void
regex_works_on_bytes(void **state)
{
	(void)state;
	assert_true(matches("^.$", STR("\xff")));
	assert_true(matches("^\xc3\xa9$", STR("\xc3\xa9")));
	assert_true(matches("a\\x00b", str_of("a\0b", 3)));
}

static void
regex_says_what_is_wrong_and_where(void **state)
{
	static const char *const cases[][2] = {
		{"^/(a", "the regular expression \"^/(a\" is wrong at offset "
		 "4: missing closing parenthesis"},
		{"*a", "at offset 0: quantifier does not follow a repeatable "
		 "item"},
		{"(*UTF)a", "using UTF is disabled"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err e = {""};

		assert_null(regex_compile(arena, str_from(cases[i][0]), &e));
		if (strstr(e.text, cases[i][1]) == NULL)
			fail_msg("expected \"%s\" in: %s", cases[i][1], e.text);
	}
}

/* Exponential in its subject: it must give up, soon, and say so. */
static void
regex_gives_up_at_its_limit(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	char a[2001], text[4096] = "";
	struct str subject = str_of(a, sizeof a);
	uint64_t began;

	(void)state;
	memset(a, 'a', sizeof a);
	a[sizeof a - 1] = 'b';
	log_set_fd(fd);
	began = clock_precise_us();
	assert_false(matches("^(a|aa)+$", subject));
	assert_false(matches("(*NO_JIT)^(a|aa)+$", subject));
	assert_true(clock_precise_us() - began < 2000000);
	log_set_fd(2);
	assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
	close(fd);
	if (strstr(text, "\"^(a|aa)+$\" gave up on 2001 bytes, which counts "
	        "as not found: match limit exceeded") == NULL)
		fail_msg("%s", text);
	/* And is none the worse for it. */
	assert_true(matches("^(a|aa)+b$", subject));
}

/* What is linear does not meet the limits, whatever its depth. */
static void
regex_takes_long_subjects(void **state)
{
	static char path[60000];

	(void)state;
	memset(path, 'a', sizeof path);
	path[0] = '/';
	assert_true(matches("^/[a-z]*$", str_of(path, sizeof path)));
	assert_true(matches("^/(a|b)*$", str_of(path, 8000)));
	assert_true(matches("(*NO_JIT)^/(a|b)*$", str_of(path, 8000)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regex_is_found_anywhere_unless_anchored),
		cmocka_unit_test(regex_gives_offsets_of_captures),
		cmocka_unit_test(
		    regex_keeps_as_many_captures_as_there_is_room_for),
		cmocka_unit_test(regex_knows_its_groups_by_name),
		cmocka_unit_test(regex_takes_a_newline_as_any_byte),
		cmocka_unit_test(regex_works_on_bytes),
		cmocka_unit_test(regex_says_what_is_wrong_and_where),
		cmocka_unit_test(regex_gives_up_at_its_limit),
		cmocka_unit_test(regex_takes_long_subjects),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
