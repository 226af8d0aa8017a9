/*
 * What happens when we are wrong: a report on stderr and in the error log,
 * then abort(). Asserts are compiled in always and may depend only on our own
 * code, never on what came through a socket, a file or a clock.
 */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

#include "base/compiler.h"

#include <stdint.h>

#define ASSERT(cond) \
	((cond) ? (void)0 : panic_at(__FILE__, __LINE__, "assertion failed: " #cond))
#define UNREACHABLE() panic_at(__FILE__, __LINE__, "unreachable code reached")

/* Long-lived structs begin with `uint32_t magic`; every callback checks it. */
#define OBJ_CHECK(obj, MAGIC) ASSERT((obj) != NULL && (obj)->magic == (MAGIC))

NORETURN void panic_at(const char *file, int line, const char *what);

/*
 * Adds a printer to the report: called with ARG and a descriptor to write to,
 * in the signal handler or in panic_at, so it may only format with
 * panic_print. At most 8; later ones are ignored.
 */
void panic_add_reporter(void (*report)(void *arg, int fd), void *arg);

/* Formats into a stack buffer and writes it; safe in a signal handler for
 * %s, %d, %u, %x, %p, %zu and %.*s (vsnprintf of glibc does not allocate
 * for these). */
void panic_print(int fd, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Makes SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT print the report
 * (signal, backtrace, reporters, the last lines of the log) to stderr and the
 * error log on an alternate stack, then die of the same signal.
 */
void panic_catch_signals(void);

#endif
