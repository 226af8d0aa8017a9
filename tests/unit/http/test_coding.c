/* Content codings: what a client that says this is given of that, and what a
 * response then says. */
#include "http/coding.h"

#include "base/compiler.h"
#include "http/weight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_end(arena);
	arena_trim();
	return 0;
}

static struct head *
head_of(enum field_id id, const char *value)
{
	struct head *h = arena_zalloc(arena, sizeof *h);

	head_init(h, arena, 4);
	if (value != NULL)
		head_add_known(h, id, str_from(value));
	return h;
}

/* ---- choosing ---------------------------------------------------------- */

static void
the_best_offer_that_is_wanted_is_chosen(void **state)
{
	static const int offered[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };
	static const struct {
		const char *accept;
		enum coding chosen;
	} rows[] = {
		{ NULL, CODING_IDENTITY },
		{ "", CODING_IDENTITY },
		{ "gzip", CODING_GZIP },
		{ "x-gzip", CODING_GZIP },
		{ "GZIP", CODING_GZIP },
		{ "gzip, deflate, br, zstd", CODING_ZSTD },
		{ "gzip, br", CODING_BR },
		{ "gzip;q=0.9, br;q=0.8", CODING_GZIP },
		{ "gzip;q=0.8 , br ; q=0.8", CODING_BR },
		{ "gzip;q=0", CODING_IDENTITY },
		{ "gzip;q=0.000, br;q=0.001", CODING_BR },
		{ "*", CODING_ZSTD },
		{ "zstd;q=0, *", CODING_BR },
		{ "*;q=0.5, gzip", CODING_GZIP },
		{ "*;q=0", CODING_IDENTITY },
		{ "identity", CODING_IDENTITY },
		{ "identity, gzip", CODING_GZIP },
		{ "identity, gzip;q=0.5", CODING_IDENTITY },
		{ "identity;q=0, gzip;q=0.1", CODING_GZIP },
		{ "identity;q=0", CODING_IDENTITY },
		{ "deflate, compress", CODING_IDENTITY },
		{ "gzip;q=2", CODING_IDENTITY },
		{ "gzip;q=1.001", CODING_IDENTITY },
		{ "gzip;q=", CODING_IDENTITY },
		{ "gzip;q=0.1234", CODING_IDENTITY },
		{ "gzip;q=.5", CODING_IDENTITY },
		{ "gzip;level=9;q=0.5", CODING_GZIP },
		{ ", ,gzip,,", CODING_GZIP },
		{ ";q=1, gzip", CODING_GZIP },
		{ "gzip\t;\tQ=0.5", CODING_GZIP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum coding c = coding_choose(head_of(FIELD_ACCEPT_ENCODING,
		    rows[i].accept), offered, COUNT_OF(offered));

		if (c != rows[i].chosen)
			fail_msg("%s: %s", rows[i].accept, coding_name(c).p);
	}
}

static void
several_lines_are_one_list(void **state)
{
	static const int offered[] = { CODING_BR, CODING_GZIP };
	struct head *h = head_of(FIELD_ACCEPT_ENCODING, "br;q=0.1");

	(void)state;
	head_add_known(h, FIELD_ACCEPT_ENCODING, STR("gzip"));
	assert_int_equal(coding_choose(h, offered, 2), CODING_GZIP);
	assert_true(coding_is_accepted(h, CODING_BR));
	assert_false(coding_is_accepted(h, CODING_ZSTD));
}

static void
nothing_is_accepted_that_is_not_said(void **state)
{
	(void)state;
	assert_false(coding_is_accepted(head_of(FIELD_ACCEPT_ENCODING, NULL),
	    CODING_GZIP));
}

/* ---- responses --------------------------------------------------------- */

static void
vary_is_said_once(void **state)
{
	static const struct {
		const char *before;
		unsigned lines;
	} rows[] = {
		{ NULL, 1 }, { "Origin", 2 }, { "accept-encoding", 1 },
		{ "Origin, Accept-Encoding", 1 }, { "*", 1 },
		{ "X-Accept-Encoding", 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct head *h = head_of(FIELD_VARY, rows[i].before);

		coding_vary(h);
		coding_vary(h);
		assert_int_equal(head_count(h, FIELD_VARY), rows[i].lines);
	}
}

static void
an_etag_turns_weak_once(void **state)
{
	struct head *h = head_of(FIELD_ETAG, "\"x\"");

	(void)state;
	coding_changes(h);
	coding_changes(h);
	assert_true(str_eq(head_value(h, FIELD_ETAG), STR("W/\"x\"")));
}

static void
what_counts_bytes_goes(void **state)
{
	struct head *h = head_of(FIELD_ACCEPT_RANGES, "bytes");

	(void)state;
	head_add(h, FIELD_OTHER, STR("Repr-Digest"), STR("sha-256=:x:"));
	head_add(h, FIELD_OTHER, STR("X-Kept"), STR("1"));
	coding_changes(h);
	assert_false(head_has(h, FIELD_ACCEPT_RANGES));
	assert_null(head_find_name(h, STR("repr-digest")));
	assert_non_null(head_find_name(h, STR("x-kept")));
}

static void
no_transform_is_found_among_others(void **state)
{
	(void)state;
	assert_true(coding_may_change(head_of(FIELD_CACHE_CONTROL, NULL)));
	assert_true(coding_may_change(head_of(FIELD_CACHE_CONTROL,
	    "public, x-no-transform")));
	assert_false(coding_may_change(head_of(FIELD_CACHE_CONTROL,
	    "max-age=1, No-Transform")));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_best_offer_that_is_wanted_is_chosen),
		T(several_lines_are_one_list),
		T(nothing_is_accepted_that_is_not_said),
		T(vary_is_said_once),
		T(an_etag_turns_weak_once),
		T(what_counts_bytes_goes),
		T(no_transform_is_found_among_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
