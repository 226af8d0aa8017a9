/*
 * What a feature is: one file in src/modules with one struct module at its
 * end, and one line in modules.def. From the struct come its key in the tables
 * of the top, of sites and of routes, its place in the plan, its manual
 * section, its counters.
 */
#ifndef HTTP_MODULE_H
#define HTTP_MODULE_H

#include "base/counter.h"
#include "conf/load.h"
#include "http/txn.h"

struct generation;
struct server;
struct site_conf;
struct variable;

#define PHASES \
	PHASE(IDENTIFY, "who is this") \
	PHASE(LIMIT, "may they, this often") \
	PHASE(AUTH, "may they, this") \
	PHASE(REWRITE, "what do they mean") \
	PHASE(CACHE, "do we have it") \
	PHASE(RESPOND, "who answers") \
	PHASE(HEADERS, "last word on the head") \
	PHASE(BODY, "wrap the flow") \
	PHASE(LOG, "tell")

/* A route has exactly one module of PHASE_RESPOND, or nested routes. */
enum phase {
#define PHASE(name, text) PHASE_##name,
	PHASES
#undef PHASE
	PHASE_COUNT
};

/* Steps of one module besides its first. */
#define MODULE_THEN_MAX 2

enum module_level { LEVEL_TOP = 1, LEVEL_SITE = 2, LEVEL_ROUTE = 4 };

struct module {
	const char *name; /* the key */
	enum phase phase;
	unsigned levels; /* where the key may stand; inherited inward, so all
	                  * levels further in than the outermost; but not
	                  * at routes in PHASE_IDENTIFY, which comes before
	                  * the route is chosen */
	const struct conf_schema *schema; /* of its block */
	unsigned flags; /* conf flags of the row: CONF_CAN_BE_OFF, ... */
	const char *doc; /* of the key, one or two sentences */

	/*
	 * Once per block, after all inheritance, when a route uses it: looks
	 * names up, opens nothing. Mistakes go to conf_error. May be NULL.
	 */
	void (*prepare)(struct conf_load *load, struct generation *g,
	    void *conf);
	/* Once per route that uses it, when all is compiled: warnings of what
	 * only shows in the whole. IS_CONDITIONAL: not for every request that
	 * its paths mean. May be NULL. */
	void (*lint)(struct conf_load *load, const struct site_conf *site,
	    bool is_conditional, const void *conf);
	/* The step. In PHASE_IDENTIFY and PHASE_LOG it must answer NEXT. */
	enum verdict (*step)(struct txn *t, const void *conf);
	/* What it does in later phases besides; ends with fn == NULL. */
	struct module_step {
		enum phase phase;
		enum verdict (*fn)(struct txn *t, const void *conf);
	} then[MODULE_THEN_MAX + 1];
	/* Its own, in the order of the manual; ends with name == NULL. May be
	 * NULL. */
	const struct variable *variables;
	/* Per process and server: makes its private state (caches, idle
	 * connections), found again by server_module. May be NULL. */
	void *(*start)(struct server *s);
	void (*stop)(struct server *s, void *state);
	/* The server is going to drain: close what is idle. May be NULL. */
	void (*drain)(struct server *s, void *state);
	/* NULL: counts nothing. server_stats finds the struct. */
	const struct counter_set *counters;
};

/* Defined by the modules floor from modules.def; NULL-terminated. */
extern const struct module *const modules[];
extern const unsigned module_count;
#define MODULE_MAX 48

/* The module settings of one level: a loaded block per module, NULL where the
 * level says nothing. Part of the top, of sites and of routes. */
struct settings {
	void *conf[MODULE_MAX];
};
/* The rows of the modules that may stand at LEVEL; offsets from a struct
 * settings. Made once, before the first load: module_rows_init also hangs those
 * of sites and routes onto their schemas. */
const struct conf_field *module_rows(enum module_level level);
void module_rows_init(void);

#endif
