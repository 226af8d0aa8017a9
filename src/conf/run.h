/*
 * What the files of this floor share about one run of the loader. Nobody above
 * includes this.
 */
#ifndef CONF_RUN_H
#define CONF_RUN_H

#include "base/map.h"
#include "base/utf8.h"
#include "conf/load.h"
#include "conf/node.h"

#define CONF_LOAD_MAGIC 0xC0F10AD5u
#define CONF_SHOWN_MAX 20 /* diagnostics of a kind that are printed */

struct conf_file {
	const char *path; /* as shown */
	struct str text;
	bool is_override;  /* a -g text */
	bool is_default;   /* a default that is written as YAML */
	uint32_t parent;   /* the file that includes it; itself: none */
	struct conf_pos cut; /* a syntax error: nothing is known from here on */
	struct conf_pos included_at;
};

struct diag {
	struct conf_pos pos;
	const char *code;
	const char *text;
	bool is_error;
	size_t order;
};

struct conf_load {
	uint32_t magic;
	struct arena *arena;
	struct arena *tree; /* the YAML trees; only while a file is loaded */
	struct conf_source *source;
	struct conf_file *files;
	size_t n_files, cap_files;
	struct diag *diags;
	size_t n_diags, cap_diags, errors, warnings;
	size_t reports; /* errors, counting those that were known */
	struct map *extras;   /* address of extra members -> struct block */
	struct map *defaults; /* row -> struct node */
	struct conf_declared **declared;
	size_t n_declared;
	struct map *declared_by_name;
	void *root;
	const struct conf_schema *root_schema;
	/* The row whose block is written short, `listen: 80`: messages speak of
	 * what stands in the file. NULL: none. */
	const struct conf_field *short_for;
	struct secret *secrets;
};

/* Adds a file; its index. */
uint32_t file_add(struct conf_load *load, struct conf_file file);
const struct conf_file *file_of(const struct conf_load *load,
    struct conf_pos pos);
/* PATH relative to the directory of the file that names it. */
char *file_relative(struct conf_load *load, struct conf_pos pos,
    struct str path);

/* Parses TEXT, which is that of FILE, into a tree from A. NULL: it is empty,
 * or nothing of it could be read (which was reported). */
struct node *yaml_read(struct conf_load *load, struct arena *a,
    uint32_t file, struct str text);

/* What a parser of libyaml that failed in FILE means to say, and where. */
struct yaml_parser_s;
const char *yaml_problem(struct conf_load *load, uint32_t file,
    const struct yaml_parser_s *parser, struct conf_pos *pos);

/* The main file with its includes and overrides as one tree. */
struct node *include_read(struct conf_load *load, const char *path,
    const struct conf_schema *schema, const char *const *overrides,
    size_t n_overrides);

/* Puts ${env:} and ${file:} in; false after a report. The result lives in the
 * load's arena and has a NUL after it. */
bool interpolate(struct conf_load *load, const struct node *node,
    struct str *out);
/* Whether there is something to put in. */
bool interpolate_wants(struct str text);

/* VALUE came from the file PATH and is not to be shown. */
void secret_note(struct conf_load *load, const char *path, struct str value);
/* TEXT, with ${file:PATH} in place of what came from there. */
struct str secret_veil(const struct conf_load *load, struct str text);

/* ---- rows -------------------------------------------------------------- */

/* All rows of a schema, the extra ones included:
 *   struct row_walk w = {.schema = s};
 *   while (row_next(&w)) ... w.row, w.offset */
struct row_walk {
	const struct conf_schema *schema;
	const struct conf_field *row;
	size_t offset; /* in the block's struct */
	bool in_extra;
};
bool row_next(struct row_walk *w);
bool row_find(const struct conf_schema *schema, struct str name,
    struct row_walk *out);
/* The map that takes the key NAME. */
bool row_find_numbered(const struct conf_schema *schema, struct str name,
    struct row_walk *out);
bool row_is_numbered(const struct conf_field *row);
bool row_is_path(const struct conf_field *row);
/* Whether it holds blocks other than as the one block of its key. */
bool row_has_many_blocks(const struct conf_field *row);

/* ---- blocks ------------------------------------------------------------ */

enum origin { ORIGIN_FILE, ORIGIN_OVERRIDE, ORIGIN_INHERITED };

/* What is known of a member beyond its default. */
struct mark {
	const struct conf_field *row;
	uint32_t offset;
	enum origin origin;
	struct conf_pos pos;
	const char *text; /* of a scalar whose type cannot format */
	size_t appended;  /* items at a list's front that are the outer's */
};

#define BLOCK_MAGIC 0xB10CB10Cu

/* Stands before every loaded struct. Members that have no mark hold their
 * defaults: a route has many rows and few keys. */
struct block {
	uint32_t magic;
	bool is_off;
	const struct conf_schema *schema;
	struct conf_pos pos;
	struct mark *marks;
	uint32_t n_marks, cap_marks;
	char *extra_at; /* key in conf_load.extras */
	_Alignas(max_align_t) char data[];
};

struct block *block_new(struct conf_load *load,
    const struct conf_schema *schema, struct conf_pos pos, size_t marks);
struct block *block_of(const void *data);
struct mark *block_mark(const struct block *b, size_t offset);
struct mark *block_add_mark(struct conf_load *load, struct block *b,
    struct mark mark);

/*
 * Scalars of types that cannot format keep the text that was read beside the
 * value: behind a list's places, before a map's value.
 */
struct kept_value {
	const char *text;
	_Alignas(max_align_t) char value[];
};
const char **list_texts(const struct conf_list *list);
/* Places, and room for texts, of a list with N items. */
struct conf_pos *list_places(struct arena *a, size_t n);

/* ---- scalars and hints ------------------------------------------------- */

/* What a key's value must look like: "a list of sizes", "on or off". */
const char *expect_row(struct conf_load *load, const struct conf_field *row);
const char *expect_item(struct conf_load *load, const struct conf_field *row);
/* What stands there instead: "a list", "\"x\"", "nothing". */
const char *expect_found(struct conf_load *load, const struct node *node);
/* The key that messages about a value of ROW name. */
const char *expect_name(struct conf_load *load, const struct conf_field *row);
/* What a scalar of ROW must look like, or what may stand in its place. */
const char *expect_value(struct conf_load *load, const struct conf_field *row);
/* Reports that NODE is not what ROW (or one item of it) wants. */
void expect_report(struct conf_load *load, const struct conf_field *row,
    const char *expected, const struct node *node, struct conf_pos key_pos);

/* Parses NODE as the scalar type of ROW; false after a report. */
bool scalar_load(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct conf_pos key_pos, void *out,
    const char **text);
bool scalar_load_choice(struct conf_load *load, const struct conf_field *row,
    const struct node *node, struct conf_pos key_pos, int *out);

/* Whether further errors are only counted: no words need to be found. */
bool diag_is_full(const struct conf_load *load);

/* Reports a key that SCHEMA does not have. The key that was meant, if that is
 * clear, else NULL. */
const char *hint_unknown_key(struct conf_load *load, const struct conf_schema *schema,
    const struct node_pair *pair);

#endif
