/* Blocks that are folded up and laid out again. */
#include "base/fold.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static size_t
resident_pages(const void *block)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE), pages = 0;
	unsigned char in[FOLD_BLOCK / 4096];

	assert_int_equal(mincore((void *)(uintptr_t)block, FOLD_BLOCK, in), 0);
	for (size_t i = 0; i < FOLD_BLOCK / size; i++)
		pages += in[i] & 1;
	return pages;
}

static void
assert_is_zero(const unsigned char *block)
{
	for (size_t i = 0; i < FOLD_BLOCK; i++)
		assert_int_equal(block[i], 0);
}

/* Folds and lays out what FILL wrote; how large it was meanwhile. */
static size_t
fold_and_compare(void (*fill)(unsigned char *block))
{
	unsigned char *block = fold_take(), *before = mem_alloc(FOLD_BLOCK);
	struct fold *f;
	size_t size;

	fill(block);
	memcpy(before, block, FOLD_BLOCK);
	f = fold_up(block);
	size = fold_size(f);
	assert_int_equal(resident_pages(block), 0);
	fold_out(block, f);
	assert_memory_equal(block, before, FOLD_BLOCK);
	fold_give(block);
	mem_free(before);
	return size;
}

/* ---- contents ---------------------------------------------------------- */

static void
fill_nothing(unsigned char *block)
{
	(void)block;
}

static void
fill_all(unsigned char *block)
{
	memset(block, 0xff, FOLD_BLOCK);
}

static void
fill_edges(unsigned char *block)
{
	block[0] = 1;
	block[FOLD_BLOCK - 1] = 2;
}

static void
fill_last_but_one(unsigned char *block)
{
	block[FOLD_BLOCK - 9] = 1;
}

static void
fill_every_second_word(unsigned char *block)
{
	for (size_t i = 8; i < FOLD_BLOCK; i += 16)
		block[i] = (unsigned char)(i >> 4 | 1);
}

static void
fill_every_third_word(unsigned char *block)
{
	for (size_t i = 0; i < FOLD_BLOCK; i += 24)
		block[i] = 7;
}

static unsigned long seed;

static void
fill_at_random(unsigned char *block)
{
	unsigned long x = seed;

	for (size_t i = 0; i < FOLD_BLOCK; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		if ((x >> 60) < seed % 16)
			block[i] = (unsigned char)(x >> 40);
	}
}

static void
what_is_folded_comes_back_as_it_was(void **state)
{
	(void)state;
	fold_and_compare(fill_nothing);
	fold_and_compare(fill_all);
	fold_and_compare(fill_edges);
	fold_and_compare(fill_last_but_one);
	fold_and_compare(fill_every_second_word);
	fold_and_compare(fill_every_third_word);
	for (seed = 0; seed < 64; seed++)
		fold_and_compare(fill_at_random);
}

static void
zeros_take_no_room(void **state)
{
	(void)state;
	assert_int_equal(fold_and_compare(fill_nothing), sizeof(struct fold));
	/* Two runs of one word. */
	assert_int_equal(fold_and_compare(fill_edges),
	    sizeof(struct fold) + 4 * sizeof(uint64_t));
	assert_in_range(fold_and_compare(fill_all), FOLD_BLOCK,
	    FOLD_BLOCK + 16);
}

/* ---- blocks ------------------------------------------------------------ */

static void
a_block_given_back_is_zeros_and_costs_nothing(void **state)
{
	unsigned char *block = fold_take();

	(void)state;
	memset(block, 1, FOLD_BLOCK);
	fold_give(block);
	assert_int_equal(resident_pages(block), 0);
	assert_ptr_equal(fold_take(), block);
	assert_is_zero(block);
	fold_give(block);
}

static void
blocks_do_not_overlap(void **state)
{
	enum { N = 3 * RANGE_BLOCKS };
	unsigned char *blocks[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		blocks[i] = fold_take();
		memset(blocks[i], i, FOLD_BLOCK);
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(blocks[i][0], i);
		assert_int_equal(blocks[i][FOLD_BLOCK - 1], i);
		fold_give(blocks[i]);
	}
}

static void
a_fold_that_nobody_wants_is_dropped(void **state)
{
	unsigned char *block = fold_take();

	(void)state;
	fill_edges(block);
	fold_drop(fold_up(block));
	assert_is_zero(block);
	fold_give(block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_folded_comes_back_as_it_was),
		cmocka_unit_test(zeros_take_no_room),
		cmocka_unit_test(a_block_given_back_is_zeros_and_costs_nothing),
		cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(a_fold_that_nobody_wants_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
