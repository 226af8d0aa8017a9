/*
 * Any bytes as an encoded body. The first byte says which encoding and how
 * large pieces and pages are. Decoding always comes to an end, never without
 * taking or giving something; and what is decoded well does not depend on how
 * it was cut. (Whether it is, may: zstd checks the size of a frame that it sees
 * whole.)
 */
#include "base/arena.h"
#include "base/panic.h"
#include "http/coder.h"

enum { MOST = 1 << 20 }; /* of what is decoded: bombs are the sink's matter */

struct result {
	bool is_good, is_cut;
	size_t n;
	uint64_t hash;
};

static void
fuzz_note(struct result *r, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->hash = (r->hash ^ (unsigned char)p[i]) * 0x100000001b3u;
	r->n += n;
	r->is_cut = r->n > MOST;
}

static bool
fuzz_mode(const struct coder_ops *ops, void *state, struct str in,
    size_t piece, size_t page, enum coder_mode mode, struct result *r)
{
	static char out[65536];
	size_t at = 0;

	while (!r->is_cut) {
		struct coder_io io = {
			.in = in.p + at, .out = out, .out_n = page,
			.in_n = in.n - at < piece ? in.n - at : piece
		};
		size_t given = io.in_n;
		enum coder_status st = ops->run(state, &io, mode);

		ASSERT(io.in_n <= given && io.out_n <= page);
		at += given - io.in_n;
		fuzz_note(r, out, page - io.out_n);
		if (st == CODER_BAD)
			return false;
		if (st == CODER_DONE && at == in.n)
			return true;
		/* As coder_flow does: one that stands still is given up. */
		if (st == CODER_MORE && io.in_n == given && io.out_n == page)
			return false;
	}
	return true;
}

static struct result
fuzz_decode(const struct coder_ops *ops, struct str in, size_t piece,
    size_t page)
{
	struct result r = { .hash = 0xcbf29ce484222325u };
	void *state = ops->start(0, -1);

	ASSERT(state != NULL);
	r.is_good = fuzz_mode(ops, state, in, piece, page, CODER_RUN, &r) &&
	    fuzz_mode(ops, state, STR(""), piece, page, CODER_END, &r);
	ops->end(state);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 1, 13, 512, 16384 };
	const struct coder *coder;
	struct result whole, cut;
	struct str in;

	if (size == 0)
		return 0;
	coder = coder_of((enum coding)(1 + data[0] % (CODING_COUNT - 1)));
	if (coder == NULL)
		return 0;
	in = str_of((const char *)data + 1, size - 1);
	whole = fuzz_decode(coder->decode, in, SIZE_MAX, 65536);
	cut = fuzz_decode(coder->decode, in, sizes[data[0] >> 2 & 3],
	    sizes[data[0] >> 4 & 3]);
	if (whole.is_cut || cut.is_cut)
		return 0;
	if (whole.is_good && cut.is_good)
		ASSERT(whole.n == cut.n && whole.hash == cut.hash);
	return 0;
}
