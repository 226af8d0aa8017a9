/*
 * Listings: reading a directory, in a thread of the pool, and putting it into
 * an order. How it is written down is listing_page's.
 */
#include "http/listing.h"

#include "base/arena.h"
#include "base/compiler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing_job {
	struct job job;
	struct listing listing;
	char *root, *path;
	enum file_symlinks symlinks;
	struct listing_wish wish;
	void (*ready)(void *arg); /* NULL: nobody waits any more */
	void *arg;
	bool is_done;
};

/* ---- reading, in a thread ---------------------------------------------- */

struct listing_reader {
	struct listing_job *job;
	int root;
	DIR *dir;
	size_t cap;
};

/* What NAME is; a link is what it leads to, if it is followed. */
static bool
listing_stat(const struct listing_reader *r, const char *name, struct stat *st)
{
	const struct listing_job *j = r->job;
	char path[PATH_MAX];
	int fd, n;
	bool ok;

	if (fstatat(dirfd(r->dir), name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!S_ISLNK(st->st_mode))
		return true;
	n = snprintf(path, sizeof path, "%s/%s", j->path, name);
	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	fd = file_open_beneath(r->root, path, O_PATH, j->symlinks,
	    FILE_OPEN_ANY);
	if (fd < 0)
		return false;
	ok = fstat(fd, st) == 0;
	close(fd);
	return ok;
}

static void
listing_add(struct listing_reader *r, const char *name, const struct stat *st)
{
	struct listing *l = &r->job->listing;

	if (l->n == r->cap) {
		struct listing_entry *grown;

		r->cap = r->cap == 0 ? 64 : 2 * r->cap;
		grown = arena_alloc(l->arena, r->cap * sizeof *grown);
		if (l->n > 0)
			memcpy(grown, l->entries, l->n * sizeof *grown);
		l->entries = grown;
	}
	l->entries[l->n++] = (struct listing_entry){
		.name = arena_str(l->arena, str_from(name)),
		.is_directory = S_ISDIR(st->st_mode),
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.modified = st->st_mtim.tv_sec
	};
}

static void
listing_fill(struct listing_reader *r)
{
	struct listing *l = &r->job->listing;
	struct dirent *d;
	struct stat st;

	while (errno = 0, (d = readdir(r->dir)) != NULL) {
		if (d->d_name[0] == '.' || !listing_stat(r, d->d_name, &st) ||
		    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
			continue;
		if (l->n == LISTING_MAX) {
			l->is_cut = true;
			return;
		}
		listing_add(r, d->d_name, &st);
	}
	l->error = errno;
}

static void
listing_open(struct listing_reader *r)
{
	struct listing_job *j = r->job;
	int fd = file_open_beneath(r->root, j->path, O_RDONLY | O_DIRECTORY,
	    j->symlinks, FILE_OPEN_ANY);

	r->dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (r->dir != NULL) {
		listing_fill(r);
		closedir(r->dir);
		return;
	}
	j->listing.error = errno;
	if (fd >= 0)
		close(fd);
}

static void
listing_write(struct listing_job *j)
{
	struct listing *l = &j->listing;
	struct buf text = buf_in(l->arena);

	listing_sort(l, j->wish.order);
	l->form = j->wish.form;
	if (l->form == LISTING_JSON)
		listing_json(&text, l);
	else
		listing_html(&text, l, j->wish.title, j->wish.order);
	l->text = buf_view(&text);
}

static void
listing_run(struct job *job)
{
	struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);
	struct listing_reader r = { .job = j };

	r.root = file_open_root(j->root, FILE_OPEN_ANY);
	if (r.root < 0) {
		j->listing.error = errno;
		return;
	}
	listing_open(&r);
	close(r.root);
	if (j->listing.error == 0)
		listing_write(j);
}

/* ---- the job ----------------------------------------------------------- */

static void
listing_free(struct listing_job *j)
{
	arena_end(j->listing.arena);
	mem_free(j);
}

static void
listing_done(struct job *job)
{
	struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);

	j->is_done = true;
	if (j->ready == NULL)
		listing_free(j);
	else
		j->ready(j->arg);
}

struct listing_job *
listing_read(struct pool *p, const struct file_root *root,
    const struct listing_wish *wish, void (*ready)(void *arg), void *arg)
{
	struct listing_job *j = mem_zalloc(sizeof *j);

	j->listing.arena = arena_new();
	j->root = arena_strdup(j->listing.arena, root->path);
	j->path = arena_memdup(j->listing.arena, wish->path.p, wish->path.n);
	j->wish = *wish;
	j->wish.title = arena_str(j->listing.arena, wish->title);
	j->symlinks = root->symlinks;
	j->ready = ready;
	j->arg = arg;
	j->job.name = "listing";
	j->job.run = listing_run;
	j->job.done = listing_done;
	if (p != NULL && pool_submit(p, &j->job))
		return j;
	listing_free(j);
	return NULL;
}

const struct listing *
listing_of(const struct listing_job *j)
{
	return &j->listing;
}

void
listing_end(struct listing_job *j)
{
	if (j == NULL)
		return;
	j->ready = NULL;
	if (j->is_done)
		listing_free(j);
}

/* ---- order ------------------------------------------------------------- */

struct listing_order
listing_order_of(struct str query)
{
	struct listing_order o = { LISTING_BY_NAME, false };
	struct str pair;

	while (str_split(&query, '&', &pair)) {
		if (str_eq(pair, STR("sort=size")))
			o.key = LISTING_BY_SIZE;
		else if (str_eq(pair, STR("sort=time")))
			o.key = LISTING_BY_TIME;
		else if (str_eq(pair, STR("order=desc")))
			o.descending = true;
	}
	return o;
}

static int
listing_order_names(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	if (x->is_directory != y->is_directory)
		return x->is_directory ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static int
listing_order_sizes(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	if (x->is_directory == y->is_directory && x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return listing_order_names(a, b);
}

static int
listing_order_times(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	if (x->is_directory == y->is_directory && x->modified != y->modified)
		return x->modified < y->modified ? -1 : 1;
	return listing_order_names(a, b);
}

static void
listing_reverse(struct listing_entry *entries, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct listing_entry e = entries[i];

		entries[i] = entries[n - 1 - i];
		entries[n - 1 - i] = e;
	}
}

void
listing_sort(struct listing *l, struct listing_order order)
{
	static int (*const compare[])(const void *, const void *) = {
		[LISTING_BY_NAME] = listing_order_names,
		[LISTING_BY_SIZE] = listing_order_sizes,
		[LISTING_BY_TIME] = listing_order_times
	};
	size_t directories = 0;

	if (l->n == 0)
		return;
	qsort(l->entries, l->n, sizeof *l->entries, compare[order.key]);
	if (!order.descending)
		return;
	while (directories < l->n && l->entries[directories].is_directory)
		directories++;
	listing_reverse(l->entries, directories);
	listing_reverse(l->entries + directories, l->n - directories);
}
