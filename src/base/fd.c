/* Descriptors and whole files. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool
fd_set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return false;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) == 0;
}

bool
fd_set_nonblocking(int fd, bool on)
{
	return fd_set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool
fd_set_cloexec(int fd, bool on)
{
	return fd_set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

bool
fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

static bool
fd_read_too_large(const char *path, size_t max, struct err *e)
{
	return err_set(e, "%s is larger than %zu bytes", path, max);
}

static bool
fd_read_open(int fd, const char *path, size_t max, struct arena *a,
    struct str *out, struct err *e)
{
	size_t cap = 4096, n = 0;
	struct stat st;
	char *p;

	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot read %s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, "cannot read %s: it is a directory", path);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		return fd_read_too_large(path, max, e);
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		cap = (size_t)st.st_size + 1;
	p = arena_alloc(a, cap + 1);
	for (;;) {
		ssize_t got;

		if (n > max)
			return fd_read_too_large(path, max, e);
		if (n == cap) {
			char *more = arena_alloc(a, cap * 2 + 1);

			memcpy(more, p, n);
			p = more;
			cap *= 2;
		}
		got = read(fd, p + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "cannot read %s", path);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	p[n] = '\0';
	*out = str_of(p, n);
	return true;
}

bool
fd_read_file(const char *path, size_t max, struct arena *a, struct str *out,
    struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	if (fd < 0)
		return err_sys(e, "cannot open %s", path);
	ok = fd_read_open(fd, path, max, a, out, e);
	close(fd);
	return ok;
}

bool
fd_replace_file(const char *path, struct str text, unsigned mode,
    struct err *e)
{
	char temporary[4200];
	bool ok;
	int fd;

	if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >=
	    sizeof temporary)
		return err_set(e, "%s: the path is too long", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot write %s", path);
	ok = fchmod(fd, mode) == 0 && fd_write_all(fd, text.p, text.n);
	/* Some file systems tell only when closing that there is no room. */
	ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
	if (ok)
		return true;
	err_sys(e, "cannot write %s", path);
	(void)unlink(temporary);
	return false;
}
