/*
 * Starts the next binary. Between fork and exec only async-signal-safe work
 * is done; everything that can fail for other reasons is done before.
 */
#include "process/upgrade.h"

#include "base/fd.h"
#include "base/str.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLD_SUFFIX ".oldbin"

static char upgrade_binary[PATH_MAX];

void
upgrade_init(const char *argv0)
{
	/* The name, not the inode: an upgrade replaces the file behind it. */
	if (strchr(argv0, '/') == NULL) {
		ssize_t n = readlink("/proc/self/exe", upgrade_binary,
		    sizeof upgrade_binary - 1);

		upgrade_binary[n > 0 ? n : 0] = '\0';
		return;
	}
	if (argv0[0] == '/' ||
	    getcwd(upgrade_binary, sizeof upgrade_binary - 1) == NULL) {
		snprintf(upgrade_binary, sizeof upgrade_binary, "%s", argv0);
		return;
	}
	{
		size_t n = strlen(upgrade_binary);

		snprintf(upgrade_binary + n, sizeof upgrade_binary - n, "/%s",
		    argv0);
	}
}

static void
keep_sockets_over_exec(const char *sockets)
{
	struct str rest = str_from(sockets), part;
	uint64_t fd;

	while (str_split(&rest, ';', &part))
		if (str_to_u64(part, &fd))
			fd_set_cloexec((int)fd, false);
}

/* The name is the successor's now. PID_FILE has room for PATH_MAX bytes. */
static bool
upgrade_set_aside(char *pid_file, struct err *e)
{
	size_t n = strlen(pid_file);
	char path[PATH_MAX];

	if (n == 0)
		return true;
	if (n + sizeof OLD_SUFFIX > sizeof path)
		return err_set(e, "%s: the path is too long", pid_file);
	memcpy(path, pid_file, n + 1);
	memcpy(pid_file + n, OLD_SUFFIX, sizeof OLD_SUFFIX);
	if (rename(path, pid_file) == 0)
		return true;
	pid_file[n] = '\0';
	return err_sys(e, "cannot rename %s", pid_file);
}

/* The service manager's watchdog is to be fed by whoever serves
 * (sd_watchdog_enabled(3)). */
static void
upgrade_inherit_watchdog(void)
{
	char pid[32];

	if (getenv("WATCHDOG_PID") == NULL)
		return;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
}

bool
upgrade_start(struct upgrade *u, char **argv, const char *sockets,
    char *pid_file, struct err *e)
{
	char from[32];
	sigset_t none;

	if (access(upgrade_binary, X_OK) != 0)
		return err_sys(e, "cannot run %s", upgrade_binary);
	if (!upgrade_set_aside(pid_file, e))
		return false;
	snprintf(from, sizeof from, "%d", (int)getpid());

	u->pid = fork();
	if (u->pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setenv(UPGRADE_SOCKETS, sockets, 1);
		setenv(UPGRADE_FROM, from, 1);
		upgrade_inherit_watchdog();
		keep_sockets_over_exec(sockets);
		execv(upgrade_binary, argv);
		_exit(127);
	}
	if (u->pid < 0) {
		u->pid = 0;
		err_sys(e, "cannot fork");
		upgrade_failed(u, pid_file);
		return false;
	}
	return true;
}

void
upgrade_failed(struct upgrade *u, char *pid_file)
{
	size_t n = strlen(pid_file);
	size_t suffix = sizeof OLD_SUFFIX - 1;
	char old[PATH_MAX];

	u->pid = 0;
	if (n <= suffix || n >= sizeof old ||
	    strcmp(pid_file + n - suffix, OLD_SUFFIX) != 0)
		return;
	memcpy(old, pid_file, n + 1);
	pid_file[n - suffix] = '\0';
	(void)rename(old, pid_file);
}

bool
upgrade_is_running(const struct upgrade *u)
{
	return u->pid > 0;
}

bool
upgrade_is_successor(void)
{
	const char *from = getenv(UPGRADE_FROM);
	uint64_t pid;

	return from != NULL && str_to_u64(str_from(from), &pid) &&
	    pid == (uint64_t)getppid();
}

int
upgrade_give(const void *p, size_t n)
{
	char number[32];
	int fd = memfd_create("weir", 0);

	if (fd < 0)
		return -1;
	if (pwrite(fd, p, n, 0) != (ssize_t)n) {
		close(fd);
		return -1;
	}
	snprintf(number, sizeof number, "%d", fd);
	setenv(UPGRADE_SECRET, number, 1);
	return fd;
}

bool
upgrade_take(void *p, size_t n)
{
	const char *number = getenv(UPGRADE_SECRET);
	struct stat st;
	uint64_t fd;
	bool ok;

	if (number == NULL || !upgrade_is_successor() ||
	    !str_to_u64(str_from(number), &fd) || fd > INT_MAX)
		return false;
	unsetenv(UPGRADE_SECRET);
	/* Another version may have had another idea of it. */
	ok = fstat((int)fd, &st) == 0 && st.st_size == (off_t)n &&
	    pread((int)fd, p, n, 0) == (ssize_t)n;
	close((int)fd);
	return ok;
}
