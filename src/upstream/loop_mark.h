/*
 * The mark of a request that is passed to an address this very configuration
 * listens on: how often it has been, so that none goes round for ever
 * (RFC 9110 section 7.6).
 */
#ifndef UPSTREAM_LOOP_MARK_H
#define UPSTREAM_LOOP_MARK_H

#include "http/site.h"
#include "upstream/upstream.h"

/* How often a request may come by again. Who chains sites of one instance on
 * purpose needs one or two. */
#define LOOP_MARK_MAX 4

/* Finds the servers that are ourselves. In the master, when the sockets are
 * bound and the names looked up. */
void loop_marks_prepare(struct generation *g);
/* Whether T may be passed to G, as far as loops go. */
bool loop_mark_allows(const struct txn *t, const struct upstream_group *g);
/* What T carries to SERVER of G; n == 0: nothing, as to all others. */
struct str loop_mark_value(const struct txn *t, const struct upstream_group *g,
    unsigned server);

/* Warns if SITE listens where a server of G is: then a route that passes its
 * requests there as they are, at POS, gets them again. */
void loop_mark_lint(struct conf_load *load, const struct site_conf *site,
    const struct upstream_group *g, struct conf_pos pos);

#endif
