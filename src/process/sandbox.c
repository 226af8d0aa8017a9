/*
 * Drops privileges. Order matters: groups before user, both before
 * no-new-privs, and the parent's death signal after the change of user, which
 * clears it.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

bool
sandbox_enter(const struct identity *id, pid_t parent, struct err *e)
{
	sandbox_raise_files(0);
	if (!sandbox_change_user(id, e))
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
