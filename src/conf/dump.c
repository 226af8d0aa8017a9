/*
 * The effective configuration as YAML: what `weir -T` prints. Every value has
 * its origin beside it; loading the text again gives the same configuration,
 * but for secrets, which are hidden.
 */
#include "conf/run.h"

enum {
	DUMP_COMMENT_COLUMN = 44,
	DUMP_LIST_WIDTH = 60, /* of a list that is written in one line */
	DUMP_INDENT = 2
};

struct dump {
	struct conf_load *load;
	struct buf *out;
	struct buf line;     /* without its indentation */
	const char *comment; /* of the line that is being written */
	unsigned indent;
	bool is_item;   /* the next line begins a list item */
	bool inherited; /* all this stands further out in the file */
};

static void dump_block(struct dump *d, const struct block *b);

/* ---- lines ------------------------------------------------------------- */

static size_t
dump_width(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
dump_line_end(struct dump *d)
{
	size_t width = d->indent + dump_width(buf_view(&d->line));
	unsigned indent = d->indent;

	if (d->is_item)
		indent -= DUMP_INDENT;
	for (unsigned i = 0; i < indent; i++)
		buf_chr(d->out, ' ');
	if (d->is_item)
		buf_z(d->out, "- ");
	buf_str(d->out, buf_view(&d->line));
	if (d->comment != NULL) {
		do
			buf_chr(d->out, ' ');
		while (++width < DUMP_COMMENT_COLUMN);
		buf_printf(d->out, "# %s", d->comment);
	}
	buf_chr(d->out, '\n');
	d->line.n = 0;
	d->is_item = false;
}

/* ---- words ------------------------------------------------------------- */

/* Whether TEXT means itself in YAML, in a list in brackets as well. */
static bool
dump_is_plain(struct str text)
{
	static const char first[] = "_./+$~(^";
	static const char later[] = "_./+$~(^)-*:%@=;?<>&!|";

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_alnum = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_alnum && (c == '\0' ||
		    strchr(i == 0 ? first : later, c) == NULL))
			return false;
		/* In a list ":?" ends a word, as libyaml reads it. */
		if (c == '?' && i > 0 && text.p[i - 1] == ':')
			return false;
	}
	return text.n > 0 && text.p[text.n - 1] != ':';
}

static bool
dump_needs_escapes(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		/* What is not ASCII may be a line break of YAML's. */
		if (c < 0x20 || c >= 0x7f)
			return true;
	}
	return false;
}

static void
dump_escaped(struct buf *b, struct str text)
{
	buf_chr(b, '"');
	for (size_t i = 0, n; i < text.n; i += n) {
		unsigned char c = (unsigned char)text.p[i];
		struct str rest = str_slice(text, i, text.n);

		n = utf8_char(rest);
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_z(b, "\\n");
		else if (c == '\t')
			buf_z(b, "\\t");
		else if (n == 0 || c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else if (n == 2 && c == 0xc2 && (unsigned char)rest.p[1] < 0xa0)
			buf_printf(b, "\\x%02x", (unsigned char)rest.p[1]);
		else if (str_has_prefix(rest, STR("\xe2\x80\xa8")))
			buf_z(b, "\\L");
		else if (str_has_prefix(rest, STR("\xe2\x80\xa9")))
			buf_z(b, "\\P");
		else if (str_has_prefix(rest, STR("\xef\xbb\xbf")))
			buf_z(b, "\\uFEFF");
		else if (n == 3 && c == 0xef &&
		    (unsigned char)rest.p[1] == 0xbf &&
		    (unsigned char)rest.p[2] >= 0xbe)
			buf_printf(b, "\\uFFF%c",
			    (unsigned char)rest.p[2] == 0xbe ? 'E' : 'F');
		else
			buf_put(b, rest.p, n);
		if (n == 0)
			n = 1;
	}
	buf_chr(b, '"');
}

static void
dump_word(struct buf *b, struct str text)
{
	if (dump_is_plain(text)) {
		buf_str(b, text);
		return;
	}
	/* Backslashes and quotes read best between single ones. */
	if (text.n == 0 || dump_needs_escapes(text) ||
	    (memchr(text.p, '\\', text.n) == NULL &&
	    memchr(text.p, '"', text.n) == NULL)) {
		dump_escaped(b, text);
		return;
	}
	buf_chr(b, '\'');
	for (size_t i = 0; i < text.n; i++) {
		buf_chr(b, text.p[i]);
		if (text.p[i] == '\'')
			buf_chr(b, '\'');
	}
	buf_chr(b, '\'');
}

static void
dump_scalar(struct dump *d, struct buf *b, const struct conf_field *row,
    const void *value, const char *text)
{
	struct buf plain = buf_in(d->load->arena);

	if ((row->flags & CONF_SECRET) != 0)
		buf_z(&plain, "(secret)");
	else if (row->type->format != NULL)
		row->type->format(&plain, value);
	else if (text != NULL)
		buf_z(&plain, text);
	dump_word(b, secret_veil(d->load, buf_view(&plain)));
}

static void
dump_key(struct dump *d, struct str key)
{
	dump_word(&d->line, key);
	buf_chr(&d->line, ':');
}

static const char *
dump_origin(struct dump *d, enum origin origin, struct conf_pos pos)
{
	const char *place = origin == ORIGIN_OVERRIDE ||
	    file_of(d->load, pos)->is_override ? "-g" :
	    pos.line != 0 && !file_of(d->load, pos)->is_default ?
	    conf_pos_text(d->load, pos) : NULL;

	if (d->inherited || origin == ORIGIN_INHERITED)
		return place == NULL ? "inherited" :
		    arena_printf(d->load->arena, "inherited, %s", place);
	return place != NULL ? place : "default";
}

/* ---- lists and maps ---------------------------------------------------- */

static void
dump_scalars(struct dump *d, const struct conf_field *row,
    const struct conf_list *list, size_t from)
{
	size_t size = row->type->size;
	struct buf b = buf_in(d->load->arena);

	buf_chr(&b, '[');
	for (size_t i = from; i < list->n; i++) {
		if (i > from)
			buf_z(&b, ", ");
		dump_scalar(d, &b, row, (char *)list->items + i * size,
		    list_texts(list)[i]);
	}
	buf_chr(&b, ']');
	if (b.n <= DUMP_LIST_WIDTH) {
		buf_chr(&d->line, ' ');
		buf_str(&d->line, buf_view(&b));
		dump_line_end(d);
		return;
	}
	dump_line_end(d);
	d->comment = NULL;
	d->indent += 2 * DUMP_INDENT;
	for (size_t i = from; i < list->n; i++) {
		d->is_item = true;
		dump_scalar(d, &d->line, row, (char *)list->items + i * size,
		    list_texts(list)[i]);
		dump_line_end(d);
	}
	d->indent -= 2 * DUMP_INDENT;
}

/* The lines of a block below a key or a dash; a block that says nothing is
 * `{}` on that line. */
static void
dump_nested(struct dump *d, const struct block *b, bool is_item)
{
	const char *comment = d->comment;
	size_t out = d->out->n;
	struct str head = arena_str(d->load->arena, buf_view(&d->line));
	bool was_item = d->is_item;

	if (b->is_off) {
		buf_z(&d->line, is_item ? "off" : " off");
		dump_line_end(d);
		return;
	}
	if (!is_item)
		dump_line_end(d);
	size_t body = d->out->n;

	d->indent += is_item ? 0 : DUMP_INDENT;
	dump_block(d, b);
	d->indent -= is_item ? 0 : DUMP_INDENT;
	if (d->out->n != body)
		return;
	d->out->n = out;
	d->is_item = was_item;
	d->comment = comment;
	d->line.n = 0;
	buf_str(&d->line, head);
	buf_z(&d->line, is_item ? "{}" : " {}");
	dump_line_end(d);
}

static void
dump_list(struct dump *d, const struct conf_field *row,
    const struct conf_list *list, size_t from)
{
	if (from >= list->n) {
		buf_z(&d->line, " []");
		dump_line_end(d);
		return;
	}
	if (row->schema == NULL) {
		dump_scalars(d, row, list, from);
		return;
	}
	dump_line_end(d);
	d->indent += 2 * DUMP_INDENT;
	for (size_t i = from; i < list->n; i++) {
		d->is_item = true;
		d->comment = dump_origin(d, ORIGIN_FILE, list->pos[i]);
		dump_nested(d, block_of(CONF_ITEM(list, void *, i)), true);
	}
	d->indent -= 2 * DUMP_INDENT;
}

static void
dump_entry(struct dump *d, const struct conf_field *row,
    const struct conf_entry *entry, bool inherited)
{
	d->comment = dump_origin(d, inherited ? ORIGIN_INHERITED : ORIGIN_FILE,
	    entry->pos);
	dump_key(d, entry->key);
	if ((row->flags & CONF_OF_LISTS) != 0) {
		dump_list(d, row, entry->value, 0);
	} else if (row->schema != NULL) {
		dump_nested(d, block_of(entry->value), false);
	} else {
		const struct kept_value *kept = (void *)
		    ((char *)entry->value - offsetof(struct kept_value, value));

		buf_chr(&d->line, ' ');
		dump_scalar(d, &d->line, row, entry->value, kept->text);
		dump_line_end(d);
	}
}

static void
dump_entries(struct dump *d, const struct conf_field *row,
    const struct conf_map *map, size_t inherited)
{
	for (size_t i = 0; i < map->n; i++)
		dump_entry(d, row, &map->entries[i], i < inherited);
}

static void
dump_map(struct dump *d, const struct conf_field *row,
    const struct conf_map *map, size_t inherited)
{
	if (map->n == 0)
		buf_z(&d->line, " {}");
	dump_line_end(d);
	d->indent += DUMP_INDENT;
	dump_entries(d, row, map, inherited);
	d->indent -= DUMP_INDENT;
}

/* ---- rows -------------------------------------------------------------- */

/* Whether there is nothing to show: not set, and no default either. */
static bool
dump_is_absent(const struct row_walk *w, const struct mark *mark,
    const void *value)
{
	if (w->row->shape == CONF_BLOCK)
		return *(void *const *)value == NULL;
	return mark == NULL && w->row->dflt == NULL;
}

/* Items that the outer level appends anyhow would be there twice if they were
 * written here. */
static bool
dump_is_appended(const struct dump *d, const struct row_walk *w,
    const struct mark *mark)
{
	return w->row->shape == CONF_LIST &&
	    (w->row->flags & CONF_APPENDS) != 0 && mark != NULL &&
	    (d->inherited || mark->origin == ORIGIN_INHERITED);
}

static void
dump_value(struct dump *d, const struct row_walk *w, const struct mark *mark,
    const void *value)
{
	size_t appended = mark != NULL ? mark->appended : 0;
	bool outer = d->inherited;

	switch (w->row->shape) {
	case CONF_SCALAR:
		buf_chr(&d->line, ' ');
		dump_scalar(d, &d->line, w->row, value,
		    mark != NULL ? mark->text : w->row->dflt);
		dump_line_end(d);
		break;
	case CONF_CHOICE:
		buf_chr(&d->line, ' ');
		dump_word(&d->line,
		    str_from(w->row->choices[*(const int *)value]));
		dump_line_end(d);
		break;
	case CONF_BLOCK:
		d->inherited |= mark != NULL &&
		    mark->origin == ORIGIN_INHERITED;
		dump_nested(d, block_of(*(void *const *)value), false);
		d->inherited = outer;
		break;
	case CONF_LIST:
		dump_list(d, w->row, value, appended);
		break;
	case CONF_MAP:
		dump_map(d, w->row, value, appended);
		break;
	}
}

static void
dump_row(struct dump *d, const struct block *b, const struct row_walk *w)
{
	const void *value = b->data + w->offset;
	const struct mark *mark = block_mark(b, w->offset);

	if (dump_is_absent(w, mark, value))
		return;
	d->comment = mark == NULL ?
	    (d->inherited ? "inherited, default" : "default") :
	    dump_origin(d, mark->origin, mark->pos);
	if (b->data == d->load->root && strcmp(w->row->name, "include") == 0) {
		/* What it names is part of the text already. */
		buf_z(&d->line, "# include is written out here");
		dump_line_end(d);
		return;
	}
	if (row_is_numbered(w->row)) {
		dump_entries(d, w->row, (const void *)value, mark->appended);
		return;
	}
	if (dump_is_appended(d, w, mark)) {
		buf_printf(&d->line, "# %s: %zu items", w->row->name,
		    ((const struct conf_list *)value)->n);
		dump_line_end(d);
		return;
	}
	dump_key(d, str_from(w->row->name));
	dump_value(d, w, mark, value);
}

static void
dump_block(struct dump *d, const struct block *b)
{
	struct row_walk w = {.schema = b->schema};

	while (row_next(&w))
		dump_row(d, b, &w);
}

void
conf_dump(struct conf_load *load, const struct conf_schema *schema,
    const void *block, struct buf *b)
{
	struct dump d = {
		.load = load, .out = b, .line = buf_in(load->arena)
	};

	(void)schema; /* every block knows its own */
	dump_block(&d, block_of(block));
}
