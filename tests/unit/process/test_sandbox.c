/* What a child gives up, looked at from inside a child that did. As root all
 * of it; as anybody else what is left of it. */
#include "process/sandbox.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#define AS_ROOT() do { if (geteuid() != 0) skip(); } while (0)

/* Exit status of CHECK in a child that has entered; 100: it could not. */
static int
inside(const struct identity *id, int (*check)(const struct identity *id))
{
	pid_t self = getpid(), child = fork();
	struct err e;
	int status;

	if (child == 0)
		_exit(sandbox_enter(id, self, &e) ? check(id) : 100);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static struct identity
identity_of(const char *user, const char *group)
{
	struct identity id;
	struct err e;

	assert_true(identity_find(&id, user, group, &e));
	return id;
}

static int
check_ids(const struct identity *id)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (getresuid(&r, &e, &s) != 0 || r != id->uid || e != id->uid ||
	    s != id->uid)
		return 1;
	if (getresgid(&gr, &ge, &gs) != 0 || gr != id->gid || ge != id->gid ||
	    gs != id->gid)
		return 2;
	if (setuid(0) == 0 || setgid(0) == 0)
		return 3;
	return 0;
}

static int
check_groups(const struct identity *id)
{
	gid_t groups[64];
	int n = getgroups(64, groups);

	/* Root's own groups must not have come along. */
	for (int i = 0; i < n; i++)
		if (groups[i] == 0)
			return 1;
	for (int i = 0; i < n; i++)
		if (groups[i] == id->gid)
			return 0;
	return 2;
}

static int
check_prctl(const struct identity *id)
{
	int signo = 0;

	(void)id;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (prctl(PR_GET_PDEATHSIG, &signo) != 0 || signo != SIGTERM)
		return 2;
	return 0;
}

static int
check_capabilities(const struct identity *id)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	(void)id;
	if (syscall(SYS_capget, &head, data) != 0)
		return 1;
	for (int i = 0; i < 2; i++)
		if (data[i].effective != 0 || data[i].permitted != 0)
			return 2;
	/* Bit by bit, the ambient ones: NET_BIND_SERVICE is number 10. */
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 10, 0, 0) != 0;
}

/* After the walls are up: PATHS is /usr only. */
static bool
confine(void)
{
	const char *paths[] = { "/usr" };
	struct err e;

	return sandbox_confine(paths, COUNT_OF(paths), &e);
}

static int
check_not_dumpable(const struct identity *id)
{
	(void)id;
	return !confine() || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
}

static int
check_confined(const struct identity *id)
{
	(void)id;
	if (!confine())
		return 1;
	if (open("/usr", O_RDONLY | O_DIRECTORY) < 0)
		return 2;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 3;
	if (fork() >= 0 || errno != ENOSYS)
		return 4;
	return 0;
}

static int
check_files(const struct identity *id)
{
	struct rlimit limit;

	(void)id;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	return limit.rlim_cur == limit.rlim_max ? 0 : 2;
}

static void
a_child_is_its_user_for_good(void **state)
{
	struct identity id;

	(void)state;
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_true(id.change && id.uid != 0);
	assert_int_equal(inside(&id, check_ids), 0);
}

static void
a_child_has_its_users_groups_only(void **state)
{
	struct identity id;

	(void)state;
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_int_equal(inside(&id, check_groups), 0);
}

static void
a_group_of_its_own_may_be_named(void **state)
{
	struct identity id;

	(void)state;
	AS_ROOT();
	id = identity_of("nobody", "daemon");
	assert_int_equal(id.gid, getgrnam("daemon")->gr_gid);
	assert_int_equal(inside(&id, check_ids), 0);
}

static void
who_does_not_exist_is_refused_by_name(void **state)
{
	struct identity id;
	struct err e;

	(void)state;
	AS_ROOT();
	assert_false(identity_find(&id, "no-such-user", NULL, &e));
	assert_string_equal(e.text, "there is no user \"no-such-user\"");
	assert_false(identity_find(&id, "nobody", "no-such-group", &e));
	assert_string_equal(e.text, "there is no group \"no-such-group\"");
}

static void
whoever_is_not_root_stays_who_they_are(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct identity id;
		struct err e;

		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		if (!identity_find(&id, "no-such-user", NULL, &e))
			_exit(2);
		_exit(id.change || id.uid != getuid() || id.gid != getgid());
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void
no_new_rights_and_no_life_without_a_master(void **state)
{
	struct identity id = identity_of("root", NULL);

	(void)state;
	assert_int_equal(inside(&id, check_prctl), 0);
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_int_equal(inside(&id, check_prctl), 0);
}

static void
a_child_has_no_capability_whoever_it_is(void **state)
{
	struct identity id = identity_of("root", NULL);

	(void)state;
	assert_int_equal(inside(&id, check_capabilities), 0);
	id.change = false;
	assert_int_equal(inside(&id, check_capabilities), 0);
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_int_equal(inside(&id, check_capabilities), 0);
}

static void
a_child_leaves_no_core(void **state)
{
	struct identity id = identity_of("root", NULL);

	(void)state;
	if (IS_SANITIZED)
		skip();
	id.change = false;
	assert_int_equal(inside(&id, check_not_dumpable), 0);
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_int_equal(inside(&id, check_not_dumpable), 0);
}

static void
a_confined_child_reads_its_roots_only_and_stays_one(void **state)
{
	struct identity id = identity_of("root", NULL);
	bool is_whole;

	(void)state;
	(void)sandbox_describe(&is_whole);
	if (!is_whole)
		skip();
	id.change = false;
	assert_int_equal(inside(&id, check_confined), 0);
	AS_ROOT();
	id = identity_of("nobody", NULL);
	assert_int_equal(inside(&id, check_confined), 0);
}

static void
the_limit_of_files_is_raised(void **state)
{
	struct identity id = identity_of("root", NULL);
	struct rlimit before, low;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &low);
	assert_int_equal(inside(&id, check_files), 0);
	assert_int_equal(sandbox_raise_files(0), before.rlim_max);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void
an_orphan_does_not_start(void **state)
{
	struct identity id = identity_of("root", NULL);
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct err e;

		/* Whoever it takes for its master is not its parent. */
		_exit(sandbox_enter(&id, 1, &e) ||
		    strcmp(e.text, "the master is gone") != 0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void
who_may_not_change_users_must_not_run(void **state)
{
	struct identity id = {
		.change = true, .uid = 1, .gid = 1, .name = "daemon"
	};
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct err e;

		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		_exit(sandbox_enter(&id, getppid(), &e) ||
		    strstr(e.text, "cannot take the groups") == NULL);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_its_user_for_good),
		cmocka_unit_test(a_child_has_its_users_groups_only),
		cmocka_unit_test(a_group_of_its_own_may_be_named),
		cmocka_unit_test(who_does_not_exist_is_refused_by_name),
		cmocka_unit_test(whoever_is_not_root_stays_who_they_are),
		cmocka_unit_test(no_new_rights_and_no_life_without_a_master),
		cmocka_unit_test(a_child_has_no_capability_whoever_it_is),
		cmocka_unit_test(a_child_leaves_no_core),
		cmocka_unit_test(
		    a_confined_child_reads_its_roots_only_and_stays_one),
		cmocka_unit_test(the_limit_of_files_is_raised),
		cmocka_unit_test(an_orphan_does_not_start),
		cmocka_unit_test(who_may_not_change_users_must_not_run)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
