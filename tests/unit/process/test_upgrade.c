/* Upgrades as far as they need no daemon: whose name the pid file has at which
 * moment, what the next binary is told, and who counts as a successor. */
#include "process/upgrade.c"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

static char dir[64], pid_file[PATH_MAX], said[128];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-upgrade-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(pid_file, sizeof pid_file, "%s/weir.pid", dir);
	snprintf(said, sizeof said, "%s/said", dir);
	close(open(pid_file, O_WRONLY | O_CREAT, 0644));
	unsetenv(UPGRADE_FROM);
	unsetenv("WATCHDOG_PID");
	return 0;
}

static int
teardown(void **state)
{
	char name[PATH_MAX + 16];

	(void)state;
	for (const char *const *p = (const char *const[]){
	         "said", "weir.pid", "weir.pid.oldbin", "next", NULL};
	     *p != NULL; p++) {
		snprintf(name, sizeof name, "%s/%s", dir, *p);
		unlink(name);
	}
	return rmdir(dir);
}

static bool
exists(const char *suffix)
{
	char name[PATH_MAX + 16];

	snprintf(name, sizeof name, "%s/weir.pid%s", dir, suffix);
	return access(name, F_OK) == 0;
}

/* A next binary that writes down what it was told. */
static void
make_binary(void)
{
	char name[128], script[512];
	int fd;

	snprintf(name, sizeof name, "%s/next", dir);
	snprintf(script, sizeof script, "#!/bin/sh\n"
	    "echo \"$1 $" UPGRADE_SOCKETS " $" UPGRADE_FROM " $PPID"
	    " ${WATCHDOG_PID:-none} $$\" >%s\n", said);
	fd = open(name, O_WRONLY | O_CREAT, 0755);
	assert_int_equal(write(fd, script, strlen(script)),
	    (ssize_t)strlen(script));
	close(fd);
	upgrade_init(name);
}

static void
start(struct upgrade *u, struct err *e)
{
	char *argv[] = {"next", "argument", NULL};

	make_binary();
	assert_true(upgrade_start(u, argv, "7;9", pid_file, e));
	assert_true(upgrade_is_running(u));
}

/* What the next binary wrote, once it has ended. */
static void
read_said(struct upgrade *u, char *sockets, int pids[4])
{
	char watchdog[32];
	FILE *f;

	waitpid(u->pid, NULL, 0);
	f = fopen(said, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "argument %31s %d %d %31s %d", sockets,
	    &pids[0], &pids[1], watchdog, &pids[2]), 5);
	pids[3] = atoi(watchdog); /* 0 for none */
	fclose(f);
}

static void
the_next_binary_is_told_of_sockets_and_of_us(void **state)
{
	struct upgrade u = {0};
	char sockets[32];
	struct err e;
	int pids[4];

	(void)state;
	start(&u, &e);
	read_said(&u, sockets, pids);
	assert_string_equal(sockets, "7;9");
	assert_int_equal(pids[0], getpid());
	assert_int_equal(pids[1], getpid());
	assert_int_equal(pids[2], u.pid);
	assert_int_equal(pids[3], 0); /* no watchdog where there is none */
	assert_null(getenv(UPGRADE_SOCKETS)); /* not in our own environment */
}

static void
the_watchdog_goes_to_the_next_one(void **state)
{
	struct upgrade u = {0};
	char sockets[32], mine[32];
	struct err e;
	int pids[4];

	(void)state;
	snprintf(mine, sizeof mine, "%d", (int)getpid());
	setenv("WATCHDOG_PID", mine, 1);
	start(&u, &e);
	read_said(&u, sockets, pids);
	assert_int_equal(pids[3], u.pid);
	assert_string_equal(getenv("WATCHDOG_PID"), mine);
}

static void
the_pid_file_is_set_aside_and_comes_back(void **state)
{
	struct upgrade u = {0};
	struct err e;

	(void)state;
	start(&u, &e);
	assert_true(exists(".oldbin") && !exists(""));
	assert_non_null(strstr(pid_file, "/weir.pid.oldbin"));
	waitpid(u.pid, NULL, 0);

	upgrade_failed(&u, pid_file);
	assert_false(upgrade_is_running(&u));
	assert_true(exists("") && !exists(".oldbin"));
	assert_null(strstr(pid_file, ".oldbin"));
}

static void
a_second_failure_moves_nothing(void **state)
{
	struct upgrade u = {0};

	(void)state;
	upgrade_failed(&u, pid_file);
	assert_true(exists(""));
	assert_null(strstr(pid_file, ".oldbin"));
}

static void
without_a_pid_file_there_is_none_to_move(void **state)
{
	char *argv[] = {"next", "argument", NULL};
	struct upgrade u = {0};
	char none[PATH_MAX] = "";
	struct err e;

	(void)state;
	make_binary();
	assert_true(upgrade_start(&u, argv, "", none, &e));
	waitpid(u.pid, NULL, 0);
	assert_string_equal(none, "");
	upgrade_failed(&u, none);
	assert_string_equal(none, "");
}

static void
a_binary_that_is_gone_changes_nothing(void **state)
{
	char *argv[] = {"next", NULL};
	struct upgrade u = {0};
	struct err e;

	(void)state;
	upgrade_init("/none/weir");
	assert_false(upgrade_start(&u, argv, "", pid_file, &e));
	assert_non_null(strstr(e.text, "cannot run /none/weir"));
	assert_false(upgrade_is_running(&u));
	assert_true(exists("") && !exists(".oldbin"));
}

static void
a_pid_file_that_is_gone_stops_the_upgrade(void **state)
{
	char *argv[] = {"next", NULL};
	struct upgrade u = {0};
	struct err e;

	(void)state;
	make_binary();
	unlink(pid_file);
	assert_false(upgrade_start(&u, argv, "", pid_file, &e));
	assert_non_null(strstr(e.text, "cannot rename"));
	assert_null(strstr(pid_file, ".oldbin"));
}

static void
a_relative_name_holds_wherever_we_go(void **state)
{
	char *argv[] = {"next", "argument", NULL};
	char before[PATH_MAX], sockets[32];
	struct upgrade u = {0};
	struct err e;
	int pids[4];

	(void)state;
	make_binary();
	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(dir), 0);
	upgrade_init("./next");
	assert_int_equal(chdir("/"), 0);
	assert_true(upgrade_start(&u, argv, "3", pid_file, &e));
	read_said(&u, sockets, pids);
	assert_string_equal(sockets, "3");
	assert_int_equal(chdir(before), 0);
}

static void
only_a_child_of_the_old_master_is_a_successor(void **state)
{
	char parent[32];

	(void)state;
	assert_false(upgrade_is_successor());
	snprintf(parent, sizeof parent, "%d", (int)getppid());
	setenv(UPGRADE_FROM, parent, 1);
	assert_true(upgrade_is_successor());
	/* The variable lives on in what the successor starts. */
	snprintf(parent, sizeof parent, "%d", (int)getpid());
	setenv(UPGRADE_FROM, parent, 1);
	assert_false(upgrade_is_successor());
	setenv(UPGRADE_FROM, "x", 1);
	assert_false(upgrade_is_successor());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_binary_is_told_of_sockets_and_of_us),
		TEST(the_watchdog_goes_to_the_next_one),
		TEST(the_pid_file_is_set_aside_and_comes_back),
		TEST(a_second_failure_moves_nothing),
		TEST(without_a_pid_file_there_is_none_to_move),
		TEST(a_binary_that_is_gone_changes_nothing),
		TEST(a_pid_file_that_is_gone_stops_the_upgrade),
		TEST(a_relative_name_holds_wherever_we_go),
		TEST(only_a_child_of_the_old_master_is_a_successor)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
