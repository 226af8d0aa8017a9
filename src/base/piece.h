/*
 * Small pieces of memory that libraries ask for and give back by the thousand
 * in no order that an arena could follow: kept by their size, a bounded amount
 * of them. As malloc and free, but for panicking instead of NULL.
 */
#ifndef BASE_PIECE_H
#define BASE_PIECE_H

#include <stddef.h>

void *piece_alloc(size_t n);
void *piece_zalloc(size_t n);
void *piece_realloc(void *p, size_t n);
void piece_free(void *p);
/* Bytes that it takes, at least as many as were asked for. */
size_t piece_size(const void *p);

/* Gives back what is kept. */
void piece_trim(void);

#endif
