/*
 * Strings with variables, compiled when loaded: "$host", "${arg_x}", "$$".
 * Variables are declared in http/variable.c, one row each.
 */
#ifndef HTTP_TEMPLATE_H
#define HTTP_TEMPLATE_H

#include "base/buf.h"
#include "conf/schema.h"
#include "http/txn.h"

struct template;

enum template_escape {
	ESCAPE_NONE,
	ESCAPE_LOG, /* '"', '\\', controls and bytes >= 0x7f as \xHH; an empty
	             * value is "-" */
	ESCAPE_JSON /* as in a JSON string; an empty value is empty */
};

/* NULL with a sentence for an unknown variable (with a suggestion), an
 * unclosed brace. Lives in A. */
struct template *template_compile(struct arena *a, struct str text,
    struct err *e);
bool template_is_constant(const struct template *tp);
/* The text it was compiled from. */
struct str template_text(const struct template *tp);
void template_write(const struct template *tp, struct txn *t, struct buf *out,
    enum template_escape escape);
/* The result in the transaction's arena; constant ones are not copied. */
struct str template_eval(const struct template *tp, struct txn *t);

/* A scalar that is compiled as it is loaded; the member is
 * `struct template *`. */
extern const struct conf_type conf_type_template;
#define KEY_TEMPLATE(s, m, ...) \
	KEY_OTHER(s, m, struct template *, conf_type_template, __VA_ARGS__)

/* ---- variables --------------------------------------------------------- */

/* Writes the value for T; writing nothing is the empty value. ARG is what
 * follows the prefix ("user_agent" of $http_user_agent). */
typedef void variable_fn(struct txn *t, struct str arg, struct buf *out);

struct variable {
	const char *name; /* ends with "_" when it is a prefix: "http_" */
	variable_fn *write;
	const char *doc;
};
/* All of them, in the order of the manual; ends with name == NULL. */
extern const struct variable variables[];
const struct variable *variable_find(struct str name, struct str *arg);

#endif
