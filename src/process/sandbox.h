/* What a child gives up before it touches a byte from outside. */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool change; /* the master runs as root */
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* USER and GROUP (NULL: the user's own) as numbers. */
bool identity_find(struct identity *id, const char *user, const char *group,
    struct err *e);

/*
 * In a child: dies with its parent, raises RLIMIT_NOFILE to the hard limit,
 * changes to ID for good, drops every capability, sets no-new-privs. Any
 * failure is final: a worker with rights it should not
 * have must not run.
 */
bool sandbox_enter(const struct identity *id, pid_t parent, struct err *e);
/* Private keys and ticket keys are in the memory of every process. */
bool sandbox_forbid_dumps(struct err *e);
/*
 * After sandbox_enter, for good: no core dumps, and only the system calls and
 * the files, beneath PATHS, that a child needs; as far as the kernel has what
 * it takes.
 */
bool sandbox_confine(const char *const *paths, size_t n, struct err *e);
/* What of it there is, in a sentence for the log; *IS_WHOLE: all of it. */
const char *sandbox_describe(bool *is_whole);
/* RLIMIT_NOFILE up to the hard limit (root: up to WANTED); how many it is. */
unsigned sandbox_raise_files(unsigned wanted);

#endif
