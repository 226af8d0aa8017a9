/* Zstandard. A decoder takes windows of up to 8 MiB, which is what encoders may
 * use in HTTP (RFC 9659). */
#include <config.h>

#if WEIR_ZSTD
#include "base/arena.h"
#include "http/coder.h"

#include <zstd.h>

#define ZSTD_WINDOW 17
#define ZSTD_WINDOW_MOST 23

static void *
zstd_encode_start(int level, int64_t size)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	if (z == NULL)
		return NULL;
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, ZSTD_WINDOW);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 0);
	/* With the size known, its tables are no larger than it asks for. */
	if (size >= 0)
		ZSTD_CCtx_setPledgedSrcSize(z, (unsigned long long)size);
	return z;
}

static void
zstd_encode_end(void *state)
{
	ZSTD_freeCCtx(state);
}

static enum coder_status
zstd_encode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	static const ZSTD_EndDirective directives[] = {
		[CODER_RUN] = ZSTD_e_continue, [CODER_FLUSH] = ZSTD_e_flush,
		[CODER_END] = ZSTD_e_end
	};
	ZSTD_inBuffer in = { io->in, io->in_n, 0 };
	ZSTD_outBuffer out = { io->out, io->out_n, 0 };
	size_t left = ZSTD_compressStream2(state, &out, &in, directives[mode]);

	io->in += in.pos;
	io->in_n -= in.pos;
	io->out += out.pos;
	io->out_n -= out.pos;
	if (ZSTD_isError(left))
		return CODER_BAD;
	if (mode == CODER_RUN)
		return io->in_n == 0 ? CODER_DONE : CODER_MORE;
	return left == 0 ? CODER_DONE : CODER_MORE;
}

#define ZSTD_MAGIC_LENGTH 4

struct zstd_decoder {
	ZSTD_DCtx *z;
	size_t at; /* bytes of the frame that were taken, up to its magic's */
	bool is_whole; /* it stands after a frame */
};

/*
 * RFC 8878 sections 3.1.1 and 3.1.2. The library may know older formats as
 * well, whose decoders nobody looks after, and which no client speaks of.
 */
static bool
zstd_is_frame(const struct zstd_decoder *d, const struct coder_io *io)
{
	static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const unsigned char skipped[] = { 0x50, 0x2a, 0x4d, 0x18 };

	for (size_t i = d->at; i < ZSTD_MAGIC_LENGTH && i < d->at + io->in_n;
	    i++) {
		unsigned char c = (unsigned char)io->in[i - d->at];

		if (c != frame[i] && (i == 0 ? c & 0xf0 : c) != skipped[i])
			return false;
	}
	return true;
}

static void *
zstd_decode_start(int level, int64_t size)
{
	struct zstd_decoder *d = mem_zalloc(sizeof *d);

	(void)level;
	(void)size;
	d->z = ZSTD_createDCtx();
	if (d->z == NULL) {
		mem_free(d);
		return NULL;
	}
	ZSTD_DCtx_setParameter(d->z, ZSTD_d_windowLogMax, ZSTD_WINDOW_MOST);
	return d;
}

static void
zstd_decode_end(void *state)
{
	struct zstd_decoder *d = state;

	ZSTD_freeDCtx(d->z);
	mem_free(d);
}

/* Frames may follow each other (RFC 8878 section 3). */
static enum coder_status
zstd_decode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	struct zstd_decoder *d = state;
	ZSTD_inBuffer in = { io->in, io->in_n, 0 };
	ZSTD_outBuffer out = { io->out, io->out_n, 0 };
	size_t left;

	if (io->in_n == 0 && d->is_whole)
		return CODER_DONE;
	if (!zstd_is_frame(d, io))
		return CODER_BAD;
	left = ZSTD_decompressStream(d->z, &out, &in);
	io->in += in.pos;
	io->in_n -= in.pos;
	io->out += out.pos;
	io->out_n -= out.pos;
	if (ZSTD_isError(left))
		return CODER_BAD;
	d->is_whole = left == 0;
	d->at = d->is_whole ? 0 : d->at + in.pos < ZSTD_MAGIC_LENGTH ?
	    d->at + in.pos : ZSTD_MAGIC_LENGTH;
	if (io->in_n > 0 || io->out_n == 0)
		return CODER_MORE;
	return mode == CODER_END && !d->is_whole ? CODER_BAD : CODER_DONE;
}

const struct coder coder_zstd = {
	.level_min = 1, .level_max = 6, .level = 3,
	.encode = &(const struct coder_ops){
		zstd_encode_start, zstd_encode_run, zstd_encode_end
	},
	.decode = &(const struct coder_ops){
		zstd_decode_start, zstd_decode_run, zstd_decode_end
	},
	.encode_memory = 2 << 20, .decode_memory = 9 << 20
};
#endif
