/* Arenas: memory that dies with its owner, and the blocks that are kept. */
#include "base/arena.c"

#include "death.h"

#include <setjmp.h>
#include <cmocka.h>

static void
allocations_are_aligned_and_do_not_overlap(void **state)
{
	struct arena *a = arena_new();
	unsigned char *p[300];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		p[i] = arena_alloc(a, i * 7 % 97 + 1);
		assert_int_equal((uintptr_t)p[i] % ALIGNMENT, 0);
		memset(p[i], (int)i & 0xff, i * 7 % 97 + 1);
	}
	for (unsigned i = 0; i < 300; i++)
		for (unsigned k = 0; k < i * 7 % 97 + 1; k++)
			assert_int_equal(p[i][k], i & 0xff);
	arena_end(a);
}

static void
a_large_request_leaves_the_current_block_in_use(void **state)
{
	struct arena *a = arena_new();
	char *before = arena_alloc(a, 16);
	char *large = arena_alloc(a, 100000);
	char *after = arena_alloc(a, 16);

	(void)state;
	memset(large, 1, 100000);
	assert_ptr_equal(after, before + 16);
	assert_true(arena_size(a) >= ARENA_BLOCK + 100000);
	arena_end(a);
}

static void
every_size_around_a_block_is_given(void **state)
{
	(void)state;
	for (size_t n = OWN_BLOCK - 40; n < ARENA_BLOCK + 40; n++) {
		struct arena *a = arena_new();

		memset(arena_alloc(a, n), 1, n);
		memset(arena_alloc(a, n), 2, n);
		arena_end(a);
	}
}

static void
size_is_what_the_system_gave(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_int_equal(arena_size(a), ARENA_BLOCK);
	(void)arena_alloc(a, 1000);
	assert_int_equal(arena_size(a), ARENA_BLOCK);
	for (int i = 0; i < 4; i++)
		(void)arena_alloc(a, 1000);
	assert_int_equal(arena_size(a), 2 * ARENA_BLOCK);
	arena_end(a);
}

static void
zalloc_clears_what_another_arena_left(void **state)
{
	static const char zeros[2000];
	struct arena *a = arena_new();

	(void)state;
	memset(arena_alloc(a, sizeof zeros), 0xaa, sizeof zeros);
	arena_end(a);
	a = arena_new();
	assert_memory_equal(arena_zalloc(a, sizeof zeros), zeros,
	    sizeof zeros);
	arena_end(a);
}

static void
copies_end_with_nul(void **state)
{
	struct arena *a = arena_new();
	struct str s = arena_str(a, str_of("abcdef", 3));

	(void)state;
	assert_string_equal(arena_memdup(a, "xyz", 2), "xy");
	assert_string_equal(arena_memdup(a, NULL, 0), "");
	assert_string_equal(arena_strdup(a, "text"), "text");
	assert_int_equal(s.n, 3);
	assert_string_equal(s.p, "abc");
	arena_end(a);
}

static void
printf_takes_texts_of_any_length(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	/* 256 is where the text stops to fit the stack. */
	for (int n = 250; n < 262; n++) {
		char *p = arena_printf(a, "%0*d", n, 7);
		struct str s = arena_strf(a, "%0*d", n, 7);

		assert_int_equal(strlen(p), n);
		assert_int_equal(p[n - 1], '7');
		assert_true(str_eq(s, str_from(p)));
	}
	arena_end(a);
}

struct note {
	char *at;
	struct arena *arena;
	const char *word;
};

static void
note_write(void *arg)
{
	struct note *n = arg;

	/* The arena still stands while its cleanups run. */
	strcat(n->at, arena_printf(n->arena, "%s,", n->word));
}

static void
cleanups_run_last_added_first(void **state)
{
	struct arena *a = arena_new();
	char order[32] = "";
	struct note notes[] = {
		{order, a, "one"}, {order, a, "two"}, {order, a, "three"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(notes); i++)
		arena_on_end(a, note_write, &notes[i]);
	assert_string_equal(order, "");
	arena_end(a);
	assert_string_equal(order, "three,two,one,");
}

static void
blocks_are_kept_for_the_next_arena_but_not_all(void **state)
{
	struct arena *a;

	(void)state;
	arena_trim();
	a = arena_new();
	arena_end(a);
	assert_int_equal(n_kept, 1);
	assert_ptr_equal(arena_new(), a);
	assert_int_equal(n_kept, 0);

	for (int i = 0; i < 500; i++)
		(void)arena_alloc(a, 2000);
	arena_end(a);
	assert_int_equal(n_kept, KEPT_BLOCKS);
	arena_trim();
	assert_int_equal(n_kept, 0);
	assert_null(kept);
}

static void
blocks_of_their_own_are_not_kept(void **state)
{
	struct arena *a;

	(void)state;
	arena_trim();
	a = arena_new();
	(void)arena_alloc(a, 50000);
	arena_end(a);
	assert_int_equal(n_kept, 1);
	arena_trim();
}

#ifdef HAS_ASAN
static void
memory_is_poisoned_around_and_after(void **state)
{
	struct arena *a = arena_new();
	char *p = arena_alloc(a, 13);

	(void)state;
	assert_false(__asan_address_is_poisoned(p + 12));
	assert_true(__asan_address_is_poisoned(p + 13));
	assert_true(__asan_address_is_poisoned(p + 16));
	arena_end(a);
	assert_true(__asan_address_is_poisoned(p));
}
#endif

static volatile size_t too_much = SIZE_MAX - 8;

static void
ask_too_much(void)
{
	(void)arena_alloc(arena_new(), too_much);
}

static void
a_size_that_would_wrap_is_a_panic(void **state)
{
	struct death d = death_of(ask_too_much);

	(void)state;
	assert_int_equal(d.signo, SIGABRT);
	assert_true(death_says(&d, "assertion failed: size <= SIZE_MAX / 2"));
}

static void
mem_gives_memory_even_for_nothing(void **state)
{
	void *p = mem_alloc(0), *q = mem_zalloc(0);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	p = mem_realloc(p, 0);
	assert_non_null(p);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
		cmocka_unit_test(
		    a_large_request_leaves_the_current_block_in_use),
		cmocka_unit_test(every_size_around_a_block_is_given),
		cmocka_unit_test(size_is_what_the_system_gave),
		cmocka_unit_test(zalloc_clears_what_another_arena_left),
		cmocka_unit_test(copies_end_with_nul),
		cmocka_unit_test(printf_takes_texts_of_any_length),
		cmocka_unit_test(cleanups_run_last_added_first),
		cmocka_unit_test(
		    blocks_are_kept_for_the_next_arena_but_not_all),
		cmocka_unit_test(blocks_of_their_own_are_not_kept),
#ifdef HAS_ASAN
		cmocka_unit_test(memory_is_poisoned_around_and_after),
#endif
		cmocka_unit_test(a_size_that_would_wrap_is_a_panic),
		cmocka_unit_test(mem_gives_memory_even_for_nothing)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
