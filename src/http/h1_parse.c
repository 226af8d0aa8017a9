/*
 * HTTP/1 heads: where one ends, and what it says. One pass over the bytes, no
 * copy: names and values point into the head. On whatever two readers could
 * disagree about, the answer is no, and a reason from the table.
 *
 * Every head ends in LF (h1_scan_head sees to it), and no character class has
 * the LF: so loops over a class need no other end.
 */
#include "http/h1_parse.h"

#include "base/compiler.h"
#include "base/panic.h"

#include <endian.h>

/* What a head can hold. */
#define FIELDS_MAX 65000

/* A row for another place than a head would have come in between. */
_Static_assert((int)H1_OK == (int)REFUSAL_NONE &&
    (int)H1_BAD_STATUS == (int)REFUSAL_BAD_STATUS,
    "the rows of heads are the first of refusal.def");

/* ---- where a head ends ------------------------------------------------- */

size_t
h1_scan_head(const char *p, size_t n, size_t *scanned)
{
	size_t i = *scanned;
	const char *lf;

	while (i < n && (lf = memchr(p + i, '\n', n - i)) != NULL) {
		i = (size_t)(lf - p);
		/* A bare LF: the parser gets what there is, to refuse it. An
		 * empty line: the end. Else the end of some other line. */
		if (i == 0 || p[i - 1] != '\r' || i == 1 || p[i - 2] == '\n') {
			*scanned = 0;
			return i + 1;
		}
		i++;
	}
	/* A CR alone may become an empty line that h1_skip_blank takes. */
	*scanned = n == 1 && p[0] == '\r' ? 0 : n;
	return 0;
}

size_t
h1_scan_head_lf(const char *p, size_t n, size_t *scanned)
{
	size_t i = *scanned;
	const char *lf;

	while (i < n && (lf = memchr(p + i, '\n', n - i)) != NULL) {
		size_t begin = (size_t)(lf - p);

		i = begin + 1;
		if (begin > 0 && p[begin - 1] == '\r')
			begin--;
		if (begin == 0 || p[begin - 1] == '\n') {
			*scanned = 0;
			return i;
		}
	}
	*scanned = n == 1 && p[0] == '\r' ? 0 : n;
	return 0;
}

size_t
h1_skip_blank(const char *p, size_t n)
{
	size_t i = 0;

	while (i < 4 && i + 2 <= n && p[i] == '\r' && p[i + 1] == '\n')
		i += 2;
	return i;
}

/* ---- characters -------------------------------------------------------- */

/* Why the character at P may not stand there, if it is not just that OTHERWISE
 * was expected. */
static enum h1_refusal
h1_refuse_at(const char *p, enum h1_refusal otherwise)
{
	if (*p == '\n')
		return H1_BARE_LF;
	if (*p == '\r')
		return p[1] == '\n' ? otherwise : H1_CONTROL;
	return (unsigned char)*p < 0x20 || *p == 0x7f ? H1_CONTROL : otherwise;
}

/* P is just behind a line: its end is taken. False: there is none. */
static inline bool
h1_take_end(const char **p, bool bare_lf)
{
	if ((*p)[0] == '\r' && (*p)[1] == '\n') {
		*p += 2;
		return true;
	}
	if (bare_lf && (*p)[0] == '\n') {
		*p += 1;
		return true;
	}
	return false;
}

#define EACH_BYTE 0x0101010101010101u

/*
 * Of eight bytes those that are below LEAST or a DEL, as their highest bits.
 * The borrow of such a byte can spoil only those after it, so that the first is
 * exact.
 */
static inline uint64_t
h1_controls(uint64_t w, unsigned char least)
{
	uint64_t below = (w - EACH_BYTE * least) & ~w;
	uint64_t del = w ^ EACH_BYTE * 0x7f;

	del = (del - EACH_BYTE) & ~del;
	return (below | del) & EACH_BYTE * 0x80;
}

/* The first byte in memory is the lowest, whatever the machine. */
static inline uint64_t
h1_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return le64toh(w);
}

static inline const char *
h1_skip(const char *p, enum field_char what)
{
	while (field_char_is(*p, what))
		p++;
	return p;
}

/* To the first character that cannot be part of a value. */
static inline const char *
h1_skip_value(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t stop = h1_controls(h1_load(p), 0x20);

		if (stop == 0) {
			p += 8;
			continue;
		}
		p += __builtin_ctzll(stop) / 8;
		/* The one control that may be there. */
		if (*p != '\t')
			return p;
		p++;
	}
	return h1_skip(p, FIELD_CHAR_VALUE);
}

/* Likewise of a target: VCHAR, which also ends at a blank and at 0x80. */
static inline const char *
h1_skip_target(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t w = h1_load(p);
		uint64_t stop = h1_controls(w, 0x21) | (w & EACH_BYTE * 0x80);

		if (stop != 0)
			return p + __builtin_ctzll(stop) / 8;
	}
	return h1_skip(p, FIELD_CHAR_VISIBLE);
}

static inline bool
h1_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- what fields say about the message --------------------------------- */

/* The answers of a Transfer-Encoding, worst last. */
enum coding { CODING_NONE, CODING_CHUNKED, CODING_OTHER, CODING_MALFORMED };

struct h1_facts {
	int64_t length; /* -1: none */
	enum coding coding;
	bool ends_chunked; /* the last coding is chunked */
	unsigned hosts;
	bool has_upgrade;
	bool says_close, says_keep_alive, says_upgrade;
	bool bare_lf; /* of the limits */
	bool expects_continue, expects_other;
};

/*
 * RFC 9110 section 8.6 would let a list of equal numbers pass. Who counts on
 * the first and who on the last has to be found out by nobody.
 */
static enum h1_refusal
h1_read_length(struct h1_facts *f, struct str value)
{
	uint64_t v;

	if (f->length >= 0 || !str_to_u64(value, &v) || v > INT64_MAX)
		return H1_BAD_LENGTH;
	f->length = (int64_t)v;
	return H1_OK;
}

static enum coding
h1_coding_of(struct str element)
{
	size_t n = 0;

	if (str_case_eq(element, STR("chunked")))
		return CODING_CHUNKED;
	while (n < element.n && field_char_is(element.p[n], FIELD_CHAR_TOKEN))
		n++;
	/* "chunked;x" and "chunked x" are nobody's coding, but "gzip;q=1" is
	 * one that we do not have. */
	if (n == 0 || (n < element.n && element.p[n] != ';') ||
	    str_case_eq(str_slice(element, 0, n), STR("chunked")))
		return CODING_MALFORMED;
	return CODING_OTHER;
}

/* Empty elements are not skipped as elsewhere: "chunked," is a known way to
 * be understood by only one of two. */
static void
h1_read_coding(struct h1_facts *f, struct str value)
{
	size_t end;

	do {
		struct str element;
		enum coding c;

		end = str_index(value, ',', 0);
		element = str_trim(str_slice(value, 0, end));
		c = h1_coding_of(element);
		if (c == CODING_CHUNKED && f->coding == CODING_CHUNKED)
			c = CODING_MALFORMED;
		f->ends_chunked = c == CODING_CHUNKED;
		if (c > f->coding)
			f->coding = c;
		if (end != SIZE_MAX)
			value = str_slice(value, end + 1, value.n);
	} while (end != SIZE_MAX);
}

static void
h1_read_connection(struct h1_facts *f, struct str value)
{
	struct str option;

	while (field_next(&value, &option)) {
		if (str_case_eq(option, STR("keep-alive")))
			f->says_keep_alive = true;
		else if (str_case_eq(option, STR("close")))
			f->says_close = true;
		else if (str_case_eq(option, STR("upgrade")))
			f->says_upgrade = true;
	}
}

static enum h1_refusal
h1_read_field(struct h1_facts *f, enum field_id id, struct str value)
{
	if (id == FIELD_HOST) {
		f->hosts++;
	} else if (id == FIELD_CONNECTION) {
		h1_read_connection(f, value);
	} else if (id == FIELD_CONTENT_LENGTH) {
		return h1_read_length(f, value);
	} else if (id == FIELD_TRANSFER_ENCODING) {
		h1_read_coding(f, value);
	} else if (id == FIELD_EXPECT) {
		if (str_case_eq(value, STR("100-continue")))
			f->expects_continue = true;
		else
			f->expects_other = true;
	} else if (id == FIELD_UPGRADE) {
		f->has_upgrade = true;
	}
	return H1_OK;
}

/*
 * RFC 9112 section 6.1: both framings, a coding in HTTP/1.0, or one that is
 * not understood are each a way to have two readers see two messages. None is
 * repaired.
 */
static enum h1_refusal
h1_check_framing(const struct h1_facts *f, int minor)
{
	if (f->coding == CODING_NONE)
		return H1_OK;
	if (minor == 0)
		return H1_CODING_HTTP10;
	if (f->length >= 0)
		return H1_TWO_FRAMINGS;
	/* Without chunked at the end nobody can tell where the body ends:
	 * 400, not 501 (section 6.3, item 4). */
	if (f->coding == CODING_MALFORMED || !f->ends_chunked)
		return H1_BAD_CODING;
	return f->coding == CODING_OTHER ? H1_CODING_UNKNOWN : H1_OK;
}

/* RFC 9112 section 9.3 */
static bool
h1_closes(const struct h1_facts *f, int minor)
{
	return f->says_close || (minor == 0 && !f->says_keep_alive);
}

/* ---- fields ------------------------------------------------------------ */

/* P is at what ended a field name that is not followed by its colon. */
static enum h1_refusal
h1_refuse_name(const char *p, bool is_empty)
{
	if (!is_empty && h1_is_blank(*p)) {
		while (h1_is_blank(*p))
			p++;
		return h1_refuse_at(p, *p == ':' ? H1_BLANK_BEFORE_COLON :
		    H1_BAD_FIELD);
	}
	return h1_refuse_at(p, H1_BAD_FIELD);
}

/* One line at *P. */
static inline enum h1_refusal
h1_take_field(const char **p, const char *end, struct h1_facts *facts,
    struct head *head)
{
	const char *at = h1_skip(*p, FIELD_CHAR_TOKEN), *stop;
	struct str name = str_of(*p, (size_t)(at - *p)), value;
	enum field_id id;

	if (UNLIKELY(*at != ':' || name.n == 0))
		return h1_is_blank(**p) ? H1_FOLDED :
		    h1_refuse_name(at, name.n == 0);
	at++;
	while (h1_is_blank(*at))
		at++;

	stop = h1_skip_value(at, end);
	value = str_of(at, (size_t)(stop - at));
	if (UNLIKELY(!h1_take_end(&stop, facts->bare_lf)))
		return h1_refuse_at(stop, H1_CONTROL);
	*p = stop;
	while (value.n > 0 && h1_is_blank(value.p[value.n - 1]))
		value.n--;

	id = field_lookup(name);
	head_add(head, id, name, value);
	return id == FIELD_OTHER ? H1_OK : h1_read_field(facts, id, value);
}

static enum h1_refusal
h1_take_fields(const char *p, const char *end,
    const struct h1_limits *limits, struct h1_facts *facts,
    struct head *head)
{
	uint32_t left = limits->max_fields < FIELDS_MAX ?
	    limits->max_fields : FIELDS_MAX;

	while (!h1_take_end(&p, limits->bare_lf)) {
		enum h1_refusal r;

		ASSERT(p < end);
		if (left-- == 0)
			return H1_MANY_FIELDS;
		r = h1_take_field(&p, end, facts, head);
		if (r != H1_OK)
			return r;
	}
	ASSERT(p == end);
	return H1_OK;
}

/* ---- requests ---------------------------------------------------------- */

/* "HTTP/1.x", without what follows. */
static enum h1_refusal
h1_take_version(const char **p, const char *end, enum h1_refusal otherwise,
    int *minor)
{
	const char *v = *p;

	/* The empty line is there as well, so a whole version has room. */
	if (end - v < 10 || memcmp(v, "HTTP/", 5) != 0 || v[5] < '0' ||
	    v[5] > '9' || v[6] != '.' || v[7] < '0' || v[7] > '9')
		return otherwise;
	*minor = v[7] - '0';
	*p = v + 8;
	return v[5] != '1' || v[7] > '1' ? H1_VERSION : H1_OK;
}

/* The last word of a request line is wrong; P is where it begins. */
static enum h1_refusal
h1_refuse_version(const char *p)
{
	p = h1_skip(p, FIELD_CHAR_VISIBLE);
	return h1_refuse_at(p, *p == ' ' ? H1_BAD_LINE : H1_BAD_VERSION);
}

/* RFC 9112 section 3: exactly method, target and version, each followed by one
 * character. Lenience about blanks is what request smuggling began with. */
static enum h1_refusal
h1_take_request_line(const char **p, const char *end,
    const struct h1_limits *limits, struct h1_request *out)
{
	const char *begin = *p, *at = h1_skip(begin, FIELD_CHAR_TOKEN);
	enum h1_refusal r;

	out->method_name = str_of(begin, (size_t)(at - begin));
	if (*at != ' ' || at == begin)
		return h1_refuse_at(at, at == begin || *at == '\r' ?
		    H1_BAD_LINE : H1_BAD_METHOD);
	if (out->method_name.n > METHOD_MAX)
		return H1_METHOD_UNKNOWN;
	out->method = method_lookup(out->method_name);

	begin = at + 1;
	at = h1_skip_target(begin, end);
	out->target = str_of(begin, (size_t)(at - begin));
	if (*at != ' ')
		return h1_refuse_at(at, *at == '\r' ? H1_BAD_LINE :
		    H1_BAD_TARGET);
	if (at == begin)
		return H1_BAD_LINE;
	if (out->target.n > limits->max_target)
		return H1_LONG_TARGET;

	begin = at + 1;
	at = begin;
	r = h1_take_version(&at, end, H1_BAD_VERSION, &out->minor);
	if (r == H1_BAD_VERSION || !h1_take_end(&at, limits->bare_lf))
		return h1_refuse_version(begin);
	*p = at;
	return r;
}

static enum h1_refusal
h1_check_request(const struct h1_facts *f, int minor)
{
	enum h1_refusal r = h1_check_framing(f, minor);

	if (r != H1_OK)
		return r;
	/* RFC 9112 section 3.2 */
	if (f->hosts > 1)
		return H1_MANY_HOSTS;
	if (f->hosts == 0 && minor > 0)
		return H1_NO_HOST;
	/* RFC 9110 section 10.1.1: HTTP/1.0 did not know it. */
	return f->expects_other && minor > 0 ? H1_BAD_EXPECT : H1_OK;
}

enum h1_refusal
h1_parse_request(const char *p, size_t n, const struct h1_limits *limits,
    struct h1_request *out, struct head *head)
{
	struct h1_facts f = {.length = -1, .bare_lf = limits->bare_lf};
	const char *end = p + n;
	enum h1_refusal r;

	ASSERT(n > 0 && end[-1] == '\n');
	*out = (struct h1_request){.content_length = -1};
	r = h1_take_request_line(&p, end, limits, out);
	if (r == H1_OK)
		r = h1_take_fields(p, end, limits, &f, head);
	if (r == H1_OK)
		r = h1_check_request(&f, out->minor);
	if (r != H1_OK)
		return r;

	out->content_length = f.length;
	out->chunked = f.coding == CODING_CHUNKED;
	out->close = h1_closes(&f, out->minor);
	/* Who says both means the one that is safe. */
	out->keep_alive = f.says_keep_alive && !f.says_close;
	/* Of an older client both are to be ignored (RFC 9110 sections 10.1.1
	 * and 7.8). */
	out->expect_continue = f.expects_continue && out->minor > 0;
	out->upgrade = f.says_upgrade && f.has_upgrade && out->minor > 0;
	return H1_OK;
}

/* ---- responses --------------------------------------------------------- */

/* RFC 9112 section 4; servers that leave out the reason tend to leave out the
 * blank before it, too. */
static enum h1_refusal
h1_take_status_line(const char **p, const char *end, bool bare_lf,
    struct h1_response *out)
{
	const char *at = *p, *begin;
	enum h1_refusal r;

	r = h1_take_version(&at, end, H1_BAD_STATUS, &out->minor);
	if (r != H1_OK)
		return r == H1_BAD_STATUS ?
		    h1_refuse_at(h1_skip(at, FIELD_CHAR_VISIBLE), r) : r;
	if (*at++ != ' ')
		return h1_refuse_at(at - 1, H1_BAD_STATUS);
	for (int i = 0; i < 3; i++, at++) {
		if (*at < (i == 0 ? '1' : '0') || *at > '9')
			return h1_refuse_at(at, H1_BAD_STATUS);
		out->status = out->status * 10 + *at - '0';
	}
	if (*at != ' ' && *at != '\r' && !(bare_lf && *at == '\n'))
		return h1_refuse_at(at, H1_BAD_STATUS);
	if (*at == ' ')
		at++;

	begin = at;
	at = h1_skip_value(at, end);
	out->reason = str_of(begin, (size_t)(at - begin));
	if (!h1_take_end(&at, bare_lf))
		return h1_refuse_at(at, H1_CONTROL);
	*p = at;
	return H1_OK;
}

enum h1_refusal
h1_parse_response(const char *p, size_t n, const struct h1_limits *limits,
    struct h1_response *out, struct head *head)
{
	struct h1_facts f = {.length = -1, .bare_lf = limits->bare_lf};
	const char *end = p + n;
	enum h1_refusal r;

	ASSERT(n > 0 && end[-1] == '\n');
	*out = (struct h1_response){.content_length = -1};
	r = h1_take_status_line(&p, end, limits->bare_lf, out);
	if (r == H1_OK)
		r = h1_take_fields(p, end, limits, &f, head);
	if (r == H1_OK)
		r = h1_check_framing(&f, out->minor);
	if (r != H1_OK)
		return r;

	out->content_length = f.length;
	out->chunked = f.coding == CODING_CHUNKED;
	out->close = h1_closes(&f, out->minor);
	out->upgrade = f.says_upgrade && f.has_upgrade;
	return H1_OK;
}
