/* The files that a child may reach, kept by the kernel (Landlock). */
#ifndef PROCESS_LANDLOCK_H
#define PROCESS_LANDLOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The version that this kernel has; 0: none. */
int landlock_version(void);
/*
 * From now on this thread, and those that it starts, open only what is beneath
 * PATHS, and a few public files, and only for reading; for good. What is open
 * stays so. No-new-privs must be set.
 *
 * A path that does not exist gives nothing. Where one leads through a symbolic
 * link, what stands beside the link's target may be read as well: a link is
 * there to be switched.
 */
bool landlock_enter(const char *const *paths, size_t n, struct err *e);

#endif
