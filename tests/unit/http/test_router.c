/* Routers: the first route of the file whose conditions all hold, however they
 * are found; and what is said of routes that nobody reaches. */
#include "site_file.h"

static struct loaded l;
static struct router *router;

/* A site with these routes. */
static void
given(const char *routes)
{
	struct arena *a = arena_new();

	loaded_init(&l, arena_printf(a,
	    "sites:\n- listen: 80\n  routes:\n%s", routes));
	arena_end(a);
	router = loaded_router(&l, 0);
}

static void
expect_taken(struct asked *q, const char *word)
{
	const char *taken = routed_to(router, q);

	if (strcmp(taken, word) != 0)
		fail_msg("%.*s went to \"%s\", not \"%s\"",
		    STR_ARG(q->txn.req.path), taken, word);
}

static void
expect_path(const char *path, const char *word)
{
	struct asked q;

	asked_init(&q, l.arena, path);
	expect_taken(&q, word);
}

/* ---- order ------------------------------------------------------------- */

static void
router_takes_the_first_in_the_file(void **state)
{
	(void)state;
	given(
	    "  - {path: /a, respond: one}\n"
	    "  - {path: '*.php', respond: two}\n"
	    "  - {path: /a/*, respond: three}\n"
	    "  - {path: '/a/b*', respond: four}\n"
	    "  - {path: '~ ^/.*/x$', respond: five}\n"
	    "  - {path: [/b, /c], respond: six}\n"
	    "  - {respond: seven}\n"
	    "  - {path: /d, respond: eight}\n");
	expect_path("/a", "one");
	expect_path("/a/b.php", "two");
	expect_path("/a/b", "three");
	expect_path("/q/x", "five");
	expect_path("/a/x", "three");
	expect_path("/c", "six");
	expect_path("/d", "seven");
	expect_path("/", "seven");
	loaded_end(&l);
}

static void
router_has_no_answer_without_a_route(void **state)
{
	(void)state;
	given("  - {path: /a/*, respond: one}\n");
	expect_path("/a", "");
	expect_path("/b", "");
	expect_path("/", "");
	assert_non_null(router_leaf(router, 0));
	assert_null(router_leaf(router, 1));
	loaded_end(&l);
}

static void
router_follows_chains_of_prefixes(void **state)
{
	(void)state;
	given(
	    "  - {path: '/a/b/c*', match: {method: PUT}, respond: one}\n"
	    "  - {path: '/a/b*', match: {method: POST}, respond: two}\n"
	    "  - {path: '/a*', respond: three}\n");
	expect_path("/a/b/cd", "three");
	expect_path("/a/b", "three");
	expect_path("/a", "three");
	expect_path("/ab", "three");
	expect_path("/", "");
	loaded_end(&l);
}

/* ---- nesting ----------------------------------------------------------- */

static void
router_wants_outer_conditions_as_well(void **state)
{
	struct asked q;

	(void)state;
	given(
	    "  - path: /a/*\n"
	    "    match: {method: POST}\n"
	    "    routes:\n"
	    "      - {path: '*.php', respond: one}\n"
	    "      - {path: /a/x, respond: two}\n"
	    "  - {respond: three}\n");
	expect_path("/a/x", "three");
	asked_init(&q, l.arena, "/a/x");
	q.txn.req.method_name = STR("POST");
	expect_taken(&q, "two");
	q.txn.req.path = STR("/a/x.php");
	expect_taken(&q, "one");
	q.txn.req.path = STR("/b/x.php");
	expect_taken(&q, "three");
	/* The outer holds, none of the inner does: on to the next. */
	q.txn.req.path = STR("/a/y");
	expect_taken(&q, "three");
	loaded_end(&l);
}

static void
router_numbers_leaves_in_the_order_of_the_file(void **state)
{
	(void)state;
	given(
	    "  - {path: /a, respond: a}\n"
	    "  - {path: /b*, routes: [{path: /b, respond: b},"
	    " {path: /b1, routes: [{respond: c}]}]}\n"
	    "  - {respond: d}\n");
	for (unsigned i = 0; i < 4; i++) {
		const struct route *r = router_leaf(router, i);
		const struct word_conf *w =
		    r->conf->settings.conf[MODULE_respond];

		assert_int_equal(r->order, i);
		assert_int_equal(w->word[0], "abcd"[i]);
		assert_ptr_equal(r->plan, r->conf);
	}
	assert_null(router_leaf(router, 4));
	loaded_end(&l);
}

/* ---- match ------------------------------------------------------------- */

static void
match_takes_get_for_head(void **state)
{
	struct asked q;

	(void)state;
	given("  - {match: {method: [GET, PURGE]}, respond: yes}\n");
	asked_init(&q, l.arena, "/");
	expect_taken(&q, "yes");
	q.txn.req.method = METHOD_HEAD;
	q.txn.req.method_name = STR("HEAD");
	expect_taken(&q, "yes");
	q.txn.req.method = METHOD_OTHER;
	q.txn.req.method_name = STR("PURGE");
	expect_taken(&q, "yes");
	q.txn.req.method_name = STR("purge");
	expect_taken(&q, "");
	loaded_end(&l);
}

static void
match_looks_at_every_field_of_that_name(void **state)
{
	struct asked q;

	(void)state;
	given("  - {match: {header: {X-Beta: \"1\", Via: \"~a$\"}}, "
	    "respond: yes}\n");
	asked_init(&q, l.arena, "/");
	asked_add(&q, FIELD_OTHER, "x-beta", "0");
	asked_add(&q, FIELD_OTHER, "VIA", "1.1 a");
	expect_taken(&q, "");
	asked_add(&q, FIELD_OTHER, "X-BETA", "1");
	expect_taken(&q, "yes");
	q.fields[2].removed = true;
	expect_taken(&q, "");
	loaded_end(&l);
}

static void
match_finds_cookies(void **state)
{
	struct asked q;

	(void)state;
	given("  - {match: {cookie: {beta: \"1\"}}, respond: yes}\n");
	asked_init(&q, l.arena, "/");
	asked_add(&q, FIELD_OTHER, "x-cookie", "beta=1");
	expect_taken(&q, "");
	asked_add(&q, FIELD_COOKIE, "Cookie", "alpha=1");
	expect_taken(&q, "");
	asked_add(&q, FIELD_COOKIE, "Cookie", "a=2; beta=1");
	expect_taken(&q, "yes");
	loaded_end(&l);
}

static void
match_compares_queries_decoded(void **state)
{
	static const struct {
		const char *query;
		bool holds;
	} cases[] = {
		{"v=2&n=a+b", true}, {"n=a%20b&v=2x", true},
		{"%6e=a%20b&%76=%32", true}, {"n=a b&v=2", true},
		{"v=1&v=2&n=&n=a+b", true},
		{"", false}, {"v=2", false}, {"v=2&n", false},
		{"v=2&n=a%2520b", false}, {"v=2&n=a%2", false},
		{"v=2&n=a%zzb", false}, {"V=2&n=a+b", false},
		{"v=2&n=a+b+", false}, {"&&v=&n=a+b", false}
	};
	struct asked q;

	(void)state;
	given("  - {match: {query: {n: a b, v: \"~^2\"}}, respond: yes}\n");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		asked_init(&q, l.arena, "/");
		q.txn.req.target.query = str_from(cases[i].query);
		q.txn.req.target.has_query = true;
		if (strcmp(routed_to(router, &q), cases[i].holds ? "yes" : "")
		    != 0)
			fail_msg("%s", cases[i].query);
	}
	loaded_end(&l);
}

static void
match_decodes_once_and_before_its_expression(void **state)
{
	struct asked q;

	(void)state;
	given("  - {match: {query: {n: '~^a%b$'}}, respond: yes}\n");
	asked_init(&q, l.arena, "/");
	q.txn.req.target.query = STR("n=%61%25b");
	expect_taken(&q, "yes");
	q.txn.req.target.query = STR("n=a%2525b");
	expect_taken(&q, "");
	loaded_end(&l);
}

static void
match_tells_schemes_and_clients_apart(void **state)
{
	struct asked q;

	(void)state;
	given(
	    "  - {match: {scheme: http}, respond: plain}\n"
	    "  - {match: {client: [10.0.0.0/8, '::1']}, respond: near}\n"
	    "  - {match: {client: 'unix:', scheme: https}, respond: local}\n");
	asked_init(&q, l.arena, "/");
	expect_taken(&q, "plain");
	q.txn.req.is_https = true;
	expect_taken(&q, "local");
	q.peer = (struct peer){ .family = AF_INET, .ip = {10, 1, 2, 3} };
	expect_taken(&q, "near");
	q.peer.ip[0] = 11;
	expect_taken(&q, "");
	q.peer = (struct peer){ .family = AF_INET6, .ip = {[15] = 1} };
	expect_taken(&q, "near");
	loaded_end(&l);
}

/* ---- captures ---------------------------------------------------------- */

static void
expect_capture(const struct txn *t, unsigned i, const char *text)
{
	assert_true(i < t->n_captures);
	assert_int_equal(t->captures[2 * i + 1] - t->captures[2 * i],
	    strlen(text));
	assert_memory_equal(t->captured.p + t->captures[2 * i], text,
	    strlen(text));
}

static void
router_keeps_the_captures_of_what_it_took(void **state)
{
	struct asked q;

	(void)state;
	given(
	    "  - {path: '~ ^/(b)', match: {method: PUT}, respond: zero}\n"
	    "  - {path: '~ ^/(?<user>[a-z]+)/(\\d+)$', respond: one}\n"
	    "  - {path: [/plain, '~ ^/(b)$'], respond: two}\n"
	    "  - path: '~ ^/(n[0-9]+)/'\n"
	    "    routes:\n"
	    "      - {path: '*.php', respond: three}\n"
	    "      - {path: '~ (x)$', respond: four}\n"
	    "  - {respond: five}\n");
	asked_init(&q, l.arena, "/bob/42");
	expect_taken(&q, "one");
	assert_int_equal(q.txn.n_captures, 3);
	expect_capture(&q.txn, 0, "/bob/42");
	expect_capture(&q.txn, 1, "bob");
	expect_capture(&q.txn, 2, "42");
	assert_int_equal(regex_group(q.txn.capture_names, STR("user")), 1);

	asked_init(&q, l.arena, "/plain");
	expect_taken(&q, "two");
	assert_null(q.txn.captures);
	asked_init(&q, l.arena, "/b");
	expect_taken(&q, "two");
	expect_capture(&q.txn, 1, "b");

	/* The innermost expression that was met. */
	asked_init(&q, l.arena, "/n1/a.php");
	expect_taken(&q, "three");
	expect_capture(&q.txn, 1, "n1");
	asked_init(&q, l.arena, "/n1/x");
	expect_taken(&q, "four");
	expect_capture(&q.txn, 1, "x");

	asked_init(&q, l.arena, "/else");
	expect_taken(&q, "five");
	assert_int_equal(q.txn.n_captures, 0);
	loaded_end(&l);
}

/* ---- warnings ---------------------------------------------------------- */

static void
expect_warnings(const char *routes, size_t n, const char *part)
{
	given(routes);
	if (conf_warnings(l.load) != n)
		fail_msg("%zu warnings, not %zu, for\n%s%s",
		    conf_warnings(l.load), n, routes, loaded_messages(&l));
	if (n > 0)
		expect_part(&l, part);
	loaded_end(&l);
}

static void
router_warns_of_routes_that_nobody_reaches(void **state)
{
	static const char *const whole =
	    "t.yaml:5:5: warning: no request reaches this route: the one at "
	    "t.yaml:4 comes first and takes them all";

	(void)state;
	expect_warnings("  - {path: /a, respond: x}\n"
	    "  - {path: /a, respond: x}\n", 1, whole);
	expect_warnings("  - {path: /a/*, respond: x}\n"
	    "  - {path: /a/b, match: {method: PUT}, respond: x}\n", 1, whole);
	expect_warnings("  - {path: /a*, respond: x}\n"
	    "  - {path: /a/b/*, respond: x}\n", 1, whole);
	expect_warnings("  - {path: '*.php', respond: x}\n"
	    "  - {path: '/a.php', respond: x}\n", 1, whole);
	expect_warnings("  - {path: '*php', respond: x}\n"
	    "  - {path: '*.php', respond: x}\n", 1, whole);
	expect_warnings("  - {path: /*, respond: x}\n"
	    "  - {path: '*.php', respond: x}\n", 1, whole);
	expect_warnings("  - {path: '~ ^/a', respond: x}\n"
	    "  - {path: '~ ^/a', respond: x}\n", 1, whole);
	expect_warnings("  - {respond: x}\n"
	    "  - {path: '~ ^/a', respond: x}\n", 1, whole);
	expect_warnings("  - {respond: x}\n  - {respond: x}\n", 1, whole);
	expect_warnings("  - {path: /a/*, routes: [{respond: x}]}\n"
	    "  - {path: /a/b, respond: x}\n", 1,
	    "the one at t.yaml:4 comes first");
	expect_warnings("  - {path: /a, respond: x}\n"
	    "  - {path: [/b, /a], respond: x}\n", 1,
	    "t.yaml:5:17: warning: no request reaches this route by \"/a\": "
	    "the route at t.yaml:4 comes first");
	expect_warnings("  - {path: /a, respond: x}\n"
	    "  - {path: /b, respond: x}\n"
	    "  - {path: [/b, /a], respond: x}\n", 1, "t.yaml:6:5: warning: no");
}

static void
router_does_not_warn_of_routes_that_may_be_reached(void **state)
{
	(void)state;
	expect_warnings("  - {path: /a, match: {method: GET}, respond: x}\n"
	    "  - {path: /a, respond: x}\n", 0, "");
	expect_warnings("  - {path: /a/*, respond: x}\n"
	    "  - {path: /a, respond: x}\n", 0, "");
	expect_warnings("  - {path: /a/b, respond: x}\n"
	    "  - {path: /a/*, respond: x}\n", 0, "");
	expect_warnings("  - {path: /a/*, respond: x}\n"
	    "  - {path: '*.php', respond: x}\n", 0, "");
	expect_warnings("  - {path: /a/*, routes: [{path: '*.php', "
	    "respond: x}]}\n  - {path: /b.php, respond: x}\n", 0, "");
	expect_warnings("  - {path: /a/*, match: {method: PUT}, "
	    "routes: [{respond: x}]}\n  - {path: /a/b, respond: x}\n", 0, "");
}

static void
router_warns_of_nested_paths_that_are_not_in_full(void **state)
{
	(void)state;
	expect_warnings("  - {path: /a/*, routes: [{path: /b, respond: x}]}\n",
	    1, "no path is \"/b\" and also what the route around this one "
	    "says, at t.yaml:4; paths of nested routes are written in full");
	expect_warnings("  - {path: /a/*, routes: [{path: /b/*, "
	    "respond: x}]}\n", 1, "\"/b/*\"");
	expect_warnings("  - {path: /a/*, routes: [{match: {method: PUT}, "
	    "routes: [{path: '~ ^/b', respond: x}, {path: '/', respond: x}]}]}"
	    "\n", 1, "\"/\"");
	expect_warnings("  - {path: /a/*, routes: [{path: '*b', respond: x}, "
	    "{path: '/a*', respond: x}]}\n", 0, "");
}

/* ---- by chance --------------------------------------------------------- */

static void
draw_path(struct buf *b, uint64_t *seed)
{
	static const char *const parts[] = {"a", "b", "ab", "ba", "a.b"};
	unsigned n = chance(seed, 3);

	for (unsigned i = 0; i <= n; i++)
		buf_printf(b, "/%s", parts[chance(seed, COUNT_OF(parts))]);
	if (chance(seed, 5) == 0)
		buf_chr(b, '/');
}

static void
draw_pattern(struct buf *b, uint64_t *seed)
{
	static const char *const regexes[] = {
		"~ ^/a", "~ b$", "~ ^/(a|b)+/", "~ ^/(.*)/b", "~ a/b", "~ x"
	};
	static const char *const suffixes[] = {
		"*a", "*b", "*/", "*.b", "*/ab", "*a.b"
	};

	buf_chr(b, '\'');
	switch (chance(seed, 8)) {
	case 0:
		buf_z(b, regexes[chance(seed, COUNT_OF(regexes))]);
		break;
	case 1:
		buf_z(b, suffixes[chance(seed, COUNT_OF(suffixes))]);
		break;
	case 2:
	case 3:
		draw_path(b, seed);
		buf_chr(b, '*');
		break;
	case 4:
		draw_path(b, seed);
		buf_z(b, b->p[b->n - 1] == '/' ? "*" : "/*");
		break;
	case 5:
		buf_z(b, "/*");
		break;
	default:
		draw_path(b, seed);
		break;
	}
	buf_chr(b, '\'');
}

static void
draw_routes(struct buf *b, uint64_t *seed, unsigned depth)
{
	static const char *const matches[] = {
		"", "", "", "match: {method: POST}, ",
		"match: {query: {q: \"1\"}}, "
	};
	unsigned n = 1 + chance(seed, depth == 0 ? 12 : 3);

	buf_chr(b, '[');
	for (unsigned i = 0; i < n; i++) {
		unsigned n_paths = chance(seed, 3);

		buf_z(b, i > 0 ? ", {" : "{");
		if (n_paths > 0) {
			buf_z(b, "path: [");
			for (unsigned k = 0; k < n_paths; k++) {
				buf_z(b, k > 0 ? ", " : "");
				draw_pattern(b, seed);
			}
			buf_z(b, "], ");
		}
		buf_z(b, matches[chance(seed, COUNT_OF(matches))]);
		if (depth < 3 && chance(seed, 4) == 0) {
			buf_z(b, "routes: ");
			draw_routes(b, seed, depth + 1);
		} else {
			buf_z(b, "respond: x");
		}
		buf_chr(b, '}');
	}
	buf_chr(b, ']');
}

/* What is meant, read off the conf: no index, no compiled conditions. */
static bool
naive_path(const struct path_pattern *p, struct str path)
{
	size_t n = p->text.n;

	switch (p->kind) {
	case PATH_EXACT:
		return n == path.n && memcmp(p->text.p, path.p, n) == 0;
	case PATH_BELOW:
	case PATH_PREFIX:
		return n <= path.n && memcmp(p->text.p, path.p, n) == 0;
	case PATH_SUFFIX:
		return n <= path.n &&
		    memcmp(p->text.p, path.p + path.n - n, n) == 0;
	case PATH_REGEX:
		break;
	}
	return regex_match(p->regex, path, NULL, NULL);
}

static const struct route_conf *
naive_find(const struct conf_list *routes, struct txn *t)
{
	for (CONF_EACH(struct route_conf *, r, routes)) {
		const struct route_conf *found = *r;
		bool holds = (*r)->path.n == 0;

		for (CONF_EACH(struct path_pattern, p, &(*r)->path))
			holds |= naive_path(p, t->req.path);
		if (!holds || ((*r)->match != NULL &&
		        !match_holds((*r)->match, t)))
			continue;
		if ((*r)->routes.n > 0)
			found = naive_find(&(*r)->routes, t);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Whether a warning says that nobody reaches this one. */
static bool
is_shadowed(const struct route *r)
{
	for (size_t i = 0; i < l.load->n_diags; i++) {
		const struct diag *d = &l.load->diags[i];

		if (strstr(d->text, "reaches this route: ") != NULL &&
		    d->pos.line == r->pos.line && d->pos.column ==
		    r->pos.column)
			return true;
	}
	return false;
}

static void
router_agrees_with_reading_the_file_from_the_top(void **state)
{
	uint64_t seed = 7;
	unsigned found = 0, warned = 0;

	(void)state;
	for (unsigned table = 0; table < 3000 / SLOWDOWN; table++) {
		struct arena *a = arena_new();
		struct buf yaml = buf_in(a);

		buf_z(&yaml, "sites: [{listen: 80, routes: ");
		draw_routes(&yaml, &seed, 0);
		buf_z(&yaml, "}]");
		buf_chr(&yaml, '\0');
		loaded_init(&l, yaml.p);
		router = loaded_router(&l, 0);
		warned += conf_warnings(l.load) > 0;

		for (unsigned i = 0; i < 40; i++) {
			struct buf path = buf_in(a);
			const struct route *r;
			const struct route_conf *expected;
			struct asked q;

			draw_path(&path, &seed);
			asked_init(&q, l.arena, "");
			q.txn.req.path = buf_view(&path);
			if (chance(&seed, 2) == 0)
				q.txn.req.method_name = STR("POST");
			if (chance(&seed, 2) == 0)
				q.txn.req.target.query = STR("q=1");
			r = router_find(router, &q.txn);
			expected =
			    naive_find(&loaded_site(&l, 0)->routes, &q.txn);
			if ((r != NULL ? r->conf : NULL) != expected)
				fail_msg("%.*s in %s", STR_ARG(q.txn.req.path),
				    yaml.p);
			if (r != NULL && is_shadowed(r))
				fail_msg("%.*s reached what was said to be "
				    "shadowed in %s\n%s",
				    STR_ARG(q.txn.req.path), yaml.p,
				    loaded_messages(&l));
			found += r != NULL;
		}
		loaded_end(&l);
		arena_end(a);
	}
	/* The tables must not be so that the answer is clear. */
	assert_true(found > 100 && warned > 10);
}

/* ---- many -------------------------------------------------------------- */

/* N routes of all kinds that can be found without trying them. */
static void
given_many(unsigned n)
{
	struct arena *a = arena_new();
	struct buf yaml = buf_in(a);

	for (unsigned i = 0; i < n; i++) {
		buf_z(&yaml, "  - {path: '");
		if (i % 4 == 0)
			buf_printf(&yaml, "/exact/%u", i);
		else if (i % 4 == 1)
			buf_printf(&yaml, "/below/%u/*", i);
		else if (i % 4 == 2)
			buf_printf(&yaml, "/pre/%u-*", i);
		else
			buf_printf(&yaml, "*.end%u", i);
		buf_printf(&yaml, "', respond: w%u}\n", i);
	}
	buf_chr(&yaml, '\0');
	given(yaml.p);
	arena_end(a);
}

/* Nanoseconds of a look-up, the best of some rounds. */
static double
measure_find(unsigned n)
{
	enum { ROUNDS = 7, FINDS = 4000 };
	static char paths[64][64];
	double best = 1e9;

	given_many(n);
	for (unsigned i = 0; i < COUNT_OF(paths); i++) {
		unsigned k = i * (n / 64);

		snprintf(paths[i], sizeof paths[i],
		    k % 4 == 0 ? "/exact/%u" : k % 4 == 1 ? "/below/%u/x" :
		    k % 4 == 2 ? "/pre/%u-x" : "/x.end%u", k);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t began = clock_precise_us();
		struct asked q;
		double ns;

		asked_init(&q, l.arena, "");
		for (unsigned i = 0; i < FINDS; i++) {
			q.txn.req.path = str_from(paths[i % 64]);
			assert_true(router_find(router, &q.txn) != NULL);
		}
		ns = 1000.0 * (double)(clock_precise_us() - began) / FINDS;
		best = ns < best ? ns : best;
	}
	loaded_end(&l);
	return best;
}

static void
router_cost_does_not_grow_with_the_routes(void **state)
{
	double few = measure_find(128), many = measure_find(12800);

	(void)state;
	print_message("a look-up among 128 routes: %.0f ns, among 12,800: "
	    "%.0f ns\n", few, many);
	/* A hundred times the routes. */
	assert_true(many < 20 * few);
}

static void
router_allocates_nothing_for_plain_routes(void **state)
{
	struct asked q;
	size_t before;

	(void)state;
	given_many(1000);
	asked_init(&q, arena_new(), "/below/997/x");
	before = arena_size(q.txn.arena);
	for (unsigned i = 0; i < 10000; i++)
		expect_taken(&q, "w997");
	assert_int_equal(arena_size(q.txn.arena), before);
	arena_end(q.txn.arena);
	loaded_end(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(router_takes_the_first_in_the_file),
		cmocka_unit_test(router_has_no_answer_without_a_route),
		cmocka_unit_test(router_follows_chains_of_prefixes),
		cmocka_unit_test(router_wants_outer_conditions_as_well),
		cmocka_unit_test(
		    router_numbers_leaves_in_the_order_of_the_file),
		cmocka_unit_test(match_takes_get_for_head),
		cmocka_unit_test(match_looks_at_every_field_of_that_name),
		cmocka_unit_test(match_finds_cookies),
		cmocka_unit_test(match_compares_queries_decoded),
		cmocka_unit_test(match_decodes_once_and_before_its_expression),
		cmocka_unit_test(match_tells_schemes_and_clients_apart),
		cmocka_unit_test(router_keeps_the_captures_of_what_it_took),
		cmocka_unit_test(router_warns_of_routes_that_nobody_reaches),
		cmocka_unit_test(
		    router_does_not_warn_of_routes_that_may_be_reached),
		cmocka_unit_test(
		    router_warns_of_nested_paths_that_are_not_in_full),
		cmocka_unit_test(
		    router_agrees_with_reading_the_file_from_the_top),
		cmocka_unit_test(router_cost_does_not_grow_with_the_routes),
		cmocka_unit_test(router_allocates_nothing_for_plain_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
