/*
 * Exchanges: attempts to get an answer from a group of servers, each over one
 * connection. A server that cannot be connected to is passed over for the next
 * one, since nothing was sent. After something was sent there is one retry at
 * most: when a connection that had been idle turns out dead before it answered,
 * and sending the request a second time cannot do harm.
 *
 * An exchange lives in the arena of its transaction and ends with it, whatever
 * happens first. It knows attempts and reports, not bytes: those are the
 * protocol's.
 */
#include "upstream/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/grpc.h"
#include "http/server.h"
#include "upstream/loop_mark.h"

#define EXCHANGE_MAGIC 0xE8C4A26Eu
/* ms; who says more than 30 days means never. */
#define EXCHANGE_MAX_DEADLINE (UINT64_C(30) * 24 * 3600 * 1000)

struct exchange {
	uint32_t magic;
	struct txn *t;
	struct backend *backend;
	const struct exchange_conf *conf;
	struct call *call;
	struct upstream_report report;

	unsigned server;     /* of the group; BALANCER_NONE: nobody is left */
	unsigned addr;       /* of the server */
	unsigned addrs_left; /* of the server, not tried yet */
	bool *tried;         /* servers passed over; NULL: none */
	bool is_dialling, is_reused, is_retry;
	bool is_running; /* a connection carries the call */
	uint64_t attempt_us;
	struct timer deadline; /* gRPC: what the client said */

	bool waiting; /* the step said STEP_WAIT */
	enum { EXCHANGE_OPEN, EXCHANGE_ANSWERED, EXCHANGE_FAILED } outcome;
	enum exchange_phase phase;
	enum exchange_cause cause;
	const char *detail;
};

static void exchange_connect(struct exchange *x);

/* ---- tables ------------------------------------------------------------ */

static const char *const exchange_phase_words[] = {
#define PHASE_ROW(name, word) word,
	EXCHANGE_PHASES
#undef PHASE_ROW
};

static const struct {
	int status;
	const char *word, *log_word, *text;
} exchange_causes[] = {
#define CAUSE(name, status, word, text) \
	{status, word, "upstream_" word, text},
	EXCHANGE_CAUSES
#undef CAUSE
};

#define ROW(member, kind, name, help) \
	COUNTER(exchange_stats, member, kind, "weir_upstream_" name, help)

static const struct counter_row exchange_rows[] = {
	ROW(requests, COUNTER_TOTAL, "requests_total",
	    "Requests that were passed to an upstream."),
	ROW(attempts, COUNTER_TOTAL, "attempts_total",
	    "Attempts to get them answered."),
	ROW(dialled, COUNTER_TOTAL, "dialled_total",
	    "Connections to upstream servers that were begun."),
	ROW(reused, COUNTER_TOTAL, "reused_total",
	    "Attempts over a connection that had been idle."),
	ROW(tls_handshakes, COUNTER_TOTAL, "tls_handshakes_total",
	    "TLS handshakes with upstream servers."),
	ROW(tls_resumed, COUNTER_TOTAL, "tls_resumptions_total",
	    "Those of them that resumed a session."),
	ROW(retries, COUNTER_TOTAL, "retries_total",
	    "Requests sent again because an idle connection was dead."),
	ROW(upgrades, COUNTER_TOTAL, "upgrades_total",
	    "Connections that were upgraded (WebSocket)."),
	ROW(idle, COUNTER_GAUGE, "idle_connections",
	    "Idle connections to upstream servers."),
#define CLASS(i, label) \
	COUNTER_LABEL(exchange_stats, responses[i], COUNTER_TOTAL, \
	    "weir_upstream_responses_total", "code=\"" label "\"", \
	    "Responses of upstream servers.")
	CLASS(0, "1xx"), CLASS(1, "2xx"), CLASS(2, "3xx"), CLASS(3, "4xx"),
	CLASS(4, "5xx"),
#undef CLASS
#define PHASE_ROW(name, word) \
	COUNTER_LABEL(exchange_stats, failed_phase[EXCHANGE_##name], \
	    COUNTER_TOTAL, "weir_upstream_failures_by_phase_total", \
	    "phase=\"" word "\"", "Failed attempts by where they failed."),
	EXCHANGE_PHASES
#undef PHASE_ROW
#define CAUSE(name, status, word, text) \
	COUNTER_LABEL(exchange_stats, failed_cause[CAUSE_##name], \
	    COUNTER_TOTAL, "weir_upstream_failures_total", \
	    "cause=\"" word "\"", "Failed attempts by cause."),
	EXCHANGE_CAUSES
#undef CAUSE
	COUNTER_END
};
const struct counter_set exchange_counters = {
	.name = "upstream",
	.size = sizeof(struct exchange_stats),
	.rows = exchange_rows,
};

/* ---- the report -------------------------------------------------------- */

static struct str
exchange_addr_text(const struct exchange *x)
{
	return x->backend->servers[x->server].addr_text[x->addr];
}

static struct str
exchange_append(struct exchange *x, struct str list, struct str item)
{
	if (list.n == 0)
		return item;
	return arena_strf(x->t->arena, "%.*s, %.*s", STR_ARG(list),
	    STR_ARG(item));
}

static void
exchange_note_attempt(struct exchange *x)
{
	struct upstream_report *r = &x->report;

	x->attempt_us = clock_us();
	x->backend->stats->attempts++;
	r->attempts++;
	r->addr = exchange_append(x, r->addr, exchange_addr_text(x));
	r->connect_us = r->header_us = r->response_us = 0;
}

static void
exchange_note_status(struct exchange *x, int status)
{
	struct str text = STR("-");
	char *digits;

	if (status != 0) {
		digits = arena_alloc(x->t->arena, 3);
		digits[0] = (char)('0' + status / 100 % 10);
		digits[1] = (char)('0' + status / 10 % 10);
		digits[2] = (char)('0' + status % 10);
		text = str_of(digits, 3);
	}
	x->report.status = exchange_append(x, x->report.status, text);
}

/* The last failure of an exchange is its own; earlier ones are counted too. */
static void
exchange_note_failure(struct exchange *x, enum exchange_phase phase,
    enum exchange_cause cause, const char *detail)
{
	x->phase = phase;
	x->cause = cause;
	x->detail = detail != NULL && *detail != '\0' ?
	    arena_strdup(x->t->arena, detail) : exchange_causes[cause].text;
	x->report.phase = exchange_phase_words[phase];
	x->report.cause = exchange_causes[cause].word;
	x->backend->stats->failed_phase[phase]++;
	x->backend->stats->failed_cause[cause]++;
}

static void
exchange_note_bytes(struct exchange *x)
{
	x->report.bytes_in = x->call->bytes_in;
	x->report.bytes_out = x->call->bytes_out;
	x->report.response_us = clock_us() - x->attempt_us;
}

static unsigned
exchange_possible(const struct exchange *x)
{
	const struct upstream_group *g = x->backend->group;
	unsigned n = 0;

	for (unsigned i = 0; i < g->n_servers; i++)
		n += g->servers[i].n_addrs > 0;
	return n > x->report.attempts ? n : x->report.attempts;
}

/* "upstream app (10.0.0.1:8080): connect: refused, attempt 1 of 1" */
static const char *
exchange_sentence(struct exchange *x)
{
	struct str name = x->backend->group->name;

	if (x->report.attempts == 0)
		return arena_printf(x->t->arena, "upstream %.*s: %s",
		    STR_ARG(name), x->detail);
	return arena_printf(x->t->arena,
	    "upstream %.*s (%.*s): %s: %s, attempt %u of %u", STR_ARG(name),
	    STR_ARG(x->report.addr), x->report.phase, x->detail,
	    x->report.attempts, exchange_possible(x));
}

/* ---- outcomes ---------------------------------------------------------- */

static void
exchange_settle(struct exchange *x, int outcome)
{
	ASSERT(x->outcome == EXCHANGE_OPEN);
	x->outcome = outcome;
	if (x->waiting)
		txn_resume(x->t);
}

static struct exchange *
exchange_of(struct call *c)
{
	struct exchange *x = c->owner_arg;

	OBJ_CHECK(x, EXCHANGE_MAGIC);
	return x;
}

static void
exchange_on_answered(struct call *c)
{
	struct exchange *x = exchange_of(c);
	struct exchange_stats *stats = x->backend->stats;
	int status = c->status;

	/* Only what connects well is tried first again. */
	x->backend->servers[x->server].addr_at = x->addr;
	x->report.header_us = clock_us() - x->attempt_us;
	x->report.phase = x->report.cause = NULL;
	x->report.head = &c->head;
	x->report.trailers = &c->trailers;
	exchange_note_status(x, status);
	if (status / 100 <= EXCHANGE_CLASSES)
		stats->responses[status / 100 - 1]++;
	if (c->framing == BODY_TUNNEL)
		stats->upgrades++;
	exchange_settle(x, EXCHANGE_ANSWERED);
}

/*
 * A connection that the server closed while the request was on its way to it:
 * nothing was processed if nothing was written; else the request is repeated
 * only if twice is the same as once (RFC 9110 section 9.2.2), and only if its
 * body has not been used up.
 */
static bool
exchange_may_retry(const struct exchange *x, enum exchange_cause cause)
{
	const struct call *c = x->call;

	if (x->is_retry || (c->body_taken > 0 && !c->is_replayable))
		return false;
	if (c->is_unprocessed)
		return true;
	if (!x->is_reused || c->bytes_in > 0)
		return false;
	if (cause != CAUSE_CLOSED && cause != CAUSE_RESET)
		return false;
	return c->bytes_out == 0 ||
	    (method_flags(x->t->req.method) & METHOD_IDEMPOTENT) != 0;
}

static void
exchange_on_failed(struct call *c, enum exchange_phase phase,
    enum exchange_cause cause, const char *detail)
{
	struct exchange *x = exchange_of(c);

	x->is_running = false;
	exchange_note_status(x, 0);
	exchange_note_failure(x, phase, cause, detail);
	exchange_note_bytes(x);
	if (!exchange_may_retry(x, cause)) {
		exchange_settle(x, EXCHANGE_FAILED);
		return;
	}
	x->is_retry = true;
	x->backend->stats->retries++;
	x->addrs_left = x->backend->group->servers[x->server].n_addrs;
	exchange_connect(x);
}

static void
exchange_take_trailers(struct exchange *x)
{
	if (x->call->trailers.n > 0)
		x->t->res.trailers = &x->call->trailers;
}

static void
exchange_on_ended(struct call *c)
{
	struct exchange *x = exchange_of(c);

	x->is_running = false;
	exchange_note_bytes(x);
	exchange_take_trailers(x);
}

static void
exchange_on_cut(struct call *c, enum exchange_cause cause,
    const char *detail)
{
	static struct log_limit limit = LOG_LIMIT(20);
	struct exchange *x = exchange_of(c);
	bool is_upgraded = c->framing == BODY_TUNNEL;

	x->is_running = false;
	exchange_note_failure(x, EXCHANGE_BODY, cause, detail);
	exchange_note_bytes(x);
	if (x->t->reason == NULL)
		x->t->reason = exchange_causes[cause].log_word;
	/* How tunnels end is between the two that use them. */
	log_limited(&limit, is_upgraded || cause == CAUSE_CLIENT ? LOG_INFO :
	    LOG_ERROR, "%s: response cut after %llu bytes, %s",
	    exchange_sentence(x), (unsigned long long)c->bytes_in,
	    txn_describe(x->t));
}

/* ---- connecting -------------------------------------------------------- */

/* The server or this address of it is not to be had: on to the next. */
static void
exchange_pass_over(struct exchange *x, enum exchange_cause cause,
    const char *detail)
{
	struct backend *b = x->backend;
	const struct upstream_server *s = &b->group->servers[x->server];

	exchange_note_status(x, 0);
	exchange_note_failure(x, EXCHANGE_CONNECT, cause, detail);
	x->addr = (x->addr + 1) % s->n_addrs;
	b->servers[x->server].addr_at = x->addr;
	if (--x->addrs_left > 0)
		return;

	if (x->tried == NULL)
		x->tried = arena_zalloc(x->t->arena,
		    b->group->n_servers * sizeof *x->tried);
	x->tried[x->server] = true;
	x->server = balancer_pick(b->balancer, x->tried);
	if (x->server == BALANCER_NONE)
		return;
	x->addr = b->servers[x->server].addr_at;
	x->addrs_left = b->group->servers[x->server].n_addrs;
}

static void
exchange_on_connected(struct call *c, unsigned addr)
{
	struct exchange *x = exchange_of(c);

	x->is_running = true;
	if (x->is_dialling) {
		x->is_dialling = false;
		x->report.connect_us = clock_us() - x->attempt_us;
		return;
	}
	x->addr = addr;
	x->is_reused = true;
	x->backend->stats->reused++;
	exchange_note_attempt(x);
}

static void
exchange_on_unconnected(struct call *c, enum exchange_cause cause,
    const char *detail)
{
	struct exchange *x = exchange_of(c);

	x->is_dialling = false;
	exchange_pass_over(x, cause, detail);
	exchange_connect(x);
}

static const struct call_owner exchange_owner = {
	.connected = exchange_on_connected,
	.unconnected = exchange_on_unconnected,
	.answered = exchange_on_answered,
	.failed = exchange_on_failed,
	.ended = exchange_on_ended,
	.cut = exchange_on_cut,
};

/* The Host for a client that named none is the server's. */
static void
exchange_address(struct exchange *x)
{
	struct forward_request *r = &x->call->forward;
	struct str host = x->backend->group->servers[x->server].text;

	r->host = str_has_prefix(host, STR("unix:")) ? STR("localhost") : host;
	r->loop_mark = loop_mark_value(x->t, x->backend->group, x->server);
}

/* Dials until a dial is under way. Each address of each server is tried once
 * at most, so this ends. */
static void
exchange_connect(struct exchange *x)
{
	struct err e;

	while (x->server != BALANCER_NONE) {
		exchange_note_attempt(x);
		x->is_reused = false;
		x->is_dialling = true;
		exchange_address(x);
		if (x->conf->protocol->connect(x->call, x->server, x->addr,
		    &e))
			return;
		x->is_dialling = false;
		exchange_pass_over(x, CAUSE_UNREACHABLE, e.text);
	}
	exchange_settle(x, EXCHANGE_FAILED);
}

/* ---- deadlines --------------------------------------------------------- */

/* Whether there is a place behind the body to say why it ends; a message that
 * is cut by that is given up by whoever reads it. */
static bool
exchange_has_last_words(const struct exchange *x)
{
	const struct request *req = &x->t->req;

	return x->call->framing == BODY_CHUNKED && grpc_is_request(x->t) &&
	    (req->major > 1 || req->minor > 0);
}

static void
exchange_end_at_deadline(struct exchange *x)
{
	const struct call_protocol *protocol = x->conf->protocol;
	struct head *trailers = &x->call->trailers;

	if (!exchange_has_last_words(x)) {
		protocol->abort(x->call, CAUSE_DEADLINE);
		return;
	}
	exchange_on_cut(x->call, CAUSE_DEADLINE, NULL);
	head_init(trailers, x->t->arena, 2);
	grpc_say(trailers, GRPC_DEADLINE_EXCEEDED,
	    str_from(exchange_causes[CAUSE_DEADLINE].text));
	protocol->finish(x->call);
}

static void
exchange_on_deadline(struct timer *timer)
{
	struct exchange *x = CONTAINER_OF(timer, struct exchange, deadline);
	const struct call_protocol *protocol = x->conf->protocol;

	OBJ_CHECK(x, EXCHANGE_MAGIC);
	if (x->outcome == EXCHANGE_OPEN) {
		protocol->end(x->call);
		exchange_note_status(x, 0);
		exchange_note_failure(x, x->is_running ? EXCHANGE_HEAD :
		    EXCHANGE_CONNECT, CAUSE_DEADLINE, NULL);
		exchange_note_bytes(x);
		x->is_running = false;
		exchange_settle(x, EXCHANGE_FAILED);
	} else if (x->is_running)
		exchange_end_at_deadline(x);
}

/* False: what the client said makes no sense. */
static bool
exchange_set_deadline(struct exchange *x)
{
	struct str said =
	    head_value_name(&x->t->req.head, STR("grpc-timeout"));
	uint64_t ms;

	if (!x->conf->is_grpc || said.p == NULL)
		return true;
	if (!grpc_parse_timeout(said, &ms))
		return false;
	x->deadline = (struct timer){
		.name = "grpc-timeout", .expired = exchange_on_deadline};
	timer_start(x->t->server->net->loop, &x->deadline,
	    ms < EXCHANGE_MAX_DEADLINE ? ms : EXCHANGE_MAX_DEADLINE);
	return true;
}

static void
exchange_start(struct exchange *x)
{
	struct backend *b = x->backend;

	b->stats->requests++;
	if (!exchange_set_deadline(x)) {
		exchange_note_failure(x, EXCHANGE_PICK, CAUSE_BAD_TIMEOUT,
		    NULL);
		exchange_settle(x, EXCHANGE_FAILED);
		return;
	}
	x->server = balancer_pick(b->balancer, NULL);
	if (x->server == BALANCER_NONE) {
		exchange_note_failure(x, EXCHANGE_PICK, CAUSE_NO_SERVER, NULL);
		exchange_settle(x, EXCHANGE_FAILED);
		return;
	}
	x->addr = b->servers[x->server].addr_at;
	x->addrs_left = b->group->servers[x->server].n_addrs;
	exchange_address(x);
	if (!x->conf->protocol->reuse(x->call, x->server))
		exchange_connect(x);
}

/* ---- for the step ------------------------------------------------------ */

/* The transaction is over, for whatever reason. */
static void
exchange_on_end(void *arg)
{
	struct exchange *x = arg;

	OBJ_CHECK(x, EXCHANGE_MAGIC);
	if (x->is_running)
		exchange_note_bytes(x);
	x->is_running = false;
	x->conf->protocol->end(x->call);
	timer_stop(x->t->server->net->loop, &x->deadline);
}

static void
exchange_prepare(struct exchange *x)
{
	const struct upstream_group *g = x->backend->group;
	const struct exchange_conf *conf = x->conf;
	struct call *c = x->call;

	c->owner = &exchange_owner;
	c->owner_arg = x;
	c->t = x->t;
	c->backend = x->backend;
	c->connect_timeout = conf->connect_timeout;
	c->send_timeout = conf->send_timeout;
	c->read_timeout = conf->read_timeout;
	c->bare_lf = g->conf != NULL && g->conf->bare_lf == BARE_LF_ACCEPT;
	c->is_grpc = conf->is_grpc;
	c->forward = (struct forward_request){
		.edits = conf->edits,
		.upgrade = forward_upgrade(x->t, conf->upgrades),
		.close = g->keepalive.connections == 0,
	};
}

struct exchange *
exchange_new(struct txn *t, struct backend *b,
    const struct exchange_conf *conf)
{
	struct exchange *x =
	    arena_zalloc(t->arena, sizeof *x + conf->protocol->size);

	x->magic = EXCHANGE_MAGIC;
	x->t = t;
	x->backend = b;
	x->conf = conf;
	x->call = (struct call *)(x + 1);
	x->report.name = b->group->name.p;
	exchange_prepare(x);
	t->upstream = &x->report;
	txn_on_end(t, exchange_on_end, x);
	return x;
}

/* A 426 has to name what it wants (RFC 9110 section 15.5.22). Upgrade is for
 * one connection only, so it is said anew, of what may pass. */
static void
exchange_answer_upgrade_required(struct exchange *x)
{
	const struct conf_list *allowed = x->conf->upgrades;
	struct str wanted = head_joined(&x->call->head, FIELD_UPGRADE);

	for (size_t i = 0; i < allowed->n; i++) {
		struct str name = str_from(CONF_ITEM(allowed, char *, i));

		if (field_has_token(wanted, name)) {
			txn_reply_field(x->t, FIELD_UPGRADE, name);
			return;
		}
	}
}

static void
exchange_answer(struct exchange *x)
{
	struct txn *t = x->t;
	struct call *c = x->call;
	struct str protocol;

	txn_reply(t, c->status);
	forward_response(&t->res.head, &c->head);
	if (t->res.status == 426)
		exchange_answer_upgrade_required(x);
	exchange_take_trailers(x);
	switch (c->framing) {
	case BODY_NONE:
		/* For HEAD the flow only says how long the body would be. */
		c->body.length = c->content_length;
		if (t->req.method == METHOD_HEAD)
			txn_reply_body(t, &c->body);
		break;
	case BODY_TUNNEL:
		t->res.upgraded = true;
		protocol = head_value(&c->head, FIELD_UPGRADE);
		txn_reply_field(t, FIELD_UPGRADE, protocol);
		txn_reply_body(t, &c->body);
		break;
	case BODY_LENGTH:
	case BODY_CHUNKED:
	case BODY_CLOSE:
		txn_reply_body(t, &c->body);
		break;
	}
}

static void
exchange_refuse(struct exchange *x)
{
	struct txn *t = x->t;
	int status = exchange_causes[x->cause].status;
	const char *word = exchange_causes[x->cause].log_word;

	/* The body's own words are better than ours. */
	if (x->cause == CAUSE_CLIENT && t->reason != NULL) {
		word = t->reason;
		if (t->refusal != REFUSAL_NONE)
			status = refusal_status(t->refusal);
	}
	txn_fail(t, status, word, "%s", exchange_sentence(x));
	/* Addresses and the like are for the log only. */
	if (grpc_is_request(t))
		grpc_reply(t, x->cause == CAUSE_DEADLINE ?
		    GRPC_DEADLINE_EXCEEDED : grpc_code(status),
		    str_from(exchange_causes[x->cause].text));
}

/*
 * A 407 is meant for us, who have nothing to show; passed on, a client would
 * take it for ours, who ask for nothing (RFC 9110 sections 11.7.1 and 15.5.8).
 */
static void
exchange_refuse_challenge(struct exchange *x)
{
	exchange_note_failure(x, EXCHANGE_HEAD, CAUSE_CHALLENGE, NULL);
	exchange_on_end(x);
	exchange_refuse(x);
}

enum verdict
exchange_step(struct exchange *x)
{
	OBJ_CHECK(x, EXCHANGE_MAGIC);
	if (!x->waiting)
		exchange_start(x);
	switch (x->outcome) {
	case EXCHANGE_OPEN:
		x->waiting = true;
		return STEP_WAIT;
	case EXCHANGE_ANSWERED:
		if (x->call->status == 407)
			exchange_refuse_challenge(x);
		else
			exchange_answer(x);
		break;
	case EXCHANGE_FAILED:
		exchange_refuse(x);
		break;
	}
	return STEP_STOP;
}
