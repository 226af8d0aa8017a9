/*
 * Heads of HTTP/2: what a list of fields becomes as a request, which ones are
 * refused, and what of a response may be said.
 */
#include "http/h2_head.h"

#include "http/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct world {
	struct arena *arena;
	struct http_conf conf;
	struct h2_head head;
	struct txn t;
	enum refusal refusal; /* of the fields; the first */
	struct str target;
};

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	w->arena = arena_new();
	w->conf = (struct http_conf){
		.max_header_size = 4096, .max_headers = 10,
		.max_target_size = 100
	};
	w->t.arena = w->arena;
	h2_head_init(&w->head, &w->t.req.head, w->arena, &w->conf);
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

static void
take_flagged(struct world *w, const char *name, const char *value,
    uint8_t flags)
{
	enum refusal r = h2_head_take(&w->head, &w->t.req.head,
	    str_from(name), str_from(value), flags);

	if (w->refusal == REFUSAL_NONE)
		w->refusal = r;
}

static void
take(struct world *w, const char *name, const char *value)
{
	take_flagged(w, name, value, 0);
}

/* The pseudo-fields of a plain request. */
static void
take_get(struct world *w)
{
	take(w, ":method", "GET");
	take(w, ":scheme", "http");
	take(w, ":authority", "a.test");
	take(w, ":path", "/x?y");
}

static enum refusal
finish(struct world *w)
{
	assert_int_equal(w->refusal, REFUSAL_NONE);
	return h2_head_finish(&w->head, &w->t, &w->target);
}

static void
assert_field(const struct head *h, const char *name, const char *value)
{
	struct str got = head_value_name(h, str_from(name));

	if (!str_eq(got, str_from(value)))
		fail_msg("%s is \"%.*s\", not \"%s\"", name, STR_ARG(got),
		    value);
}

/* ---- requests ---------------------------------------------------------- */

static void
a_request_is_what_it_would_be_in_http1(void **state)
{
	struct world *w = *state;

	take_get(w);
	take(w, "accept", "*/*");
	take(w, "x-own", "1");
	assert_int_equal(finish(w), REFUSAL_NONE);
	assert_int_equal(w->t.req.method, METHOD_GET);
	assert_int_equal(w->t.req.major, 2);
	assert_true(str_eq(w->t.req.line, STR("GET /x?y HTTP/2.0")));
	assert_true(str_eq(w->target, STR("/x?y")));
	assert_field(&w->t.req.head, "host", "a.test");
	assert_field(&w->t.req.head, "accept", "*/*");
	/* Upstreams of HTTP/1 see names as the world writes them. */
	assert_true(str_eq(head_find(&w->t.req.head, FIELD_ACCEPT)->name,
	    STR("Accept")));
	assert_field(&w->t.req.head, "x-own", "1");
}

static void
crumbs_of_cookies_are_joined(void **state)
{
	struct world *w = *state;

	take_get(w);
	take(w, "cookie", "a=1");
	take(w, "x-own", "1");
	take(w, "cookie", "b=2");
	assert_int_equal(finish(w), REFUSAL_NONE);
	assert_int_equal(head_count(&w->t.req.head, FIELD_COOKIE), 1);
	assert_field(&w->t.req.head, "cookie", "a=1; b=2");
	assert_false(head_find(&w->t.req.head, FIELD_COOKIE)->is_secret);
}

static void
one_secret_crumb_makes_the_cookie_secret(void **state)
{
	struct world *w = *state;

	take_get(w);
	take_flagged(w, "cookie", "a=1", NGHTTP2_NV_FLAG_NO_INDEX);
	take(w, "cookie", "b=2");
	take_flagged(w, "x-key", "k", NGHTTP2_NV_FLAG_NO_INDEX);
	take(w, "x-open", "o");
	assert_int_equal(finish(w), REFUSAL_NONE);
	assert_true(head_find(&w->t.req.head, FIELD_COOKIE)->is_secret);
	assert_true(head_find_name(&w->t.req.head, STR("x-key"))->is_secret);
	assert_false(head_find_name(&w->t.req.head,
	    STR("x-open"))->is_secret);
	assert_false(head_find(&w->t.req.head, FIELD_HOST)->is_secret);
}

static void
host_and_authority_must_agree(void **state)
{
	static const struct {
		const char *authority, *host, *second;
		enum refusal refusal;
	} rows[] = {
		{ "a.test", "a.test", NULL, REFUSAL_NONE },
		{ "a.test", "A.TEST", NULL, REFUSAL_NONE },
		{ "a.test", NULL, NULL, REFUSAL_NONE },
		{ NULL, "a.test", NULL, REFUSAL_NONE },
		{ "a.test", "b.test", NULL, REFUSAL_BAD_HOST },
		{ "a.test", "", NULL, REFUSAL_BAD_HOST },
		{ NULL, NULL, NULL, REFUSAL_NO_HOST },
		{ NULL, "", NULL, REFUSAL_NO_HOST },
		{ "a.test", "a.test", "a.test", REFUSAL_MANY_HOSTS },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct world *w;

		tear_down(state);
		set_up(state);
		w = *state;
		take(w, ":method", "GET");
		take(w, ":scheme", "http");
		take(w, ":path", "/");
		if (rows[i].authority != NULL)
			take(w, ":authority", rows[i].authority);
		if (rows[i].host != NULL)
			take(w, "host", rows[i].host);
		if (rows[i].second != NULL)
			take(w, "host", rows[i].second);
		assert_int_equal(finish(w), rows[i].refusal);
		if (rows[i].refusal == REFUSAL_NONE)
			assert_field(&w->t.req.head, "host", "a.test");
	}
}

static void
schemes_are_those_of_the_web(void **state)
{
	struct world *w = *state;

	take(w, ":method", "GET");
	take(w, ":scheme", "gopher");
	take(w, ":authority", "a.test");
	take(w, ":path", "/");
	assert_int_equal(finish(w), REFUSAL_BAD_TARGET);
}

static void
expectations_are_100_continue_or_refused(void **state)
{
	struct world *w = *state;

	take_get(w);
	take(w, "expect", "100-Continue");
	assert_int_equal(finish(w), REFUSAL_NONE);
	assert_true(w->t.req.expects_continue);
	take(w, "expect", "more");
	assert_int_equal(finish(w), REFUSAL_BAD_EXPECT);
}

/* RFC 8441 section 5 */
static void
a_websocket_becomes_an_upgrade(void **state)
{
	struct world *w = *state;

	take(w, ":method", "CONNECT");
	take(w, ":protocol", "websocket");
	take(w, ":scheme", "https");
	take(w, ":authority", "a.test");
	take(w, ":path", "/chat");
	assert_int_equal(finish(w), REFUSAL_NONE);
	assert_int_equal(w->t.req.method, METHOD_GET);
	assert_true(w->t.req.wants_upgrade);
	assert_field(&w->t.req.head, "upgrade", "websocket");
	assert_field(&w->t.req.head, "connection", "upgrade");
	assert_int_equal(head_value_name(&w->t.req.head,
	    STR("sec-websocket-key")).n, 24);
}

static void
other_protocols_by_connect_are_not_known(void **state)
{
	struct world *w = *state;

	take(w, ":method", "CONNECT");
	take(w, ":protocol", "connect-udp");
	take(w, ":scheme", "https");
	take(w, ":authority", "a.test");
	take(w, ":path", "/");
	assert_int_equal(finish(w), REFUSAL_METHOD_UNKNOWN);
}

/* ---- limits ------------------------------------------------------------ */

static void
a_target_has_its_limit(void **state)
{
	struct world *w = *state;
	char path[102];

	memset(path, '/', sizeof path);
	path[100] = '\0';
	take(w, ":path", path);
	assert_int_equal(w->refusal, REFUSAL_NONE);
	path[100] = '/';
	path[101] = '\0';
	take(w, ":path", path);
	assert_int_equal(w->refusal, REFUSAL_LONG_TARGET);
}

static void
fields_are_counted(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 10; i++)
		take(w, "x-own", "1");
	assert_int_equal(w->refusal, REFUSAL_NONE);
	take(w, "x-own", "1");
	assert_int_equal(w->refusal, REFUSAL_MANY_FIELDS);
	assert_int_equal(w->t.req.head.n, 10);
}

/* RFC 9113 section 6.5.2: each costs 32 more than its bytes. */
static void
bytes_are_counted_with_what_fields_cost(void **state)
{
	struct world *w = *state;
	char value[4096];

	memset(value, 'v', sizeof value);
	value[4096 - 32 - 5] = '\0';
	take(w, "x-own", value);
	assert_int_equal(w->refusal, REFUSAL_NONE);
	take(w, "cookie", "");
	assert_int_equal(w->refusal, REFUSAL_LARGE_HEAD);
}

static void
crumbs_of_cookies_are_counted_too(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 200; i++)
		take(w, "cookie", "a=1");
	assert_int_equal(w->refusal, REFUSAL_LARGE_HEAD);
	assert_true(w->head.cookie.n < 4096);
}

static void
a_length_is_one_number(void **state)
{
	struct world *w = *state;
	struct head *h = &w->t.req.head;

	assert_int_equal(h2_head_length(h), -1);
	head_set_known(h, FIELD_CONTENT_LENGTH, STR("12"));
	assert_int_equal(h2_head_length(h), 12);
	head_set_known(h, FIELD_CONTENT_LENGTH, STR("9223372036854775807"));
	assert_true(h2_head_length(h) == INT64_MAX);
	head_set_known(h, FIELD_CONTENT_LENGTH, STR("9223372036854775808"));
	assert_int_equal(h2_head_length(h), -1);
	head_set_known(h, FIELD_CONTENT_LENGTH, STR("1x"));
	assert_int_equal(h2_head_length(h), -1);
}

/* ---- responses --------------------------------------------------------- */

/* "name: value|" of each. */
static const char *
text_of(struct world *w, const nghttp2_nv *nv, size_t n)
{
	struct buf b = buf_in(w->arena);

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%.*s: %.*s%s|", (int)nv[i].namelen,
		    (const char *)nv[i].name, (int)nv[i].valuelen,
		    (const char *)nv[i].value, nv[i].flags &
		    NGHTTP2_NV_FLAG_NO_INDEX ? " (secret)" : "");
	buf_chr(&b, '\0');
	return b.p;
}

static void
a_response_leaves_its_connection_behind(void **state)
{
	struct world *w = *state;
	struct head h;
	nghttp2_nv *nv;
	size_t n;

	head_init(&h, w->arena, 8);
	head_add_known(&h, FIELD_CONTENT_TYPE, STR("text/plain"));
	head_add_known(&h, FIELD_CONNECTION, STR("close"));
	head_add_known(&h, FIELD_TRANSFER_ENCODING, STR("chunked"));
	head_add_known(&h, FIELD_CONTENT_LENGTH, STR("5"));
	head_add_known(&h, FIELD_UPGRADE, STR("websocket"));
	head_add_known(&h, FIELD_TRAILER, STR("x-sum"));
	head_add(&h, FIELD_OTHER, STR("X-Own"), STR("A"));
	head_mark_secret(&h);
	nv = h2_head_compose(w->arena, 200, &h, 0, &n);
	assert_string_equal(text_of(w, nv, n), ":status: 200|"
	    "content-type: text/plain|trailer: x-sum|x-own: A (secret)|");
}

static void
what_was_removed_is_not_said(void **state)
{
	struct world *w = *state;
	struct head h;
	nghttp2_nv *nv;
	size_t n;

	head_init(&h, w->arena, 8);
	head_add_known(&h, FIELD_SERVER, STR("app"));
	head_add_known(&h, FIELD_VARY, STR("accept"));
	head_remove_id(&h, FIELD_SERVER);
	nv = h2_head_compose(w->arena, 404, &h, 0, &n);
	assert_string_equal(text_of(w, nv, n), ":status: 404|vary: accept|");
}

static void
a_head_may_be_a_status_alone(void **state)
{
	struct world *w = *state;
	size_t n;
	nghttp2_nv *nv = h2_head_compose(w->arena, 100, NULL, 0, &n);

	assert_string_equal(text_of(w, nv, n), ":status: 100|");
}

static void
trailers_have_no_status(void **state)
{
	struct world *w = *state;
	struct head h;
	nghttp2_nv *nv;
	size_t n;

	head_init(&h, w->arena, 8);
	head_add(&h, FIELD_OTHER, STR("Grpc-Status"), STR("0"));
	head_add_known(&h, FIELD_CONTENT_LENGTH, STR("5"));
	nv = h2_head_compose_trailers(w->arena, &h, &n);
	assert_string_equal(text_of(w, nv, n), "grpc-status: 0|");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_what_it_would_be_in_http1),
		TEST(crumbs_of_cookies_are_joined),
		TEST(one_secret_crumb_makes_the_cookie_secret),
		TEST(host_and_authority_must_agree),
		TEST(schemes_are_those_of_the_web),
		TEST(expectations_are_100_continue_or_refused),
		TEST(a_websocket_becomes_an_upgrade),
		TEST(other_protocols_by_connect_are_not_known),
		TEST(a_target_has_its_limit),
		TEST(fields_are_counted),
		TEST(bytes_are_counted_with_what_fields_cost),
		TEST(crumbs_of_cookies_are_counted_too),
		TEST(a_length_is_one_number),
		TEST(a_response_leaves_its_connection_behind),
		TEST(what_was_removed_is_not_said),
		TEST(a_head_may_be_a_status_alone),
		TEST(trailers_have_no_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
