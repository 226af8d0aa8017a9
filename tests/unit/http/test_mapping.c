/* Mappings: how values are found, and what is refused when they are loaded. */
#include "http/mapping.h"
#include "http/mapping_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

const struct module *const modules[] = {NULL};
const unsigned module_count = 0;

/* A configuration of maps and strings that ask for them. */
struct root {
	struct conf_map maps;
	struct template *out;
};
static const struct conf_field root_fields[] = {
	/* Before the maps, as most strings of a file are. */
	KEY_TEMPLATE(root, out, .doc = "A string."),
	KEY_BLOCK_MAP(root, maps, mapping_schema, .flags = CONF_DECLARES,
	    .doc = "Maps."),
	KEY_END
};
static const struct conf_schema root_schema = {
	.name = "root", .size = sizeof(struct root), .fields = root_fields,
	.doc = "All."
};

static struct arena *arena;
static struct conf_load *load;
static struct conf_source source;
static struct root *root;
static struct txn *t;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_end(arena);
	return 0;
}

static const char *
messages(const char *yaml)
{
	const char *files[] = {"/etc/weir.yaml", yaml, NULL};
	struct buf b = buf_in(arena);

	source = conf_source_memory(arena, files);
	load = conf_load_new(arena, &source);
	root = conf_load_file(load, files[0], &root_schema, NULL, 0);
	if (conf_errors(load) == 0) {
		mappings_compile(load, &root->maps);
		mappings_lint(load, &root->maps);
	}
	conf_print_diagnostics(load, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static void
loaded(const char *yaml)
{
	assert_string_equal(messages(yaml), "");
}

static void
expect_message(const char *yaml, const char *part)
{
	const char *all = messages(yaml);

	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
}

/* The string's value for a request with this query. */
static void
expect(const char *query, const char *expected)
{
	struct str got;

	t = arena_zalloc(arena, sizeof *t);
	t->magic = TXN_MAGIC;
	t->arena = arena;
	t->req.target.query = str_from(query);
	t->req.path = STR("/path");
	got = template_eval(root->out, t);
	if (!str_eq(got, str_from(expected)))
		fail_msg("%s: \"%.*s\", expected \"%s\"", query, STR_ARG(got),
		    expected);
}

static void
values_are_found_as_they_stand_or_by_end_or_expression(
    void **state)
{
	(void)state;
	loaded("out: <$m>\n"
	    "maps:\n"
	    "  m:\n"
	    "    source: $arg_x\n"
	    "    values:\n"
	    "      one: '1'\n"
	    "      '*.b.c': end b\n"
	    "      '*.a.b.c': end a\n"
	    "      x.b.c: itself\n"
	    "      '~^v(\\d+)(?<rest>.*)$': version $1 of $uri$capture_rest\n"
	    "      '~o': has o\n"
	    "    default: none of $arg_x\n");
	expect("x=one", "<1>");
	expect("x=One", "<none of One>");
	expect("x=x.b.c", "<itself>");
	expect("x=y.b.c", "<end b>");
	expect("x=y.a.b.c", "<end a>");
	expect("x=b.c", "<none of b.c>");
	expect("x=v12-o", "<version 12 of /path-o>");
	expect("x=to", "<has o>");
	expect("", "<none of >");
}

static void
networks_are_found_by_the_longest_prefix(void **state)
{
	(void)state;
	loaded("out: <$m>\n"
	    "maps:\n"
	    "  m:\n"
	    "    source: $arg_x\n"
	    "    cidr:\n"
	    "      0.0.0.0/0: v4\n"
	    "      10.0.0.0/8: ten\n"
	    "      10.9.0.0/16: nine\n"
	    "      10.9.1.7: me\n"
	    "      2001:db8::/33: six\n"
	    "      'unix:': local\n");
	expect("x=10.1.2.3", "<ten>");
	expect("x=10.9.2.3", "<nine>");
	expect("x=10.9.1.7", "<me>");
	expect("x=11.0.0.1", "<v4>");
	expect("x=2001:db8:7fff::1", "<six>");
	expect("x=2001:db8:8000::1", "<>");
	expect("x=unix:", "<local>");
	expect("x=banana", "<>");
	expect("x=", "<>");
}

static void
numbers_are_found_in_ranges(void **state)
{
	(void)state;
	loaded("out: <$m>\n"
	    "maps:\n"
	    "  m:\n"
	    "    source: $arg_x\n"
	    "    ranges: {1000-: large, -9: digit, 10-999: middle, }\n"
	    "    default: no number\n");
	expect("x=0", "<digit>");
	expect("x=9", "<digit>");
	expect("x=9.999", "<digit>");
	expect("x=10", "<middle>");
	expect("x=999", "<middle>");
	expect("x=1000", "<large>");
	expect("x=18446744073709551615", "<large>");
	expect("x=18446744073709551616", "<no number>");
	expect("x=-1", "<no number>");
	expect("x=1.x", "<no number>");
	expect("", "<no number>");
}

static void
shares_are_of_the_size_that_was_asked_for(void **state)
{
	unsigned a = 0, b = 0, n = 20000;

	(void)state;
	loaded("out: $m\n"
	    "maps:\n"
	    "  m: {split: $arg_x, shares: {a: 10%, b: 0.5%, c: '*'}}\n");
	t = arena_zalloc(arena, sizeof *t);
	for (unsigned i = 0; i < n; i++) {
		struct arena *one = arena_new();
		struct str got;

		*t = (struct txn){
			.arena = one,
			.req.target.query = arena_strf(one, "x=192.0.2.%u", i)
		};
		got = template_eval(root->out, t);
		a += str_eq(got, STR("a"));
		b += str_eq(got, STR("b"));
		arena_end(one);
	}
	assert_in_range(a, n / 10 - 150, n / 10 + 150);
	assert_in_range(b, n / 200 - 40, n / 200 + 40);
}

/* They were these when the rows were written, and have to stay so. */
static void
a_key_is_in_the_same_place_for_ever(void **state)
{
	(void)state;
	assert_int_equal(mapping_place(STR("")), 9367);
	assert_int_equal(mapping_place(STR("192.0.2.1")), 5615);
	assert_int_equal(mapping_place(STR("192.0.2.2")), 9113);
}

static void
without_a_rest_the_default_has_it(void **state)
{
	(void)state;
	loaded("out: $m\n"
	    "maps: {m: {split: $arg_x, shares: {a: 0%}, default: d}}\n");
	expect("x=1", "d");
}

static void
maps_can_ask_for_each_other(void **state)
{
	(void)state;
	loaded("out: $third\n"
	    "maps:\n"
	    "  third: {source: $second, values: {two: three, x: $first}}\n"
	    "  second: {source: $first, values: {one: two}, default: x}\n"
	    "  first: {source: $arg_x, values: {'1': one}, default: zero}\n");
	expect("x=1", "three");
	expect("x=2", "zero");
}

static void
a_map_is_evaluated_once(void **state)
{
	(void)state;
	loaded("out: $m$m\n"
	    "maps: {m: {source: $arg_x, values: {'~.': $arg_y}}}\n");
	expect("x=1&y=2", "22");
	/* What was found is kept, whatever the request has become. */
	t->req.target.query = STR("y=3");
	assert_true(str_eq(template_eval(root->out, t), STR("22")));
}

static void
the_groups_of_one_map_are_not_seen_by_another(void **state)
{
	size_t captures[] = {0, 5, 0, 5};

	(void)state;
	loaded("out: $outer $inner\n"
	    "maps:\n"
	    "  outer: {source: $arg_x, values: {'~(.*)': $inner/$1}}\n"
	    "  inner: {source: $1, values: {route: right}, default: wrong}\n");
	t = arena_zalloc(arena, sizeof *t);
	t->arena = arena;
	t->req.target.query = STR("x=y");
	t->captured = STR("route");
	t->captures = captures;
	t->n_captures = 2;
	assert_true(str_eq(template_eval(root->out, t),
	    STR("right/y right")));
}

static void
circles_are_refused(void **state)
{
	(void)state;
	expect_message("out: $a\n"
	    "maps:\n"
	    "  a: {source: $b, values: {x: y}}\n"
	    "  b: {source: x, values: {x: $c}}\n"
	    "  c: {source: x, values: {x: y}, default: $a}\n",
	    "$c needs $a, which needs it");
	expect_message("out: $a\n"
	    "maps: {a: {split: $a, shares: {x: 1%}}}\n",
	    "$a needs $a, which needs it");
}

static void
a_chain_has_an_end(void **state)
{
	struct buf b = buf_in(arena);

	(void)state;
	buf_z(&b, "out: $m0\nmaps:\n");
	for (int i = 0; i < 40; i++)
		buf_printf(&b, "  m%d: {source: $m%d, values: {x: y}}\n", i,
		    i + 1);
	buf_z(&b, "  m40: {source: x, values: {x: y}}\n");
	buf_chr(&b, '\0');
	expect_message(b.p, "more than 32 in a row");
}

static void
mistakes_are_found_when_loaded(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{"out: $pol\nmaps: {pool: {source: x, values: {x: y}}}\n",
		 "did you mean $pool?"},
		{"out: $hots\nmaps: {pool: {source: x, values: {x: y}}}\n",
		 "did you mean $host?"},
		{"out: x\nmaps: {host: {source: x, values: {x: y}}}\n",
		 "there is a variable $host already"},
		{"out: x\nmaps: {arg_x: {source: x, values: {x: y}}}\n",
		 "there is a variable $arg_x already"},
		{"out: x\nmaps: {1x: {source: x, values: {x: y}}}\n",
		 "is not the name of a variable"},
		{"out: x\nmaps: {a-b: {source: x, values: {x: y}}}\n",
		 "is not the name of a variable"},
		{"out: x\nmaps: {m: {source: x, values: {x: y}}}\n",
		 "nothing asks for $m"},
		{"out: $m\nmaps: {m: {source: x}}\n", "has none of"},
		{"out: $m\nmaps: {m: {source: x, values: {x: y}, "
		 "ranges: {1: y}}}\n", "has several of"},
		{"out: $m\nmaps: {m: {values: {x: y}}}\n",
		 "lacks the key \"source\""},
		{"out: $m\nmaps: {m: {shares: {x: 1%}}}\n",
		 "lacks the key \"split\""},
		{"out: $m\nmaps: {m: {source: x, values: {'~(': y}}}\n",
		 "regular expression"},
		{"out: $m\nmaps: {m: {source: x, cidr: {10.0.0.1/8: y}}}\n",
		 "beyond its prefix length"},
		{"out: $m\nmaps: {m: {source: x, cidr: {10.0.0.1: y, "
		 "10.0.0.1/32: y}}}\n", "stands here already"},
		{"out: $m\nmaps: {m: {source: x, ranges: {5-1: y}}}\n",
		 "is no range"},
		{"out: $m\nmaps: {m: {source: x, ranges: {1-5: y, 5-: z}}}\n",
		 "the ranges 1-5 and 5- meet"},
		{"out: $m\nmaps: {m: {split: x, shares: {a: 60%, b: 41%}}}\n",
		 "more than 100%"},
		{"out: $m\nmaps: {m: {split: x, shares: {a: '*', b: '*'}}}\n",
		 "has the rest already"},
		{"out: $m\nmaps: {m: {split: x, shares: {a: 10}}}\n",
		 "a percentage such as"},
		{"out: $m\nmaps: {m: {source: x, values: {default: y}}}\n",
		 "stands beside \"values\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_message(rows[i].yaml, rows[i].part);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(values_are_found_as_they_stand_or_by_end_or_expression),
		TEST(networks_are_found_by_the_longest_prefix),
		TEST(numbers_are_found_in_ranges),
		TEST(shares_are_of_the_size_that_was_asked_for),
		TEST(a_key_is_in_the_same_place_for_ever),
		TEST(without_a_rest_the_default_has_it),
		TEST(maps_can_ask_for_each_other),
		TEST(a_map_is_evaluated_once),
		TEST(the_groups_of_one_map_are_not_seen_by_another),
		TEST(circles_are_refused),
		TEST(a_chain_has_an_end),
		TEST(mistakes_are_found_when_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
