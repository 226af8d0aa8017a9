/*
 * The server under test, with listeners of every kind and upstreams with and
 * without TLS: the real one, but for the network (mock_net.h), and for its clock
 * and randomness, which are the same for the same input.
 */
#ifndef TESTS_FUZZ_SERVER_WORLD_H
#define TESTS_FUZZ_SERVER_WORLD_H

#include "mock_tls.h"

#include "http/h1.h"
#include "http/h1_conn.h"
#include "http/h2_conn.h"
#include "http/site_index.h"
#include "modules/modules.h"
#include "process/config.h"
#include "upstream/exchange.h"
#include "upstream/uplink.h"

#define CLIENTS 4
#define KEPT 2 /* idle connections of an upstream */
/* Rounds of the loop for what happens at one moment. */
#define MAX_TICKS 20000
/* No wait is longer than all time-outs together. */
#define ALL_TIMEOUTS 40000

#ifdef FUZZ_YAML
static const char fuzz_yaml[] = FUZZ_YAML;
#else
static const char fuzz_yaml[] =
    "http:\n"
    "  header_timeout: 2s\n"
    "  body_timeout: 3s\n"
    "  send_timeout: 4s\n"
    "  keepalive_timeout: 5s\n"
    "  lingering_timeout: 1s\n"
    "  max_header_size: 2k\n"
    "  max_headers: 20\n"
    "  max_target_size: 256\n"
    "  max_body_size: 100000\n"
    "listeners:\n"
    "  82: {proxy_protocol: on, trusted: [192.0.2.7]}\n"
    "  83: {proxy_protocol: on, trusted: [192.0.2.7]}\n"
    "upstreams:\n"
    "  app:\n"
    "    servers: [127.0.0.1:1, 127.0.0.1:2]\n"
    "    keepalive: {connections: 2, idle: 6s, requests: 5, lifetime: 30s}\n"
    "  safe:\n"
    "    servers: [127.0.0.1:3]\n"
    "    tls: {verify: off}\n"
    "    keepalive: {connections: 2, idle: 6s, requests: 5, lifetime: 30s}\n"
    "tag: x\n"
    "sites:\n"
    "- listen: {http: [80, 82], https: [81, 83]}\n"
    "  tls: {self_signed: on}\n"
    "  default: on\n"
    "  routes:\n"
    "  - path: /t/*\n"
    "    proxy:\n"
    "      to: safe\n"
    "      connect_timeout: 1s\n"
    "      send_timeout: 2s\n"
    "      read_timeout: 3s\n"
    "      request_headers: {set: {X-Id: $request_id}}\n"
    "  - {path: /s, respond: {body: small}}\n"
    "  - proxy:\n"
    "      to: app\n"
    "      connect_timeout: 1s\n"
    "      send_timeout: 2s\n"
    "      read_timeout: 3s\n"
    "      request_headers: {set: {X-Id: $request_id}}\n";
#endif

/* ---- the server -------------------------------------------------------- */

struct tag_conf {
	char *word;
};
static const struct conf_field tag_fields[] = {
	KEY_STR(tag_conf, word, .dflt = "x", .doc = "Nothing."),
	KEY_END
};
static const struct conf_schema tag_schema = {
	.name = "tag", .doc = "Nothing.", .size = sizeof(struct tag_conf),
	.fields = tag_fields, .shorthand = "word",
};

/* Names each request by its client and its place on the connection. */
static enum verdict
tag_step(struct txn *t, const void *conf)
{
	const struct via *via = t->conn->via;
	unsigned client = via != NULL ? via->proxy.port : t->conn->peer.port;

	(void)conf;
	if (t->req.major == 2)
		t->request_id = arena_strf(t->arena, "%u.%d", client,
		    ((const struct h2_stream *)t->carrier)->id);
	else
		t->request_id = arena_strf(t->arena, "%u.%u", client,
		    ((const struct h1 *)t->carrier)->requests);
	return STEP_NEXT;
}

static const struct module tag_module = {
	.name = "tag", .phase = PHASE_IDENTIFY,
	.levels = LEVEL_TOP | LEVEL_SITE,
	.schema = &tag_schema, .doc = "Nothing.", .step = tag_step,
};
/* Those of modules.def, with ours in the place of the log. */
const struct module *const modules[] = {
#define access_log_module tag_module
#define MODULE(name) &name##_module,
#include "modules/modules.def"
#undef MODULE
#undef access_log_module
	NULL
};
const unsigned module_count = MODULE_COUNT;

static struct {
	struct generation *generation;
	struct server *server;
	struct loop_stats loop_stats;
	struct net_stats net_stats;
	struct http_stats http_stats;
	struct exchange_stats exchange_stats;
	void *module_stats[MODULE_MAX];

	struct loop *loop;
	struct net *net;
	struct mock_socket *clients[CLIENTS];
	unsigned n_clients;
	struct mock_socket *speaker;
	unsigned client; /* of whom events are */
	bool holds;      /* rounds only when told */
	/* How whoever connects next does so: FUZZ_TLS, FUZZ_GATE. */
	unsigned kind;
	size_t filler;
} fuzz;

/* The port of a kind of client is 80 and this. */
enum { FUZZ_TLS = 1, FUZZ_GATE = 2 };

static bool
fuzz_has_gate(const struct mock_socket *s)
{
	return (s->port & FUZZ_GATE) != 0;
}

static struct endpoint *
fuzz_endpoint(uint16_t port)
{
	for (size_t i = 0; i < fuzz.generation->n_endpoints; i++) {
		struct endpoint *ep = fuzz.generation->endpoints[i];

		if (peer_from(&ep->addr).port == port)
			return ep;
	}
	UNREACHABLE();
}

/* Once: the configuration does not change. */
static void
fuzz_load(void)
{
	struct arena *a = arena_new();
	const char *files[] = { "f.yaml", fuzz_yaml, NULL };
	struct conf_source *source = arena_alloc(a, sizeof *source);
	struct generation_input in;
	struct conf_load *load;
	struct root_conf *root;

	log_set_level(LOG_CRIT);
	str_hash_seed(1, 2);
	clock_fake_start(1000000, 1700000000);
	config_init();
	mock_tls_load();
	*source = conf_source_memory(a, files);
	load = conf_load_new(a, source);
	fuzz.generation = generation_new(a, 1);
	root = conf_load_file(load, "f.yaml", &root_schema, NULL, 0);
	ASSERT(conf_errors(load) == 0);
	in = (struct generation_input){
		.sites = &root->sites, .listeners = &root->listeners,
		.http = root->http, .tls = root->tls,
		.settings = &root->settings
	};
	upstreams_compile(fuzz.generation, load, &root->upstreams);
	generation_compile(fuzz.generation, load, &in);
	ASSERT(conf_errors(load) == 0);
	for (unsigned i = 0; i < module_count; i++)
		if (modules[i]->counters != NULL)
			fuzz.module_stats[i] = arena_zalloc(a,
			    modules[i]->counters->size);
	fuzz.module_stats[MODULE_proxy] = &fuzz.exchange_stats;
}

static void
fuzz_begin(void)
{
	struct err e;

	clock_fake_start(1000000, 1700000000);
	memset(&mock, 0, sizeof mock);
	mock_tls.random = 1;
	memset(&fuzz.net_stats, 0, sizeof fuzz.net_stats);
	memset(&fuzz.http_stats, 0, sizeof fuzz.http_stats);
	memset(&fuzz.exchange_stats, 0, sizeof fuzz.exchange_stats);
	mock.arena = arena_new();
	fuzz.loop = loop_new(&fuzz.loop_stats, &e);
	loop_set_slow_limit(fuzz.loop, 0);
	fuzz.net = net_new(fuzz.loop, NULL, &fuzz.net_stats);
	if (fuzz.server == NULL) {
		fuzz.server = server_new(fuzz.net, &fuzz.http_stats,
		    fuzz.module_stats, fuzz.generation);
	} else {
		fuzz.server->net = fuzz.net;
		fuzz.server->module_state[MODULE_proxy] = backends_new(
		    fuzz.net, fuzz.generation, &fuzz.exchange_stats);
	}
	fuzz.server->draining = false;
	fuzz.n_clients = fuzz.client = fuzz.kind = 0;
	fuzz.holds = false;
	fuzz.filler = 0;
}

static void
fuzz_end(void)
{
	backends_end(fuzz.server->module_state[MODULE_proxy]);
	net_end(fuzz.net);
	loop_end(fuzz.loop);
	mock_tls_free_all();
	arena_end(mock.arena);
}

static bool
fuzz_is_quiet(void)
{
	return list_is_empty(&fuzz.loop->pending) &&
	    list_is_empty(&fuzz.loop->check) &&
	    list_is_empty(&fuzz.loop->closing) && mock_is_quiet();
}

static unsigned
fuzz_open_sockets(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < mock.n; i++)
		n += mock.sockets[i].is_open;
	return n;
}

/* On a connection that is kept nothing has come that was not asked for. */
static void
fuzz_check_kept(void)
{
	for (unsigned i = 0; i < upstreams_count(fuzz.generation); i++) {
		const struct backend *b = backends_at(
		    fuzz.server->module_state[MODULE_proxy], i);

		ASSERT(b->n_idle <= KEPT);
		LIST_EACH(link, &b->idle_by_age) {
			struct uplink *up =
			    LIST_ITEM(link, struct uplink, oldest);
			const struct mock_socket *s =
			    mock_at(up->conn.io.fd);

			ASSERT(s->in_at == s->in.n && !s->fin_in && !s->dead);
		}
	}
}

/* A round of the server, and what peers answer by themselves: true. */
static bool
fuzz_tick(void)
{
	loop_tick(fuzz.loop, 0);
	return mock_tls_work_all();
}

/* All that happens now, without anybody's doing. */
static void
fuzz_settle(void)
{
	unsigned ticks = 0;
	bool goes_on;

	do {
		ASSERT(ticks++ < MAX_TICKS);
		goes_on = fuzz_tick();
	} while (goes_on || !fuzz_is_quiet());
	fuzz_check_kept();
	/* Whoever is open is waited for, and nobody for ever. */
	ASSERT(fuzz_open_sockets() == 0 ||
	    wheel_next(&fuzz.loop->wheel) != UINT64_MAX);
}

/* ---- the end ----------------------------------------------------------- */

static uint64_t
fuzz_progress(void)
{
	uint64_t n = fuzz.http_stats.requests + fuzz.net_stats.bytes_in +
	    fuzz.net_stats.bytes_out + fuzz.exchange_stats.attempts;

	for (unsigned i = 0; i < CLOSE_COUNT; i++)
		n += fuzz.net_stats.closed[i];
	return n;
}

/* Nobody says anything any more: time alone has to end it all. */
static void
fuzz_wait(void)
{
	uint64_t progress = fuzz_progress(), since = clock_ms();

	while (fuzz_open_sockets() > 0) {
		uint64_t next = wheel_next(&fuzz.loop->wheel);

		ASSERT(next != UINT64_MAX);
		clock_fake_advance(next > clock_ms() ? next - clock_ms() : 1);
		fuzz_settle();
		if (fuzz_progress() != progress) {
			progress = fuzz_progress();
			since = clock_ms();
		}
		ASSERT(clock_ms() - since <= ALL_TIMEOUTS);
	}
}

static void
fuzz_check_nothing_is_left(void)
{
	ASSERT(fuzz.server->n_conns == 0);
	ASSERT(list_is_empty(&fuzz.server->conns));
	ASSERT(fuzz.http_stats.in_flight == 0);
	ASSERT(fuzz.http_stats.idle == 0);
	ASSERT(fuzz.net_stats.connections == 0);
	ASSERT(fuzz.net_stats.pages_leased == 0);
	ASSERT(fuzz.exchange_stats.idle == 0);
	ASSERT(wheel_next(&fuzz.loop->wheel) == UINT64_MAX);
}

#endif
