/*
 * Diagnostics: every mistake and every doubt of a run, kept until all are
 * known, then printed in the order of their places with the line and a caret.
 * What comes from the file is shown escaped: a configuration may not talk to
 * the terminal.
 */
#include "conf/run.h"

#include <stdlib.h>

enum {
	DIAG_KEPT_MAX = 1000,
	DIAG_TEXT_MAX = 800, /* bytes of a sentence */
	DIAG_LINE_MAX = 76,  /* columns of a line that are shown */
	DIAG_LEAD = 24       /* columns before the caret, in a cut line */
};

/* An alias brings the same node to several places: one mistake all the same. */
static bool
diag_is_known(const struct conf_load *load, const struct diag *diag)
{
	for (size_t i = 0; i < load->n_diags; i++) {
		const struct diag *d = &load->diags[i];

		if (d->pos.line == diag->pos.line &&
		    d->pos.column == diag->pos.column &&
		    d->pos.file == diag->pos.file && d->code == diag->code &&
		    strcmp(d->text, diag->text) == 0)
			return true;
	}
	return false;
}

static void
diag_add(struct conf_load *load, struct diag diag)
{
	size_t *count = diag.is_error ? &load->errors : &load->warnings;
	/* Half of the room at most: a warning must not cost an error. */
	size_t most = diag.is_error ? DIAG_KEPT_MAX : DIAG_KEPT_MAX / 2;

	load->reports += diag.is_error;
	if (*count < most && diag_is_known(load, &diag))
		return;
	if (++*count > most || load->n_diags == DIAG_KEPT_MAX)
		return;
	if (load->n_diags == load->cap_diags) {
		size_t cap = load->cap_diags == 0 ? 8 : load->cap_diags * 2;
		struct diag *more = arena_alloc(load->arena,
		    cap * sizeof *more);

		if (load->n_diags > 0)
			memcpy(more, load->diags,
			    load->n_diags * sizeof *more);
		load->diags = more;
		load->cap_diags = cap;
	}
	diag.order = load->n_diags;
	load->diags[load->n_diags++] = diag;
}

/* What stands behind a syntax error was read wrongly or not at all. */
static bool
diag_is_beyond_cut(const struct conf_load *load, struct conf_pos pos)
{
	struct conf_pos cut = file_of(load, pos)->cut;

	return cut.line != 0 && (pos.line > cut.line ||
	    (pos.line == cut.line && pos.column >= cut.column));
}

PRINTF_LIKE(2, 0) static const char *
diag_text(struct conf_load *load, const char *fmt, va_list ap)
{
	const char *text = arena_vprintf(load->arena, fmt, ap);

	if (load->secrets == NULL)
		return text;
	return arena_str(load->arena,
	    secret_veil(load, str_from(text))).p;
}

bool
diag_is_full(const struct conf_load *load)
{
	return load->errors >= DIAG_KEPT_MAX;
}

void
conf_error(struct conf_load *load, struct conf_pos pos, const char *code,
    const char *fmt, ...)
{
	va_list ap;

	if (diag_is_beyond_cut(load, pos)) {
		load->reports++;
		return;
	}
	if (diag_is_full(load)) {
		load->errors++;
		load->reports++;
		return;
	}
	va_start(ap, fmt);
	diag_add(load, (struct diag){
		.pos = pos, .code = code, .is_error = true,
		.text = diag_text(load, fmt, ap)
	});
	va_end(ap);
}

void
conf_warning(struct conf_load *load, struct conf_pos pos, const char *code,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(load, (struct diag){
		.pos = pos, .code = code, .is_error = false,
		.text = diag_text(load, fmt, ap)
	});
	va_end(ap);
}

size_t
conf_errors(const struct conf_load *load)
{
	return load->errors;
}

size_t
conf_warnings(const struct conf_load *load)
{
	return load->warnings;
}

const char *
conf_pos_text(struct conf_load *load, struct conf_pos pos)
{
	const char *path = file_of(load, pos)->path;

	if (pos.line == 0)
		return path;
	return arena_printf(load->arena, "%s:%u", path, pos.line);
}

/* ---- the line ---------------------------------------------------------- */

/* Bytes of the line break at the start of S; 0: none. libyaml counts all of
 * these, so the numbers would not fit otherwise. */
static size_t
diag_break(struct str s)
{
	if (str_has_prefix(s, STR("\r\n")))
		return 2;
	if (s.n > 0 && (s.p[0] == '\n' || s.p[0] == '\r'))
		return 1;
	if (str_has_prefix(s, STR("\xc2\x85")))
		return 2;
	if (str_has_prefix(s, STR("\xe2\x80\xa8")) ||
	    str_has_prefix(s, STR("\xe2\x80\xa9")))
		return 3;
	return 0;
}

static struct str
diag_line(struct str text, uint32_t line)
{
	size_t from = 0, i = 0, n;

	while (i < text.n) {
		n = diag_break(str_slice(text, i, i + 3));
		if (n == 0) {
			i++;
			continue;
		}
		if (--line == 0)
			return str_slice(text, from, i);
		i += n;
		from = i;
	}
	return line == 1 ? str_slice(text, from, text.n) : STR("");
}

/* Writes the character at the start of S so that a terminal shows it and
 * nothing else; the bytes that were taken. */
static size_t
diag_put_char(struct buf *b, struct str s)
{
	size_t n = utf8_char(s);
	unsigned char c = (unsigned char)s.p[0];

	if (n == 0 || c < 0x20 || c == 0x7f) {
		if (c == '\t')
			buf_z(b, "\\t");
		else
			buf_printf(b, "\\x%02x", c);
		return 1;
	}
	/* C1 controls, and what turns the direction of text. */
	if ((c == 0xc2 && (unsigned char)s.p[1] < 0xa0) ||
	    (c == 0xe2 && ((unsigned char)s.p[1] == 0x80 ||
	    (unsigned char)s.p[1] == 0x81) && (unsigned char)s.p[2] >= 0xa8 &&
	    (unsigned char)s.p[2] <= 0xae)) {
		for (size_t i = 0; i < n; i++)
			buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
		return n;
	}
	buf_put(b, s.p, n);
	return n;
}

static void
diag_put_text(struct buf *b, struct str s)
{
	bool is_long = s.n > DIAG_TEXT_MAX;

	if (is_long)
		s.n = DIAG_TEXT_MAX;
	while (s.n > 0) {
		size_t n = diag_put_char(b, s);

		s = str_of(s.p + n, s.n - n);
	}
	if (is_long)
		buf_z(b, "...");
}

static bool
diag_ends_token(struct str s, size_t i)
{
	char c = s.p[i];

	return c == ' ' || c == '\t' || c == ',' || c == '[' || c == ']' ||
	    c == '{' || c == '}' ||
	    (c == ':' && (i + 1 == s.n || s.p[i + 1] == ' '));
}

/* How many characters the token at the start of S has: what the caret
 * underlines. */
static size_t
diag_token(struct str s)
{
	char quote = s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'') ? s.p[0] : 0;
	bool in_variable = false; /* between "${" and "}" */
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool was_in_variable = in_variable;

		if (quote != 0 && i > 0 && c == quote)
			return n + 1;
		if (c == '{' && i > 0 && s.p[i - 1] == '$')
			in_variable = was_in_variable = true;
		else if (c == '}')
			in_variable = false;
		if (quote == 0 && !was_in_variable && diag_ends_token(s, i))
			break;
		if (((unsigned char)c & 0xc0) != 0x80)
			n++;
	}
	return n > 0 ? n : 1;
}

/* A line as it is shown, in pieces of one character. */
struct diag_view {
	struct buf text;
	size_t width;       /* columns so far */
	size_t caret, tail; /* columns of the caret's begin and end */
};

static void
diag_view_char(struct diag_view *v, struct str s, size_t *used)
{
	size_t before = v->text.n;

	*used = diag_put_char(&v->text, s);
	/* An escape is as wide as its bytes, any other character is one. */
	v->width += *used == 1 || v->text.p[before] == '\\' ?
	    v->text.n - before : 1;
}

/* The part of LINE around character COLUMN (from 1). */
static struct diag_view
diag_view_make(struct arena *a, struct str line, uint32_t column)
{
	struct diag_view v = {.text = buf_in(a)};
	size_t at = 0, used, column_at = 1, first = 1, token;

	if (column > DIAG_LINE_MAX - DIAG_LEAD)
		first = column - DIAG_LEAD;
	for (; at < line.n && column_at < first; column_at++) {
		size_t n = utf8_char(str_slice(line, at, line.n));

		at += n > 0 ? n : 1;
	}
	if (first > 1) {
		buf_z(&v.text, "...");
		v.width = 3;
	}
	for (; at < line.n && column_at < column; column_at++, at += used)
		diag_view_char(&v, str_slice(line, at, line.n), &used);
	v.caret = v.width;
	v.tail = v.width + 1;
	token = diag_token(str_slice(line, at, line.n));
	for (; at < line.n && v.width < DIAG_LINE_MAX; at += used) {
		diag_view_char(&v, str_slice(line, at, line.n), &used);
		if (token > 0) {
			v.tail = v.width;
			token--;
		}
	}
	if (at < line.n)
		buf_z(&v.text, "...");
	return v;
}

static void
diag_print_line(struct conf_load *load, const struct diag *d, struct buf *b)
{
	struct str text = file_of(load, d->pos)->text;
	struct str line = diag_line(text, d->pos.line);
	struct diag_view v = diag_view_make(load->arena, line, d->pos.column);

	buf_printf(b, "%5u | ", d->pos.line);
	buf_str(b, buf_view(&v.text));
	buf_z(b, "\n      | ");
	for (size_t i = 0; i < v.caret; i++)
		buf_chr(b, ' ');
	buf_chr(b, '^');
	for (size_t i = v.caret + 1; i < v.tail; i++)
		buf_chr(b, '~');
	buf_chr(b, '\n');
}

static void
diag_print(struct conf_load *load, const struct diag *d, struct buf *b)
{
	const struct conf_file *f = file_of(load, d->pos);

	/* "cannot open FILE" names the file already. */
	if (f->text.p == NULL && strstr(d->text, f->path) != NULL) {
		buf_z(b, "weir: ");
	} else {
		diag_put_text(b, str_from(f->path));
		if (d->pos.line > 0)
			buf_printf(b, ":%u:%u", d->pos.line, d->pos.column);
		buf_z(b, d->is_error ? ": " : ": warning: ");
	}
	diag_put_text(b, str_from(d->text));
	buf_chr(b, '\n');
	if (d->pos.line > 0 && file_of(load, d->pos)->text.p != NULL)
		diag_print_line(load, d, b);
}

/* ---- all of them ------------------------------------------------------- */

static int
diag_compare(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;

	if (x->pos.file != y->pos.file)
		return x->pos.file < y->pos.file ? -1 : 1;
	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.column != y->pos.column)
		return x->pos.column < y->pos.column ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Those that are shown, sorted; NULL at the end. */
static const struct diag **
diag_select(struct conf_load *load)
{
	const struct diag **shown = arena_alloc(load->arena,
	    (2 * CONF_SHOWN_MAX + 1) * sizeof(struct diag *));
	size_t n = 0, errors = 0, warnings = 0;

	if (load->n_diags > 0)
		qsort(load->diags, load->n_diags, sizeof *load->diags,
		    diag_compare);
	for (size_t i = 0; i < load->n_diags; i++) {
		const struct diag *d = &load->diags[i];
		size_t *count = d->is_error ? &errors : &warnings;

		if ((*count)++ < CONF_SHOWN_MAX)
			shown[n++] = d;
	}
	shown[n] = NULL;
	return shown;
}

static void
diag_print_more(struct buf *b, size_t n, const char *what)
{
	if (n > CONF_SHOWN_MAX)
		buf_printf(b, "and %zu more %s%s\n", n - CONF_SHOWN_MAX, what,
		    n - CONF_SHOWN_MAX == 1 ? "" : "s");
}

void
conf_print_diagnostics(struct conf_load *load, struct buf *b)
{
	for (const struct diag **d = diag_select(load); *d != NULL; d++)
		diag_print(load, *d, b);
	diag_print_more(b, load->errors, "error");
	diag_print_more(b, load->warnings, "warning");
}

void
conf_print_diagnostics_json(struct conf_load *load, struct buf *b)
{
	const char *comma = "";

	buf_printf(b, "{\"errors\": %zu, \"warnings\": %zu, "
	    "\"diagnostics\": [", load->errors, load->warnings);
	for (const struct diag **d = diag_select(load); *d != NULL; d++) {
		buf_printf(b, "%s\n  {\"severity\": \"%s\", \"code\": \"%s\", "
		    "\"file\": \"", comma,
		    (*d)->is_error ? "error" : "warning", (*d)->code);
		buf_json(b, str_from(file_of(load, (*d)->pos)->path));
		buf_printf(b, "\", \"line\": %u, \"column\": %u, "
		    "\"message\": \"", (*d)->pos.line, (*d)->pos.column);
		buf_json(b, str_from((*d)->text));
		buf_z(b, "\"}");
		comma = ",";
	}
	buf_z(b, comma[0] != '\0' ? "\n]}\n" : "]}\n");
}
