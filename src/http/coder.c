/* Coders by coding: those whose libraries were there. */
#include "http/coder.h"

#include <config.h>

const struct coder *
coder_of(enum coding c)
{
	static const struct coder *const coders[CODING_COUNT] = {
#if WEIR_ZLIB
		[CODING_GZIP] = &coder_gzip,
#endif
#if WEIR_BROTLI
		[CODING_BR] = &coder_br,
#endif
#if WEIR_ZSTD
		[CODING_ZSTD] = &coder_zstd,
#endif
	};

	return coders[c];
}
