/* Built-in pages: who gets JSON, and what stands in it. */
#include "http/problem.h"
#include "http/weight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void
json_is_for_who_names_it(void **state)
{
	static const struct {
		const char *accept;
		bool wanted;
	} rows[] = {
		{"application/json", true},
		{"application/problem+json", true},
		{"APPLICATION/JSON; charset=utf-8", true},
		{"application/json, text/plain, */*", true},
		{"application/json, text/*;q=0.5", true},
		{"text/html;q=0.5, application/json", true},
		{"", false},
		{"*/*", false},
		{"application/*", false},
		{"text/html", false},
		{"application/jsonx", false},
		{"application/json;q=0", false},
		{"application/json;q=0.5, */*", false},
		{"application/json, text/html", false},
		{"text/html, application/json;q=0.9", false},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,"
		    "image/avif,image/webp,*/*;q=0.8", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (weight_prefers_json(str_from(rows[i].accept)) !=
		    rows[i].wanted)
			fail_msg("%s", rows[i].accept);
}

static struct txn *
txn_of(struct arena *a, const char *accept, int status)
{
	struct txn *t = arena_zalloc(a, sizeof *t);

	t->magic = TXN_MAGIC;
	t->arena = a;
	head_init(&t->req.head, a, 4);
	if (accept != NULL)
		head_add_known(&t->req.head, FIELD_ACCEPT, str_from(accept));
	head_init(&t->res.head, a, 4);
	t->res.status = status;
	t->res.head_length = -1;
	return t;
}

static struct str
body_of(struct txn *t)
{
	struct span span;

	assert_int_equal(flow_peek(t->res.body, &span), FLOW_DATA);
	flow_take(t->res.body, 0);
	return str_of(span.p, span.n);
}

static void
the_details_are_those_of_rfc_9457(void **state)
{
	struct arena *a = arena_new();
	struct txn *t = txn_of(a, "application/json", 404);

	(void)state;
	problem_reply(t, t->res.status, NULL, NULL);
	assert_true(str_eq(head_value(&t->res.head, FIELD_CONTENT_TYPE),
	    STR("application/problem+json")));
	assert_true(str_eq(head_value(&t->res.head, FIELD_VARY),
	    STR("Accept")));
	assert_true(str_eq(body_of(t), STR("{\"type\": \"about:blank\", "
	    "\"title\": \"Not Found\", \"status\": 404}\n")));
	assert_true(t->res.is_builtin);
	arena_end(a);
}

static void
a_sentence_is_a_detail(void **state)
{
	struct arena *a = arena_new();
	struct txn *t = txn_of(a, "application/json", 400);

	(void)state;
	problem_reply(t, 400, "bad", "a \"quoted\" thing");
	assert_true(str_eq(body_of(t), STR("{\"type\": \"about:blank\", "
	    "\"title\": \"Bad Request\", \"status\": 400, "
	    "\"detail\": \"bad: a \\\"quoted\\\" thing\"}\n")));
	arena_end(a);
}

static void
others_get_html_and_caches_are_told_of_the_choice(void **state)
{
	struct arena *a = arena_new();
	struct txn *t = txn_of(a, "*/*", 404);

	(void)state;
	problem_reply(t, t->res.status, NULL, NULL);
	assert_true(str_eq(head_value(&t->res.head, FIELD_CONTENT_TYPE),
	    STR("text/html")));
	assert_true(head_has(&t->res.head, FIELD_VARY));
	t = txn_of(a, NULL, 404);
	problem_reply(t, t->res.status, NULL, NULL);
	assert_false(head_has(&t->res.head, FIELD_VARY));
	t = txn_of(a, "application/json", 301);
	problem_reply(t, t->res.status, NULL, NULL);
	assert_true(str_eq(head_value(&t->res.head, FIELD_CONTENT_TYPE),
	    STR("text/html")));
	assert_false(head_has(&t->res.head, FIELD_VARY));
	arena_end(a);
}

static void
a_client_of_grpc_is_told_in_its_own_way(void **state)
{
	struct arena *a = arena_new();
	struct txn *t = txn_of(a, NULL, 503);

	(void)state;
	t->req.method = METHOD_POST;
	head_add_known(&t->req.head, FIELD_CONTENT_TYPE,
	    STR("application/grpc"));
	problem_reply(t, 503, "too much", NULL);
	assert_int_equal(t->res.status, 200);
	assert_true(str_eq(head_value_name(&t->res.head, STR("grpc-status")),
	    STR("14")));
	assert_true(str_eq(head_value_name(&t->res.head, STR("grpc-message")),
	    STR("too much")));
	assert_false(t->res.is_builtin);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_for_who_names_it),
		cmocka_unit_test(the_details_are_those_of_rfc_9457),
		cmocka_unit_test(a_sentence_is_a_detail),
		cmocka_unit_test(
		    others_get_html_and_caches_are_told_of_the_choice),
		cmocka_unit_test(a_client_of_grpc_is_told_in_its_own_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
