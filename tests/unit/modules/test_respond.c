/* respond: fixed answers, and what is refused when they are loaded. */
#include "world.h"

static void
expect_response(const char *yaml, const char *path, const char *want)
{
	struct world *w = world_of(&respond_module, yaml);

	assert_int_equal(w->module->step(request(w, "GET", path),
	    w->top->conf), STEP_STOP);
	assert_string_equal(response(w->t), want);
	world_end(w);
}

static void
a_status_alone_is_empty(void **state)
{
	(void)state;
	expect_response("respond: 204\n", "/", "204|");
	expect_response("respond: 200\n", "/", "200|");
	expect_response("respond: {}\n", "/", "200|");
}

static void
an_error_alone_has_the_built_in_page(void **state)
{
	struct world *w = world_of(&respond_module, "respond: 410\n");

	(void)state;
	w->module->step(request(w, "GET", "/"), w->top->conf);
	assert_non_null(strstr(response(w->t),
	    "410|Content-Type: text/html|<"));
	world_end(w);
	expect_response("respond: {status: 410, body: \"\"}\n", "/",
	    "410|Content-Type: text/plain; charset=utf-8|");
}

static void
a_body_is_text_unless_the_headers_say_otherwise(void **state)
{
	(void)state;
	expect_response("respond: {body: \"ok\\n\"}\n", "/",
	    "200|Content-Type: text/plain; charset=utf-8|ok\n");
	expect_response("respond: {status: 503, body: '{\"a\": 1}',\n"
	    "  headers: {content-type: application/json, X-A: b}}\n", "/",
	    "503|content-type: application/json|X-A: b|{\"a\": 1}");
}

static void
variables_stand_in_body_and_fields(void **state)
{
	(void)state;
	expect_response("respond: {body: '$host $uri', "
	    "headers: {X-Path: $uri, X-None: $http_none}}\n", "/p",
	    "200|X-Path: /p|Content-Type: text/plain; charset=utf-8|"
	    "a.example /p");
}

static void
head_knows_the_length_of_the_body(void **state)
{
	struct world *w = world_of(&respond_module, "respond: {body: hello}\n");
	struct txn *t = request(w, "HEAD", "/");

	(void)state;
	w->module->step(t, w->top->conf);
	assert_non_null(t->res.body);
	assert_int_equal(t->res.body->length, 5);
	world_end(w);
}

static void
a_request_cannot_write_fields(void **state)
{
	struct world *w = world_of(&respond_module,
	    "respond: {body: x, headers: {X-Path: $uri}}\n");
	struct txn *t = request(w, "GET", "/a\r\nSet-Cookie: x=1");

	(void)state;
	assert_int_equal(w->module->step(t, w->top->conf), STEP_STOP);
	assert_int_equal(t->res.status, 400);
	assert_string_equal(t->reason, "bad_field");
	assert_false(head_has(&t->res.head, FIELD_SET_COOKIE));
	assert_null(head_find_name(&t->res.head, STR("X-Path")));
	world_end(w);
}

static void
mistakes_are_found_when_loading(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{"respond: 100\n", "must be between 200 and 599"},
		{"respond: 600\n", "must be between 200 and 599"},
		{"respond: {status: 204, body: x}\n",
		    "weir.yaml:1:30: a response with status 204 never has"},
		{"respond: {status: 205, body: x}\n", "never has a body"},
		{"respond: {status: 304, body: \"\"}\n", "never has a body"},
		{"respond: {headers: {Content-Length: 5}}\n",
		    "weir.yaml:1:21: Content-Length concerns the connection"},
		{"respond: {headers: {transfer-encoding: chunked}}\n",
		    "always written by the server itself"},
		{"respond: {headers: {Connection: close}}\n",
		    "always written by the server itself"},
		{"respond: {headers: {Keep-Alive: x}}\n",
		    "always written by the server itself"},
		{"respond: {headers: {\"X A\": 1}}\n",
		    "is not the name of a header"},
		{"respond: {headers: {\"X:\": 1}}\n",
		    "is not the name of a header"},
		{"respond: {headers: {X-A: 1, x-a: 2}}\n",
		    "x-a stands here twice, first as X-A"},
		{"respond: {headers: {X-A: \"a\\r\\nb\"}}\n",
		    "the value of X-A holds what no field can"},
		{"respond: {body: $nonsense}\n", "there is no variable"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_error(&respond_module, rows[i].yaml, rows[i].part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_alone_is_empty),
		cmocka_unit_test(an_error_alone_has_the_built_in_page),
		cmocka_unit_test(
		    a_body_is_text_unless_the_headers_say_otherwise),
		cmocka_unit_test(variables_stand_in_body_and_fields),
		cmocka_unit_test(head_knows_the_length_of_the_body),
		cmocka_unit_test(a_request_cannot_write_fields),
		cmocka_unit_test(mistakes_are_found_when_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
