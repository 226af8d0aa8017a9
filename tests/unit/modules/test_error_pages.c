/* error_pages: which errors get which page, and what stays of their response.
 * Pages that are fetched are in tests/system. */
#include "world.h"

#include "modules/error_pages.c"

static struct txn *
failed(struct world *w, const char *method, int status)
{
	struct txn *t = request(w, method, "/x");

	t->slots = arena_zalloc(t->arena, sizeof *t->slots);
	txn_reply_error(t, status);
	return t;
}

static void
expect_page(struct txn *t, const struct level *l, const char *want)
{
	assert_int_equal(error_pages_step(t, l->conf), STEP_NEXT);
	assert_string_equal(response(t), want);
}

#define TYPE "|Content-Type: text/plain; charset=utf-8|"

static void
a_status_has_its_own_page_or_that_of_its_class(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {404: {body: own}, 4XX: {body: some}, "
	    "503: {body: 'q $status', type: text/x}}\n");

	(void)state;
	expect_page(failed(w, "GET", 404), w->top, "404" TYPE "own");
	expect_page(failed(w, "GET", 403), w->top, "403" TYPE "some");
	expect_page(failed(w, "GET", 503), w->top,
	    "503|Content-Type: text/x|q 503");
	assert_int_equal(error_pages_step(failed(w, "GET", 502),
	    w->top->conf), STEP_NEXT);
	assert_true(w->t->res.is_builtin);
	world_end(w);
}

static void
levels_are_merged_page_by_page(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {404: {body: top}, 5xx: {body: top}}\n"
	    "inner:\n"
	    "  error_pages: {404: {body: inner}}\n"
	    "  inner:\n"
	    "    error_pages: off\n");

	(void)state;
	expect_page(failed(w, "GET", 404), w->top, "404" TYPE "top");
	expect_page(failed(w, "GET", 404), w->top->inner,
	    "404" TYPE "inner");
	expect_page(failed(w, "GET", 500), w->top->inner, "500" TYPE "top");
	assert_true(conf_is_off(w->top->inner->inner->conf));
	world_end(w);
}

static void
what_goes_with_the_status_stays(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {4xx: {body: page}}\n");
	struct txn *t = failed(w, "GET", 429);

	(void)state;
	txn_reply_field(t, FIELD_RETRY_AFTER, STR("7"));
	expect_page(t, w->top, "429|Content-Type: text/plain; charset=utf-8|"
	    "Retry-After: 7|page");
	world_end(w);
}

static void
only_the_built_in_page_is_replaced(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {4xx: {body: page}, 5xx: {body: page}}\n");
	struct txn *t = request(w, "GET", "/x");

	(void)state;
	txn_reply(t, 404);
	txn_reply_bytes(t, "text/x", STR("mine"));
	expect_page(t, w->top, "404|Content-Type: text/x|mine");
	t = request(w, "GET", "/x");
	txn_reply(t, 200);
	expect_page(t, w->top, "200|");
	world_end(w);
}

static void
those_of_upstreams_are_intercepted_only_if_asked(void **state)
{
	static struct upstream_report report;
	static const char *const yaml[] = {
		"error_pages: {500: {body: page}}\n",
		"error_pages: {500: {body: page}, intercept: on}\n"
	};

	(void)state;
	for (int on = 0; on < 2; on++) {
		struct world *w = world_of(&error_pages_module, yaml[on]);
		struct txn *t = request(w, "GET", "/x");

		t->upstream = &report;
		txn_reply(t, 500);
		txn_reply_field(t, FIELD_RETRY_AFTER, STR("7"));
		head_add(&t->res.head, FIELD_OTHER, STR("X-App"), STR("1"));
		txn_reply_bytes(t, "text/x", STR("theirs"));
		expect_page(t, w->top, on ? "500" TYPE "Retry-After: 7|page" :
		    "500|Retry-After: 7|X-App: 1|Content-Type: text/x|theirs");
		world_end(w);
	}
}

static void
a_starved_worker_has_the_built_in_page(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {503: {body: page}}\n");

	(void)state;
	w->server.is_starved = true;
	assert_int_equal(error_pages_step(failed(w, "GET", 503),
	    w->top->conf), STEP_NEXT);
	assert_true(w->t->res.is_builtin);
	world_end(w);
}

/* ---- pages that are fetched -------------------------------------------- */

/* The request that the page is asked for with, as far as routes see it. */
static struct txn *
fetched(struct world *w, struct txn *t)
{
	assert_int_equal(error_pages_step(t, w->top->conf), STEP_REROUTE);
	assert_int_equal(t->res.status, 0);
	return t;
}

static void
a_path_is_asked_for_without_what_was_the_clients(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {4xx: '/errors/$status.html?from=$uri'}\n");
	struct txn *t = failed(w, "POST", 403);

	(void)state;
	field(t, "If-None-Match", "*");
	field(t, "Range", "bytes=0-1");
	field(t, "Content-Type", "text/x");
	field(t, "User-Agent", "ua");
	t->req.body = flow_bytes(t->arena, STR("body"));
	t->reason = "why";
	fetched(w, t);
	assert_true(str_eq(t->req.path, STR("/errors/403.html")));
	assert_true(str_eq(t->req.target.query, STR("from=/x")));
	assert_int_equal(t->req.method, METHOD_GET);
	assert_true(str_eq(t->req.method_name, STR("GET")));
	assert_int_equal(t->req.body->length, 0);
	assert_false(head_has(&t->req.head, FIELD_IF_NONE_MATCH));
	assert_false(head_has(&t->req.head, FIELD_RANGE));
	assert_true(head_has(&t->req.head, FIELD_USER_AGENT));
	/* A page that succeeds is that of the error; once. */
	txn_reply(t, 200);
	txn_reply_bytes(t, "text/x", STR("page"));
	txn_reply_field(t, FIELD_ETAG, STR("\"1\""));
	error_page_settle(t);
	error_page_settle(t);
	assert_string_equal(response(t), "403|Content-Type: text/x|page");
	assert_string_equal(t->reason, "why");
	assert_true(str_eq(t->req.method_name, STR("POST")));
	assert_true(head_has(&t->req.head, FIELD_RANGE));
	assert_int_equal(error_pages_step(t, w->top->conf), STEP_NEXT);
	world_end(w);
}

static void
a_page_that_fails_is_the_built_in_one_of_the_error(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {4xx: /errors}\n");
	struct txn *t = failed(w, "HEAD", 429);

	(void)state;
	txn_reply_field(t, FIELD_RETRY_AFTER, STR("7"));
	t->reason = "why";
	fetched(w, t);
	assert_int_equal(t->req.method, METHOD_HEAD);
	txn_reply_error(t, 404);
	t->reason = "no_route";
	error_page_settle(t);
	assert_int_equal(t->res.status, 429);
	assert_true(t->res.is_builtin);
	assert_true(head_has(&t->res.head, FIELD_RETRY_AFTER));
	assert_string_equal(t->reason, "why");
	assert_int_equal(error_pages_step(t, w->top->conf), STEP_NEXT);
	world_end(w);
}

static void
a_variable_that_makes_no_path_leaves_the_built_in_page(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {4xx: /e/$uri}\n");
	struct txn *t = failed(w, "GET", 404);

	(void)state;
	t->req.path = STR("/../../x y");
	assert_int_equal(error_pages_step(t, w->top->conf), STEP_NEXT);
	assert_true(t->res.is_builtin);
	world_end(w);
}

/* ---- loading ----------------------------------------------------------- */

static void
what_cannot_work_is_refused(void **state)
{
	static const struct {
		const char *pages, *part;
	} rows[] = {
		{"404: 404.html", "expected a path of this site such as "
		    "/404.html, found \"404.html\""},
		{"404: https://a.example/", "expected a path of this site"},
		{"404: /../x", "expected a path of this site"},
		{"200: /x", "\"200\" is no status of an error; expected 400"},
		{"600: /x", "no status of an error"},
		{"3xx: /x", "no status of an error"},
		{"404: {}", "one of path, file and body"},
		{"404: {path: /x, body: y}", "one of path, file and body"},
		{"404: {path: /x, type: a/b}", "is that of its route"},
		{"404: {body: x, type: html}", "expected a media type"},
		{"404: {file: /none}", "/none"},
		{"intercpt: on", "did you mean \"intercept\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char yaml[128];

		snprintf(yaml, sizeof yaml, "error_pages: {%s}\n",
		    rows[i].pages);
		expect_error(&error_pages_module, yaml, rows[i].part);
	}
}

static void
what_is_shown_means_the_same_when_loaded(void **state)
{
	struct world *w = world_of(&error_pages_module,
	    "error_pages: {404: {body: top}, intercept: on}\n"
	    "inner: {error_pages: {5xx: {body: inner}}}\n");
	struct buf dump = buf_in(w->arena);
	struct world *again;

	(void)state;
	conf_dump(w->load, &level_schema, w->top, &dump);
	buf_chr(&dump, '\0');
	assert_non_null(strstr(dump.p, "\n  404:"));
	assert_null(strstr(dump.p, "pages: {"));
	again = world_of(&error_pages_module, dump.p);
	expect_page(failed(again, "GET", 404), again->top->inner,
	    "404" TYPE "top");
	expect_page(failed(again, "GET", 502), again->top->inner,
	    "502" TYPE "inner");
	world_end(again);
	clock_fake_start(1000000, 1700000000);
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_status_has_its_own_page_or_that_of_its_class),
		cmocka_unit_test(levels_are_merged_page_by_page),
		cmocka_unit_test(what_goes_with_the_status_stays),
		cmocka_unit_test(only_the_built_in_page_is_replaced),
		cmocka_unit_test(
		    those_of_upstreams_are_intercepted_only_if_asked),
		cmocka_unit_test(a_starved_worker_has_the_built_in_page),
		cmocka_unit_test(
		    a_path_is_asked_for_without_what_was_the_clients),
		cmocka_unit_test(
		    a_page_that_fails_is_the_built_in_one_of_the_error),
		cmocka_unit_test(
		    a_variable_that_makes_no_path_leaves_the_built_in_page),
		cmocka_unit_test(what_cannot_work_is_refused),
		cmocka_unit_test(what_is_shown_means_the_same_when_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
