/*
 * Blocks whose contents can be folded up while nobody looks at them. A block
 * keeps its addresses meanwhile, so pointers into it, and in it, hold when it
 * is laid out again; its pages go back to the system. For what others made and
 * only they could put away in a better way: mostly zeros, and seldom needed.
 */
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include <stddef.h>

#define FOLD_BLOCK 32768 /* bytes */

struct fold;

/* A block of zeros; its pages cost nothing until they are written to. NULL:
 * there is no address space. */
void *fold_take(void);
void fold_give(void *block);

/* Nobody may touch BLOCK until it was laid out again. The answer is one piece
 * of memory that holds all of it that is not zero. */
struct fold *fold_up(void *block);
/* As it was; F is gone. */
void fold_out(void *block, struct fold *f);
/* Instead of fold_out: nobody wants it any more. */
void fold_drop(struct fold *f);
/* Bytes that it holds. */
size_t fold_size(const struct fold *f);

#endif
