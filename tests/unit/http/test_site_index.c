/* Site indexes: whose name a host is, and names that two sites have. */
#include "site_file.h"

static struct loaded l;
static struct site_index *hosts;

/* Sites, all on one address; each line is what one says of its hosts. */
static void
given(const char *const *sites, size_t n)
{
	struct arena *a = arena_new();
	struct buf yaml = buf_in(a);

	buf_z(&yaml, "sites:\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(&yaml, "- {listen: 80, routes: [respond: x], %s}\n",
		    sites[i]);
	buf_chr(&yaml, '\0');
	loaded_init(&l, yaml.p);
	hosts = loaded_index(&l);
	arena_end(a);
}

#define GIVEN(...) \
	given((const char *const[]){__VA_ARGS__}, \
	    COUNT_OF(((const char *const[]){__VA_ARGS__})))

/* Which site it is, counted from 0; -1: none. */
static int
site_number(const struct site *s)
{
	return s != NULL ? (int)s->pos.line - 2 : -1;
}

static void
expect_site(const char *host, int expected)
{
	int found = site_number(site_index_find(hosts, str_from(host)));

	if (found != expected)
		fail_msg("%s is site %d, not %d", host, found, expected);
}

static void
site_is_found_by_exact_then_wildcard_then_regex(void **state)
{
	(void)state;
	GIVEN("hosts: '~^a\\.'", "hosts: '~example'",
	    "hosts: ['*.example.com', '*.com']", "hosts: '*.b.example.com'",
	    "hosts: [a.example.com, Other.example]", "default: on",
	    "hosts: '[::1]'");
	expect_site("a.example.com", 4);
	expect_site("other.example", 4);
	expect_site("b.example.com", 2);
	expect_site("c.b.example.com", 3);
	expect_site("d.c.b.example.com", 3);
	expect_site("example.com", 2);
	expect_site("com", 5);
	expect_site(".com", 5);
	expect_site("a.example.org", 0);
	expect_site("example.org", 1);
	expect_site("[::1]", 6);
	expect_site("", 5);
	assert_int_equal(site_number(site_index_first(hosts)), 5);
	assert_int_equal(conf_warnings(l.load), 0);
	loaded_end(&l);
}

static void
site_is_nobody_without_a_default(void **state)
{
	(void)state;
	GIVEN("hosts: a.example", "hosts: b.example");
	expect_site("b.example", 1);
	expect_site("c.example", -1);
	assert_int_equal(site_number(site_index_first(hosts)), 0);
	loaded_end(&l);
}

static void
site_without_hosts_is_the_default(void **state)
{
	(void)state;
	GIVEN("hosts: a.example", "http: {}");
	expect_site("c.example", 1);
	assert_int_equal(site_number(site_index_first(hosts)), 1);
	loaded_end(&l);
}

/* A client may send any number of dots: none of them costs a look-up of all
 * that is behind it. */
static void
site_of_a_host_full_of_dots_is_found_at_once(void **state)
{
	static char dots[60000];
	uint64_t began;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof dots; i++)
		dots[i] = i % 2 == 0 ? 'a' : '.';
	memcpy(dots + sizeof dots - 6, ".test", 6);
	GIVEN("hosts: '*.test'");
	began = clock_precise_us();
	expect_site(dots, 0);
	assert_true(clock_precise_us() - began < 100000);
	loaded_end(&l);
}

static void
index_reports_hosts_that_two_sites_have(void **state)
{
	(void)state;
	GIVEN("hosts: [a.example, '*.b.example']", "hosts: A.example.");
	assert_int_equal(conf_errors(l.load), 1);
	expect_part(&l, "t.yaml:3:45: the host A.example. has a site on the "
	    "same address already, at t.yaml:2");
	loaded_end(&l);
	GIVEN("hosts: ['*.b.example']", "hosts: ['*.B.example']");
	assert_int_equal(conf_errors(l.load), 1);
	loaded_end(&l);
	GIVEN("hosts: [a.example, a.example]");
	assert_int_equal(conf_errors(l.load), 1);
	loaded_end(&l);
	GIVEN("hosts: [a.example, '*.a.example', '~a.example']");
	assert_int_equal(conf_errors(l.load), 0);
	loaded_end(&l);
}

static void
index_reports_a_second_default(void **state)
{
	(void)state;
	GIVEN("hosts: a.example, default: on", "hosts: b.example",
	    "hosts: c.example, default: on");
	assert_int_equal(conf_errors(l.load), 1);
	expect_part(&l, "t.yaml:4:65: this site is the default of its address, "
	    "which has one already, at t.yaml:2");
	loaded_end(&l);
	GIVEN("default: on", "http: {}");
	assert_int_equal(conf_errors(l.load), 1);
	expect_part(&l, "t.yaml:3:3: a site without hosts is the default");
	loaded_end(&l);
}

static void
index_warns_of_a_regex_that_comes_twice(void **state)
{
	(void)state;
	GIVEN("hosts: '~^a'", "hosts: '~^a'");
	assert_int_equal(conf_warnings(l.load), 1);
	expect_part(&l, "t.yaml:3:45: warning: the same regular expression at "
	    "t.yaml:2 comes first and takes its hosts");
	expect_site("ab", 0);
	loaded_end(&l);
}

static void
index_warns_of_settings_that_come_too_late(void **state)
{
	(void)state;
	GIVEN("hosts: a.example, http: {max_headers: 50}",
	    "hosts: b.example, http: {max_target_size: 4k, max_headers: 50, "
	    "max_body_size: 1g, encoded_slash: keep}", "hosts: c.example");
	assert_int_equal(conf_warnings(l.load), 1);
	expect_part(&l, "\"max_target_size\" is needed before the host is "
	    "known; that of the site at t.yaml:2 holds on this address");
	loaded_end(&l);
}

/* ---- by chance --------------------------------------------------------- */

static const char *const labels[] = {"a", "b", "c", "ab"};
static const char *const regexes[] = {"~^a\\.", "~b$", "~a\\.b", "~c"};

static void
draw_name(struct buf *b, uint64_t *seed)
{
	unsigned n = chance(seed, 4);

	for (unsigned i = 0; i <= n; i++) {
		buf_z(b, i > 0 ? "." : "");
		buf_z(b, labels[chance(seed, COUNT_OF(labels))]);
	}
}

static void
draw_host(struct buf *b, uint64_t *seed)
{
	unsigned kind = chance(seed, 10);

	buf_chr(b, '\'');
	if (kind == 0) {
		buf_z(b, regexes[chance(seed, COUNT_OF(regexes))]);
	} else {
		buf_z(b, kind < 5 ? "*." : "");
		draw_name(b, seed);
	}
	buf_chr(b, '\'');
}

/* Goes through all hosts of all sites and keeps the best so far. */
static int
naive_find(struct str host)
{
	size_t best_n = 0;
	int best = -1, rank = 0; /* 1 default, 2 regex, 3 wildcard, 4 exact */

	for (size_t i = 0; i < l.file->sites.n; i++) {
		const struct site_conf *s = loaded_site(&l, i);

		if (rank < 1 && (s->is_default || s->hosts.n == 0)) {
			rank = 1;
			best = (int)i;
		}
		for (CONF_EACH(struct host_pattern, h, &s->hosts)) {
			size_t n = h->text.n;
			int kind = 0;

			if (h->kind == HOST_EXACT && str_eq(h->text, host))
				kind = 4;
			if (h->kind == HOST_WILDCARD && host.n > n &&
			    memcmp(host.p + host.n - n, h->text.p, n) == 0)
				kind = 3;
			if (h->kind == HOST_REGEX &&
			    regex_match(h->regex, host, NULL, NULL))
				kind = 2;
			if (kind < rank || kind == 0 ||
			    (kind == rank && (kind != 3 || n <= best_n)))
				continue;
			rank = kind;
			best = (int)i;
			best_n = n;
		}
	}
	return best;
}

static void
index_agrees_with_going_through_all_sites(void **state)
{
	uint64_t seed = 11;
	unsigned asked = 0;

	(void)state;
	for (unsigned table = 0; table < 2000 / SLOWDOWN; table++) {
		struct arena *a = arena_new();
		const char *sites[8];
		size_t n = 1 + chance(&seed, 8);

		for (size_t i = 0; i < n; i++) {
			struct buf b = buf_in(a);

			buf_z(&b, i == 3 ? "default: on, hosts: [" :
			    "hosts: [");
			for (unsigned k = 0; k <= chance(&seed, 4); k++) {
				buf_z(&b, k > 0 ? ", " : "");
				draw_host(&b, &seed);
			}
			buf_z(&b, "]");
			buf_chr(&b, '\0');
			sites[i] = b.p;
		}
		given(sites, n);
		/* The first of two that have a name is kept. */
		for (unsigned i = 0; i < 40; i++) {
			struct buf b = buf_in(a);

			draw_name(&b, &seed);
			buf_chr(&b, '\0');
			expect_site(b.p, naive_find(str_from(b.p)));
			asked++;
		}
		loaded_end(&l);
		arena_end(a);
	}
	assert_true(asked > 1000);
}

/* ---- many -------------------------------------------------------------- */

static double
measure_find(unsigned n)
{
	enum { ROUNDS = 7, FINDS = 4000 };
	struct arena *a = arena_new();
	const char **sites = arena_alloc(a, n * sizeof(*sites));
	static char names[64][64];
	double best = 1e9;

	for (unsigned i = 0; i < n; i++)
		sites[i] = arena_printf(a, "hosts: ['%sh%u.example.com']",
		    i % 2 == 0 ? "" : "*.", i);
	given(sites, n);
	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		unsigned k = i * (n / 64) + i % 2;

		snprintf(names[i], sizeof names[i], "%sh%u.example.com",
		    k % 2 == 0 ? "" : "www.", k);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t began = clock_precise_us();
		double ns;

		for (unsigned i = 0; i < FINDS; i++)
			assert_true(site_index_find(hosts,
			    str_from(names[i % 64])) != NULL);
		ns = 1000.0 * (double)(clock_precise_us() - began) / FINDS;
		best = ns < best ? ns : best;
	}
	loaded_end(&l);
	arena_end(a);
	return best;
}

static void
index_cost_does_not_grow_with_the_sites(void **state)
{
	double few = measure_find(128), many = measure_find(12800);

	(void)state;
	print_message("a look-up among 128 hosts: %.0f ns, among 12,800: "
	    "%.0f ns\n", few, many);
	assert_true(many < 20 * few);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    site_is_found_by_exact_then_wildcard_then_regex),
		cmocka_unit_test(site_is_nobody_without_a_default),
		cmocka_unit_test(site_without_hosts_is_the_default),
		cmocka_unit_test(site_of_a_host_full_of_dots_is_found_at_once),
		cmocka_unit_test(index_reports_hosts_that_two_sites_have),
		cmocka_unit_test(index_reports_a_second_default),
		cmocka_unit_test(index_warns_of_a_regex_that_comes_twice),
		cmocka_unit_test(index_warns_of_settings_that_come_too_late),
		cmocka_unit_test(index_agrees_with_going_through_all_sites),
		cmocka_unit_test(index_cost_does_not_grow_with_the_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
