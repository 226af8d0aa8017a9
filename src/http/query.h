/* Queries: parameters with "&" between them, names and values encoded. */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include "base/buf.h"

/* Takes the next parameter off *REST, empty ones included: all of it in PAIR,
 * and its name. The value begins after its first "=". */
bool query_next(struct str *rest, struct str *pair, struct str *name);
struct str query_value(struct str pair); /* "" without "=" */

/* Compared and decoded once, with + as a space; what is no escape stands for
 * itself. */
bool query_eq(struct str encoded, struct str text);
bool query_has_prefix(struct str encoded, struct str prefix);
struct str query_decode(struct arena *a, struct str encoded);

/* TEXT so that it is one value, whatever is in it. */
void query_encode(struct buf *out, struct str text);
/* TEXT is a piece of a query already: only what may not stand in a target. */
void query_encode_piece(struct buf *out, struct str text);

#endif
