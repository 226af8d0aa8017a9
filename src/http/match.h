/* What a request must be besides its path: the key `match` of routes. */
#ifndef HTTP_MATCH_H
#define HTTP_MATCH_H

#include "http/route.h"

extern const struct conf_schema match_schema; /* of struct match_conf */
/* Whether all of it holds for T's request. */
bool match_holds(const struct match_conf *m, struct txn *t);

#endif
