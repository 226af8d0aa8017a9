/*
 * Upgrading the binary (USR2): the old master starts the new one, which
 * inherits the listening sockets by number in the environment. Both serve
 * until the old one is told to quit.
 */
#ifndef PROCESS_UPGRADE_H
#define PROCESS_UPGRADE_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define UPGRADE_SOCKETS "WEIR_SOCKETS" /* "3;4;7" */
#define UPGRADE_PATHS "WEIR_SOCKET_PATHS" /* those with paths to remove */
#define UPGRADE_SECRET "WEIR_SECRET" /* a descriptor: see upgrade_give */
#define UPGRADE_FROM "WEIR_UPGRADE_FROM" /* pid of the old master */

struct upgrade {
	pid_t pid; /* of the new master; 0: none */
};

/* Remembers where the binary is while relative paths still lead there. */
void upgrade_init(const char *argv0);
/* Moves the pid file (PID_FILE, "" if none; changed in place) to
 * "<path>.oldbin" and starts the binary with SOCKETS open. */
bool upgrade_start(struct upgrade *u, char **argv, const char *sockets,
    char *pid_file, struct err *e);
/* The new master ended: the pid file moves back. */
void upgrade_failed(struct upgrade *u, char *pid_file);
bool upgrade_is_running(const struct upgrade *u);
/* Whether this process was started by upgrade_start of its parent. */
bool upgrade_is_successor(void);
/* N bytes at P that only a successor which is started now shall know: in
 * memory, neither on the disk nor in the environment. What to close after the
 * start; -1: it could not be done, and the successor does without. */
int upgrade_give(const void *p, size_t n);
/* As successor: exactly N bytes that were given. */
bool upgrade_take(void *p, size_t n);

#endif
