/*
 * Scalars: from a node's text to a C value, with ${env:} and ${file:} put in,
 * paths made absolute, and bounds checked.
 */
#include "base/panic.h"
#include "conf/run.h"

/* How a value compares with a bound of the same type. */
static int
scalar_compare(const struct conf_type *type, const void *a, const void *b)
{
	if (type == &conf_type_int) {
		int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

		return (x > y) - (x < y);
	}
	ASSERT(type == &conf_type_size || type == &conf_type_duration);
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
scalar_compare_bound(struct conf_load *load, const struct conf_type *type,
    const void *value, const char *bound)
{
	union {
		int64_t i;
		uint64_t u;
	} v = {0};

	ASSERT(type->parse(load->arena, str_from(bound), &v, NULL));
	return scalar_compare(type, value, &v);
}

static bool
scalar_check_bounds(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct str text, const void *value)
{
	bool is_low = row->min != NULL &&
	    scalar_compare_bound(load, row->type, value, row->min) < 0;
	bool is_high = row->max != NULL &&
	    scalar_compare_bound(load, row->type, value, row->max) > 0;

	if (!is_low && !is_high)
		return true;
	if (row->min != NULL && row->max != NULL &&
	    strcmp(row->min, row->max) == 0)
		conf_error(load, node->pos, "out-of-bounds",
		    "\"%s\" must be %s, not %.*s", expect_name(load, row),
		    row->min, STR_ARG(text));
	else if (row->min != NULL && row->max != NULL)
		conf_error(load, node->pos, "out-of-bounds",
		    "\"%s\" must be between %s and %s, not %.*s",
		    expect_name(load, row), row->min, row->max, STR_ARG(text));
	else
		conf_error(load, node->pos, "out-of-bounds",
		    "\"%s\" must be at %s %s, not %.*s", expect_name(load, row),
		    is_low ? "least" : "most", is_low ? row->min : row->max,
		    STR_ARG(text));
	return false;
}

static void
scalar_report(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct str text, const struct err *e)
{
	struct node shown = *node;
	const char *why = e->text, *name = expect_name(load, row);

	if (row->type == &conf_type_duration && why[0] != '\0') {
		conf_error(load, node->pos, "bad-value", "\"%s\": %s", name,
		    why);
		return;
	}
	shown.text = text;
	/* A habit of other languages; expect_found speaks of it. */
	if (str_has_suffix(text, STR(";")) && !node->is_quoted &&
	    row->type->expected != NULL)
		why = "";
	/* A type that explains itself need not be explained, unless it leaves
	 * open what would be right. */
	if (why[0] != '\0' && (row->type->expected == NULL ||
	    strstr(why, "expected") != NULL ||
	    strstr(why, "did you mean") != NULL))
		conf_error(load, node->pos, "bad-value", "\"%s\": %s", name,
		    why);
	else if (why[0] != '\0')
		conf_error(load, node->pos, "bad-value",
		    "\"%s\": %s; expected %s", name, why,
		    row->type->expected);
	else
		conf_error(load, node->pos, "bad-value",
		    "\"%s\": expected %s, found %s", name,
		    expect_value(load, row), expect_found(load, &shown));
}

/* The text of a scalar node as its type gets it. */
static bool
scalar_text(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct str *text)
{
	if (!interpolate(load, node, text))
		return false;
	if (memchr(text->p, '\0', text->n) != NULL) {
		conf_error(load, node->pos, "bad-value",
		    "\"%s\": a NUL cannot stand in a value",
		    expect_name(load, row));
		return false;
	}
	if (row_is_path(row) && text->n > 0)
		*text = str_from(conf_path(load, node->pos, *text));
	return true;
}

static bool
scalar_parse(struct conf_load *load, const struct conf_type *type,
    struct str text, void *out, struct err *e)
{
	return type->parse_in != NULL ? type->parse_in(load, text, out, e) :
	    type->parse(load->arena, text, out, e);
}

bool
scalar_load(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct conf_pos key_pos, void *out,
    const char **kept)
{
	struct str text;
	struct err e = {""};

	if (node->kind != NODE_SCALAR || node_is_empty(node)) {
		expect_report(load, row, expect_value(load, row), node,
		    key_pos);
		return false;
	}
	if (!scalar_text(load, row, node, &text))
		return false;
	if (!scalar_parse(load, row->type, text, out, &e)) {
		scalar_report(load, row, node, text, &e);
		return false;
	}
	if ((row->min != NULL || row->max != NULL) &&
	    !scalar_check_bounds(load, row, node, text, out))
		return false;
	if (row->type == &conf_type_text)
		((struct conf_text *)out)->pos = node->pos;
	if (row->type->format == NULL)
		*kept = text.p;
	return true;
}

bool
scalar_load_choice(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct conf_pos key_pos, int *out)
{
	struct str text;
	size_t n = 0;

	if (node->kind != NODE_SCALAR || node_is_empty(node)) {
		expect_report(load, row, expect_value(load, row), node,
		    key_pos);
		return false;
	}
	if (!scalar_text(load, row, node, &text))
		return false;
	for (n = 0; row->choices[n] != NULL; n++) {
		if (!str_eq(text, str_from(row->choices[n])))
			continue;
		*out = (int)n;
		return true;
	}
	conf_error(load, node->pos, "bad-choice",
	    "\"%s\": expected %s, found \"%.*s\"%s", expect_name(load, row),
	    expect_value(load, row), STR_ARG(text),
	    conf_suggest(load, text, row->choices, n));
	return false;
}
