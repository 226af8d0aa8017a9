/*
 * Transactions: the walk of a request through the plan of its route.
 *
 * txn_run is the control flow of the server: it calls steps until one says
 * WAIT or the response phases are over, and then hands the response to the
 * transport. It knows no feature and no protocol. A transaction is owned by
 * its transport, which alone ends it; nothing here frees it.
 */
#include "http/txn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/error_page.h"
#include "http/generation.h"
#include "http/policy.h"
#include "http/problem.h"
#include "http/router.h"
#include "http/server.h"
#include "http/site_index.h"
#include "http/status.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>

/* Lines of the error log a second for each reason. */
#define REFUSAL_LINES 10

struct txn *
txn_new(struct server *s, const struct transport *tr, struct conn *c,
    void *carrier)
{
	struct arena *a = arena_new();
	struct txn *t = arena_zalloc(a, sizeof *t);

	t->magic = TXN_MAGIC;
	t->arena = a;
	t->server = s;
	t->generation = s->generation;
	t->transport = tr;
	t->conn = c;
	t->peer = &c->peer;
	t->carrier = carrier;
	t->began_us = clock_us();
	t->res.head_length = -1;
	c->requests++;
	s->stats->in_flight++;
	return t;
}

static void
txn_send(struct txn *t)
{
	int class = t->res.status / 100;

	ASSERT(class >= 1);
	/* An upstream may say 999: a failure, as far as anybody can tell (RFC
	 * 9110 section 15). */
	if (class > STATUS_CLASSES)
		class = STATUS_CLASSES;
	t->state = TXN_SENDING;
	t->server->stats->responses[class - 1]++;
	t->transport->send(t);
}

/* The response stands, or there is none: nobody had an answer. */
static void
txn_settle(struct txn *t)
{
	if (t->res.status == 0)
		txn_reply_error(t, 404);
	if (t->page != NULL)
		error_page_settle(t);
}

static void
txn_enter(struct txn *t, const struct plan *plan, unsigned at)
{
	t->plan = plan;
	t->at = at;
	t->slots = arena_zalloc(t->arena, (plan->n + 1) * sizeof *t->slots);
	t->state = TXN_STEPS;
}

static void txn_route(struct txn *t);

static void
txn_run(struct txn *t)
{
	while (t->at < t->plan->log_at) {
		const struct step *step = &t->plan->steps[t->at];

		if (t->at == t->plan->response_at)
			txn_settle(t);

		switch (step->fn(t, step->conf)) {
		case STEP_NEXT:
			t->at++;
			break;
		case STEP_WAIT:
			t->waiting = true;
			return;
		case STEP_STOP:
			ASSERT(t->res.status != 0);
			t->at++;
			if (t->at < t->plan->response_at)
				t->at = t->plan->response_at;
			break;
		case STEP_REROUTE:
			txn_route(t);
			break;
		}
	}
	txn_settle(t);
	txn_send(t);
}

static void
txn_reply_refusal(struct txn *t, int status)
{
	problem_reply(t, status, refusal_text(t->refusal), t->detail);
}

/* Who is this: before the route is chosen, which may depend on it. */
static void
txn_identify(struct txn *t)
{
	const struct plan *plan = t->site->plan;

	if (plan->route_at == 0)
		return;
	txn_enter(t, plan, 0);
	for (; t->at < plan->route_at; t->at++) {
		enum verdict v = plan->steps[t->at].fn(t,
		    plan->steps[t->at].conf);

		ASSERT(v == STEP_NEXT);
	}
}

/* The response phases of the site's own plan, for what has no route. */
static void
txn_answer(struct txn *t, int status)
{
	if (t->site == NULL)
		t->site = site_index_first(t->conn->endpoint->owner);
	txn_reply_refusal(t, status);
	/* A 405 says what else there is (RFC 9110 section 15.5.6): whatever
	 * we do not refuse for every resource. */
	if (t->res.status == 405)
		txn_reply_field(t, FIELD_ALLOW,
		    STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
	if (t->res.status == 503)
		txn_reply_field(t, FIELD_RETRY_AFTER, STR(RETRY_AFTER));
	txn_enter(t, t->site->plan, t->site->plan->response_at);
}

void
txn_choose_site(struct txn *t)
{
	t->site = site_index_find(t->conn->endpoint->owner, t->req.host);
}

/* A limiter of its own for each reason: a flood of one must not hide another,
 * which may be the one that matters. */
static void
txn_tell_refusal(struct txn *t, enum refusal why, int status)
{
	static struct log_limit limits[REFUSAL_COUNT];
	struct log_limit *limit = &limits[why];
	struct http_stats *stats = t->server->stats;

	limit->burst = REFUSAL_LINES;
	stats->refused[why]++;
	t->refusal = why;
	t->reason = refusal_word(why);
	if (t->state == TXN_SENDING)
		log_limited(limit, LOG_INFO, "%s: cut while answered with %d "
		    "(%s), %s", refusal_text(why), t->res.status,
		    refusal_word(why), txn_describe(t));
	else
		/* What the configuration does is news to who wrote it. */
		log_limited(limit, why == REFUSAL_LOOP ? LOG_ERROR : LOG_INFO,
		    "%s%s%s: refused with %d (%s), %s", refusal_text(why),
		    t->detail != NULL ? ": " : "",
		    t->detail != NULL ? t->detail : "", status,
		    refusal_word(why), txn_describe(t));
}

void
txn_note_refusal(struct txn *t, enum refusal why)
{
	txn_tell_refusal(t, why, refusal_status(why));
}

/* A notice, where refusals are only information: an operator waits for it. */
bool
txn_tolerates(struct txn *t, const struct http_conf *conf, enum refusal why)
{
	static struct log_limit limits[REFUSAL_COUNT];
	struct log_limit *limit = &limits[why];
	uint64_t bit = (uint64_t)1 << why;

	_Static_assert(REFUSAL_COUNT <= 64, "txn.reported has a bit for each");
	if (policy_holds(conf, why))
		return false;
	if (t->reported & bit)
		return true;
	t->reported |= bit;
	limit->burst = REFUSAL_LINES;
	t->server->stats->reported[why]++;
	log_limited(limit, LOG_NOTICE, "%s: would be refused with %d (%s), %s",
	    refusal_text(why), refusal_status(why), refusal_word(why),
	    txn_describe(t));
	return true;
}

struct str
txn_reported(const struct txn *t)
{
	struct buf b;

	if (t->reported == 0)
		return STR("");
	b = buf_in(t->arena);
	for (int r = REFUSAL_NONE + 1; r < REFUSAL_COUNT; r++) {
		if ((t->reported >> r & 1) == 0)
			continue;
		if (b.n > 0)
			buf_chr(&b, ',');
		buf_z(&b, refusal_word((enum refusal)r));
	}
	return buf_view(&b);
}

enum verdict
txn_deny(struct txn *t, enum refusal why, int status)
{
	txn_tell_refusal(t, why, status);
	txn_reply_refusal(t, status);
	return STEP_STOP;
}

static void
txn_reject(struct txn *t, enum refusal why)
{
	txn_note_refusal(t, why);
	txn_answer(t, refusal_status(why));
}

/* ---- early data -------------------------------------------------------- */

/* Whether it does no harm when somebody else has it done again: content or a
 * tunnel would make more of a GET than that (RFC 8470 section 2.1, RFC 9110
 * section 9.2.1). */
static bool
txn_is_harmless(const struct txn *t)
{
	return (method_flags(t->req.method) & METHOD_SAFE) != 0 &&
	    !t->req.wants_upgrade && t->req.body->length == 0;
}

/*
 * Waiting costs what a 425 would, less the round trip in which the client asks
 * again, if it ever does (RFC 8470 section 3 leaves the choice). When the
 * handshake is over, it was nobody's replay.
 */
bool
txn_must_wait(struct txn *t)
{
	ASSERT(t->req.is_early);
	t->is_held = t->conn->is_early;
	t->req.is_early = t->is_held;
	t->server->stats->early_held += t->is_held;
	return t->is_held;
}

static void
txn_release(struct txn *t)
{
	if (!t->is_held || t->conn->is_early)
		return;
	t->is_held = t->req.is_early = false;
	t->resumed = true;
}

/* ---- the way through --------------------------------------------------- */

static void
txn_route(struct txn *t)
{
	t->route = router_find(t->site->router, t);
	if (t->route == NULL)
		txn_reject(t, REFUSAL_NO_ROUTE);
	else
		txn_enter(t, t->route->plan, 0);
}

/* Why T is refused before it has a route; NONE: it is not. */
static enum refusal
txn_may_begin(struct txn *t)
{
	const struct http_conf *http;

	if (t->server->is_starved) {
		t->res.close = true;
		return REFUSAL_LOW_MEMORY;
	}
	if (t->site == NULL)
		return REFUSAL_NO_SITE;

	http = t->site->http;
	if (http->max_body_size != 0 &&
	    t->req.body->length > (int64_t)http->max_body_size &&
	    !txn_tolerates(t, http, REFUSAL_LARGE_BODY)) {
		t->res.close = true;
		return REFUSAL_LARGE_BODY;
	}
	return REFUSAL_NONE;
}

void
txn_begin(struct txn *t)
{
	enum refusal why;

	t->server->stats->requests++;
	if (t->site != NULL)
		txn_identify(t);
	why = txn_may_begin(t);
	if (why == REFUSAL_NONE)
		txn_route(t);
	else
		txn_reject(t, why);
	if (t->req.is_early && t->route != NULL && !txn_is_harmless(t) &&
	    txn_must_wait(t))
		t->waiting = true;
	else
		txn_run(t);
}

void
txn_refuse(struct txn *t, enum refusal why)
{
	t->server->stats->requests++;
	if (t->site != NULL)
		txn_identify(t);
	txn_reject(t, why);
	txn_run(t);
}

void
txn_rewrite_path(struct txn *t, struct str raw, struct str path)
{
	ASSERT(path.n > 0 && path.p[0] == '/');
	t->req.path = path;
	t->req.target.path = path;
	t->req.target.raw_path = raw;
}

void
txn_rewrite_query(struct txn *t, struct str query)
{
	t->req.target.has_query = query.p != NULL;
	t->req.target.query = query.p != NULL ? query : STR("");
}

struct str
txn_encode_path(const struct txn *t, struct str path)
{
	return path_encode_as(t->arena, path,
	    (enum encoded_slash)t->site->http->encoded_slash);
}

void
txn_rewrite(struct txn *t, struct str path, struct str query)
{
	txn_rewrite_path(t, txn_encode_path(t, path), path);
	txn_rewrite_query(t, query);
}

enum verdict
txn_reroute(struct txn *t, struct str path, struct str query)
{
	if (++t->reroutes > TXN_REROUTES_MAX) {
		txn_fail(t, 500, "redirect_loop", "more than %d internal "
		    "redirects, the last to %.*s", TXN_REROUTES_MAX,
		    STR_ARG(path));
		return STEP_STOP;
	}
	txn_rewrite(t, path, query);
	flow_close(t->res.body);
	t->res = (struct response){
		.head_length = -1, .close = t->res.close
	};
	return STEP_REROUTE;
}

void
txn_swap_captures(struct txn *t, struct captures *c)
{
	struct captures own = {
		.subject = t->captured, .at = t->captures,
		.n = t->n_captures, .names = t->capture_names
	};

	t->captured = c->subject;
	t->captures = c->at;
	t->n_captures = c->n;
	t->capture_names = c->names;
	*c = own;
}

void
txn_resume(struct txn *t)
{
	OBJ_CHECK(t, TXN_MAGIC);
	if (t->state != TXN_STEPS || t->resumed)
		return;
	t->resumed = true;
	t->transport->resume(t);
}

void
txn_continue(struct txn *t)
{
	OBJ_CHECK(t, TXN_MAGIC);
	txn_release(t);
	if (!t->resumed)
		return;
	ASSERT(t->waiting);
	t->waiting = t->resumed = false;
	t->server->current = t;
	loop_note(t->server->net->loop, t->req.line.p, t->req.line.n);
	txn_run(t);
	t->server->current = NULL;
}

static void
txn_log(struct txn *t)
{
	struct txn *outer = t->server->current;

	t->server->current = t;
	for (t->at = t->plan->log_at; t->at < t->plan->n; t->at++) {
		const struct step *step = &t->plan->steps[t->at];

		step->fn(t, step->conf);
	}
	t->server->current = outer;
}

void
txn_finish(struct txn *t, enum close_reason why)
{
	OBJ_CHECK(t, TXN_MAGIC);
	if (t->state == TXN_FINISHED)
		return;

	t->resumed = t->is_held = false;
	if (why != CLOSE_DONE) {
		t->server->stats->cut++;
		if (t->reason == NULL)
			t->reason = close_reason_word(why);
	}
	while (t->cleanups != NULL) {
		struct txn_cleanup *c = t->cleanups;

		t->cleanups = c->next;
		c->fn(c->arg);
	}
	flow_close(t->res.body);
	flow_close(t->req.body);
	t->state = TXN_FINISHED;
	if (t->plan != NULL)
		txn_log(t);
}

void
txn_end(struct txn *t)
{
	OBJ_CHECK(t, TXN_MAGIC);
	ASSERT(t->state == TXN_FINISHED);
	ASSERT(t->server->current != t);
	t->server->stats->in_flight--;
	t->magic = 0;
	arena_end(t->arena);
}

void **
txn_slot(struct txn *t)
{
	return &t->slots[t->at];
}

void **
txn_word(struct txn *t, unsigned module_index)
{
	if (t->words == NULL)
		t->words = arena_zalloc(t->arena,
		    module_count * sizeof *t->words);
	return &t->words[module_index];
}

void
txn_on_end(struct txn *t, void (*fn)(void *arg), void *arg)
{
	struct txn_cleanup *c = arena_alloc(t->arena, sizeof *c);

	*c = (struct txn_cleanup){ .next = t->cleanups, .fn = fn, .arg = arg };
	t->cleanups = c;
}

void
txn_reply(struct txn *t, int status)
{
	bool close = t->res.close;

	flow_close(t->res.body);
	t->res = (struct response){
		.status = status, .head_length = -1, .close = close
	};
	head_init(&t->res.head, t->arena, 12);
}

void
txn_reply_field(struct txn *t, enum field_id id, struct str value)
{
	head_add_known(&t->res.head, id, value);
}

void
txn_reply_body(struct txn *t, struct flow *body)
{
	ASSERT(t->res.body == NULL);
	t->res.body = body;
}

void
txn_reply_bytes(struct txn *t, const char *type, struct str bytes)
{
	if (type != NULL)
		txn_reply_field(t, FIELD_CONTENT_TYPE, str_from(type));
	txn_reply_body(t, flow_bytes(t->arena, bytes));
}

void
txn_reply_error(struct txn *t, int status)
{
	problem_reply(t, status, NULL, NULL);
}

void
txn_fail(struct txn *t, int status, const char *word, const char *fmt, ...)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char text[384];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);

	log_limited(&limit, status >= 500 ? LOG_ERROR : LOG_INFO,
	    "%s: %d (%s), %s", text, status, word, txn_describe(t));
	t->reason = word;
	txn_reply_error(t, status);
}

bool
txn_has_body(const struct txn *t)
{
	return t->req.method != METHOD_HEAD &&
	    (t->res.upgraded || !status_has_no_body(t->res.status));
}

int64_t
txn_content_length(const struct txn *t)
{
	const struct response *res = &t->res;

	if (res->upgraded || status_has_no_body(res->status))
		return -1;
	if (res->body != NULL && res->body->length >= 0)
		return res->body->length;
	if (!txn_has_body(t) && res->head_length >= 0)
		return res->head_length;
	return res->body == NULL ? 0 : -1;
}

const struct peer *
txn_peer(const struct txn *t)
{
	return t->peer;
}

const char *
txn_describe(struct txn *t)
{
	struct buf b = buf_in(t->arena);

	if (t->req.line.n > 0)
		buf_printf(&b, "\"%.*s\" from ", STR_ARG(t->req.line));
	else
		buf_z(&b, "request from ");
	peer_format_ip(&b, txn_peer(t));
	if (t->req.host.n > 0)
		buf_printf(&b, " for %.*s", STR_ARG(t->req.host));
	buf_chr(&b, '\0');
	return b.p;
}

const char *
txn_scheme(const struct txn *t)
{
	return t->req.is_https ? "https" : "http";
}

struct str
txn_request_id(struct txn *t)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[16];
	char *hex;

	if (t->request_id.p != NULL)
		return t->request_id;

	/* Uniqueness is all that is promised, so a failing generator is not
	 * a reason to fail a request. */
	if (RAND_bytes(raw, sizeof raw) != 1)
		memcpy(raw, &(uint64_t[2]){ clock_precise_us(),
		    (uint64_t)(uintptr_t)t }, sizeof raw);
	hex = arena_alloc(t->arena, 2 * sizeof raw);
	for (size_t i = 0; i < sizeof raw; i++) {
		hex[2 * i] = digits[raw[i] >> 4];
		hex[2 * i + 1] = digits[raw[i] & 15];
	}
	t->request_id = str_of(hex, 2 * sizeof raw);
	return t->request_id;
}

void
txn_report(const struct txn *t, int fd)
{
	static const char *const states[] = {
		"new", "in its steps", "sending", "finished"
	};

	if (t == NULL || t->magic != TXN_MAGIC)
		return;
	panic_print(fd, "request in hand: \"%.*s\" host %.*s, %s\n",
	    STR_ARG(t->req.line), STR_ARG(t->req.host), states[t->state]);
	if (t->plan != NULL && t->at < t->plan->n)
		panic_print(fd, "  at step %u of %u: %s\n", t->at + 1,
		    t->plan->n, t->plan->steps[t->at].module->name);
}
