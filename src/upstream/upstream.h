/*
 * Upstreams: groups of servers that requests are passed to. The groups are
 * part of the generation; connections to them are private to a worker.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "conf/load.h"
#include "http/generation.h"
#include "net/addr.h"
#include "net/tls.h"

enum balance { BALANCE_ROUND_ROBIN };

struct upstream_server_conf {
	struct conf_text address; /* host:port, [v6]:port, unix:PATH */
	int64_t weight;
};
struct upstream_keepalive_conf {
	int64_t connections; /* idle ones kept per worker; 0: none */
	uint64_t idle, lifetime, ping; /* ms */
	int64_t requests;
};
struct upstream_conf {
	int balance; /* enum balance */
	int bare_lf; /* enum bare_lf */
	struct conf_list servers; /* struct upstream_server_conf * */
	struct upstream_keepalive_conf *keepalive; /* never NULL */
	struct tls_client_conf *tls; /* NULL: plain */
};
extern const struct conf_schema upstream_schema;

#define UPSTREAM_ADDRESSES 8

struct upstream_server {
	struct str text; /* as written, for logs */
	struct str name; /* to be looked up; n == 0: an address */
	const char *tls_name; /* for SNI and verification */
	uint16_t port;
	struct addr addrs[UPSTREAM_ADDRESSES]; /* none while unresolved */
	unsigned n_addrs;
	unsigned weight;
	bool is_own; /* we listen there; upstream/loop_mark.h */
};

struct upstream_group {
	struct str name;
	unsigned index; /* in struct upstreams; workers keep state by it */
	const struct upstream_conf *conf;
	/* What holds, `off` and defaults of literal groups included. */
	struct upstream_keepalive_conf keepalive;
	struct upstream_server *servers;
	unsigned n_servers;
	struct tls_context *tls; /* NULL: plain */
	struct conf_pos pos;
	struct str loop_word; /* n == 0: no server is_own */
	bool is_used; /* some route names it (for the lint) */
};

struct upstreams;

/* Compiles the `upstreams` map (struct upstream_conf *) into g->upstreams.
 * Before generation_compile, so that modules can look groups up. */
void upstreams_compile(struct generation *g, struct conf_load *load,
    const struct conf_map *conf);
/* By name; NULL: none. Marks it used. */
struct upstream_group *upstreams_find(struct generation *g, struct str name);
/* The group of a literal "http://host:port", "https://..." or "unix:PATH",
 * made when it is new; NULL after conf_error. */
struct upstream_group *upstreams_literal(struct generation *g,
    struct conf_load *load, struct conf_text url);
size_t upstreams_count(const struct generation *g);
struct upstream_group *upstreams_at(const struct generation *g, size_t i);
/* Names of all groups, for suggestions. */
const char *const *upstreams_names(const struct generation *g, size_t *n);
/* Warns of groups that no route uses. After generation_compile. */
void upstreams_lint(struct generation *g, struct conf_load *load);
/* Looks names up (blocking: the master, before it forks). A name that does
 * not resolve leaves its server without addresses and is logged. */
void upstreams_resolve(struct generation *g);

#endif
