/*
 * The top level of weir.yaml and how a file becomes a generation. Loading
 * opens nothing but the files that the configuration names, so it serves -t
 * beside a running master as well as the master itself.
 */
#include "process/config.h"

#include "base/log.h"
#include "http/mapping.h"
#include "http/router.h"
#include "http/site_index.h"
#include "http/template.h"
#include "modules/modules.h"
#include "process/admin.h"
#include "upstream/upstream.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- rows -------------------------------------------------------------- */

static bool
workers_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	uint64_t n;

	(void)a;
	if (str_eq(text, STR("auto"))) {
		*(int64_t *)out = 0;
		return true;
	}
	if (!str_to_u64(text, &n) || n < 1 || n > 256)
		return err_set(e, "%s", "");
	*(int64_t *)out = (int64_t)n;
	return true;
}

static void
workers_format(struct buf *b, const void *value)
{
	int64_t n = *(const int64_t *)value;

	if (n == 0)
		buf_z(b, "auto");
	else
		buf_u64(b, (uint64_t)n);
}

static const struct conf_type conf_type_workers = {
	.name = "number or auto",
	.expected = "auto or a number from 1 to 256",
	.size = sizeof(int64_t),
	.parse = workers_parse,
	.format = workers_format,
	.json = "\"type\": [\"integer\", \"string\"], \"minimum\": 1, "
	    "\"maximum\": 256, \"pattern\": \"^(auto|[0-9]+)$\""
};

static const char *const log_level_words[] = {
#define LEVEL(name, word) word,
	LOG_LEVELS
#undef LEVEL
	NULL
};

static const struct conf_field error_log_fields[] = {
	KEY_STR(error_log_conf, to, .dflt = "stderr",
	    .doc = "Where lines go: stderr, a path, or syslog with an optional "
	           "facility (syslog:daemon).",
	    .example = "/var/log/weir/error.log"),
	KEY_CHOICE(error_log_conf, level, log_level_words, .dflt = "notice",
	    .doc = "The least important lines that are written."),
	KEY_END
};
/* Kept as it was resolved, so that -T shows which file is meant. */
static void
error_log_check(struct conf_load *load, void *block)
{
	struct error_log_conf *c = block;
	struct str to = str_from(c->to);

	if (!str_eq(to, STR("stderr")) && !str_has_prefix(to, STR("syslog")))
		c->to = conf_path(load, conf_pos_of(c, &c->to), to);
}

static const struct conf_schema error_log_schema = {
	.name = "error_log",
	.size = sizeof(struct error_log_conf),
	.fields = error_log_fields,
	.shorthand = "to",
	.check = error_log_check,
	.doc = "The log of what goes wrong."
};

static const struct conf_field admin_fields[] = {
	KEY_OTHER(admin_conf, listen, struct addr, conf_type_listen,
	    .flags = CONF_REQUIRED,
	    .doc = "Address of the admin endpoint: /metrics in Prometheus "
	           "text, /status in JSON. Keep it off public networks.",
	    .example = "127.0.0.1:9180"),
	KEY_END
};
static const struct conf_schema admin_schema = {
	.name = "admin",
	.size = sizeof(struct admin_conf),
	.fields = admin_fields,
	.shorthand = "listen",
	.doc = "Metrics and status, answered by the scout even when every "
	       "worker is busy."
};

static const struct conf_field root_fields[] = {
	KEY_INT(root_conf, version, .dflt = "1", .min = "1", .max = "1",
	    .doc = "Version of this language whose defaults are meant."),
	KEY_STR(root_conf, user, .dflt = "nobody",
	    .doc = "User that workers run as when the master is started by "
	           "root."),
	KEY_STR(root_conf, group,
	    .doc = "Group that workers run as; left out, the user's own."),
	KEY_OTHER(root_conf, workers, int64_t, conf_type_workers,
	    .dflt = "auto",
	    .doc = "Worker processes; auto is one per CPU that the process "
	           "may use."),
	KEY_INT(root_conf, threads, .dflt = "4", .min = "1", .max = "64",
	    .doc = "Threads per worker for what would block its loop, such as "
	           "cold reads from disk."),
	KEY_INT(root_conf, max_connections, .dflt = "0", .max = "4000000",
	    .doc = "Client connections per worker. Beyond that one without a "
	           "request is closed for the one that comes: of those that "
	           "never had one the oldest, else one that is idle for long; "
	           "where all have one, the new one is answered 503 or, over "
	           "TLS, closed. 0: as many as the limit of open files allows "
	           "for, less 256 (or half of it, where it is under 512) for "
	           "files and upstreams. The master raises that limit for a "
	           "number that needs more, or warns where it may not "
	           "(LimitNOFILE= in the unit)."),
	KEY_SIZE(root_conf, max_memory, .dflt = "0", .max = "1024g",
	    .doc = "How much memory of its own a worker may hold before it "
	           "lets go; 0: any. It is what the kernel counts as resident "
	           "less what is shared (RSS less files), looked at four times "
	           "a second. Beyond it, new requests are answered 503 with "
	           "Retry-After, and connections without a request are closed, "
	           "in the order of max_connections, until it is an eighth "
	           "below. Requests in hand go on, so leave room: with "
	           "MemoryMax= of systemd, which ends what passes it, set that "
	           "to the number of workers times a quarter more than this, "
	           "and 64m for the others."),
	KEY_BOOL(root_conf, sandbox, .dflt = "on",
	    .doc = "Whether the kernel confines workers and the scout to what "
	           "they need: no new programs and few system calls (seccomp), "
	           "no files but those beneath the roots that are served, as "
	           "they were at the last reload (Landlock). Nobody "
	           "leaves a core dump, the master included. What the kernel "
	           "does not have is left out, and the log says so."),
	KEY_PATH(root_conf, pid_file,
	    .doc = "File that the master writes its process id to; `weir -s` "
	           "finds the master by it.",
	    .example = "/run/weir/weir.pid"),
	KEY_DURATION(root_conf, shutdown_timeout, .dflt = "60s", .min = "1s",
	    .max = "24h",
	    .doc = "How long an old worker may take to finish what it has."),
	KEY_DURATION(root_conf, watchdog, .dflt = "10s", .min = "3s",
	    .max = "24h",
	    .doc = "How long a worker may be stuck: one that has not turned "
	           "to its next event for so long is ended with a report of "
	           "its stack, and replaced. One that a debugger holds is left "
	           "alone."),
	KEY_LIST(root_conf, include, conf_type_str, .flags = CONF_IS_PATH,
	    .doc = "Files (with * and ?) whose sites, upstreams, maps and "
	           "listeners are added to those of this one.",
	    .example = "conf.d/*.yaml"),
	KEY_BLOCK(root_conf, error_log, struct error_log_conf,
	    error_log_schema, .flags = CONF_ALWAYS,
	    .doc = "The log of what goes wrong."),
	KEY_MAP(root_conf, log_formats, conf_type_template,
	    .doc = "Formats for access_log, by name; combined, common and "
	           "json are built in.",
	    .example = "{brief: '$remote_addr \"$request\" $status'}"),
	KEY_BLOCK(root_conf, admin, struct admin_conf, admin_schema,
	    .doc = "Metrics and status."),
	KEY_BLOCK(root_conf, http, struct http_conf, http_schema,
	    .flags = CONF_ALWAYS,
	    .doc = "Protocol limits and timeouts."),
	KEY_BLOCK_MAP(root_conf, listeners, listen_schema,
	    .doc = "Settings of addresses that need more than the defaults, by "
	           "address as in `listen`.",
	    .example = "{443: {backlog: 4096}}"),
	KEY_BLOCK(root_conf, tls, struct tls_conf, tls_schema,
	    .doc = "TLS settings for every site."),
	KEY_BLOCK_MAP(root_conf, upstreams, upstream_schema,
	    .doc = "Groups of servers that requests are passed to, by name."),
	KEY_BLOCK_MAP(root_conf, maps, mapping_schema,
	    .flags = CONF_DECLARES,
	    .doc = "Variables of your own, by name: each gets its value by "
	           "looking another one up. They can stand wherever variables "
	           "can, in other maps as well."),
	KEY_BLOCKS(root_conf, sites, site_schema, .flags = CONF_REQUIRED,
	    .doc = "What is served, under which names, on which addresses."),
	KEY_END
};

struct conf_schema root_schema = {
	.name = "configuration",
	.size = sizeof(struct root_conf),
	.fields = root_fields,
	.extra_offset = offsetof(struct root_conf, settings),
	.doc = "The file weir.yaml.",
	.foreign = foreign_words
};

void
config_init(void)
{
	module_rows_init();
	root_schema.extra = module_rows(LEVEL_TOP);
}

/* ---- checks that rows cannot say --------------------------------------- */

static void
config_check_user(struct conf_load *load, const struct root_conf *root)
{
	/* Only root can change users; for everybody else the key is idle. */
	if (geteuid() != 0)
		return;
	if (getpwnam(root->user) == NULL)
		conf_error(load, conf_pos_of(root, &root->user),
		    "unknown-user", "there is no user \"%s\" on this machine",
		    root->user);
	if (root->group != NULL && getgrnam(root->group) == NULL)
		conf_error(load, conf_pos_of(root, &root->group),
		    "unknown-group", "there is no group \"%s\" on this machine",
		    root->group);
}

/* ---- the admin endpoint ------------------------------------------------ */

static const struct plan *
config_admin_plan(void *arg, struct route_conf *leaf)
{
	(void)leaf;
	return arg;
}

/* A site of its own that no worker knows: one route, one step. */
static struct endpoint *
config_admin_endpoint(struct config *c)
{
	struct arena *a = c->arena;
	struct endpoint *ep = arena_zalloc(a, sizeof *ep);
	struct site *site = arena_zalloc(a, sizeof *site);
	struct site_conf *conf = conf_defaults(c->load, &site_schema);
	struct route_conf **route = arena_alloc(a, sizeof(struct route_conf *));
	struct conf_list *routes = arena_zalloc(a, sizeof *routes);
	struct plan *plan = arena_zalloc(a,
	    sizeof *plan + sizeof plan->steps[0]);
	struct buf text = buf_in(a);

	plan->n = plan->response_at = plan->log_at = 1;
	plan->steps[0] = (struct step){
		.fn = admin_step, .conf = c->root, .module = &admin_module
	};
	*route = conf_defaults(c->load, &route_schema);
	routes->n = 1;
	routes->items = route;
	routes->pos = arena_zalloc(a, sizeof *routes->pos);

	conf->is_default = true;
	conf->http = c->root->http;
	site->conf = conf;
	site->http = conf->http;
	site->name = STR("admin");
	site->router = router_compile(c->load, routes, config_admin_plan, plan);
	site->plan = arena_zalloc(a, sizeof *plan);

	addr_format(&text, &c->root->admin->listen);
	ep->addr = c->root->admin->listen;
	ep->text = arena_memdup(a, text.p, text.n);
	ep->conf = conf_defaults(c->load, &listen_schema);
	ep->owner = site_index_compile(c->load,
	    &(const struct site *){ site }, 1);
	return ep;
}

/* ---- loading ----------------------------------------------------------- */

static void
config_compile(struct config *c)
{
	struct root_conf *root = c->root;
	struct generation_input in = {
		.sites = &root->sites,
		.listeners = &root->listeners,
		.http = root->http,
		.tls = root->tls,
		.settings = &root->settings
	};

	config_check_user(c->load, root);
	if (root->tls != NULL && root->tls->tickets != NULL &&
	    root->tls->tickets->key_files.n > 0)
		tls_ticket_keys_read(c->load, root->tls->tickets,
		    &c->ticket_keys);
	if (root->sites.n == 0)
		conf_warning(c->load, conf_pos_of(root, &root->sites),
		    "no-sites", "there are no sites: nothing is served");
	c->generation->root = root;
	c->generation->shared[MODULE_access_log] = &root->log_formats;
	upstreams_compile(c->generation, c->load, &root->upstreams);
	mappings_compile(c->load, &root->maps);
	generation_compile(c->generation, c->load, &in);
	mappings_lint(c->load, &root->maps);
	/* A route with a mistake in it uses nothing. */
	if (conf_errors(c->load) == 0)
		upstreams_lint(c->generation, c->load);
	if (root->admin != NULL)
		c->admin = config_admin_endpoint(c);
	c->certificates = tls_context_pairs(c->load);
}

bool
config_load(struct config *c, const char *path, const char *const *overrides,
    size_t n_overrides, uint64_t number)
{
	*c = (struct config){ .arena = arena_new() };
	c->load = conf_load_new(c->arena, &conf_source_disk);
	c->generation = generation_new(c->arena, number);
	c->root = conf_load_file(c->load, path, &root_schema, overrides,
	    n_overrides);
	/* Compiling half of a file would only report what follows from the
	 * mistakes that are already known. */
	if (conf_errors(c->load) == 0)
		config_compile(c);
	/* The tree of the text, which was about as large as what is kept. */
	mem_trim();
	return conf_errors(c->load) == 0;
}

void
config_end(struct config *c)
{
	if (c->generation != NULL)
		generation_unref(c->generation);
	*c = (struct config){ .arena = NULL };
}

unsigned
config_workers(const struct root_conf *root)
{
	cpu_set_t cpus;

	if (root->workers > 0)
		return (unsigned)root->workers;
	if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
		return 1;
	return (unsigned)CPU_COUNT(&cpus);
}
