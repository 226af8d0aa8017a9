/* Brotli. The window is 256 KiB or what the size asks for: the format's usual 4
 * MiB would be held for each response that is being sent. */
#include <config.h>

#if WEIR_BROTLI
#include "http/coder.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

#define BR_WINDOW 18
#define BR_WINDOW_LEAST 10
#define BR_BLOCK 16 /* bits of what is encoded at once: the format's least */

static void *
br_encode_start(int level, int64_t size)
{
	BrotliEncoderState *s = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	uint32_t window = BR_WINDOW;

	if (s == NULL)
		return NULL;
	while (size >= 0 && window > BR_WINDOW_LEAST &&
	    size <= (int64_t)1 << (window - 1))
		window--;
	BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, (uint32_t)level);
	BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, window);
	BrotliEncoderSetParameter(s, BROTLI_PARAM_LGBLOCK, BR_BLOCK);
	if (size > 0 && size <= 1 << 30)
		BrotliEncoderSetParameter(s, BROTLI_PARAM_SIZE_HINT,
		    (uint32_t)size);
	return s;
}

static void
br_encode_end(void *state)
{
	BrotliEncoderDestroyInstance(state);
}

static enum coder_status
br_encode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	static const BrotliEncoderOperation operations[] = {
		[CODER_RUN] = BROTLI_OPERATION_PROCESS,
		[CODER_FLUSH] = BROTLI_OPERATION_FLUSH,
		[CODER_END] = BROTLI_OPERATION_FINISH
	};

	if (!BrotliEncoderCompressStream(state, operations[mode], &io->in_n,
	    (const uint8_t **)&io->in, &io->out_n, (uint8_t **)&io->out, NULL))
		return CODER_BAD;
	if (io->in_n > 0 || BrotliEncoderHasMoreOutput(state))
		return CODER_MORE;
	if (mode == CODER_END && !BrotliEncoderIsFinished(state))
		return CODER_MORE;
	return CODER_DONE;
}

static void *
br_decode_start(int level, int64_t size)
{
	(void)level;
	(void)size;
	return BrotliDecoderCreateInstance(NULL, NULL, NULL);
}

static void
br_decode_end(void *state)
{
	BrotliDecoderDestroyInstance(state);
}

static enum coder_status
br_decode_run(void *state, struct coder_io *io, enum coder_mode mode)
{
	switch (BrotliDecoderDecompressStream(state, &io->in_n,
	    (const uint8_t **)&io->in, &io->out_n, (uint8_t **)&io->out,
	    NULL)) {
	case BROTLI_DECODER_RESULT_SUCCESS:
		return io->in_n == 0 ? CODER_DONE : CODER_BAD;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return CODER_MORE;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return mode == CODER_END ? CODER_BAD : CODER_DONE;
	case BROTLI_DECODER_RESULT_ERROR:
		break;
	}
	return CODER_BAD;
}

const struct coder coder_br = {
	.level_min = 0, .level_max = 6, .level = 4,
	.encode = &(const struct coder_ops){
		br_encode_start, br_encode_run, br_encode_end
	},
	.decode = &(const struct coder_ops){
		br_decode_start, br_decode_run, br_decode_end
	},
	.encode_memory = 4 << 20, .decode_memory = 512 << 10
};
#endif
