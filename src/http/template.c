/*
 * Strings with variables, compiled when they are loaded into parts that are
 * written one after the other. A template never changes and belongs to its
 * generation; it knows how text is cut and escaped, not what variables mean.
 */
#include "http/template.h"

#include "base/panic.h"
#include "http/mapping.h"
#include "http/query.h"

struct part {
	variable_fn *write; /* NULL: constant */
	struct str text;    /* of a constant; never empty */
	struct variable_arg arg;
	bool is_of_query;
};

struct template {
	struct str text;
	size_t n;
	struct part parts[]; /* no two constants in a row */
};

/* Where a template is made. */
struct compiler {
	struct arena *arena;
	struct conf_load *load; /* whose `maps` are known; NULL: none are */
};

/* ---- compiling --------------------------------------------------------- */

/* V's name as it would be in place of NAME: of a prefix, with what follows it
 * in NAME. p == NULL: nothing does. */
static struct str
template_name_like(struct arena *a, const struct variable *v, struct str name)
{
	struct str known = str_from(v->name);
	size_t cut = str_index(name, '_', 0);

	if (!str_has_suffix(known, STR("_")) || cut == SIZE_MAX)
		return known;
	if (cut + 1 == name.n)
		return (struct str){NULL, 0};
	return arena_strf(a, "%.*s%.*s", STR_ARG(known),
	    STR_ARG(str_slice(name, cut + 1, name.n)));
}

/* The best that was found so far. */
struct suggestion {
	struct str name, best; /* best.p == NULL: none */
	size_t distance;
};

static void
template_consider(struct suggestion *s, struct str known)
{
	size_t d;

	if (known.p == NULL)
		return;
	d = str_distance(s->name, known);
	/* Half of a name is no typing mistake. */
	if (d > s->distance || 2 * d >= s->name.n ||
	    (s->best.p != NULL && d == s->distance))
		return;
	s->best = known;
	s->distance = d;
}

/* A variable's name that is close to NAME; p == NULL: there is none. */
static struct str
template_suggest(struct compiler *c, struct str name)
{
	enum { LONGEST = 48 };
	const struct variable *table;
	const struct conf_declared *d;
	struct suggestion s = { .name = name, .distance = 1 + name.n / 4 };

	if (name.n > LONGEST)
		return s.best;
	for (size_t i = 0; (table = variable_table(i)) != NULL; i++)
		for (const struct variable *v = table; v->name != NULL; v++)
			template_consider(&s,
			    template_name_like(c->arena, v, name));
	for (size_t i = 0; c->load != NULL &&
	    (d = conf_declared_at(c->load, i)) != NULL; i++)
		template_consider(&s, d->name);
	return s.best;
}

static bool
template_refuse(struct compiler *c, struct str name, struct err *e)
{
	enum { SHOWN = 64 };
	struct str best = template_suggest(c, name);

	if (best.p != NULL && str_has_suffix(best, STR("_")))
		return err_set(e, "there is no variable $%.*s; did you mean "
		    "$%.*sNAME?", STR_ARG(name), STR_ARG(best));
	if (best.p != NULL)
		return err_set(e, "there is no variable $%.*s; did you mean "
		    "$%.*s?", STR_ARG(name), STR_ARG(best));
	return err_set(e, "there is no variable $%.*s; a dollar itself is "
	    "written $$", STR_ARG(str_slice(name, 0, SHOWN)));
}

static bool
template_is_name(char c)
{
	return (chr_lower(c) >= 'a' && chr_lower(c) <= 'z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* The name behind the dollar at *AT, which is moved behind it. Braces let a
 * name have any character: ${cookie_a.b}. */
static bool
template_take_name(struct str text, size_t *at, struct str *name,
    struct err *e)
{
	size_t from = *at + 1, end = from;

	if (from < text.n && text.p[from] == '{') {
		end = str_index(text, '}', from);
		if (end == SIZE_MAX)
			return err_set(e, "a \"${\" without its \"}\"");
		*name = str_slice(text, from + 1, end);
		*at = end + 1;
		return true;
	}
	/* "$10" is the first group and a zero, as everywhere else. */
	if (from < text.n && text.p[from] >= '0' && text.p[from] <= '9')
		end = from + 1;
	else
		while (end < text.n && template_is_name(text.p[end]))
			end++;
	if (end == from)
		return err_set(e, "a \"$\" without a name behind it; a dollar "
		    "itself is written $$");
	*name = str_slice(text, from, end);
	*at = end;
	return true;
}

/* Constants lie side by side in the order of the parts, so that one can grow
 * as long as no variable has followed it. */
static void
template_add_constant(struct template *tp, char **room, struct str s)
{
	struct part *last = tp->n > 0 ? &tp->parts[tp->n - 1] : NULL;

	if (s.n == 0)
		return;
	memcpy(*room, s.p, s.n);
	if (last == NULL || last->write != NULL) {
		last = &tp->parts[tp->n++];
		*last = (struct part){ .text = str_of(*room, 0) };
	}
	last->text.n += s.n;
	*room += s.n;
}

static bool
template_add_variable(struct compiler *c, struct template *tp,
    struct str name, struct err *e)
{
	struct part *part = &tp->parts[tp->n];
	const struct mapping *mapping =
	    c->load != NULL ? mapping_declared(c->load, name) : NULL;
	const struct variable *v;

	*part = (struct part){ .write = NULL };
	v = variable_find(c->arena, name, &part->arg);
	/* One that is named as a variable is refused when it is compiled. */
	if (v == NULL && mapping != NULL) {
		part->write = mapping_write;
		part->arg.mapping = mapping;
		tp->n++;
		return true;
	}
	if (v == NULL)
		return template_refuse(c, name, e);
	part->write = v->write;
	part->is_of_query = variable_is_of_query(v);
	tp->n++;
	return true;
}

static size_t
template_count_variables(struct str text)
{
	size_t n = 0;

	for (size_t at = str_index(text, '$', 0); at != SIZE_MAX;
	    at = str_index(text, '$', at + 2))
		n += at + 1 >= text.n || text.p[at + 1] != '$';
	return n;
}

static struct template *
template_make(struct compiler *c, struct str text, struct err *e)
{
	size_t most = 2 * template_count_variables(text) + 1;
	struct template *tp = arena_alloc(c->arena,
	    sizeof *tp + most * sizeof tp->parts[0]);
	char *room = arena_alloc(c->arena, text.n);
	size_t at = 0, dollar;
	struct str name;

	tp->text = text;
	tp->n = 0;
	while ((dollar = str_index(text, '$', at)) != SIZE_MAX) {
		if (dollar + 1 < text.n && text.p[dollar + 1] == '$') {
			template_add_constant(tp, &room,
			    str_slice(text, at, dollar + 1));
			at = dollar + 2;
			continue;
		}
		template_add_constant(tp, &room, str_slice(text, at, dollar));
		at = dollar;
		if (!template_take_name(text, &at, &name, e) ||
		    !template_add_variable(c, tp, name, e))
			return NULL;
	}
	template_add_constant(tp, &room, str_slice(text, at, text.n));
	ASSERT(tp->n <= most);
	return tp;
}

struct template *
template_compile(struct arena *a, struct str text, struct err *e)
{
	return template_make(&(struct compiler){ .arena = a }, text, e);
}

struct template *
template_load(struct conf_load *load, struct str text, struct err *e)
{
	return template_make(&(struct compiler){
		.arena = conf_arena(load), .load = load }, text, e);
}

const struct mapping *
template_mapping(const struct template *tp, size_t i)
{
	for (const struct part *p = tp->parts; p < tp->parts + tp->n; p++)
		if (p->arg.mapping != NULL && i-- == 0)
			return p->arg.mapping;
	return NULL;
}

bool
template_is_constant(const struct template *tp)
{
	return tp->n == 0 || (tp->n == 1 && tp->parts[0].write == NULL);
}

struct str
template_text(const struct template *tp)
{
	return tp->text;
}

/* ---- writing ----------------------------------------------------------- */

/* Bytes that stand for themselves in a log line and in JSON. */
static bool
template_is_plain_char(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/*
 * Eight of them at once: most of a log line is values, and nearly all of them
 * are plain. The high bit of each byte of BAD says that something is wrong with
 * it or with one below it.
 */
static bool
template_is_plain_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101, highs = 0x80 * ones;
	uint64_t quote = w ^ '"' * ones, backslash = w ^ '\\' * ones;
	uint64_t bad = w | (w - 0x20 * ones) | (w + ones) |
	    (quote - ones) | (backslash - ones);

	return (bad & highs) == 0;
}

static bool
template_is_plain(const char *p, size_t n)
{
	for (; n >= sizeof(uint64_t); p += 8, n -= 8) {
		uint64_t w;

		memcpy(&w, p, sizeof w);
		if (!template_is_plain_word(w))
			return false;
	}
	for (; n > 0; p++, n--)
		if (!template_is_plain_char(*p))
			return false;
	return true;
}

static void
template_write_log(struct buf *out, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char hex[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

		if (template_is_plain_char(s.p[i]))
			buf_chr(out, s.p[i]);
		else
			buf_put(out, hex, sizeof hex);
	}
}

/* Escapes what a variable wrote behind FROM. Nearly always there is nothing to
 * do; else it is set aside and written again. */
static void
template_escape_from(struct txn *t, const struct part *part, struct buf *out,
    size_t from, enum template_escape escape)
{
	bool is_query = escape >= ESCAPE_QUERY;
	size_t n = out->n - from;
	struct str value;

	if (out->overflow || escape == ESCAPE_NONE)
		return;
	if (n == 0) {
		if (escape == ESCAPE_LOG)
			buf_chr(out, '-');
		return;
	}
	if (!is_query && LIKELY(template_is_plain(out->p + from, n)))
		return;
	value = arena_str(t->arena, str_of(out->p + from, n));
	out->n = from;
	if (escape == ESCAPE_LOG)
		template_write_log(out, value);
	else if (escape == ESCAPE_JSON)
		buf_json(out, value);
	else if (part->is_of_query)
		query_encode_piece(out, value);
	else
		query_encode(out, value);
}

static void
template_write_constant(struct buf *out, struct str text,
    enum template_escape escape)
{
	if (escape == ESCAPE_QUERY_VALUE)
		query_encode(out, text);
	else
		buf_str(out, text);
}

void
template_write(const struct template *tp, struct txn *t, struct buf *out,
    enum template_escape escape)
{
	for (const struct part *p = tp->parts; p < tp->parts + tp->n; p++) {
		size_t from = out->n;

		if (p->write == NULL) {
			template_write_constant(out, p->text, escape);
			continue;
		}
		p->write(t, &p->arg, out);
		template_escape_from(t, p, out, from, escape);
	}
}

struct str
template_eval(const struct template *tp, struct txn *t)
{
	struct buf out;

	if (tp->n == 0)
		return STR("");
	if (template_is_constant(tp))
		return tp->parts[0].text;
	out = buf_in(t->arena);
	template_write(tp, t, &out, ESCAPE_NONE);
	return out.n > 0 ? buf_view(&out) : STR("");
}

/* ---- configuration ----------------------------------------------------- */

static bool
template_parse_value(struct arena *a, struct str text, void *out,
    struct err *e)
{
	struct template *tp = template_compile(a, text, e);

	*(struct template **)out = tp;
	return tp != NULL;
}

static bool
template_load_value(struct conf_load *load, struct str text, void *out,
    struct err *e)
{
	struct template *tp = template_load(load, text, e);

	*(struct template **)out = tp;
	return tp != NULL;
}

static void
template_format_value(struct buf *b, const void *value)
{
	const struct template *tp = *(struct template *const *)value;

	if (tp != NULL)
		buf_str(b, tp->text);
}

/* Without `expected`: the errors say it all. */
const struct conf_type conf_type_template = {
	.name = "string with variables", .size = sizeof(struct template *),
	.parse = template_parse_value, .parse_in = template_load_value,
	.format = template_format_value,
	.json = "\"type\": [\"string\", \"number\", \"boolean\"]"
};
