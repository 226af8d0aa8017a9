/*
 * The language as a JSON Schema, draft 2020-12, for editors. One definition
 * per kind of block, so that blocks which nest in themselves refer to
 * themselves.
 */
#include "conf/run.h"

struct json {
	struct arena *a;
	struct conf_load *load; /* reads the defaults, which are YAML */
	struct buf *out;
	unsigned indent;
	const struct conf_schema **schemas;
	const char **names; /* of the definitions */
	size_t n, cap;
};

static void json_row(struct json *j, const struct conf_field *row);

/* ---- writing ----------------------------------------------------------- */

static void
json_newline(struct json *j)
{
	buf_chr(j->out, '\n');
	for (unsigned i = 0; i < j->indent; i++)
		buf_z(j->out, "  ");
}

static void
json_open(struct json *j, char c)
{
	buf_chr(j->out, c);
	j->indent++;
	json_newline(j);
}

static void
json_close(struct json *j, char c)
{
	j->indent--;
	json_newline(j);
	buf_chr(j->out, c);
}

static void
json_next(struct json *j)
{
	buf_chr(j->out, ',');
	json_newline(j);
}

static void
json_string(struct json *j, struct str s)
{
	buf_chr(j->out, '"');
	buf_json(j->out, s);
	buf_chr(j->out, '"');
}

static void
json_name(struct json *j, const char *name)
{
	json_string(j, str_from(name));
	buf_z(j->out, ": ");
}

/* ---- definitions ------------------------------------------------------- */

static size_t
json_definition(struct json *j, const struct conf_schema *schema)
{
	const char *name = schema->name;

	for (size_t i = 0; i < j->n; i++)
		if (j->schemas[i] == schema)
			return i;
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->schemas[i]->name, name) == 0)
			name = arena_printf(j->a, "%s_%zu", schema->name,
			    j->n + 1);
	if (j->n == j->cap) {
		size_t cap = j->cap == 0 ? 16 : j->cap * 2;
		const struct conf_schema **schemas = arena_alloc(j->a,
		    cap * sizeof *schemas);
		const char **names = arena_alloc(j->a, cap * sizeof *names);

		if (j->n > 0) {
			memcpy(schemas, j->schemas, j->n * sizeof *schemas);
			memcpy(names, j->names, j->n * sizeof *names);
		}
		j->schemas = schemas;
		j->names = names;
		j->cap = cap;
	}
	j->schemas[j->n] = schema;
	j->names[j->n] = name;
	return j->n++;
}

static void
json_ref(struct json *j, const struct conf_schema *schema)
{
	buf_z(j->out, "\"$ref\": \"#/$defs/");
	buf_json(j->out, str_from(j->names[json_definition(j, schema)]));
	buf_chr(j->out, '"');
}

/* ---- values ------------------------------------------------------------ */

static void
json_choices(struct json *j, const struct conf_field *row)
{
	uint64_t number;

	buf_z(j->out, "\"enum\": [");
	for (size_t i = 0; row->choices[i] != NULL; i++) {
		if (i > 0)
			buf_z(j->out, ", ");
		json_string(j, str_from(row->choices[i]));
		/* 301 without quotes is a number to who reads YAML. */
		if (str_to_u64(str_from(row->choices[i]), &number))
			buf_printf(j->out, ", %s", row->choices[i]);
	}
	buf_chr(j->out, ']');
}

/* Numbers say their bounds; of sizes and durations JSON Schema cannot speak. */
static void
json_bounds(struct json *j, const struct conf_field *row)
{
	if (row->type != &conf_type_int)
		return;
	if (row->min != NULL)
		buf_printf(j->out, ", \"minimum\": %s", row->min);
	if (row->max != NULL)
		buf_printf(j->out, ", \"maximum\": %s", row->max);
}

/*
 * One item: a scalar, a choice or a block. Any scalar may also be put in from
 * outside, and an editor cannot know as what.
 */
static void
json_item(struct json *j, const struct conf_field *row)
{
	static const char any[] =
	    "\"type\": [\"string\", \"number\", \"boolean\"]";
	bool can_be_off = (row->flags & CONF_CAN_BE_OFF) != 0;
	const char *type = any;

	if (row->type != NULL && row->type->json != NULL)
		type = row->type->json;
	if (row->schema == NULL && row->choices == NULL &&
	    strstr(type, "\"string\"") != NULL &&
	    strstr(type, "pattern") == NULL) {
		buf_z(j->out, type);
		return;
	}
	if (row->schema != NULL && !can_be_off) {
		json_ref(j, row->schema);
		return;
	}
	buf_z(j->out, "\"anyOf\": [");
	if (row->schema != NULL) {
		buf_chr(j->out, '{');
		json_ref(j, row->schema);
		buf_printf(j->out, "}, {\"enum\": [%s\"off\", false]}]",
		    (row->flags & CONF_CAN_BE_ON) != 0 ? "\"on\", true, " :
		    "");
		return;
	}
	buf_chr(j->out, '{');
	if (row->choices != NULL) {
		json_choices(j, row);
	} else {
		buf_z(j->out, type);
		json_bounds(j, row);
	}
	buf_z(j->out, "}, {\"type\": \"string\", "
	    "\"pattern\": \"\\\\$\\\\{(env|file):\"}]");
}

/* A list, or one item in its place. */
static void
json_list(struct json *j, const struct conf_field *row)
{
	buf_z(j->out, "\"anyOf\": [");
	buf_z(j->out, "{\"type\": \"array\", \"items\": {");
	json_item(j, row);
	buf_z(j->out, "}}, {");
	json_item(j, row);
	buf_z(j->out, "}]");
}

static void
json_value(struct json *j, const struct conf_field *row)
{
	switch (row->shape) {
	case CONF_SCALAR:
	case CONF_CHOICE:
	case CONF_BLOCK:
		json_item(j, row);
		break;
	case CONF_LIST:
		json_list(j, row);
		break;
	case CONF_MAP:
		buf_z(j->out,
		    "\"type\": \"object\", \"additionalProperties\": {");
		if ((row->flags & CONF_OF_LISTS) != 0)
			json_list(j, row);
		else
			json_item(j, row);
		buf_chr(j->out, '}');
		break;
	}
}

/* ---- defaults ---------------------------------------------------------- */

static void
json_default_scalar(struct json *j, const struct conf_field *row,
    struct str text)
{
	bool on;
	int64_t n;

	if (row->type == &conf_type_bool &&
	    row->type->parse(j->a, text, &on, NULL))
		buf_z(j->out, on ? "true" : "false");
	else if (row->type == &conf_type_int &&
	    row->type->parse(j->a, text, &n, NULL))
		buf_printf(j->out, "%lld", (long long)n);
	else
		json_string(j, text);
}

static void
json_default_node(struct json *j, const struct conf_field *row,
    const struct node *node)
{
	switch (node->kind) {
	case NODE_SCALAR:
		json_default_scalar(j, row, node->text);
		break;
	case NODE_LIST:
		buf_chr(j->out, '[');
		for (size_t i = 0; i < node->list.n; i++) {
			if (i > 0)
				buf_z(j->out, ", ");
			json_default_node(j, row, node->list.items[i]);
		}
		buf_chr(j->out, ']');
		break;
	case NODE_MAP:
		buf_chr(j->out, '{');
		for (size_t i = 0; i < node->map.n; i++) {
			if (i > 0)
				buf_z(j->out, ", ");
			json_string(j, node->map.pairs[i].key);
			buf_z(j->out, ": ");
			json_default_node(j, row, node->map.pairs[i].value);
		}
		buf_chr(j->out, '}');
		break;
	}
}

static void
json_default(struct json *j, const struct conf_field *row)
{
	struct str text = str_from(row->dflt);
	struct node *node;
	uint32_t file;

	json_next(j);
	json_name(j, "default");
	if (row->shape == CONF_SCALAR || row->shape == CONF_CHOICE) {
		json_default_scalar(j, row, text);
		return;
	}
	file = file_add(j->load, (struct conf_file){
		.path = "default", .text = text, .is_default = true
	});
	node = yaml_read(j->load, j->a, file, text);
	if (node != NULL)
		json_default_node(j, row, node);
	else
		json_string(j, text);
}

/* ---- rows and blocks --------------------------------------------------- */

static void
json_row(struct json *j, const struct conf_field *row)
{
	json_name(j, row->name);
	json_open(j, '{');
	if (row->doc != NULL) {
		json_name(j, "description");
		json_string(j, str_from(row->doc));
		json_next(j);
	}
	json_value(j, row);
	if (row->dflt != NULL)
		json_default(j, row);
	json_close(j, '}');
}

/* Required keys that no outer level can give: those of blocks which are not
 * inherited, in lists and maps, are all that an editor can be sure of; the
 * loader itself knows the rest. */
static void
json_required(struct json *j, const struct conf_schema *schema)
{
	struct row_walk w = {.schema = schema};
	const char *comma = "\"required\": [";
	bool has_any = false;

	while (row_next(&w)) {
		if ((w.row->flags & CONF_REQUIRED) == 0 ||
		    w.row->dflt != NULL)
			continue;
		if (!has_any)
			json_next(j);
		buf_z(j->out, comma);
		json_string(j, str_from(w.row->name));
		comma = ", ";
		has_any = true;
	}
	if (has_any)
		buf_chr(j->out, ']');
}

static void
json_numbered(struct json *j, const struct conf_field *row)
{
	json_next(j);
	buf_z(j->out, "\"patternProperties\": {\"^[0-9]\": {");
	json_item(j, row);
	buf_z(j->out, "}}");
}

static void
json_object(struct json *j, const struct conf_schema *schema,
    bool is_inherited)
{
	struct row_walk w = {.schema = schema};
	bool has_any = false;

	buf_z(j->out, "\"type\": \"object\"");
	json_next(j);
	buf_z(j->out, "\"additionalProperties\": false");
	while (row_next(&w))
		if (row_is_numbered(w.row))
			json_numbered(j, w.row);
	if (!is_inherited)
		json_required(j, schema);
	json_next(j);
	json_name(j, "properties");
	buf_chr(j->out, '{');
	j->indent++;
	w = (struct row_walk){.schema = schema};
	while (row_next(&w)) {
		if (row_is_numbered(w.row))
			continue;
		if (has_any)
			buf_chr(j->out, ',');
		json_newline(j);
		json_row(j, w.row);
		has_any = true;
	}
	j->indent--;
	if (has_any)
		json_newline(j);
	buf_chr(j->out, '}');
}

/* Whether blocks of SCHEMA stand under a key of their own in more than one
 * place: then an outer one may give what an inner one lacks. */
static bool
json_is_inherited(const struct json *j, const struct conf_schema *schema)
{
	unsigned places = 0;

	for (size_t i = 0; i < j->n; i++) {
		struct row_walk w = {.schema = j->schemas[i]};

		while (row_next(&w))
			places += w.row->schema == schema &&
			    w.row->shape == CONF_BLOCK;
	}
	return places > 1;
}

static void
json_block(struct json *j, const struct conf_schema *schema)
{
	bool is_inherited = json_is_inherited(j, schema);
	struct row_walk w;

	json_open(j, '{');
	if (schema->doc != NULL) {
		json_name(j, "description");
		json_string(j, str_from(schema->doc));
		json_next(j);
	}
	if (schema->shorthand == NULL || !row_find(schema,
	    str_from(schema->shorthand), &w)) {
		json_object(j, schema, is_inherited);
		json_close(j, '}');
		return;
	}
	/* A short form that is a map itself cannot be told from the long one
	 * by its shape. */
	json_name(j, w.row->shape == CONF_BLOCK || row_has_many_blocks(w.row) ?
	    "anyOf" : "oneOf");
	json_open(j, '[');
	json_open(j, '{');
	json_object(j, schema, is_inherited);
	json_close(j, '}');
	json_next(j);
	buf_chr(j->out, '{');
	json_value(j, w.row);
	buf_chr(j->out, '}');
	json_close(j, ']');
	json_close(j, '}');
}

/* All that can be reached; the array grows while it is walked. */
static void
json_collect(struct json *j, const struct conf_schema *root)
{
	json_definition(j, root);
	for (size_t i = 0; i < j->n; i++) {
		struct row_walk w = {.schema = j->schemas[i]};

		while (row_next(&w))
			if (w.row->schema != NULL)
				json_definition(j, w.row->schema);
	}
}

void
conf_print_json_schema(const struct conf_schema *schema, struct buf *b)
{
	struct json j = {.a = arena_new(), .out = b};

	j.load = conf_load_new(j.a, NULL);
	json_collect(&j, schema);
	json_open(&j, '{');
	buf_z(b, "\"$schema\": \"https://json-schema.org/draft/2020-12/"
	    "schema\"");
	json_next(&j);
	json_name(&j, "title");
	json_string(&j, str_from(schema->name));
	json_next(&j);
	json_ref(&j, schema);
	json_next(&j);
	json_name(&j, "$defs");
	buf_chr(b, '{');
	j.indent++;
	for (size_t i = 0; i < j.n; i++) {
		if (i > 0)
			buf_chr(b, ',');
		json_newline(&j);
		json_name(&j, j.names[i]);
		json_block(&j, j.schemas[i]);
	}
	json_close(&j, '}');
	json_close(&j, '}');
	buf_chr(b, '\n');
	arena_end(j.a);
}
