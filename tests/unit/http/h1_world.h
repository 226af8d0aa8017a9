/*
 * A server in a test: real loop, net, generation and HTTP/1 connections over
 * socket pairs, with a few features of the test's own in place of the real
 * ones. The test is the client, and it is what the features wait for; the clock
 * stands still until it is moved.
 */
#ifndef TESTS_HTTP_H1_WORLD_H
#define TESTS_HTTP_H1_WORLD_H

#include "base/clock.h"
#include "base/log.h"
#include "http/generation.h"
#include "http/h1.h"
#include "http/h1_conn.h"
#include "http/site_index.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- bodies that the test feeds ---------------------------------------- */

#define PIECES 64

struct piece {
	enum flow_status st;
	struct span span;
};

/* Offers the pieces in order, then says WAIT. */
struct feed {
	struct flow flow;
	struct piece pieces[PIECES];
	unsigned n, at;
	unsigned closed;
	struct head trailers;
};

struct world {
	struct arena *arena;
	struct loop_stats loop_stats;
	struct net_stats net_stats;
	struct http_stats stats;
	struct loop *loop;
	struct net *net;
	struct conf_source source;
	struct conf_load *load;
	struct generation *g;
	struct server *server;
	struct endpoint *ep;
	void *module_stats[MODULE_MAX];

	/* The client's end of the connection in hand. */
	int fd;
	bool eof, reset;
	struct buf in;
	size_t in_at;

	/* What the features were asked, and how they are to answer. */
	struct txn *t;     /* the last that `wait`, `pull` or `fed` got */
	void (*reply)(struct txn *t);
	struct feed feed;
	struct buf pulled; /* what `pull` got */
	bool pull_stops;   /* `pull` looks at nothing until resumed */
	bool pull_early;   /* `pull` answers when the first bytes are there */
	unsigned runs;     /* steps of `wait` */
	struct buf log;    /* "GET /now 200 -;" of each that ended */
};

/* The features find it here. */
static struct world *the;

static inline enum flow_status
feed_peek(struct flow *f, struct span *out)
{
	struct feed *feed = (struct feed *)f;

	if (feed->at == feed->n)
		return FLOW_WAIT;
	*out = feed->pieces[feed->at].span;
	return feed->pieces[feed->at].st;
}

static inline void
feed_take(struct flow *f, size_t n)
{
	struct feed *feed = (struct feed *)f;
	struct span *s = &feed->pieces[feed->at].span;

	assert_true(n <= s->n);
	if (s->p != NULL)
		s->p += n;
	s->off += n;
	s->n -= n;
	if (s->n == 0)
		feed->at++;
	if (f->length > 0)
		f->length -= (int64_t)n;
}

static inline void
feed_close(struct flow *f)
{
	((struct feed *)f)->closed++;
}

static const struct flow_ops feed_ops = {
	.name = "feed", .peek = feed_peek, .take = feed_take,
	.close = feed_close
};

/* For the response that comes next; LENGTH -1: not known beforehand. */
static inline void
feed_begin(struct world *w, int64_t length)
{
	w->feed = (struct feed){
		.flow = { .ops = &feed_ops, .length = length }
	};
}

static inline void
feed_piece(struct world *w, enum flow_status st, struct span span)
{
	assert_true(w->feed.n < PIECES);
	w->feed.pieces[w->feed.n++] = (struct piece){ st, span };
	flow_wake(&w->feed.flow);
}

static inline void
feed_bytes(struct world *w, const char *p, size_t n)
{
	feed_piece(w, FLOW_DATA, (struct span){ .p = p, .n = n });
}

static inline void
feed_text(struct world *w, const char *text)
{
	feed_bytes(w, text, strlen(text));
}

static inline void
feed_end(struct world *w)
{
	feed_piece(w, FLOW_END, (struct span){ .n = 0 });
}

static inline void
feed_fail(struct world *w)
{
	feed_piece(w, FLOW_FAIL, (struct span){ .n = 0 });
}

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

static inline void
answer_hello(struct txn *t)
{
	txn_reply(t, 200);
	txn_reply_bytes(t, NULL, STR("hello"));
}

static inline enum verdict
answer_wait(struct txn *t)
{
	void **slot = txn_slot(t);

	the->runs++;
	if (*slot == NULL) {
		*slot = t;
		the->t = t;
		return STEP_WAIT;
	}
	the->reply(t);
	return STEP_STOP;
}

static inline void
pull_on_wake(void *arg)
{
	txn_resume(arg);
}

static inline int
pull_status(const struct txn *t)
{
	return t->refusal != REFUSAL_NONE ? refusal_status(t->refusal) : 400;
}

static inline enum verdict
answer_pull(struct txn *t)
{
	struct span span;

	the->t = t;
	flow_on_wake(t->req.body, pull_on_wake, t);
	if (the->pull_stops) {
		the->pull_stops = false;
		return STEP_WAIT;
	}
	for (;;) {
		switch (flow_peek(t->req.body, &span)) {
		case FLOW_DATA:
			buf_put(&the->pulled, span.p, span.n);
			flow_take(t->req.body, span.n);
			if (!the->pull_early)
				continue;
			the->reply(t);
			return STEP_STOP;
		case FLOW_WAIT:
			return STEP_WAIT;
		case FLOW_END:
			the->reply(t);
			return STEP_STOP;
		case FLOW_FAIL:
			txn_reply_error(t, pull_status(t));
			return STEP_STOP;
		}
	}
}

static inline enum verdict
answer_fed(struct txn *t)
{
	the->t = t;
	txn_reply(t, 200);
	txn_reply_body(t, &the->feed.flow);
	if (the->feed.trailers.n > 0)
		t->res.trailers = &the->feed.trailers;
	return STEP_STOP;
}

static inline enum verdict
answer_step(struct txn *t, const void *conf)
{
	const struct word_conf *c = conf;

	if (strcmp(c->word, "wait") == 0)
		return answer_wait(t);
	if (strcmp(c->word, "pull") == 0)
		return answer_pull(t);
	if (strcmp(c->word, "fed") == 0)
		return answer_fed(t);
	the->reply(t);
	return STEP_STOP;
}

static inline enum verdict
mark_step(struct txn *t, const void *conf)
{
	const struct word_conf *c = conf;

	head_add(&t->res.head, FIELD_OTHER, STR("X-Mark"), str_from(c->word));
	return STEP_NEXT;
}

static inline enum verdict
note_step(struct txn *t, const void *conf)
{
	(void)conf;
	buf_printf(&the->log, "%.*s %d %s;", STR_ARG(t->req.line),
	    t->res.status, t->reason != NULL ? t->reason : "-");
	return STEP_NEXT;
}

#define EVERYWHERE (LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE)

static const struct module answer_module = {
	.name = "answer", .phase = PHASE_RESPOND, .levels = LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Answers.", .step = answer_step,
};
static const struct module mark_module = {
	.name = "mark", .phase = PHASE_HEADERS, .levels = EVERYWHERE,
	.flags = CONF_CAN_BE_OFF, .schema = &word_schema, .doc = "Marks.",
	.step = mark_step,
};
static const struct module note_module = {
	.name = "note", .phase = PHASE_LOG, .levels = EVERYWHERE,
	.flags = CONF_CAN_BE_OFF, .schema = &word_schema, .doc = "Notes.",
	.step = note_step,
};
const struct module *const modules[] = {
	&answer_module, &mark_module, &note_module, NULL
};
const unsigned module_count = 3;

/* ---- the configuration ------------------------------------------------- */

struct file_conf {
	struct http_conf *http;
	struct tls_conf *tls;
	struct conf_list sites;
	struct conf_map listeners;
	struct settings settings;
};

static const struct conf_field file_fields[] = {
	KEY_BLOCK(file_conf, http, struct http_conf, http_schema,
	    .flags = CONF_ALWAYS, .doc = "Limits."),
	KEY_BLOCK(file_conf, tls, struct tls_conf, tls_schema,
	    .doc = "TLS."),
	KEY_BLOCKS(file_conf, sites, site_schema, .doc = "Sites."),
	KEY_BLOCK_MAP(file_conf, listeners, listen_schema,
	    .doc = "Listeners."),
	KEY_END
};
static struct conf_schema file_schema = {
	.name = "file", .doc = "A file.", .size = sizeof(struct file_conf),
	.fields = file_fields,
	.extra_offset = offsetof(struct file_conf, settings),
};

#define ROUTES \
	"  routes:\n" \
	"  - {path: /now, answer: now}\n" \
	"  - {path: /wait, answer: wait}\n" \
	"  - {path: /pull, answer: pull}\n" \
	"  - {path: /fed, answer: fed}\n"

/* Loads and compiles; what is to be said of it, "" if nothing. */
static inline const char *
world_compile(struct world *w, const char *yaml)
{
	struct arena *a = arena_new();
	const char *files[] = { "t.yaml", yaml, NULL };
	struct buf messages = buf_in(w->arena);
	struct generation_input in;
	struct file_conf *file;

	module_rows_init();
	file_schema.extra = module_rows(LEVEL_TOP);
	w->g = generation_new(a, 1);
	w->source = conf_source_memory(a, files);
	w->load = conf_load_new(a, &w->source);
	file = conf_load_file(w->load, "t.yaml", &file_schema, NULL, 0);
	in = (struct generation_input){
		.sites = &file->sites, .listeners = &file->listeners,
		.http = file->http, .tls = file->tls,
		.settings = &file->settings
	};
	if (conf_errors(w->load) == 0)
		generation_compile(w->g, w->load, &in);
	conf_print_diagnostics(w->load, &messages);
	buf_chr(&messages, '\0');
	return messages.p;
}

static inline struct world *
world_of(const char *yaml)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_CRIT);
	clock_fake_start(1000000, 1700000000);
	the = w;
	w->arena = arena_new();
	w->loop = loop_new(&w->loop_stats, &e);
	assert_non_null(w->loop);
	loop_set_slow_limit(w->loop, 0); /* it would measure jumps */
	w->net = net_new(w->loop, NULL, &w->net_stats);
	assert_string_equal(world_compile(w, yaml), "");
	w->server = server_new(w->net, &w->stats, w->module_stats, w->g);
	assert_int_equal(w->g->n_endpoints, 1);
	w->ep = w->g->endpoints[0];
	w->fd = -1;
	w->in = buf_in(w->arena);
	w->pulled = buf_in(w->arena);
	w->log = buf_in(w->arena);
	w->reply = answer_hello;
	feed_begin(w, -1);
	return w;
}

/* One site with the four routes; HTTP: settings, as in a map of YAML. */
static inline struct world *
world_new(const char *http)
{
	char yaml[1024];

	snprintf(yaml, sizeof yaml,
	    "http: {%s}\nnote: log\nsites:\n- listen: 80\n" ROUTES, http);
	return world_of(yaml);
}

/* Enough ticks for what happens without anybody's help. */
static inline void
run(struct world *w)
{
	for (int i = 0; i < 8; i++)
		loop_tick(w->loop, 0);
}

static inline void
pass(struct world *w, uint64_t ms)
{
	clock_fake_advance(ms);
	run(w);
}

/* Whatever happened, nothing may be left of it. */
static inline void
world_end(struct world *w)
{
	server_cut(w->server);
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	assert_true(list_is_empty(&w->server->conns));
	assert_true(list_is_empty(&w->server->fresh));
	assert_int_equal(w->stats.in_flight, 0);
	assert_int_equal(w->stats.idle, 0);
	assert_int_equal(w->net_stats.pages_leased, 0);
	assert_int_equal(w->net_stats.connections, 0);
	server_end(w->server);
	generation_unref(w->g);
	net_end(w->net);
	loop_end(w->loop);
	if (w->fd >= 0)
		close(w->fd);
	arena_end(w->arena);
	arena_trim();
	clock_fake_end();
	free(w);
}

/* ---- the client -------------------------------------------------------- */

/* Takes over OURS as the client's end of a connection over THEIRS. */
static inline void
client_over(struct world *w, int ours, int theirs)
{
	struct peer peer = { .family = AF_INET, .port = 4711 };

	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", peer.ip), 1);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = ours;
	w->eof = w->reset = false;
	w->in.n = w->in_at = 0;
	h1_accept(w->server, w->ep, theirs, &peer);
}

/* Ends the connection of the client that has asked for something. */
static inline void
cut_first(struct world *w)
{
	struct client *c = client_of_link(w->server->conns.next);

	client_ops(c)->cut(c);
}

/* SNDBUF: how much of a response the kernel takes; 0: what it likes. */
static inline void
client_with(struct world *w, int sndbuf)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	if (sndbuf > 0)
		assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF,
		    &sndbuf, sizeof sndbuf), 0);
	client_over(w, pair[0], pair[1]);
	run(w);
}

static inline void
client(struct world *w)
{
	client_with(w, 0);
}

/* Over TCP, where an end can be a reset, and with small buffers. */
static inline void
client_tcp(struct world *w)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int small = 4096;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(l, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(bind(l, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, len), 0);
	client_over(w, fd, accept4(l, NULL, NULL, SOCK_NONBLOCK));
	close(l);
	run(w);
}

#define TLS_SITE \
	"sites:\n- listen: {https: 443}\n  tls: {self_signed: on}\n" ROUTES

/* Our end of a TLS connection; the handshake is done. */
static inline SSL *
tls_client(struct world *w, int sndbuf)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	int done = 0;

	SSL_CTX_free(ctx); /* SSL holds it */
	client_with(w, sndbuf);
	assert_int_equal(SSL_set_fd(ssl, w->fd), 1);
	for (int i = 0; i < 20 && done != 1; i++) {
		done = SSL_connect(ssl);
		run(w);
	}
	assert_int_equal(done, 1);
	return ssl;
}

/* The only connection, as the server has it. */
static inline struct h1 *
h1_only(struct world *w)
{
	assert_int_equal(w->server->n_conns, 1);
	struct list *fresh = &w->server->fresh;

	return LIST_ITEM(list_is_empty(fresh) ? w->server->conns.next :
	    fresh->next, struct h1, client.link);
}

static inline void
say_bytes(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
	run(w);
}

static inline void
say(struct world *w, const char *text)
{
	say_bytes(w, text, strlen(text));
}

/* Reads what there is, at most MAX bytes; true: there was something. */
static inline bool
listen_some(struct world *w, size_t max)
{
	static char page[65536];
	ssize_t n = recv(w->fd, page, max < sizeof page ? max : sizeof page,
	    MSG_DONTWAIT);

	if (n > 0)
		buf_put(&w->in, page, (size_t)n);
	if (n == 0)
		w->eof = true;
	if (n < 0 && errno == ECONNRESET)
		w->reset = true;
	return n > 0;
}

static inline void
listen_all(struct world *w)
{
	for (int i = 0; i < 4096; i++) {
		if (!listen_some(w, SIZE_MAX)) {
			run(w);
			if (!listen_some(w, SIZE_MAX))
				return;
		}
	}
	fail_msg("it never ends");
}

#define DATE 37 /* bytes of the line */

/*
 * What came since the last call, for the eye: lines end in | rather than CRLF,
 * and Date is left out.
 */
static inline const char *
heard(struct world *w)
{
	struct buf b = buf_in(w->arena);
	const char *p, *end;

	listen_all(w);
	p = w->in.p + w->in_at;
	end = w->in.p + w->in.n;
	while (p < end) {
		if (end - p > DATE && memcmp(p, "Date: ", 6) == 0) {
			p += DATE;
		} else if (end - p > 1 && p[0] == '\r' && p[1] == '\n') {
			buf_chr(&b, '|');
			p += 2;
		} else {
			buf_chr(&b, *p++);
		}
	}
	w->in_at = w->in.n;
	buf_chr(&b, '\0');
	return b.p;
}

static inline void
expect(struct world *w, const char *want)
{
	assert_string_equal(heard(w), want);
}

static inline void
expect_closed(struct world *w)
{
	listen_all(w);
	assert_true(w->eof);
	assert_false(w->reset);
}

static inline void
expect_open(struct world *w)
{
	listen_all(w);
	assert_false(w->eof);
	assert_false(w->reset);
}

static inline void
expect_log(struct world *w, const char *want)
{
	buf_chr(&w->log, '\0');
	assert_string_equal(w->log.p, want);
	w->log.n = 0;
}

static inline void
expect_pulled(struct world *w, const char *want)
{
	buf_chr(&w->pulled, '\0');
	assert_string_equal(w->pulled.p, want);
	w->pulled.n = 0;
}

/* What nearly every answer looks like. */
#define OK "HTTP/1.1 200 OK|"
#define HELLO OK "Content-Length: 5||hello"
#define HELLO_CLOSE OK "Content-Length: 5|Connection: close||hello"
#define H "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

#endif
