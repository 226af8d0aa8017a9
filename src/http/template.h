/*
 * Strings with variables, compiled when loaded: "$host", "${arg_x}", "$$".
 * Variables are declared in http/variable.def, one row each. Groups of the
 * route's regular expression are "$1" to "$9" and, by name, "$capture_NAME": a
 * template is compiled before its route is known, so that a name without a
 * prefix would have to be accepted whatever it is, typing mistakes included.
 */
#ifndef HTTP_TEMPLATE_H
#define HTTP_TEMPLATE_H

#include "base/buf.h"
#include "conf/schema.h"
#include "http/txn.h"

struct template;
struct mapping;

enum template_escape {
	ESCAPE_NONE,
	ESCAPE_LOG, /* '"', '\\', controls and bytes >= 0x7f as \xHH; an empty
	             * value is "-" */
	ESCAPE_JSON, /* as in a JSON string; an empty value is empty */
	ESCAPE_QUERY, /* of variables what would end a value of a query, unless
	               * they are of one themselves, as $args and $arg_x */
	ESCAPE_QUERY_VALUE /* likewise, and the text around them as well */
};

/* NULL with a sentence for an unknown variable (with a suggestion), an
 * unclosed brace, a "$" without a name. Lives in A, as TEXT must. */
struct template *template_compile(struct arena *a, struct str text,
    struct err *e);
/* Likewise in the arena of LOAD, and names of its `maps` are variables. */
struct template *template_load(struct conf_load *load, struct str text,
    struct err *e);
bool template_is_constant(const struct template *tp);
/* The text it was compiled from. */
struct str template_text(const struct template *tp);
/* The I-th of the mappings that it asks for; NULL beyond the last. */
const struct mapping *template_mapping(const struct template *tp, size_t i);
void template_write(const struct template *tp, struct txn *t, struct buf *out,
    enum template_escape escape);
/* The result in the transaction's arena; constant ones are not copied, and
 * need no T. */
struct str template_eval(const struct template *tp, struct txn *t);

/* A scalar that is compiled as it is loaded; the member is
 * `struct template *`. */
extern const struct conf_type conf_type_template;
#define KEY_TEMPLATE(s, m, ...) \
	KEY_OTHER(s, m, struct template *, conf_type_template, __VA_ARGS__)

/* ---- variables --------------------------------------------------------- */

/* What follows the prefix of a name, prepared when it is compiled. */
struct variable_arg {
	struct str name;  /* "user-agent" of $http_user_agent, "x_y" of $arg_x_y;
	                   * without a prefix, the name itself */
	enum field_id id; /* of a field */
	const struct mapping *mapping; /* of `maps` */
};

/* Writes the value for T; writing nothing is the empty value. */
typedef void variable_fn(struct txn *t, const struct variable_arg *arg,
    struct buf *out);

struct variable {
	const char *name; /* ends with "_" when it is a prefix: "http_" */
	variable_fn *write;
	const char *doc;
};
/* Those of every request (I is 0), then those of each module, in the order of
 * the manual; a table ends with name == NULL, and beyond the last is NULL. */
const struct variable *variable_table(size_t i);
/* Whether the value is a piece of a query, encoded as such. */
bool variable_is_of_query(const struct variable *v);
/* NULL: there is none. *ARG lives in A, or is a part of NAME. */
const struct variable *variable_find(struct arena *a, struct str name,
    struct variable_arg *arg);

#endif
