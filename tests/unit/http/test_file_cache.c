/*
 * The open-file cache on a clock that stands still. Whether a look needs the
 * disk, and when the pool gets to its jobs, is for the test to say; files are
 * real ones.
 */
#include "http/file.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "event/pool.h"

static bool disk_is_needed;   /* cached looks say so */
static int look_error;        /* all looks fail with it */
static bool pool_is_full;
static unsigned n_looks;
static struct list pool_jobs; /* submitted, not run yet */

static enum file_look
scripted_look(const struct file_place *at, const struct file *known,
    enum file_open_mode mode, struct file **out)
{
	n_looks++;
	if (disk_is_needed && mode == FILE_OPEN_CACHED)
		return FILE_LOOK_BLOCKS;
	if (look_error != 0)
		return look_failed(known, look_error,
		    file_kind_of_error(look_error), mode, out);
	/* Else the disk may be needed, where files were never looked at. */
	return file_look(at, known, FILE_OPEN_ANY, out);
}

static bool
scripted_submit(struct pool *p, struct job *j)
{
	(void)p;
	if (pool_is_full)
		return false;
	list_push_back(&pool_jobs, &j->link);
	return true;
}

#define file_look(at, known, mode, out) scripted_look(at, known, mode, out)
#define pool_submit scripted_submit
#include "http/file_cache.c"
#undef file_look
#undef pool_submit

static char dir[] = "/tmp/weir-test-cache-XXXXXX";
static int some_pool;
static struct net net = {.pool = (struct pool *)(void *)&some_pool};
static struct file_stats stats;
static struct file_cache *cache;
static struct file_root root = {
	.path = dir, .symlinks = FILE_SYMLINKS_INSIDE
};
static struct arena *arena;

static void
make_cache(const struct file_cache_limits *limits)
{
	cache = file_cache_new(&net, &stats, limits);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir + sizeof dir - 7, "XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	clock_fake_start(1000000, 784111777);
	memset(&stats, 0, sizeof stats);
	disk_is_needed = pool_is_full = false;
	look_error = 0;
	n_looks = 0;
	list_init(&pool_jobs);
	arena = arena_new();
	root.types = mime_types_new(arena, STR("application/octet-stream"));
	make_cache(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	if (cache != NULL)
		file_cache_end(cache);
	cache = NULL;
	assert_true(list_is_empty(&pool_jobs));
	arena_end(arena);
	clock_fake_end();
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

static void
write_file(const char *name, const char *text, size_t n)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_true(fd_replace_file(path, str_of(text, n), 0644, NULL));
}

static void
run_pool(void)
{
	struct list *n;

	while ((n = list_pop_front(&pool_jobs)) != NULL) {
		struct job *j = LIST_ITEM(n, struct job, link);

		j->run(j);
		j->done(j);
	}
}

/* What is at NAME, for which nobody has to wait. */
static struct file *
find(const char *name)
{
	struct file_waiter w;
	struct file *f;

	file_waiter_init(&w, NULL);
	f = file_cache_find(cache, &root, str_from(name), &w);
	assert_non_null(f);
	return f;
}

static enum file_kind
kind_of(const char *name)
{
	struct file *f = find(name);
	enum file_kind kind = f->kind;

	file_unref(f);
	return kind;
}

static void
assert_content(const char *name, const char *want)
{
	struct file *f = find(name);

	assert_int_equal(f->kind, FILE_REGULAR);
	assert_true(str_eq(f->content, str_from(want)));
	file_unref(f);
}

/* ---- freshness --------------------------------------------------------- */

static void
a_file_is_looked_at_once_in_a_second(void **state)
{
	(void)state;
	write_file("a.html", "one", 3);
	for (int i = 0; i < 5; i++)
		assert_content("a.html", "one");
	clock_fake_advance(FILE_CACHE_FRESH_MS - 1);
	assert_content("a.html", "one");
	assert_int_equal(n_looks, 1);
	assert_int_equal(stats.misses, 1);
	assert_int_equal(stats.hits, 5);
	assert_int_equal(stats.opens, 1);
	clock_fake_advance(1);
	assert_content("a.html", "one");
	assert_int_equal(n_looks, 2);
	assert_int_equal(stats.revalidations, 1);
	assert_int_equal(stats.entries, 1);
}

static void
a_changed_file_is_noticed_after_a_second(void **state)
{
	struct file *old;

	(void)state;
	write_file("a", "one", 3);
	old = find("a");
	write_file("a", "two", 3);
	assert_content("a", "one");
	clock_fake_advance(FILE_CACHE_FRESH_MS);
	assert_content("a", "two");
	/* Whoever has the old one keeps it as it was. */
	assert_true(str_eq(old->content, STR("one")));
	assert_int_equal(stats.bytes, 3);
	file_unref(old);
}

static void
an_unchanged_file_stays_as_it_is(void **state)
{
	/* One that was not written just now. */
	const struct file_root r = {.path = "/etc", .types = root.types};
	struct file_waiter w;
	struct file *first, *again;

	(void)state;
	file_waiter_init(&w, NULL);
	first = file_cache_find(cache, &r, STR("passwd"), &w);
	assert_int_equal(first->kind, FILE_REGULAR);
	clock_fake_advance(FILE_CACHE_FRESH_MS);
	again = file_cache_find(cache, &r, STR("passwd"), &w);
	assert_ptr_equal(first, again);
	assert_int_equal(stats.revalidations, 1);
	assert_int_equal(stats.opens, 1);
	file_unref(first);
	file_unref(again);
	file_cache_end(cache);
	cache = NULL;
}

static void
what_comes_and_goes_is_noticed(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(kind_of("x"), FILE_MISSING);
	write_file("x", "new", 3);
	assert_int_equal(kind_of("x"), FILE_MISSING);
	clock_fake_advance(FILE_CACHE_FRESH_MS);
	assert_int_equal(kind_of("x"), FILE_REGULAR);
	snprintf(path, sizeof path, "%s/x", dir);
	unlink(path);
	clock_fake_advance(FILE_CACHE_FRESH_MS);
	assert_int_equal(kind_of("x"), FILE_MISSING);
	assert_int_equal(stats.entries, 1);
	assert_int_equal(stats.bytes, 0);
}

static void
kinds_are_told_apart(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof path, "%s/out", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	write_file("f", "", 0);
	assert_int_equal(kind_of(""), FILE_DIRECTORY);
	assert_int_equal(kind_of("f"), FILE_REGULAR);
	assert_int_equal(kind_of("f/"), FILE_MISSING);
	assert_int_equal(kind_of("fifo"), FILE_MISSING);
	assert_int_equal(kind_of("out"), FILE_FORBIDDEN);
	assert_int_equal(kind_of("../x"), FILE_FORBIDDEN);
	assert_int_equal(kind_of("none/x"), FILE_MISSING);
}

static void
each_root_has_its_own_names(void **state)
{
	struct file_root other = {
		.path = "/", .symlinks = FILE_SYMLINKS_NEVER,
		.types = root.types
	};
	struct file_waiter w;
	struct file *f;

	(void)state;
	write_file("etc", "mine", 4);
	assert_content("etc", "mine");
	file_waiter_init(&w, NULL);
	f = file_cache_find(cache, &other, STR("etc"), &w);
	assert_int_equal(f->kind, FILE_DIRECTORY);
	assert_int_equal(stats.misses, 2);
	file_unref(f);
	file_cache_end(cache);
	cache = NULL;
}

static void
failures_are_told_but_not_kept(void **state)
{
	(void)state;
	write_file("a", "text", 4);
	look_error = EIO;
	assert_int_equal(kind_of("a"), FILE_FAILED);
	assert_int_equal(kind_of("a"), FILE_FAILED);
	assert_int_equal(stats.errors, 2);
	look_error = 0;
	assert_content("a", "text");
}

/* ---- the pool ---------------------------------------------------------- */

static struct file_waiter *last_ready;
static unsigned n_ready;

static void
waiter_note(struct file_waiter *w)
{
	n_ready++;
	last_ready = w;
}

static void
waiters_of_one_name_share_one_look(void **state)
{
	struct file_waiter w[3];

	(void)state;
	n_ready = 0;
	write_file("a", "text", 4);
	disk_is_needed = true;
	for (int i = 0; i < 3; i++) {
		file_waiter_init(&w[i], waiter_note);
		assert_null(file_cache_find(cache, &root, STR("a"), &w[i]));
	}
	assert_int_equal(stats.pooled, 1);
	assert_int_equal(stats.shared, 2);
	assert_int_equal(n_ready, 0);
	run_pool();
	assert_int_equal(n_ready, 3);
	/* In the order in which they came, all with the same file. */
	assert_ptr_equal(last_ready, &w[2]);
	for (int i = 0; i < 3; i++) {
		assert_true(str_eq(w[i].file->content, STR("text")));
		assert_ptr_equal(w[i].file, w[0].file);
	}
	for (int i = 0; i < 3; i++)
		file_unref(w[i].file);
	/* Now it is known. */
	assert_content("a", "text");
}

static void
who_cancels_hears_nothing_and_leaves_nothing(void **state)
{
	struct file_waiter w[2];

	(void)state;
	n_ready = 0;
	write_file("a", "text", 4);
	disk_is_needed = true;
	for (int i = 0; i < 2; i++) {
		file_waiter_init(&w[i], waiter_note);
		assert_null(file_cache_find(cache, &root, STR("a"), &w[i]));
	}
	file_waiter_cancel(&w[0]);
	run_pool();
	assert_int_equal(n_ready, 1);
	assert_ptr_equal(last_ready, &w[1]);
	/* An answer that was not taken is given back. */
	file_waiter_cancel(&w[1]);
	assert_null(w[1].file);
	file_waiter_cancel(&w[1]);
}

static void
waiter_find_more(struct file_waiter *w)
{
	struct file *f = w->file;

	n_ready++;
	w->file = NULL;
	disk_is_needed = false;
	/* With room for one entry, this evicts what w waited for. */
	file_unref(find("b"));
	assert_true(str_eq(f->content, STR("text a")));
	file_unref(f);
}

static void
an_answer_outlives_its_entry(void **state)
{
	const struct file_cache_limits one = {1, 1, 1, 1000};
	struct file_waiter w;

	(void)state;
	n_ready = 0;
	file_cache_end(cache);
	make_cache(&one);
	write_file("a", "text a", 6);
	write_file("b", "text b", 6);
	disk_is_needed = true;
	file_waiter_init(&w, waiter_find_more);
	assert_null(file_cache_find(cache, &root, STR("a"), &w));
	run_pool();
	assert_int_equal(n_ready, 1);
	assert_int_equal(stats.entries, 1);
}

static void
the_cache_may_end_while_the_pool_looks(void **state)
{
	struct file_waiter w;

	(void)state;
	n_ready = 0;
	write_file("a", "text", 4);
	disk_is_needed = true;
	file_waiter_init(&w, waiter_note);
	assert_null(file_cache_find(cache, &root, STR("a"), &w));
	file_cache_end(cache);
	cache = NULL;
	assert_int_equal(stats.entries, 0);
	run_pool();
	assert_int_equal(n_ready, 0);
	file_waiter_cancel(&w);
}

static void
a_known_file_is_looked_at_again_in_the_pool(void **state)
{
	struct file_waiter w;

	(void)state;
	n_ready = 0;
	write_file("a", "one", 3);
	assert_content("a", "one");
	write_file("a", "two", 3);
	clock_fake_advance(FILE_CACHE_FRESH_MS);
	disk_is_needed = true;
	file_waiter_init(&w, waiter_note);
	assert_null(file_cache_find(cache, &root, STR("a"), &w));
	/* Time goes on while it waits: fresh is counted from the look. */
	clock_fake_advance(FILE_CACHE_FRESH_MS / 2);
	run_pool();
	assert_true(str_eq(w.file->content, STR("two")));
	file_unref(w.file);
	disk_is_needed = false;
	n_looks = 0;
	clock_fake_advance(FILE_CACHE_FRESH_MS / 2 - 1);
	assert_content("a", "two");
	assert_int_equal(n_looks, 0);
	clock_fake_advance(1);
	assert_content("a", "two");
	assert_int_equal(n_looks, 1);
}

static void
a_full_pool_is_no_refusal(void **state)
{
	(void)state;
	write_file("a", "text", 4);
	disk_is_needed = pool_is_full = true;
	assert_content("a", "text");
	assert_int_equal(stats.pooled, 0);
	assert_content("a", "text");
	assert_int_equal(stats.hits, 1);
}

/* ---- limits ------------------------------------------------------------ */

static void
names_of_what_is_missing_are_bounded(void **state)
{
	const struct file_cache_limits limits = {100, 5, 100, 100000};
	char name[16];

	(void)state;
	file_cache_end(cache);
	make_cache(&limits);
	write_file("here", "x", 1);
	assert_content("here", "x");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "none%d", i);
		assert_int_equal(kind_of(name), FILE_MISSING);
		assert_true(stats.entries <= 6);
	}
	/* They drove out one another, and nothing that is there. */
	n_looks = 0;
	assert_content("here", "x");
	assert_int_equal(kind_of("none49"), FILE_MISSING);
	assert_int_equal(kind_of("none45"), FILE_MISSING);
	assert_int_equal(n_looks, 0);
	assert_int_equal(kind_of("none44"), FILE_MISSING);
	assert_int_equal(n_looks, 1);
}

static void
the_least_recently_used_entry_goes(void **state)
{
	const struct file_cache_limits limits = {3, 5, 100, 100000};

	(void)state;
	file_cache_end(cache);
	make_cache(&limits);
	write_file("a", "1", 1);
	write_file("b", "2", 1);
	write_file("c", "3", 1);
	write_file("d", "4", 1);
	assert_content("a", "1");
	assert_content("b", "2");
	assert_content("c", "3");
	assert_content("a", "1");
	assert_content("d", "4"); /* drives out b */
	assert_int_equal(stats.entries, 3);
	n_looks = 0;
	assert_content("a", "1");
	assert_content("c", "3");
	assert_content("d", "4");
	assert_int_equal(n_looks, 0);
	assert_content("b", "2");
	assert_int_equal(n_looks, 1);
}

static void
contents_are_bounded_by_their_bytes(void **state)
{
	const struct file_cache_limits limits = {100, 5, 100, 1000};
	char text[600], name[16];

	(void)state;
	file_cache_end(cache);
	make_cache(&limits);
	memset(text, 'x', sizeof text);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "f%d", i);
		write_file(name, text, 300);
		assert_int_equal(kind_of(name), FILE_REGULAR);
		assert_true(stats.bytes <= 1000);
	}
	assert_int_equal(stats.entries, 3);
	assert_int_equal(stats.bytes, 900);
	/* The newest stays, however large. */
	write_file("large", text, 600);
	assert_int_equal(kind_of("large"), FILE_REGULAR);
	assert_int_equal(stats.bytes, 900);
	assert_int_equal(stats.entries, 2);
}

static void
descriptors_of_large_files_are_bounded(void **state)
{
	const struct file_cache_limits limits = {100, 5, 2, 100000};
	size_t n = FILE_CONTENT_MAX + 1;
	char *text = arena_zalloc(arena, n), name[16];
	int before = dup(0), after;

	(void)state;
	close(before);
	file_cache_end(cache);
	make_cache(&limits);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "f%d", i);
		write_file(name, text, n);
		assert_int_equal(kind_of(name), FILE_REGULAR);
		assert_true(stats.fds <= 2);
	}
	assert_int_equal(stats.fds, 2);
	assert_int_equal(stats.bytes, 0);
	after = dup(0);
	close(after);
	assert_true(after <= before + 2);
	file_cache_end(cache);
	cache = NULL;
	assert_int_equal(stats.fds, 0);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void
running_out_of_descriptors_lets_some_go(void **state)
{
	size_t n = FILE_CONTENT_MAX + 1;
	char *text = arena_zalloc(arena, n), name[16];

	(void)state;
	for (int i = 0; i < FDS_TO_SPARE + 8; i++) {
		snprintf(name, sizeof name, "f%d", i);
		write_file(name, text, n);
		assert_int_equal(kind_of(name), FILE_REGULAR);
	}
	assert_int_equal(stats.fds, FDS_TO_SPARE + 8);
	look_error = EMFILE;
	assert_int_equal(kind_of("another"), FILE_FAILED);
	assert_int_equal(stats.fds, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_looked_at_once_in_a_second),
		TEST(a_changed_file_is_noticed_after_a_second),
		TEST(an_unchanged_file_stays_as_it_is),
		TEST(what_comes_and_goes_is_noticed),
		TEST(kinds_are_told_apart),
		TEST(each_root_has_its_own_names),
		TEST(failures_are_told_but_not_kept),
		TEST(waiters_of_one_name_share_one_look),
		TEST(who_cancels_hears_nothing_and_leaves_nothing),
		TEST(an_answer_outlives_its_entry),
		TEST(the_cache_may_end_while_the_pool_looks),
		TEST(a_known_file_is_looked_at_again_in_the_pool),
		TEST(a_full_pool_is_no_refusal),
		TEST(names_of_what_is_missing_are_bounded),
		TEST(the_least_recently_used_entry_goes),
		TEST(contents_are_bounded_by_their_bytes),
		TEST(descriptors_of_large_files_are_bounded),
		TEST(running_out_of_descriptors_lets_some_go)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
