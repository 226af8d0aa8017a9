/* The limit of memory: when a server is starved, and when it is no more. What
 * the kernel says is a file that the test writes. */
#include "process/memory_guard.c"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB(n) ((uint64_t)(n) << 20)

static struct {
	struct loop_stats loop_stats;
	struct http_stats stats;
	struct net net;
	struct server server;
	struct memory_guard guard;
	unsigned idle; /* connections that can be closed */
	unsigned shed;
	enum close_reason why;
} w;

bool
server_shed(struct server *s, enum close_reason why)
{
	assert_ptr_equal(s, &w.server);
	if (w.idle == 0)
		return false;
	w.idle--;
	s->n_conns--;
	w.shed++;
	w.why = why;
	return true;
}

static void
kernel_says(const char *text)
{
	assert_int_equal(ftruncate(w.guard.fd, 0), 0);
	assert_int_equal(pwrite(w.guard.fd, text, strlen(text), 0),
	    (ssize_t)strlen(text));
}

/* Of its own; as much again is files. */
static void
kernel_counts(uint64_t bytes)
{
	unsigned long pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	char text[96];

	snprintf(text, sizeof text, "%lu %lu %lu 9 0 9 0\n", 4 * pages,
	    2 * pages, pages);
	kernel_says(text);
}

static void
pass(uint64_t ms)
{
	for (uint64_t at = 0; at < ms; at += 10) {
		clock_fake_advance(10);
		loop_tick(w.net.loop, 0);
	}
}

static void
connections(unsigned n, unsigned idle)
{
	w.server.n_conns = n;
	w.idle = idle;
	w.shed = 0;
}

static int
setup(void **state)
{
	char path[] = "/tmp/weir-statm-XXXXXX";
	struct err e;

	(void)state;
	memset(&w, 0, sizeof w);
	clock_fake_start(1000000, 1700000000);
	log_set_level(LOG_CRIT);
	w.net.loop = loop_new(&w.loop_stats, &e);
	w.server.net = &w.net;
	w.server.stats = &w.stats;
	assert_true(memory_guard_open(&w.guard, MIB(80), &e));
	assert_true(w.guard.fd >= 0);
	close(w.guard.fd);
	w.guard.fd = mkstemp(path);
	assert_int_equal(unlink(path), 0);
	kernel_counts(MIB(10));
	memory_guard_start(&w.guard, &w.server);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_guard_end(&w.guard);
	loop_end(w.net.loop);
	clock_fake_end();
	return 0;
}

static void
guard_counts_what_is_not_of_files(void **state)
{
	(void)state;
	kernel_counts(MIB(42));
	pass(LOOK_EVERY);
	assert_int_equal(w.stats.memory, MIB(42));
	assert_false(w.server.is_starved);
	assert_int_equal(w.stats.starved, 0);
}

static void
guard_starves_the_server_above_the_limit_and_not_before(void **state)
{
	(void)state;
	connections(100, 100);
	kernel_counts(MIB(80));
	pass(LOOK_EVERY);
	assert_false(w.server.is_starved);
	assert_int_equal(w.shed, 0);
	kernel_counts(MIB(81));
	pass(LOOK_EVERY);
	assert_true(w.server.is_starved);
	assert_int_equal(w.stats.starved, 1);
	assert_int_equal(w.shed, SHED_LEAST + 100 / SHED_SHARE);
	assert_int_equal(w.why, CLOSE_LOW_MEMORY);
}

static void
guard_recovers_well_below_the_limit_only(void **state)
{
	(void)state;
	kernel_counts(MIB(81));
	pass(LOOK_EVERY);
	kernel_counts(MIB(71));
	pass(LOOK_EVERY);
	assert_true(w.server.is_starved);
	kernel_counts(MIB(69));
	pass(LOOK_EVERY);
	assert_false(w.server.is_starved);
	/* And between the marks stays so. */
	kernel_counts(MIB(79));
	pass(LOOK_EVERY);
	assert_false(w.server.is_starved);
	assert_int_equal(w.stats.starved, 1);
	kernel_counts(MIB(90));
	pass(LOOK_EVERY);
	assert_int_equal(w.stats.starved, 2);
}

static void
guard_goes_on_until_nobody_is_idle(void **state)
{
	(void)state;
	connections(1000, 990);
	kernel_counts(MIB(100));
	pass(20000);
	assert_int_equal(w.shed, 990);
	assert_int_equal(w.server.n_conns, 10);
	assert_true(w.server.is_starved);
}

static void
guard_tells_seldom(void **state)
{
	uint64_t first;

	(void)state;
	kernel_counts(MIB(100));
	pass(LOOK_EVERY);
	first = w.guard.told;
	assert_int_not_equal(first, 0);
	pass(TELL_EVERY - LOOK_EVERY);
	assert_int_equal(w.guard.told, first);
	pass(2 * LOOK_EVERY);
	assert_true(w.guard.told >= first + TELL_EVERY);
}

static void
guard_believes_no_nonsense(void **state)
{
	static const char *const texts[] = { "", "x\n", "1 2\n", "9 1 2 3\n" };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(texts); i++) {
		kernel_says(texts[i]);
		pass(LOOK_EVERY);
		assert_false(w.server.is_starved);
	}
}

static void
guard_takes_a_limit_that_can_be_kept(void **state)
{
	struct memory_guard *g = &w.guard;

	(void)state;
	kernel_counts(MIB(78));
	memory_guard_start(g, &w.server);
	assert_int_equal(g->limit, MIB(78) + LEAST_ROOM);
	pass(LOOK_EVERY);
	assert_false(w.server.is_starved);
}

static void
guard_without_a_limit_does_nothing(void **state)
{
	struct memory_guard none;
	struct err e;

	(void)state;
	assert_true(memory_guard_open(&none, 0, &e));
	assert_int_equal(none.fd, -1);
	memory_guard_start(&none, &w.server);
	assert_false(timer_is_running(&none.timer));
	memory_guard_end(&none);
}

/* What the file is a stand-in for. */
static void
guard_sees_the_memory_of_its_process(void **state)
{
	enum { SIZE = 32 << 20 };
	struct memory_guard g;
	uint64_t before, after;
	struct err e;
	char *p;

	(void)state;
	assert_true(memory_guard_open(&g, 1, &e));
	before = memory_guard_measure(&g);
	assert_int_not_equal(before, 0);
	p = malloc(SIZE);
	assert_non_null(p);
	memset(p, 1, SIZE);
	after = memory_guard_measure(&g);
	assert_true(after >= before + SIZE / 8 * 7);
	assert_int_equal(p[SIZE / 2], 1);
	free(p);
	fd_close(&g.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(guard_counts_what_is_not_of_files),
		TEST(guard_starves_the_server_above_the_limit_and_not_before),
		TEST(guard_recovers_well_below_the_limit_only),
		TEST(guard_goes_on_until_nobody_is_idle),
		TEST(guard_tells_seldom),
		TEST(guard_believes_no_nonsense),
		TEST(guard_takes_a_limit_that_can_be_kept),
		TEST(guard_without_a_limit_does_nothing),
		TEST(guard_sees_the_memory_of_its_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
