/*
 * Field names and the syntax of field values. A name is found by a hash that
 * was chosen once: field.def says where each lies, the compiler refuses two in
 * one place, and a test keeps the numbers true. Nothing here allocates or
 * changes, so every thread may ask.
 */
#include "http/field.h"

#define NAME_MAX_LENGTH 19 /* "if-unmodified-since" */

struct field_row {
	char name[NAME_MAX_LENGTH + 1];
	char written[NAME_MAX_LENGTH + 1];
	uint8_t n, flags;
};

static const struct field_row rows[FIELD_COUNT] = {
#define FIELD(id, slot, name, written, flags) \
	[FIELD_##id] = {name, written, sizeof(name) - 1, flags},
#include "http/field.def"
#undef FIELD
};

static const uint8_t slots[256] = {
#define FIELD(id, slot, name, written, flags) [slot] = FIELD_##id,
#include "http/field.def"
#undef FIELD
};

/* TOKEN 1, VALUE 2, VISIBLE 4; one row for sixteen characters. */
const uint8_t field_chars[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* HTAB */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	2, 7, 6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, /*  !"#$%&'()*+,-./ */
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, /* 0..9 :;<=>? */
	6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* @ A..O */
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7, /* P..Z [\]^_ */
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* ` a..o */
	7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0, /* p..z {|}~ DEL */
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* obs-text */
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};

/* ---- names ------------------------------------------------------------- */

/* The factors were found by trial: no two names of field.def meet. One that
 * is added may, and then lies in the next free slot. */
static inline uint8_t
field_hash(struct str name)
{
	unsigned first = (unsigned char)name.p[0] | 0x20u;
	unsigned third = (unsigned char)name.p[name.n * 3 / 4] | 0x20u;
	unsigned last = (unsigned char)name.p[name.n - 1] | 0x20u;

	return (uint8_t)(name.n + 4 * first + third + 58 * last);
}

/* The bits in which N bytes at P differ from lower-case NAME, beyond the case
 * of letters. The names have only letters and "-": it is the 0x40 of a letter
 * that lets the 0x20 be anything. */
static inline uint64_t
field_differ_8(const char *p, const char *name)
{
	const uint64_t letter = 0x4040404040404040u;
	uint64_t a, b;

	memcpy(&a, p, 8);
	memcpy(&b, name, 8);
	return (a ^ b) & ~((b & letter) >> 1);
}

static inline bool
field_is(const struct field_row *row, struct str name)
{
	uint64_t differ = 0;
	size_t n = name.n;

	if (row->n != n)
		return false;
	if (n < 8) {
		for (size_t i = 0; i < n; i++)
			differ |= (uint64_t)(name.p[i] ^ row->name[i]) &
			    ~(uint64_t)((row->name[i] & 0x40) >> 1);
		return differ == 0;
	}
	/* The last eight may overlap what was compared already. */
	for (size_t i = 0; i + 8 < n; i += 8)
		differ |= field_differ_8(name.p + i, row->name + i);
	differ |= field_differ_8(name.p + n - 8, row->name + n - 8);
	return differ == 0;
}

enum field_id
field_lookup(struct str name)
{
	uint8_t slot;

	if (name.n == 0 || name.n > NAME_MAX_LENGTH)
		return FIELD_OTHER;
	/* Most slots are empty: a name that nobody knows ends here at once. */
	for (slot = field_hash(name); slots[slot] != FIELD_OTHER; slot++)
		if (field_is(&rows[slots[slot]], name))
			return (enum field_id)slots[slot];
	return FIELD_OTHER;
}

struct str
field_name(enum field_id id)
{
	return str_of(rows[id].name, rows[id].n);
}

struct str
field_written(enum field_id id)
{
	return str_of(rows[id].written, rows[id].n);
}

unsigned
field_flags(enum field_id id)
{
	return rows[id].flags;
}

/* ---- values ------------------------------------------------------------ */

/* Length of the first element of S: up to a comma outside of quotes. */
static size_t
field_element_length(struct str s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == ',')
			return i;
	}
	return s.n;
}

bool
field_next(struct str *rest, struct str *element)
{
	while (rest->n > 0) {
		size_t n = field_element_length(*rest);

		*element = str_trim(str_slice(*rest, 0, n));
		*rest = str_slice(*rest, n + 1, rest->n);
		/* RFC 9110 section 5.6.1.2: empty elements do not count. */
		if (element->n > 0)
			return true;
	}
	return false;
}

bool
field_has_token(struct str value, struct str token)
{
	struct str element;

	while (field_next(&value, &element))
		if (str_case_eq(element, token))
			return true;
	return false;
}

struct str
field_cookie(struct str value, struct str name)
{
	struct str pair;

	while (value.n > 0) {
		size_t end = str_index(value, ';', 0);
		size_t equals;

		pair = str_trim(str_slice(value, 0, end));
		value = end == SIZE_MAX ? str_of(NULL, 0) :
		    str_slice(value, end + 1, value.n);
		equals = str_index(pair, '=', 0);
		if (equals != SIZE_MAX &&
		    str_eq(str_slice(pair, 0, equals), name))
			return str_slice(pair, equals + 1, pair.n);
	}
	return str_of(NULL, 0);
}

static bool
field_consists_of(struct str s, enum field_char what)
{
	for (size_t i = 0; i < s.n; i++)
		if (!field_char_is(s.p[i], what))
			return false;
	return true;
}

bool
field_token_is_valid(struct str s)
{
	return s.n > 0 && field_consists_of(s, FIELD_CHAR_TOKEN);
}

bool
field_value_is_valid(struct str s)
{
	return field_consists_of(s, FIELD_CHAR_VALUE);
}
