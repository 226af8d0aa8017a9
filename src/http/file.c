/*
 * Looking at a file: open it as a mere place first, so that nothing happens to
 * a fifo or a device that stands there, compare with what is known, and only
 * then open it for reading. Runs in pool threads, and in the loop in the mode
 * that gives up where the disk would be needed. Who keeps files, and for how
 * long, is the business of file_cache.
 */
#include "http/file.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Times of files advance with the kernel's tick (10 ms at worst, at HZ=100):
 * two changes within one cannot be told apart. With a margin. */
#define RACY_NS 50000000

/* A file that changes while it is read is read again, so often. */
#define READ_TRIES 3

static struct file *
file_new(enum file_kind kind, int error, size_t room)
{
	struct file *f = mem_alloc(sizeof *f + room);

	*f = (struct file){
		.magic = FILE_MAGIC, .refs = 1, .kind = kind, .error = error,
		.fd = -1
	};
	return f;
}

struct file *
file_ref(struct file *f)
{
	OBJ_CHECK(f, FILE_MAGIC);
	f->refs++;
	return f;
}

void
file_unref(struct file *f)
{
	if (f == NULL)
		return;
	OBJ_CHECK(f, FILE_MAGIC);
	if (--f->refs > 0)
		return;
	fd_close(&f->fd);
	f->magic = 0;
	mem_free(f);
}

static enum file_kind
file_kind_of_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return FILE_MISSING;
	case EACCES:
	case EPERM:
	case EXDEV:
	case ELOOP:
		return FILE_FORBIDDEN;
	default:
		return FILE_FAILED;
	}
}

static bool
time_is_same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
stat_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	    a->st_gid == b->st_gid && a->st_size == b->st_size &&
	    time_is_same(a->st_mtim, b->st_mtim) &&
	    time_is_same(a->st_ctim, b->st_ctim);
}

static bool
stat_is_racy(const struct stat *st)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - st->st_ctim.tv_sec > 1)
		return false;
	age = (int64_t)(now.tv_sec - st->st_ctim.tv_sec) * 1000000000 +
	    (now.tv_nsec - st->st_ctim.tv_nsec);
	return age < RACY_NS;
}

/* ---- opening ----------------------------------------------------------- */

/* What stands at the place: 0 or errno. */
static int
place_stat(const struct file_place *at, int root, enum file_open_mode mode,
    struct stat *st)
{
	int fd = file_open_beneath(root, at->path, O_PATH, at->symlinks, mode);
	int error = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, st) != 0)
		error = errno;
	close(fd);
	return error;
}

/* A regular file, open for reading: 0 or errno. */
static int
place_open(const struct file_place *at, int root, enum file_open_mode mode,
    struct stat *st, int *out)
{
	int fd = file_open_beneath(root, at->path, O_RDONLY, at->symlinks,
	    mode);
	int error = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, st) != 0)
		error = errno;
	else if (!S_ISREG(st->st_mode))
		error = ENOENT; /* replaced since we looked */
	if (error != 0)
		close(fd);
	else
		*out = fd;
	return error;
}

/*
 * Whether it was not its mode that kept it from us, of which alone access(2)
 * tells, but the sandbox: it lets us read beneath roots as they were when we
 * started, not what has taken their place since.
 */
static bool
place_is_confined(const struct file_place *at, int root,
    enum file_open_mode mode)
{
	int fd = file_open_beneath(root, at->path, O_PATH, at->symlinks, mode);
	bool is_permitted;

	if (fd < 0)
		return false;
	is_permitted = faccessat(fd, "", R_OK, AT_EMPTY_PATH) == 0;
	close(fd);
	return is_permitted;
}

/* ---- reading ----------------------------------------------------------- */

/* All of it: 0 or errno; EAGAIN in cached mode when the disk is needed. */
static int
content_read(int fd, enum file_open_mode mode, char *p, size_t n)
{
	int flags = mode == FILE_OPEN_CACHED ? RWF_NOWAIT : 0;
	size_t at = 0;

	while (at < n) {
		struct iovec iov = { p + at, n - at };
		ssize_t got = preadv2(fd, &iov, 1, (off_t)at, flags);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return flags != 0 ? EAGAIN : errno;
		if (got == 0)
			return ESTALE; /* shorter than it was */
		at += (size_t)got;
	}
	return 0;
}

/*
 * Reads the content so that it is that of one moment: the times are the same
 * before and after. *ST is of that moment. 0, errno, or ESTALE when the file
 * did not keep still; then it is served from its descriptor, as a large one.
 */
static int
content_read_stable(int fd, enum file_open_mode mode, char *p, struct stat *st)
{
	for (int i = 0; i < READ_TRIES; i++) {
		struct stat after;
		int error = content_read(fd, mode, p, (size_t)st->st_size);

		if (error != 0 && error != ESTALE)
			return error;
		if (fstat(fd, &after) != 0)
			return errno;
		if (error == 0 && stat_is_same(st, &after))
			return 0;
		if (after.st_size > FILE_CONTENT_MAX ||
		    after.st_size > st->st_size)
			break; /* no room was made for that */
		*st = after;
	}
	return ESTALE;
}

/* ---- describing -------------------------------------------------------- */

static bool
fd_is_in_memory_fs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* The validators. Without the inode: the same file has the same tag on every
 * machine that has it. */
static void
file_describe(struct file *f)
{
	const struct timespec *m = &f->st.st_mtim;
	int64_t now = time(NULL);
	int n = snprintf(f->etag_room, sizeof f->etag_room, "\"%llx-%llx\"",
	    (unsigned long long)m->tv_sec * 1000000000u +
	    (unsigned long long)m->tv_nsec,
	    (unsigned long long)f->st.st_size);

	f->etag = str_of(f->etag_room, (size_t)n);
	f->size = (uint64_t)f->st.st_size;
	/* Not later than the response itself (RFC 9110 section 8.8.2.1). */
	f->modified = m->tv_sec < now ? m->tv_sec : now;
	if (f->modified < 0)
		f->modified = 0;
	http_date_format(f->modified, f->date_room);
	f->modified_text = str_of(f->date_room, HTTP_DATE_TEXT);
	f->is_racy = stat_is_racy(&f->st);
}

/* Takes over FD. 0 or errno. */
static int
file_read(const struct file_place *at, int fd, const struct stat *st,
    enum file_open_mode mode, struct file **out)
{
	bool is_small = st->st_size <= FILE_CONTENT_MAX;
	size_t room = is_small ? (size_t)st->st_size : 0;
	struct file *f = file_new(FILE_REGULAR, 0, at->type.n + room);
	char *type = (char *)(f + 1);
	int error = 0;

	memcpy(type, at->type.p, at->type.n);
	f->type = str_of(type, at->type.n);
	f->fd = fd;
	f->st = *st;
	if (is_small)
		error = content_read_stable(fd, mode, type + at->type.n,
		    &f->st);
	if (error != 0 && error != ESTALE) {
		file_unref(f);
		return error;
	}
	if (is_small && error == 0) {
		f->content = str_of(type + at->type.n, (size_t)f->st.st_size);
		fd_close(&f->fd);
	} else {
		f->is_in_memory_fs = fd_is_in_memory_fs(fd);
	}
	file_describe(f);
	*out = f;
	return 0;
}

/* ---- looking ----------------------------------------------------------- */

static enum file_look
look_failed(const struct file *known, int error, enum file_kind kind,
    enum file_open_mode mode, struct file **out)
{
	if (error == EAGAIN && mode == FILE_OPEN_CACHED)
		return FILE_LOOK_BLOCKS;
	if (known != NULL && known->error == error && known->kind == kind)
		return FILE_LOOK_SAME;
	*out = file_new(kind, error, 0);
	return FILE_LOOK_NEW;
}

static enum file_look
look_beneath(const struct file_place *at, int root, const struct file *known,
    enum file_open_mode mode, struct file **out)
{
	enum file_kind kind;
	struct stat st;
	int fd = -1;
	int error = place_stat(at, root, mode, &st);

	if (error == 0 && known != NULL && known->error == 0 &&
	    !known->is_racy && stat_is_same(&known->st, &st))
		return FILE_LOOK_SAME;
	if (error == 0 && S_ISDIR(st.st_mode)) {
		*out = file_new(FILE_DIRECTORY, 0, 0);
		(*out)->st = st;
		return FILE_LOOK_NEW;
	}
	if (error == 0 && !S_ISREG(st.st_mode))
		error = ENOENT;
	if (error == 0)
		error = place_open(at, root, mode, &st, &fd);
	if (error == 0)
		error = file_read(at, fd, &st, mode, out);
	if (error == 0)
		return FILE_LOOK_NEW;
	kind = file_kind_of_error(error);
	if (error == EACCES && place_is_confined(at, root, mode))
		kind = FILE_CONFINED;
	return look_failed(known, error, kind, mode, out);
}

enum file_look
file_look(const struct file_place *at, const struct file *known,
    enum file_open_mode mode, struct file **out)
{
	enum file_look found;
	int root = file_open_root(at->root, mode);

	if (root < 0)
		return look_failed(known, errno, file_kind_of_error(errno),
		    mode, out);
	found = look_beneath(at, root, known, mode, out);
	close(root);
	return found;
}
