/*
 * Drops privileges. Order matters: groups before user, both before
 * no-new-privs, and the parent's death signal after the change of user, which
 * clears it. Then come the walls, the lock on the door last: the system calls
 * that build them are not among those that a child may make.
 */
#include "process/sandbox.h"

#include "process/landlock.h"
#include "process/syscall_filter.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
identity_find(struct identity *id, const char *user, const char *group,
    struct err *e)
{
	const struct passwd *pw;
	const struct group *gr;

	*id = (struct identity){ .uid = getuid(), .gid = getgid() };
	if (geteuid() != 0)
		return true;

	pw = getpwnam(user);
	if (pw == NULL)
		return err_set(e, "there is no user \"%s\"", user);
	id->change = true;
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	snprintf(id->name, sizeof id->name, "%s", user);
	if (group == NULL)
		return true;
	gr = getgrnam(group);
	if (gr == NULL)
		return err_set(e, "there is no group \"%s\"", group);
	id->gid = gr->gr_gid;
	return true;
}

unsigned
sandbox_raise_files(unsigned wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	if (wanted > limit.rlim_max) {
		struct rlimit higher = { wanted, wanted };

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return wanted;
	}
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	return (unsigned)limit.rlim_cur;
}

static bool
sandbox_change_user(const struct identity *id, struct err *e)
{
	if (!id->change)
		return true;
	if (initgroups(id->name, id->gid) != 0)
		return err_sys(e, "cannot take the groups of %s", id->name);
	if (setresgid(id->gid, id->gid, id->gid) != 0)
		return err_sys(e, "cannot change to group %u", id->gid);
	if (setresuid(id->uid, id->uid, id->uid) != 0)
		return err_sys(e, "cannot change to user %s", id->name);
	if (id->uid != 0 && setuid(0) == 0)
		return err_set(e, "could become root again");
	return true;
}

/* What root has, and what a service manager gave to a master that is not: to
 * take any port, or to read keys of any owner. */
static bool
sandbox_drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { { .effective = 0 } };

	/* Those that survive an exec go with those that are permitted. */
	if (syscall(SYS_capset, &head, none) != 0)
		return err_sys(e, "cannot drop capabilities");
	return true;
}

bool
sandbox_enter(const struct identity *id, pid_t parent, struct err *e)
{
	sandbox_raise_files(0);
	if (!sandbox_change_user(id, e) || !sandbox_drop_capabilities(e))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_sys(e, "cannot set no-new-privs");
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
		return err_sys(e, "cannot ask for the parent's death signal");
	/* It may have died before we asked. */
	if (getppid() != parent)
		return err_set(e, "the master is gone");
	return true;
}

bool
sandbox_forbid_dumps(struct err *e)
{
	/* A leak sanitizer looks at its own process as a debugger would. */
	if (!IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_sys(e, "cannot forbid core dumps");
	return true;
}

static bool
sandbox_has_files(void)
{
	return !IS_SANITIZED && landlock_version() > 0;
}

static bool
sandbox_has_calls(void)
{
	return !IS_SANITIZED && syscall_filter_is_there();
}

bool
sandbox_confine(const char *const *paths, size_t n, struct err *e)
{
	/* Once more: a change of user has set it as fs.suid_dumpable says. */
	if (!sandbox_forbid_dumps(e))
		return false;
	if (sandbox_has_files() && !landlock_enter(paths, n, e))
		return false;
	return !sandbox_has_calls() || syscall_filter_enter(e);
}

const char *
sandbox_describe(bool *is_whole)
{
	bool has_files = sandbox_has_files();
	bool has_calls = sandbox_has_calls();

	*is_whole = has_files && has_calls;
	if (*is_whole)
		return "workers are confined by seccomp and Landlock";
	if (IS_SANITIZED)
		return "workers are not confined: a sanitizer is built in";
	if (has_calls)
		return "workers are confined by seccomp only: there is no "
		    "Landlock in this kernel";
	if (has_files)
		return "workers are confined by Landlock only: there is no "
		    "seccomp in this kernel or for this machine";
	return "workers are not confined: there is neither seccomp nor "
	    "Landlock in this kernel";
}
