/* Heartbeats: who is given up after which silence, and who is not. */
#include "process/heartbeat.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct heartbeat h;
static char state[32];
static pid_t child;

/* A child to look at, which does nothing. */
static int
setup(void **data)
{
	(void)data;
	child = fork();
	if (child == 0) {
		for (;;)
			pause();
	}
	heartbeat_start(&h, 5000);
	return child < 0;
}

static int
teardown(void **data)
{
	(void)data;
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) != child;
}

static enum heartbeat_verdict
look(void)
{
	return heartbeat_look(&h, child, state);
}

static void
look_well(unsigned times)
{
	while (times-- > 0)
		assert_int_equal(look(), HEARTBEAT_FINE);
}

static void
who_beats_is_left_alone(void **data)
{
	(void)data;
	for (int i = 0; i < 100; i++) {
		look_well(4);
		heartbeat_hear(&h);
	}
	assert_false(heartbeat_is_given_up(&h));
}

static void
silence_is_asked_about_then_killed_then_given_up(void **data)
{
	(void)data;
	look_well(4);
	assert_int_equal(look(), HEARTBEAT_ASK);
	assert_true(heartbeat_is_given_up(&h));
	look_well(1);
	assert_int_equal(look(), HEARTBEAT_KILL);
	look_well(1);
	assert_int_equal(look(), HEARTBEAT_LOST);
	look_well(50);
}

static void
a_beat_after_the_question_saves_nobody(void **data)
{
	(void)data;
	look_well(4);
	assert_int_equal(look(), HEARTBEAT_ASK);
	heartbeat_hear(&h);
	look_well(1);
	assert_int_equal(look(), HEARTBEAT_KILL);
}

static void
the_time_between_two_beats_is_always_allowed(void **data)
{
	(void)data;
	heartbeat_start(&h, 1);
	look_well(2);
	assert_int_equal(look(), HEARTBEAT_ASK);
}

static void
the_state_tells_that_it_was_stopped(void **data)
{
	int status;

	(void)data;
	kill(child, SIGSTOP);
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	look_well(4);
	assert_int_equal(look(), HEARTBEAT_ASK);
	assert_string_equal(state, "T (stopped)");
}

static void
who_is_gone_has_no_state(void **data)
{
	(void)data;
	look_well(4);
	assert_int_equal(heartbeat_look(&h, -1, state), HEARTBEAT_ASK);
	assert_string_equal(state, "unknown");
}

static void
a_debugger_may_take_its_time(void **data)
{
	int status;

	(void)data;
	if (ptrace(PTRACE_ATTACH, child, NULL, NULL) != 0)
		skip();
	assert_int_equal(waitpid(child, &status, 0), child);
	look_well(4);
	assert_int_equal(look(), HEARTBEAT_HELD);
	look_well(50);
	/* Let go, and as silent as before: now it counts. */
	assert_int_equal(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	assert_int_equal(look(), HEARTBEAT_ASK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(who_beats_is_left_alone),
		TEST(silence_is_asked_about_then_killed_then_given_up),
		TEST(a_beat_after_the_question_saves_nobody),
		TEST(the_time_between_two_beats_is_always_allowed),
		TEST(the_state_tells_that_it_was_stopped),
		TEST(who_is_gone_has_no_state),
		TEST(a_debugger_may_take_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
