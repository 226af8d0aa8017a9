/*
 * Groups: what the rows of `upstreams` and the addresses of routes become, and
 * what is said to those that cannot become anything.
 */
#include "upstream/upstream.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct file {
	struct conf_map upstreams;
};

static const struct conf_field file_fields[] = {
	KEY_BLOCK_MAP(file, upstreams, upstream_schema, .doc = "Groups."),
	KEY_END
};
static const struct conf_schema file_schema = {
	.name = "file", .doc = "A file.", .size = sizeof(struct file),
	.fields = file_fields,
};

struct loaded {
	struct arena *arena;
	struct conf_source source;
	struct conf_load *load;
	struct generation g;
};

static struct loaded
load(const char *yaml)
{
	struct loaded l = {.arena = arena_new()};
	const char *files[] = {"t.yaml", yaml, NULL};
	struct conf_source *source = arena_zalloc(l.arena, sizeof *source);
	struct file *file;

	*source = conf_source_memory(l.arena, files);
	l.load = conf_load_new(l.arena, source);
	l.g.arena = l.arena;
	file = conf_load_file(l.load, "t.yaml", &file_schema, NULL, 0);
	if (conf_errors(l.load) == 0)
		upstreams_compile(&l.g, l.load, &file->upstreams);
	return l;
}

static void
expect_diagnostic(struct loaded *l, const char *part)
{
	struct buf b = buf_in(l->arena);

	conf_print_diagnostics(l->load, &b);
	if (!str_contains(buf_view(&b), str_from(part)))
		fail_msg("no \"%s\" in:\n%.*s", part, (int)b.n, b.p);
}

static struct upstream_group *
literal(struct loaded *l, const char *url)
{
	return upstreams_literal(&l->g, l->load,
	    (struct conf_text){.s = str_from(url)});
}

static void
a_group_has_servers_weights_and_defaults(void **state)
{
	struct loaded l = load(
	    "upstreams:\n"
	    "  app:\n"
	    "    servers:\n"
	    "      - 127.0.0.1:8080\n"
	    "      - {address: \"[::1]:81\", weight: 3}\n"
	    "      - unix:/run/app.sock\n"
	    "      - app.internal:9000\n"
	    "      - 127.0.0.2\n");
	struct upstream_group *g = upstreams_find(&l.g, STR("app"));

	(void)state;
	assert_int_equal(conf_errors(l.load), 0);
	assert_non_null(g);
	assert_int_equal(g->n_servers, 5);
	assert_int_equal(ntohs(g->servers[0].addrs[0].in.sin_port), 8080);
	assert_int_equal(g->servers[1].weight, 3);
	assert_int_equal(g->servers[2].addrs[0].sa.sa_family, AF_UNIX);
	assert_true(str_eq(g->servers[3].name, STR("app.internal")));
	assert_int_equal(g->servers[3].n_addrs, 0);
	assert_int_equal(ntohs(g->servers[4].addrs[0].in.sin_port), 80);
	assert_int_equal(g->keepalive.connections, 64);
	assert_int_equal(g->keepalive.idle, 60000);
	assert_null(g->tls);
	arena_end(l.arena);
}

static void
a_list_is_a_group(void **state)
{
	struct loaded l = load(
	    "upstreams: {app: [127.0.0.1:1, 127.0.0.1:2]}\n");

	(void)state;
	assert_int_equal(conf_errors(l.load), 0);
	assert_int_equal(upstreams_at(&l.g, 0)->n_servers, 2);
	arena_end(l.arena);
}

static void
keepalive_can_be_off(void **state)
{
	struct loaded l = load(
	    "upstreams: {app: {servers: [127.0.0.1:1], keepalive: off}}\n");

	(void)state;
	assert_int_equal(conf_errors(l.load), 0);
	assert_int_equal(upstreams_at(&l.g, 0)->keepalive.connections, 0);
	arena_end(l.arena);
}

static void
mistakes_are_explained(void **state)
{
	static const char *const cases[][2] = {
		{"upstreams: {app: {servers: []}}\n", "has no servers"},
		{"upstreams: {app: {servers: [\"http://a:1\"]}}\n",
		    "has a scheme"},
		{"upstreams: {app: {servers: [\"a:1/x\"]}}\n", "has a path"},
		{"upstreams: {app: {servers: [\"a:99999\"]}}\n", "a:99999"},
		{"upstreams: {app: {servers: [{address: \"a:1\", "
		    "weight: 0}]}}\n", "weight"},
		{"upstreams: {app: {servers: [\"a:1\"], balance: fastest}}\n",
		    "round_robin"},
		{"upstreams: {app: {}}\n", "servers"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct loaded l = load(cases[i][0]);

		assert_int_equal(conf_errors(l.load), 1);
		expect_diagnostic(&l, cases[i][1]);
		arena_end(l.arena);
	}
}

static void
literals_are_groups_of_one(void **state)
{
	struct loaded l = load("upstreams: {}\n");
	struct upstream_group *g = literal(&l, "http://127.0.0.1");

	(void)state;
	assert_non_null(g);
	assert_int_equal(ntohs(g->servers[0].addrs[0].in.sin_port), 80);
	assert_int_equal(g->keepalive.requests, 10000);
	assert_int_equal(g->keepalive.lifetime, 3600000);
	assert_ptr_equal(literal(&l, "http://127.0.0.1"), g);
	assert_ptr_not_equal(literal(&l, "http://127.0.0.1:81"), g);
	assert_non_null(literal(&l, "unix:/run/x.sock"));
	g = literal(&l, "https://127.0.0.1");
	assert_non_null(g->tls);
	assert_string_equal(g->servers[0].tls_name, "127.0.0.1");
	assert_int_equal(ntohs(g->servers[0].addrs[0].in.sin_port), 443);
	assert_int_equal(upstreams_count(&l.g), 4);
	assert_int_equal(conf_errors(l.load), 0);
	arena_end(l.arena);
}

static void
literals_have_no_path(void **state)
{
	static const char *const urls[] = {
		"http://127.0.0.1/", "http://127.0.0.1:80/x?y",
		"https://u:p@127.0.0.1", "ftp://127.0.0.1", "http://"};
	struct loaded l = load("upstreams: {}\n");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++)
		assert_null(literal(&l, urls[i]));
	assert_int_equal(conf_errors(l.load), COUNT_OF(urls));
	expect_diagnostic(&l, "has a path; a request keeps");
	arena_end(l.arena);
}

static void
unused_groups_are_warned_of(void **state)
{
	struct loaded l = load(
	    "upstreams: {one: [127.0.0.1:1], two: [127.0.0.1:2]}\n");

	(void)state;
	upstreams_find(&l.g, STR("one"));
	upstreams_lint(&l.g, l.load);
	assert_int_equal(conf_warnings(l.load), 1);
	expect_diagnostic(&l, "\"two\"");
	arena_end(l.arena);
}

static void
names_are_looked_up_once_loaded(void **state)
{
	/* A name to us, and one that getaddrinfo(3) knows without /etc/hosts:
	 * a bare system has none. */
	struct loaded l = load(
	    "upstreams: {app: [\"127.1:80\", \"no.such.invalid:80\"]}\n");
	struct upstream_group *g = upstreams_at(&l.g, 0);

	(void)state;
	upstreams_resolve(&l.g);
	assert_true(g->servers[0].n_addrs > 0);
	assert_int_equal(g->servers[1].n_addrs, 0);
	arena_end(l.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_has_servers_weights_and_defaults),
		cmocka_unit_test(a_list_is_a_group),
		cmocka_unit_test(keepalive_can_be_off),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(literals_are_groups_of_one),
		cmocka_unit_test(literals_have_no_path),
		cmocka_unit_test(unused_groups_are_warned_of),
		cmocka_unit_test(names_are_looked_up_once_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
