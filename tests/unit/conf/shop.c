/*
 * The made-up schema of the tests of the conf floor, and how to load a text
 * by it. Every test includes it through expect.c, the fuzz driver directly.
 */
#include "shop.h"

unsigned till_checks;

static bool
label_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct label *l = out;

	(void)a;
	if (text.n >= sizeof l->text)
		return err_set(e, "a label has at most 15 letters");
	memcpy(l->text, text.p, text.n);
	return true;
}

static const struct conf_type conf_type_label = {
	.name = "label", .expected = "a short label",
	.size = sizeof(struct label), .parse = label_parse,
	.json = "\"type\": \"string\""
};

static const struct conf_field till_fields[] = {
	KEY_STR(till_conf, clerk, .flags = CONF_REQUIRED,
	    .doc = "Who stands at the till."),
	KEY_PATH(till_conf, drawer, .doc = "Where the money lies."),
	KEY_DURATION(till_conf, timeout, .dflt = "30s", .min = "1s",
	    .max = "1h", .doc = "How long a customer may think."),
	KEY_INT(till_conf, slots, .dflt = "4", .flags = CONF_LOCAL,
	    .doc = "Slots of the drawer."),
	KEY_MAP(till_conf, coins, conf_type_str, .doc = "Coins by name."),
	KEY_LIST(till_conf, rules, conf_type_str, .flags = CONF_APPENDS,
	    .doc = "House rules."),
	KEY_END
};

static void
till_check(struct conf_load *load, void *block)
{
	struct till_conf *t = block;

	till_checks++;
	if (t->clerk != NULL && strcmp(t->clerk, "nobody") == 0)
		conf_error(load, conf_pos_of(t, &t->clerk), "bad-clerk",
		    "somebody must stand at the till");
}

const struct conf_schema till_schema = {
	.name = "till", .size = sizeof(struct till_conf),
	.fields = till_fields, .shorthand = "clerk", .check = till_check,
	.doc = "Where customers pay."
};

static const char *const colors[] = {"white", "yellow", "red", NULL};

static const struct conf_field lamp_fields[] = {
	KEY_CHOICE(lamp_conf, color, colors, .dflt = "white",
	    .doc = "Color of its light."),
	KEY_BOOL(lamp_conf, bright, .dflt = "off",
	    .doc = "Whether it dazzles."),
	KEY_END
};
const struct conf_schema lamp_schema = {
	.name = "lamp", .size = sizeof(struct lamp_conf),
	.fields = lamp_fields, .shorthand = "color", .doc = "A light."
};

const struct conf_field fitting_fields[] = {
	KEY_BLOCK(fittings, lamp, struct lamp_conf, lamp_schema,
	    .flags = CONF_CAN_BE_OFF, .doc = "Light for all that is below."),
	KEY_BLOCK(fittings, till, struct till_conf, till_schema,
	    .flags = CONF_CAN_BE_OFF, .doc = "The till."),
	KEY_STR(fittings, sign, .doc = "What stands above."),
	KEY_END
};

static const struct conf_field shelf_fields[] = {
	KEY_LIST(shelf_conf, goods, conf_type_str, .doc = "What lies there.",
	    .example = "[bread, \"no\"]"),
	KEY_OTHER(shelf_conf, label, struct label, conf_type_label,
	    .doc = "What is written on it."),
	KEY_LIST(shelf_conf, labels, conf_type_label, .doc = "More labels."),
	KEY_MAP(shelf_conf, tagged, conf_type_label, .doc = "Labels by goods."),
	KEY_BLOCKS(shelf_conf, shelves, shelf_schema,
	    .doc = "Shelves upon this one."),
	KEY_END
};
const struct conf_schema shelf_schema = {
	.name = "shelf", .size = sizeof(struct shelf_conf),
	.fields = shelf_fields, .extra = fitting_fields,
	.extra_offset = offsetof(struct shelf_conf, fittings),
	.shorthand = "goods", .doc = "A board with goods."
};

static const struct conf_field supplier_fields[] = {
	KEY_TEXT(supplier_conf, address, .flags = CONF_REQUIRED,
	    .doc = "Where the supplier lives."),
	KEY_INT(supplier_conf, weight, .dflt = "1", .min = "1", .max = "100",
	    .doc = "How often the supplier is asked."),
	KEY_STR(supplier_conf, password, .flags = CONF_SECRET,
	    .doc = "What the supplier wants to hear."),
	KEY_END
};
const struct conf_schema supplier_schema = {
	.name = "supplier", .size = sizeof(struct supplier_conf),
	.fields = supplier_fields, .shorthand = "address",
	.doc = "Where goods come from."
};

static const char *const modes[] = {"slow", "fast", "auto", NULL};

static const struct conf_field shop_fields[] = {
	KEY_INT(shop_conf, version, .doc = "Version of the language."),
	KEY_BOOL(shop_conf, open, .dflt = "on",
	    .doc = "Whether one may enter."),
	KEY_SIZE(shop_conf, capacity, .dflt = "8k", .max = "1m",
	    .doc = "How much fits in."),
	KEY_DURATION(shop_conf, pause, .dflt = "0s", .doc = "At noon."),
	KEY_STR(shop_conf, name, .doc = "Its name."),
	KEY_PATH(shop_conf, log, .doc = "Where sales are written."),
	KEY_CHOICE(shop_conf, mode, modes, .dflt = "auto", .doc = "Its pace."),
	KEY_LIST(shop_conf, include, conf_type_path, .doc = "More files."),
	KEY_LIST(shop_conf, days, conf_type_str, .dflt = "[mon, fri]",
	    .doc = "When it is open."),
	KEY_LIST(shop_conf, counts, conf_type_int, .min = "0", .max = "9",
	    .doc = "Numbers."),
	KEY_MAP(shop_conf, words, conf_type_str, .doc = "A dictionary."),
	KEY_MAP(shop_conf, groups, conf_type_str, .flags = CONF_OF_LISTS,
	    .doc = "Lists by name."),
	KEY_BLOCK_MAP(shop_conf, suppliers, supplier_schema,
	    .doc = "Suppliers by name."),
	KEY_BLOCK(shop_conf, door, struct lamp_conf, lamp_schema,
	    .flags = CONF_ALWAYS, .doc = "The lamp at the door."),
	KEY_BLOCKS(shop_conf, shelves, shelf_schema, .doc = "Its shelves."),
	KEY_END
};
const struct conf_schema shop_schema = {
	.name = "shop", .size = sizeof(struct shop_conf),
	.fields = shop_fields, .extra = fitting_fields,
	.extra_offset = offsetof(struct shop_conf, fittings),
	.doc = "A shop.", .example = "name: corner\nshelves: [bread]\n"
};

/* ---- helpers ----------------------------------------------------------- */

static const char *
run_env(struct conf_source *s, const char *name)
{
	(void)s;
	if (strcmp(name, "NAME") == 0)
		return "corner";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	if (strcmp(name, "TRICKY") == 0)
		return "a: {b: [c]} # ${env:NAME} \"";
	if (strcmp(name, "BINARY") == 0)
		return "\xff\xfe";
	return NULL;
}

static struct run
run_new(const char *const *files, const char *const *overrides, size_t n)
{
	struct run r = {.a = arena_new()};
	struct conf_source *source = arena_alloc(r.a, sizeof *source);

	*source = conf_source_memory(r.a, files);
	source->env = run_env;
	r.load = conf_load_new(r.a, source);
	r.shop = conf_load_file(r.load, files[0], &shop_schema, overrides, n);
	return r;
}

struct run
run_files(const char *const *files)
{
	return run_new(files, NULL, 0);
}

struct run
run_text(const char *yaml)
{
	const char *files[] = {"shop.yaml", yaml, NULL};

	return run_files(files);
}

struct run
run_override(const char *yaml, const char *override)
{
	const char *files[] = {"shop.yaml", yaml, NULL};

	return run_new(files, &override, 1);
}

const char *
run_messages(struct run *r)
{
	struct buf b = buf_in(r->a);

	conf_print_diagnostics(r->load, &b);
	buf_chr(&b, '\0');
	return b.p;
}

const char *
run_dump(struct run *r)
{
	struct buf b = buf_in(r->a);

	conf_dump(r->load, &shop_schema, r->shop, &b);
	buf_chr(&b, '\0');
	return b.p;
}

void
run_end(struct run *r)
{
	arena_end(r->a);
	arena_trim();
}
