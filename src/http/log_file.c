/*
 * The files of a generation that transactions are logged to: found by path,
 * opened by the master, written by workers. Every descriptor is one of our own,
 * also for the standard streams, so that writing never waits for a reader and
 * never changes how others write to the same place. What is gathered, and when
 * it is written, is its user's business.
 */
#include "http/log_file.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_FILE_MODE 0640
#define LOG_FILE_FLAGS (O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* ---- the list ---------------------------------------------------------- */

struct log_file *
log_file_get(struct conf_load *load, struct generation *g, const char *path,
    struct conf_pos pos)
{
	struct arena *a = conf_arena(load);
	struct log_file **more, *f = log_file_find(g, str_from(path));
	size_t n = g->n_log_files;

	if (f != NULL)
		return f;

	/* Doubled at every power of two. */
	if ((n & (n - 1)) == 0) {
		more = arena_alloc(a, (n + 1) * 2 * sizeof *more);
		if (n > 0)
			memcpy(more, g->log_files, n * sizeof *more);
		g->log_files = more;
	}
	f = arena_zalloc(a, sizeof *f);
	f->path = arena_strdup(a, path);
	f->fd = -1;
	f->index = (unsigned)n;
	f->pos = pos;
	g->log_files[g->n_log_files++] = f;
	return f;
}

struct log_file *
log_file_find(const struct generation *g, struct str path)
{
	for (size_t i = 0; i < g->n_log_files; i++)
		if (str_eq(str_from(g->log_files[i]->path), path))
			return g->log_files[i];
	return NULL;
}

size_t
log_file_count(const struct generation *g)
{
	return g->n_log_files;
}

struct log_file *
log_file_at(const struct generation *g, size_t i)
{
	return g->log_files[i];
}

/* ---- opening ----------------------------------------------------------- */

/*
 * Writing to a fifo fails as long as nobody reads it. Opened for both, which
 * Linux allows, it waits for its reader instead (fifo(7)).
 */
static int
log_file_open_existing(const char *path)
{
	int fd = open(path, O_WRONLY | LOG_FILE_FLAGS);

	if (fd < 0 && errno == ENXIO)
		fd = open(path, O_RDWR | LOG_FILE_FLAGS);
	return fd;
}

/*
 * Not through a symbolic link: whoever can put one into the directory could
 * have root make any file, and get it as a present.
 */
static int
log_file_make(const char *path, unsigned uid, unsigned gid)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | LOG_FILE_FLAGS,
	    LOG_FILE_MODE);

	if (fd >= 0 && geteuid() == 0 && fchown(fd, uid, gid) != 0)
		fd_close(&fd);
	return fd;
}

static void
log_file_explain(const char *path, int why, struct err *e)
{
	const char *slash = strrchr(path, '/');
	int dir = slash != NULL ? (int)(slash - path) : 0;
	char name[PATH_MAX];
	struct stat st;

	snprintf(name, sizeof name, "%.*s", dir, path);
	if (why == ENOENT && dir > 0 && stat(name, &st) != 0) {
		err_set(e, "cannot open the log %s: the directory %s does "
		    "not exist", path, name);
	} else if (why == ENOENT && lstat(path, &st) == 0) {
		err_set(e, "cannot open the log %s: it is a symbolic link to "
		    "nothing", path);
	} else if (why == ENXIO) {
		err_set(e, "cannot open the log %s: it is a socket", path);
	} else {
		errno = why;
		err_sys(e, "cannot open the log %s", path);
	}
}

static int
log_file_open_path(const char *path, unsigned uid, unsigned gid,
    struct err *e)
{
	int fd = log_file_open_existing(path);

	if (fd < 0 && errno == ENOENT)
		fd = log_file_make(path, uid, gid);
	/* Somebody else made it in between, or it is a link to nothing. */
	if (fd < 0 && errno == EEXIST)
		fd = log_file_open_existing(path);
	if (fd < 0)
		log_file_explain(path, errno, e);
	return fd;
}

/*
 * Pipes and terminals are opened anew, because O_NONBLOCK belongs to what all
 * who inherited the stream share. A file is not: whoever else writes to it
 * without O_APPEND would write over our lines.
 */
static int
log_file_open_stream(int stream, const char *name, struct err *e)
{
	char path[32];
	struct stat st;
	int fd = -1;

	if (fstat(stream, &st) != 0) {
		err_set(e, "cannot log to %s: it is closed", name);
		return -1;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", stream);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open(path, O_WRONLY | LOG_FILE_FLAGS);
	if (fd < 0)
		fd = fcntl(stream, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		err_sys(e, "cannot log to %s", name);
	return fd;
}

int
log_file_reopen(const struct log_file *f, unsigned uid, unsigned gid,
    struct err *e)
{
	if (strcmp(f->path, "stdout") == 0)
		return log_file_open_stream(STDOUT_FILENO, f->path, e);
	if (strcmp(f->path, "stderr") == 0)
		return log_file_open_stream(STDERR_FILENO, f->path, e);
	return log_file_open_path(f->path, uid, gid, e);
}

static void
log_file_look(struct log_file *f)
{
	struct stat st;

	f->kind = LOG_FILE_PLAIN;
	if (fstat(f->fd, &st) != 0)
		return;
	if (S_ISFIFO(st.st_mode))
		f->kind = LOG_FILE_PIPE;
	else if (S_ISSOCK(st.st_mode))
		f->kind = LOG_FILE_SOCKET;
}

bool
log_files_open(struct generation *g, unsigned uid, unsigned gid,
    struct err *e)
{
	struct arena *a = arena_new();
	bool *opened = arena_zalloc(a, g->n_log_files + 1);
	bool is_good = true;

	for (size_t i = 0; is_good && i < g->n_log_files; i++) {
		struct log_file *f = g->log_files[i];

		if (f->fd >= 0)
			continue;
		f->fd = log_file_reopen(f, uid, gid, e);
		is_good = opened[i] = f->fd >= 0;
		if (is_good)
			log_file_look(f);
	}
	for (size_t i = 0; !is_good && i < g->n_log_files; i++)
		if (opened[i])
			fd_close(&g->log_files[i]->fd);
	arena_end(a);
	return is_good;
}

void
log_file_replace(struct log_file *f, int fd)
{
	/* What could not be duplicated leaves everything as it is. */
	if (fd < 0)
		return;
	if (f->fd < 0) {
		f->fd = fd;
	} else {
		dup3(fd, f->fd, O_CLOEXEC);
		close(fd);
	}
	f->turns++;
	log_file_look(f);
}

void
log_files_close(struct generation *g)
{
	for (size_t i = 0; i < g->n_log_files; i++)
		fd_close(&g->log_files[i]->fd);
}

/* ---- writing ----------------------------------------------------------- */

/* How much goes with one write: all, or as many whole lines as a pipe takes
 * without mixing them with those of other workers. */
static size_t
log_file_part(const struct log_file *f, const char *lines, size_t n)
{
	const char *end;

	if (f->kind != LOG_FILE_PIPE || n <= PIPE_BUF)
		return n;
	end = memrchr(lines, '\n', PIPE_BUF);
	if (end == NULL)
		end = memchr(lines, '\n', n);
	return end != NULL ? (size_t)(end - lines) + 1 : n;
}

size_t
log_file_write(const struct log_file *f, const char *lines, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t part = log_file_part(f, lines + done, n - done);
		ssize_t went = f->kind == LOG_FILE_SOCKET ?
		    send(f->fd, lines + done, part,
		        MSG_DONTWAIT | MSG_NOSIGNAL) :
		    write(f->fd, lines + done, part);

		if (went < 0 && errno == EINTR)
			continue;
		if (went <= 0)
			break;
		done += (size_t)went;
	}
	return done;
}
