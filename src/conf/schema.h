/*
 * The schema of the configuration: every key is one row in a table beside the
 * code that uses it. From the rows come loading and its messages, inheritance,
 * `weir -T`, weir.yaml(5) and the JSON Schema; nothing about a key is written
 * twice.
 *
 *   struct auth_basic_conf { char *realm; char *users; };
 *
 *   static const struct conf_field auth_basic_fields[] = {
 *           KEY_STR(auth_basic_conf, realm, .dflt = "restricted",
 *               .doc = "Name of the protected area, shown by browsers."),
 *           KEY_PATH(auth_basic_conf, users, .flags = CONF_REQUIRED,
 *               .doc = "File of name:hash lines."),
 *           KEY_END
 *   };
 *   const struct conf_schema auth_basic_schema = {
 *           .name = "auth_basic", .size = sizeof(struct auth_basic_conf),
 *           .fields = auth_basic_fields, .doc = "..." };
 *
 * A row whose kind does not fit its C member does not compile.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_load; /* one run of the loader, conf/load.h */
struct conf_schema;

/* Where something stands. line 0: nowhere (a default, the command line). */
struct conf_pos {
	uint32_t file; /* index into the load's files */
	uint32_t line; /* 1.. */
	uint32_t column; /* 1.., in characters */
};

/*
 * A scalar type. Floors above add their own (an address, a path pattern, a
 * string with variables): parse turns the text into the C value at OUT, which
 * is zero-filled; what it allocates comes from A. TEXT lives as long as A and
 * has a NUL after it (and none in it), so a value may point into it. When
 * `expected` says all there is to say of a bad value, the error stays empty.
 */
struct conf_type {
	const char *name;     /* "size", shown as the type in the manual */
	const char *expected; /* "a size such as 512, 8k or 1m", for messages */
	size_t size;
	bool (*parse)(struct arena *a, struct str text, void *out,
	    struct err *e);
	/* In its place for what leans on names that are declared elsewhere
	 * (conf_declared); LOAD has the arena. NULL: parse serves. */
	bool (*parse_in)(struct conf_load *load, struct str text, void *out,
	    struct err *e);
	/* Writes the value as an operator would. NULL: the text that was read
	 * is kept and shown (the loader does that). */
	void (*format)(struct buf *b, const void *value);
	const char *json; /* JSON Schema fragment: "\"type\": \"string\"" */
};

enum conf_shape {
	CONF_SCALAR, /* one value of .type at the offset */
	CONF_CHOICE, /* int at the offset: index into .choices */
	CONF_BLOCK,  /* pointer to a struct of .schema; NULL when absent */
	CONF_LIST,   /* struct conf_list of scalars (.type) or blocks (.schema);
	              * a single value is taken as a list of one */
	CONF_MAP     /* struct conf_map of scalars, blocks or, with
	              * CONF_OF_LISTS, struct conf_list of scalars */
};

enum conf_flag {
	CONF_REQUIRED = 1 << 0,
	/* `key: off` gives an empty block whose conf_is_off() is true, and cuts
	 * inheritance. */
	CONF_CAN_BE_OFF = 1 << 1,
	CONF_OF_LISTS = 1 << 2,
	/* The value is a secret: -T shows "(secret)". */
	CONF_SECRET = 1 << 3,
	/* Items of a list are appended to the outer level's, not replacing. */
	CONF_APPENDS = 1 << 4,
	/* The value of another type is a path: relative to the file that
	 * names it, made absolute when loaded. conf_type_path needs no flag. */
	CONF_IS_PATH = 1 << 5,
	/* Is not inherited from outer levels. */
	CONF_LOCAL = 1 << 6,
	/* An absent block is created with its defaults (never NULL). */
	CONF_ALWAYS = 1 << 7,
	/* Inherited keys of the map are replaced whatever their case. */
	CONF_CASELESS = 1 << 8,
	/* A list of strings: where it is given, the maps of its block do not
	 * inherit these keys, whatever their case. */
	CONF_DROPS = 1 << 9,
	/* The keys of this map of the outermost block are known, by
	 * conf_declared, before anything else is loaded. */
	CONF_DECLARES = 1 << 10,
	/* A map whose entries stand in its block itself, beside the other keys:
	 * what begins with a digit. Its name is for the manual only. */
	CONF_NUMBERED = 1 << 11,
	/* `key: on` gives a block with nothing but defaults and what it
	 * inherits. */
	CONF_CAN_BE_ON = 1 << 12
};

struct conf_field {
	const char *name;
	enum conf_shape shape;
	const struct conf_type *type;     /* scalars, lists and maps of them */
	const struct conf_schema *schema; /* blocks, lists and maps of them */
	size_t offset;
	const char *dflt;           /* as an operator would write it */
	const char *min, *max;      /* likewise; numbers, sizes, durations */
	const char *const *choices; /* ends with NULL */
	unsigned flags;
	const char *doc;     /* sentences: upper case, and a stop at the end */
	const char *example; /* YAML value, optional */
};

/* A word that operators know from another server, and what says it here. */
struct conf_foreign {
	const char *word;
	const char *in; /* the schema where it is typed; NULL: any */
	const char *advice;
};

struct conf_schema {
	const char *name; /* "upstream", for messages: `in this upstream` */
	const char *doc;
	size_t size;
	const struct conf_field *fields; /* ends with KEY_END */
	/* More rows, from a floor above (modules); their offsets count from
	 * EXTRA_OFFSET. NULL: none. */
	const struct conf_field *extra;
	size_t extra_offset;
	/* A scalar (or, if that field is a list, a list) in place of the map is
	 * the value of this field: `proxy: app`. NULL: not allowed. */
	const char *shorthand;
	/* Called after a block and all in it are loaded and before inheritance:
	 * what rows cannot say. Reports by conf_error. May be NULL. */
	void (*check)(struct conf_load *load, void *block);
	const char *example; /* complete YAML, run through -t by make check */
	/* Of the whole configuration, at its root; ends with a NULL word. */
	const struct conf_foreign *foreign;
};

/* A list: N items of the type's or schema's size side by side; blocks are
 * pointers. */
struct conf_list {
	size_t n;
	void *items;
	const struct conf_pos *pos; /* of each item */
};

struct conf_entry {
	struct str key;
	void *value; /* points at the scalar, the conf_list or the block */
	struct conf_pos key_pos, pos;
};

struct conf_map {
	size_t n;
	struct conf_entry *entries; /* in the order of the file */
};

#define CONF_ITEM(list, type, i) (((type *)(list)->items)[i])
/* for (CONF_EACH(struct server_conf *, s, &up->servers)) ... */
#define CONF_EACH(type, var, list) \
	type *var = (type *)(list)->items; \
	var != NULL && var < (type *)(list)->items + (list)->n; var++

/* A scalar as it stood, with its place: for what is compiled later. */
struct conf_text {
	struct str s;
	struct conf_pos pos;
};

/* The scalar types every floor uses. */
extern const struct conf_type conf_type_bool;     /* bool */
extern const struct conf_type conf_type_int;      /* int64_t */
extern const struct conf_type conf_type_size;     /* uint64_t bytes */
extern const struct conf_type conf_type_duration; /* uint64_t ms */
extern const struct conf_type conf_type_str;      /* char *, NUL-terminated */
extern const struct conf_type conf_type_path;     /* char *, made absolute */
extern const struct conf_type conf_type_text;     /* struct conf_text; the
                                                   * loader fills pos */

/* The offset of MEMBER, but only if it has type TYPE. */
#define CONF_OFFSET(struct_, member, type_) \
	_Generic(((struct struct_ *)0)->member, \
	    type_: offsetof(struct struct_, member))

#define KEY_SCALAR_(struct_, member, type_, conf_type_, ...) \
	{.name = #member, .shape = CONF_SCALAR, .type = &(conf_type_), \
	 .offset = CONF_OFFSET(struct_, member, type_), __VA_ARGS__}
#define KEY_BOOL(s, m, ...) KEY_SCALAR_(s, m, bool, conf_type_bool, __VA_ARGS__)
#define KEY_INT(s, m, ...) \
	KEY_SCALAR_(s, m, int64_t, conf_type_int, __VA_ARGS__)
#define KEY_SIZE(s, m, ...) \
	KEY_SCALAR_(s, m, uint64_t, conf_type_size, __VA_ARGS__)
#define KEY_DURATION(s, m, ...) \
	KEY_SCALAR_(s, m, uint64_t, conf_type_duration, __VA_ARGS__)
#define KEY_STR(s, m, ...) KEY_SCALAR_(s, m, char *, conf_type_str, __VA_ARGS__)
#define KEY_TEXT(s, m, ...) \
	KEY_SCALAR_(s, m, struct conf_text, conf_type_text, __VA_ARGS__)
#define KEY_PATH(s, m, ...) \
	KEY_SCALAR_(s, m, char *, conf_type_path, __VA_ARGS__)
/* CTYPE is the C type of the member, TYPE a struct conf_type. */
#define KEY_OTHER(s, m, ctype, conf_type_, ...) \
	KEY_SCALAR_(s, m, ctype, conf_type_, __VA_ARGS__)
#define KEY_CHOICE(s, m, choices_, ...) \
	{.name = #m, .shape = CONF_CHOICE, .choices = (choices_), \
	 .offset = CONF_OFFSET(s, m, int), __VA_ARGS__}
#define KEY_BLOCK(s, m, ctype, schema_, ...) \
	{.name = #m, .shape = CONF_BLOCK, .schema = &(schema_), \
	 .offset = CONF_OFFSET(s, m, ctype *), __VA_ARGS__}
#define KEY_LIST(s, m, conf_type_, ...) \
	{.name = #m, .shape = CONF_LIST, .type = &(conf_type_), \
	 .offset = CONF_OFFSET(s, m, struct conf_list), __VA_ARGS__}
#define KEY_BLOCKS(s, m, schema_, ...) \
	{.name = #m, .shape = CONF_LIST, .schema = &(schema_), \
	 .offset = CONF_OFFSET(s, m, struct conf_list), __VA_ARGS__}
#define KEY_MAP(s, m, conf_type_, ...) \
	{.name = #m, .shape = CONF_MAP, .type = &(conf_type_), \
	 .offset = CONF_OFFSET(s, m, struct conf_map), __VA_ARGS__}
#define KEY_BLOCK_MAP(s, m, schema_, ...) \
	{.name = #m, .shape = CONF_MAP, .schema = &(schema_), \
	 .offset = CONF_OFFSET(s, m, struct conf_map), __VA_ARGS__}
#define KEY_END {.name = NULL}

/*
 * About a loaded block (any struct that the loader made; it keeps a small
 * header before the struct).
 */
/* Whether the file set this member (and not a default or inheritance). */
bool conf_is_set(const void *block, const void *member);
/* Whether it was written as `off`. NULL is not off. */
bool conf_is_off(const void *block);
/* The place of a member's value, or, when it was not set, of the block. */
struct conf_pos conf_pos_of(const void *block, const void *member);
struct conf_pos conf_block_pos(const void *block);

#endif
