/*
 * Files as flows. Whether pages are in memory, and when the pool gets to read
 * them, is for the test to say; the file is a real one.
 */
#include "http/file_flow.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_cold; /* no page is in memory */
static bool pool_is_full;
static unsigned n_probes;
static off_t probed; /* the last byte that was asked for */
static struct list pool_jobs;

static ssize_t
scripted_preadv2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	assert_int_equal(flags, RWF_NOWAIT);
	n_probes++;
	probed = off;
	if (is_cold) {
		errno = EAGAIN;
		return -1;
	}
	return preadv(fd, iov, n, off);
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

#define preadv2 scripted_preadv2
#define pool_submit scripted_submit
#include "http/file_flow.c"
#undef preadv2
#undef pool_submit

#define SIZE (3 * WINDOW + 1000)

static int some_pool;
static struct net net = {.pool = (struct pool *)(void *)&some_pool};
static struct file_stats stats;
static struct arena *arena;
static struct file *file;
static unsigned n_wakes;

static int
set_up(void **state)
{
	char path[] = "/tmp/weir-test-flow-XXXXXX";

	(void)state;
	clock_fake_start(1000000, 784111777);
	memset(&stats, 0, sizeof stats);
	is_cold = pool_is_full = false;
	n_probes = n_wakes = 0;
	list_init(&pool_jobs);
	arena = arena_new();
	file = mem_zalloc(sizeof *file);
	file->magic = FILE_MAGIC;
	file->refs = 1;
	file->size = SIZE;
	file->fd = mkstemp(path);
	unlink(path);
	return file->fd >= 0 ? ftruncate(file->fd, SIZE) : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	/* All that flows and jobs held was given back. */
	assert_int_equal(file->refs, 1);
	assert_true(list_is_empty(&pool_jobs));
	file_unref(file);
	arena_end(arena);
	clock_fake_end();
	return 0;
}

static void
on_wake(void *arg)
{
	(void)arg;
	n_wakes++;
}

static struct flow *
flow_of(uint64_t off, uint64_t len)
{
	struct flow *f = file_flow(arena, &net, &stats, file, off, len);

	assert_int_equal(f->length, len);
	flow_on_wake(f, on_wake, NULL);
	return f;
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

static void
assert_span(struct flow *f, uint64_t off, size_t n)
{
	struct span s;

	assert_int_equal(flow_peek(f, &s), FLOW_DATA);
	assert_null(s.p);
	assert_int_equal(s.fd, file->fd);
	assert_int_equal(s.off, off);
	assert_int_equal(s.n, n);
}

/* Takes all of it, as fast as it comes. */
static void
drain(struct flow *f)
{
	struct span s;

	while (flow_peek(f, &s) == FLOW_DATA)
		flow_take(f, s.n);
}

static void
what_is_in_memory_comes_from_there(void **state)
{
	struct file small = {
		.magic = FILE_MAGIC, .refs = 1, .fd = -1, .size = 10,
		.content = STR_INIT("0123456789")
	};
	struct flow *f = file_flow(arena, &net, &stats, &small, 2, 5);
	struct span s;

	(void)state;
	assert_int_equal(flow_peek(f, &s), FLOW_DATA);
	assert_true(str_eq(str_of(s.p, s.n), STR("23456")));
	flow_take(f, s.n);
	assert_int_equal(flow_peek(f, &s), FLOW_END);
	flow_close(f);
	assert_int_equal(small.refs, 1);
}

static void
a_file_comes_in_windows_each_probed_at_its_end(void **state)
{
	struct flow *f = flow_of(0, SIZE);
	struct span s;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_span(f, i * (uint64_t)WINDOW, WINDOW);
		assert_int_equal(n_probes, i + 1);
		assert_int_equal(probed, (i + 1) * (off_t)WINDOW - 1);
		/* What was probed is not probed again. */
		flow_take(f, 1000);
		assert_span(f, i * (uint64_t)WINDOW + 1000, WINDOW - 1000);
		flow_take(f, WINDOW - 1000);
		assert_int_equal(n_probes, i + 1);
	}
	assert_span(f, 3 * (uint64_t)WINDOW, 1000);
	assert_int_equal(f->length, 1000);
	flow_take(f, 1000);
	assert_int_equal(f->length, 0);
	assert_int_equal(flow_peek(f, &s), FLOW_END);
	flow_close(f);
}

static void
a_range_is_that_range(void **state)
{
	struct flow *f = flow_of(5000, 70);
	struct span s;

	(void)state;
	assert_span(f, 5000, 70);
	flow_take(f, 70);
	assert_int_equal(flow_peek(f, &s), FLOW_END);
	flow_close(f);
	f = flow_of(SIZE, 0);
	assert_int_equal(flow_peek(f, &s), FLOW_END);
	flow_close(f);
}

static void
cold_pages_are_read_in_the_pool_and_wake_once(void **state)
{
	struct flow *f = flow_of(0, SIZE);
	struct span s;

	(void)state;
	is_cold = true;
	assert_int_equal(flow_peek(f, &s), FLOW_WAIT);
	assert_int_equal(flow_peek(f, &s), FLOW_WAIT);
	assert_int_equal(stats.cold, 1);
	assert_int_equal(n_probes, 1);
	assert_int_equal(n_wakes, 0);
	run_pool();
	assert_int_equal(n_wakes, 1);
	/* It is not asked again, or it could wait for ever. */
	assert_span(f, 0, WINDOW);
	flow_take(f, WINDOW);
	assert_int_equal(flow_peek(f, &s), FLOW_WAIT);
	assert_int_equal(stats.cold, 2);
	run_pool();
	assert_span(f, WINDOW, WINDOW);
	flow_take(f, 0);
	flow_close(f);
}

static void
a_full_pool_does_not_stop_it(void **state)
{
	struct flow *f = flow_of(0, SIZE);

	(void)state;
	is_cold = pool_is_full = true;
	assert_span(f, 0, WINDOW);
	flow_take(f, 0);
	assert_int_equal(stats.cold, 0);
	flow_close(f);
}

static void
a_file_system_in_memory_needs_no_pool(void **state)
{
	struct flow *f = flow_of(0, SIZE);

	(void)state;
	is_cold = file->is_in_memory_fs = true;
	assert_span(f, 0, WINDOW);
	flow_take(f, 0);
	flow_close(f);
}

static void
it_may_be_closed_while_the_pool_reads(void **state)
{
	struct flow *f = flow_of(0, SIZE);
	struct span s;

	(void)state;
	is_cold = true;
	assert_int_equal(flow_peek(f, &s), FLOW_WAIT);
	flow_close(f);
	/* The job still holds the file: its descriptor must stay. */
	assert_int_equal(file->refs, 2);
	run_pool();
	assert_int_equal(n_wakes, 0);
}

static void
a_file_that_became_shorter_fails(void **state)
{
	struct flow *f = flow_of(0, SIZE);
	struct span s;

	(void)state;
	assert_span(f, 0, WINDOW);
	assert_int_equal(ftruncate(file->fd, 100), 0);
	/* Nothing could be sent: it looks again, and sees. */
	flow_take(f, 0);
	assert_int_equal(flow_peek(f, &s), FLOW_FAIL);
	flow_close(f);
}

static void
what_was_sent_whole_is_not_probed_for_a_while(void **state)
{
	struct flow *f;

	(void)state;
	f = flow_of(0, SIZE);
	drain(f);
	flow_close(f);
	assert_int_equal(n_probes, 4);
	clock_fake_advance(RESIDENT_MS - 1);
	f = flow_of(0, SIZE);
	assert_span(f, 0, SIZE);
	flow_take(f, 0);
	flow_close(f);
	assert_int_equal(n_probes, 4);
	clock_fake_advance(1);
	f = flow_of(0, SIZE);
	assert_span(f, 0, WINDOW);
	flow_take(f, 0);
	flow_close(f);
	assert_int_equal(n_probes, 5);
}

static void
parts_and_large_files_are_always_probed(void **state)
{
	struct flow *f = flow_of(1, SIZE - 1);

	(void)state;
	drain(f);
	flow_close(f);
	f = flow_of(0, SIZE - 1);
	drain(f);
	flow_close(f);
	assert_int_equal(file->resident_until, 0);
	file->size = RESIDENT_MAX + 1;
	assert_int_equal(ftruncate(file->fd, RESIDENT_MAX + 1), 0);
	f = flow_of(0, RESIDENT_MAX + 1);
	drain(f);
	flow_close(f);
	assert_int_equal(file->resident_until, 0);
}

static void
pages_that_were_cold_are_not_taken_for_resident(void **state)
{
	struct flow *f = flow_of(0, SIZE);
	struct span s;

	(void)state;
	is_cold = true;
	while (flow_peek(f, &s) != FLOW_END) {
		run_pool();
		assert_int_equal(flow_peek(f, &s), FLOW_DATA);
		flow_take(f, s.n);
	}
	flow_close(f);
	assert_int_equal(stats.cold, 4);
	assert_int_equal(file->resident_until, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_memory_comes_from_there),
		TEST(a_file_comes_in_windows_each_probed_at_its_end),
		TEST(a_range_is_that_range),
		TEST(cold_pages_are_read_in_the_pool_and_wake_once),
		TEST(a_full_pool_does_not_stop_it),
		TEST(a_file_system_in_memory_needs_no_pool),
		TEST(it_may_be_closed_while_the_pool_reads),
		TEST(a_file_that_became_shorter_fails),
		TEST(what_was_sent_whole_is_not_probed_for_a_while),
		TEST(parts_and_large_files_are_always_probed),
		TEST(pages_that_were_cold_are_not_taken_for_resident)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
