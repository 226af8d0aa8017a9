/*
 * Files that transactions are logged to. The master opens them (it may have
 * rights that workers gave up) and hands new descriptors down when logs are
 * reopened; a worker writes whole lines in O_APPEND.
 */
#ifndef HTTP_LOG_FILE_H
#define HTTP_LOG_FILE_H

#include "http/generation.h"

enum log_file_kind {
	LOG_FILE_PLAIN,
	LOG_FILE_PIPE,  /* only short writes stay whole (pipe(7)) */
	LOG_FILE_SOCKET /* what the journal gives for a standard stream */
};

struct log_file {
	char *path;         /* "/var/log/x.log", "stderr" or "stdout" */
	int fd;             /* -1 until opened; its number stays */
	unsigned index;
	struct conf_pos pos; /* where it was named first */
	uint64_t buffer;    /* bytes that a worker gathers, and ms that it */
	uint64_t flush;     /* keeps them; by whoever named the file first */
	enum log_file_kind kind; /* of what FD is open on */
	unsigned turns;     /* how often FD was replaced */
};

/* The file of that path in G, made when it is new; paths are compared as
 * strings. */
struct log_file *log_file_get(struct conf_load *load, struct generation *g,
    const char *path, struct conf_pos pos);
/* NULL: G has none of that path. */
struct log_file *log_file_find(const struct generation *g, struct str path);
size_t log_file_count(const struct generation *g);
struct log_file *log_file_at(const struct generation *g, size_t i);

/* Opens those that are closed (mode 0640, owned by UID:GID when they are made
 * by root); all or nothing. */
bool log_files_open(struct generation *g, unsigned uid, unsigned gid,
    struct err *e);
/* A descriptor on PATH opened anew, for log_file_replace; -1 with E. */
int log_file_reopen(const struct log_file *f, unsigned uid, unsigned gid,
    struct err *e);
/* Lets F write to FD from now on: dup2 onto f->fd, closes FD. */
void log_file_replace(struct log_file *f, int fd);
void log_files_close(struct generation *g);

/* Writes whole LINES without waiting; returns how many bytes went, and with
 * fewer than N errno says why. */
size_t log_file_write(const struct log_file *f, const char *lines, size_t n);

#endif
