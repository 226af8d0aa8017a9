/* rewrite: rules, their groups, and results that are no paths. */
#include "world.h"

/* "verdict path?query" after the step; NEXT is 0. */
static const char *
rewritten(struct world *w, const char *target)
{
	struct txn *t = request_target(w, "GET", target);
	enum verdict v = w->module->step(t, w->top->conf);

	return arena_printf(t->arena, "%d %.*s%s%.*s", (int)v,
	    STR_ARG(t->req.path), t->req.target.has_query ? "?" : "",
	    STR_ARG(t->req.target.query));
}

static void
groups_stand_in_the_replacement(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  - {regex: '^/u/(?<who>\\w+)/(.*)', to: /$2/of/$capture_who}\n");

	(void)state;
	assert_string_equal(rewritten(w, "/u/ada/notes?p=1"),
	    "0 /notes/of/ada?p=1");
	assert_string_equal(rewritten(w, "/x?p=1"), "0 /x?p=1");
	world_end(w);
}

static void
the_groups_of_the_route_are_there_again_afterwards(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite: [{regex: ^/(a), to: /$1}]\n");
	size_t captures[] = {0, 2, 1, 2};
	struct txn *t = request_target(w, "GET", "/ab");

	(void)state;
	t->captured = STR("/z");
	t->captures = captures;
	t->n_captures = 2;
	assert_int_equal(w->module->step(t, w->top->conf), STEP_NEXT);
	assert_true(str_eq(t->req.path, STR("/a")));
	assert_true(str_eq(t->captured, STR("/z")));
	assert_ptr_equal(t->captures, captures);
	assert_int_equal(t->n_captures, 2);
	world_end(w);
}

static void
the_first_rule_that_is_found_is_the_only_one(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  - {regex: ^/a, to: /b}\n"
	    "  - {regex: ^/b, to: /c}\n");

	(void)state;
	assert_string_equal(rewritten(w, "/a"), "0 /b");
	assert_string_equal(rewritten(w, "/b"), "0 /c");
	world_end(w);
}

static void
all_rules_can_be_applied_one_after_the_other(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  apply: all\n"
	    "  rules:\n"
	    "    - {regex: ^/a, to: /b}\n"
	    "    - {regex: ^/x, to: /y}\n"
	    "    - {regex: ^/b, to: '/c?via=b'}\n");

	(void)state;
	assert_string_equal(rewritten(w, "/a?q=1"), "0 /c?via=b");
	world_end(w);
}

static void
a_question_mark_replaces_the_query(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  - {regex: ^/drop$, to: '/x?'}\n"
	    "  - {regex: ^/keep$, to: '/x?$args'}\n"
	    "  - {regex: ^/more$, to: '/x?a=1&$args'}\n"
	    "  - {regex: ^/id/(.*)$, to: '/x?id=$1&p=$arg_p'}\n");

	(void)state;
	assert_string_equal(rewritten(w, "/drop?q=1"), "0 /x");
	assert_string_equal(rewritten(w, "/keep?q=%20"), "0 /x?q=%20");
	assert_string_equal(rewritten(w, "/more?q=1"), "0 /x?a=1&q=1");
	/* A group cannot end its parameter, and what is encoded stays so. */
	assert_string_equal(rewritten(w, "/id/a&b=c%23%25d?p=x%26y"),
	    "0 /x?id=a%26b%3Dc%23%25d&p=x%26y");
	world_end(w);
}

static void
a_question_mark_of_the_client_begins_no_query(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite: [{regex: ^/a/(.*)$, to: /b/$1}]\n");

	(void)state;
	assert_string_equal(rewritten(w, "/a/x%3Fy=1?q"), "0 /b/x?y=1?q");
	assert_true(str_eq(w->t->req.target.raw_path, STR("/b/x%3Fy=1")));
	world_end(w);
}

static void
what_was_rewritten_is_encoded_anew(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite: [{regex: ^/a/(.*)$, to: /b/$1}]\n");

	(void)state;
	rewritten(w, "/a/%41%20%C3%A4%25%2f");
	assert_true(str_eq(w->t->req.path, STR("/b/A \xc3\xa4%%2F")));
	assert_true(str_eq(w->t->req.target.raw_path,
	    STR("/b/A%20%C3%A4%25%2F")));
	world_end(w);
}

static void
a_rule_can_have_the_request_routed_anew(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  apply: all\n"
	    "  rules:\n"
	    "    - {regex: ^/a, to: '/b?x', then: route}\n"
	    "    - {regex: ^/b, to: /c}\n");

	(void)state;
	assert_string_equal(rewritten(w, "/a"), "3 /b?x");
	assert_int_equal(w->t->reroutes, 1);
	world_end(w);
}

static void
a_result_that_is_no_path_is_answered_500(void **state)
{
	static const char *const targets[] = {
		"/f/x?p=..", "/f/x?p=a/../b", "/f/x?p=.", "/g?p=x",
		"/g?p=", "/g"
	};
	struct world *w = world_of(&rewrite_module,
	    "rewrite:\n"
	    "  - {regex: ^/f/, to: /files/$arg_p}\n"
	    "  - {regex: ^/g, to: $arg_p}\n");

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
slashes_in_a_row_are_merged(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite: [{regex: ^/a(.*), to: //b/$1}]\n");

	(void)state;
	assert_string_equal(rewritten(w, "/a/x/"), "0 /b/x/");
	world_end(w);
}

/* OPTIONS of the server itself. */
static void
an_asterisk_has_no_path(void **state)
{
	struct world *w = world_of(&rewrite_module,
	    "rewrite: [{regex: /, to: /b}]\n");

	(void)state;
	assert_string_equal(rewritten(w, "*"), "0 /");
	world_end(w);
}

static void
mistakes_are_found_when_loaded(void **state)
{
	(void)state;
	expect_error(&rewrite_module, "rewrite: [{regex: '(', to: /x}]\n",
	    "regular expression");
	expect_error(&rewrite_module, "rewrite: [{regex: a, to: x}]\n",
	    "did you mean \"/x\"?");
	expect_error(&rewrite_module, "rewrite: [{regex: a, to: /$hots}]\n",
	    "did you mean $host?");
	expect_error(&rewrite_module, "rewrite: [{regex: a, to: /a%20b}]\n",
	    "expected the character itself");
	expect_error(&rewrite_module, "rewrite: [{regex: a, to: /../b}]\n",
	    "only dots");
	expect_error(&rewrite_module, "rewrite: [{regex: a, to: '/b?a b'}]\n",
	    "%-escape");
	expect_error(&rewrite_module, "rewrite: [{regex: a}]\n",
	    "lacks the key \"to\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_stand_in_the_replacement),
		cmocka_unit_test(
		    the_groups_of_the_route_are_there_again_afterwards),
		cmocka_unit_test(the_first_rule_that_is_found_is_the_only_one),
		cmocka_unit_test(all_rules_can_be_applied_one_after_the_other),
		cmocka_unit_test(a_question_mark_replaces_the_query),
		cmocka_unit_test(a_question_mark_of_the_client_begins_no_query),
		cmocka_unit_test(what_was_rewritten_is_encoded_anew),
		cmocka_unit_test(a_rule_can_have_the_request_routed_anew),
		cmocka_unit_test(a_result_that_is_no_path_is_answered_500),
		cmocka_unit_test(slashes_in_a_row_are_merged),
		cmocka_unit_test(an_asterisk_has_no_path),
		cmocka_unit_test(mistakes_are_found_when_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
