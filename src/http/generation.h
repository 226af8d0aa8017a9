/*
 * A generation: one loaded configuration, compiled and immutable, in one
 * arena. Connections and transactions hold it; it is freed when the last
 * holder lets go.
 */
#ifndef HTTP_GENERATION_H
#define HTTP_GENERATION_H

#include "conf/load.h"
#include "http/site.h"

struct generation {
	uint32_t magic;
	unsigned refs;
	uint64_t number;
	struct arena *arena; /* the load's */
	struct endpoint **endpoints;
	size_t n_endpoints;
	struct log_file **log_files; /* http/log_file.h */
	size_t n_log_files;
	const char **reads; /* generation_reads */
	size_t n_reads, cap_reads;
	/* What modules share in this generation: by module index, made in
	 * prepare (upstream groups, log files). */
	void *shared[MODULE_MAX];
	/* The upstream floor's (struct upstreams *) and the process floor's. */
	void *upstreams;
	void *root;
};

/* What the parts of the file are that the http floor compiles. */
struct generation_input {
	struct conf_list *sites;     /* struct site_conf * */
	struct conf_map *listeners;  /* struct listen_conf *, by address */
	struct http_conf *http;      /* the top's; never NULL */
	struct tls_conf *tls;        /* the top's; may be NULL */
	struct settings *settings;   /* the top's */
};

/* A generation with nothing compiled yet, holding the load's arena. */
struct generation *generation_new(struct arena *a, uint64_t number);
/* Inherits, prepares modules, compiles sites, routes, plans and endpoints.
 * Mistakes are diagnostics of LOAD; the caller looks at conf_errors. */
void generation_compile(struct generation *g, struct conf_load *load,
    const struct generation_input *in);
/* In prepare: children of G open files beneath PATH while they run. What
 * nobody says this of, the sandbox keeps from them. */
void generation_reads(struct generation *g, const char *path);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation *g); /* ends the arena at the last */

#endif
