/* query: parameters that are set, dropped and kept. */
#include "world.h"

static const char *
edited(struct world *w, const char *target)
{
	struct txn *t = request_target(w, "GET", target);

	field(t, "X-Lang", "d e&f");
	assert_int_equal(w->module->step(t, w->top->conf), STEP_NEXT);
	return arena_printf(t->arena, "%s%.*s",
	    t->req.target.has_query ? "?" : "", STR_ARG(t->req.target.query));
}

static void
what_is_removed_takes_nothing_else_along(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {remove: [utm_*, id]}\n");

	(void)state;
	assert_string_equal(edited(w, "/?a=%20&utm_x=1&id=2&b&&id&idx=3"),
	    "?a=%20&b&&idx=3");
	assert_string_equal(edited(w, "/?utm_x=1"), "");
	assert_string_equal(edited(w, "/"), "");
	assert_string_equal(edited(w, "/?a=1"), "?a=1");
	world_end(w);
}

static void
names_are_compared_decoded(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {remove: [id, \"a b*\"]}\n");

	(void)state;
	assert_string_equal(edited(w, "/?%69d=1&i=2&a+bc=3&a%20b=4&a=5"),
	    "?i=2&a=5");
	world_end(w);
}

static void
what_is_not_kept_is_dropped(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {keep: [page, sort]}\n");

	(void)state;
	assert_string_equal(edited(w, "/?x=1&page=2&sort&y&page=3"),
	    "?page=2&sort&page=3");
	world_end(w);
	w = world_of(&query_module, "query: {keep: []}\n");
	assert_string_equal(edited(w, "/?x=1"), "");
	world_end(w);
}

static void
an_empty_keep_is_inherited(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {keep: []}\n"
	    "inner: {query: {set: {a: 1}}}\n");
	struct txn *t = request_target(w, "GET", "/?x=1");

	(void)state;
	assert_int_equal(w->module->step(t, w->top->inner->conf), STEP_NEXT);
	assert_true(str_eq(t->req.target.query, STR("a=1")));
	world_end(w);
}

static void
what_is_set_stands_once_in_its_place(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {set: {b: 7, lang: $http_x_lang}}\n");

	(void)state;
	assert_string_equal(edited(w, "/?a=1&b=2&c=3&b=4"),
	    "?a=1&b=7&c=3&lang=d%20e%26f");
	assert_string_equal(edited(w, "/"), "?b=7&lang=d%20e%26f");
	world_end(w);
}

static void
an_empty_value_drops_the_parameter(void **state)
{
	struct world *w = world_of(&query_module,
	    "query: {set: {b: $http_x_none, c: $arg_d}}\n");

	(void)state;
	assert_string_equal(edited(w, "/?a=1&b=2&d=x%26"),
	    "?a=1&d=x%26&c=x%26");
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_removed_takes_nothing_else_along),
		cmocka_unit_test(names_are_compared_decoded),
		cmocka_unit_test(what_is_not_kept_is_dropped),
		cmocka_unit_test(an_empty_keep_is_inherited),
		cmocka_unit_test(what_is_set_stands_once_in_its_place),
		cmocka_unit_test(an_empty_value_drops_the_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
