/* Members of Accept and its kin: a name and how much it is wanted (RFC 9110
 * section 12.4.2). */
#ifndef HTTP_WEIGHT_H
#define HTTP_WEIGHT_H

#include "base/str.h"

#define WEIGHT_MAX 1000 /* q=1; weights are in thousandths */

/*
 * The next member of LIST, which is cut by it: *NAME without its parameters and
 * blanks, *WEIGHT of its q, which is WEIGHT_MAX if it has none. Members that
 * are empty, or whose q is malformed, are skipped. False: there is no other.
 */
bool weight_next(struct str *list, struct str *name, unsigned *weight);

/* Whether ACCEPT, the value of that field, asks for JSON rather than for a
 * page. */
bool weight_prefers_json(struct str accept);

#endif
