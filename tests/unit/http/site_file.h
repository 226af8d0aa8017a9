/*
 * A file of sites in a test: loaded from a text, with a few features of its own
 * in place of the real ones, and requests made by hand.
 */
#ifndef TESTS_HTTP_SITE_FILE_H
#define TESTS_HTTP_SITE_FILE_H

#include "base/clock.h"
#include "conf/run.h"
#include "http/generation.h"
#include "http/match.h"
#include "http/router.h"
#include "http/site_index.h"
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

/* ---- features ---------------------------------------------------------- */

struct word_conf {
	char *word;
};

static const struct conf_field word_fields[] = {
	KEY_STR(word_conf, word, .dflt = "-", .doc = "A word."),
	KEY_END
};
static const struct conf_schema word_schema = {
	.name = "word", .doc = "A word.", .size = sizeof(struct word_conf),
	.fields = word_fields, .shorthand = "word",
};

static const struct module respond_module = {
	.name = "respond", .phase = PHASE_RESPOND, .levels = LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Answers.",
};
static const struct module files_module = {
	.name = "files", .phase = PHASE_RESPOND, .levels = LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Sends files.",
};
static const struct module note_module = {
	.name = "note", .phase = PHASE_HEADERS, .flags = CONF_CAN_BE_OFF,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Notes.",
};
const struct module *const modules[] = {
	&respond_module, &files_module, &note_module, NULL
};
const unsigned module_count = 3;
enum { MODULE_respond, MODULE_files, MODULE_note };

static const struct conf_field tls_fields[] = {KEY_END};
const struct conf_schema tls_schema = {
	.name = "tls", .doc = "TLS.", .size = sizeof(struct tls_conf),
	.fields = tls_fields,
};

/* ---- files ------------------------------------------------------------- */

struct file_conf {
	struct http_conf *http;
	struct conf_list sites;
	struct settings settings;
};

static const struct conf_field file_fields[] = {
	KEY_BLOCK(file_conf, http, struct http_conf, http_schema,
	    .flags = CONF_ALWAYS, .doc = "Limits."),
	KEY_BLOCKS(file_conf, sites, site_schema, .doc = "Sites."),
	KEY_END
};
static struct conf_schema file_schema = {
	.name = "file", .doc = "A file.", .size = sizeof(struct file_conf),
	.fields = file_fields,
	.extra_offset = offsetof(struct file_conf, settings),
};

struct loaded {
	struct arena *arena;
	struct conf_source source;
	struct conf_load *load;
	struct file_conf *file;
};

static inline void
loaded_init(struct loaded *l, const char *yaml)
{
	const char *files[] = {"t.yaml", yaml, NULL};

	module_rows_init();
	file_schema.extra = module_rows(LEVEL_TOP);
	l->arena = arena_new();
	l->source = conf_source_memory(l->arena, files);
	l->load = conf_load_new(l->arena, &l->source);
	l->file = conf_load_file(l->load, "t.yaml", &file_schema, NULL, 0);
}

static inline void
loaded_end(struct loaded *l)
{
	arena_end(l->arena);
}

static inline const char *
loaded_messages(struct loaded *l)
{
	struct buf b = buf_in(l->arena);

	conf_print_diagnostics(l->load, &b);
	return arena_memdup(l->arena, b.p, b.n);
}

static inline void
expect_part(struct loaded *l, const char *part)
{
	const char *all = loaded_messages(l);

	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
}

static inline struct site_conf *
loaded_site(struct loaded *l, size_t i)
{
	assert_true(i < l->file->sites.n);
	return CONF_ITEM(&l->file->sites, struct site_conf *, i);
}

/* Compiles what was loaded; every leaf's plan is its own conf. */
static inline const struct plan *
loaded_plan(void *arg, struct route_conf *leaf)
{
	(void)arg;
	return (const struct plan *)(void *)leaf;
}

static inline struct router *
loaded_router(struct loaded *l, size_t site)
{
	if (conf_errors(l->load) > 0)
		fail_msg("%s", loaded_messages(l));
	return router_compile(l->load, &loaded_site(l, site)->routes,
	    loaded_plan, NULL);
}

/* All sites on one address. */
static inline struct site_index *
loaded_index(struct loaded *l)
{
	size_t n = l->file->sites.n;
	const struct site **sites = arena_alloc(l->arena, n * sizeof(*sites));

	if (conf_errors(l->load) > 0)
		fail_msg("%s", loaded_messages(l));
	for (size_t i = 0; i < n; i++) {
		struct site *s = arena_zalloc(l->arena, sizeof *s);
		struct site_conf *conf = loaded_site(l, i);

		conf->http = conf_inherit(l->load, &http_schema,
		    l->file->http, conf->http);
		s->conf = conf;
		s->http = conf->http;
		s->pos = conf_block_pos(conf);
		sites[i] = s;
	}
	return site_index_compile(l->load, sites, n);
}

/* ---- requests ---------------------------------------------------------- */

struct asked {
	struct txn txn;
	struct field fields[8];
	struct peer peer;
};

static inline void
asked_init(struct asked *q, struct arena *a, const char *path)
{
	*q = (struct asked){ .peer.family = AF_UNIX };
	q->txn.arena = a;
	q->txn.peer = &q->peer;
	q->txn.req.method = METHOD_GET;
	q->txn.req.method_name = STR("GET");
	q->txn.req.path = str_from(path);
	q->txn.req.head.fields = q->fields;
}

static inline void
asked_add(struct asked *q, enum field_id id, const char *name,
    const char *value)
{
	q->fields[q->txn.req.head.n++] = (struct field){
		.name = str_from(name), .value = str_from(value), .id = id
	};
}

/* The word of the route that a request for PATH takes; "" for none. */
static inline const char *
routed_to(const struct router *r, struct asked *q)
{
	const struct route *route = router_find(r, &q->txn);
	const struct word_conf *w;

	if (route == NULL)
		return "";
	w = route->conf->settings.conf[MODULE_respond];
	return w->word;
}

/* ---- chance ------------------------------------------------------------ */

/* The same numbers in every run. */
static inline uint32_t
chance(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

/* What sanitizers make of times is not what is measured. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWDOWN 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWDOWN 20
#endif
#endif
#ifndef SLOWDOWN
#define SLOWDOWN 1
#endif

#endif
