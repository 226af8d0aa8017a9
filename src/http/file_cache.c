/*
 * The open-file cache. An entry is a name (root and path) and what was found
 * there; what was found is a struct file that requests share and that lives on
 * while they use it, whatever becomes of the entry. One process, one thread:
 * nothing here is locked, and a look in the pool works on copies.
 *
 * An entry that is due is first looked at in a way that cannot block (the
 * kernel's caches only): that takes four system calls and no change of thread.
 * Only when this says that the disk is needed does the pool take over.
 *
 * What does not exist is kept in a list of its own, so that guessing at names
 * does not push out what is served.
 */
#include "http/file_cache.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>

#define BUCKETS 4096 /* a power of two, about one entry in each */

/* Entries that are let go when the process runs out of descriptors, so that the
 * next request finds some. */
#define FDS_TO_SPARE 32

struct entry {
	struct entry *next; /* in its bucket */
	struct list lru;    /* linked to itself while a look is under way */
	uint64_t hash;
	const struct file_root *root;
	struct file *file;  /* NULL: the first look is under way */
	uint64_t fresh_until;
	struct look *look;
	struct list waiters;
	size_t n;
	char path[];
};

/* A look in the pool, and copies of all that it needs: it may outlive the cache
 * and the configuration. */
struct look {
	struct job job;
	struct file_cache *cache;
	struct entry *entry; /* NULL: the cache is gone */
	struct file_place place;
	struct file *known;
	uint64_t began;
	enum file_look found;
	struct file *file;
	struct list link; /* in the cache's looks */
	char room[];
};

struct file_cache {
	struct net *net;
	struct file_stats *stats;
	struct file_cache_limits limits;
	struct list found, missing; /* least recently used last */
	size_t n_found, n_missing;
	struct list looks;
	struct entry *buckets[BUCKETS];
};

static const struct counter_row file_rows[] = {
	COUNTER(file_stats, hits, COUNTER_TOTAL, "weir_files_hits_total",
	    "Files that were known and fresh."),
	COUNTER(file_stats, misses, COUNTER_TOTAL, "weir_files_misses_total",
	    "Names that were not in the open-file cache."),
	COUNTER(file_stats, revalidations, COUNTER_TOTAL,
	    "weir_files_revalidations_total",
	    "Known names that were looked at again."),
	COUNTER(file_stats, shared, COUNTER_TOTAL, "weir_files_shared_total",
	    "Requests that waited for a look that another had begun."),
	COUNTER(file_stats, pooled, COUNTER_TOTAL, "weir_files_pooled_total",
	    "Looks that needed the disk and went to the thread pool."),
	COUNTER(file_stats, opens, COUNTER_TOTAL, "weir_files_opens_total",
	    "Files that were opened for reading."),
	COUNTER(file_stats, errors, COUNTER_TOTAL, "weir_files_errors_total",
	    "Looks that failed for another reason than name or permission."),
	COUNTER(file_stats, cold, COUNTER_TOTAL, "weir_files_cold_total",
	    "Parts of large files that were read from the disk in the thread "
	    "pool before they were sent."),
	COUNTER(file_stats, entries, COUNTER_GAUGE,
	    "weir_files_cache_entries", "Names in the open-file cache."),
	COUNTER(file_stats, bytes, COUNTER_GAUGE, "weir_files_cache_bytes",
	    "Contents of small files in the open-file cache."),
	COUNTER(file_stats, fds, COUNTER_GAUGE, "weir_files_cache_descriptors",
	    "Descriptors of large files in the open-file cache."),
	COUNTER_END
};

const struct counter_set file_counters = {
	.name = "files", .size = sizeof(struct file_stats), .rows = file_rows
};

struct file_cache *
file_cache_new(struct net *n, struct file_stats *stats,
    const struct file_cache_limits *limits)
{
	struct file_cache *c = mem_zalloc(sizeof *c);

	c->net = n;
	c->stats = stats;
	c->limits = limits != NULL ? *limits : (struct file_cache_limits){
		.entries = FILE_CACHE_ENTRIES, .missing = FILE_CACHE_MISSING,
		.fds = FILE_CACHE_FDS, .bytes = FILE_CACHE_BYTES
	};
	list_init(&c->found);
	list_init(&c->missing);
	list_init(&c->looks);
	return c;
}

/* ---- waiters ----------------------------------------------------------- */

void
file_waiter_init(struct file_waiter *w, void (*ready)(struct file_waiter *w))
{
	list_init(&w->link);
	w->file = NULL;
	w->ready = ready;
}

void
file_waiter_cancel(struct file_waiter *w)
{
	list_remove(&w->link);
	file_unref(w->file);
	w->file = NULL;
}

/* ---- entries ----------------------------------------------------------- */

static uint64_t
entry_hash(const struct file_root *root, struct str path)
{
	return str_hash(path) ^ (uintptr_t)root >> 4;
}

static struct entry *
entry_find(const struct file_cache *c, const struct file_root *root,
    struct str path, uint64_t hash)
{
	struct entry *e = c->buckets[hash % BUCKETS];

	while (e != NULL && (e->hash != hash || e->root != root ||
	    !str_eq(str_of(e->path, e->n), path)))
		e = e->next;
	return e;
}

static struct entry *
entry_new(struct file_cache *c, const struct file_root *root, struct str path,
    uint64_t hash)
{
	struct entry *e = mem_zalloc(sizeof *e + path.n + 1);

	e->hash = hash;
	e->root = root;
	e->n = path.n;
	memcpy(e->path, path.p, path.n);
	list_init(&e->lru);
	list_init(&e->waiters);
	e->next = c->buckets[hash % BUCKETS];
	c->buckets[hash % BUCKETS] = e;
	c->stats->entries++;
	return e;
}

static bool
file_is_found(const struct file *f)
{
	return f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY;
}

/* Takes it off its list; what it holds is not counted any more. */
static void
entry_detach(struct file_cache *c, struct entry *e)
{
	if (!list_is_linked(&e->lru))
		return;
	list_remove(&e->lru);
	if (file_is_found(e->file))
		c->n_found--;
	else
		c->n_missing--;
	c->stats->bytes -= e->file->content.n;
	c->stats->fds -= e->file->fd >= 0;
}

static void
entry_attach(struct file_cache *c, struct entry *e)
{
	list_push_front(file_is_found(e->file) ? &c->found : &c->missing,
	    &e->lru);
	if (file_is_found(e->file))
		c->n_found++;
	else
		c->n_missing++;
	c->stats->bytes += e->file->content.n;
	c->stats->fds += e->file->fd >= 0;
}

static void
entry_free(struct file_cache *c, struct entry *e)
{
	struct entry **at = &c->buckets[e->hash % BUCKETS];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	entry_detach(c, e);
	file_unref(e->file);
	c->stats->entries--;
	mem_free(e);
}

static void
entry_free_last(struct file_cache *c, struct list *l)
{
	entry_free(c, LIST_ITEM(l->prev, struct entry, lru));
}

static bool
file_cache_is_over(const struct file_cache *c)
{
	return c->n_found > c->limits.entries ||
	    c->stats->bytes > c->limits.bytes ||
	    c->stats->fds > c->limits.fds;
}

/* The newest stays, however large. */
static void
file_cache_trim(struct file_cache *c)
{
	while (c->n_found > 1 && file_cache_is_over(c))
		entry_free_last(c, &c->found);
	while (c->n_missing > 1 && c->n_missing > c->limits.missing)
		entry_free_last(c, &c->missing);
}

static void
file_cache_spare_fds(struct file_cache *c)
{
	unsigned left = FDS_TO_SPARE;

	for (struct list *n = c->found.prev; n != &c->found && left > 0;) {
		struct entry *e = LIST_ITEM(n, struct entry, lru);

		n = n->prev;
		if (e->file->fd < 0)
			continue;
		entry_free(c, e);
		left--;
	}
}

/* ---- looking ----------------------------------------------------------- */

/* The result of a look that began at BEGAN. */
static void
entry_settle(struct file_cache *c, struct entry *e, enum file_look found,
    struct file *f, uint64_t began)
{
	entry_detach(c, e);
	if (found == FILE_LOOK_NEW) {
		file_unref(e->file);
		e->file = f;
		c->stats->opens += f->kind == FILE_REGULAR;
	}
	/* A failure is told to those who wait for it and is not kept. */
	e->fresh_until = 0;
	if (e->file->kind == FILE_FAILED)
		c->stats->errors++;
	else
		e->fresh_until = began + FILE_CACHE_FRESH_MS;

	entry_attach(c, e);
	if (e->file->error == EMFILE || e->file->error == ENFILE)
		file_cache_spare_fds(c);
	file_cache_trim(c);
}

static struct file_place
entry_place(const struct entry *e)
{
	return (struct file_place){
		.root = e->root->path, .path = e->path,
		.symlinks = e->root->symlinks,
		.type = mime_type_of(e->root->types, str_of(e->path, e->n))
	};
}

static bool
entry_look(struct file_cache *c, struct entry *e, enum file_open_mode mode)
{
	struct file_place place = entry_place(e);
	struct file *f = NULL;
	enum file_look found = file_look(&place, e->file, mode, &f);

	if (found == FILE_LOOK_BLOCKS)
		return false;
	entry_settle(c, e, found, f, clock_ms());
	return true;
}

static void
look_run(struct job *j)
{
	struct look *l = CONTAINER_OF(j, struct look, job);

	l->found = file_look(&l->place, l->known, FILE_OPEN_ANY, &l->file);
}

static void
entry_wake(struct entry *e)
{
	struct file *f = file_ref(e->file);
	struct list waiters, *n;

	list_init(&waiters);
	list_splice(&waiters, &e->waiters);
	while ((n = list_pop_front(&waiters)) != NULL) {
		struct file_waiter *w = LIST_ITEM(n, struct file_waiter, link);

		w->file = file_ref(f);
		w->ready(w);
	}
	file_unref(f);
}

static void
look_free(struct look *l)
{
	file_unref(l->known);
	list_remove(&l->link);
	mem_free(l);
}

static void
look_done(struct job *j)
{
	struct look *l = CONTAINER_OF(j, struct look, job);
	struct entry *e = l->entry;

	if (e == NULL) {
		file_unref(l->file);
		look_free(l);
		return;
	}
	e->look = NULL;
	entry_settle(l->cache, e, l->found, l->file, l->began);
	entry_wake(e);
	look_free(l);
}

static struct look *
look_new(struct file_cache *c, struct entry *e)
{
	struct file_place place = entry_place(e);
	size_t root = strlen(place.root) + 1, path = e->n + 1;
	struct look *l = mem_zalloc(sizeof *l + root + path + place.type.n);

	memcpy(l->room, place.root, root);
	memcpy(l->room + root, place.path, path);
	memcpy(l->room + root + path, place.type.p, place.type.n);
	l->place = (struct file_place){
		.root = l->room, .path = l->room + root,
		.symlinks = place.symlinks,
		.type = str_of(l->room + root + path, place.type.n)
	};
	l->job.name = "file look";
	l->job.run = look_run;
	l->job.done = look_done;
	l->cache = c;
	l->entry = e;
	l->known = e->file != NULL ? file_ref(e->file) : NULL;
	l->began = clock_ms();
	list_init(&l->link);
	return l;
}

/* False: the pool is full. */
static bool
entry_look_later(struct file_cache *c, struct entry *e)
{
	struct look *l;

	if (c->net->pool == NULL)
		return false;
	l = look_new(c, e);
	if (!pool_submit(c->net->pool, &l->job)) {
		look_free(l);
		return false;
	}
	c->stats->pooled++;
	list_push_back(&c->looks, &l->link);
	e->look = l;
	/* While it is off the list nobody can evict it. */
	entry_detach(c, e);
	return true;
}

static struct file *
entry_use(struct file_cache *c, struct entry *e)
{
	struct list *l = file_is_found(e->file) ? &c->found : &c->missing;

	list_remove(&e->lru);
	list_push_front(l, &e->lru);
	return file_ref(e->file);
}

struct file *
file_cache_find(struct file_cache *c, const struct file_root *root,
    struct str path, struct file_waiter *w)
{
	uint64_t hash = entry_hash(root, path);
	struct entry *e = entry_find(c, root, path, hash);

	if (e != NULL && e->look == NULL && clock_ms() < e->fresh_until) {
		c->stats->hits++;
		return entry_use(c, e);
	}
	if (e != NULL && e->look != NULL) {
		c->stats->shared++;
		list_push_back(&e->waiters, &w->link);
		return NULL;
	}
	if (e == NULL) {
		c->stats->misses++;
		e = entry_new(c, root, path, hash);
	} else {
		c->stats->revalidations++;
	}

	if (entry_look(c, e, FILE_OPEN_CACHED))
		return entry_use(c, e);
	if (entry_look_later(c, e)) {
		list_push_back(&e->waiters, &w->link);
		return NULL;
	}
	/* A full pool: blocking for one file is better than refusing it. */
	(void)entry_look(c, e, FILE_OPEN_ANY);
	return entry_use(c, e);
}

void
file_cache_end(struct file_cache *c)
{
	LIST_EACH(n, &c->looks) {
		struct look *l = LIST_ITEM(n, struct look, link);

		l->entry = NULL;
		l->cache = NULL;
		list_remove(&l->link);
	}
	for (size_t i = 0; i < BUCKETS; i++)
		while (c->buckets[i] != NULL) {
			while (list_pop_front(&c->buckets[i]->waiters) != NULL)
				continue;
			entry_free(c, c->buckets[i]);
		}
	mem_free(c);
}
