/* The names in a directory, and a page that shows them. */
#ifndef HTTP_LISTING_H
#define HTTP_LISTING_H

#include "base/buf.h"
#include "event/pool.h"
#include "http/file_cache.h"

/* Beyond these a directory is shown in part, and the page says so. */
#define LISTING_MAX 10000

enum listing_form { LISTING_OFF, LISTING_HTML, LISTING_JSON };

struct listing_entry {
	struct str name; /* any bytes but NUL and a slash */
	bool is_directory;
	uint64_t size;    /* bytes; of a directory 0 */
	int64_t modified; /* seconds */
};

struct listing {
	struct arena *arena;
	struct listing_entry *entries;
	size_t n;
	bool is_cut; /* there were more than LISTING_MAX */
	int error;   /* errno: it could not be read */
	enum listing_form form;
	struct str text; /* the document */
};

enum listing_key { LISTING_BY_NAME, LISTING_BY_SIZE, LISTING_BY_TIME };

struct listing_order {
	enum listing_key key;
	bool descending;
};

/* From a query: "sort=size&order=desc"; what it does not say is by name,
 * upwards. */
struct listing_order listing_order_of(struct str query);

struct listing_wish {
	struct str path;  /* the directory, decoded, with its slash */
	struct str title; /* what the page calls it */
	enum listing_form form;
	struct listing_order order;
};

/*
 * A directory is read, sorted and written down in the pool. Left out are names
 * that begin with a dot, what is no file and no directory, and links that ROOT
 * does not follow.
 */
struct listing_job;

/* READY is called in the loop, once and never inline. NULL: the pool is
 * full. */
struct listing_job *listing_read(struct pool *p, const struct file_root *root,
    const struct listing_wish *wish, void (*ready)(void *arg), void *arg);
/* What was read, once READY was called; it belongs to the job. */
const struct listing *listing_of(const struct listing_job *j);
/* At any time; READY is not called any more. NULL is harmless. */
void listing_end(struct listing_job *j);

/* ---- its parts --------------------------------------------------------- */

/* Directories come first, whatever the order. */
void listing_sort(struct listing *l, struct listing_order order);
/* Whole documents; all that comes from names is escaped. */
void listing_html(struct buf *out, const struct listing *l, struct str title,
    struct listing_order order);
void listing_json(struct buf *out, const struct listing *l);

#endif
