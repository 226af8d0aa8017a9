/*
 * Containment: the one place that turns a request's path into a descriptor.
 * The kernel does the work (openat2 with RESOLVE_BENEATH). Where that call is
 * missing or filtered, the path is walked a component at a time, every
 * directory on the way held open, so that ".." means the directory we came
 * from even while somebody renames. Nothing here looks at what a file is, and
 * nothing is remembered between calls.
 */
#include "http/file_open.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

/* As many links as the kernel follows (path_resolution(7)). */
#define WALK_LINKS_MAX 40
/* Directories that are held open during a walk by hand. */
#define WALK_DEPTH_MAX 128
/* openat2 says EAGAIN when a rename raced with "..": worth another try. */
#define OPEN_TRIES 8

#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int
open_how(int at, const char *path, int flags, unsigned long resolve)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC), .resolve = resolve
	};

	/* O_PATH opens nothing that could wait, and allows few flags. */
	if ((flags & O_PATH) == 0)
		how.flags |= OPEN_FLAGS;
	return (int)syscall(SYS_openat2, at, path, &how, sizeof how);
}

/* Whether openat2 failed because there is none, or not with these flags. */
static bool
open_is_missing(int error)
{
	return error == ENOSYS || error == EPERM || error == EINVAL ||
	    error == E2BIG;
}

static int
open_plain(int at, const char *path, int flags)
{
	return openat(at, path,
	    flags | ((flags & O_PATH) ? O_CLOEXEC : OPEN_FLAGS));
}

/* EAGAIN is the answer for all that only a call that may block can tell. */
static int
open_cached(int at, const char *path, int flags, unsigned long resolve)
{
	int fd = open_how(at, path, flags, resolve | RESOLVE_CACHED);

	if (fd < 0 && open_is_missing(errno))
		errno = EAGAIN;
	return fd;
}

int
file_open_root(const char *path, enum file_open_mode mode)
{
	const int flags = O_PATH | O_DIRECTORY;

	if (mode == FILE_OPEN_CACHED)
		return open_cached(AT_FDCWD, path, flags, 0);
	return open_plain(AT_FDCWD, path, flags);
}

/* ---- by hand ----------------------------------------------------------- */

struct walk {
	int dirs[WALK_DEPTH_MAX]; /* dirs[0] is the caller's root */
	unsigned depth;           /* of the directory we are in */
	unsigned links;
	int flags;
	enum file_symlinks symlinks;
	char path[PATH_MAX]; /* what is still to be walked */
};

static void
walk_up(struct walk *w)
{
	fd_close(&w->dirs[w->depth--]);
}

/* Takes the first component off the path; NAME has room for NAME_MAX + 1. */
static bool
walk_next(struct walk *w, char *name)
{
	const char *from = w->path + strspn(w->path, "/");
	size_t n = strcspn(from, "/");

	if (n > NAME_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(name, from, n);
	name[n] = '\0';
	/* The slashes stay: "x/" must be a directory. */
	memmove(w->path, from + n, strlen(from + n) + 1);
	return true;
}

static bool
walk_is_over(const struct walk *w)
{
	return w->path[strspn(w->path, "/")] == '\0';
}

/* Puts the target of LINK before what is still to be walked. */
static bool
walk_follow(struct walk *w, int link)
{
	char target[PATH_MAX];
	ssize_t n;

	if (w->symlinks == FILE_SYMLINKS_NEVER ||
	    ++w->links > WALK_LINKS_MAX) {
		errno = ELOOP;
		return false;
	}
	n = readlinkat(link, "", target, sizeof target);
	if (n < 0)
		return false;
	if (n == 0 || target[0] == '/') {
		errno = n == 0 ? ENOENT : EXDEV;
		return false;
	}
	if ((size_t)n + strlen(w->path) >= sizeof w->path) {
		errno = ENAMETOOLONG;
		return false;
	}
	memmove(w->path + n, w->path, strlen(w->path) + 1);
	memcpy(w->path, target, (size_t)n);
	return true;
}

/* Goes into NAME, or opens it when it is the last: *OUT. */
static bool
walk_step(struct walk *w, const char *name, int *out)
{
	int at = w->dirs[w->depth];
	struct stat st;
	int fd;

	fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0)
		goto fail;

	if (S_ISLNK(st.st_mode)) {
		if (!walk_follow(w, fd))
			goto fail;
		close(fd);
		return true;
	}
	if (w->path[0] == '\0') {
		if (w->flags & O_PATH) {
			*out = fd;
			return true;
		}
		close(fd);
		*out = open_plain(at, name, w->flags | O_NOFOLLOW);
		return *out >= 0;
	}
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		goto fail;
	}
	if (w->depth + 1 == WALK_DEPTH_MAX) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	w->dirs[++w->depth] = fd;
	return true;

fail:
	fd_close(&fd);
	return false;
}

static int
walk_run(struct walk *w)
{
	char name[NAME_MAX + 1];
	int fd = -1;

	while (fd < 0 && !walk_is_over(w)) {
		if (!walk_next(w, name))
			return -1;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") != 0) {
			if (!walk_step(w, name, &fd))
				return -1;
			continue;
		}
		if (w->depth == 0) {
			errno = EXDEV;
			return -1;
		}
		walk_up(w);
	}
	return fd >= 0 ? fd : open_plain(w->dirs[w->depth], ".", w->flags);
}

static int
open_walking(int root, const char *path, int flags,
    enum file_symlinks symlinks)
{
	struct walk w;
	int fd, error;

	if (strlen(path) >= sizeof w.path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	w.dirs[0] = root;
	w.depth = w.links = 0;
	w.flags = flags;
	w.symlinks = symlinks;
	memcpy(w.path, path, strlen(path) + 1);

	fd = walk_run(&w);
	error = errno;
	while (w.depth > 0)
		walk_up(&w);
	errno = error;
	return fd;
}

/* ---- by the kernel ----------------------------------------------------- */

static unsigned long
open_resolve(enum file_symlinks symlinks)
{
	switch (symlinks) {
	case FILE_SYMLINKS_NEVER:
		return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	case FILE_SYMLINKS_INSIDE:
		return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	case FILE_SYMLINKS_ALWAYS:
		break;
	}
	return 0;
}

static bool
open_is_climbing(const char *path)
{
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			return false;
		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n;
	}
}

int
file_open_beneath(int root, const char *path, int flags,
    enum file_symlinks symlinks, enum file_open_mode mode)
{
	unsigned long resolve = open_resolve(symlinks);
	int fd = -1;

	path += strspn(path, "/");
	if (*path == '\0')
		path = ".";

	/* Links may lead anywhere then, but not the request itself. */
	if (symlinks == FILE_SYMLINKS_ALWAYS && open_is_climbing(path)) {
		errno = EXDEV;
		return -1;
	}
	if (mode == FILE_OPEN_CACHED)
		return open_cached(root, path, flags, resolve);
	if (symlinks == FILE_SYMLINKS_ALWAYS)
		return open_plain(root, path, flags);
	if (mode == FILE_OPEN_WALK)
		return open_walking(root, path, flags, symlinks);

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = open_how(root, path, flags, resolve);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	if (fd < 0 && open_is_missing(errno))
		return open_walking(root, path, flags, symlinks);
	return fd;
}
