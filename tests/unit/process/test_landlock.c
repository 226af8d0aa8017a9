/* Landlock, from inside: each file is tried in a child that has entered. The
 * tree:
 *
 *   site/a.txt           current -> releases/1      secret.txt
 *   releases/1/a.txt     releases/2/a.txt           spare/a.txt
 */
#include "process/landlock.c"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

static char top[] = "/tmp/weir-landlock-XXXXXX";

static const char *
at(const char *name)
{
	static char path[4][256];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", top, name);
	return p;
}

static void
make_file(const char *dir, const char *name)
{
	FILE *f;
	char path[256];

	if (dir[0] != '\0')
		(void)mkdir(at(dir), 0755);
	snprintf(path, sizeof path, "%s/%s", at(dir), name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("x", f);
	fclose(f);
}

static int
make_tree(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL || mkdir(at("releases"), 0755) != 0)
		return 1;
	make_file("", "secret.txt");
	make_file("site", "a.txt");
	make_file("spare", "a.txt");
	make_file("releases/1", "a.txt");
	make_file("releases/2", "a.txt");
	return symlink("releases/1", at("current"));
}

static int
remove_tree(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", top);
	return system(command);
}

/* ---- in a child -------------------------------------------------------- */

struct attempt {
	const char *root, *path;
	int flags;
	int (*before)(void); /* what happens after entering, before opening */
};

static int
enter(const char *root)
{
	struct err e;

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    landlock_enter(&root, 1, &e) ? 0 : 100;
}

static int
run(int (*fn)(const void *arg), const void *arg)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
try_open(const void *arg)
{
	const struct attempt *a = arg;

	if (enter(a->root) != 0)
		return 100;
	return open(a->path, a->flags | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

/* 0 or the errno with which PATH opens for one who may read beneath ROOT. */
static int
open_under(const char *root, const char *path, int flags)
{
	struct attempt a = { .root = root, .path = path, .flags = flags };

	return run(try_open, &a);
}

#define IF_THERE() do { if (landlock_version() == 0) skip(); } while (0)

/* ---- tests ------------------------------------------------------------- */

static void
a_root_is_read_and_nothing_else(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(open_under(at("site"), at("site/a.txt"), O_RDONLY), 0);
	assert_int_equal(open_under(at("site"), at("site"),
	    O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(open_under(at("site"), at("secret.txt"), O_RDONLY),
	    EACCES);
	assert_int_equal(open_under(at("site"), at("spare/a.txt"), O_RDONLY),
	    EACCES);
	assert_int_equal(open_under(at("site"), "/etc/passwd", O_RDONLY),
	    EACCES);
	assert_int_equal(open_under(at("site"), "/proc/self/maps", O_RDONLY),
	    EACCES);
}

static void
nothing_is_written(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(open_under(at("site"), at("site/a.txt"), O_WRONLY),
	    EACCES);
	assert_int_equal(open_under(at("site"), at("site/new"),
	    O_WRONLY | O_CREAT), EACCES);
	assert_int_equal(open_under(at("site"), at("site"),
	    O_TMPFILE | O_WRONLY), EACCES);
}

static void
what_libraries_open_by_themselves_is_open(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(open_under(at("site"), "/dev/null", O_RDWR), 0);
	assert_int_equal(open_under(at("site"), "/dev/urandom", O_RDONLY), 0);
	if (access("/etc/localtime", R_OK) == 0)
		assert_int_equal(open_under(at("site"), "/etc/localtime",
		    O_RDONLY), 0);
}

static int
switch_to_2(void)
{
	return symlink("releases/2", at("next")) != 0 ||
	    rename(at("next"), at("current")) != 0;
}

static int
try_switched(const void *arg)
{
	const struct attempt *a = arg;
	pid_t other;
	int fds[2], status;
	char byte = 0;

	/* Who may not write cannot switch: a process outside does it. */
	if (pipe(fds) != 0)
		return 101;
	other = fork();
	if (other == 0) {
		if (read(fds[0], &byte, 1) != 1)
			_exit(1);
		_exit(a->before());
	}
	if (enter(a->root) != 0)
		return 100;
	if (write(fds[1], &byte, 1) != 1)
		return 101;
	if (waitpid(other, &status, 0) != other || status != 0)
		return 102;
	return open(a->path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static void
a_link_may_be_switched_to_what_is_beside(void **state)
{
	struct attempt a = {
		.root = at("current"), .before = switch_to_2
	};

	(void)state;
	IF_THERE();
	a.path = at("current/a.txt");
	assert_int_equal(run(try_switched, &a), 0);
	assert_int_equal(open_under(at("current"), at("secret.txt"), O_RDONLY),
	    EACCES);
}

static int
replace_site(void)
{
	return rename(at("site"), at("site.old")) != 0 ||
	    rename(at("spare"), at("site")) != 0;
}

static void
what_takes_the_place_of_a_root_is_not_the_root(void **state)
{
	struct attempt a = { .root = at("site"), .before = replace_site };

	(void)state;
	IF_THERE();
	a.path = at("site/a.txt");
	assert_int_equal(run(try_switched, &a), EACCES);
	assert_int_equal(rename(at("site"), at("spare")), 0);
	assert_int_equal(rename(at("site.old"), at("site")), 0);
}

static void
a_root_that_is_not_there_is_no_failure(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(open_under(at("missing"), at("site/a.txt"), O_RDONLY),
	    EACCES);
}

static void
a_root_may_be_everything(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(open_under("/", "/etc/passwd", O_RDONLY), 0);
	assert_int_equal(open_under("/", at("secret.txt"), O_WRONLY), EACCES);
}

static int
try_sockets(const void *arg)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)arg;
	snprintf(a.sun_path, sizeof a.sun_path, "%s", at("app.sock"));
	if (bind(l, (struct sockaddr *)&a, sizeof a) != 0 || listen(l, 1) != 0)
		return 1;
	if (enter(at("site")) != 0)
		return 100;
	if (connect(s, (struct sockaddr *)&a, sizeof a) != 0)
		return 2;
	if (accept(l, NULL, NULL) < 0)
		return 3;
	/* A port of its own is what an intruder would want. */
	if (landlock_version() >= 4 &&
	    bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&in,
	        sizeof in) == 0)
		return 4;
	return 0;
}

static void
unix_sockets_are_reached_and_ports_are_not_taken(void **state)
{
	(void)state;
	IF_THERE();
	assert_int_equal(run(try_sockets, NULL), 0);
}

static int
try_kill(const void *arg)
{
	(void)arg;
	if (enter(at("site")) != 0)
		return 100;
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

static void
nobody_outside_is_signalled(void **state)
{
	(void)state;
	if (landlock_version() < 6)
		skip();
	assert_int_equal(run(try_kill, NULL), EPERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_is_read_and_nothing_else),
		cmocka_unit_test(nothing_is_written),
		cmocka_unit_test(what_libraries_open_by_themselves_is_open),
		cmocka_unit_test(a_link_may_be_switched_to_what_is_beside),
		cmocka_unit_test(
		    what_takes_the_place_of_a_root_is_not_the_root),
		cmocka_unit_test(a_root_that_is_not_there_is_no_failure),
		cmocka_unit_test(a_root_may_be_everything),
		cmocka_unit_test(
		    unix_sockets_are_reached_and_ports_are_not_taken),
		cmocka_unit_test(nobody_outside_is_signalled)
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
