/*
 * A worker's upstream side in a test, with real sockets: the test is the client
 * (by a transaction made by hand) and the server (whose every byte it writes),
 * in one thread, under a clock that stands still until the test moves it.
 */
#ifndef TESTS_UPSTREAM_WORLD_H
#define TESTS_UPSTREAM_WORLD_H

#include "upstream/exchange.h"
#include "upstream/h1_client.h"

#include "base/clock.h"
#include "conf/load.h"
#include "http/server.h"
#include "net/listener.h"
#include "upstream/idle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the world of a test ----------------------------------------------- */

/* A request body that the test feeds. */
struct feed {
	struct flow flow;
	const char *p;
	size_t n, limit; /* LIMIT: at most so much per peek; 0: all */
	bool is_over, fails;
};

struct world {
	struct arena *arena;
	struct loop_stats loop_stats;
	struct net_stats net_stats;
	struct http_stats http_stats;
	struct exchange_stats stats;
	struct loop *loop;
	struct server server;
	struct generation g;
	struct exchange_conf conf;
	struct conf_load *load;
	struct upstream_group *group;
	struct backends *all;
	struct backend *backend;
	int listener;
	uint16_t port;

	struct txn *t;
	struct exchange *x;
	struct feed feed;
	bool resumed;
	unsigned wakes;
	char interims[256];
};

static inline void
on_resume(struct txn *t)
{
	struct world *w = t->carrier;

	w->resumed = true;
}

static inline void
on_wake(void *arg)
{
	struct world *w = arg;

	w->wakes++;
}

static inline void
on_interim(struct txn *t, int status, const struct head *head)
{
	struct world *w = t->carrier;
	size_t at = strlen(w->interims);

	snprintf(w->interims + at, sizeof w->interims - at, "%d:%u;", status,
	    head->n);
}

static const struct transport transport = {
	.name = "test", .resume = on_resume, .interim = on_interim};

static inline enum flow_status
feed_peek(struct flow *f, struct span *out)
{
	struct feed *feed = (struct feed *)f;

	if (feed->fails)
		return FLOW_FAIL;
	if (feed->n == 0)
		return feed->is_over ? FLOW_END : FLOW_WAIT;
	*out = (struct span){.p = feed->p, .n = feed->n};
	if (feed->limit > 0 && out->n > feed->limit)
		out->n = feed->limit;
	return FLOW_DATA;
}

static inline void
feed_take(struct flow *f, size_t n)
{
	struct feed *feed = (struct feed *)f;

	feed->p += n;
	feed->n -= n;
	if (feed->flow.length > 0)
		feed->flow.length -= (int64_t)n;
}

static inline void
feed_close(struct flow *f)
{
	(void)f;
}

static const struct flow_ops feed_ops = {
	.name = "feed", .peek = feed_peek, .take = feed_take,
	.close = feed_close};

static inline int
listen_somewhere(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof in;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static inline void
world_use(struct world *w, struct upstream_group *group)
{
	w->group = group;
	if (w->all != NULL)
		backends_end(w->all);
	w->all = backends_new(w->server.net, &w->g, &w->stats);
	w->backend = backends_at(w->all, group->index);
}

static char *upgrade_names[] = {"websocket"};
static const struct conf_list upgrades = {1, upgrade_names, NULL};

static inline int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	char url[64];
	struct err e;

	clock_fake_start(1000000, 1700000000);
	w->arena = arena_new();
	w->loop = loop_new(&w->loop_stats, &e);
	assert_non_null(w->loop);
	w->server.net = net_new(w->loop, NULL, &w->net_stats);
	w->server.stats = &w->http_stats;
	w->load = conf_load_new(w->arena, &conf_source_disk);
	w->g.arena = w->arena;
	w->listener = listen_somewhere(&w->port);
	snprintf(url, sizeof url, "http://127.0.0.1:%u", w->port);
	w->conf = (struct exchange_conf){
		.protocol = &h1_client_protocol,
		.connect_timeout = 5000, .send_timeout = 30000,
		.read_timeout = 20000, .edits = forward_compile(w->load, NULL),
		.upgrades = &upgrades};
	world_use(w, upstreams_literal(&w->g, w->load,
	    (struct conf_text){.s = arena_str(w->arena, str_from(url))}));
	*state = w;
	return 0;
}

static inline void
tick(struct world *w)
{
	loop_tick(w->loop, 0);
	poll(NULL, 0, 1);
	loop_tick(w->loop, 0);
}

static inline void
world_end_txn(struct world *w)
{
	struct txn *t = w->t;

	if (t == NULL)
		return;
	while (t->cleanups != NULL) {
		struct txn_cleanup *c = t->cleanups;

		t->cleanups = c->next;
		c->fn(c->arg);
	}
	flow_close(t->res.body);
	arena_end(t->arena);
	w->t = NULL;
}

static inline int
world_close(void **state)
{
	struct world *w = *state;

	world_end_txn(w);
	backends_end(w->all);
	tick(w);
	net_end(w->server.net);
	loop_end(w->loop);
	close(w->listener);
	arena_end(w->arena);
	arena_trim();
	clock_fake_end();
	free(w);
	return 0;
}

/* ---- the client's side ------------------------------------------------- */

static struct listen_conf listen_conf;
static struct endpoint endpoint = {.conf = &listen_conf};
static struct http_conf http_conf;
static const struct site site = {.http = &http_conf};

static inline enum verdict
begin(struct world *w, const char *head)
{
	static const struct h1_limits limits = {
		.max_fields = 100, .max_target = 8192
	};
	struct arena *a = arena_new();
	struct txn *t = arena_zalloc(a, sizeof *t);
	struct h1_request r;

	world_end_txn(w);
	t->magic = TXN_MAGIC;
	t->arena = a;
	t->site = &site;
	t->state = TXN_STEPS;
	t->server = &w->server;
	t->transport = &transport;
	t->carrier = w;
	t->conn = arena_zalloc(a, sizeof *t->conn);
	t->peer = &t->conn->peer;
	t->conn->peer.family = AF_INET;
	t->conn->endpoint = &endpoint;
	head_init(&t->req.head, a, 8);
	assert_int_equal(h1_parse_request(head, strlen(head), &limits, &r,
	    &t->req.head), H1_OK);
	t->req.method = r.method;
	t->req.method_name = r.method_name;
	t->req.raw = r.target;
	t->req.wants_upgrade = r.upgrade;
	t->req.major = 1;
	t->req.minor = (uint8_t)r.minor;
	target_parse(a, r.target, SLASH_REFUSE, &t->req.target);
	w->feed.flow = (struct flow){.ops = &feed_ops,
		.length = r.chunked ? -1 :
		    r.content_length > 0 ? r.content_length : 0};
	t->req.body = &w->feed.flow;
	w->t = t;
	w->resumed = false;
	w->interims[0] = '\0';
	w->x = exchange_new(t, w->backend, &w->conf);
	return exchange_step(w->x);
}

static inline void
set_body(struct world *w, const char *p, bool is_over)
{
	w->feed = (struct feed){.p = p, .n = strlen(p), .is_over = is_over};
}

/* Steps until the exchange has an answer. */
static inline int
finish(struct world *w)
{
	for (int i = 0; i < 2000 && !w->resumed; i++)
		tick(w);
	assert_true(w->resumed);
	assert_int_equal(exchange_step(w->x), STEP_STOP);
	return w->t->res.status;
}

/* All of the response's body; *ST is how it ended. */
static const char *
body(struct world *w, enum flow_status *st)
{
	struct buf b = buf_in(w->t->arena);
	struct span span;

	*st = FLOW_END;
	if (w->t->res.body != NULL) {
		flow_on_wake(w->t->res.body, on_wake, w);
		for (int i = 0; i < 2000; i++) {
			*st = flow_peek(w->t->res.body, &span);
			if (*st == FLOW_WAIT) {
				tick(w);
				continue;
			}
			if (*st != FLOW_DATA)
				break;
			buf_put(&b, span.p, span.n);
			flow_take(w->t->res.body, span.n);
		}
	}
	buf_chr(&b, '\0');
	return b.p;
}

static inline void
expect_body(struct world *w, const char *want)
{
	enum flow_status st;

	assert_string_equal(body(w, &st), want);
	assert_int_equal(st, FLOW_END);
}

/* ---- the server's side ------------------------------------------------- */

static inline int
accept_one(struct world *w)
{
	int fd = -1;

	for (int i = 0; i < 2000 && fd < 0; i++) {
		tick(w);
		fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
	}
	assert_true(fd >= 0);
	return fd;
}

static inline bool
has_new_connection(struct world *w)
{
	struct pollfd p = {.fd = w->listener, .events = POLLIN};

	for (int i = 0; i < 5; i++)
		tick(w);
	return poll(&p, 1, 0) == 1;
}

/* What the proxy sends, until it contains PART. */
static const char *
receive(struct world *w, int fd, const char *part)
{
	static char text[65536];
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < 2000 && strstr(text, part) == NULL; i++) {
		ssize_t got = read(fd, text + n, sizeof text - 1 - n);

		if (got > 0)
			n += (size_t)got;
		else
			tick(w);
		text[n] = '\0';
	}
	assert_non_null(strstr(text, part));
	return text;
}

static inline bool
is_closed(struct world *w, int fd)
{
	char c[512];

	for (int i = 0; i < 50; i++) {
		ssize_t n = read(fd, c, sizeof c);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		tick(w);
	}
	return false;
}

static inline void
say(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(write(fd, text, n), (ssize_t)n);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

/* One whole GET over a new connection, which is idle afterwards. */
static inline int
warm_up(struct world *w)
{
	int fd;

	assert_int_equal(begin(w, GET), STEP_WAIT);
	fd = accept_one(w);
	receive(w, fd, "\r\n\r\n");
	say(fd, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_int_equal(w->backend->n_idle, 1);
	world_end_txn(w);
	return fd;
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

#endif
