/* The system calls that a child may make, kept by the kernel (seccomp). */
#ifndef PROCESS_SYSCALL_FILTER_H
#define PROCESS_SYSCALL_FILTER_H

#include "base/err.h"

#include <stdbool.h>

/* Whether this kernel, machine and build have it. */
bool syscall_filter_is_there(void);
/*
 * From now on this thread, and those that it starts, make only the calls in
 * the table; for good. No-new-privs must be set. What is in no table fails with
 * ENOSYS, and the kernel's log names it; to start a program or to trace another
 * process is answered with SIGSYS, which ends in a crash report.
 */
bool syscall_filter_enter(struct err *e);

#endif
