/* What -T prints: origins beside values, and the same again when loaded. */
#include "expect.c"

static void
dump_inherit(struct run *r)
{
	for (CONF_EACH(struct shelf_conf *, s, &r->shop->shelves))
		conf_inherit_fields(r->load, fitting_fields,
		    &r->shop->fittings, &(*s)->fittings);
}

static void
dump_shows_origins(void **state)
{
	struct run r = run_override("lamp: red\nshelves: [bread]\n",
	    "name: corner");

	(void)state;
	dump_inherit(&r);
	assert_string_equal(run_dump(&r),
	    "open: on                                    # default\n"
	    "capacity: 8k                                # default\n"
	    "pause: 0s                                   # default\n"
	    "name: corner                                # -g\n"
	    "mode: auto                                  # default\n"
	    "days: [mon, fri]                            # default\n"
	    "door:                                       # default\n"
	    "  color: white                              # default\n"
	    "  bright: off                               # default\n"
	    "shelves:                                    # shop.yaml:2\n"
	    "  - goods: [bread]                          # shop.yaml:2\n"
	    "    lamp:                                   "
	    "# inherited, shop.yaml:1\n"
	    "      color: red                            "
	    "# inherited, shop.yaml:1\n"
	    "      bright: off                           "
	    "# inherited, default\n"
	    "lamp:                                       # shop.yaml:1\n"
	    "  color: red                                # shop.yaml:1\n"
	    "  bright: off                               # default\n");
	run_end(&r);
}

/* Text without the comments behind the values. */
static char *
dump_values(struct arena *a, const char *dump)
{
	struct str rest = str_from(dump), line;
	struct buf b = buf_in(a);

	while (str_split(&rest, '\n', &line)) {
		char *copy = arena_memdup(a, line.p, line.n);
		char *mark = strstr(copy, " # ");

		if (mark != NULL)
			*mark = '\0';
		buf_z(&b, copy);
		while (b.n > 0 && b.p[b.n - 1] == ' ')
			b.n--;
		buf_chr(&b, '\n');
	}
	buf_chr(&b, '\0');
	return b.p;
}

static void
expect_same_again(const char *yaml)
{
	struct run r = run_text(yaml), again;
	const char *first;

	assert_string_equal(run_messages(&r), "");
	dump_inherit(&r);
	first = run_dump(&r);
	again = run_text(first);
	assert_string_equal(run_messages(&again), "");
	dump_inherit(&again);
	assert_string_equal(dump_values(r.a, first),
	    dump_values(r.a, run_dump(&again)));
	run_end(&r);
	run_end(&again);
}

static void
dump_loads_again(void **state)
{
	(void)state;
	expect_same_again("");
	expect_same_again("name: \"\"\ndays: []\nwords: {}\ncounts: []\n");
	expect_same_again("words: {\"\": x, a: \"b: c\", \"d e\": '#', "
	    "q: \"it's \\\"\\\\\", n: \"1\\n2\\t\\x01\\x85\\u2028\\uFEFF\", "
	    "y: '@x', z: '{a}', '- a': '- b', 'a:': \"a:\"}\n");
	expect_same_again("groups: {a: [b, '[c]'], d: []}\n"
	    "days: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, ',']\n");
	expect_same_again("suppliers: {a: b, c: {address: d, weight: 3}}\n");
	expect_same_again("shelves: [{}, [a], {label: x y, labels: [p, q], "
	    "tagged: {g: 'a b'}, shelves: [{}, {shelves: [a]}]}]\n");
	expect_same_again("till: {clerk: a, coins: {x: y}, rules: [r, s]}\n"
	    "lamp: off\nsign: $$ ${host}\nshelves: [{}, {lamp: red}, "
	    "{till: off}, {till: {rules: [t], coins: {p: q}}}, "
	    "{till: {rules: []}}]\n");
}

static void
dump_hides_secrets(void **state)
{
	struct run r = run_text(
	    "suppliers: {a: {address: b, password: hush}}\n");

	(void)state;
	assert_null(strstr(run_dump(&r), "hush"));
	assert_non_null(strstr(run_dump(&r), "password: (secret)"));
	run_end(&r);
}

static void
dump_writes_includes_out(void **state)
{
	const char *files[] = {
		"shop.yaml", "include: more.yaml\n",
		"more.yaml", "shelves: [bread]\n", NULL
	};
	struct run r = run_files(files), again;

	(void)state;
	assert_non_null(strstr(run_dump(&r), "goods: [bread]"));
	again = run_text(run_dump(&r));
	assert_string_equal(run_messages(&again), "");
	assert_int_equal(again.shop->shelves.n, 1);
	run_end(&r);
	run_end(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_shows_origins),
		cmocka_unit_test(dump_loads_again),
		cmocka_unit_test(dump_hides_secrets),
		cmocka_unit_test(dump_writes_includes_out)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
