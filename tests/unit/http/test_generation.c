/* Generations: what of a file reaches sites, routes and addresses. */
#include "h1_world.h"

#include "http/router.h"

static struct world w;

static int
set_up(void **state)
{
	(void)state;
	w = (struct world){ .arena = arena_new() };
	the = &w;
	log_set_level(LOG_CRIT);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	generation_unref(w.g);
	arena_end(w.arena);
	arena_trim();
	return 0;
}

static void
given(const char *yaml)
{
	assert_string_equal(world_compile(&w, yaml), "");
}

static void
expect_said(const char *yaml, const char *part)
{
	const char *all = world_compile(&w, yaml);

	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
}

static struct endpoint *
endpoint(size_t i)
{
	assert_true(i < w.g->n_endpoints);
	return w.g->endpoints[i];
}

static const struct site *
site_on(size_t i, const char *host)
{
	return site_index_find(endpoint(i)->owner, str_from(host));
}

/* "mark=a note=b" of a plan, without what answers. */
static const char *
words(const struct plan *p)
{
	struct buf b = buf_in(w.arena);

	for (unsigned i = p->response_at; i < p->n; i++) {
		const struct word_conf *c = p->steps[i].conf;

		buf_printf(&b, "%s%s=%s", b.n > 0 ? " " : "",
		    p->steps[i].module->name, c->word);
	}
	buf_chr(&b, '\0');
	return b.p;
}

static const char *
words_of_leaf(const struct site *s, size_t i)
{
	const struct route *r = router_leaf(s->router, i);

	assert_non_null(r);
	return words(r->plan);
}

/* ---- inheritance ------------------------------------------------------- */

static void
generation_inherits_settings_inward(void **state)
{
	const struct site *s;

	(void)state;
	given(
	    "mark: top\nnote: top\n"
	    "sites:\n"
	    "- listen: 80\n"
	    "  mark: site\n"
	    "  routes:\n"
	    "  - {path: /a, answer: x}\n"
	    "  - {path: /b, answer: x, note: route}\n"
	    "  - path: /c*\n"
	    "    mark: outer\n"
	    "    routes:\n"
	    "    - {path: /c1, answer: x}\n"
	    "    - {path: /c2, answer: x, mark: inner}\n");
	s = site_on(0, "");
	assert_string_equal(words_of_leaf(s, 0), "mark=site note=top");
	assert_string_equal(words_of_leaf(s, 1), "mark=site note=route");
	assert_string_equal(words_of_leaf(s, 2), "mark=outer note=top");
	assert_string_equal(words_of_leaf(s, 3), "mark=inner note=top");
	assert_null(router_leaf(s->router, 4));
	assert_string_equal(words(s->plan), "mark=site note=top");
}

static void
generation_inherits_nothing_through_off(void **state)
{
	const struct site *s;

	(void)state;
	given(
	    "mark: top\nnote: top\n"
	    "sites:\n"
	    "- listen: 80\n"
	    "  note: off\n"
	    "  routes:\n"
	    "  - {path: /a, answer: x}\n"
	    "  - path: /b*\n"
	    "    mark: off\n"
	    "    routes:\n"
	    "    - {path: /b1, answer: x}\n"
	    "    - {path: /b2, answer: x, mark: again, note: again}\n");
	s = site_on(0, "");
	assert_string_equal(words_of_leaf(s, 0), "mark=top");
	assert_string_equal(words_of_leaf(s, 1), "");
	assert_string_equal(words_of_leaf(s, 2), "mark=again note=again");
	assert_string_equal(words(s->plan), "mark=top");
}

static void
generation_does_not_inherit_sideways(void **state)
{
	(void)state;
	given(
	    "sites:\n"
	    "- {hosts: [a], listen: 80, mark: a, routes: [{answer: x}]}\n"
	    "- {hosts: [b], listen: 80, routes: [{answer: x}]}\n");
	assert_string_equal(words_of_leaf(site_on(0, "a"), 0), "mark=a");
	assert_string_equal(words_of_leaf(site_on(0, "b"), 0), "");
}

static void
generation_inherits_limits_key_by_key(void **state)
{
	const struct http_conf *a, *b;

	(void)state;
	given(
	    "http: {keepalive_timeout: 10s, max_headers: 7}\n"
	    "sites:\n"
	    "- {hosts: [a], listen: 80, routes: [{answer: x}],\n"
	    "   http: {max_headers: 9}}\n"
	    "- {hosts: [b], listen: 80, routes: [{answer: x}]}\n");
	a = site_on(0, "a")->http;
	b = site_on(0, "b")->http;
	assert_int_equal(a->keepalive_timeout, 10000);
	assert_int_equal(a->max_headers, 9);
	assert_int_equal(b->keepalive_timeout, 10000);
	assert_int_equal(b->max_headers, 7);
	assert_int_equal(b->send_timeout, 60000);
}

/* ---- endpoints --------------------------------------------------------- */

static void
generation_has_one_endpoint_for_each_address(void **state)
{
	(void)state;
	given(
	    "sites:\n"
	    "- {hosts: [a], listen: [80, '127.0.0.1:81'],"
	    " routes: [{answer: x}]}\n"
	    "- {hosts: [b], listen: '[::]:80', routes: [{answer: x}]}\n"
	    "- {hosts: [c], listen: '[::1]:80', routes: [{answer: x}]}\n");
	assert_int_equal(w.g->n_endpoints, 3);
	assert_string_equal(endpoint(1)->text, "127.0.0.1:81");
	assert_string_equal(endpoint(2)->text, "[::1]:80");
	assert_string_equal(site_on(0, "a")->name.p, "a");
	assert_string_equal(site_on(0, "b")->name.p, "b");
	assert_null(site_on(0, "c"));
	assert_null(site_on(1, "b"));
	assert_ptr_equal(site_on(1, "a"), site_on(0, "a"));
	assert_non_null(site_on(2, "c"));
	assert_null(endpoint(0)->tls);
}

static void
generation_names_a_site_without_hosts(void **state)
{
	(void)state;
	given("sites:\n- {listen: 80, routes: [{answer: x}]}\n");
	assert_true(str_eq(site_on(0, "any")->name, STR("default")));
	assert_int_equal(site_on(0, "any")->pos.line, 2);
}

static void
generation_refuses_two_protocols_on_one_address(void **state)
{
	(void)state;
	expect_said(
	    "sites:\n"
	    "- {hosts: [a], listen: 81, routes: [{answer: x}]}\n"
	    "- {hosts: [b], listen: {https: 81}, tls: {self_signed: on},\n"
	    "   routes: [{answer: x}]}\n",
	    "t.yaml:3:32: [::]:81 is listened on for https here and for "
	    "http at t.yaml:2");
}

static void
generation_refuses_https_without_a_certificate(void **state)
{
	(void)state;
	expect_said(
	    "sites:\n"
	    "- {listen: {https: 443}, routes: [{answer: x}]}\n",
	    "this site listens for https but has no certificate");
	assert_int_equal(conf_errors(w.load), 1);
}

static void
generation_has_tls_where_it_is_asked_for(void **state)
{
	(void)state;
	given(
	    "sites:\n"
	    "- {hosts: [a], listen: {http: 80, https: 443},\n"
	    "   tls: {self_signed: on}, routes: [{answer: x}]}\n");
	assert_null(endpoint(0)->tls);
	assert_non_null(endpoint(1)->tls);
	assert_non_null(site_on(1, "a")->tls);
}

static void
generation_inherits_tls_from_the_top(void **state)
{
	(void)state;
	given(
	    "tls: {self_signed: on}\n"
	    "sites:\n"
	    "- {hosts: [a], listen: {https: 443}, routes: [{answer: x}]}\n");
	assert_non_null(site_on(0, "a")->tls);
}

/* ---- listeners --------------------------------------------------------- */

static void
generation_finds_what_listeners_says_of_an_address(void **state)
{
	(void)state;
	given(
	    "listeners: {80: {backlog: 7}}\n"
	    "sites:\n"
	    "- {listen: ['[::]:80', 81], routes: [{answer: x}]}\n");
	assert_int_equal(endpoint(0)->conf->backlog, 7);
	assert_int_equal(endpoint(1)->conf->backlog, 4096);
	assert_true(endpoint(1)->conf->reuse);
}

static void
generation_warns_of_a_listener_that_nobody_uses(void **state)
{
	(void)state;
	expect_said(
	    "listeners: {82: {backlog: 7}}\n"
	    "sites:\n"
	    "- {listen: 80, routes: [{answer: x}]}\n",
	    "no site listens on 82");
	assert_int_equal(conf_errors(w.load), 0);
	assert_int_equal(conf_warnings(w.load), 1);
}

static void
generation_refuses_a_listener_that_is_there_twice(void **state)
{
	(void)state;
	expect_said(
	    "listeners: {80: {backlog: 7}, '[::]:80': {backlog: 8}}\n"
	    "sites:\n"
	    "- {listen: 80, routes: [{answer: x}]}\n",
	    "t.yaml:1:31: [::]:80 is in \"listeners\" already, at t.yaml:1");
}

static void
generation_refuses_a_listener_that_is_no_address(void **state)
{
	(void)state;
	expect_said(
	    "listeners: {nowhere: {backlog: 7}}\n"
	    "sites:\n"
	    "- {listen: 80, routes: [{answer: x}]}\n",
	    "t.yaml:1:13: ");
	assert_int_equal(conf_errors(w.load), 1);
}

/* ---- holders ----------------------------------------------------------- */

static void
count(void *arg)
{
	++*(unsigned *)arg;
}

static void
generation_ends_with_its_last_holder(void **state)
{
	struct arena *a = arena_new();
	struct generation *g = generation_new(a, 17);
	unsigned ends = 0;

	(void)state;
	given("sites:\n- {listen: 80, routes: [{answer: x}]}\n");
	arena_on_end(a, count, &ends);
	assert_int_equal(g->number, 17);
	assert_ptr_equal(generation_ref(g), g);
	generation_unref(g);
	assert_int_equal(ends, 0);
	generation_unref(g);
	assert_int_equal(ends, 1);
}

int
main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(generation_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(inherits_settings_inward),
		T(inherits_nothing_through_off),
		T(does_not_inherit_sideways),
		T(inherits_limits_key_by_key),
		T(has_one_endpoint_for_each_address),
		T(names_a_site_without_hosts),
		T(refuses_two_protocols_on_one_address),
		T(refuses_https_without_a_certificate),
		T(has_tls_where_it_is_asked_for),
		T(inherits_tls_from_the_top),
		T(finds_what_listeners_says_of_an_address),
		T(warns_of_a_listener_that_nobody_uses),
		T(refuses_a_listener_that_is_there_twice),
		T(refuses_a_listener_that_is_no_address),
		T(ends_with_its_last_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
