/*
 * The open-file cache of a worker: what is at the paths that were asked for,
 * known for a second and then looked at again. What needs the disk is done in
 * the pool; requests for one path share one look.
 */
#ifndef HTTP_FILE_CACHE_H
#define HTTP_FILE_CACHE_H

#include "base/list.h"
#include "http/file.h"
#include "http/mime.h"
#include "net/net.h"

struct file_cache;

#define FILE_CACHE_FRESH_MS 1000 /* a file is looked at once in this time */
#define FILE_CACHE_ENTRIES 4096  /* names of files and directories */
#define FILE_CACHE_MISSING 512   /* names of what does not exist */
#define FILE_CACHE_FDS 1024      /* descriptors of large files */
#define FILE_CACHE_BYTES (32u << 20) /* contents of small files */

struct file_stats {
	uint64_t hits;
	uint64_t misses;
	uint64_t revalidations;
	uint64_t shared;  /* waited for a look that another one had begun */
	uint64_t pooled;  /* looks that needed the disk */
	uint64_t opens;   /* regular files that were opened */
	uint64_t errors;
	uint64_t cold;    /* windows of large files read ahead in the pool */
	uint64_t entries; /* gauge */
	uint64_t bytes;   /* gauge */
	uint64_t fds;     /* gauge */
};
extern const struct counter_set file_counters;

/* Limits that a test sets lower. */
struct file_cache_limits {
	size_t entries, missing, fds, bytes;
};

/* What a configuration serves. It is part of the key by its address and
 * outlives the cache. */
struct file_root {
	const char *path;
	enum file_symlinks symlinks;
	const struct mime_types *types;
};

/* A request that waits; embedded. */
struct file_waiter {
	struct list link;
	struct file *file; /* the answer, with a reference */
	void (*ready)(struct file_waiter *w);
};
void file_waiter_init(struct file_waiter *w,
    void (*ready)(struct file_waiter *w));
/* Not interested any more; gives back an answer that was not taken. */
void file_waiter_cancel(struct file_waiter *w);

/* LIMITS may be NULL. */
struct file_cache *file_cache_new(struct net *n, struct file_stats *stats,
    const struct file_cache_limits *limits);
/* Nobody waits any more; looks that are still in the pool end by themselves. */
void file_cache_end(struct file_cache *c);

/*
 * What is at PATH beneath ROOT, with a reference for the caller; PATH holds no
 * NUL. NULL: W->ready will be called, once and never inline, with the answer in
 * W->file.
 */
struct file *file_cache_find(struct file_cache *c, const struct file_root *root,
    struct str path, struct file_waiter *w);

#endif
