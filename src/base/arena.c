/*
 * Arenas: bump allocation in blocks that die together. The arena sits at the
 * start of its first block. Blocks of the standard size go to a short list of
 * their thread instead of to malloc; anything larger gets a block of its own.
 * Under AddressSanitizer the free part of a block is poisoned, so that use
 * after the end is found although the memory is kept.
 */
#include "base/arena.h"

#include "base/panic.h"
#include "base/piece.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGNMENT 16
#define KEPT_BLOCKS 64 /* per thread: 256 KiB at most */
/* A request larger than this gets its own block rather than wasting the rest
 * of a standard one. */
#define OWN_BLOCK (ARENA_BLOCK / 2)

struct block {
	struct block *next;
	size_t size; /* of the whole block */
};

struct cleanup {
	struct cleanup *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct block *blocks; /* all; the last is the one the arena lies in */
	char *at, *end;       /* free part of the current block */
	struct cleanup *cleanups;
	size_t size;
};

static __thread struct block *kept;
static __thread unsigned n_kept;

static size_t
align_up(size_t n)
{
	return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

#define HEAD align_up(sizeof(struct block))

static struct block *
block_get(size_t size)
{
	struct block *b;

	if (size == ARENA_BLOCK && kept != NULL) {
		b = kept;
		UNPOISON(b, sizeof *b);
		kept = b->next;
		n_kept--;
	} else {
		b = mem_alloc(size);
	}
	b->size = size;
	POISON((char *)b + HEAD, size - HEAD);
	return b;
}

static void
block_put(struct block *b)
{
	if (b->size == ARENA_BLOCK && n_kept < KEPT_BLOCKS) {
		POISON((char *)b + HEAD, b->size - HEAD);
		b->next = kept;
		kept = b;
		n_kept++;
		return;
	}
	UNPOISON((char *)b + HEAD, b->size - HEAD);
	free(b);
}

struct arena *
arena_new(void)
{
	struct block *b = block_get(ARENA_BLOCK);
	char *at = (char *)b + HEAD;
	struct arena *a = (struct arena *)(void *)at;

	b->next = NULL;
	UNPOISON(a, align_up(sizeof *a));
	*a = (struct arena){
		.blocks = b,
		.at = at + align_up(sizeof *a),
		.end = (char *)b + ARENA_BLOCK,
		.size = ARENA_BLOCK
	};
	return a;
}

void
arena_end(struct arena *a)
{
	struct block *b, *next;

	while (a->cleanups != NULL) {
		struct cleanup *c = a->cleanups;

		a->cleanups = c->next;
		c->fn(c->arg);
	}
	for (b = a->blocks; b != NULL; b = next) {
		next = b->next;
		block_put(b);
	}
}

/* The slow half: the current block is full. */
static void *
arena_alloc_block(struct arena *a, size_t size)
{
	size_t room = align_up(size);
	bool own = room > OWN_BLOCK;
	size_t block = own ? HEAD + room : ARENA_BLOCK;
	struct block *b = block_get(block);
	char *p = (char *)b + HEAD;

	b->next = a->blocks;
	a->blocks = b;
	a->size += block;
	UNPOISON(p, size);
	if (!own) {
		a->at = p + room;
		a->end = (char *)b + block;
	}
	return p;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	char *p = a->at;
	size_t room;

	ASSERT(size <= SIZE_MAX / 2);
	room = align_up(size);
	if (room > (size_t)(a->end - p))
		return arena_alloc_block(a, size);
	a->at = p + room;
	UNPOISON(p, size);
	return p;
}

void *
arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

char *
arena_memdup(struct arena *a, const void *p, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s));
}

struct str
arena_str(struct arena *a, struct str s)
{
	return str_of(arena_memdup(a, s.p, s.n), s.n);
}

char *
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char small[256];
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	ASSERT(n >= 0);
	if ((size_t)n < sizeof small) {
		p = arena_memdup(a, small, (size_t)n);
	} else {
		p = arena_alloc(a, (size_t)n + 1);
		vsnprintf(p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

struct str
arena_strf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return str_from(p);
}

void
arena_on_end(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct cleanup *c = arena_alloc(a, sizeof *c);

	*c = (struct cleanup){ .next = a->cleanups, .fn = fn, .arg = arg };
	a->cleanups = c;
}

size_t
arena_size(const struct arena *a)
{
	return a->size;
}

void
arena_trim(void)
{
	while (kept != NULL) {
		struct block *b = kept;

		kept = b->next;
		UNPOISON((char *)b + HEAD, b->size - HEAD);
		free(b);
	}
	n_kept = 0;
}

/* ---- malloc that does not fail ----------------------------------------- */

static void *
mem_check(void *p)
{
	if (UNLIKELY(p == NULL))
		panic_at(__FILE__, __LINE__, "out of memory");
	return p;
}

void *
mem_alloc(size_t size)
{
	return mem_check(malloc(size > 0 ? size : 1));
}

void *
mem_zalloc(size_t size)
{
	return mem_check(calloc(1, size > 0 ? size : 1));
}

void *
mem_realloc(void *p, size_t size)
{
	return mem_check(realloc(p, size > 0 ? size : 1));
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_trim(void)
{
	arena_trim();
	piece_trim();
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
