/* The report of a crash, and that the process dies of what happened. */
#include "base/panic.h"

#include "base/log.h"
#include "death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mman.h>

static volatile int one = 1;

static void
report_number(void *arg, int fd)
{
	panic_print(fd, "in hand: %d\n", *(int *)arg);
}

static void
prepare(void)
{
	static int number = 4711;

	log_set_role("victim");
	log_warn("the last words");
	panic_add_reporter(report_number, &number);
	panic_catch_signals();
}

static void
fail_an_assertion(void)
{
	prepare();
	ASSERT(one == 2);
}

static void
reach_the_unreachable(void)
{
	prepare();
	UNREACHABLE();
}

static void
check_an_object(void)
{
	struct {
		uint32_t magic;
	} obj = {.magic = 1};

	prepare();
	OBJ_CHECK(&obj, 1);
	OBJ_CHECK(&obj, 2);
}

static void
touch_what_is_not_ours(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare();
	fprintf(stderr, "the address is %p.\n", (void *)(page + 5));
	*(volatile char *)(page + 5) = 1;
}

/* Each call has a frame that the compiler can neither drop nor reuse. */
static int
sink(volatile char *caller)
{
	volatile char frame[1024];

	frame[0] = caller != NULL ? caller[0] : 1;
	return frame[0] == 2 ? 0 : sink(frame) + frame[0];
}

static void
overflow_the_stack(void)
{
	const struct rlimit small = {1 << 20, 1 << 20};

	setrlimit(RLIMIT_STACK, &small);
	prepare();
	_exit(sink(NULL));
}

static void
receive_a_signal(void)
{
	prepare();
	raise(SIGBUS);
}

static void
abort_by_ourselves(void)
{
	prepare();
	abort();
}

static void
crash_in_the_report(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	raise(SIGSEGV);
}

static void
crash_twice(void)
{
	panic_add_reporter(crash_in_the_report, NULL);
	prepare();
	raise(SIGFPE);
}

static void
fail_an_assertion_in_the_report(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	ASSERT(one == 3);
}

static void
assert_twice(void)
{
	panic_add_reporter(fail_an_assertion_in_the_report, NULL);
	prepare();
	ASSERT(one == 2);
}

static void
log_elsewhere(void)
{
	prepare();
	/* Two descriptors of one pipe: the report comes twice. */
	log_set_fd(dup(STDERR_FILENO));
	ASSERT(one == 2);
}

static void
report_letter(void *arg, int fd)
{
	panic_print(fd, "reporter %s\n", (const char *)arg);
}

static void
have_many_reporters(void)
{
	static char letters[10][2];

	for (int i = 0; i < 10; i++) {
		letters[i][0] = (char)('a' + i);
		panic_add_reporter(report_letter, letters[i]);
	}
	ASSERT(one == 2);
}

static void
print_much(void)
{
	static char text[3000];

	memset(text, 'x', sizeof text - 1);
	panic_print(STDERR_FILENO, "%.*s|%u|%x|%zu\n", 3, text, 7u, 255u,
	    (size_t)8);
	panic_print(STDERR_FILENO, "%s", text);
}

/* All that a report must have but its cause. */
static void
assert_is_report(const struct death *d)
{
	assert_true(death_says(d, " panic: "));
	assert_true(death_says(d, "backtrace:\n"));
	assert_true(death_says(d, "test_panic"));
	assert_true(death_says(d, "in hand: 4711\n"));
	assert_true(death_says(d, "last lines of the log:\n"));
	assert_non_null(strstr(strstr(d->report, "last lines of the log:\n"),
	    ": the last words\n"));
}

static void
an_assertion_tells_where_and_what(void **state)
{
	struct death d = death_of(fail_an_assertion);

	(void)state;
	assert_int_equal(d.signo, SIGABRT);
	assert_is_report(&d);
	assert_true(death_says(&d, "test_panic.c:"));
	assert_true(death_says(&d, ": assertion failed: one == 2\n"));
	/* abort(3) raises a signal that is caught: no second report. */
	assert_false(death_says(&d, "signal 6"));
}

static void
unreachable_code_and_wrong_objects_are_assertions(void **state)
{
	struct death d = death_of(reach_the_unreachable);

	(void)state;
	assert_int_equal(d.signo, SIGABRT);
	assert_true(death_says(&d, ": unreachable code reached\n"));
	d = death_of(check_an_object);
	assert_int_equal(d.signo, SIGABRT);
	assert_true(death_says(&d, "magic == (2)"));
}

static void
a_bad_access_tells_its_address(void **state)
{
	struct death d = death_of(touch_what_is_not_ours);
	const char *at = strstr(d.report, "the address is ");
	char want[128];

	(void)state;
	assert_int_equal(d.signo, SIGSEGV);
	assert_is_report(&d);
	assert_non_null(at);
	at += strlen("the address is ");
	snprintf(want, sizeof want, "panic: signal 11 (SIGSEGV) at address "
	    "%.*s\n", (int)strcspn(at, "."), at);
	assert_true(death_says(&d, want));
}

static void
a_stack_overflow_can_still_be_told(void **state)
{
	struct death d = death_of(overflow_the_stack);

	(void)state;
	assert_int_equal(d.signo, SIGSEGV);
	assert_is_report(&d);
	assert_true(death_says(&d, "signal 11 (SIGSEGV) at address 0x"));
}

static void
a_signal_that_was_sent_has_no_address(void **state)
{
	struct death d = death_of(receive_a_signal);

	(void)state;
	assert_int_equal(d.signo, SIGBUS);
	assert_is_report(&d);
	assert_true(death_says(&d, "panic: signal 7 (SIGBUS)\n"));
	d = death_of(abort_by_ourselves);
	assert_int_equal(d.signo, SIGABRT);
	assert_is_report(&d);
	assert_true(death_says(&d, "panic: signal 6 (SIGABRT)\n"));
}

static void
a_crash_in_the_report_ends_it(void **state)
{
	struct death d = death_of(crash_twice);

	(void)state;
	assert_int_equal(d.signo, SIGSEGV);
	assert_true(death_says(&d, "panic: signal 8 (SIGFPE)\n"));
	assert_false(death_says(&d, "signal 11"));
	d = death_of(assert_twice);
	assert_int_equal(d.signo, SIGABRT);
	assert_true(death_says(&d, "one == 2"));
	assert_false(death_says(&d, "one == 3"));
}

static void
stderr_and_the_log_both_get_it(void **state)
{
	struct death d = death_of(log_elsewhere);
	const char *first = strstr(d.report, ": the last words\n");

	(void)state;
	assert_int_equal(d.signo, SIGABRT);
	/* In the log itself, then in two reports. */
	for (int i = 0; i < 2; i++) {
		assert_non_null(first);
		first = strstr(first + 1, "  ");
		assert_non_null(first);
		first = strstr(first, ": the last words\n");
	}
	assert_non_null(first);
}

static void
there_are_eight_reporters_in_order(void **state)
{
	struct death d = death_of(have_many_reporters);

	(void)state;
	assert_true(death_says(&d, "reporter a\nreporter b\nreporter c\n"
	    "reporter d\nreporter e\nreporter f\nreporter g\nreporter h\n"
	    "last lines"));
}

static void
print_formats_and_cuts(void **state)
{
	struct death d = death_of(print_much);

	(void)state;
	assert_int_equal(d.signo, 0);
	assert_int_equal(strncmp(d.report, "xxx|7|ff|8\nxxx", 14), 0);
	assert_int_equal(strlen(d.report), 11 + 1023);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_assertion_tells_where_and_what),
		cmocka_unit_test(
		    unreachable_code_and_wrong_objects_are_assertions),
		cmocka_unit_test(a_bad_access_tells_its_address),
		cmocka_unit_test(a_stack_overflow_can_still_be_told),
		cmocka_unit_test(a_signal_that_was_sent_has_no_address),
		cmocka_unit_test(a_crash_in_the_report_ends_it),
		cmocka_unit_test(stderr_and_the_log_both_get_it),
		cmocka_unit_test(there_are_eight_reporters_in_order),
		cmocka_unit_test(print_formats_and_cuts)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
