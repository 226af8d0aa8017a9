/* Inheritance: scalars and lists replace, maps merge, off cuts. */
#include "expect.c"

static void
run_inherit(struct conf_load *load, struct fittings *outer,
    struct conf_list *shelves)
{
	for (CONF_EACH(struct shelf_conf *, s, shelves)) {
		conf_inherit_fields(load, fitting_fields, outer,
		    &(*s)->fittings);
		run_inherit(load, &(*s)->fittings, &(*s)->shelves);
	}
}

static struct run
run_inherited(const char *yaml)
{
	struct run r = run_text(yaml);

	assert_string_equal(run_messages(&r), "");
	run_inherit(r.load, &r.shop->fittings, &r.shop->shelves);
	return r;
}

static struct shelf_conf *
shelf_at(const struct run *r, size_t i)
{
	return CONF_ITEM(&r->shop->shelves, struct shelf_conf *, i);
}

static void
inherit_shares_what_is_absent(void **state)
{
	struct run r = run_inherited("lamp: red\nsign: hey\n"
	    "shelves: [{shelves: [{}]}]\n");
	struct shelf_conf *s = shelf_at(&r, 0);
	struct shelf_conf *inner = CONF_ITEM(&s->shelves, struct shelf_conf *,
	    0);

	(void)state;
	assert_ptr_equal(s->fittings.lamp, r.shop->fittings.lamp);
	assert_ptr_equal(inner->fittings.lamp, r.shop->fittings.lamp);
	assert_string_equal(inner->fittings.sign, "hey");
	assert_false(conf_is_set(inner, &inner->fittings.sign));
	assert_int_equal(conf_pos_of(inner, &inner->fittings.sign).line, 2);
	run_end(&r);
}

static void
inherit_completes_what_is_present(void **state)
{
	struct run r = run_inherited(
	    "till: {clerk: ann, timeout: 2s, slots: 9, drawer: /d}\n"
	    "shelves: [{till: {timeout: 3s}}, {till: bob}]\n");
	struct till_conf *a = shelf_at(&r, 0)->fittings.till;
	struct till_conf *b = shelf_at(&r, 1)->fittings.till;

	(void)state;
	assert_string_equal(a->clerk, "ann");
	assert_int_equal(a->timeout, 3000);
	assert_string_equal(a->drawer, "/d");
	assert_int_equal(a->slots, 4); /* stays where it was said */
	assert_string_equal(b->clerk, "bob");
	assert_int_equal(b->timeout, 2000);
	assert_true(conf_is_set(b, &b->clerk));
	assert_false(conf_is_set(b, &b->timeout));
	run_end(&r);
}

static void
inherit_merges_maps(void **state)
{
	struct run r = run_inherited(
	    "till: {clerk: a, coins: {one: x, two: y}}\n"
	    "shelves: [{till: {coins: {two: z, six: w}}}]\n");
	struct conf_map *coins = &shelf_at(&r, 0)->fittings.till->coins;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(coins->n, 3);
		assert_string_equal(coins->entries[0].key.p, "one");
		assert_string_equal(coins->entries[1].key.p, "two");
		assert_string_equal(*(char **)coins->entries[1].value, "z");
		assert_string_equal(coins->entries[2].key.p, "six");
		run_inherit(r.load, &r.shop->fittings, &r.shop->shelves);
	}
	assert_int_equal(r.shop->fittings.till->coins.n, 2);
	run_end(&r);
}

static void
inherit_appends_lists_that_say_so(void **state)
{
	struct run r = run_inherited("till: {clerk: a, rules: [x, y]}\n"
	    "shelves: [{till: {rules: [z]}}, {till: {slots: 2}}]\n");
	struct conf_list *first = &shelf_at(&r, 0)->fittings.till->rules;
	struct conf_list *second = &shelf_at(&r, 1)->fittings.till->rules;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(first->n, 3);
		assert_string_equal(CONF_ITEM(first, char *, 0), "x");
		assert_string_equal(CONF_ITEM(first, char *, 2), "z");
		assert_int_equal(first->pos[2].column, 27);
		assert_int_equal(second->n, 2);
		run_inherit(r.load, &r.shop->fittings, &r.shop->shelves);
	}
	run_end(&r);
}

static void
inherit_stops_at_off(void **state)
{
	struct run r = run_inherited("till: ann\nlamp: off\n"
	    "shelves: [{till: off, lamp: red, shelves: [{}]}, {}]\n");
	struct shelf_conf *s = shelf_at(&r, 0);
	struct shelf_conf *inner = CONF_ITEM(&s->shelves, struct shelf_conf *,
	    0);

	(void)state;
	assert_true(conf_is_off(s->fittings.till));
	assert_true(conf_is_off(inner->fittings.till));
	assert_false(conf_is_off(s->fittings.lamp));
	assert_int_equal(inner->fittings.lamp->color, 2);
	assert_true(conf_is_off(shelf_at(&r, 1)->fittings.lamp));
	run_end(&r);
}

static void
inherit_works_on_single_blocks(void **state)
{
	struct run r = run_text("lamp: {bright: on}\ndoor: yellow\n");
	struct lamp_conf *outer = r.shop->fittings.lamp;

	(void)state;
	assert_ptr_equal(conf_inherit(r.load, &lamp_schema, outer, NULL),
	    outer);
	assert_ptr_equal(conf_inherit(r.load, &lamp_schema, NULL,
	    r.shop->door), r.shop->door);
	conf_inherit(r.load, &lamp_schema, outer, r.shop->door);
	assert_int_equal(r.shop->door->color, 1);
	assert_true(r.shop->door->bright);
	assert_null(conf_inherit(r.load, &lamp_schema, NULL, NULL));
	run_end(&r);
}

/* ---- keys that are dropped --------------------------------------------- */

struct menu_conf {
	struct conf_map dishes; /* char * */
	struct conf_list sold_out; /* char * */
	struct menu_conf *evening;
};

static const struct conf_schema menu_schema;
static const struct conf_field menu_fields[] = {
	KEY_MAP(menu_conf, dishes, conf_type_str, .flags = CONF_CASELESS,
	    .doc = "Prices by dish."),
	KEY_LIST(menu_conf, sold_out, conf_type_str, .flags = CONF_DROPS,
	    .doc = "What there is no more."),
	KEY_BLOCK(menu_conf, evening, struct menu_conf, menu_schema,
	    .flags = CONF_LOCAL, .doc = "The menu of the evening."),
	KEY_END
};
static const struct conf_schema menu_schema = {
	.name = "menu", .size = sizeof(struct menu_conf),
	.fields = menu_fields, .doc = "A menu."
};

/* "dish=price;..." of the N-th menu inward, after inheriting twice. */
static const char *
dishes(struct arena *a, const char *yaml, int n)
{
	const char *files[] = {"menu.yaml", yaml, NULL};
	struct conf_source source = conf_source_memory(a, files);
	struct conf_load *load = conf_load_new(a, &source);
	struct menu_conf *top = conf_load_file(load, files[0], &menu_schema,
	    NULL, 0);
	struct buf b = buf_in(a);

	assert_int_equal(conf_errors(load), 0);
	for (int again = 0; again < 2; again++)
		for (struct menu_conf *m = top; m->evening != NULL;
		     m = m->evening)
			conf_inherit(load, &menu_schema, m, m->evening);
	while (n-- > 0)
		top = top->evening;
	for (size_t i = 0; i < top->dishes.n; i++)
		buf_printf(&b, "%.*s=%s;", STR_ARG(top->dishes.entries[i].key),
		    *(char **)top->dishes.entries[i].value);
	buf_chr(&b, '\0');
	return b.p;
}

static void
inherit_drops_keys_from_maps(void **state)
{
	static const char yaml[] =
	    "dishes: {Soup: 1, Fish: 2}\n"
	    "evening:\n"
	    "  sold_out: [soup]\n"
	    "  evening:\n"
	    "    dishes: {cake: 3}\n"
	    "    evening: {dishes: {soup: 4}, sold_out: [FISH]}\n";
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(dishes(a, yaml, 0), "Soup=1;Fish=2;");
	assert_string_equal(dishes(a, yaml, 1), "Fish=2;");
	assert_string_equal(dishes(a, yaml, 2), "Fish=2;cake=3;");
	assert_string_equal(dishes(a, yaml, 3), "cake=3;soup=4;");
	arena_end(a);
}

static void
inherit_replaces_keys_of_another_case(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(dishes(a, "dishes: {Soup: 1, Fish: 2}\n"
	    "evening: {dishes: {SOUP: 3}}\n", 1), "Fish=2;SOUP=3;");
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inherit_shares_what_is_absent),
		cmocka_unit_test(inherit_completes_what_is_present),
		cmocka_unit_test(inherit_merges_maps),
		cmocka_unit_test(inherit_appends_lists_that_say_so),
		cmocka_unit_test(inherit_stops_at_off),
		cmocka_unit_test(inherit_works_on_single_blocks),
		cmocka_unit_test(inherit_drops_keys_from_maps),
		cmocka_unit_test(inherit_replaces_keys_of_another_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
