/*
 * One module in a test: its block is loaded from a text, on levels that inherit
 * as those of the real configuration do, and its step is given transactions
 * that are made by hand. No transport, no plan; the clock stands still until
 * the test moves it.
 */
#ifndef TESTS_MODULES_WORLD_H
#define TESTS_MODULES_WORLD_H

#include "base/clock.h"
#include "base/log.h"
#include "http/log_file.h"
#include "http/server.h"
#include "http/site.h"
#include "http/template.h"
#include "modules/modules.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

/* A level with the module's key, and the next one further in. */
struct level {
	void *conf;
	struct conf_map log_formats;
	struct level *inner;
};

struct world {
	struct arena *arena;
	const struct module *module;
	struct loop_stats loop_stats;
	struct net_stats net_stats;
	struct http_stats http_stats;
	struct loop *loop;
	struct server server;
	struct generation g;
	struct conf_source source;
	struct conf_load *load;
	struct level *top;
	struct txn *t;
	void *stats;
};

static struct conf_field level_fields[4];
static struct conf_schema level_schema = {
	.name = "level", .size = sizeof(struct level),
	.fields = level_fields, .doc = "A level."
};

static inline void
level_rows(const struct module *m)
{
	static const struct conf_field others[] = {
		KEY_BLOCK(level, inner, struct level, level_schema,
		    .flags = CONF_LOCAL, .doc = "Further in."),
		KEY_MAP(level, log_formats, conf_type_template,
		    .doc = "Formats."),
		KEY_END
	};

	level_fields[0] = (struct conf_field){
		.name = m->name, .shape = CONF_BLOCK, .schema = m->schema,
		.offset = offsetof(struct level, conf), .flags = m->flags,
		.doc = m->doc
	};
	memcpy(level_fields + 1, others, sizeof others);
}

static inline struct world *
world_new(const struct module *m)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	setenv("TZ", "UTC", 1);
	clock_fake_start(1000000, 1700000000);
	w->module = m;
	w->arena = arena_new();
	w->loop = loop_new(&w->loop_stats, &e);
	assert_non_null(w->loop);
	loop_set_slow_limit(w->loop, 0); /* it would measure jumps */
	w->server.net = net_new(w->loop, NULL, &w->net_stats);
	w->server.stats = &w->http_stats;
	w->server.generation = &w->g;
	w->g.arena = w->arena;
	if (m->counters != NULL)
		w->stats = arena_zalloc(w->arena, m->counters->size);
	for (unsigned i = 0; i < MODULE_COUNT; i++)
		w->server.module_stats[i] = w->stats;
	return w;
}

static inline void
world_end_txn(struct world *w)
{
	if (w->t == NULL)
		return;
	flow_close(w->t->res.body);
	arena_end(w->t->arena);
	w->t = NULL;
}

static inline void
world_end(struct world *w)
{
	world_end_txn(w);
	net_end(w->server.net);
	loop_end(w->loop);
	arena_end(w->arena);
	arena_trim();
	clock_fake_end();
	free(w);
}

/* ---- loading ----------------------------------------------------------- */

/* Loads YAML as "/etc/weir.yaml", inherits inward, prepares every block. */
static inline void
world_load(struct world *w, const char *yaml)
{
	const char *files[] = {"/etc/weir.yaml", yaml, NULL};

	level_rows(w->module);
	w->source = conf_source_memory(w->arena, files);
	w->load = conf_load_new(w->arena, &w->source);
	w->top = conf_load_file(w->load, files[0], &level_schema, NULL, 0);
	if (conf_errors(w->load) > 0)
		return;
	w->g.shared[MODULE_access_log] = &w->top->log_formats;
	for (struct level *l = w->top; l->inner != NULL; l = l->inner)
		conf_inherit(w->load, &level_schema, l, l->inner);
	for (struct level *l = w->top; l != NULL; l = l->inner)
		if (l->conf != NULL && !conf_is_off(l->conf) &&
		    w->module->prepare != NULL &&
		    (l == w->top || l->conf != w->top->conf))
			w->module->prepare(w->load, &w->g, l->conf);
}

static inline const char *
world_messages(struct world *w)
{
	struct buf b = buf_in(w->arena);

	conf_print_diagnostics(w->load, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static inline struct world *
world_of(const struct module *m, const char *yaml)
{
	struct world *w = world_new(m);

	world_load(w, yaml);
	assert_string_equal(world_messages(w), "");
	return w;
}

static inline void
expect_error(const struct module *m, const char *yaml, const char *part)
{
	struct world *w = world_new(m);
	const char *all;

	world_load(w, yaml);
	all = world_messages(w);
	if (strstr(all, part) == NULL)
		fail_msg("expected \"%s\" in:\n%s", part, all);
	world_end(w);
}

/* ---- transactions ------------------------------------------------------ */

static struct http_conf plain_http;
static const struct site plain_site = { .http = &plain_http };

static inline struct txn *
request(struct world *w, const char *method, const char *target)
{
	struct arena *a = arena_new();
	struct txn *t = arena_zalloc(a, sizeof *t);
	struct buf line = buf_in(a);

	world_end_txn(w);
	t->magic = TXN_MAGIC;
	t->arena = a;
	t->state = TXN_STEPS;
	t->server = &w->server;
	t->generation = &w->g;
	t->conn = arena_zalloc(a, sizeof *t->conn);
	t->peer = &t->conn->peer;
	t->conn->peer.family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", t->conn->peer.ip), 1);
	t->site = &plain_site;
	t->req.method = strcmp(method, "HEAD") == 0 ? METHOD_HEAD : METHOD_GET;
	t->req.method_name = str_from(method);
	t->req.raw = str_from(target);
	buf_str(&line, t->req.method_name);
	buf_chr(&line, ' ');
	buf_str(&line, t->req.raw);
	buf_z(&line, " HTTP/1.1");
	t->req.line = buf_view(&line);
	t->req.path = str_from(target);
	t->req.host = STR("a.example");
	t->req.major = t->req.minor = 1;
	t->req.body = flow_bytes(a, STR(""));
	head_init(&t->req.head, a, 8);
	t->res.head_length = -1;
	t->began_us = clock_us();
	w->t = t;
	return t;
}

/* As request, with the target read as a transport does, for a site that keeps
 * encoded slashes. */
static inline struct txn *
request_target(struct world *w, const char *method, const char *target)
{
	static struct http_conf http = {.encoded_slash = SLASH_KEEP};
	static const struct site site = {.http = &http};
	struct txn *t = request(w, method, target);

	t->site = &site;
	assert_int_equal(target_parse(t->arena, t->req.raw, SLASH_KEEP,
	    &t->req.target), TARGET_OK);
	t->req.path = t->req.target.path;
	return t;
}

static inline void
field(struct txn *t, const char *name, const char *value)
{
	head_add(&t->req.head, field_lookup(str_from(name)), str_from(name),
	    str_from(value));
}

/* "status|Name: value|...|body" of the response. */
static inline const char *
response(struct txn *t)
{
	struct buf b = buf_in(t->arena);
	struct span span;

	buf_printf(&b, "%d|", t->res.status);
	HEAD_EACH(f, &t->res.head)
		buf_printf(&b, "%.*s: %.*s|", STR_ARG(f->name),
		    STR_ARG(f->value));
	while (t->res.body != NULL &&
	    flow_peek(t->res.body, &span) == FLOW_DATA) {
		buf_put(&b, span.p, span.n);
		flow_take(t->res.body, span.n);
	}
	buf_chr(&b, '\0');
	return b.p;
}

#endif
