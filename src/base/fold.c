/*
 * Blocks that can be folded up: cut from ranges of address space, which are
 * never given back, but their pages are. A fold is the runs of words that are
 * not zero, each after a word that tells where it belongs and how long it is.
 * Words stay aligned, so that who looks for lost memory finds the pointers.
 */
#include "base/fold.h"

#include "base/arena.h"
#include "base/panic.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LSAN 1
#endif
#endif
#ifdef HAS_LSAN
#include <sanitizer/lsan_interface.h>
#endif

#define WORDS (FOLD_BLOCK / sizeof(uint64_t))
#define RANGE_BLOCKS 64 /* of address space at a time: 2 MiB */

struct fold {
	size_t n;
	uint64_t words[];
};

/* Those that nobody has. The list is not in them: that would take a page of
 * each. */
static __thread void **spare;
static __thread size_t n_spare, n_blocks;

static bool
fold_reserve(void)
{
	size_t size = (size_t)RANGE_BLOCKS * FOLD_BLOCK;
	char *range = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		return false;
	/* A huge page would be memory for 64 blocks from the first on. */
	(void)madvise(range, size, MADV_NOHUGEPAGE);
#ifdef HAS_LSAN
	__lsan_register_root_region(range, size);
#endif
	n_blocks += RANGE_BLOCKS;
	spare = mem_realloc(spare, n_blocks * sizeof *spare);
	for (size_t i = RANGE_BLOCKS; i > 0; i--)
		spare[n_spare++] = range + (i - 1) * FOLD_BLOCK;
	return true;
}

void *
fold_take(void)
{
	if (n_spare == 0 && !fold_reserve())
		return NULL;
	return spare[--n_spare];
}

static void
fold_empty(void *block)
{
	/* Where that is not to be had, zeros are still owed. */
	if (madvise(block, FOLD_BLOCK, MADV_DONTNEED) != 0)
		memset(block, 0, FOLD_BLOCK);
}

void
fold_give(void *block)
{
	if (block == NULL)
		return;
	ASSERT(n_spare < n_blocks);
	fold_empty(block);
	spare[n_spare++] = block;
}

/* How many words it takes; TO is NULL to only know that. A single zero is no
 * reason to begin a new run. */
static size_t
fold_pack(const uint64_t *from, uint64_t *to)
{
	size_t out = 0;

	for (size_t at = 0, end; at < WORDS; at = end) {
		end = at + 1;
		if (from[at] == 0)
			continue;
		while (end < WORDS && (from[end] != 0 ||
		    (end + 1 < WORDS && from[end + 1] != 0)))
			end++;
		if (to != NULL) {
			to[out] = (uint64_t)at << 32 | (end - at);
			memcpy(to + out + 1, from + at,
			    (end - at) * sizeof *to);
		}
		out += 1 + end - at;
	}
	return out;
}

struct fold *
fold_up(void *block)
{
	size_t n = fold_pack(block, NULL);
	struct fold *f = mem_alloc(sizeof *f + n * sizeof f->words[0]);

	f->n = n;
	fold_pack(block, f->words);
	fold_empty(block);
	return f;
}

void
fold_out(void *block, struct fold *f)
{
	uint64_t *to = block;

	for (size_t i = 0; i < f->n;) {
		size_t at = f->words[i] >> 32, n = (uint32_t)f->words[i];

		memcpy(to + at, &f->words[i + 1], n * sizeof *to);
		i += 1 + n;
	}
	mem_free(f);
}

void
fold_drop(struct fold *f)
{
	mem_free(f);
}

size_t
fold_size(const struct fold *f)
{
	return sizeof *f + f->n * sizeof f->words[0];
}
