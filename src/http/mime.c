/*
 * Media types: the built-in table, sorted and searched by halves, and what an
 * operator puts over it. Looked up when a file is opened, not per request: the
 * open-file cache keeps the answer. Nothing here looks into a file.
 */
#include "http/mime.h"

#include "base/map.h"
#include "http/head.h"

#define MIME_EXT_MAX 32 /* longer ones are nobody's */

struct mime_types {
	struct arena *arena;
	struct str dflt;
	struct map *own; /* extension -> struct str; NULL: nothing set */
};

struct mime_row {
	const char *ext;
	struct str type;
};

static const struct mime_row mime_rows[] = {
#define MIME(ext_, type_) {.ext = ext_, .type = STR_INIT(type_)},
#include "http/mime.def"
#undef MIME
};

/* Types outside of text/ that are text: JSON, XML, YAML, TOML and scripts. */
static bool
mime_is_textual(struct str type)
{
	static const struct str names[] = {
		STR_INIT("application/json"), STR_INIT("application/xml"),
		STR_INIT("application/javascript"),
		STR_INIT("application/yaml"), STR_INIT("application/toml"),
	};

	if (str_has_prefix(type, STR("text/")) ||
	    str_has_suffix(type, STR("+json")) ||
	    str_has_suffix(type, STR("+xml")))
		return true;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (str_eq(type, names[i]))
			return true;
	return false;
}

static struct str
mime_complete(struct arena *a, struct str type)
{
	if (str_index(type, ';', 0) != SIZE_MAX || !mime_is_textual(type))
		return arena_str(a, type);
	return arena_strf(a, "%.*s; charset=utf-8", STR_ARG(type));
}

struct mime_types *
mime_types_new(struct arena *a, struct str dflt)
{
	struct mime_types *m = arena_zalloc(a, sizeof *m);

	m->arena = a;
	m->dflt = mime_complete(a, dflt);
	return m;
}

void
mime_types_set(struct mime_types *m, struct str ext, struct str type)
{
	struct str *value = arena_alloc(m->arena, sizeof *value);

	if (m->own == NULL)
		m->own = map_new_caseless(m->arena, 16);
	*value = mime_complete(m->arena, type);
	map_put(m->own, arena_str(m->arena, ext), value);
}

/* What follows the last dot of the last part of PATH; empty: there is none. */
static struct str
mime_extension(struct str path)
{
	size_t at = path.n;

	while (at > 0 && path.p[at - 1] != '.' && path.p[at - 1] != '/')
		at--;
	if (at == 0 || path.p[at - 1] == '/')
		return str_of("", 0);
	return str_slice(path, at, path.n);
}

static const struct mime_row *
mime_row_find(struct str ext)
{
	size_t low = 0, high = COUNT_OF(mime_rows);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int cmp = str_cmp(ext, str_from(mime_rows[mid].ext));

		if (cmp == 0)
			return &mime_rows[mid];
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

struct str
mime_type_of(const struct mime_types *m, struct str path)
{
	struct str ext = mime_extension(path);
	const struct mime_row *row;
	char lower[MIME_EXT_MAX];

	if (m->own != NULL) {
		const struct str *own = map_get(m->own, ext);

		if (own != NULL)
			return *own;
	}
	if (ext.n == 0 || ext.n > sizeof lower)
		return m->dflt;
	for (size_t i = 0; i < ext.n; i++)
		lower[i] = chr_lower(ext.p[i]);
	row = mime_row_find(str_of(lower, ext.n));
	return row != NULL ? row->type : m->dflt;
}

bool
mime_is_valid(struct str s)
{
	struct str type = str_trim(str_slice(s, 0, str_index(s, ';', 0)));
	size_t slash = str_index(type, '/', 0);

	/* RFC 9110 section 8.3.1: two tokens. */
	return slash != SIZE_MAX && field_value_is_valid(s) &&
	    field_token_is_valid(str_slice(type, 0, slash)) &&
	    field_token_is_valid(str_slice(type, slash + 1, type.n));
}
