/*
 * Opening files beneath a root directory, so that no name and no symbolic link
 * leads out of it. All functions are thread-safe and give -1 with errno.
 */
#ifndef HTTP_FILE_OPEN_H
#define HTTP_FILE_OPEN_H

/* Which symbolic links below the root are followed. */
enum file_symlinks {
	FILE_SYMLINKS_NEVER,
	FILE_SYMLINKS_INSIDE, /* relative ones that stay beneath the root */
	FILE_SYMLINKS_ALWAYS
};

enum file_open_mode {
	FILE_OPEN_ANY,    /* openat2, or by hand where there is none */
	FILE_OPEN_CACHED, /* only what needs no disk; else EAGAIN */
	FILE_OPEN_WALK    /* by hand: what old kernels get */
};

/* The root itself may be reached through symbolic links: its path is the
 * operator's. The descriptor is good for file_open_beneath only. */
int file_open_root(const char *path, enum file_open_mode mode);

/*
 * Opens PATH, which is relative to ROOT ("" is ROOT itself; leading slashes do
 * not count; with a trailing one only a directory is found). FLAGS is O_PATH or
 * O_RDONLY; a fifo never blocks it. What would lead out of the root is EXDEV,
 * or ELOOP where links are not followed at all.
 */
int file_open_beneath(int root, const char *path, int flags,
    enum file_symlinks symlinks, enum file_open_mode mode);

#endif
