/*
 * Request targets and the one reading of a path. What two readers could take
 * for different things is refused: a backslash, a control, a NUL, ".." beyond
 * the root, an encoded slash unless the operator allows it. Escapes are decoded
 * once; what then looks like an escape is a name. Bytes >= 0x80 pass as they
 * are, UTF-8 or not: file names are bytes, and an overlong form of "/" or "."
 * stays a byte that is neither. The query is not decoded, so its escapes are
 * the business of whoever reads it.
 *
 * Nothing here knows what a path leads to.
 */
#include "http/target.h"

#include "base/buf.h"
#include "base/panic.h"

enum target_class {
	CLASS_BAD, /* controls, space, "#", backslash, DEL, >= 0x80 */
	CLASS_PLAIN,
	CLASS_SLASH,
	CLASS_ESCAPE,
	CLASS_QUERY
};

/* All that is visible, but for "#" and backslash: what RFC 3986 allows in a
 * path or query, and what browsers send in spite of it. */
static const unsigned char target_classes[256] = {
	['!'] = CLASS_PLAIN, ['"'] = CLASS_PLAIN, ['$'] = CLASS_PLAIN,
	['%'] = CLASS_ESCAPE, ['&' ... '.'] = CLASS_PLAIN,
	['/'] = CLASS_SLASH, ['0' ... '>'] = CLASS_PLAIN,
	['?'] = CLASS_QUERY, ['@' ... '['] = CLASS_PLAIN,
	[']' ... '~'] = CLASS_PLAIN
};

static enum target_class
target_class(char c)
{
	return (enum target_class)target_classes[(unsigned char)c];
}

/* ---- paths ------------------------------------------------------------- */

/* Whether a segment that begins at AT is empty, "." or ".." as written. */
static bool
path_is_odd_at(struct str s, size_t at)
{
	size_t dots = 0;

	while (dots < 2 && at + dots < s.n && s.p[at + dots] == '.')
		dots++;
	at += dots;
	if (at == s.n || s.p[at] == '?')
		return dots > 0;
	return s.p[at] == '/';
}

/* The length of the path at the front of S, up to "?" or what may not stand
 * in it; *IS_CLEAN: it is its own decoded and normalised form. */
static size_t
path_scan(struct str s, bool *is_clean)
{
	size_t i;

	*is_clean = true;
	for (i = 0; i < s.n; i++) {
		enum target_class c = target_class(s.p[i]);

		if (LIKELY(c == CLASS_PLAIN))
			continue;
		if (c == CLASS_ESCAPE)
			*is_clean = false;
		else if (c != CLASS_SLASH)
			break;
		else if (path_is_odd_at(s, i + 1))
			*is_clean = false;
	}
	return i;
}

/* The normalised path so far: always whole segments, each with its slash, and
 * the segment in hand. */
struct path {
	char *p;
	size_t n;
	size_t segment; /* where the one in hand begins */
	enum encoded_slash slash;
};

/* The segment in hand is complete; false: it leaves the root. */
static bool
path_end_segment(struct path *path, bool has_slash)
{
	struct str s = str_of(path->p + path->segment,
	    path->n - path->segment);

	if (s.n == 0 || str_eq(s, STR("."))) {
		path->n = path->segment;
	} else if (str_eq(s, STR(".."))) {
		if (path->segment == 1)
			return false;
		path->n = path->segment - 1;
		while (path->p[path->n - 1] != '/')
			path->n--;
	} else if (has_slash) {
		path->p[path->n++] = '/';
	}
	path->segment = path->n;
	return true;
}

static enum target_status
path_put_slash(struct path *path)
{
	switch (path->slash) {
	case SLASH_REFUSE:
		return TARGET_SLASH;
	case SLASH_KEEP:
		memcpy(path->p + path->n, "%2F", 3);
		path->n += 3;
		return TARGET_OK;
	case SLASH_DECODE:
		return path_end_segment(path, true) ? TARGET_OK :
		    TARGET_ABOVE_ROOT;
	}
	UNREACHABLE();
}

static enum target_status
path_put_escape(struct path *path, struct str raw, size_t at)
{
	int high = at + 1 < raw.n ? chr_hex(raw.p[at + 1]) : -1;
	int low = at + 2 < raw.n ? chr_hex(raw.p[at + 2]) : -1;
	int c;

	if (high < 0 || low < 0)
		return TARGET_BAD_ESCAPE;
	c = high << 4 | low;
	/* Names with controls are for confusing logs, terminals and whatever
	 * header the path is copied to. */
	if (c < 0x20 || c == 0x7f)
		return TARGET_BAD_ESCAPE;
	if (c == '\\')
		return TARGET_BAD;
	if (c == '/')
		return path_put_slash(path);
	path->p[path->n++] = (char)c;
	return TARGET_OK;
}

/* RAW begins with a slash and has only characters that may stand in a path. */
static enum target_status
path_read(struct path *path, struct str raw)
{
	enum target_status st = TARGET_OK;

	path->p[path->n++] = '/';
	path->segment = 1;
	for (size_t i = 1; i < raw.n && st == TARGET_OK; i++) {
		if (raw.p[i] == '%') {
			st = path_put_escape(path, raw, i);
			i += 2;
		} else if (raw.p[i] != '/') {
			path->p[path->n++] = raw.p[i];
		} else if (!path_end_segment(path, true)) {
			st = TARGET_ABOVE_ROOT;
		}
	}
	if (st == TARGET_OK && !path_end_segment(path, false))
		st = TARGET_ABOVE_ROOT;
	return st;
}

/* What RFC 3986 lets stand in a path: pchar and the slash. */
static const bool path_is_safe[256] = {
	['!'] = true, ['$'] = true, ['&' ... ';'] = true, ['='] = true,
	['@' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true,
	['~'] = true
};

static void
path_put_encoded(struct buf *out, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char byte = (unsigned char)c;

	if (path_is_safe[byte])
		buf_chr(out, c);
	else
		buf_put(out, (char[3]){ '%', digits[byte >> 4],
		    digits[byte & 15] }, 3);
}

struct str
path_encode_as(struct arena *a, struct str path, enum encoded_slash slash)
{
	struct buf out;
	size_t n = 0;

	while (n < path.n && path_is_safe[(unsigned char)path.p[n]])
		n++;
	if (n == path.n)
		return path;

	out = buf_in(a);
	buf_put(&out, path.p, n);
	for (; n < path.n; n++) {
		if (slash == SLASH_KEEP && path.p[n] == '%' &&
		    str_case_eq(str_slice(path, n, n + 3), STR("%2F"))) {
			buf_put(&out, path.p + n, 3);
			n += 2;
			continue;
		}
		path_put_encoded(&out, path.p[n]);
	}
	buf_chr(&out, '\0');
	return str_of(out.p, out.n - 1);
}

struct str
path_encode(struct arena *a, struct str path)
{
	return path_encode_as(a, path, SLASH_DECODE);
}

static bool
path_has_bad_byte(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < 0x20 || c == 0x7f || c == '\\')
			return true;
	}
	return false;
}

bool
path_settle(struct arena *a, struct str *path)
{
	struct str rest = *path, segment;
	char *out;
	size_t n = 0;

	if (path->n == 0 || path->p[0] != '/' || path_has_bad_byte(*path))
		return false;
	out = arena_alloc(a, path->n + 1);
	while (str_split(&rest, '/', &segment)) {
		if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
			return false;
		if (segment.n == 0)
			continue;
		out[n++] = '/';
		memcpy(out + n, segment.p, segment.n);
		n += segment.n;
	}
	if (path->p[path->n - 1] == '/')
		out[n++] = '/';
	out[n] = '\0';
	*path = str_of(out, n);
	return true;
}

/* ---- targets ----------------------------------------------------------- */

/* Takes "scheme://authority" off REST. What else may come before a path
 * (RFC 9112 section 3.2.3) is for CONNECT, which we do not serve. */
static bool
target_take_authority(struct str *rest, struct target *out)
{
	size_t scheme = str_index(*rest, ':', 0), from, at;

	if (scheme == SIZE_MAX)
		return false;
	out->scheme = str_slice(*rest, 0, scheme);
	if (!str_case_eq(out->scheme, STR("http")) &&
	    !str_case_eq(out->scheme, STR("https")))
		return false;
	from = scheme + 3;
	if (!str_eq(str_slice(*rest, scheme, from), STR("://")))
		return false;

	for (at = from; at < rest->n; at++) {
		enum target_class c = target_class(rest->p[at]);

		if (c == CLASS_BAD)
			return false;
		if (c == CLASS_SLASH || c == CLASS_QUERY)
			break;
	}
	out->form = TARGET_ABSOLUTE;
	out->authority = str_slice(*rest, from, at);
	*rest = str_slice(*rest, at, rest->n);
	return out->authority.n > 0;
}

/* What follows the path: nothing, or "?" and the query. */
static bool
target_take_query(struct str rest, struct target *out)
{
	if (rest.n == 0)
		return true;
	if (rest.p[0] != '?')
		return false;
	for (size_t i = 1; i < rest.n; i++)
		if (target_class(rest.p[i]) == CLASS_BAD)
			return false;
	out->has_query = true;
	out->query = str_slice(rest, 1, rest.n);
	return true;
}

enum target_status
target_split(struct str target, struct target *out)
{
	struct str rest = target;
	bool is_clean;
	size_t n;

	*out = (struct target){ .form = TARGET_ORIGIN };
	if (str_eq(target, STR("*"))) {
		*out = (struct target){ .form = TARGET_ASTERISK,
		    .raw_path = target, .path = STR("/") };
		return TARGET_OK;
	}
	if ((target.n == 0 || target.p[0] != '/') &&
	    !target_take_authority(&rest, out))
		return TARGET_BAD;

	n = path_scan(rest, &is_clean);
	if (!target_take_query(str_slice(rest, n, rest.n), out))
		return TARGET_BAD;
	out->raw_path = n > 0 ? str_slice(rest, 0, n) : STR("/");
	if (is_clean)
		out->path = out->raw_path;
	return TARGET_OK;
}

enum target_status
target_decode(struct arena *a, enum encoded_slash slash, struct target *t)
{
	struct path path = { .slash = slash };
	enum target_status st;

	if (t->path.p != NULL)
		return TARGET_OK;
	/* Nothing grows: an escape is at least as long as what it gives. */
	path.p = arena_alloc(a, t->raw_path.n + 1);
	st = path_read(&path, t->raw_path);
	path.p[path.n] = '\0';
	t->path = str_of(path.p, path.n);
	return st;
}

enum target_status
target_parse(struct arena *a, struct str target, enum encoded_slash slash,
    struct target *out)
{
	enum target_status st = target_split(target, out);

	return st == TARGET_OK ? target_decode(a, slash, out) : st;
}
