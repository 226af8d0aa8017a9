/*
 * Files as they were when somebody looked: what is at a path, and all that a
 * response says of it, ready-made. Immutable but for its count of references;
 * it keeps its descriptor, or its content, until the last one goes.
 */
#ifndef HTTP_FILE_H
#define HTTP_FILE_H

#include "base/str.h"
#include "http/date.h"
#include "http/file_open.h"

#include <sys/stat.h>

#define FILE_MAGIC 0xF11E0001u

/* Up to this size the content is held in memory, and served without a system
 * call of our own; beyond it sendfile(2) costs less than the copy. */
#define FILE_CONTENT_MAX 65536

enum file_kind {
	FILE_REGULAR,
	FILE_DIRECTORY,
	FILE_MISSING,   /* 404; also fifos, sockets and devices */
	FILE_FORBIDDEN, /* 403: no permission, or out of the root */
	FILE_CONFINED,  /* 503: permitted, but kept from us by the sandbox */
	FILE_FAILED     /* 503: too many open files, a broken disk */
};

struct file {
	uint32_t magic;
	unsigned refs;
	enum file_kind kind;
	int error; /* errno when it is none of the first two */

	/* Regular ones only. */
	int fd;             /* -1 when the content is in memory */
	struct str content; /* p == NULL: read it from fd */
	uint64_t size;
	int64_t modified;   /* seconds, not in the future */
	struct str type, etag, modified_text;
	bool is_in_memory_fs; /* its pages can not be on a disk */
	/* Until when (clock_ms) its pages are taken for resident; kept by
	 * file_flow. */
	uint64_t resident_until;

	/* What tells that it has changed; not for others. */
	struct stat st;
	bool is_racy; /* changed so shortly before we looked that a change since
	               * then may have left no trace in its times */
	char etag_room[40], date_room[HTTP_DATE_TEXT];
};

/* Where to look. */
struct file_place {
	const char *root, *path;
	enum file_symlinks symlinks;
	struct str type; /* copied */
};

enum file_look {
	FILE_LOOK_NEW,  /* *OUT, with one reference */
	FILE_LOOK_SAME, /* KNOWN is still true */
	FILE_LOOK_BLOCKS /* FILE_OPEN_CACHED only: it would take the disk */
};

/* KNOWN is what was found there before, or NULL. Thread-safe. */
enum file_look file_look(const struct file_place *at, const struct file *known,
    enum file_open_mode mode, struct file **out);

/* In the loop's thread only. */
struct file *file_ref(struct file *f);
void file_unref(struct file *f); /* NULL is harmless */

#endif
