/* response_headers: the last word on a head, level by level. */
#include "world.h"

/* A response as a handler or an upstream would have made it. */
static struct txn *
answered(struct world *w, const char *path)
{
	struct txn *t = request(w, "GET", path);

	txn_reply(t, 200);
	head_add(&t->res.head, FIELD_SERVER, STR("Server"), STR("app"));
	head_add(&t->res.head, FIELD_OTHER, STR("X-Powered-By"), STR("php"));
	head_add(&t->res.head, FIELD_OTHER, STR("x-twice"), STR("1"));
	head_add(&t->res.head, FIELD_OTHER, STR("X-Twice"), STR("2"));
	return t;
}
#define MADE "Server: app|X-Powered-By: php|x-twice: 1|X-Twice: 2|"

static void
expect_at(struct world *w, const struct level *l, const char *path,
    const char *want)
{
	struct txn *t = answered(w, path);

	assert_int_equal(w->module->step(t, l->conf), STEP_NEXT);
	assert_string_equal(response(t), want);
}

static void
expect_head(const char *yaml, const char *path, const char *want)
{
	struct world *w = world_of(&response_headers_module, yaml);

	expect_at(w, w->top, path, want);
	world_end(w);
}

static void
set_replaces_every_line_of_the_name(void **state)
{
	(void)state;
	expect_head("response_headers: {set: {X-TWICE: 3, server: weir}}\n",
	    "/", "200|X-Powered-By: php|X-TWICE: 3|server: weir|");
}

static void
add_leaves_what_is_there(void **state)
{
	(void)state;
	expect_head("response_headers: {add: {X-Twice: 3}}\n", "/",
	    "200|" MADE "X-Twice: 3|");
}

static void
remove_takes_away(void **state)
{
	(void)state;
	expect_head("response_headers: {remove: [x-powered-by, SERVER, "
	    "X-Twice, X-None]}\n", "/", "200|");
}

static void
an_empty_value_changes_nothing(void **state)
{
	(void)state;
	expect_head("response_headers: {set: {Server: $http_none}, "
	    "add: {X-New: $http_none, X-Old: \"\"}}\n", "/", "200|" MADE);
}

static void
what_a_request_would_break_is_left_out(void **state)
{
	(void)state;
	expect_head("response_headers: {set: {Server: $uri}, "
	    "add: {X-Path: $uri, X-Ok: 1}}\n", "/a\r\nSet-Cookie: x",
	    "200|" MADE "X-Ok: 1|");
	expect_head("response_headers: {add: {X-Path: $uri}}\n", "/a",
	    "200|" MADE "X-Path: /a|");
}

static void
levels_are_merged_field_by_field(void **state)
{
	struct world *w = world_of(&response_headers_module,
	    "response_headers: {set: {X-A: top, X-B: top}}\n"
	    "inner:\n"
	    "  response_headers: {set: {x-b: site}, add: {X-C: site}}\n"
	    "  inner:\n"
	    "    response_headers: {set: {X-D: route}}\n");

	(void)state;
	expect_at(w, w->top, "/", "200|" MADE "X-A: top|X-B: top|");
	expect_at(w, w->top->inner, "/",
	    "200|" MADE "X-A: top|x-b: site|X-C: site|");
	expect_at(w, w->top->inner->inner, "/",
	    "200|" MADE "X-A: top|x-b: site|X-D: route|X-C: site|");
	world_end(w);
}

static void
remove_drops_what_is_set_further_out(void **state)
{
	struct world *w = world_of(&response_headers_module,
	    "response_headers: {set: {X-A: top}, add: {X-B: top}}\n"
	    "inner:\n"
	    "  response_headers: {remove: [x-a, X-B]}\n"
	    "  inner:\n"
	    "    response_headers: {set: {X-C: route}}\n"
	    "    inner:\n"
	    "      response_headers: {set: {X-A: deep}}\n");
	struct level *route = w->top->inner->inner;

	(void)state;
	expect_at(w, w->top->inner, "/", "200|" MADE);
	expect_at(w, route, "/", "200|" MADE "X-C: route|");
	expect_at(w, route->inner, "/",
	    "200|" MADE "X-C: route|X-A: deep|");
	world_end(w);
}

static void
an_inner_set_wins_over_an_outer_remove(void **state)
{
	struct world *w = world_of(&response_headers_module,
	    "response_headers: {remove: [Server, X-Powered-By]}\n"
	    "inner:\n"
	    "  response_headers: {set: {Server: mine}}\n");

	(void)state;
	expect_at(w, w->top->inner, "/",
	    "200|x-twice: 1|X-Twice: 2|Server: mine|");
	world_end(w);
}

static void
what_is_shown_means_the_same_when_loaded(void **state)
{
	struct world *w = world_of(&response_headers_module,
	    "response_headers: {set: {X-A: top, Server: top}, "
	    "remove: [X-Twice]}\n"
	    "inner:\n"
	    "  response_headers: {set: {X-Twice: site}, remove: [X-A]}\n"
	    "  inner:\n"
	    "    response_headers: {add: {X-C: route}}\n");
	static const char want[] =
	    "200|X-Powered-By: php|Server: top|X-Twice: site|X-C: route|";
	struct buf dump = buf_in(w->arena);
	struct world *again;

	(void)state;
	expect_at(w, w->top->inner->inner, "/", want);
	conf_dump(w->load, &level_schema, w->top, &dump);
	buf_chr(&dump, '\0');
	again = world_of(&response_headers_module, dump.p);
	expect_at(again, again->top->inner->inner, "/", want);
	world_end(again);
	clock_fake_start(1000000, 1700000000);
	world_end(w);
}

static void
off_is_no_block(void **state)
{
	struct world *w = world_of(&response_headers_module,
	    "response_headers: {set: {X-A: top}}\n"
	    "inner: {response_headers: off}\n");

	(void)state;
	assert_true(conf_is_off(w->top->inner->conf));
	world_end(w);
}

static void
mistakes_are_found_when_loading(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{"response_headers: {set: {Content-Length: 1}}\n",
		    "Content-Length concerns the connection"},
		{"response_headers: {add: {Upgrade: h2c}}\n",
		    "Upgrade concerns the connection"},
		{"response_headers: {remove: [X-A, Transfer-Encoding]}\n",
		    "weir.yaml:1:34: Transfer-Encoding concerns"},
		{"response_headers: {remove: [\"X A\"]}\n",
		    "is not the name of a header"},
		{"response_headers: {set: {X-A: 1, x-a: 2}}\n",
		    "x-a stands here twice"},
		{"response_headers: {set: {X-A: \"\\x01\"}}\n",
		    "holds what no field can"},
		{"response_headers: {sets: {X-A: 1}}\n",
		    "did you mean \"set\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_error(&response_headers_module, rows[i].yaml,
		    rows[i].part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_replaces_every_line_of_the_name),
		cmocka_unit_test(add_leaves_what_is_there),
		cmocka_unit_test(remove_takes_away),
		cmocka_unit_test(an_empty_value_changes_nothing),
		cmocka_unit_test(what_a_request_would_break_is_left_out),
		cmocka_unit_test(levels_are_merged_field_by_field),
		cmocka_unit_test(remove_drops_what_is_set_further_out),
		cmocka_unit_test(an_inner_set_wins_over_an_outer_remove),
		cmocka_unit_test(what_is_shown_means_the_same_when_loaded),
		cmocka_unit_test(off_is_no_block),
		cmocka_unit_test(mistakes_are_found_when_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
