/*
 * Loading: from texts to structs. A pure function of a source: it opens
 * nothing but through conf_source, and changes nothing outside its arena. All
 * mistakes of all files are collected (20 at most), not only the first.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/schema.h"

struct conf_load;

/*
 * Where texts and the bytes of named files come from. conf_source_disk reads
 * the disk; tests and workers use conf_source_memory.
 */
struct conf_source {
	/* The bytes of PATH (with a NUL after them); from A. */
	bool (*read)(struct conf_source *s, const char *path, struct arena *a,
	    struct str *out, struct err *e);
	/* The paths that match a glob, sorted; for include. */
	bool (*glob)(struct conf_source *s, const char *pattern,
	    struct arena *a, struct conf_list *paths, struct err *e);
	/* ${env:NAME}; NULL when unset. */
	const char *(*env)(struct conf_source *s, const char *name);
	/* What relative paths start from when the main file's own path is
	 * relative. NULL: they stay relative. */
	char *(*cwd)(struct conf_source *s, struct arena *a);
	void *arg;
};
extern struct conf_source conf_source_disk;
/* FILES: NULL-terminated path, text, path, text ...; no environment. */
struct conf_source conf_source_memory(struct arena *a,
    const char *const *files);

/* ---- one run ----------------------------------------------------------- */

/* Everything that is loaded lives in A. */
struct conf_load *conf_load_new(struct arena *a, struct conf_source *source);

/*
 * Loads the file PATH as a block of SCHEMA, follows its `include` (the lists
 * `sites` and the maps of the included files are added to the main file's),
 * puts ${env:} and ${file:} in, fills defaults, checks bounds, and runs the
 * check functions. OVERRIDES are `-g` texts ("KEY: VALUE", YAML), applied over
 * the top level. Never NULL; what is wrong is in the diagnostics.
 */
void *conf_load_file(struct conf_load *load, const char *path,
    const struct conf_schema *schema, const char *const *overrides,
    size_t n_overrides);

/*
 * Completes INNER by what OUTER says: members that INNER's file did not set
 * take OUTER's value; maps are merged key by key (inner wins); blocks are
 * inherited whole when absent and member by member when present on both
 * levels; CONF_LOCAL members and blocks that are off are left alone. Both are
 * blocks of SCHEMA; with FIELDS only, just those rows (module settings that
 * several kinds of block share) relative to the given addresses. Returns
 * INNER, or OUTER when INNER is NULL.
 */
void *conf_inherit(struct conf_load *load, const struct conf_schema *schema,
    void *outer, void *inner);
/* The same for a bare array of rows; both structs exist. */
void conf_inherit_fields(struct conf_load *load,
    const struct conf_field *fields, void *outer, void *inner);

/* A block of SCHEMA with nothing but defaults: what an empty map would give.
 * Has no place (conf_block_pos has line 0). */
void *conf_defaults(struct conf_load *load, const struct conf_schema *schema);

/* PATH as a path that is relative to the file of POS: what conf_type_path
 * does, for types that hold a path among other things. */
char *conf_path(struct conf_load *load, struct conf_pos pos, struct str path);

/* A key of a CONF_DECLARES map. What it stands for is made by whoever asks
 * first, and kept here for the others. */
struct conf_declared {
	struct str name;
	void *made; /* NULL at first */
};
struct conf_declared *conf_declared(struct conf_load *load, struct str name);
/* The I-th, in the order of the files; NULL beyond the last. */
struct conf_declared *conf_declared_at(struct conf_load *load, size_t i);

struct arena *conf_arena(struct conf_load *load);
struct conf_source *conf_source_of(struct conf_load *load);
/* Reads a file that a key names, through the source; a failure is reported
 * at POS and gives false. */
bool conf_read(struct conf_load *load, struct conf_pos pos, const char *path,
    struct str *out);

/* ---- diagnostics ------------------------------------------------------- */

/* CODE is stable and short: "unknown-key", "bad-value", "missing-key". */
void conf_error(struct conf_load *load, struct conf_pos pos, const char *code,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
void conf_warning(struct conf_load *load, struct conf_pos pos,
    const char *code, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Appends `; did you mean "x"?` to the sentence being written, if one of the
 * N names is close to WHAT. Returns "" when none is; from the load's arena. */
const char *conf_suggest(struct conf_load *load, struct str what,
    const char *const *names, size_t n);

size_t conf_errors(const struct conf_load *load);
size_t conf_warnings(const struct conf_load *load);
/*
 * All of them in the order of their places:
 *   weir.yaml:14:7: unknown key "upsteams"; did you mean "upstreams"?
 *      14 |   upsteams:
 *         |   ^~~~~~~~
 * and, beyond 20 errors, how many more there are. PATHS are shown as given to
 * conf_load_file.
 */
void conf_print_diagnostics(struct conf_load *load, struct buf *b);
void conf_print_diagnostics_json(struct conf_load *load, struct buf *b);
/* "weir.yaml:14" for logs; from the load's arena. */
const char *conf_pos_text(struct conf_load *load, struct conf_pos pos);

/* ---- what else comes from the rows ------------------------------------- */

/* The effective configuration as YAML, each value with its origin:
 *   workers: 2                # weir.yaml:3
 *   shutdown_timeout: 60s     # default
 * Inherited members are shown where they apply: "# inherited, weir.yaml:9".
 * Loading this text again gives the same configuration. */
void conf_dump(struct conf_load *load, const struct conf_schema *schema,
    const void *block, struct buf *b);
/* The keys chapter of weir.yaml(5), in mdoc or man macros. */
void conf_print_man(const struct conf_schema *schema, struct buf *b);
/* A JSON Schema, draft 2020-12. */
void conf_print_json_schema(const struct conf_schema *schema, struct buf *b);

#endif
