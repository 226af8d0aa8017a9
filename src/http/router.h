/* The routes of a site, compiled: which one is meant by a request. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/route.h"

struct router;
/*
 * Compiles the routes of a site. Settings must already be inherited. Reports
 * shadowed routes as warnings. Sub-linear in the number of routes: exact paths
 * by hash, prefixes and suffixes by binary search (http/affix.h), regular
 * expressions and path-less routes in order; of all candidates the first in the
 * file is taken.
 */
struct router *router_compile(struct conf_load *load,
    const struct conf_list *routes, /* struct route_conf * */
    const struct plan *(*plan_of)(void *arg, struct route_conf *leaf),
    void *arg);
/* The first route whose conditions hold for T's request, with its captures set
 * in T; NULL: none. */
const struct route *router_find(const struct router *r, struct txn *t);
/* For --explain and tests: the I-th leaf; NULL beyond the last. */
const struct route *router_leaf(const struct router *r, size_t i);

#endif
