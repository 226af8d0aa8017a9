/* Loading: shapes, types, bounds, required keys, includes, overrides. */
#include "expect.c"

static void
load_fills_defaults(void **state)
{
	struct run r = run_text("");

	(void)state;
	assert_true(r.shop->open);
	assert_int_equal(r.shop->capacity, 8192);
	assert_int_equal(r.shop->mode, 2);
	assert_int_equal(r.shop->days.n, 2);
	assert_string_equal(CONF_ITEM(&r.shop->days, char *, 1), "fri");
	assert_non_null(r.shop->door);
	assert_null(r.shop->fittings.lamp);
	assert_null(r.shop->name);
	assert_false(conf_is_set(r.shop, &r.shop->capacity));
	assert_false(conf_is_off(r.shop->door));
	assert_false(conf_is_off(NULL));
	run_end(&r);
}

static void
load_reads_every_shape(void **state)
{
	struct run r = run_text(
	    "version: 3\nopen: no\ncapacity: 64K\npause: 5m\nname: \"80\"\n"
	    "mode: fast\ncounts: 7\nwords: {b: x, a: y}\n"
	    "groups: {g: [p, q], h: r}\nlamp: red\n"
	    "suppliers: {s: host:80, t: {address: u, weight: 9}}\n"
	    "shelves:\n  - [x, y]\n  - goods: z\n    sign: hey\n"
	    "    till: off\n");
	struct shop_conf *s = r.shop;
	struct supplier_conf *host;
	struct shelf_conf **shelf;
	struct conf_list *g;

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_int_equal(s->version, 3);
	assert_false(s->open);
	assert_int_equal(s->capacity, 65536);
	assert_int_equal(s->pause, 300000);
	assert_string_equal(s->name, "80");
	assert_int_equal(s->mode, 1);
	assert_int_equal(CONF_ITEM(&s->counts, int64_t, 0), 7);
	assert_memory_equal(s->words.entries[0].key.p, "b", 2);
	assert_string_equal(*(char **)s->words.entries[1].value, "y");
	g = s->groups.entries[0].value;
	assert_int_equal(g->n, 2);
	assert_string_equal(CONF_ITEM(g, char *, 1), "q");
	g = s->groups.entries[1].value;
	assert_int_equal(g->n, 1);
	assert_int_equal(s->fittings.lamp->color, 2);
	host = s->suppliers.entries[0].value;
	assert_memory_equal(host->address.s.p, "host:80", 7);
	assert_int_equal(host->address.pos.line, 11);
	assert_int_equal(host->address.pos.column, 16);
	assert_int_equal(host->weight, 1);
	assert_int_equal(s->shelves.n, 2);
	shelf = s->shelves.items;
	assert_int_equal(shelf[0]->goods.n, 2);
	assert_string_equal(shelf[1]->fittings.sign, "hey");
	assert_true(conf_is_off(shelf[1]->fittings.till));
	assert_true(conf_is_set(s, &s->capacity));
	assert_int_equal(conf_pos_of(s, &s->capacity).line, 3);
	assert_int_equal(conf_pos_of(shelf[1], &shelf[1]->label).line, 14);
	assert_int_equal(conf_block_pos(shelf[1]).column, 5);
	run_end(&r);
}

static void
load_says_what_is_wrong(void **state)
{
	static const struct {
		const char *yaml, *words;
	} cases[] = {
		{"nmae: a\n", "unknown key \"nmae\"; did you mean \"name\"?"},
		{"Capacity: 1k\n", "did you mean \"capacity\"?"},
		{"clerk: a\n", "unknown key \"clerk\" in this shop; \"clerk\" "
		 "belongs in till"},
		{"shelves: [{capacity: 1k}]\n", "\"capacity\" belongs at the "
		 "top of the file"},
		{"shelves: [{zebra: 1k}]\n",
		 "unknown key \"zebra\" in this shelf, which may have goods, "
		 "label,"},
		{"version: x\n", "expected a whole number, found \"x\""},
		{"version: 99999999999999999999\n", "expected a whole number"},
		{"open: maybe\n", "expected on or off, found \"maybe\""},
		{"capacity: 10mb\n", "expected a size such as 512, 8k or 1m, "
		 "found \"10mb\""},
		{"pause: 5\n", "a duration needs a unit: 5s or 5ms?"},
		{"pause: soon\n", "expected a duration with its unit"},
		{"capacity: 2m\n", "\"capacity\" must be at most 1m, not 2m"},
		{"counts: [1, -1]\n", "must be between 0 and 9, not -1"},
		{"mode: fsat\n", "expected slow, fast or auto, found \"fsat\"; "
		 "did you mean \"fast\"?"},
		{"name:\n", "shop.yaml:1:1: \"name\": expected a string, found "
		 "nothing"},
		{"name: [a]\n", "\"name\": expected a string, found a list"},
		{"name: {a: b}\n", "\"name\": expected a string, found a map"},
		{"log: \"\"\n", "\"log\": expected a path, found \"\""},
		{"name: \"a\\0b\"\n", "a NUL cannot stand in a value"},
		{"door: [a]\n", "\"door\": expected white, yellow or red, or "
		 "a map with color, bright, found a list"},
		{"words: [a]\n", "expected a map from names to values; each "
		 "value a string, found a list"},
		{"words: {a: [b]}\n", "expected a string, found a list"},
		{"days: {a: b}\n", "expected a list; each item a string, found "
		 "a map"},
		{"days: [a, ]\nshelves:\n  -\n", "\"shelves\": expected a "
		 "string, or a map with goods"},
		{"till: {}\n", "shop.yaml:1:1: \"till\" lacks the key "
		 "\"clerk\": a string"},
		{"shelves: [{tills: 1}]\n", "unknown key \"tills\"; did you"},
		{"door: pink\n", "\"door\": expected white, yellow or red, "
		 "or a map with color, bright, found \"pink\""},
		{"-name: a\n", "a blank is missing after the \"-\""},
		{"pause: 5s;\n", "found \"5s;\" (no \";\" ends a value in "
		 "YAML)"},
		{"till: {clerk: nobody}\n", "1:15: somebody must stand"},
		{"suppliers: {a: }\n", "expected a string, or a map with "
		 "address, weight, password, found nothing"},
		{"shelves: [{label: aaaaaaaaaaaaaaaa}]\n",
		 "a label has at most 15 letters; expected a short label"},
		{"words: {\"${env:NAME}\": a}\n", "not in keys"}
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect_message_has(cases[i].yaml, cases[i].words);
}

/* One mistake is one message: nothing follows from it. */
static void
load_reports_each_mistake_once(void **state)
{
	struct run r = run_text(
	    "suppliers:\n  a: {address: [], weight: x}\n  b: 7\n"
	    "till: {clerk: {}}\nshelves: [{goods: {}}, {shelves: 3}]\n");

	(void)state;
	assert_int_equal(conf_errors(r.load), 4);
	run_end(&r);
	/* What is misspelt is not missing as well. */
	r = run_text("till: {clrk: ann}\n");
	assert_int_equal(conf_errors(r.load), 1);
	run_end(&r);
	/* Nor is what an alias should have been. */
	r = run_text("till: {clerk: *ann}\n");
	assert_int_equal(conf_errors(r.load), 1);
	run_end(&r);
	/* An alias brings a mistake to two places. */
	r = run_text("suppliers:\n  a: &a {address: b, weight: x}\n  c: *a\n");
	assert_int_equal(conf_errors(r.load), 1);
	run_end(&r);
}

static void
load_checks_blocks_that_are_sound(void **state)
{
	struct run r;

	(void)state;
	till_checks = 0;
	r = run_text("till: {clerk: ann, timeout: 1}\n");
	run_end(&r);
	assert_int_equal(till_checks, 0);
	r = run_text("till: ann\nshelves: [{till: off}, {till: bob}]\n");
	run_end(&r);
	assert_int_equal(till_checks, 2);
}

/* A required key may come from the block that this one will inherit from,
 * wherever in the file that stands. */
static void
load_knows_what_will_be_inherited(void **state)
{
	(void)state;
	expect_messages("shelves: [{till: {timeout: 2s}}]\n"
	    "till: {clerk: ann}\n", "");
	expect_messages("till: {clerk: ann}\n"
	    "shelves: [{lamp: red, shelves: [{till: {timeout: 2s}}]}]\n", "");
	expect_message_has("till: {clerk: ann}\n"
	    "shelves: [{till: off, shelves: [{till: {timeout: 2s}}]}]\n",
	    "2:34: \"till\" lacks the key \"clerk\"");
}

static void
load_makes_paths_absolute(void **state)
{
	const char *files[] = {"/etc/shop/shop.yaml",
	    "log: logs/a\ntill: {clerk: a, drawer: /d}\n", NULL};
	struct run r = run_files(files);

	(void)state;
	assert_string_equal(r.shop->log, "/etc/shop/logs/a");
	assert_string_equal(r.shop->fittings.till->drawer, "/d");
	run_end(&r);
}

/* ---- include ----------------------------------------------------------- */

static void
load_includes_files(void **state)
{
	const char *files[] = {
		"/c/shop.yaml", "include: [d/*.yaml, e.yaml]\n"
		    "suppliers: {m: main}\nshelves: [first]\n",
		"/c/d/b.yaml", "shelves: [third]\nsuppliers: {b: host}\n",
		"/c/d/a.yaml", "shelves: second\n",
		"/c/d/not.txt", "bad: [",
		"/c/e.yaml", "include: f/g.yaml\n",
		"/c/f/g.yaml", "words: {w: x}\n"
		    "shelves: [{goods: last, till: {clerk: a, drawer: x}}]\n",
		NULL
	};
	struct run r = run_files(files);
	struct shelf_conf **shelf = r.shop->shelves.items;

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_int_equal(r.shop->shelves.n, 4);
	assert_string_equal(CONF_ITEM(&shelf[1]->goods, char *, 0), "second");
	assert_string_equal(CONF_ITEM(&shelf[2]->goods, char *, 0), "third");
	assert_string_equal(shelf[3]->fittings.till->drawer, "/c/f/x");
	assert_int_equal(r.shop->suppliers.n, 2);
	assert_int_equal(r.shop->words.n, 1);
	assert_string_equal(conf_pos_text(r.load, conf_block_pos(shelf[2])),
	    "/c/d/b.yaml:1");
	run_end(&r);
}

static void
expect_include(const char *main_text, const char *more, const char *part)
{
	const char *files[] = {
		"shop.yaml", main_text, "more.yaml", more,
		"x/one.yaml", "include: two.yaml\n",
		"x/two.yaml", "include: ../shop.yaml\n", NULL
	};
	struct run r = run_files(files);
	const char *all = run_messages(&r);

	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
	run_end(&r);
}

static void
load_refuses_bad_includes(void **state)
{
	static const char inc[] = "include: more.yaml\nsuppliers: {a: b}\n";

	(void)state;
	expect_include(inc, "suppliers: {a: c}\n", "more.yaml:1:13: \"a\" is "
	    "in suppliers already, at shop.yaml:2");
	expect_include(inc, "name: x\n", "more.yaml:1:1: \"name\" can only "
	    "stand in the main file; an included file may have words, groups, "
	    "suppliers, shelves");
	expect_include(inc, "shelfs: []\n", "did you mean \"shelves\"?");
	expect_include(inc, "[a]\n", "more.yaml:1:1: expected a map with");
	expect_include(inc, "include: shop.yaml\n",
	    "shop.yaml includes itself through more.yaml");
	expect_include(inc, "include: ./more.yaml\n", "includes itself");
	expect_include(inc, "include: [x]\nsuppliers: 3\n",
	    "more.yaml:1:11: cannot open x");
	expect_include("include: '*.yaml'\n", "", "shop.yaml includes itself");
	expect_include("include: gone.yaml\n", "", "shop.yaml:1:10: cannot");
	expect_include("include: gone/*.yaml\n", "", "");
	expect_include("include: [more.yaml, more.yaml]\n", "",
	    "more.yaml is included already");
	expect_include("include: {a: b}\n", "", "expected a path, found a map");
}

static void
load_needs_its_file(void **state)
{
	struct arena *a = arena_new();
	const char *files[] = {NULL};
	struct conf_source source = conf_source_memory(a, files);
	struct conf_load *load = conf_load_new(a, &source);
	struct buf b = buf_in(a);
	struct shop_conf *s = conf_load_file(load, "no.yaml", &shop_schema,
	    NULL, 0);

	(void)state;
	assert_non_null(s);
	conf_print_diagnostics(load, &b);
	buf_chr(&b, '\0');
	assert_string_equal(b.p,
	    "weir: cannot open no.yaml: no such file or directory\n");
	arena_end(a);
	arena_trim();
}

/* ---- -g ---------------------------------------------------------------- */

static void
load_overrides(void **state)
{
	struct run r = run_override("name: a\ntill: {clerk: ann, slots: 2}\n",
	    "{name: b, till: {clerk: bob}}");

	(void)state;
	assert_string_equal(run_messages(&r), "");
	assert_string_equal(r.shop->name, "b");
	assert_string_equal(r.shop->fittings.till->clerk, "bob");
	assert_int_equal(r.shop->fittings.till->slots, 2);
	assert_true(conf_is_set(r.shop, &r.shop->name));
	run_end(&r);

	r = run_override("", "name:b");
	assert_non_null(strstr(run_messages(&r), "-g:1:1: expected \"KEY: "
	    "VALUE\", found \"name:b\"; a space must follow the \":\""));
	run_end(&r);
	r = run_override("", "nmae: b");
	assert_non_null(strstr(run_messages(&r), "did you mean \"name\"?"));
	run_end(&r);
}

static void
load_makes_blocks_of_defaults(void **state)
{
	struct run r = run_text("");
	struct lamp_conf *lamp = conf_defaults(r.load, &lamp_schema);
	struct till_conf *till = conf_defaults(r.load, &till_schema);

	(void)state;
	assert_int_equal(lamp->color, 0);
	assert_int_equal(till->timeout, 30000);
	assert_int_equal(conf_block_pos(till).line, 0);
	assert_int_equal(conf_errors(r.load), 0);
	run_end(&r);
}

/* Ten thousand blocks in a block, and in one map. */
static void
load_is_not_quadratic(void **state)
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	struct run r;

	(void)state;
	buf_z(&b, "words:\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "  w%d: x\n", i);
	buf_z(&b, "shelves:\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "  - goods: g%d\n", i);
	buf_chr(&b, '\0');
	r = run_text(b.p);
	assert_int_equal(conf_errors(r.load), 0);
	assert_int_equal(r.shop->words.n, 10000);
	assert_int_equal(r.shop->shelves.n, 10000);
	run_end(&r);
	arena_end(a);
	arena_trim();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load_fills_defaults),
		cmocka_unit_test(load_reads_every_shape),
		cmocka_unit_test(load_says_what_is_wrong),
		cmocka_unit_test(load_reports_each_mistake_once),
		cmocka_unit_test(load_checks_blocks_that_are_sound),
		cmocka_unit_test(load_knows_what_will_be_inherited),
		cmocka_unit_test(load_makes_paths_absolute),
		cmocka_unit_test(load_includes_files),
		cmocka_unit_test(load_refuses_bad_includes),
		cmocka_unit_test(load_needs_its_file),
		cmocka_unit_test(load_overrides),
		cmocka_unit_test(load_makes_blocks_of_defaults),
		cmocka_unit_test(load_is_not_quadratic)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
