/*
 * Chunked bodies (RFC 9112 section 7.1), strictly: no bare LF, bounded
 * extensions and trailers. Works on bytes; knows no connection.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "base/buf.h"
#include "http/head.h"

enum chunk_status {
	CHUNK_DATA, /* *DATA is body */
	CHUNK_MORE, /* all that was given is used up; more bytes are needed */
	CHUNK_END,  /* the last chunk and the trailers are over */
	CHUNK_BAD
};

struct chunk_decoder {
	uint64_t left;      /* of the chunk that is being read */
	uint32_t extension; /* bytes of extensions so far, all chunks */
	uint32_t max_extension; /* how many there may be: 4 KiB unless set */
	uint32_t trailer;   /* bytes of trailers so far */
	uint8_t state;
	uint8_t digits;     /* of the size that is being read */
	uint8_t name_n;     /* of the trailer that is being read */
	char name[20];      /* its beginning: enough for any known one */
	uint32_t name_at, value_at; /* where it lies in `text` */
	struct buf text;    /* names and values, in the trailers' arena */
};

void chunk_decoder_init(struct chunk_decoder *d);
/*
 * Goes through P..P+N: *USED bytes are done with; on CHUNK_DATA the body bytes
 * are the LAST data->n of them, so that the caller may take fewer by calling
 * chunk_decoder_untake. Trailer fields are checked and added to TRAILERS
 * (copied to its arena) if that is not NULL; it is the same in every call.
 * Extensions above their limit, trailers above 8 KiB or 128 fields are bad; so
 * are any bare LF, and trailers that would change framing, routing or rights.
 */
enum chunk_status chunk_decode(struct chunk_decoder *d, const char *p,
    size_t n, size_t *used, struct str *data, struct head *trailers);
/* Whether a trailer may have this name. */
bool chunk_may_trail(struct str name);
/* Whether it was bad for more extensions than there may be. */
bool chunk_is_overextended(const struct chunk_decoder *d);
/* N bytes at the end of the last data were not taken after all and will be
 * given again. */
void chunk_decoder_untake(struct chunk_decoder *d, size_t n);

/* "1a2b\r\n"; returns its length (at most 18). */
size_t chunk_format_size(char out[18], uint64_t size);

#endif
