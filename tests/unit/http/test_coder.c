/*
 * Coders: what goes through one and back is the same, in pieces and pages of
 * any size; what is malformed or cut short is found.
 */
#include "http/coder.h"

#include "base/arena.h"
#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LONGEST = 300000, CODED = 2 * LONGEST };
static char text[LONGEST], coded[CODED], decoded[CODED];

static void
fill(void)
{
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof text; i++) {
		seed = seed * 1103515245u + 12345u;
		text[i] = "the quick brown\xff"[seed >> 16 & 15];
	}
}

struct pass {
	const struct coder_ops *ops;
	void *state;
	size_t piece, page; /* what is given, and room, at a time */
};

/* One mode over IN; what came out goes to OUT. False: CODER_BAD. */
static bool
pass_run(const struct pass *p, struct str in, enum coder_mode mode, char *out,
    size_t *n)
{
	size_t at = 0;

	for (unsigned turns = 0;; turns++) {
		struct coder_io io = {
			.in = in.p + at, .out = out + *n, .out_n = p->page,
			.in_n = in.n - at < p->piece ? in.n - at : p->piece
		};
		size_t given = io.in_n;
		enum coder_status st = p->ops->run(p->state, &io, mode);

		assert_true(turns < 3 * CODED);
		at += given - io.in_n;
		*n += p->page - io.out_n;
		assert_true(*n + p->page < CODED);
		if (st == CODER_BAD)
			return false;
		if (st == CODER_DONE && at == in.n)
			return true;
		assert_true(given != io.in_n || io.out_n < p->page);
	}
}

static size_t
encode(enum coding c, int level, size_t size, size_t piece, size_t page)
{
	const struct coder *coder = coder_of(c);
	struct pass p = {
		.ops = coder->encode, .piece = piece, .page = page,
		.state = coder->encode->start(level, (int64_t)size)
	};
	size_t n = 0;

	assert_non_null(p.state);
	assert_true(pass_run(&p, str_of(text, size), CODER_RUN, coded, &n));
	assert_true(pass_run(&p, STR(""), CODER_END, coded, &n));
	p.ops->end(p.state);
	return n;
}

static bool
decode(enum coding c, size_t coded_n, size_t piece, size_t page, size_t *n)
{
	const struct coder *coder = coder_of(c);
	struct pass p = {
		.ops = coder->decode, .piece = piece, .page = page,
		.state = coder->decode->start(0, -1)
	};
	bool ok;

	*n = 0;
	ok = pass_run(&p, str_of(coded, coded_n), CODER_RUN, decoded, n) &&
	    pass_run(&p, STR(""), CODER_END, decoded, n);
	p.ops->end(p.state);
	return ok;
}

static const enum coding codings[] = { CODING_GZIP, CODING_BR, CODING_ZSTD };

static void
every_level_goes_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		const struct coder *coder = coder_of(codings[i]);

		if (coder == NULL)
			continue;
		for (int l = coder->level_min; l <= coder->level_max; l++) {
			size_t n = encode(codings[i], l, LONGEST, 16384, 16384);
			size_t back;

			assert_true(n > 0 && n < LONGEST);
			assert_true(decode(codings[i], n, 16384, 16384, &back));
			assert_int_equal(back, LONGEST);
			assert_memory_equal(decoded, text, LONGEST);
		}
	}
}

static void
pieces_and_pages_may_be_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 7, 1000, 70000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		if (coder_of(codings[i]) == NULL)
			continue;
		for (size_t j = 0; j < COUNT_OF(sizes) * COUNT_OF(sizes); j++) {
			size_t piece = sizes[j / COUNT_OF(sizes)];
			size_t page = sizes[j % COUNT_OF(sizes)];
			size_t n = encode(codings[i],
			    coder_of(codings[i])->level, 20000, piece, page);
			size_t back;

			assert_true(decode(codings[i], n, page, piece, &back));
			assert_int_equal(back, 20000);
			assert_memory_equal(decoded, text, 20000);
		}
	}
}

static void
nothing_becomes_something_that_means_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		size_t n, back;

		if (coder_of(codings[i]) == NULL)
			continue;
		n = encode(codings[i], coder_of(codings[i])->level, 0, 100,
		    100);
		assert_true(n > 0);
		assert_true(decode(codings[i], n, 100, 100, &back));
		assert_int_equal(back, 0);
	}
}

static void
a_flush_brings_out_all_that_went_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		const struct coder *coder = coder_of(codings[i]);
		struct pass e = { .piece = 100, .page = 100 }, d = e;
		size_t n = 0, back = 0;

		if (coder == NULL)
			continue;
		e.ops = coder->encode;
		e.state = e.ops->start(coder->level, -1);
		d.ops = coder->decode;
		d.state = d.ops->start(0, -1);
		for (size_t at = 0; at < 3000; at += 300) {
			size_t from = n;

			assert_true(pass_run(&e, str_of(text + at, 300),
			    CODER_RUN, coded, &n));
			assert_true(pass_run(&e, STR(""), CODER_FLUSH, coded,
			    &n));
			assert_true(pass_run(&d, str_of(coded + from, n - from),
			    CODER_RUN, decoded, &back));
			assert_true(pass_run(&d, STR(""), CODER_FLUSH, decoded,
			    &back));
			assert_int_equal(back, at + 300);
			assert_memory_equal(decoded, text, back);
		}
		e.ops->end(e.state);
		d.ops->end(d.state);
	}
}

static void
what_is_cut_short_is_found_wherever_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		size_t n, back;

		if (coder_of(codings[i]) == NULL)
			continue;
		n = encode(codings[i], coder_of(codings[i])->level, 2000, 500,
		    500);
		for (size_t cut = 1; cut < n; cut++)
			assert_false(decode(codings[i], cut, 500, 500, &back));
	}
}

static void
what_is_something_else_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(codings); i++) {
		size_t back;

		if (coder_of(codings[i]) == NULL)
			continue;
		memset(coded, 'x', 200);
		assert_false(decode(codings[i], 200, 200, 200, &back));
	}
}

static void
gzip_and_zstd_may_go_on_after_an_end(void **state)
{
	static const enum coding both[] = { CODING_GZIP, CODING_ZSTD };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(both); i++) {
		size_t n, back;

		if (coder_of(both[i]) == NULL)
			continue;
		n = encode(both[i], 3, 1000, 1000, 1000);
		memcpy(coded + n, coded, n);
		assert_true(decode(both[i], 2 * n, 9, 9, &back));
		assert_int_equal(back, 2000);
		assert_memory_equal(decoded, text, 1000);
		assert_memory_equal(decoded + 1000, text, 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_goes_there_and_back),
		cmocka_unit_test(pieces_and_pages_may_be_of_any_size),
		cmocka_unit_test(nothing_becomes_something_that_means_nothing),
		cmocka_unit_test(a_flush_brings_out_all_that_went_in),
		cmocka_unit_test(what_is_cut_short_is_found_wherever_it_is_cut),
		cmocka_unit_test(what_is_something_else_is_found),
		cmocka_unit_test(gzip_and_zstd_may_go_on_after_an_end),
	};

	fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
