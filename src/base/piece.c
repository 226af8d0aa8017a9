/*
 * Small pieces, kept by size in stacks of their thread. The allocator of glibc
 * does the same for seven of each size, then begins to merge and split: too few
 * where 32 requests of one read come and go together. Under AddressSanitizer
 * nothing is kept, so that use after free is found.
 */
#include "base/piece.h"

#include "base/arena.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEPT_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEPT_BYTES 0
#endif
#endif
#ifndef KEPT_BYTES
#define KEPT_BYTES 262144 /* of a thread, all sizes together */
#endif

/* Sizes of malloc are 16 apart, and 8 above a multiple of it. */
#define STEP 16
#define ODD 8
#define STACKS 65 /* up to 1032 bytes */

struct piece {
	struct piece *next;
};

static __thread struct piece *stacks[STACKS];
static __thread size_t n_kept; /* bytes */

size_t
piece_size(const void *p)
{
	return malloc_usable_size((void *)(uintptr_t)p);
}

/* The stack whose pieces are large enough for N. */
static size_t
piece_stack_for(size_t n)
{
	return n <= ODD + STEP ? 1 : (n - ODD + STEP - 1) / STEP;
}

void *
piece_alloc(size_t n)
{
	size_t i = piece_stack_for(n);
	struct piece *p;

	if (i >= STACKS || stacks[i] == NULL)
		return mem_alloc(n);
	p = stacks[i];
	stacks[i] = p->next;
	n_kept -= piece_size(p);
	return p;
}

void *
piece_zalloc(size_t n)
{
	return memset(piece_alloc(n), 0, n);
}

void *
piece_realloc(void *p, size_t n)
{
	return mem_realloc(p, n);
}

void
piece_free(void *mem)
{
	struct piece *p = mem;
	size_t size, i;

	if (p == NULL)
		return;
	size = piece_size(p);
	i = size < ODD + STEP ? 0 : (size - ODD) / STEP;
	if (i == 0 || i >= STACKS || n_kept + size > KEPT_BYTES) {
		mem_free(p);
		return;
	}
	p->next = stacks[i];
	stacks[i] = p;
	n_kept += size;
}

void
piece_trim(void)
{
	for (size_t i = 0; i < STACKS; i++)
		while (stacks[i] != NULL) {
			struct piece *p = stacks[i];

			stacks[i] = p->next;
			mem_free(p);
		}
	n_kept = 0;
}
