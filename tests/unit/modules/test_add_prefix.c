/* add_prefix: what comes before the path, and what may not. */
#include "world.h"

static const char *
prefixed(struct world *w, const char *target)
{
	struct txn *t = request_target(w, "GET", target);

	assert_int_equal(w->module->step(t, w->top->conf), STEP_NEXT);
	return arena_printf(t->arena, "%.*s %.*s", STR_ARG(t->req.path),
	    STR_ARG(t->req.target.raw_path));
}

static void
what_follows_is_spelt_as_the_client_did(void **state)
{
	struct world *w = world_of(&add_prefix_module,
	    "add_prefix: /my app/\n");

	(void)state;
	assert_string_equal(prefixed(w, "/x%7e"), "/my app/x~ /my%20app/x%7e");
	assert_string_equal(prefixed(w, "/"), "/my app/ /my%20app/");
	world_end(w);
}

static void
variables_may_stand_in_it(void **state)
{
	struct world *w = world_of(&add_prefix_module, "add_prefix: /$host\n");

	(void)state;
	assert_string_equal(prefixed(w, "/x"), "/a.example/x /a.example/x");
	world_end(w);
}

static void
an_empty_value_adds_nothing(void **state)
{
	struct world *w = world_of(&add_prefix_module,
	    "add_prefix: $arg_tenant\n");

	(void)state;
	assert_string_equal(prefixed(w, "/x"), "/x /x");
	assert_string_equal(prefixed(w, "/x?tenant=/t"), "/t/x /t/x");
	world_end(w);
}

static void
no_variable_leads_out_of_a_folder(void **state)
{
	static const char *const targets[] = {
		"/x?d=..", "/x?d=/../y", "/x?d=a/../../b", "/x?d=."
	};
	struct world *w = world_of(&add_prefix_module,
	    "add_prefix: /tenants/$arg_d\n");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		struct txn *t = request_target(w, "GET", targets[i]);

		assert_int_equal(w->module->step(t, w->top->conf), STEP_STOP);
		assert_int_equal(t->res.status, 500);
		assert_string_equal(t->reason, "bad_rewrite");
	}
	world_end(w);
}

static void
mistakes_are_found_when_loaded(void **state)
{
	(void)state;
	expect_error(&add_prefix_module, "add_prefix: app\n",
	    "did you mean \"/app\"?");
	expect_error(&add_prefix_module, "add_prefix: x$host\n",
	    "did you mean \"/x$host\"?");
	expect_error(&add_prefix_module, "add_prefix: /a/../b\n", "segment");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_is_spelt_as_the_client_did),
		cmocka_unit_test(variables_may_stand_in_it),
		cmocka_unit_test(an_empty_value_adds_nothing),
		cmocka_unit_test(no_variable_leads_out_of_a_folder),
		cmocka_unit_test(mistakes_are_found_when_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
