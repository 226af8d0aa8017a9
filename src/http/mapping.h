/*
 * Mappings: variables of the operator's own (`maps`), which have their value by
 * looking up another one's: by what it is, by an end or a regular expression,
 * by networks, by ranges of numbers, or by shares of all there are.
 */
#ifndef HTTP_MAPPING_H
#define HTTP_MAPPING_H

#include "conf/load.h"
#include "http/template.h"

extern const struct conf_schema mapping_schema;

/* The mapping of that name, which may be compiled later; NULL: none. */
const struct mapping *mapping_declared(struct conf_load *load,
    struct str name);
/* All of MAPS, the loaded blocks. Mistakes go to conf_error: a name that is a
 * variable's, a key that cannot be, mappings that ask for each other. */
void mappings_compile(struct conf_load *load, const struct conf_map *maps);
/* Warns of those that nothing asks for, once everything is compiled. */
void mappings_lint(struct conf_load *load, const struct conf_map *maps);

/* Asks for those that TP needs. To be done before other groups than the route's
 * are T's: what a mapping says must not depend on who asks first. */
void mappings_settle(const struct template *tp, struct txn *t);
/* The value of ARG's mapping; found once for a transaction, when it is first
 * asked for. */
variable_fn mapping_write;

#endif
