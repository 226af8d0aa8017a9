/*
 * The keys chapter of weir.yaml(5) in mdoc: one section per kind of block,
 * from the rows. Sections come in the order in which one meets their keys;
 * each says where it may stand, so blocks that nest in themselves need only
 * one.
 */
#include "conf/run.h"

struct man_section {
	const struct conf_schema *schema;
	struct buf places; /* "`till` of shop, shelf" */
};

struct man {
	struct arena *a;
	struct buf *out;
	struct man_section *sections;
	size_t n, cap;
	bool at_line_start;
};

/* ---- text -------------------------------------------------------------- */

static void
man_char(struct man *m, char c)
{
	/* A dot or an apostrophe at the start of a line is a request. */
	if (m->at_line_start && (c == '.' || c == '\''))
		buf_z(m->out, "\\&");
	if (c == '\\')
		buf_z(m->out, "\\e");
	else
		buf_chr(m->out, c);
	m->at_line_start = c == '\n';
}

/* Plain sentences, each on a line of its own as man pages want it. */
static void
man_text(struct man *m, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	bool is_quoted = false;

	m->at_line_start = true;
	for (const char *p = text; *p != '\0'; p++) {
		bool is_end = (*p == '.' || *p == '?' || *p == '!') &&
		    p[1] == ' ';

		if (*p == '`') {
			buf_z(m->out, is_quoted ? "\\(cq" : "\\(oq");
			is_quoted = !is_quoted;
			m->at_line_start = false;
			continue;
		}
		man_char(m, *p);
		if (is_end && p[2] >= 'A' && p[2] <= 'Z' &&
		    p > text && p[-1] != '.') {
			man_char(m, '\n');
			p++;
		}
	}
	man_char(m, '\n');
}

/* An argument of a macro, in quotes so that no word of it is one itself. */
static void
man_argument(struct man *m, const char *text)
{
	m->at_line_start = false;
	buf_z(m->out, " \"");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"')
			buf_z(m->out, "\\(dq");
		else
			man_char(m, *p);
		/* A list of ciphers is wider than any page. */
		if (*p == ':' && p[1] != '\0')
			buf_z(m->out, "\\:");
	}
	buf_chr(m->out, '"');
}

/* TEXT as it is, set apart: an example. */
static void
man_display(struct man *m, const char *prefix, const char *text)
{
	buf_z(m->out, ".Bd -literal -offset indent\n");
	m->at_line_start = true;
	for (const char *p = prefix; *p != '\0'; p++)
		man_char(m, *p);
	for (const char *p = text; *p != '\0'; p++)
		man_char(m, *p);
	if (!m->at_line_start)
		man_char(m, '\n');
	buf_z(m->out, ".Ed\n");
}

/* ---- rows -------------------------------------------------------------- */

static const char *
man_item_type(const struct conf_field *row)
{
	if (row->shape == CONF_CHOICE)
		return "choice";
	return row->schema != NULL ? row->schema->name : row->type->name;
}

static const char *
man_type(struct man *m, const struct conf_field *row)
{
	const char *item = man_item_type(row);

	switch (row->shape) {
	case CONF_SCALAR:
	case CONF_CHOICE:
	case CONF_BLOCK:
		return item;
	case CONF_LIST:
		return arena_printf(m->a, "list of %s", item);
	case CONF_MAP:
		break;
	}
	return arena_printf(m->a, "map of %s%s",
	    row->flags & CONF_OF_LISTS ? "lists of " : "", item);
}

static void
man_choices(struct man *m, const struct conf_field *row)
{
	if (row->choices == NULL)
		return;
	buf_z(m->out, "One of\n");
	for (size_t i = 0; row->choices[i] != NULL; i++) {
		buf_z(m->out, ".Cm");
		man_argument(m, row->choices[i]);
		buf_z(m->out, row->choices[i + 1] == NULL ? " .\n" : " ,\n");
	}
}

static void
man_bounds(struct man *m, const struct conf_field *row)
{
	if (row->min != NULL && row->max != NULL &&
	    strcmp(row->min, row->max) == 0)
		buf_printf(m->out, "Must be %s.\n", row->min);
	else if (row->min != NULL && row->max != NULL)
		buf_printf(m->out, "Between %s and %s.\n", row->min, row->max);
	else if (row->min != NULL)
		buf_printf(m->out, "At least %s.\n", row->min);
	else if (row->max != NULL)
		buf_printf(m->out, "At most %s.\n", row->max);
}

static void
man_flags(struct man *m, const struct conf_field *row)
{
	if ((row->flags & CONF_REQUIRED) != 0)
		buf_z(m->out, "Required.\n");
	if ((row->flags & CONF_CAN_BE_ON) != 0)
		buf_z(m->out, "May be\n.Cm on\nor\n.Cm off .\n");
	else if ((row->flags & CONF_CAN_BE_OFF) != 0)
		buf_z(m->out, "May be\n.Cm off .\n");
	if ((row->flags & CONF_APPENDS) != 0)
		buf_z(m->out, "Is added to what outer levels say.\n");
	if ((row->flags & CONF_SECRET) != 0)
		buf_z(m->out, "A secret, which is never printed.\n");
	if (row_is_path(row))
		buf_z(m->out,
		    "Relative to the directory of the file that names it.\n");
}

static void
man_row(struct man *m, const struct conf_field *row)
{
	buf_z(m->out, ".It Ic");
	man_argument(m, row->name);
	buf_z(m->out, " : Ar");
	man_argument(m, man_type(m, row));
	buf_chr(m->out, '\n');
	man_text(m, row->doc);
	man_choices(m, row);
	man_bounds(m, row);
	man_flags(m, row);
	if (row->dflt != NULL) {
		buf_z(m->out, "The default is\n.Cm");
		man_argument(m, row->dflt[0] != '\0' ? row->dflt : "\"\"");
		buf_z(m->out, " .\n");
	}
	if (row->schema != NULL) {
		buf_z(m->out, "See\n.Sx");
		man_argument(m, row->schema->name);
		buf_z(m->out, " .\n");
	}
	if (row->example != NULL)
		man_display(m, arena_printf(m->a, "%s: ", row->name),
		    row->example);
}

/* ---- sections ---------------------------------------------------------- */

static struct man_section *
man_section(struct man *m, const struct conf_schema *schema)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->sections[i].schema == schema)
			return &m->sections[i];
	if (m->n == m->cap) {
		size_t cap = m->cap == 0 ? 16 : m->cap * 2;
		struct man_section *more = arena_alloc(m->a,
		    cap * sizeof *more);

		if (m->n > 0)
			memcpy(more, m->sections, m->n * sizeof *more);
		m->sections = more;
		m->cap = cap;
	}
	m->sections[m->n] = (struct man_section){
		.schema = schema, .places = buf_in(m->a)
	};
	return &m->sections[m->n++];
}

static void
man_collect(struct man *m, const struct conf_schema *root)
{
	man_section(m, root);
	for (size_t i = 0; i < m->n; i++) {
		const struct conf_schema *outer = m->sections[i].schema;
		struct row_walk w = {.schema = outer};

		while (row_next(&w)) {
			struct man_section *s;

			if (w.row->schema == NULL)
				continue;
			s = man_section(m, w.row->schema);
			if (s->places.n > 0)
				buf_z(&s->places, ", ");
			buf_printf(&s->places, "%s of %s", w.row->name,
			    outer == root ? "the top level" : outer->name);
		}
	}
}

static void
man_write_section(struct man *m, const struct man_section *s, bool is_root)
{
	const struct conf_schema *schema = s->schema;
	struct row_walk w = {.schema = schema};

	buf_z(m->out, ".Ss");
	man_argument(m, is_root ? "The top level" : schema->name);
	buf_chr(m->out, '\n');
	man_text(m, schema->doc);
	if (s->places.n > 0)
		man_text(m, arena_printf(m->a, "Stands under: %.*s.",
		    STR_ARG(buf_view(&s->places))));
	if (schema->shorthand != NULL) {
		buf_z(m->out, "A value in place of the map is its\n.Ic");
		man_argument(m, schema->shorthand);
		buf_z(m->out, " .\n");
	}
	if (schema->example != NULL)
		man_display(m, "", schema->example);
	if (!row_next(&w))
		return;
	buf_z(m->out, ".Bl -tag -width Ds\n");
	do
		man_row(m, w.row);
	while (row_next(&w));
	buf_z(m->out, ".El\n");
}

void
conf_print_man(const struct conf_schema *schema, struct buf *b)
{
	struct man m = {.a = arena_new(), .out = b};

	man_collect(&m, schema);
	for (size_t i = 0; i < m.n; i++)
		man_write_section(&m, &m.sections[i], i == 0);
	arena_end(m.a);
}
