/* Counter pages: slots, totals that outlive their worker, and that a child can
 * write nothing but its own. */
#include "process/page.c"

#include "death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static struct pages *pages;

static int
setup(void **state)
{
	struct err e;

	(void)state;
	pages = pages_new(&e);
	return pages == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	munmap(pages->region, pages->size);
	mem_free(pages);
	return 0;
}

static int
take(enum page_role role)
{
	int slot = pages_take(pages);

	assert_true(slot >= 0);
	pages_board(pages)->slots[slot].role = role;
	return slot;
}

static void
slots_are_taken_in_turn_and_come_back(void **state)
{
	(void)state;
	assert_int_equal(take(ROLE_WORKER), 0);
	assert_int_equal(take(ROLE_WORKER), 1);
	assert_int_equal(take(ROLE_SCOUT), 2);
	pages_retire(pages, 1);
	assert_int_equal(take(ROLE_WORKER), 1);
	assert_int_equal(take(ROLE_WORKER), 3);
}

static void
when_all_are_taken_there_is_none(void **state)
{
	(void)state;
	for (int i = 0; i < PAGE_SLOTS; i++)
		assert_int_equal(take(ROLE_WORKER), i);
	assert_int_equal(pages_take(pages), -1);
	pages_retire(pages, 300);
	assert_int_equal(pages_take(pages), 300);
}

static void
a_taken_page_is_empty_whoever_had_it(void **state)
{
	int slot = take(ROLE_WORKER);

	(void)state;
	pages_view(pages, slot).http->requests = 7;
	pages_retire(pages, slot);
	assert_int_equal(take(ROLE_WORKER), slot);
	assert_int_equal(pages_view(pages, slot).http->requests, 0);
}

static void
totals_of_the_dead_are_kept_and_gauges_are_not(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		int slot = take(ROLE_WORKER);
		struct page_view v = pages_view(pages, slot);

		v.http->requests = 10 * i;
		v.http->responses[1] = i;
		v.http->in_flight = 5;
		v.net->accepted = i;
		pages_retire(pages, slot);
	}
	assert_int_equal(pages_view(pages, -1).http->requests, 60);
	assert_int_equal(pages_view(pages, -1).http->responses[1], 6);
	assert_int_equal(pages_view(pages, -1).http->in_flight, 0);
	assert_int_equal(pages_view(pages, -1).net->accepted, 6);
}

static void
what_the_scout_did_counts_for_nobody(void **state)
{
	int slot = take(ROLE_SCOUT);

	(void)state;
	pages_view(pages, slot).http->requests = 9;
	pages_retire(pages, slot);
	assert_int_equal(pages_view(pages, -1).http->requests, 0);
	assert_int_equal(pages_board(pages)->slots[slot].role, ROLE_NONE);
}

static void
every_set_has_its_own_cache_lines(void **state)
{
	const struct counter_set *set;
	size_t at, end = 0;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++) {
		assert_true(at >= end && at % 64 == 0);
		end = at + set->size;
		n++;
		for (const struct counter_row *r = set->rows; r->name != NULL;
		     r++)
			assert_true(r->offset + sizeof(uint64_t) <= set->size);
	}
	assert_true(n >= CORE_SETS);
	assert_true(end <= pages->page_size);
}

static void
pages_do_not_overlap(void **state)
{
	(void)state;
	memset(pages_at(pages, 0), 0xff, pages->page_size);
	assert_int_equal(pages_view(pages, -1).http->requests, 0);
	assert_int_equal(pages_view(pages, 1).http->requests, 0);
	memset(pages_board(pages), 0xff, sizeof(struct page_board));
	assert_int_equal(pages_view(pages, -1).loop->ticks, 0);
}

static void
the_sequence_is_odd_while_the_master_writes(void **state)
{
	uint32_t before = pages_board(pages)->sequence;

	(void)state;
	assert_int_equal(before % 2, 0);
	pages_write_begin(pages);
	assert_int_equal(pages_board(pages)->sequence, before + 1);
	pages_write_end(pages);
	assert_int_equal(pages_board(pages)->sequence, before + 2);
	pages_retire(pages, take(ROLE_WORKER));
	assert_int_equal(pages_board(pages)->sequence % 2, 0);
}

/* ---- what a child may --------------------------------------------------- */

static void
write_own(void)
{
	pages_own(pages, 1);
	pages_view(pages, 1).http->requests = 11;
}

static void
write_neighbour(void)
{
	pages_own(pages, 1);
	pages_view(pages, 2).http->requests = 11;
}

static void
write_board(void)
{
	pages_own(pages, 1);
	pages_board(pages)->generation = 11;
}

static void
write_retired(void)
{
	pages_own(pages, 1);
	pages_view(pages, -1).http->requests = 11;
}

static void
write_as_nobody(void)
{
	pages_own(pages, -1);
	pages_view(pages, 1).http->requests = 12;
}

static void
a_child_writes_its_own_page_and_the_master_sees_it(void **state)
{
	struct death d = death_of(write_own);

	(void)state;
	assert_int_equal(d.signo, 0);
	assert_int_equal(d.exit_status, 0);
	assert_int_equal(pages_view(pages, 1).http->requests, 11);
}

static void
a_child_writes_nothing_else(void **state)
{
	static void (*const victims[])(void) = {
		write_neighbour, write_board, write_retired, write_as_nobody
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(victims); i++) {
		struct death d = death_of(victims[i]);

		/* A sanitizer reports it and exits. */
		assert_true(d.signo == SIGSEGV || d.exit_status != 0);
	}
	assert_int_equal(pages_view(pages, 2).http->requests, 0);
	assert_int_equal(pages_view(pages, -1).http->requests, 0);
	assert_int_equal(pages_board(pages)->generation, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slots_are_taken_in_turn_and_come_back),
		TEST(when_all_are_taken_there_is_none),
		TEST(a_taken_page_is_empty_whoever_had_it),
		TEST(totals_of_the_dead_are_kept_and_gauges_are_not),
		TEST(what_the_scout_did_counts_for_nobody),
		TEST(every_set_has_its_own_cache_lines),
		TEST(pages_do_not_overlap),
		TEST(the_sequence_is_odd_while_the_master_writes),
		TEST(a_child_writes_its_own_page_and_the_master_sees_it),
		TEST(a_child_writes_nothing_else)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
