/*
 * Policies: limits that are only reported. Each lets its request pass, is
 * counted and named once, and has a ceiling that holds whatever the mode.
 */
#include "h1_world.h"

#include "base/units.h"
#include "http/policy.h"

#define POST(fields) "POST /pull HTTP/1.1\r\n" H fields "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static char *
many(char c, size_t n)
{
	char *p = arena_alloc(the->arena, n + 1);

	memset(p, c, n);
	p[n] = '\0';
	return p;
}

/* A request with N fields named F besides Host. */
static const char *
with_fields(const char *f, size_t n)
{
	struct buf b = buf_in(the->arena);

	buf_z(&b, "GET /now HTTP/1.1\r\n" H);
	while (n-- > 0)
		buf_printf(&b, "%s: x\r\n", f);
	buf_z(&b, "\r\n");
	buf_chr(&b, '\0');
	return b.p;
}

static const char *
with_target(size_t n)
{
	return arena_printf(the->arena, "GET /now?%s HTTP/1.1\r\n" H "\r\n",
	    many('x', n - 5));
}

static const char *
with_size(size_t n)
{
	return arena_printf(the->arena, "GET /now HTTP/1.1\r\n" H "A: %s\r\n"
	    "\r\n", many('x', n - 19 - 9 - 7));
}

static void
expect_reported(struct world *w, enum refusal why, uint64_t n)
{
	assert_int_equal(w->stats.reported[why], n);
	assert_int_equal(w->stats.refused[why], 0);
}

static void
expect_status(struct world *w, int status)
{
	const char *all = heard(w);

	if (atoi(all + strlen("HTTP/1.1 ")) != status)
		fail_msg("expected %d, got %s", status, all);
}

/* ---- which ------------------------------------------------------------- */

/* Whatever the rows say, of what could be read in two ways none is a policy. */
static void
only_limits_are_policies(void **state)
{
	const struct http_conf log = { .mode = POLICY_LOG }, enforce = { 0 };

	(void)state;
	for (int r = REFUSAL_NONE + 1; r < REFUSAL_COUNT; r++) {
		enum refusal why = (enum refusal)r;

		assert_true(policy_holds(&enforce, why));
		assert_int_equal(policy_holds(&log, why),
		    !refusal_is_policy(why));
	}
	assert_true(policy_holds(&log, REFUSAL_TWO_FRAMINGS));
	assert_true(policy_holds(&log, REFUSAL_BAD_CHUNK));
	assert_true(policy_holds(&log, REFUSAL_HEADER_TIMEOUT));
	assert_true(policy_holds(&log, REFUSAL_BODY_TIMEOUT));
	assert_false(policy_holds(&log, REFUSAL_LARGE_BODY));
}

static void
only_policies_are_counted_as_reported(void **state)
{
	(void)state;
	for (int r = REFUSAL_NONE + 1; r < REFUSAL_COUNT; r++) {
		size_t at = offsetof(struct http_stats, reported) +
		    (size_t)r * sizeof(uint64_t);
		const struct counter_row *row = http_counters.rows;
		char label[64];

		while (row->name != NULL && row->offset != at)
			row++;
		assert_int_equal(row->name != NULL,
		    refusal_is_policy((enum refusal)r));
		if (row->name == NULL)
			continue;
		snprintf(label, sizeof label, "reason=\"%s\"",
		    refusal_word((enum refusal)r));
		assert_string_equal(row->name, "weir_http_reported_total");
		assert_string_equal(row->labels, label);
	}
}

static uint64_t
most_of(const char *key)
{
	const struct conf_field *f = http_schema.fields;
	uint64_t v = 0;

	while (strcmp(f->name, key) != 0)
		f++;
	assert_true(units_parse_size(str_from(f->max), &v, NULL));
	return v;
}

/* A limit that is not enforced allows no more than any setting of it could. */
static void
ceilings_are_what_the_rows_allow(void **state)
{
	(void)state;
	assert_int_equal(most_of("max_header_size"), POLICY_MAX_HEADER_SIZE);
	assert_int_equal(most_of("max_headers"), POLICY_MAX_HEADERS);
	assert_int_equal(most_of("max_target_size"), POLICY_MAX_TARGET_SIZE);
	assert_int_equal(most_of("max_chunk_extensions"),
	    POLICY_MAX_EXTENSIONS);
}

static void
mode_and_list_are_inherited(void **state)
{
	struct world *w = world_of("http: {mode: log}\n"
	    "sites:\n"
	    "- {hosts: a, listen: 80, routes: [answer: x]}\n"
	    "- {hosts: b, listen: 80, routes: [answer: x], "
	    "http: {mode: enforce, log_only: large_body}}\n");
	const struct http_conf *a, *b;

	(void)state;
	a = site_index_find(w->ep->owner, STR("a"))->http;
	b = site_index_find(w->ep->owner, STR("b"))->http;
	assert_false(policy_holds(a, REFUSAL_LARGE_BODY));
	assert_false(policy_holds(a, REFUSAL_UNDERSCORE));
	assert_false(policy_holds(b, REFUSAL_LARGE_BODY));
	assert_true(policy_holds(b, REFUSAL_UNDERSCORE));
	world_end(w);
}

/* ---- heads ------------------------------------------------------------- */

static void
a_long_target_passes_up_to_its_ceiling(void **state)
{
	struct world *w = world_new("mode: log, max_target_size: 64");

	(void)state;
	client(w);
	say(w, with_target(64));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_LONG_TARGET, 0);
	say(w, with_target(65));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_LONG_TARGET, 1);
	say(w, with_target(50000));
	expect(w, HELLO);
	say(w, with_target(70000));
	expect_status(w, 431);
	world_end(w);
}

static void
many_fields_pass_up_to_their_ceiling(void **state)
{
	struct world *w = world_new("log_only: many_fields, max_headers: 3");

	(void)state;
	client(w);
	say(w, with_fields("A", 2));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_MANY_FIELDS, 0);
	say(w, with_fields("A", 3));
	expect(w, HELLO);
	say(w, with_fields("A", 999));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_MANY_FIELDS, 2);
	say(w, with_fields("A", 1000));
	expect_status(w, 431);
	world_end(w);
}

static void
a_large_head_passes_up_to_its_ceiling(void **state)
{
	struct world *w = world_new("log_only: [large_head], "
	    "max_header_size: 1k");

	(void)state;
	client(w);
	say(w, with_size(1024));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_LARGE_HEAD, 0);
	say(w, with_size(1025));
	expect(w, HELLO);
	/* However it comes. */
	for (const char *p = with_size(5000); *p != '\0';
	    p += strnlen(p, 700))
		say_bytes(w, p, strnlen(p, 700));
	expect(w, HELLO);
	say(w, with_size(61440));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_LARGE_HEAD, 3);
	say(w, with_size(61441));
	expect_status(w, 431);
	world_end(w);
}

/* The limits of a head are three: one that is reported leaves the others. */
static void
what_is_not_listed_is_enforced(void **state)
{
	struct world *w = world_new("log_only: [long_target], "
	    "max_header_size: 1k, max_target_size: 64, max_headers: 3");

	(void)state;
	client(w);
	say(w, with_target(65));
	expect(w, HELLO);
	say(w, with_fields("A", 3));
	expect_status(w, 431);
	client(w);
	say(w, with_target(1100));
	expect_status(w, 431);
	assert_int_equal(w->stats.refused[REFUSAL_LARGE_HEAD], 1);
	assert_int_equal(w->stats.refused[REFUSAL_MANY_FIELDS], 1);
	expect_reported(w, REFUSAL_LONG_TARGET, 1);
	world_end(w);
}

static void
an_underscore_passes(void **state)
{
	struct world *w = world_new("mode: log, underscores: refuse");

	(void)state;
	client(w);
	say(w, with_fields("x_y", 2));
	expect(w, HELLO);
	expect_reported(w, REFUSAL_UNDERSCORE, 1);
	world_end(w);
}

static void
what_is_ambiguous_is_refused_in_any_mode(void **state)
{
	static const char *const asks[] = {
		POST("Content-Length: 1\r\n" CHUNKED) "0\r\n\r\n",
		POST("Content-Length: 1\r\nContent-Length: 1\r\n") "x",
		GET("/now") "GET /now HTTP/1.1\r\nHost : a\r\n\r\n",
		POST(CHUNKED) "1\nx\r\n0\r\n\r\n",
	};
	struct world *w = world_new("mode: log");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(asks); i++) {
		client(w);
		say(w, asks[i]);
		assert_non_null(strstr(heard(w), "HTTP/1.1 400 "));
		expect_closed(w);
	}
	world_end(w);
}

/* ---- bodies ------------------------------------------------------------ */

static void
a_large_body_passes_and_is_reported_once(void **state)
{
	struct world *w = world_new("mode: log, max_body_size: 3");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 5\r\n"));
	expect(w, "");
	say(w, "hel");
	say(w, "lo");
	expect(w, HELLO);
	expect_pulled(w, "hello");
	expect_reported(w, REFUSAL_LARGE_BODY, 1);
	say(w, POST(CHUNKED) "4\r\nhell\r\n1\r\no\r\n0\r\n\r\n");
	expect(w, HELLO);
	expect_pulled(w, "hello");
	expect_reported(w, REFUSAL_LARGE_BODY, 2);
	expect_log(w, "POST /pull HTTP/1.1 200 -;POST /pull HTTP/1.1 200 -;");
	world_end(w);
}

static void
large_extensions_pass_up_to_their_ceiling(void **state)
{
	struct world *w = world_new("mode: log, max_chunk_extensions: 4");
	size_t most = POLICY_MAX_EXTENSIONS, piece = 65536;

	(void)state;
	client(w);
	say(w, POST(CHUNKED) "1;xyz\r\na\r\n0\r\n\r\n");
	expect(w, HELLO);
	expect_reported(w, REFUSAL_LARGE_EXTENSIONS, 0);
	say(w, POST(CHUNKED) "1;wxyz\r\na\r\n1;wxyz\r\nb\r\n0\r\n\r\n");
	expect(w, HELLO);
	expect_pulled(w, "aab");
	expect_reported(w, REFUSAL_LARGE_EXTENSIONS, 1);

	say(w, POST(CHUNKED) "1;");
	for (size_t n = 0; n < most; n += piece)
		say_bytes(w, many('x', piece), piece);
	expect(w, "");
	assert_int_equal(w->stats.reported[REFUSAL_LARGE_EXTENSIONS], 2);
	say(w, "x");
	expect_status(w, 400);
	assert_int_equal(w->stats.refused[REFUSAL_LARGE_EXTENSIONS], 1);
	world_end(w);
}

#define RATE "body_timeout: 60s, min_rate: 10, min_rate_grace: 5s"

static void
a_slow_body_passes_within_body_timeout(void **state)
{
	struct world *w = world_new("log_only: [slow_body], " RATE);

	(void)state;
	client(w);
	say(w, POST("Content-Length: 5\r\n"));
	for (int i = 0; i < 4; i++) {
		pass(w, 50000);
		say(w, "x");
		expect(w, "");
	}
	expect_reported(w, REFUSAL_SLOW_BODY, 1);
	say(w, "x");
	expect(w, HELLO);
	expect_log(w, "POST /pull HTTP/1.1 200 -;");
	world_end(w);
}

/* The pause counts from its beginning, not from when the rate was missed. */
static void
a_slow_body_that_stops_has_body_timeout(void **state)
{
	struct world *w = world_new("log_only: [slow_body], " RATE);

	(void)state;
	client(w);
	say(w, POST("Content-Length: 5\r\n") "x");
	pass(w, 58000);
	expect(w, "");
	expect_reported(w, REFUSAL_SLOW_BODY, 1);
	pass(w, 3000);
	expect_status(w, 408);
	expect_log(w, "POST /pull HTTP/1.1 408 body_timeout;");
	world_end(w);
}

/* ---- telling ----------------------------------------------------------- */

static void
what_is_reported_can_be_told(void **state)
{
	struct world *w = world_new("mode: log, max_body_size: 1, "
	    "max_headers: 1");

	(void)state;
	client(w);
	say(w, POST("Content-Length: 2\r\n") "x");
	expect_pulled(w, "x");
	assert_true(str_eq(txn_reported(w->t),
	    STR("many_fields,large_body")));
	assert_null(w->t->reason);
	say(w, "y");
	expect(w, HELLO);
	say(w, GET("/wait"));
	assert_true(str_eq(txn_reported(w->t), STR("")));
	txn_resume(w->t);
	expect(w, HELLO);
	world_end(w);
}

int
main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(only_limits_are_policies),
		T(only_policies_are_counted_as_reported),
		T(ceilings_are_what_the_rows_allow),
		T(mode_and_list_are_inherited),
		T(a_long_target_passes_up_to_its_ceiling),
		T(many_fields_pass_up_to_their_ceiling),
		T(a_large_head_passes_up_to_its_ceiling),
		T(what_is_not_listed_is_enforced),
		T(an_underscore_passes),
		T(what_is_ambiguous_is_refused_in_any_mode),
		T(a_large_body_passes_and_is_reported_once),
		T(large_extensions_pass_up_to_their_ceiling),
		T(a_slow_body_passes_within_body_timeout),
		T(a_slow_body_that_stops_has_body_timeout),
		T(what_is_reported_can_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
