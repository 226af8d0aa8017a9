/* The rows of sites and routes: defaults, what is inherited, and what is said
 * of what cannot be. */
#include "site_file.h"

#include <time.h>

static struct loaded l;

static void
given(const char *yaml)
{
	loaded_init(&l, yaml);
	if (conf_errors(l.load) > 0)
		fail_msg("%s", loaded_messages(&l));
}

/* ---- defaults ---------------------------------------------------------- */

static void
http_has_the_documented_defaults(void **state)
{
	const struct http_conf *h;

	(void)state;
	given("");
	h = l.file->http;
	assert_int_equal(h->header_timeout, 15000);
	assert_int_equal(h->body_timeout, 60000);
	assert_int_equal(h->send_timeout, 60000);
	assert_int_equal(h->keepalive_timeout, 75000);
	assert_int_equal(h->lingering_timeout, 5000);
	assert_int_equal(h->keepalive_requests, 10000);
	assert_int_equal(h->max_header_size, 32 * 1024);
	assert_int_equal(h->max_headers, 100);
	assert_int_equal(h->max_body_size, 10 * 1024 * 1024);
	assert_int_equal(h->max_target_size, 8 * 1024);
	assert_int_equal(h->encoded_slash, SLASH_REFUSE);
	assert_false(h->server_tokens);
	loaded_end(&l);
}

static void
http_of_a_site_is_completed_by_the_top(void **state)
{
	struct site_conf *s;

	(void)state;
	given("http: {max_headers: 50, body_timeout: 3s}\n"
	    "sites:\n- listen: 80\n  routes: [respond: x]\n"
	    "  http: {max_headers: 60, max_body_size: 0}\n");
	loaded_index(&l);
	s = loaded_site(&l, 0);
	assert_int_equal(s->http->max_headers, 60);
	assert_int_equal(s->http->max_body_size, 0);
	assert_int_equal(s->http->body_timeout, 3000);
	assert_int_equal(s->http->header_timeout, 15000);
	loaded_end(&l);
}

static void
listen_takes_a_port_as_plain_http(void **state)
{
	struct site_listen_conf *listen;

	(void)state;
	given("sites:\n"
	    "- {listen: 8080, routes: [respond: x]}\n"
	    "- {listen: [80, '127.0.0.1:81'], routes: [respond: x]}\n"
	    "- {listen: {http: 80, https: [443, 'unix:/x']}, "
	    "routes: [respond: x]}\n");
	listen = loaded_site(&l, 0)->listen;
	assert_int_equal(listen->http.n, 1);
	assert_int_equal(listen->https.n, 0);
	assert_int_equal(loaded_site(&l, 1)->listen->http.n, 2);
	listen = loaded_site(&l, 2)->listen;
	assert_int_equal(listen->http.n, 1);
	assert_int_equal(listen->https.n, 2);
	loaded_end(&l);
}

/* ---- settings ---------------------------------------------------------- */

static const char *
note_of(const struct settings *s)
{
	const struct word_conf *w = s->conf[MODULE_note];

	return w == NULL ? "none" : conf_is_off(w) ? "off" : w->word;
}

/* As a generation does it. */
static void
inherit_routes(struct settings *outer, struct conf_list *routes)
{
	for (CONF_EACH(struct route_conf *, r, routes)) {
		conf_inherit_fields(l.load, module_rows(LEVEL_ROUTE), outer,
		    &(*r)->settings);
		inherit_routes(&(*r)->settings, &(*r)->routes);
	}
}

static void
settings_of_modules_are_inherited_inward(void **state)
{
	struct site_conf *s;
	struct route_conf **r, **nested;

	(void)state;
	given("note: top\nsites:\n- listen: 80\n  note: site\n  routes:\n"
	    "  - {respond: a}\n"
	    "  - {respond: b, note: route}\n"
	    "  - {note: off, routes: [{respond: c}, {files: d, note: in}]}\n"
	    "- {listen: 81, routes: [respond: x]}\n");
	for (size_t i = 0; i < 2; i++) {
		s = loaded_site(&l, i);
		conf_inherit_fields(l.load, module_rows(LEVEL_SITE),
		    &l.file->settings, &s->settings);
		inherit_routes(&s->settings, &s->routes);
	}
	r = loaded_site(&l, 0)->routes.items;
	assert_string_equal(note_of(&r[0]->settings), "site");
	assert_string_equal(note_of(&r[1]->settings), "route");
	nested = r[2]->routes.items;
	assert_string_equal(note_of(&nested[0]->settings), "off");
	assert_string_equal(note_of(&nested[1]->settings), "in");
	r = loaded_site(&l, 1)->routes.items;
	assert_string_equal(note_of(&r[0]->settings), "top");
	loaded_end(&l);
}

static void
settings_stand_only_at_their_levels(void **state)
{
	(void)state;
	assert_string_equal(module_rows(LEVEL_TOP)[0].name, "note");
	assert_null(module_rows(LEVEL_TOP)[1].name);
	assert_string_equal(module_rows(LEVEL_ROUTE)[0].name, "respond");
	assert_int_equal(module_rows(LEVEL_ROUTE)[2].offset,
	    2 * sizeof(void *));
	loaded_init(&l, "sites:\n- {listen: 80, respond: x, "
	    "routes: [respond: x]}\n");
	expect_part(&l, "unknown key \"respond\" in this site");
	loaded_end(&l);
}

/* A route that somebody makes to bring its own plan has no place. */
static void
route_of_defaults_is_no_mistake(void **state)
{
	(void)state;
	given("");
	assert_non_null(conf_defaults(l.load, &route_schema));
	assert_non_null(conf_defaults(l.load, &site_schema));
	assert_int_equal(conf_errors(l.load), 0);
	loaded_end(&l);
}

/* ---- mistakes ---------------------------------------------------------- */

static void
site_says_what_is_wrong(void **state)
{
	static const char *const cases[][2] = {
		{"{routes: [respond: x]}", "lacks the key \"listen\""},
		{"{listen: 80}", "lacks the key \"routes\""},
		{"{listen: {}, routes: []}",
		 "this \"listen\" has no address; expected http: or https:"},
		{"{listen: [80, 81, 80], routes: []}", "t.yaml:2:21: "
		 "[::]:80 is in this \"listen\" already, at t.yaml:2"},
		{"{listen: {http: 80, https: 80}, routes: []}",
		 "is in this \"listen\" already"},
		{"{listen: x, routes: []}", "\"listen\": "},
		{"{listen: 80, hosts: 'a:80', routes: []}",
		 "t.yaml:2:23: \"hosts\": a host has no port"},
		{"{listen: 80, http: {max_header_size: 64k}, routes: []}",
		 "\"max_header_size\" must be between 1k and 60k, not 64k"},
		{"{listen: 80, http: {body_timeout: 0s}, routes: []}",
		 "\"body_timeout\" must be between 1ms and 24h"},
		{"{listen: 80, http: {encoded_slash: yes}, routes: []}",
		 "expected refuse, keep or decode, found \"yes\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct arena *a = arena_new();

		loaded_init(&l, arena_printf(a, "sites:\n- %s\n",
		    cases[i][0]));
		expect_part(&l, cases[i][1]);
		loaded_end(&l);
		arena_end(a);
	}
}

static void
route_says_what_is_wrong(void **state)
{
	static const char *const cases[][2] = {
		{"{path: /x}", "t.yaml:4:5: the route that begins here does "
		 "not say what to do; a route has one of respond, files or "
		 "routes"},
		{"{note: x}", "does not say what to do"},
		{"{routes: []}", "does not say what to do"},
		{"{respond: a, files: b}", "t.yaml:4:25: this route has "
		 "\"files\" besides \"respond\"; a route has one of respond, "
		 "files or routes"},
		{"{respond: a, routes: [respond: b]}",
		 "this route has \"respond\" besides \"routes\""},
		{"{path: api, respond: a}",
		 "\"path\": a path begins with a slash; did you mean"},
		{"{path: '= /x', respond: x}", "did you mean \"/x\"?"},
		{"{path: '^~ /x', respond: x}", "did you mean \"/x*\"?"},
		{"{path: '~* x$', respond: x}", "did you mean \"~ (?i)x$\"?"},
		{"{match: {method: get}, respond: a}", "t.yaml:4:22: methods "
		 "are written in upper case; did you mean \"GET\"?"},
		{"{match: {method: [GET, 'a b']}, respond: a}",
		 "\"a b\" is not a method"},
		{"{match: {header: {'a b': c}}, respond: a}",
		 "\"a b\" is not the name of a header field"},
		{"{match: {cookie: {'a=': c}}, respond: a}",
		 "\"a=\" is not the name of a cookie"},
		{"{match: {header: {a: '~('}}, respond: a}",
		 "missing closing parenthesis"},
		{"{match: {client: 10.0.0.1/8}, respond: a}",
		 "has bits set beyond its prefix length"},
		{"{match: {scheme: ftp}, respond: a}",
		 "expected any, http or https, found \"ftp\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct arena *a = arena_new();

		loaded_init(&l, arena_printf(a,
		    "sites:\n- listen: 80\n  routes:\n  - %s\n",
		    cases[i][0]));
		expect_part(&l, cases[i][1]);
		loaded_end(&l);
		arena_end(a);
	}
}

/* ---- what else comes from the rows -------------------------------------- */

static void
site_is_printed_as_it_would_be_read_again(void **state)
{
	struct arena *a = arena_new();
	struct buf first = buf_in(a), second = buf_in(a);

	(void)state;
	given("sites:\n- hosts: [Example.com, '*.example.com', '~^u\\d']\n"
	    "  default: on\n  listen: {http: 80, https: '[::1]:443'}\n"
	    "  http: {encoded_slash: keep}\n  note: x\n  routes:\n"
	    "  - {path: [/x*, '*.php', '~ ^/(a|b)$'], match: {method: GET, "
	    "header: {A: '~^b'}, client: 10.0.0.0/8}, respond: a}\n"
	    "  - {path: /a/*, note: off, routes: [{respond: b}]}\n");
	conf_dump(l.load, &file_schema, l.file, &first);
	buf_chr(&first, '\0');
	loaded_end(&l);
	given(first.p);
	conf_dump(l.load, &file_schema, l.file, &second);
	buf_chr(&second, '\0');
	assert_non_null(strstr(second.p, "~ ^/(a|b)$"));
	assert_int_equal(loaded_site(&l, 0)->hosts.n, 3);
	assert_int_equal(loaded_site(&l, 0)->routes.n, 2);
	assert_true(loaded_site(&l, 0)->is_default);
	loaded_end(&l);
	arena_end(a);
}

static void
rows_that_nest_have_an_end_in_print(void **state)
{
	struct arena *a = arena_new();
	struct buf man = buf_in(a), json = buf_in(a);

	(void)state;
	given("");
	conf_print_man(&file_schema, &man);
	conf_print_json_schema(&file_schema, &json);
	assert_true(str_contains(buf_view(&man), STR("encoded_slash")));
	assert_true(str_contains(buf_view(&json), STR("\"routes\"")));
	loaded_end(&l);
	arena_end(a);
}

/* ---- many -------------------------------------------------------------- */

/* Of this process: what others do meanwhile is no matter. */
static uint64_t
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void
site_and_route_by_the_ten_thousands_load_in_a_second(void **state)
{
	enum { N = 10000 };
	struct arena *a = arena_new();
	struct buf yaml = buf_in(a);
	struct asked q;
	uint64_t began, read;

	(void)state;
	buf_z(&yaml, "sites:\n");
	for (unsigned i = 1; i < N; i++)
		buf_printf(&yaml, "- {listen: 80, hosts: h%u.example.com, "
		    "routes: [respond: x]}\n", i);
	buf_z(&yaml, "- listen: 80\n  hosts: h0.example.com\n  routes:\n");
	for (unsigned i = 0; i < N; i++)
		buf_printf(&yaml, "  - {path: '/%u/a%s', respond: w%u}\n", i,
		    i % 3 == 0 ? "" : i % 3 == 1 ? "*" : "/*", i);
	buf_chr(&yaml, '\0');

	began = cpu_us();
	loaded_init(&l, yaml.p);
	read = cpu_us() - began;
	began = cpu_us();
	loaded_index(&l);
	asked_init(&q, l.arena, "/9998/a/x");
	assert_string_equal(routed_to(loaded_router(&l, N - 1), &q), "w9998");
	began = cpu_us() - began;
	print_message("10,000 hosts and 10,000 routes: %.0f ms to load, "
	    "%.0f ms to compile\n", (double)read / 1000,
	    (double)began / 1000);
	assert_int_equal(conf_warnings(l.load), 0);
	assert_true(read + began < 1000000 * SLOWDOWN);
	loaded_end(&l);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_has_the_documented_defaults),
		cmocka_unit_test(http_of_a_site_is_completed_by_the_top),
		cmocka_unit_test(listen_takes_a_port_as_plain_http),
		cmocka_unit_test(settings_of_modules_are_inherited_inward),
		cmocka_unit_test(settings_stand_only_at_their_levels),
		cmocka_unit_test(route_of_defaults_is_no_mistake),
		cmocka_unit_test(site_says_what_is_wrong),
		cmocka_unit_test(route_says_what_is_wrong),
		cmocka_unit_test(site_is_printed_as_it_would_be_read_again),
		cmocka_unit_test(rows_that_nest_have_an_end_in_print),
		cmocka_unit_test(
		    site_and_route_by_the_ten_thousands_load_in_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
