/* The pid file and the verdict beside it: whole, of the living only, and
 * harmless when somebody else wrote them. */
#include "process/pid_file.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

static char dir[64], path[128];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-pid-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/weir.pid", dir);
	return 0;
}

static int
teardown(void **state)
{
	char verdict[160];

	(void)state;
	verdict_path(verdict, sizeof verdict, path);
	unlink(path);
	unlink(verdict);
	/* Nothing else may be left: no half of a file that was replaced. */
	return rmdir(dir);
}

static void
put(const char *text)
{
	struct err e;

	assert_true(fd_replace_file(path, str_from(text), 0644, &e));
}

/* A pid that was somebody's a moment ago. */
static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void
what_was_written_is_read(void **state)
{
	struct stat st;
	struct err e;

	(void)state;
	assert_true(pid_file_write(path, getpid(), &e));
	assert_int_equal(pid_file_read(path, &e), getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void
a_second_write_replaces_the_first(void **state)
{
	struct err e;

	(void)state;
	put("1234567890123456789 and more than a pid is long\n");
	assert_true(pid_file_write(path, getpid(), &e));
	assert_int_equal(pid_file_read(path, &e), getpid());
}

static void
a_stale_pid_is_nobodys(void **state)
{
	pid_t dead = dead_pid();
	char want[256];
	struct err e;

	(void)state;
	assert_true(pid_file_write(path, dead, &e));
	assert_int_equal(pid_file_read(path, &e), 0);
	snprintf(want, sizeof want,
	    "%s names process %d, which is not running", path, (int)dead);
	assert_string_equal(e.text, want);
	assert_int_equal(pid_file_read(path, NULL), 0);
}

static void
what_is_no_pid_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "\n", "0\n", "-1\n", "12x\n", "x", "+5\n", "1.5\n",
		"99999999999\n", "18446744073709551617\n"
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		put(texts[i]);
		assert_int_equal(pid_file_read(path, &e), 0);
		assert_non_null(strstr(e.text, "does not hold a process id"));
	}
}

static void
a_pid_may_stand_without_a_line_end_and_between_blanks(void **state)
{
	char text[64];

	(void)state;
	snprintf(text, sizeof text, "  %d \nsecond line", (int)getpid());
	put(text);
	assert_int_equal(pid_file_read(path, NULL), getpid());
	snprintf(text, sizeof text, "%d", (int)getpid());
	put(text);
	assert_int_equal(pid_file_read(path, NULL), getpid());
}

static void
a_file_that_is_not_there_says_so(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(pid_file_read(path, &e), 0);
	assert_non_null(strstr(e.text, path));
	assert_false(pid_file_write("/none/weir.pid", 1, &e));
	assert_non_null(strstr(e.text, "/none/weir.pid"));
}

static void
only_ones_own_file_is_removed(void **state)
{
	struct err e;

	(void)state;
	assert_true(pid_file_write(path, getppid(), &e));
	pid_file_remove(path, getpid());
	assert_int_equal(access(path, F_OK), 0);
	pid_file_remove(path, getppid());
	assert_int_equal(access(path, F_OK), -1);
	pid_file_remove(path, getpid()); /* gone already: harmless */
}

/* ---- the verdict -------------------------------------------------------- */

static void
check_verdict(const struct verdict_line *in)
{
	struct verdict_line out = {.pid = 0};

	verdict_write(path, in);
	assert_true(verdict_read(path, &out));
	assert_int_equal(out.pid, in->pid);
	assert_true(out.sequence == in->sequence);
	assert_int_equal(out.ok, in->ok);
	assert_string_equal(out.text, in->text);
}

static void
a_verdict_comes_back_whole(void **state)
{
	struct verdict_line longest = {.pid = 1, .sequence = 2};

	(void)state;
	check_verdict(&(struct verdict_line){
		.pid = 77, .sequence = UINT64_MAX, .ok = true,
		.text = "generation 3 serves with 2 workers"});
	check_verdict(&(struct verdict_line){
		.pid = 1, .sequence = 1, .ok = false,
		.text = "a.yaml:1:2: unknown key\n  1 | x\n    | ^\n"});
	memset(longest.text, 'x', sizeof longest.text - 1);
	check_verdict(&longest);
}

static void
an_empty_verdict_is_one(void **state)
{
	(void)state;
	check_verdict(&(struct verdict_line){.pid = 5, .ok = true});
}

static void
text_that_begins_with_blanks_keeps_them(void **state)
{
	(void)state;
	check_verdict(&(struct verdict_line){
		.pid = 5, .sequence = 1, .text = "\n  indented"});
}

static void
what_is_no_verdict_is_none(void **state)
{
	static const char *const texts[] = {"", "x", "1 2", "1 2 ok"};
	struct verdict_line v;
	char name[160];

	(void)state;
	assert_false(verdict_read(path, &v));
	verdict_path(name, sizeof name, path);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		assert_true(fd_replace_file(name, str_from(texts[i]), 0644,
		    NULL));
		assert_false(verdict_read(path, &v));
	}
}

static void
a_verdict_that_cannot_be_written_breaks_nothing(void **state)
{
	struct verdict_line v = {.pid = 1, .ok = true};

	(void)state;
	verdict_write("/none/weir.pid", &v);
	assert_false(verdict_read("/none/weir.pid", &v));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(a_second_write_replaces_the_first),
		TEST(a_stale_pid_is_nobodys),
		TEST(what_is_no_pid_is_refused),
		TEST(a_pid_may_stand_without_a_line_end_and_between_blanks),
		TEST(a_file_that_is_not_there_says_so),
		TEST(only_ones_own_file_is_removed),
		TEST(a_verdict_comes_back_whole),
		TEST(an_empty_verdict_is_one),
		TEST(text_that_begins_with_blanks_keeps_them),
		TEST(what_is_no_verdict_is_none),
		TEST(a_verdict_that_cannot_be_written_breaks_nothing)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
