/*
 * Routes: which request is meant (path, match) and what then happens (plan).
 * Written routes nest; compiled ones are leaves in the order of the file. The
 * first whose conditions all hold is taken; no other precedence exists.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "conf/load.h"
#include "http/module.h"
#include "http/pattern.h"
#include "http/txn.h"

/* ---- as written -------------------------------------------------------- */

enum match_scheme { MATCH_ANY, MATCH_HTTP, MATCH_HTTPS };

struct match_conf {
	struct conf_list method; /* char * */
	struct conf_map header;  /* struct value_pattern */
	struct conf_map query;
	struct conf_map cookie;
	int scheme; /* enum match_scheme */
	struct conf_list client; /* struct cidr */
	struct conf_map variable; /* struct value_pattern, by template */
	struct conf_list any, all, not; /* struct match_conf * */

	struct template **variables; /* the keys of `variable`, compiled */
};

struct route_conf {
	struct conf_list path; /* struct path_pattern; empty: every path */
	struct match_conf *match;
	struct settings settings;
	struct conf_list routes; /* struct route_conf *: nested */
};
extern struct conf_schema route_schema;

/* ---- compiled ---------------------------------------------------------- */

struct step {
	enum verdict (*fn)(struct txn *t, const void *conf);
	const void *conf;
	const struct module *module;
};

/* The steps of a route: request phases first (the last of them is the one that
 * responds), then response phases from RESPONSE_AT, then log from LOG_AT. Those
 * before ROUTE_AT are of the site: they run before the route is chosen. */
struct plan {
	unsigned n, route_at, response_at, log_at;
	struct step steps[];
};

struct route {
	const struct route_conf *conf; /* the leaf */
	const struct route *outer;     /* enclosing route's conditions; or NULL */
	unsigned order;                /* position among the site's leaves */
	const struct plan *plan;
	struct conf_pos pos;
	/* Compiled conditions, see router.c. */
	const void *conditions;
};

#endif
