/*
 * The scalar types that every floor uses. A parse function gets the text as it
 * stands in the arena with a NUL after it, and says nothing in its error when
 * the type's `expected` already says it all.
 */
#include "base/units.h"
#include "conf/run.h"

#include <inttypes.h>
#include <stdlib.h>

static bool
type_parse_bool(struct arena *a, struct str text, void *out, struct err *e)
{
	static const struct {
		struct str word;
		bool value;
	} words[] = {
		{STR_INIT("on"), true}, {STR_INIT("off"), false},
		{STR_INIT("true"), true}, {STR_INIT("false"), false},
		{STR_INIT("yes"), true}, {STR_INIT("no"), false}
	};

	(void)a;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (!str_case_eq(text, words[i].word))
			continue;
		*(bool *)out = words[i].value;
		return true;
	}
	return err_set(e, "%s", "");
}

static void
type_format_bool(struct buf *b, const void *value)
{
	buf_z(b, *(const bool *)value ? "on" : "off");
}

static bool
type_parse_int(struct arena *a, struct str text, void *out, struct err *e)
{
	bool is_negative = text.n > 0 && text.p[0] == '-';
	uint64_t v;

	(void)a;
	if (!str_to_u64(str_slice(text, is_negative, text.n), &v) ||
	    v > INT64_MAX)
		return err_set(e, "%s", "");
	*(int64_t *)out = is_negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static void
type_format_int(struct buf *b, const void *value)
{
	buf_printf(b, "%" PRId64, *(const int64_t *)value);
}

static bool
type_parse_size(struct arena *a, struct str text, void *out, struct err *e)
{
	(void)a;
	if (!units_parse_size(text, out, NULL))
		return err_set(e, "%s", "");
	return true;
}

static void
type_format_size(struct buf *b, const void *value)
{
	units_format_size(b, *(const uint64_t *)value);
}

static bool
type_parse_duration(struct arena *a, struct str text, void *out,
    struct err *e)
{
	uint64_t bare;

	(void)a;
	if (units_parse_duration(text, out, NULL))
		return true;
	if (str_to_u64(text, &bare))
		return err_set(e, "a duration needs a unit: %.*ss or %.*sms?",
		    STR_ARG(text), STR_ARG(text));
	return err_set(e, "%s", "");
}

static void
type_format_duration(struct buf *b, const void *value)
{
	units_format_duration(b, *(const uint64_t *)value);
}

static bool
type_parse_str(struct arena *a, struct str text, void *out, struct err *e)
{
	(void)a;
	(void)e;
	*(char **)out = (char *)text.p;
	return true;
}

static void
type_format_str(struct buf *b, const void *value)
{
	const char *s = *(char *const *)value;

	if (s != NULL)
		buf_z(b, s);
}

static bool
type_parse_path(struct arena *a, struct str text, void *out, struct err *e)
{
	if (text.n == 0)
		return err_set(e, "%s", "");
	return type_parse_str(a, text, out, e);
}

static bool
type_parse_text(struct arena *a, struct str text, void *out, struct err *e)
{
	(void)a;
	(void)e;
	((struct conf_text *)out)->s = text;
	return true;
}

static void
type_format_text(struct buf *b, const void *value)
{
	buf_str(b, ((const struct conf_text *)value)->s);
}

/* YAML readers turn a bare 8080 or no into something else before a JSON Schema
 * sees it; hence more than "string" in the fragments. */
const struct conf_type conf_type_bool = {
	.name = "on/off", .expected = "on or off", .size = sizeof(bool),
	.parse = type_parse_bool, .format = type_format_bool,
	.json = "\"enum\": [true, false, \"on\", \"off\", \"yes\", \"no\"]"
};
const struct conf_type conf_type_int = {
	.name = "number", .expected = "a whole number",
	.size = sizeof(int64_t),
	.parse = type_parse_int, .format = type_format_int,
	.json = "\"type\": [\"integer\", \"string\"], "
	    "\"pattern\": \"^-?[0-9]+$\""
};
const struct conf_type conf_type_size = {
	.name = "size", .expected = "a size such as 512, 8k or 1m",
	.size = sizeof(uint64_t),
	.parse = type_parse_size, .format = type_format_size,
	.json = "\"type\": [\"integer\", \"string\"], "
	    "\"minimum\": 0, \"pattern\": \"^[0-9]+[kKmMgG]?$\""
};
const struct conf_type conf_type_duration = {
	.name = "duration",
	.expected = "a duration with its unit such as 500ms, 30s or 5m",
	.size = sizeof(uint64_t),
	.parse = type_parse_duration, .format = type_format_duration,
	.json = "\"type\": [\"string\", \"integer\"], "
	    "\"maximum\": 0, \"pattern\": \"^(0|([0-9]+(ms|s|m|h|d))+)$\""
};
const struct conf_type conf_type_str = {
	.name = "string", .expected = "a string", .size = sizeof(char *),
	.parse = type_parse_str, .format = type_format_str,
	.json = "\"type\": [\"string\", \"number\", \"boolean\"]"
};
const struct conf_type conf_type_path = {
	.name = "path", .expected = "a path", .size = sizeof(char *),
	.parse = type_parse_path, .format = type_format_str,
	.json = "\"type\": \"string\""
};
const struct conf_type conf_type_text = {
	.name = "string", .expected = "a string",
	.size = sizeof(struct conf_text),
	.parse = type_parse_text, .format = type_format_text,
	.json = "\"type\": [\"string\", \"number\", \"boolean\"]"
};
