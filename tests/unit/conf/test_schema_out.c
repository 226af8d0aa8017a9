/* What else comes from the rows: the manual and the JSON Schema. */
#include "expect.c"

static char *
out_of(struct arena *a, void (*print)(const struct conf_schema *,
    struct buf *))
{
	struct buf b = buf_in(a);

	print(&shop_schema, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static size_t
out_count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text += strlen(part))
		n++;
	return n;
}

static void
out_manual_has_one_section_per_block(void **state)
{
	struct arena *a = arena_new();
	const char *man = out_of(a, conf_print_man);

	(void)state;
	assert_int_equal(out_count(man, ".Ss \"The top level\"\n"), 1);
	assert_int_equal(out_count(man, ".Ss \"shelf\"\n"), 1);
	assert_int_equal(out_count(man, ".Bl "), out_count(man, ".El\n"));
	assert_int_equal(out_count(man, ".Bd "), out_count(man, ".Ed\n"));
	assert_non_null(strstr(man,
	    ".It Ic \"timeout\" : Ar \"duration\"\n"
	    "How long a customer may think.\n"
	    "Between 1s and 1h.\n"
	    "The default is\n.Cm \"30s\" .\n"));
	assert_non_null(strstr(man, "One of\n.Cm \"slow\" ,\n"));
	assert_non_null(strstr(man,
	    "Stands under: shelves of the top level, shelves of shelf.\n"));
	arena_end(a);
	arena_trim();
}

/* 301 and "301" are the same to the loader, so they are to the schema; so are
 * numbers in quotes. Backquotes of a sentence become real ones in the manual,
 * a long default may break. */
static void
out_knows_how_values_are_written(void **state)
{
	static const char *const codes[] = {"301", "gone", NULL};
	struct codes_conf { int code; int64_t n; char *list; };
	static const struct conf_field fields[] = {
		KEY_CHOICE(codes_conf, code, codes, .doc = "As in `code`."),
		KEY_INT(codes_conf, n, .min = "1", .max = "1", .doc = "N."),
		KEY_STR(codes_conf, list, .dflt = "a:b", .doc = "L."),
		KEY_END
	};
	const struct conf_schema schema = {.name = "codes",
	    .size = sizeof(struct codes_conf), .fields = fields, .doc = "C."};
	struct arena *a = arena_new();
	struct buf json = buf_in(a), man = buf_in(a);

	(void)state;
	conf_print_json_schema(&schema, &json);
	buf_chr(&json, '\0');
	assert_non_null(strstr(json.p, "\"enum\": [\"301\", 301, \"gone\"]"));
	assert_non_null(strstr(json.p, "\"type\": [\"integer\", \"string\"], "
	    "\"pattern\": \"^-?[0-9]+$\", \"minimum\": 1"));
	conf_print_man(&schema, &man);
	buf_chr(&man, '\0');
	assert_non_null(strstr(man.p, "As in \\(oqcode\\(cq.\n"));
	assert_non_null(strstr(man.p, "Must be 1.\n"));
	assert_non_null(strstr(man.p, ".Cm \"a:\\:b\" .\n"));
	arena_end(a);
	arena_trim();
}

static void
out_schema_refers_to_definitions(void **state)
{
	struct arena *a = arena_new();
	const char *json = out_of(a, conf_print_json_schema);

	(void)state;
	assert_non_null(strstr(json,
	    "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\""));
	assert_non_null(strstr(json, "\"$ref\": \"#/$defs/shop\",\n"));
	assert_int_equal(out_count(json, "\"shelf\": {"), 1);
	assert_non_null(strstr(json, "\"enum\": [\"slow\", \"fast\", "
	    "\"auto\"]"));
	assert_non_null(strstr(json, "\"default\": [\"mon\", \"fri\"]"));
	assert_non_null(strstr(json, "\"minimum\": 1, \"maximum\": 100"));
	assert_non_null(strstr(json, "\"required\": [\"address\"]"));
	/* A till may get its clerk from further out. */
	assert_null(strstr(json, "\"required\": [\"clerk\"]"));
	assert_int_equal(out_count(json, "{"), out_count(json, "}") +
	    out_count(json, "{(env"));
	arena_end(a);
	arena_trim();
}

/* An example in a schema is a configuration. */
static void
out_example_loads(void **state)
{
	(void)state;
	expect_messages(shop_schema.example, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_manual_has_one_section_per_block),
		cmocka_unit_test(out_knows_how_values_are_written),
		cmocka_unit_test(out_schema_refers_to_definitions),
		cmocka_unit_test(out_example_loads)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
