/*
 * Patterns: what the configuration compares paths, values and hosts with. What
 * could never match as it is written is refused here, with what was probably
 * meant: the other side of the comparison is always decoded, normalised and,
 * for hosts, lower case.
 */
#include "http/pattern.h"

#include "http/target.h"

#include <arpa/inet.h>

/* ---- regular expressions ----------------------------------------------- */

/* "~REGEX" or "~ REGEX". */
static bool
pattern_parse_regex(struct arena *a, struct str text, struct regex **out,
    struct err *e)
{
	struct str regex = str_slice(text, 1, text.n);

	while (regex.n > 0 && regex.p[0] == ' ')
		regex = str_slice(regex, 1, regex.n);
	if (regex.n == 0)
		return err_set(e, "expected a regular expression after ~");
	*out = regex_compile(a, regex, e);
	return *out != NULL;
}

static bool
pattern_is_regex(struct str text)
{
	return text.n > 0 && text.p[0] == '~';
}

static bool
regex_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	if (pattern_is_regex(text))
		return pattern_parse_regex(a, text, out, e);
	if (text.n == 0)
		return err_set(e, "%s", "");
	*(struct regex **)out = regex_compile(a, text, e);
	return *(struct regex **)out != NULL;
}

const struct conf_type conf_type_regex = {
	.name = "regular expression",
	.expected = "a regular expression",
	.size = sizeof(struct regex *),
	.parse = regex_type_parse,
	.json = "\"type\": [\"string\", \"number\"]"
};

/* ---- paths ------------------------------------------------------------- */

/* Whether a segment of a normalised path cannot be like this one. */
static bool
path_segment_is_folded(struct str segment)
{
	return segment.n == 0 || str_eq(segment, STR(".")) ||
	    str_eq(segment, STR(".."));
}

/*
 * Whether TEXT has a segment that normalising takes away. The segment after
 * the last slash may be empty or, before a star, the beginning of a longer one;
 * so may be, after a star, the one before the first slash its end.
 */
static bool
path_is_unnormal(struct str text, enum path_kind kind)
{
	size_t at = kind == PATH_SUFFIX ? str_index(text, '/', 0) : 0;

	while (at < text.n) {
		size_t end = str_index(text, '/', at + 1);
		struct str segment = str_slice(text, at + 1, end);
		bool is_last = end == SIZE_MAX;

		if (is_last && (segment.n == 0 || kind == PATH_PREFIX))
			return false;
		if (path_segment_is_folded(segment))
			return true;
		at = end;
	}
	return false;
}

/* That of a slash may be kept as it is. */
bool
path_has_escape(struct str text)
{
	for (size_t i = 0; i + 2 < text.n; i++) {
		if (text.p[i] == '%' && chr_hex(text.p[i + 1]) >= 0 &&
		    chr_hex(text.p[i + 2]) >= 0 &&
		    !str_case_eq(str_slice(text, i, i + 3), STR("%2F")))
			return true;
	}
	return false;
}

static bool
path_check_text(const struct path_pattern *p, struct err *e)
{
	if (str_index(p->text, '*', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\" has a \"*\" in its middle, which "
		    "only a regular expression can say; expected it at one "
		    "end, or something like ~ ^/a/[^/]+/b$",
		    STR_ARG(p->written));
	if (str_index(p->text, '?', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\" has a query, which is no part of "
		    "a path; expected the path alone, and the query in match: "
		    "{query: {NAME: VALUE}}", STR_ARG(p->written));
	if (path_has_escape(p->text))
		return err_set(e, "\"%.*s\" has a %%-escape, but paths are "
		    "compared decoded; expected the character itself",
		    STR_ARG(p->written));
	if (str_index(p->text, '\\', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\" has a backslash, which no path "
		    "has; expected a slash", STR_ARG(p->written));
	if (path_is_unnormal(p->text, p->kind))
		return err_set(e, "\"%.*s\" has an empty segment, or one that "
		    "is only dots; paths are compared without them, expected "
		    "the same", STR_ARG(p->written));
	return true;
}

/* The marks that nginx puts before a path say nothing here. */
static bool
path_check_mark(struct str text, struct err *e)
{
	if (str_has_prefix(text, STR("~*")))
		return err_set(e, "(?i) makes a regular expression caseless; "
		    "did you mean \"~ (?i)%.*s\"?",
		    STR_ARG(str_trim(str_slice(text, 2, text.n))));
	if (str_has_prefix(text, STR("=")))
		return err_set(e, "a path without \"*\" is that path alone; "
		    "did you mean \"%.*s\"?",
		    STR_ARG(str_trim(str_slice(text, 1, text.n))));
	if (str_has_prefix(text, STR("^~")))
		return err_set(e, "the first route that matches is taken; did "
		    "you mean \"%.*s*\"?",
		    STR_ARG(str_trim(str_slice(text, 2, text.n))));
	return true;
}

static bool
path_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct path_pattern *p = out;
	bool at_start = text.n > 0 && text.p[0] == '*';
	bool at_end = text.n > 1 && text.p[text.n - 1] == '*';

	p->written = p->text = text;
	if (!path_check_mark(text, e))
		return false;
	if (pattern_is_regex(text)) {
		p->kind = PATH_REGEX;
		return pattern_parse_regex(a, text, &p->regex, e);
	}
	if (str_eq(text, STR("*")) || str_eq(text, STR("**")))
		return err_set(e, "every path is meant by leaving \"path\" "
		    "out, or by /*; expected less than \"%.*s\"",
		    STR_ARG(text));
	if (at_start && at_end)
		return err_set(e, "\"%.*s\" has a \"*\" at both ends; did you "
		    "mean the regular expression \"~ %.*s\"?", STR_ARG(text),
		    STR_ARG(str_slice(text, 1, text.n - 1)));
	if (!at_start && (text.n == 0 || text.p[0] != '/'))
		return err_set(e, "a path begins with a slash; did you mean "
		    "\"/%.*s\"?", STR_ARG(text));

	p->text = str_slice(text, at_start, text.n - at_end);
	p->kind = at_start ? PATH_SUFFIX :
	    !at_end ? PATH_EXACT :
	    p->text.p[p->text.n - 1] == '/' ? PATH_BELOW : PATH_PREFIX;
	return path_check_text(p, e);
}

bool
path_pattern_matches(const struct path_pattern *p, struct str path)
{
	switch (p->kind) {
	case PATH_EXACT:
		return str_eq(path, p->text);
	case PATH_BELOW:
	case PATH_PREFIX:
		return str_has_prefix(path, p->text);
	case PATH_SUFFIX:
		return str_has_suffix(path, p->text);
	case PATH_REGEX:
		break;
	}
	return regex_match(p->regex, path, NULL, NULL);
}

const struct conf_type conf_type_path_pattern = {
	.name = "path pattern",
	.expected = "a path as /x, /x/*, /x*, *.php or ~ REGEX",
	.size = sizeof(struct path_pattern),
	.parse = path_type_parse,
	.json = "\"type\": \"string\", \"pattern\": \"^[/*~]\""
};

/* ---- fronts of paths --------------------------------------------------- */

bool
path_front_parse(struct arena *a, struct str text, struct str *out,
    struct err *e)
{
	struct str path = text;

	if (text.n == 0 || text.p[0] != '/')
		return err_set(e, "a path begins with a slash; did you mean "
		    "\"/%.*s\"?", STR_ARG(text));
	if (str_has_suffix(text, STR("*")))
		return err_set(e, "\"%.*s\" is a pattern, but a front is "
		    "meant; did you mean \"%.*s\"?", STR_ARG(text),
		    STR_ARG(str_slice(text, 0, text.n - (text.n > 2 &&
		    str_has_suffix(text, STR("/*")) ? 2 : 1))));
	if (str_index(text, '?', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\" has a query, which is no part of "
		    "a path; expected the path alone", STR_ARG(text));
	if (path_has_escape(text))
		return err_set(e, "\"%.*s\" has a %%-escape, but this is of "
		    "the path decoded; expected the character itself",
		    STR_ARG(text));
	if (!path_settle(a, &path) || path.n < text.n)
		return err_set(e, "\"%.*s\" has an empty segment, one that is "
		    "only dots, a control or a backslash; expected a path "
		    "without them", STR_ARG(text));
	if (path.p[path.n - 1] == '/')
		path.n--;
	*out = path;
	return true;
}

static bool
path_front_type_parse(struct arena *a, struct str text, void *out,
    struct err *e)
{
	return path_front_parse(a, text, out, e);
}

static void
path_front_type_format(struct buf *b, const void *value)
{
	const struct str *s = value;

	buf_str(b, s->n > 0 ? *s : STR("/"));
}

const struct conf_type conf_type_path_front = {
	.name = "path",
	.expected = "a path as /x or /x/y",
	.size = sizeof(struct str),
	.parse = path_front_type_parse, .format = path_front_type_format,
	.json = "\"type\": \"string\", \"pattern\": \"^/\""
};

/* ---- values ------------------------------------------------------------ */

static bool
value_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct value_pattern *v = out;

	v->text = text;
	return !pattern_is_regex(text) ||
	    pattern_parse_regex(a, text, &v->regex, e);
}

bool
value_pattern_matches(const struct value_pattern *v, struct str value)
{
	return v->regex != NULL ? regex_match(v->regex, value, NULL, NULL) :
	    str_eq(value, v->text);
}

const struct conf_type conf_type_value_pattern = {
	.name = "value pattern",
	.expected = "a value, or ~REGEX",
	.size = sizeof(struct value_pattern),
	.parse = value_type_parse,
	.json = "\"type\": [\"string\", \"number\", \"boolean\"]"
};

/* ---- hosts ------------------------------------------------------------- */

/* RFC 1035 section 2.3.4. */
enum { HOST_MAX = 253, HOST_LABEL_MAX = 63 };

static bool
host_label_is_valid(struct str label)
{
	if (label.n == 0 || label.n > HOST_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		/* An underscore is no host name's, but clients send it. */
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return true;
}

static bool
host_name_is_valid(struct str name)
{
	struct str rest = name, label;

	if (name.n == 0 || name.n > HOST_MAX || name.p[name.n - 1] == '.')
		return false;
	while (str_split(&rest, '.', &label))
		if (!host_label_is_valid(label))
			return false;
	return true;
}

/* "[v6]" as clients write it: in the shortest form (RFC 5952). */
static bool
host_parse_v6(struct arena *a, struct str text, struct str *out,
    struct err *e)
{
	struct in6_addr ip;
	char z[INET6_ADDRSTRLEN];
	struct str inner = str_slice(text, 1, text.n - 1);

	if (text.p[text.n - 1] != ']') {
		if (str_contains(text, STR("]:")))
			return err_set(e, "a host has no port: that stands in "
			    "the site's \"listen\"");
		return err_set(e, "\"%.*s\" lacks its closing bracket",
		    STR_ARG(text));
	}
	if (inner.n >= sizeof z)
		inner.n = 0;
	memcpy(z, inner.p, inner.n);
	z[inner.n] = '\0';
	if (inet_pton(AF_INET6, z, &ip) != 1)
		return err_set(e, "\"%.*s\" is not an IPv6 address",
		    STR_ARG(text));
	inet_ntop(AF_INET6, &ip, z, sizeof z);
	*out = arena_strf(a, "[%s]", z);
	return true;
}

static bool
host_check_shape(struct str text, struct err *e)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return err_set(e, "\"%.*s\" is not ASCII; expected "
			    "the form that clients send, which begins with "
			    "xn-- (`idn2 NAME` prints it)", STR_ARG(text));
	if (str_contains(text, STR("://")))
		return err_set(e, "\"%.*s\" has a scheme; expected the host "
		    "alone", STR_ARG(text));
	if (str_index(text, '/', 0) != SIZE_MAX)
		return err_set(e, "\"%.*s\" has a path; expected the host "
		    "alone, paths are the routes'", STR_ARG(text));
	if (str_eq(text, STR("*")) || str_eq(text, STR("_")))
		return err_set(e, "every host is meant by `default: on` in "
		    "place of \"%.*s\"", STR_ARG(text));
	if (text.n > 1 && text.p[0] == '.')
		return err_set(e, "\"%.*s\" begins with a dot; did you mean "
		    "[%.*s, \"*%.*s\"]?", STR_ARG(text),
		    STR_ARG(str_slice(text, 1, text.n)), STR_ARG(text));
	return true;
}

static bool
host_check_colon(struct str text, struct err *e)
{
	size_t colon = str_index(text, ':', 0);

	if (colon == SIZE_MAX)
		return true;
	if (str_index(text, ':', colon + 1) != SIZE_MAX)
		return err_set(e, "an IPv6 address stands in brackets; did "
		    "you mean \"[%.*s]\"?", STR_ARG(text));
	return err_set(e, "a host has no port: that stands in the site's "
	    "\"listen\"; did you mean \"%.*s\"?",
	    STR_ARG(str_slice(text, 0, colon)));
}

static bool
host_parse_name(struct host_pattern *h, struct str lower, struct err *e)
{
	bool is_wildcard = str_has_prefix(lower, STR("*."));
	struct str name = str_slice(lower, is_wildcard ? 2 : 0, lower.n);

	if (str_index(name, '*', 0) != SIZE_MAX)
		return err_set(e, "the \"*\" in \"%.*s\" does not stand for "
		    "the first labels; expected *.NAME, or a regular "
		    "expression", STR_ARG(h->written));
	if (!host_check_colon(lower, e))
		return false;
	/* The root's dot is taken off what clients send as well. */
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (!host_name_is_valid(name))
		return err_set(e, "\"%.*s\" is not a host name",
		    STR_ARG(h->written));
	h->kind = is_wildcard ? HOST_WILDCARD : HOST_EXACT;
	h->text = is_wildcard ? str_of(name.p - 1, name.n + 1) : name;
	return true;
}

static bool
host_type_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct host_pattern *h = out;
	char *lower;

	h->written = h->text = text;
	if (pattern_is_regex(text)) {
		h->kind = HOST_REGEX;
		return pattern_parse_regex(a, text, &h->regex, e);
	}
	if (!host_check_shape(text, e))
		return false;
	lower = arena_memdup(a, text.p, text.n);
	for (size_t i = 0; i < text.n; i++)
		lower[i] = chr_lower(lower[i]);
	if (text.n > 0 && text.p[0] == '[')
		return host_parse_v6(a, str_of(lower, text.n), &h->text, e);
	return host_parse_name(h, str_of(lower, text.n), e);
}

const struct conf_type conf_type_host = {
	.name = "host",
	.expected = "a host as example.com, *.example.com or ~REGEX",
	.size = sizeof(struct host_pattern),
	.parse = host_type_parse,
	.json = "\"type\": \"string\""
};
