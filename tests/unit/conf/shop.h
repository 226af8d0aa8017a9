/*
 * A made-up configuration language with every shape in it, and the few helpers
 * that all tests of this floor use. A shop has shelves that nest, and fittings
 * (a lamp, a till, a sign) that shelves inherit.
 */
#ifndef TEST_CONF_SHOP_H
#define TEST_CONF_SHOP_H

#include "conf/load.h"

struct till_conf {
	char *clerk;
	char *drawer; /* a path */
	uint64_t timeout;
	int64_t slots;
	struct conf_map coins;  /* char * */
	struct conf_list rules; /* char *, appended */
};

struct lamp_conf {
	int color;
	bool bright;
};

/* Settings that a floor above adds to shops and shelves. */
struct fittings {
	struct lamp_conf *lamp;
	struct till_conf *till;
	char *sign;
};

struct label {
	char text[16];
};

struct shelf_conf {
	struct conf_list goods; /* char * */
	struct label label;     /* a type that cannot format */
	struct conf_list labels;
	struct conf_map tagged; /* struct label */
	struct fittings fittings;
	struct conf_list shelves; /* struct shelf_conf * */
};

struct supplier_conf {
	struct conf_text address;
	int64_t weight;
	char *password;
};

struct shop_conf {
	int64_t version;
	bool open;
	uint64_t capacity, pause;
	char *name;
	char *log; /* a path */
	int mode;
	struct conf_list include; /* char * */
	struct conf_list days;    /* char *, with a default */
	struct conf_list counts;  /* int64_t, bounded */
	struct conf_map words;    /* char * */
	struct conf_map groups;   /* lists of char * */
	struct conf_map suppliers; /* struct supplier_conf * */
	struct lamp_conf *door;   /* always there */
	struct fittings fittings;
	struct conf_list shelves; /* struct shelf_conf * */
};

extern const struct conf_schema till_schema, lamp_schema, supplier_schema;
extern const struct conf_schema shelf_schema, shop_schema;
extern const struct conf_field fitting_fields[];
extern unsigned till_checks; /* how often till_schema's check has run */

/* One run over texts in memory. */
struct run {
	struct arena *a;
	struct conf_source source;
	struct conf_load *load;
	struct shop_conf *shop;
};

/* The file "shop.yaml" alone. */
struct run run_text(const char *yaml);
/* NULL-terminated path, text, ...; the first is the main file. */
struct run run_files(const char *const *files);
struct run run_override(const char *yaml, const char *override);
/* What conf_print_diagnostics says; with a NUL. */
const char *run_messages(struct run *r);
const char *run_dump(struct run *r);
void run_end(struct run *r);

/* Loads YAML and fails the test unless the diagnostics are exactly EXPECTED;
 * with HAS, unless they contain it. */
void expect_messages(const char *yaml, const char *expected);
void expect_message_has(const char *yaml, const char *part);

#endif
