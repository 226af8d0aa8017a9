/*
 * Fields by themselves (RFC 9110 section 5): the names that the code knows, and
 * the syntax that their values share.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "base/str.h"

enum field_flag { FIELD_HOP = 1, FIELD_FRAMING = 2, FIELD_SINGLE = 4 };

enum field_id {
	FIELD_OTHER, /* any name that field.def does not list */
#define FIELD(id, slot, name, written, flags) FIELD_##id,
#include "http/field.def"
#undef FIELD
	FIELD_COUNT
};

/* The id of a name, case does not count; O(1). */
enum field_id field_lookup(struct str name);
struct str field_name(enum field_id id); /* lower case; not of FIELD_OTHER */
struct str field_written(enum field_id id); /* "Content-Type"; likewise */
unsigned field_flags(enum field_id id);

/* Whether TOKEN is an element of the comma list VALUE (case does not count). */
bool field_has_token(struct str value, struct str token);
/* The next element of a comma list, trimmed, empty ones skipped. Commas in
 * quoted strings do not separate. */
bool field_next(struct str *rest, struct str *element);

/* The value of a cookie by exact name in a Cookie value; p == NULL: none. */
struct str field_cookie(struct str value, struct str name);

/* What a character may be part of, for parsers; none: a control. */
enum field_char {
	FIELD_CHAR_TOKEN = 1,   /* tchar, RFC 9110 section 5.6.2 */
	FIELD_CHAR_VALUE = 2,   /* field values with their blanks, section 5.5 */
	FIELD_CHAR_VISIBLE = 4  /* VCHAR: ASCII without blanks */
};
extern const uint8_t field_chars[256];

static inline bool
field_char_is(char c, unsigned what)
{
	return (field_chars[(unsigned char)c] & what) != 0;
}

bool field_token_is_valid(struct str s);
bool field_value_is_valid(struct str s);

#endif
