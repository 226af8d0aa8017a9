/* gzip by zlib. Windows and tables are as large as what is known of the size
 * asks for: most responses are small, and zeroing 256 KiB costs more than
 * encoding them. */
#include <config.h>

#if WEIR_ZLIB
#include "base/arena.h"
#include "http/coder.h"

#include <limits.h>
#include <zlib.h>

#define GZIP_WRAPPER 16 /* to be added to the window's bits */
#define GZIP_WINDOW 15
#define GZIP_MEMORY 8

static void *
gzip_encode_start(int level, int64_t size)
{
	z_stream *z = mem_zalloc(sizeof *z);
	int window = GZIP_WINDOW, memory = GZIP_MEMORY;

	/* Not below 9: zlib's 8 is broken, and saves nothing. */
	while (size >= 0 && window > 9 && size <= (int64_t)1 << (window - 1)) {
		window--;
		if (memory > 1)
			memory--;
	}
	if (deflateInit2(z, level, Z_DEFLATED, window + GZIP_WRAPPER, memory,
	    Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	mem_free(z);
	return NULL;
}

static void
gzip_encode_end(void *state)
{
	deflateEnd(state);
	mem_free(state);
}

static void *
gzip_decode_start(int level, int64_t size)
{
	z_stream *z = mem_zalloc(sizeof *z);

	(void)level;
	(void)size;
	if (inflateInit2(z, GZIP_WINDOW + GZIP_WRAPPER) == Z_OK)
		return z;
	mem_free(z);
	return NULL;
}

static void
gzip_decode_end(void *state)
{
	inflateEnd(state);
	mem_free(state);
}

static void
gzip_begin(z_stream *z, const struct coder_io *io)
{
	z->next_in = (Bytef *)(uintptr_t)io->in;
	z->avail_in = io->in_n < UINT_MAX ? (uInt)io->in_n : UINT_MAX;
	z->next_out = (Bytef *)io->out;
	z->avail_out = io->out_n < UINT_MAX ? (uInt)io->out_n : UINT_MAX;
}

static void
gzip_finish(const z_stream *z, struct coder_io *io)
{
	size_t taken = (size_t)((const char *)z->next_in - io->in);
	size_t made = (size_t)((char *)z->next_out - io->out);

	io->in += taken;
	io->in_n -= taken;
	io->out += made;
	io->out_n -= made;
}

static enum coder_status
gzip_encode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	static const int flushes[] = {
		[CODER_RUN] = Z_NO_FLUSH, [CODER_FLUSH] = Z_SYNC_FLUSH,
		[CODER_END] = Z_FINISH
	};
	z_stream *z = state;
	int status;

	gzip_begin(z, io);
	status = deflate(z, flushes[mode]);
	gzip_finish(z, io);
	if (status == Z_STREAM_END)
		return CODER_DONE;
	/* Z_BUF_ERROR: there was nothing to do. */
	if (status != Z_OK && status != Z_BUF_ERROR)
		return CODER_BAD;
	if (mode == CODER_END)
		return CODER_MORE;
	if (mode == CODER_FLUSH)
		return io->out_n > 0 ? CODER_DONE : CODER_MORE;
	return io->in_n == 0 ? CODER_DONE : CODER_MORE;
}

/* Members may follow each other (RFC 1952 section 2.2): one that begins where
 * another has ended needs a second call. */
static int
gzip_inflate(z_stream *z, struct coder_io *io)
{
	int status;

	gzip_begin(z, io);
	status = inflate(z, Z_SYNC_FLUSH);
	gzip_finish(z, io);
	return status;
}

static enum coder_status
gzip_decode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	z_stream *z = state;
	int status = gzip_inflate(z, io);

	if (status == Z_STREAM_END && io->in_n > 0) {
		if (inflateReset(z) != Z_OK)
			return CODER_BAD;
		status = gzip_inflate(z, io);
	}
	if (status == Z_STREAM_END)
		return io->in_n > 0 ? CODER_MORE : CODER_DONE;
	/* Z_BUF_ERROR: there was nothing to do. */
	if (status != Z_OK && status != Z_BUF_ERROR)
		return CODER_BAD;
	if (io->out_n == 0 || io->in_n > 0)
		return CODER_MORE;
	return mode == CODER_END ? CODER_BAD : CODER_DONE;
}

const struct coder coder_gzip = {
	.level_min = 1, .level_max = 9, .level = 5,
	.encode = &(const struct coder_ops){
		gzip_encode_start, gzip_encode_run, gzip_encode_end
	},
	.decode = &(const struct coder_ops){
		gzip_decode_start, gzip_decode_run, gzip_decode_end
	},
	.encode_memory = 272 << 10, .decode_memory = 48 << 10
};
#endif
