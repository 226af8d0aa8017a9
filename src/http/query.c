/*
 * Queries. There is no standard for them but what forms send (the URL standard
 * of WHATWG, application/x-www-form-urlencoded), so nothing is refused here:
 * what is no parameter or no escape is taken as it stands. Keeps nothing.
 */
#include "http/query.h"

bool
query_next(struct str *rest, struct str *pair, struct str *name)
{
	if (!str_split(rest, '&', pair))
		return false;
	*name = str_slice(*pair, 0, str_index(*pair, '=', 0));
	return true;
}

struct str
query_value(struct str pair)
{
	size_t eq = str_index(pair, '=', 0);

	return eq == SIZE_MAX ? STR("") : str_slice(pair, eq + 1, pair.n);
}

/* ---- decoding ---------------------------------------------------------- */

/* The next byte of an encoded name or value. */
static char
query_take(struct str *s)
{
	char c = s->p[0];
	size_t n = 1;

	if (c == '+') {
		c = ' ';
	} else if (c == '%' && s->n >= 3 && chr_hex(s->p[1]) >= 0 &&
	    chr_hex(s->p[2]) >= 0) {
		c = (char)(chr_hex(s->p[1]) << 4 | chr_hex(s->p[2]));
		n = 3;
	}
	*s = str_slice(*s, n, s->n);
	return c;
}

/* Takes TEXT off the front of *ENCODED. */
static bool
query_take_text(struct str *encoded, struct str text)
{
	size_t i = 0;

	while (encoded->n > 0 && i < text.n)
		if (query_take(encoded) != text.p[i++])
			return false;
	return i == text.n;
}

bool
query_has_prefix(struct str encoded, struct str prefix)
{
	return query_take_text(&encoded, prefix);
}

bool
query_eq(struct str encoded, struct str text)
{
	return query_take_text(&encoded, text) && encoded.n == 0;
}

struct str
query_decode(struct arena *a, struct str s)
{
	char *p;
	size_t n = 0;

	if (str_index(s, '%', 0) == SIZE_MAX &&
	    str_index(s, '+', 0) == SIZE_MAX)
		return s;
	p = arena_alloc(a, s.n);
	while (s.n > 0)
		p[n++] = query_take(&s);
	return str_of(p, n);
}

/* ---- encoding ---------------------------------------------------------- */

enum query_class {
	QUERY_NEVER, /* stands in no target (RFC 3986 appendix A) */
	QUERY_PIECE, /* means something in a query, or to those who read it */
	QUERY_PLAIN
};

static const unsigned char query_classes[256] = {
	['!'] = QUERY_PLAIN, ['$'] = QUERY_PLAIN, ['%'] = QUERY_PIECE,
	['&'] = QUERY_PIECE, ['\''] = QUERY_PLAIN, ['('] = QUERY_PLAIN,
	[')'] = QUERY_PLAIN, ['*'] = QUERY_PLAIN, ['+'] = QUERY_PIECE,
	[','] = QUERY_PLAIN, ['-' ... ':'] = QUERY_PLAIN,
	[';'] = QUERY_PIECE, ['='] = QUERY_PIECE, ['?'] = QUERY_PIECE,
	['@' ... 'Z'] = QUERY_PLAIN, ['['] = QUERY_PIECE,
	[']'] = QUERY_PIECE, ['_'] = QUERY_PLAIN,
	['a' ... 'z'] = QUERY_PLAIN, ['~'] = QUERY_PLAIN
};

static void
query_put(struct buf *out, struct str text, enum query_class least)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (query_classes[c] >= least)
			buf_chr(out, text.p[i]);
		else
			buf_put(out, (char[3]){ '%', digits[c >> 4],
			    digits[c & 15] }, 3);
	}
}

void
query_encode(struct buf *out, struct str text)
{
	query_put(out, text, QUERY_PLAIN);
}

void
query_encode_piece(struct buf *out, struct str text)
{
	query_put(out, text, QUERY_PIECE);
}
