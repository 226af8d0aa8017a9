/*
 * Landlock, by its system calls: the headers of a build may know an older
 * version than the kernel that it runs on, so every number is here. Rules are
 * for directories as they are when the rule is made; one that takes the place
 * of another later has none.
 *
 * Connecting to a unix socket is not opening a file, and stays possible.
 */
#include "process/landlock.h"

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every machine, as all numbers since Linux 5.1. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE 445
#define CALL_RESTRICT_SELF 446
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define NET_BIND_TCP UINT64_C(1)
#define SCOPE_SIGNAL UINT64_C(2)

struct ruleset_attr {
	uint64_t fs;    /* version 1 */
	uint64_t net;   /* version 4 */
	uint64_t scope; /* version 6 */
};

struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* What each version added to what can be forbidden; we forbid all of it. What
 * versions after the last forbid is new to us and stays as it was. */
static const struct {
	int version;
	struct ruleset_attr forbids;
	size_t size; /* of the struct that it takes */
} landlock_versions[] = {
	{ 1, { .fs = 0x1fff }, offsetof(struct ruleset_attr, net) },
	{ 2, { .fs = 1 << 13 }, offsetof(struct ruleset_attr, net) },
	{ 3, { .fs = 1 << 14 }, offsetof(struct ruleset_attr, net) },
	{ 4, { .net = NET_BIND_TCP }, offsetof(struct ruleset_attr, scope) },
	{ 5, { .fs = 1 << 15 }, offsetof(struct ruleset_attr, scope) },
	{ 6, { .scope = SCOPE_SIGNAL }, sizeof(struct ruleset_attr) }
};

/* What the C library and OpenSSL open when they please. */
static const struct {
	const char *path;
	uint64_t allowed;
} landlock_public[] = {
	{ "/dev/null", FS_READ_FILE | FS_WRITE_FILE },
	{ "/dev/urandom", FS_READ_FILE },
	{ "/etc/localtime", FS_READ_FILE },
	{ "/usr/share/zoneinfo", FS_READ_FILE | FS_READ_DIR }
};

int
landlock_version(void)
{
	long version = syscall(CALL_CREATE_RULESET, NULL, 0,
	    CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static int
landlock_open(int version)
{
	struct ruleset_attr all = { .fs = 0 };
	size_t size = 0;

	for (size_t i = 0; i < COUNT_OF(landlock_versions); i++) {
		if (landlock_versions[i].version > version)
			break;
		all.fs |= landlock_versions[i].forbids.fs;
		all.net |= landlock_versions[i].forbids.net;
		all.scope |= landlock_versions[i].forbids.scope;
		size = landlock_versions[i].size;
	}
	return (int)syscall(CALL_CREATE_RULESET, &all, size, 0u);
}

/* False only when the kernel does not take a rule for what is there. */
static bool
landlock_allow(int ruleset, const char *path, uint64_t allowed)
{
	struct path_attr rule = { .allowed = allowed };
	struct stat st;
	bool is_good = true;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return true;
	if (fstat(rule.fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			rule.allowed &= ~FS_READ_DIR;
		is_good = syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH,
		    &rule, 0u) == 0;
	}
	close(rule.fd);
	return is_good;
}

/* What stands beside the target of the symbolic link LINK. */
static bool
landlock_allow_beside(int ruleset, const char *link)
{
	char target[PATH_MAX];

	if (realpath(link, target) == NULL)
		return true;
	*strrchr(target, '/') = '\0';
	/* In "/" itself stand all files there are. */
	return target[0] == '\0' ||
	    landlock_allow(ruleset, target, FS_READ_FILE | FS_READ_DIR);
}

static bool
landlock_allow_links(int ruleset, const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	size_t n = 0;

	if (strlen(path) >= sizeof part)
		return true;
	while (path[n] != '\0') {
		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
		memcpy(part, path, n);
		part[n] = '\0';
		if (lstat(part, &st) != 0)
			return true;
		if (S_ISLNK(st.st_mode) &&
		    !landlock_allow_beside(ruleset, part))
			return false;
	}
	return true;
}

static bool
landlock_fill(int ruleset, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < COUNT_OF(landlock_public); i++)
		if (!landlock_allow(ruleset, landlock_public[i].path,
		        landlock_public[i].allowed))
			return false;
	for (size_t i = 0; i < n; i++)
		if (!landlock_allow(ruleset, paths[i],
		        FS_READ_FILE | FS_READ_DIR) ||
		    !landlock_allow_links(ruleset, paths[i]))
			return false;
	return true;
}

bool
landlock_enter(const char *const *paths, size_t n, struct err *e)
{
	int ruleset = landlock_open(landlock_version());
	bool is_in;

	if (ruleset < 0)
		return err_sys(e, "cannot make a Landlock ruleset");
	is_in = landlock_fill(ruleset, paths, n) &&
	    syscall(CALL_RESTRICT_SELF, ruleset, 0u) == 0;
	if (!is_in)
		err_sys(e, "cannot be confined by Landlock");
	close(ruleset);
	return is_in;
}
