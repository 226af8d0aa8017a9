/*
 * Responses of HTTP/2 servers as they arrive: which heads are refused, what
 * follows from a head about the body, and what the end of a stream means.
 */
#include "upstream/h2_answer.h"

#include "http/server.h"
#include "net/listener.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct world {
	struct arena *arena;
	struct txn t;
	struct h2_client h;
	char interims[256]; /* "103:1;" status and fields of each */
};

static void
on_interim(struct txn *t, int status, const struct head *head)
{
	struct world *w = t->carrier;
	size_t at = strlen(w->interims);

	snprintf(w->interims + at, sizeof w->interims - at, "%d:%u;", status,
	    head->n);
}

static const struct transport transport = { .interim = on_interim };

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	w->arena = arena_new();
	w->t.arena = w->arena;
	w->t.transport = &transport;
	w->t.carrier = w;
	w->t.req.method = METHOD_GET;
	w->t.req.major = 2;
	w->h.call.t = &w->t;
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	arena_end(w->arena);
	mem_free(w);
	return 0;
}

static bool
field(struct world *w, const char *name, const char *value)
{
	return h2_answer_on_field(&w->h, str_from(name), str_from(value),
	    false);
}

/* A head of a status and, unless NULL, a field. */
static void
head(struct world *w, const char *status, const char *name,
    const char *value, bool is_end)
{
	h2_answer_on_head(&w->h);
	assert_true(field(w, ":status", status));
	if (name != NULL)
		assert_true(field(w, name, value));
	h2_answer_on_head_end(&w->h, is_end);
}

static void
expect_failure(const struct world *w, enum exchange_cause cause)
{
	assert_true(w->h.failed);
	assert_int_equal(w->h.cause, cause);
}

/* ---- heads ------------------------------------------------------------- */

static void
a_status_is_three_digits(void **state)
{
	static const char *const bad[] = {
		"", "20", "2000", "2x0", "099", "000", "+20", " 20"
	};
	struct world *w = *state;

	h2_answer_on_head(&w->h);
	assert_true(field(w, ":status", "100"));
	assert_true(field(w, ":status", "999"));
	assert_int_equal(w->h.call.status, 999);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		w->h.failed = false;
		assert_false(field(w, ":status", bad[i]));
		expect_failure(w, CAUSE_BAD_HEAD);
	}
}

static void
what_cannot_stand_in_http1_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "a b", "1" }, { "", "1" }, { "a:b", "1" },
		{ "x", "a\r\nb: c" }, { "x", "a\nb" }, { "x", "\x7f" }
	};
	struct world *w = *state;

	h2_answer_on_head(&w->h);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		w->h.failed = false;
		assert_false(field(w, bad[i][0], bad[i][1]));
		expect_failure(w, CAUSE_BAD_HEAD);
	}
	assert_int_equal(w->h.call.head.n, 0);
}

static void
a_head_has_so_many_fields_and_no_more(void **state)
{
	struct world *w = *state;

	h2_answer_on_head(&w->h);
	for (int i = 0; i < CALL_MAX_FIELDS; i++)
		assert_true(field(w, "x", "1"));
	assert_false(field(w, "x", "1"));
	expect_failure(w, CAUSE_LARGE_HEAD);
}

static void
a_head_has_so_many_bytes_and_no_more(void **state)
{
	struct world *w = *state;
	char *value = arena_alloc(w->arena, CALL_MAX_HEAD);

	memset(value, 'v', CALL_MAX_HEAD);
	h2_answer_on_head(&w->h);
	assert_true(h2_answer_on_field(&w->h, STR("x"),
	    str_of(value, CALL_MAX_HEAD - 33), false));
	h2_answer_on_head(&w->h);
	assert_false(h2_answer_on_field(&w->h, STR("x"),
	    str_of(value, CALL_MAX_HEAD - 32), false));
	expect_failure(w, CAUSE_LARGE_HEAD);
}

static void
what_is_secret_stays_so(void **state)
{
	struct world *w = *state;

	h2_answer_on_head(&w->h);
	assert_true(h2_answer_on_field(&w->h, STR("x-token"), STR("1"),
	    true));
	assert_true(field(w, "x-open", "1"));
	assert_true(w->h.call.head.fields[0].is_secret);
	assert_false(w->h.call.head.fields[1].is_secret);
}

/* ---- interim responses ------------------------------------------------- */

static void
interims_are_passed_on_but_100(void **state)
{
	struct world *w = *state;

	head(w, "103", "link", "</a.css>", false);
	head(w, "100", NULL, NULL, false);
	head(w, "199", NULL, NULL, false);
	assert_string_equal(w->interims, "103:1;199:0;");
	assert_false(w->h.has_head);
	head(w, "200", NULL, NULL, false);
	assert_true(w->h.has_head);
	assert_int_equal(w->h.call.head.n, 0);
}

static void
old_clients_get_none(void **state)
{
	struct world *w = *state;

	w->t.req.major = 1;
	w->t.req.minor = 0;
	head(w, "103", NULL, NULL, false);
	assert_string_equal(w->interims, "");
}

static void
they_are_counted(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < CALL_MAX_INTERIM; i++)
		head(w, "103", NULL, NULL, false);
	assert_false(w->h.failed);
	head(w, "103", NULL, NULL, false);
	expect_failure(w, CAUSE_INTERIM);
}

/* RFC 9113 section 8.6 */
static void
nobody_switches_protocols(void **state)
{
	struct world *w = *state;

	head(w, "101", NULL, NULL, false);
	expect_failure(w, CAUSE_BAD_UPGRADE);
}

/* ---- bodies ------------------------------------------------------------ */

static void
a_head_says_how_the_body_ends(void **state)
{
	static const struct {
		enum method method;
		const char *status, *length; /* NULL: not said */
		bool is_end;
		enum body_framing framing;
		int64_t n;
	} rows[] = {
		{ METHOD_GET, "200", "5", false, BODY_LENGTH, 5 },
		{ METHOD_GET, "200", NULL, false, BODY_CHUNKED, -1 },
		{ METHOD_GET, "200", NULL, true, BODY_LENGTH, 0 },
		{ METHOD_GET, "200", "0", true, BODY_LENGTH, 0 },
		{ METHOD_HEAD, "200", "5", true, BODY_NONE, 5 },
		{ METHOD_GET, "204", NULL, true, BODY_NONE, 0 },
		{ METHOD_GET, "304", "5", true, BODY_NONE, 5 },
		{ METHOD_GET, "404", NULL, false, BODY_CHUNKED, -1 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct world *w;

		tear_down(state);
		set_up(state);
		w = *state;
		w->t.req.method = rows[i].method;
		head(w, rows[i].status, rows[i].length != NULL ?
		    "content-length" : NULL, rows[i].length, rows[i].is_end);
		assert_int_equal(w->h.call.framing, rows[i].framing);
		assert_true(w->h.call.body.length == rows[i].n);
		assert_int_equal(w->h.ended, rows[i].is_end);
	}
}

static void
trailers_lose_what_steers_a_message(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	head(w, "200", NULL, NULL, false);
	h2_answer_on_head(&w->h);
	assert_true(field(w, "grpc-status", "0"));
	assert_true(field(w, "set-cookie", "a=1"));
	assert_true(field(w, "content-length", "5"));
	h2_answer_on_head_end(&w->h, true);
	HEAD_EACH(f, &w->h.call.trailers)
		n++;
	assert_int_equal(n, 1);
	assert_true(w->h.ended);
	assert_int_equal(w->h.call.head.n, 0);
}

/* ---- ends -------------------------------------------------------------- */

static void
a_refused_stream_was_seen_by_nobody(void **state)
{
	struct world *w = *state;

	h2_answer_on_close(&w->h, NGHTTP2_REFUSED_STREAM);
	expect_failure(w, CAUSE_UNPROCESSED);
	assert_true(w->h.call.is_unprocessed);
}

static void
after_a_head_it_was_seen(void **state)
{
	struct world *w = *state;

	head(w, "200", NULL, NULL, false);
	h2_answer_on_close(&w->h, NGHTTP2_REFUSED_STREAM);
	expect_failure(w, CAUSE_STREAM);
	assert_false(w->h.call.is_unprocessed);
}

static void
a_reset_says_why(void **state)
{
	struct world *w = *state;

	h2_answer_on_close(&w->h, NGHTTP2_ENHANCE_YOUR_CALM);
	expect_failure(w, CAUSE_STREAM);
	assert_string_equal(w->h.detail, "ENHANCE_YOUR_CALM");
}

static void
what_has_ended_does_not_fail(void **state)
{
	struct world *w = *state;

	head(w, "200", NULL, NULL, true);
	h2_answer_on_close(&w->h, NGHTTP2_NO_ERROR);
	assert_true(w->h.closed);
	assert_false(w->h.failed);
}

static void
the_first_failure_counts(void **state)
{
	struct world *w = *state;

	h2_answer_fail(&w->h, CAUSE_TIMEOUT, NULL);
	h2_answer_on_close(&w->h, NGHTTP2_CANCEL);
	expect_failure(w, CAUSE_TIMEOUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_status_is_three_digits),
		TEST(what_cannot_stand_in_http1_is_refused),
		TEST(a_head_has_so_many_fields_and_no_more),
		TEST(a_head_has_so_many_bytes_and_no_more),
		TEST(what_is_secret_stays_so),
		TEST(interims_are_passed_on_but_100),
		TEST(old_clients_get_none),
		TEST(they_are_counted),
		TEST(nobody_switches_protocols),
		TEST(a_head_says_how_the_body_ends),
		TEST(trailers_lose_what_steers_a_message),
		TEST(a_refused_stream_was_seen_by_nobody),
		TEST(after_a_head_it_was_seen),
		TEST(a_reset_says_why),
		TEST(what_has_ended_does_not_fail),
		TEST(the_first_failure_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
