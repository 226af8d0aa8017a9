/* Descriptors: what every floor does with them and nobody should write twice. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

void fd_close(int *fd); /* closes if >= 0 and sets -1 */
bool fd_set_nonblocking(int fd, bool on);
bool fd_set_cloexec(int fd, bool on);
/* All of it, through EINTR and short writes; false with errno. */
bool fd_write_all(int fd, const void *p, size_t n);
/* The whole file, at most MAX bytes, with a NUL after it. */
bool fd_read_file(const char *path, size_t max, struct arena *a,
    struct str *out, struct err *e);
/* Writes PATH anew through a temporary file beside it and rename(2). */
bool fd_replace_file(const char *path, struct str text, unsigned mode,
    struct err *e);

#endif
