/*
 * Coders: bytes in, bytes out, in one content coding or out of it. The work is
 * zlib's, brotli's and zstd's; here is what a flow needs of any of them. A
 * coding whose library was not there when Weir was built has none.
 */
#ifndef HTTP_CODER_H
#define HTTP_CODER_H

#include "http/coding.h"

/* What there is and where it goes; cut by whoever uses it. */
struct coder_io {
	const char *in;
	size_t in_n;
	char *out;
	size_t out_n;
};

enum coder_mode {
	CODER_RUN,   /* more will come: nothing need come out yet */
	CODER_FLUSH, /* what went in must come out */
	CODER_END    /* nothing follows */
};

enum coder_status {
	CODER_MORE, /* it has taken all that it can, or needs room */
	CODER_DONE, /* RUN: all was taken; FLUSH: all is out; END: it is whole */
	CODER_BAD   /* what went in is malformed; or there is no memory */
};

struct coder_ops {
	/* LEVEL (encoders) is within the bounds; SIZE of what is to be encoded,
	 * -1: unknown. NULL: there is no memory. */
	void *(*start)(int level, int64_t size);
	enum coder_status (*run)(void *state, struct coder_io *io,
	    enum coder_mode mode);
	void (*end)(void *state);
};

/*
 * Levels go no higher than what encodes a piece within about a millisecond on a
 * usual machine, since it is the loop that waits: what is worth more is worth
 * doing beforehand (files: precompressed).
 */
struct coder {
	int level_min, level_max, level; /* the last: the default */
	const struct coder_ops *encode, *decode;
	/* About how much an encoder and a decoder hold, bytes. */
	size_t encode_memory, decode_memory;
};

/* NULL: this weir was built without it; and of identity. */
const struct coder *coder_of(enum coding c);

extern const struct coder coder_gzip, coder_br, coder_zstd;

#endif
