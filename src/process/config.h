/*
 * The whole configuration: the rows of the top level, and loading a file to a
 * generation. A pure function of the file's text and of the files it names.
 */
#ifndef PROCESS_CONFIG_H
#define PROCESS_CONFIG_H

#include "http/generation.h"

struct error_log_conf {
	char *to; /* "stderr", "syslog", "syslog:FACILITY" or a path */
	int level; /* enum log_level */
};

struct admin_conf {
	struct addr listen;
};

struct root_conf {
	int64_t version;
	char *user, *group;
	int64_t workers; /* 0: one per CPU */
	int64_t threads;
	int64_t max_connections; /* of clients, per worker; 0: what fits */
	uint64_t max_memory;     /* bytes, per worker; 0: no limit */
	bool sandbox;
	char *pid_file; /* NULL: none */
	uint64_t shutdown_timeout; /* ms */
	uint64_t watchdog;         /* ms */
	struct conf_list include;
	struct error_log_conf *error_log;
	struct conf_map log_formats; /* struct template * */
	struct admin_conf *admin;
	struct http_conf *http;
	struct conf_map listeners;
	struct tls_conf *tls;
	struct conf_map maps;
	struct conf_map upstreams;
	struct conf_list sites;
	struct settings settings;
};

/* Complete after config_init. */
extern struct conf_schema root_schema;
/* What words of other servers are called here; ends with a NULL word. */
extern const struct conf_foreign foreign_words[];
void config_init(void);

struct config {
	struct arena *arena;
	struct conf_load *load;
	struct root_conf *root;
	struct generation *generation;
	struct endpoint *admin; /* NULL: no admin address */
	struct tls_pairs *certificates; /* those that were read from files */
	struct tls_ticket_keys ticket_keys; /* n 0: none are given */
};

/*
 * Loads and compiles PATH. False: there are errors in the diagnostics of
 * c->load. In either case config_end frees it.
 */
bool config_load(struct config *c, const char *path,
    const char *const *overrides, size_t n_overrides, uint64_t number);
void config_end(struct config *c);

/* How many workers it asks for: never 0. */
unsigned config_workers(const struct root_conf *root);

#endif
