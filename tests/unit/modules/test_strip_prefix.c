/* strip_prefix: what is cut off, and how the rest is spelt. */
#include "world.h"

/* "path raw" after the step. */
static const char *
stripped(struct world *w, const char *target)
{
	struct txn *t = request_target(w, "GET", target);

	assert_int_equal(w->module->step(t, w->top->conf), STEP_NEXT);
	return arena_printf(t->arena, "%.*s %.*s", STR_ARG(t->req.path),
	    STR_ARG(t->req.target.raw_path));
}

static void
the_front_is_cut_at_segments_only(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /api\n");

	(void)state;
	assert_string_equal(stripped(w, "/api/x"), "/x /x");
	assert_string_equal(stripped(w, "/api/"), "/ /");
	assert_string_equal(stripped(w, "/api"), "/ /");
	assert_string_equal(stripped(w, "/apis/x"), "/apis/x /apis/x");
	assert_string_equal(stripped(w, "/x/api/y"), "/x/api/y /x/api/y");
	assert_string_equal(stripped(w, "/"), "/ /");
	assert_string_equal(stripped(w, "/api/api/x"), "/api/x /api/x");
	world_end(w);
}

static void
the_rest_is_spelt_as_the_client_did(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /api/\n");

	(void)state;
	assert_string_equal(stripped(w, "/api/a%20b"), "/a b /a%20b");
	assert_string_equal(stripped(w, "/api/%7Ex%2fy"), "/~x%2Fy /%7Ex%2fy");
	assert_string_equal(stripped(w, "/api/a/../b"), "/b /a/../b");
	world_end(w);
}

static void
a_front_with_escapes_is_found(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /a b\n");

	(void)state;
	assert_string_equal(stripped(w, "/a%20b/c%21"), "/c! /c%21");
	world_end(w);
}

/* Where cutting the text would give another path than cutting the meaning. */
static void
an_odd_spelling_of_the_front_is_written_anew(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /api\n");

	(void)state;
	assert_string_equal(stripped(w, "/%61pi/a%20b"), "/a b /a%20b");
	assert_string_equal(stripped(w, "//api/x"), "/x /x");
	assert_string_equal(stripped(w, "/y/../api/x"), "/x /x");
	assert_string_equal(stripped(w, "/api/../api/x"), "/x /x");
	assert_string_equal(stripped(w, "/api/y/../../api/x"), "/x /x");
	assert_string_equal(stripped(w, "/api/.."), "/ /api/..");
	world_end(w);
}

/* "//host" is another server to whoever reads it as a reference. */
static void
the_rest_never_begins_with_two_slashes(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /api\n");

	(void)state;
	assert_string_equal(stripped(w, "/api//evil.example/x"),
	    "/evil.example/x /evil.example/x");
	world_end(w);
}

static void
an_encoded_slash_is_no_border(void **state)
{
	struct world *w = world_of(&strip_prefix_module,
	    "strip_prefix: /api\n");

	(void)state;
	assert_string_equal(stripped(w, "/api%2Fx"), "/api%2Fx /api%2Fx");
	world_end(w);
}

static void
mistakes_are_found_when_loaded(void **state)
{
	(void)state;
	expect_error(&strip_prefix_module, "strip_prefix: api\n",
	    "did you mean \"/api\"?");
	expect_error(&strip_prefix_module, "strip_prefix: /api/*\n",
	    "did you mean \"/api\"?");
	expect_error(&strip_prefix_module, "strip_prefix: /\n",
	    "nothing would be cut off");
	expect_error(&strip_prefix_module, "strip_prefix: /a%20b\n",
	    "expected the character itself");
	expect_error(&strip_prefix_module, "strip_prefix: /a/../b\n",
	    "segment");
	expect_error(&strip_prefix_module, "strip_prefix: /a?b\n", "query");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_front_is_cut_at_segments_only),
		cmocka_unit_test(the_rest_is_spelt_as_the_client_did),
		cmocka_unit_test(a_front_with_escapes_is_found),
		cmocka_unit_test(an_odd_spelling_of_the_front_is_written_anew),
		cmocka_unit_test(the_rest_never_begins_with_two_slashes),
		cmocka_unit_test(an_encoded_slash_is_no_border),
		cmocka_unit_test(mistakes_are_found_when_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
