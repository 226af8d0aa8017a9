/* redirect: where clients are sent, and what cannot be smuggled into it. */
#include "world.h"

static const char *
location(struct world *w, const char *path)
{
	struct txn *t = request(w, "GET", path);

	assert_int_equal(w->module->step(t, w->top->conf), STEP_STOP);
	return arena_memdup(t->arena,
	    head_value(&t->res.head, FIELD_LOCATION).p,
	    head_value(&t->res.head, FIELD_LOCATION).n);
}

static void
a_constant_is_sent_as_it_is(void **state)
{
	struct world *w = world_of(&redirect_module,
	    "redirect: https://example.com/a?b&c\n");

	(void)state;
	assert_int_equal(w->module->step(request(w, "GET", "/"),
	    w->top->conf), STEP_STOP);
	assert_string_equal(response(w->t),
	    "301|Location: https://example.com/a?b&c|"
	    "Content-Type: text/html|<!DOCTYPE html>\n<html><head><title>301 "
	    "Moved Permanently</title></head>\n<body><h1>301 Moved "
	    "Permanently</h1>\n<p><a href=\"https://example.com/a?b&amp;c\">"
	    "Moved here</a></p></body></html>\n");
	world_end(w);
}

static void
every_kind_of_redirect_can_be_chosen(void **state)
{
	static const int codes[] = {301, 302, 303, 307, 308};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		char yaml[64];
		struct world *w;

		snprintf(yaml, sizeof yaml,
		    "redirect: {to: /new, status: %d}\n", codes[i]);
		w = world_of(&redirect_module, yaml);
		assert_string_equal(location(w, "/"), "/new");
		assert_int_equal(w->t->res.status, codes[i]);
		world_end(w);
	}
}

static void
variables_stand_in_the_target(void **state)
{
	struct world *w = world_of(&redirect_module,
	    "redirect: https://$host$request_uri\n");

	(void)state;
	assert_string_equal(location(w, "/x?y=1"),
	    "https://a.example/x?y=1");
	world_end(w);
}

static void
a_dollar_is_a_dollar(void **state)
{
	struct world *w = world_of(&redirect_module, "redirect: /a$$b\n");

	(void)state;
	assert_string_equal(location(w, "/"), "/a$b");
	world_end(w);
}

static void
a_request_cannot_write_fields(void **state)
{
	struct world *w = world_of(&redirect_module, "redirect: /new$uri\n");
	static const char *const paths[] = {
		"/a\r\nSet-Cookie: x=1", "/a\nb", "/a\rb", "/a\x01", "/a\x7f",
		"/a\tb"
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct txn *t = request(w, "GET", paths[i]);

		assert_int_equal(w->module->step(t, w->top->conf), STEP_STOP);
		assert_int_equal(t->res.status, 400);
		assert_string_equal(t->reason, "bad_redirect");
		assert_false(head_has(&t->res.head, FIELD_LOCATION));
	}
	world_end(w);
}

static void
what_no_url_holds_is_encoded(void **state)
{
	struct world *w = world_of(&redirect_module, "redirect: /new$uri\n");

	(void)state;
	assert_string_equal(location(w, "/a b\"<>\\^`{|}\xc3\xa9~%41'"),
	    "/new/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%C3%A9~%41'");
	assert_null(strstr(response(w->t), "<>"));
	world_end(w);
}

static void
an_empty_target_is_our_mistake(void **state)
{
	struct world *w = world_of(&redirect_module, "redirect: $http_x\n");

	(void)state;
	w->module->step(request(w, "GET", "/"), w->top->conf);
	assert_int_equal(w->t->res.status, 500);
	assert_string_equal(w->t->reason, "empty_redirect");
	world_end(w);
}

static void
mistakes_are_found_when_loading(void **state)
{
	(void)state;
	expect_error(&redirect_module, "redirect: example.com/x\n",
	    "weir.yaml:1:11: \"example.com/x\" is no place");
	expect_error(&redirect_module, "redirect: 302 /x\n",
	    "did you mean {to: /x, status: 302}?");
	expect_error(&redirect_module, "redirect: {to: \"\"}\n",
	    "is no place");
	expect_error(&redirect_module, "redirect: \"/a\\r\\nb\"\n",
	    "cannot hold control characters");
	expect_error(&redirect_module, "redirect: {status: 302}\n",
	    "lacks the key \"to\"");
	expect_error(&redirect_module, "redirect: {to: /x, status: 304}\n",
	    "301");
	expect_error(&redirect_module, "redirect: /$nonsense\n",
	    "there is no variable $nonsense");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_constant_is_sent_as_it_is),
		cmocka_unit_test(every_kind_of_redirect_can_be_chosen),
		cmocka_unit_test(variables_stand_in_the_target),
		cmocka_unit_test(a_dollar_is_a_dollar),
		cmocka_unit_test(a_request_cannot_write_fields),
		cmocka_unit_test(what_no_url_holds_is_encoded),
		cmocka_unit_test(an_empty_target_is_our_mistake),
		cmocka_unit_test(mistakes_are_found_when_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
