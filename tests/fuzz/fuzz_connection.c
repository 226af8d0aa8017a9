/*
 * Any course of events on connections between clients, the server and its
 * upstreams, all of it but the kernel (mock_net.h) being the real thing. The
 * input is the course: bytes below 0x80 are said by whoever has the word, the
 * others are events (the table in fuzz_event). Afterwards a witness reads what
 * was said. What must hold:
 *
 *  - what an upstream gets are requests, each of a client's, once (twice where
 *    twice is harmless), with its body, fields and nothing else;
 *  - what a client gets are responses, in order, each of them the upstream's or
 *    ours; one whose source was not whole is not whole;
 *  - work ends: without an event and without time passing, in a bounded number
 *    of rounds; with time passing and peers that are silent, altogether;
 *  - then nothing is left.
 */
#include "mock_net.h"
#include "witness.h"

#include "http/h1.h"
#include "http/h1_conn.h"
#include "http/site_index.h"
#include "modules/modules.h"
#include "process/config.h"
#include "upstream/exchange.h"

#define CLIENTS 4
#define MAX_HEAD 2048
#define MAX_FIELDS 20
#define MAX_TARGET 256
#define MAX_REQUESTS 512     /* of a client, that are looked at */
#define MAX_COURSE 65536
#define MAX_FILLER (1 << 20) /* bytes in all */
#define KEPT 2               /* idle upstream connections */
/* Rounds of the loop for what happens at one moment. */
#define MAX_TICKS 20000
/* No wait is longer than all time-outs together. */
#define ALL_TIMEOUTS 40000

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
    "upstreams:\n"
    "  app:\n"
    "    servers: [127.0.0.1:1, 127.0.0.1:2]\n"
    "    keepalive: {connections: 2, idle: 6s, requests: 5, lifetime: 30s}\n"
    "tag: x\n"
    "sites:\n"
    "- listen: 80\n"
    "  default: on\n"
    "  routes:\n"
    "  - {path: /s, respond: {body: small}}\n"
    "  - proxy:\n"
    "      to: app\n"
    "      connect_timeout: 1s\n"
    "      send_timeout: 2s\n"
    "      read_timeout: 3s\n"
    "      request_headers: {set: {X-Id: $request_id}}\n";

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
	const struct h1 *h = t->carrier;

	(void)conf;
	t->request_id = arena_strf(t->arena, "%u.%u", t->conn->peer.port,
	    h->requests);
	return STEP_NEXT;
}

static const struct module tag_module = {
	.name = "tag", .phase = PHASE_IDENTIFY,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &tag_schema, .doc = "Nothing.", .step = tag_step,
};
/* Those of modules.def, with ours in the place of the last. */
const struct module *const modules[] = {
	&redirect_module, &respond_module, &files_module, &proxy_module,
	&response_headers_module, &tag_module, NULL
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
	size_t filler;
} fuzz;

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
	fuzz.module_stats[MODULE_proxy] = &fuzz.exchange_stats;
}

static void
fuzz_begin(void)
{
	struct err e;

	clock_fake_start(1000000, 1700000000);
	memset(&mock, 0, sizeof mock);
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
	fuzz.n_clients = fuzz.client = 0;
	fuzz.holds = false;
	fuzz.filler = 0;
}

static void
fuzz_end(void)
{
	backends_end(fuzz.server->module_state[MODULE_proxy]);
	net_end(fuzz.net);
	loop_end(fuzz.loop);
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
	const struct backend *b = backends_at(
	    fuzz.server->module_state[MODULE_proxy], 0);

	ASSERT(fuzz.exchange_stats.idle <= KEPT);
	LIST_EACH(link, &b->idle_by_age) {
		struct uplink *up = LIST_ITEM(link, struct uplink, oldest);
		const struct mock_socket *s = mock_at(up->conn.io.fd);

		ASSERT(s->in_at == s->in.n && !s->fin_in && !s->dead);
	}
}

/* All that happens now, without anybody's doing. */
static void
fuzz_settle(void)
{
	unsigned ticks = 0;

	do {
		ASSERT(ticks++ < MAX_TICKS);
		loop_tick(fuzz.loop, 0);
	} while (!fuzz_is_quiet());
	fuzz_check_kept();
	/* Whoever is open is waited for, and nobody for ever. */
	ASSERT(fuzz_open_sockets() == 0 ||
	    wheel_next(&fuzz.loop->wheel) != UINT64_MAX);
}

/* ---- the course of events ---------------------------------------------- */

static void
fuzz_connect(void)
{
	struct peer peer = { .family = AF_INET, .ip = { 192, 0, 2, 7 } };
	struct mock_socket *s;

	if (fuzz.n_clients == CLIENTS)
		return;
	s = mock_new(false);
	if (s == NULL)
		return;
	s->woken = true;
	fuzz.client = fuzz.n_clients++;
	fuzz.clients[fuzz.client] = fuzz.speaker = s;
	peer.port = (uint16_t)fuzz.client;
	h1_accept(fuzz.server, fuzz.generation->endpoints[0], mock_fd(s),
	    &peer);
}

/* The one that got bytes last or, K > 0, that was dialled so long before the
 * last; NULL: none. */
static struct mock_socket *
fuzz_upstream(unsigned k)
{
	if (k == 0 && mock.heard != NULL)
		return mock.heard;
	k = k > 0 ? k - 1 : 0;
	for (unsigned i = mock.n; i-- > 0; )
		if (mock.sockets[i].is_dialled && k-- == 0)
			return &mock.sockets[i];
	return NULL;
}

static void
fuzz_filler(struct mock_socket *s, unsigned k)
{
	static const char pattern[] = "0123456789abcdefghijklmnopqrstuv";
	size_t n = (size_t)32 << (2 * k);

	if (fuzz.filler + n > MAX_FILLER)
		return;
	fuzz.filler += n;
	for (; n > 0; n -= 32)
		mock_say(s, pattern, 32);
}

static void
fuzz_pass(unsigned k)
{
	static const uint16_t ms[16] = {
		1, 10, 100, 250, 499, 500, 999, 1000, 1001, 1999, 2000, 2999,
		3000, 4000, 5000, 6000
	};

	clock_fake_advance(ms[k]);
}

static void
fuzz_end_of(struct mock_socket *s, unsigned how)
{
	if (how == 0)
		mock_fin(s);
	else if (how == 1)
		mock_peer_close(s);
	else
		mock_reset(s);
}

/* What has no number. */
static void
fuzz_event_alone(uint8_t event)
{
	switch (event) {
	case 0x83:
		loop_tick(fuzz.loop, 0);
		break;
	case 0x84:
		fuzz.holds = true;
		break;
	case 0x85:
		fuzz.holds = false;
		break;
	case 0x86:
		mock.backwards = !mock.backwards;
		break;
	case 0x87:
		fuzz_connect();
		break;
	case 0x88:
		fuzz.server->draining = true;
		break;
	case 0x89:
		for (unsigned i = 0; i < mock.n; i++)
			mock_establish(&mock.sockets[i], 0);
		break;
	case 0x8a:
		LIST_EACH(link, &fuzz.server->conns) {
			struct client *c = client_of_link(link);

			client_ops(c)->close_if_idle(c, true);
		}
		break;
	default:
		break;
	}
}

static void
fuzz_event(uint8_t event)
{
	struct mock_socket *c = fuzz.clients[fuzz.client];
	struct mock_socket *s = fuzz.speaker;
	unsigned k = event & 15;

	switch (event >> 4) {
	case 0x8:
		if (event == 0x80)
			fuzz.speaker = c;
		else if (event == 0x81 && fuzz_upstream(0) != NULL)
			fuzz.speaker = fuzz_upstream(0);
		else
			fuzz_event_alone(event);
		break;
	case 0x9:
		fuzz_pass(k);
		break;
	case 0xa:
		mock_listen(s, k == 15 ? SIZE_MAX : (size_t)1 << k);
		break;
	case 0xb:
		mock_set_window(s, k == 15 ? 1 << 20 : k == 0 ? 0 :
		    (size_t)4 << k);
		break;
	case 0xc:
		fuzz_end_of(s, k % 3);
		break;
	case 0xd:
		if (k < DIAL_MODES)
			mock.dial = k;
		else if (fuzz_upstream(k - DIAL_MODES) != NULL)
			fuzz.speaker = fuzz_upstream(k - DIAL_MODES);
		break;
	case 0xe:
		fuzz_filler(s, k % 6);
		break;
	default:
		if (k < CLIENTS && k < fuzz.n_clients) {
			fuzz.client = k;
			fuzz.speaker = fuzz.clients[k];
		}
	}
}

static void
fuzz_play(const uint8_t *p, size_t n)
{
	size_t from = 0;

	fuzz_connect();
	for (size_t i = 0; i <= n; i++) {
		/* 0x82: the next byte is said, whatever it is. */
		if (i < n && p[i] < 0x80)
			continue;
		mock_say(fuzz.speaker, p + from, i - from);
		if (i < n && p[i] == 0x82) {
			if (++i < n)
				mock_say(fuzz.speaker, p + i, 1);
		} else {
			if (!fuzz.holds)
				fuzz_settle();
			if (i < n)
				fuzz_event(p[i]);
		}
		from = i + 1;
	}
	fuzz_settle();
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

/* ---- what was said ----------------------------------------------------- */

struct speaker {
	struct mock_socket *socket;
	struct said_request requests[MAX_REQUESTS];
	unsigned n;
	bool goes_on; /* something follows them that is no request */
};

struct exchanged {
	struct said_request *request;
	struct said_response response;
	bool is_there;
};

static struct speaker clients[CLIENTS];
/* The last exchange of each request with an upstream. */
static struct exchanged exchanged[CLIENTS][MAX_REQUESTS];
/* Answers to requests of which not even the head had arrived: whose they are,
 * nobody can tell who looks on. */
static struct said_response early[MOCK_SOCKETS];
static unsigned n_early;

static bool
fuzz_is_prefix(struct str part, struct str all)
{
	return part.n <= all.n && str_eq(part, str_slice(all, 0, part.n));
}

static void
fuzz_read_client(struct speaker *c, struct mock_socket *socket)
{
	static const struct h1_limits limits = {
		.max_fields = MAX_FIELDS, .max_target = MAX_TARGET
	};
	struct said s = { .arena = mock.arena, .all = buf_view(&socket->in) };

	c->socket = socket;
	c->n = 0;
	c->goes_on = false;
	while (c->n < MAX_REQUESTS) {
		enum said_head what = said_request(&s, &limits, MAX_HEAD,
		    &c->requests[c->n]);

		c->goes_on = what == SAID_BAD || what == SAID_PART;
		if (what != SAID_OK)
			return;
		/* Whatever follows a body that is not whole is of it. */
		if (!c->requests[c->n++].whole)
			return;
	}
	c->goes_on = true;
}

/* The request that the upstream's X-Id names; it is one that was sent. */
static struct said_request *
fuzz_find_request(const struct head *h, struct exchanged **x)
{
	struct str id = head_value_name(h, STR("X-Id")), part;
	uint64_t client = 0, n = 0;

	ASSERT(str_split(&id, '.', &part) && str_to_u64(part, &client));
	ASSERT(str_to_u64(id, &n));
	ASSERT(client < fuzz.n_clients);
	if (n >= MAX_REQUESTS)
		return NULL;
	ASSERT(n < clients[client].n);
	*x = &exchanged[client][n];
	return &clients[client].requests[n];
}

/* Ours to write, whatever the client has. */
static bool
fuzz_is_ours(const struct field *f, const struct said_request *from)
{
	switch ((int)f->id) {
	case FIELD_HOST:
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PROTO:
		return true;
	case FIELD_CONNECTION:
	case FIELD_UPGRADE:
		return from->r.upgrade;
	default:
		return str_eq(f->name, STR("X-Id"));
	}
}

static void
fuzz_check_fields(const struct said_request *got,
    const struct said_request *from)
{
	struct str named = head_joined(&from->head, FIELD_CONNECTION);

	HEAD_EACH(f, &got->head) {
		bool is_there = fuzz_is_ours(f, from);

		if (!is_there)
			ASSERT(!field_has_token(named, f->name));
		if (!is_there)
			HEAD_EACH(g, &from->head)
				is_there = is_there ||
				    (str_eq(f->name, g->name) &&
				    str_eq(f->value, g->value));
		ASSERT(is_there);
	}
}

static void
fuzz_check_request(const struct said_request *got, struct said_request *from)
{
	ASSERT(got->r.method == from->r.method);
	ASSERT(str_eq(got->r.method_name, from->r.method_name));
	ASSERT(got->r.minor == 1);
	ASSERT(str_has_suffix(from->r.target, got->r.target) ||
	    str_eq(got->r.target, STR("/")) ||
	    str_has_prefix(got->r.target, STR("/?")) ||
	    str_eq(got->r.target, STR("*")));
	fuzz_check_fields(got, from);
	ASSERT(fuzz_is_prefix(buf_view(&got->body), buf_view(&from->body)));
	if (got->whole)
		ASSERT(from->whole && got->body.n == from->body.n);
	/* A second time only after a kept connection turned out dead. */
	ASSERT(++from->seen <= 2);
	ASSERT(from->seen < 2 || (from->body.n == 0 &&
	    (method_flags(from->r.method) & METHOD_IDEMPOTENT) != 0));
}

/* The request that begins at OUT was written when no more had been read than
 * the answers to those before it, which end at IN. */
static void
fuzz_check_turn(const struct mock_socket *s, size_t out, size_t in)
{
	for (size_t at = 0; at < s->marks.n; at += sizeof(struct mock_mark)) {
		struct mock_mark mark;

		memcpy(&mark, s->marks.p + at, sizeof mark);
		if (mark.out == out) {
			ASSERT(mark.in == in);
			return;
		}
	}
	UNREACHABLE();
}

static void
fuzz_read_upstream(struct mock_socket *socket)
{
	static const struct h1_limits limits = {
		.max_fields = 200, .max_target = 65536
	};
	struct said in = { .arena = mock.arena, .all = buf_view(&socket->out) };
	struct said out = {
		.arena = mock.arena, .all = buf_view(&socket->in),
		.has_fin = socket->fin_in && socket->in_at == socket->in.n
	};
	enum said_head what = SAID_OK;

	for (;;) {
		struct said_request got, *from;
		struct exchanged *x;
		unsigned interims;

		if (said_rest(&in).n > 0)
			fuzz_check_turn(socket, in.at, out.at);
		what = said_request(&in, &limits, SIZE_MAX, &got);
		ASSERT(what != SAID_BAD);
		if (what == SAID_PART && said_response(&out,
		    str_has_prefix(said_rest(&in), STR("HEAD ")) ?
		    METHOD_HEAD : METHOD_GET, &interims, &early[n_early]) ==
		    SAID_OK)
			n_early++;
		if (what != SAID_OK)
			return;
		from = fuzz_find_request(&got.head, &x);
		if (from == NULL)
			return;
		fuzz_check_request(&got, from);
		*x = (struct exchanged){ .request = from, .is_there = true };
		what = said_response(&out, got.r.method, &interims,
		    &x->response);
		if (what != SAID_OK)
			x->response.has_head = x->response.whole = false;
		if (what == SAID_OK && x->response.r.status == 101) {
			/* What it is sent from here on is the client's. */
			return;
		}
		if (!got.whole)
			return;
	}
}

/* Answers that are ours have a page that says so, or what /s says. */
static bool
fuzz_is_own(const struct said_response *r, bool has_body)
{
	struct str page = status_page(r->r.status);

	if (r->r.status == 200)
		page = STR("small");
	else if (r->r.status < 400)
		return false;
	if (!has_body)
		return true;
	return r->whole ? str_eq(buf_view(&r->body), page) :
	    fuzz_is_prefix(buf_view(&r->body), page);
}

/* Whether GOT, which answers REQUEST at a client, is FROM passed on. */
static bool
fuzz_is_passed_on(const struct said_response *got,
    const struct said_request *request, const struct said_response *from)
{
	struct str body = buf_view(&got->body);

	if (!from->has_head || from->r.status != got->r.status)
		return false;
	if (got->r.status == 101)
		return request->r.upgrade &&
		    fuzz_is_prefix(got->raw, from->raw);
	if (got->whole)
		return from->whole && str_eq(body, buf_view(&from->body));
	return fuzz_is_prefix(body, buf_view(&from->body));
}

/* X is what came of REQUEST at an upstream. */
static void
fuzz_check_response(const struct said_response *got,
    const struct said_request *request, const struct exchanged *x)
{
	if (x->is_there && fuzz_is_passed_on(got, request, &x->response))
		return;
	for (unsigned i = 0; i < n_early && request != NULL; i++)
		if (fuzz_is_passed_on(got, request, &early[i]))
			return;
	ASSERT(fuzz_is_own(got, request == NULL ||
	    request->r.method != METHOD_HEAD));
}

static void
fuzz_check_client(unsigned k)
{
	static const struct exchanged none;
	struct speaker *c = &clients[k];
	struct mock_socket *socket = c->socket;
	struct said s = {
		.arena = mock.arena, .all = buf_view(&socket->out),
		.has_fin = !socket->cut
	};

	for (unsigned i = 0; i < MAX_REQUESTS; i++) {
		struct said_request *request =
		    i < c->n ? &c->requests[i] : NULL;
		struct said_response got;
		unsigned interims;
		enum said_head what = said_response(&s, request != NULL ?
		    request->r.method : METHOD_GET, &interims, &got);

		ASSERT(what != SAID_BAD);
		if (what != SAID_OK)
			return;
		/* One answer for what is no request, then no more. */
		ASSERT(i < c->n || (i == c->n && c->goes_on));
		ASSERT(request != NULL || got.r.status >= 400);
		ASSERT(request == NULL || request->r.minor == 1 ||
		    interims == 0);
		ASSERT(!got.until_close || request == NULL ||
		    request->r.minor == 0);
		fuzz_check_response(&got, request, i < c->n ?
		    &exchanged[k][i] : &none);
		if (!got.whole || got.r.close || request == NULL) {
			/* What was no whole head in time may have become one of
			 * HEAD later: there is a page nevertheless. */
			ASSERT(said_rest(&s).n == 0 || (got.r.status == 408 &&
			    str_eq(said_rest(&s), status_page(408))));
			return;
		}
	}
}

static void
fuzz_check_what_was_said(void)
{
	for (unsigned i = 0; i < fuzz.n_clients; i++) {
		fuzz_read_client(&clients[i], fuzz.clients[i]);
		for (unsigned k = 0; k < clients[i].n; k++)
			exchanged[i][k] = (struct exchanged){ .request = NULL };
	}
	n_early = 0;
	for (unsigned i = 0; i < mock.n; i++)
		if (mock.sockets[i].is_dialled)
			fuzz_read_upstream(&mock.sockets[i]);
	for (unsigned i = 0; i < fuzz.n_clients; i++)
		fuzz_check_client(i);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_COURSE)
		return 0;
	if (fuzz.generation == NULL)
		fuzz_load();
	fuzz_begin();
	fuzz_play(data, size);
	fuzz_wait();
	fuzz_check_nothing_is_left();
	fuzz_check_what_was_said();
	fuzz_end();
	return 0;
}
