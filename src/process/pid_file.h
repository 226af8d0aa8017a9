/*
 * The pid file and, beside it, the verdict: one line in which the master says
 * how its last start, reload or upgrade ended, so that `weir -s` can wait for
 * it and repeat it.
 */
#ifndef PROCESS_PID_FILE_H
#define PROCESS_PID_FILE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool pid_file_write(const char *path, pid_t pid, struct err *e);
/* The pid in it, if a process of that pid is alive; else 0 with E. */
pid_t pid_file_read(const char *path, struct err *e);
/* Removes it if PID is in it. */
void pid_file_remove(const char *path, pid_t pid);

struct verdict_line {
	pid_t pid;
	uint64_t sequence; /* grows with each verdict of one master */
	bool ok;
	char text[4096]; /* diagnostics when not ok */
};
/* "<path>.verdict"; failures are logged, they break nothing. */
void verdict_write(const char *path, const struct verdict_line *v);
bool verdict_read(const char *path, struct verdict_line *v);

#endif
