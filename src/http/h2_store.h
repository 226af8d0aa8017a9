/*
 * What nghttp2 holds for one connection: counted, bounded, and folded up while
 * the connection is idle. A session is 25 KiB from its first moment, nearly all
 * of it zeros: tables for as many streams and fields as there may be, and room
 * for a frame.
 */
#ifndef HTTP_H2_STORE_H
#define HTTP_H2_STORE_H

#include "base/fold.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

struct h2_store {
	size_t heap, max; /* bytes of pieces, and how many may be */
	char *block;      /* what the session was made with; NULL: of pieces */
	uint32_t used;    /* of the block */
	bool is_making;   /* the session */
	struct fold *fold; /* the block is folded up */
};

/* From now until h2_store_is_made things come from the block. */
void h2_store_open(struct h2_store *s, size_t max);
void h2_store_is_made(struct h2_store *s);
/* How nghttp2 asks it. */
nghttp2_mem h2_store_mem(struct h2_store *s);
/* The session is gone. */
void h2_store_close(struct h2_store *s);

/* No call of nghttp2 for the session may be made in between. */
void h2_store_fold(struct h2_store *s);
void h2_store_unfold(struct h2_store *s);
static inline bool
h2_store_is_folded(const struct h2_store *s)
{
	return s->fold != NULL;
}

/* Bytes. */
size_t h2_store_held(const struct h2_store *s);

#endif
