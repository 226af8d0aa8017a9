/* The error log: what a line looks like, who is kept quiet, what is lost. */
#include "base/log.c"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <cmocka.h>

#define NOV_1994 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static int pipe_fds[2];

/* What was written since the last call. */
static const char *
written(void)
{
	static char text[65536];
	ssize_t n = read(pipe_fds[0], text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Whether a line of the log says TEXT; its head is known. */
static void
assert_line(const char *line, const char *level, const char *text)
{
	char want[4096];

	snprintf(want, sizeof want,
	    "1994-11-06T08:49:37.250+00:00 %s weir[%d]: %s\n", level,
	    (int)getpid(), text);
	assert_string_equal(line, want);
}

static int
set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	unsetenv("JOURNAL_STREAM");
	clock_fake_start(1000, NOV_1994);
	clock_fake_advance(250);
	memset(&log_state, 0, sizeof log_state);
	log_state.level = LOG_NOTICE;
	if (pipe2(pipe_fds, O_NONBLOCK) != 0)
		return -1;
	log_set_fd(pipe_fds[1]);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	clock_fake_end();
	return 0;
}

static void
a_line_has_time_level_role_and_text(void **state)
{
	char want[128];

	(void)state;
	log_warn("%s is %d", "text", 1);
	assert_line(written(), "warn", "text is 1");
	log_set_role("worker 3");
	log_crit("x");
	snprintf(want, sizeof want,
	    "1994-11-06T08:49:37.250+00:00 crit worker 3[%d]: x\n",
	    (int)getpid());
	assert_string_equal(written(), want);
}

static void
lines_below_the_level_are_not_written(void **state)
{
	static const char *const words[] = {
		"debug", "info", "notice", "warn", "error", "crit"
	};

	(void)state;
	for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
		log_set_level((enum log_level)level);
		assert_int_equal(log_level(), level);
		for (int of = 0; of < LOG_LEVEL_COUNT; of++) {
			log_line((enum log_level)of, "x");
			if (of < level)
				assert_string_equal(written(), "");
			else
				assert_line(written(), words[of], "x");
		}
	}
}

static int
count_call(int *calls)
{
	return ++*calls;
}

static void
debug_lines_cost_nothing_when_off(void **state)
{
	int calls = 0;

	(void)state;
	log_debug("%d", count_call(&calls));
	assert_int_equal(calls, 0);
	log_set_level(LOG_DEBUG);
	log_debug("%d", count_call(&calls));
	assert_int_equal(calls, 1);
	assert_line(written(), "debug", "1");
}

static void
peers_can_neither_forge_lines_nor_drive_terminals(void **state)
{
	(void)state;
	log_error("a\nb\r\tc\x1b[2J\x7f");
	assert_line(written(), "error", "a\\x0ab\\x0d\\x09c\\x1b[2J\\x7f");
	/* The same order in 8 bits, and as U+009B. */
	log_error("\x9b" "2J \xc2\x9b" "2J");
	assert_line(written(), "error", "\\x9b2J \\xc2\\x9b2J");
	log_error("gr\xc3\xbc\xc3\x9f \xe2\x82\xac, gr\xfc\xdf \xe2\x82");
	assert_line(written(), "error",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac, gr\\xfc\\xdf \\xe2\\x82");
}

static void
a_long_line_is_cut_and_stays_one_line(void **state)
{
	char text[5000];
	const char *line;

	(void)state;
	for (char c = 'x'; c >= '\n'; c -= 'x' - '\n') {
		memset(text, c, sizeof text - 1);
		text[sizeof text - 1] = '\0';
		log_error("%s", text);
		line = written();
		assert_true(strlen(line) <= LINE_MAX_ + 1);
		assert_true(strlen(line) > LINE_MAX_ - 10);
		assert_ptr_equal(strchr(line, '\n'),
		    line + strlen(line) - 1);
	}
}

static void
errno_survives_a_line(void **state)
{
	struct log_limit limit = LOG_LIMIT(1);

	(void)state;
	log_set_fd(-1);
	errno = ENOENT;
	log_error("x");
	assert_int_equal(errno, ENOENT);
	log_limited(&limit, LOG_ERROR, "x");
	assert_int_equal(errno, ENOENT);
}

static void
a_limit_lets_so_many_through_per_second(void **state)
{
	struct log_limit limit = LOG_LIMIT(3);

	(void)state;
	for (int i = 0; i < 10; i++) {
		log_limited(&limit, LOG_WARN, "n %d", i);
		if (i < 3)
			assert_non_null(strstr(written(), "n "));
		else
			assert_string_equal(written(), "");
	}
	clock_fake_advance(749); /* still the same second */
	log_limited(&limit, LOG_WARN, "late");
	assert_string_equal(written(), "");
}

static void
the_first_line_after_a_pause_says_what_was_left_out(void **state)
{
	struct log_limit limit = LOG_LIMIT(1);
	const char *lines;

	(void)state;
	for (int i = 0; i < 6; i++)
		log_limited(&limit, LOG_WARN, "x");
	(void)written();
	clock_fake_advance(5000);
	log_limited(&limit, LOG_WARN, "again");
	lines = written();
	assert_non_null(strstr(lines, ": 5 lines like the next were left out"));
	assert_non_null(strstr(lines, ": again\n"));
	/* That is said once. */
	clock_fake_advance(1000);
	log_limited(&limit, LOG_WARN, "more");
	lines = written();
	assert_null(strstr(lines, "left out"));
	assert_non_null(strstr(lines, ": more\n"));
}

static void
limits_are_of_their_own(void **state)
{
	struct log_limit one = LOG_LIMIT(1), other = LOG_LIMIT(1);

	(void)state;
	log_limited(&one, LOG_WARN, "x");
	log_limited(&one, LOG_WARN, "x");
	(void)written();
	log_limited(&other, LOG_WARN, "other");
	assert_line(written(), "warn", "other");
}

static void
the_journal_gets_priorities_instead_of_dates(void **state)
{
	static const char priority[] = "765432";
	struct stat st;
	char text[64];

	(void)state;
	assert_int_equal(fstat(pipe_fds[1], &st), 0);
	snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	log_set_fd(pipe_fds[1]);
	log_set_level(LOG_DEBUG);
	for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
		log_line((enum log_level)level, "x");
		snprintf(text, sizeof text, "<%c>weir[%d]: x\n",
		    priority[level], (int)getpid());
		assert_string_equal(written(), text);
	}
}

static void
only_the_descriptor_of_the_journal_is_the_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_set_fd(pipe_fds[1]);
	log_error("x");
	assert_line(written(), "error", "x");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_set_fd(pipe_fds[1]);
	log_error("x");
	assert_line(written(), "error", "x");
}

static void
lines_that_cannot_be_written_are_counted(void **state)
{
	int full = open("/dev/full", O_WRONLY);

	(void)state;
	assert_int_equal(log_lost(), 0);
	log_set_fd(full);
	assert_int_equal(log_fd(), full);
	log_error("x");
	log_error("x");
	assert_int_equal(log_lost(), 2);
	log_set_fd(-1);
	log_error("x");
	assert_int_equal(log_lost(), 3);
	log_set_fd(pipe_fds[1]);
	log_error("x");
	log_info("below the level");
	assert_int_equal(log_lost(), 3);
	close(full);
}

/* Of the lines that were written, the one that tells of others. */
static bool
tells_of(const char *lost)
{
	return strstr(written(), lost) != NULL;
}

static void
lines_that_were_lost_are_told_of_once_in_a_minute(void **state)
{
	int full = open("/dev/full", O_WRONLY);

	(void)state;
	for (int round = 0; round < 2; round++) {
		log_set_fd(full);
		log_error("x");
		log_error("y");
		log_set_fd(pipe_fds[1]);
		log_error("z");
		assert_int_equal(tells_of("2 lines of this log were lost: "
		    "No space left on device\n"), round == 0);
		log_error("z");
		assert_false(tells_of("lost"));
	}
	clock_fake_advance(SAY_LOST_EVERY);
	log_error("z");
	assert_true(tells_of("error weir["));
	log_error("z");
	assert_false(tells_of("lost"));
	assert_int_equal(log_state.said, 4);
	close(full);
}

/* As on a disk that has room for half a line, and then for more. */
static void
what_follows_a_line_that_was_cut_begins_a_line(void **state)
{
	struct rlimit old, few = { 70, RLIM_INFINITY };
	char text[4096] = "";
	FILE *file = tmpfile();

	(void)state;
	getrlimit(RLIMIT_FSIZE, &old);
	few.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	log_set_fd(fileno(file));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	log_error("a line that is longer than that, of which a part is there");
	assert_int_equal(log_lost(), 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	log_error("the next");
	assert_true(pread(fileno(file), text, sizeof text - 1, 0) > 70);
	assert_int_equal(text[70], '\n');
	assert_non_null(strstr(text + 71, "1 lines of this log were lost"));
	assert_non_null(strstr(text + 71, ": the next\n"));
	fclose(file);
}

/* A pipe as a shell makes it: writing would wait. */
static void
a_full_pipe_that_blocks_is_not_waited_for(void **state)
{
	char page[4096] = "";

	(void)state;
	while (write(pipe_fds[1], page, sizeof page) > 0)
		continue;
	assert_int_equal(fcntl(pipe_fds[1], F_SETFL, 0), 0);
	alarm(10);
	log_error("x");
	alarm(0);
	assert_int_equal(log_lost(), 1);
}

static void
a_full_pipe_is_not_waited_for(void **state)
{
	char page[4096] = "";

	(void)state;
	while (write(pipe_fds[1], page, sizeof page) > 0)
		continue;
	log_error("x");
	assert_int_equal(log_lost(), 1);
}

/* What log_dump_recent writes. */
static const char *
recent(void)
{
	log_dump_recent(pipe_fds[1]);
	return written();
}

static void
the_last_lines_are_kept_whatever_their_level(void **state)
{
	const char *at;

	(void)state;
	assert_string_equal(recent(), "");
	for (int i = 0; i < 100; i++)
		log_info("line %d.", i);
	assert_string_equal(written(), "");
	at = recent();
	for (int i = 100 - RECENT; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof text, "]: line %d.\n", i);
		assert_int_equal(strncmp(at, "  1994-", 7), 0);
		at = strchr(at, ']');
		assert_non_null(at);
		assert_int_equal(strncmp(at, text, strlen(text)), 0);
		at += strlen(text);
	}
	assert_string_equal(at, "");
}

static void
kept_lines_are_cut(void **state)
{
	const char *at;

	(void)state;
	log_error("%0*d", RECENT_LINE, 7);
	(void)written();
	at = recent();
	assert_int_equal(strlen(at), 2 + RECENT_LINE - 1 + 1);
}

static void
syslog_takes_the_lines_until_there_is_a_descriptor(void **state)
{
	(void)state;
	assert_true(syslog_facility("daemon") >= 0);
	assert_true(syslog_facility("local7") != syslog_facility("daemon"));
	assert_int_equal(syslog_facility("nothing"), -1);
	log_set_syslog("weir-test", syslog_facility("local7"));
	log_error("x");
	assert_string_equal(written(), "");
	assert_non_null(strstr(recent(), ": x\n"));
	log_set_fd(pipe_fds[1]);
	log_error("x");
	assert_line(written(), "error", "x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_time_level_role_and_text),
		TEST(lines_below_the_level_are_not_written),
		TEST(debug_lines_cost_nothing_when_off),
		TEST(peers_can_neither_forge_lines_nor_drive_terminals),
		TEST(a_long_line_is_cut_and_stays_one_line),
		TEST(errno_survives_a_line),
		TEST(a_limit_lets_so_many_through_per_second),
		TEST(the_first_line_after_a_pause_says_what_was_left_out),
		TEST(limits_are_of_their_own),
		TEST(the_journal_gets_priorities_instead_of_dates),
		TEST(only_the_descriptor_of_the_journal_is_the_journal),
		TEST(lines_that_cannot_be_written_are_counted),
		TEST(lines_that_were_lost_are_told_of_once_in_a_minute),
		TEST(what_follows_a_line_that_was_cut_begins_a_line),
		TEST(a_full_pipe_that_blocks_is_not_waited_for),
		TEST(a_full_pipe_is_not_waited_for),
		TEST(the_last_lines_are_kept_whatever_their_level),
		TEST(kept_lines_are_cut),
		TEST(syslog_takes_the_lines_until_there_is_a_descriptor)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
