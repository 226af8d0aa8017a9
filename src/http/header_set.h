/*
 * Fields that an operator writes into responses: names with templates, checked
 * and looked up when loaded, so that a request only evaluates.
 */
#ifndef HTTP_HEADER_SET_H
#define HTTP_HEADER_SET_H

#include "conf/load.h"
#include "http/head.h"
#include "http/template.h"

struct header_value {
	struct str name; /* as it was written */
	enum field_id id;
	const struct template *value;
};

struct header_set {
	size_t n;
	struct header_value *values;
};

/* From a map of struct template *. Names that are no tokens, belong to the
 * transport or stand twice, and constants that no field can hold, are reported
 * and left out. */
struct header_set header_set_compile(struct conf_load *load,
    const struct conf_map *map);
/* Whether NAME may be set or removed here; else reports it at POS. */
bool header_set_check_name(struct conf_load *load, struct conf_pos pos,
    struct str name);
/* The value for T. False: a variable put something into it that must not stand
 * in a field. */
bool header_set_eval(const struct header_value *v, struct txn *t,
    struct str *out);

#endif
