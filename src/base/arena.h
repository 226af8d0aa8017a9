/*
 * Arenas: memory that belongs to one owner and dies with it. Allocation never
 * returns NULL; whatever a peer can make large must be limited before it is
 * allocated. Blocks of the standard size are kept on a small per-thread list,
 * so that an arena of a transaction costs no malloc.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/compiler.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>

struct arena;

#define ARENA_BLOCK 4096 /* bytes of a standard block, its header included */

/* The arena itself lives in its first block. */
struct arena *arena_new(void);
/* Runs the cleanups, last added first, then frees everything. */
void arena_end(struct arena *a);

void *arena_alloc(struct arena *a, size_t size); /* aligned for any object */
void *arena_zalloc(struct arena *a, size_t size);
/* A copy with a NUL after it. */
char *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str arena_strf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

/* FN(ARG) is called by arena_end: for what is not memory. */
void arena_on_end(struct arena *a, void (*fn)(void *arg), void *arg);

/* Bytes that the arena holds from the system. */
size_t arena_size(const struct arena *a);

/* Gives the kept blocks of this thread back (before a worker goes idle for
 * long, and in tests that look for leaks). */
void arena_trim(void);

/* malloc and friends that panic instead of returning NULL; for base/ and for
 * objects whose owner frees them one by one (connections). */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *p, size_t size);
/* Gives back to the system what was freed: after work that needed much for a
 * moment, before a fork hands it on. */
void mem_trim(void);
void mem_free(void *p);

#endif
