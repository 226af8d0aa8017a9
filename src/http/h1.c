/*
 * The HTTP/1 server side of a connection: finds heads, begins transactions,
 * and decides what comes after each. h1_work is its only driver: whatever
 * happens (bytes, room, a response, a time-out's end) ends there, and it goes
 * round until nothing can move.
 *
 * Owned by its connection; a transaction that it carries never outlives it.
 */
#include "http/h1.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/h1_conn.h"
#include "http/h2.h"
#include "http/policy.h"
#include "http/request.h"
#include "http/site_index.h"

/* Bytes of empty lines before a request (RFC 9112 section 2.2): two of them,
 * however the network cuts what comes. */
#define H1_BLANK 4

static const struct transport h1_transport;

const struct http_conf *
h1_conf(const struct h1 *h)
{
	return h->conf;
}

/* Those that hold for a head, whose host is not known yet. */
static const struct http_conf *
h1_head_conf(const struct h1 *h)
{
	return site_index_first(h->conn.endpoint->owner)->http;
}

static struct h1 *
h1_of(struct conn *c)
{
	struct h1 *h = (struct h1 *)c;

	OBJ_CHECK(&h->client, H1_MAGIC);
	return h;
}

/* ---- ends -------------------------------------------------------------- */

/*
 * Where the end of the connection is the end of the body, only a reset tells
 * the client that the body is short (RFC 9112 section 8). How a response was
 * framed of which the rest is flushed is not known any more: it may be so.
 */
static bool
h1_would_look_whole(const struct h1 *h)
{
	if (h->x != NULL)
		return h->x->head_sent && h->x->framing == FRAMING_CLOSE;
	return h->state == H1_FLUSH;
}

void
h1_abort(struct h1 *h, enum close_reason why)
{
	if (h->x != NULL)
		txn_finish(h->x->txn, why);
	if (h1_would_look_whole(h))
		conn_reset_on_close(&h->conn);
	conn_close(&h->conn, why);
}

static void
h1_await_request(struct h1 *h)
{
	h->client.idle_since = (uint32_t)clock_ms();
	conn_set_deadline(&h->conn, h1_conf(h)->keepalive_timeout);
}

static void
h1_idle(struct h1 *h)
{
	h->state = H1_IDLE;
	h->scanned = 0;
	h->client.server->stats->idle++;
	h1_await_request(h);
}

static void
h1_leave_idle(struct h1 *h)
{
	if (h->state == H1_IDLE)
		h->client.server->stats->idle--;
}

/* Something that was answered has not left yet. */
static bool
h1_is_sending(const struct h1 *h)
{
	return leftover_len(&h->out) > 0 || !h->conn.can_write;
}

static void
h1_linger(struct h1 *h)
{
	h->state = H1_LINGER;
	leftover_free(h->conn.net, &h->in);
	conn_shutdown(&h->conn);
	conn_set_deadline(&h->conn, h1_conf(h)->lingering_timeout);
}

static void
h1_end_txn(struct h1 *h)
{
	struct txn *t = h->x->txn;

	h->x = NULL;
	h->body_waiting = false;
	txn_end(t);
}

/* The response has been taken in full: what now? */
static void
h1_after_response(struct h1 *h)
{
	struct h1_exchange *x = h->x;
	bool read_all = x->body.ended && leftover_len(&h->in) == 0;

	h->requests++;
	txn_finish(x->txn, CLOSE_DONE);
	if (x->keep && (x->body.ended || h1_body_is_short(&x->body))) {
		h->state = H1_DRAIN;
		return;
	}
	if (read_all && x->peer_closes && leftover_len(&h->out) == 0 &&
	    conn_is_flushed(&h->conn) && !h->conn.is_early) {
		conn_close(&h->conn, CLOSE_DONE);
		return;
	}
	h1_end_txn(h);
	h->state = H1_FLUSH;
}

/* ---- reading heads ----------------------------------------------------- */

static struct txn *
h1_new_exchange(struct h1 *h, const char *head, size_t n)
{
	struct txn *t = txn_new(h->client.server, &h1_transport, &h->conn, h);
	struct h1_exchange *x = arena_zalloc(t->arena, sizeof *x);
	struct str copy = arena_str(t->arena, str_of(head, n));

	x->txn = t;
	h->x = x;
	h->conf = h1_head_conf(h);
	t->carrier = h;
	t->request_bytes = n;
	t->req.line = str_slice(copy, 0, str_index(copy, '\n', 0));
	t->req.line = str_slice(t->req.line, 0,
	    str_index(t->req.line, '\r', 0));
	t->req.is_https = conn_is_tls(&h->conn);
	t->req.is_early = h->conn.reads_early;
	t->req.major = 1;
	t->req.minor = 1;
	h1_leave_idle(h);
	h->state = H1_BUSY;
	h->blank = 0;
	if (h->is_fresh) {
		h->is_fresh = false;
		client_settle(&h->client);
	}
	return t;
}

/* Answers and closes: after a malformed head nothing that follows on the
 * connection can be trusted. */
static void
h1_refuse(struct h1 *h, struct txn *t, enum refusal why)
{
	static const struct h1_request nothing = { .content_length = -1 };

	h1_body_init(&h->x->body, h, t, &nothing);
	/* There may be one nevertheless: it has to be read before close. */
	h->x->body.ended = false;
	t->res.close = true;
	txn_refuse(t, why);
}

static struct h1_limits
h1_limits(const struct http_conf *conf)
{
	struct policy_bounds bounds = policy_bounds(conf);

	return (struct h1_limits){
		.max_fields = bounds.max_headers,
		.max_target = bounds.max_target_size,
		.bare_lf = conf->bare_lf == BARE_LF_ACCEPT
	};
}

static void
h1_begin(struct h1 *h, struct txn *t, struct str head)
{
	const struct http_conf *conf = h1_conf(h);
	struct h1_limits limits = h1_limits(conf);
	struct h1_request r;
	enum refusal refusal;

	head_init(&t->req.head, t->arena, 16);
	/* Nothing of it is looked at: its secrets are out already. */
	if (h->conn.in_clear) {
		/* "Bad Request" alone would send people looking for another
		 * fault. */
		t->detail = "the address begins with https://";
		h1_refuse(h, t, REFUSAL_PLAIN_HTTP);
		return;
	}
	refusal = h1_refusal_row(h1_parse_request(head.p, head.n, &limits, &r,
	    &t->req.head));
	if (refusal == REFUSAL_NONE) {
		t->req.method = r.method;
		t->req.method_name = r.method_name;
		t->req.minor = (uint8_t)r.minor;
		t->req.expects_continue = r.expect_continue;
		t->req.wants_upgrade = r.upgrade;
		h->x->peer_closes = r.minor == 0 ? !r.keep_alive : r.close;
		refusal = request_read(t, r.target);
		h->conf = request_conf(t);
	}
	if (refusal != REFUSAL_NONE) {
		h1_refuse(h, t, refusal);
		return;
	}
	request_report_head(t, conf, head.n);
	h1_body_init(&h->x->body, h, t, &r);
	txn_begin(t);
}

/* A whole head stands at P; N bytes are there in all. */
static void
h1_take_head(struct h1 *h, const char *p, size_t head_n, size_t n,
    bool is_leftover)
{
	struct txn *t = h1_new_exchange(h, p, head_n);
	struct str head = str_of(t->req.line.p, head_n);

	h->scanned = 0;
	if (is_leftover)
		leftover_take(h->conn.net, &h->in, head_n);
	else if (n > head_n)
		leftover_put(h->conn.net, &h->in, p + head_n, n - head_n);

	h->client.server->current = t;
	loop_note(h->conn.net->loop, t->req.line.p, t->req.line.n);
	h1_begin(h, t, head);
	h->client.server->current = NULL;
}

static void
h1_refuse_large(struct h1 *h, const char *p, size_t n)
{
	bool in_line = memchr(p, '\n', n) == NULL;
	enum refusal why = in_line && policy_holds(h1_head_conf(h),
	    REFUSAL_LONG_TARGET) ? REFUSAL_LONG_TARGET : REFUSAL_LARGE_HEAD;
	struct txn *t = h1_new_exchange(h, p, n < 256 ? n : 256);

	h1_refuse(h, t, why);
}

/* Of a head that is not complete. */
static void
h1_refuse_part(struct h1 *h, enum refusal why)
{
	size_t n = leftover_len(&h->in) < 256 ? leftover_len(&h->in) : 256;

	h1_refuse(h, h1_new_exchange(h, h->in.p + h->in.at, n), why);
}

/* Looks for a head in P..P+N. True: a transaction was begun. */
static bool
h1_find_head(struct h1 *h, const char *p, size_t n, bool is_leftover)
{
	size_t room = H1_BLANK - h->blank;
	size_t blank = h->scanned > 0 ? 0 :
	    h1_skip_blank(p, n < room ? n : room);
	size_t scanned = h->scanned;
	size_t max = policy_bounds(h1_head_conf(h)).max_header_size;
	size_t head_n;

	if (blank > 0 && is_leftover)
		leftover_take(h->conn.net, &h->in, blank);
	h->blank = (h->blank + blank) & 7; /* at most H1_BLANK */
	p += blank;
	n -= blank;
	if (n == 0)
		return false;

	head_n = h1_head_conf(h)->bare_lf == BARE_LF_ACCEPT ?
	    h1_scan_head_lf(p, n, &scanned) : h1_scan_head(p, n, &scanned);
	if (head_n > max || (head_n == 0 && n >= max)) {
		h1_refuse_large(h, p, n);
		return true;
	}
	if (head_n > 0) {
		h1_take_head(h, p, head_n, n, is_leftover);
		return true;
	}

	ASSERT(scanned <= UINT16_MAX);
	h->scanned = (uint16_t)scanned;
	if (!is_leftover)
		leftover_put(h->conn.net, &h->in, p, n);
	if (h->state == H1_IDLE) {
		h1_leave_idle(h);
		h->state = H1_HEAD;
		h->sending = false; /* the deadline is for the head now */
		conn_set_deadline(&h->conn, h1_head_conf(h)->header_timeout);
	}
	return false;
}

/* True: a transaction was begun; false: nothing to do until more arrives. */
static bool
h1_read_head(struct h1 *h)
{
	struct net *net = h->conn.net;
	enum conn_status st;
	size_t n;

	if (leftover_len(&h->in) > h->scanned &&
	    h1_find_head(h, h->in.p + h->in.at, leftover_len(&h->in), true))
		return true;

	while (h->conn.can_read) {
		st = conn_read(&h->conn, net->in, NET_PAGE, &n);
		switch (st) {
		case CONN_AGAIN:
			return false;
		case CONN_EOF:
			conn_close(&h->conn, CLOSE_PEER);
			return false;
		case CONN_FAILED:
			conn_close(&h->conn, CLOSE_RESET);
			return false;
		case CONN_OK:
			break;
		}
		if (leftover_len(&h->in) == 0) {
			if (h1_find_head(h, net->in, n, false))
				return true;
			continue;
		}
		leftover_put(net, &h->in, net->in, n);
		if (h1_find_head(h, h->in.p + h->in.at,
		        leftover_len(&h->in), true))
			return true;
	}
	return false;
}

/* ---- the driver -------------------------------------------------------- */

/* False: nothing to do until something happens. */
static bool
h1_drain(struct h1 *h)
{
	switch (h1_body_discard(&h->x->body)) {
	case DISCARD_WAIT:
		return false;
	case DISCARD_FAILED:
		/* More than is worth reading, or nonsense. A close now would
		 * be a reset, which takes the response with it. */
		h1_end_txn(h);
		h->state = H1_FLUSH;
		return true;
	case DISCARD_DONE:
		break;
	}
	h1_end_txn(h);
	h1_idle(h);
	return true;
}

/* False: not all of the response has left yet. */
static bool
h1_flush_last(struct h1 *h)
{
	if (!h1_flush(h)) {
		conn_close(&h->conn, CLOSE_RESET);
		return false;
	}
	/* Of TLS, what was taken may still be held. That there is room for it
	 * nevertheless is a socket that broke: nobody will tell us again. */
	if (leftover_len(&h->out) == 0 && !conn_is_flushed(&h->conn) &&
	    h->conn.can_write) {
		conn_close(&h->conn, CLOSE_RESET);
		return false;
	}
	if (leftover_len(&h->out) > 0 || !conn_is_flushed(&h->conn))
		return false;
	h1_linger(h);
	return true;
}

/* One step of the driver; false when nothing can move. */
static bool
h1_turn(struct h1 *h)
{
	switch ((enum h1_state)h->state) {
	case H1_IDLE:
	case H1_HEAD:
		return h1_read_head(h);
	case H1_BUSY:
		txn_continue(h->x->txn);
		if (h->conn.closing)
			return false;
		switch (h1_respond(h)) {
		case H1_DONE:
			h1_after_response(h);
			return true;
		case H1_BLOCKED:
			return false;
		case H1_CUT:
			h1_abort(h, CLOSE_ABORTED);
			return false;
		case H1_FAILED:
			h1_abort(h, CLOSE_RESET);
			return false;
		}
		UNREACHABLE();
	case H1_DRAIN:
		return h1_drain(h);
	case H1_FLUSH:
		return h1_flush_last(h);
	case H1_LINGER:
		client_discard(&h->client, &h->work, CLOSE_DONE);
		return false;
	}
	UNREACHABLE();
}

/* After a 101 silence is nobody's fault; how long is the upstream's to say. */
static bool
h1_awaits_body(const struct h1 *h)
{
	return h->state == H1_DRAIN ||
	    (h->body_waiting && h->x->body.kind != H1_BODY_RAW);
}

/* What is waited for decides how long. Head and linger deadlines were set when
 * those states began and are not moved by single bytes; nor is that of an idle
 * connection, which is not idle while its last response leaves. */
void
h1_set_deadline(struct h1 *h)
{
	const struct http_conf *conf = h1_conf(h);
	bool was_sending = h->sending;

	if (h->state == H1_HEAD || h->state == H1_LINGER)
		return;
	h->sending = h1_is_sending(h);
	if (h->sending) {
		/* What the client sends does not show that it reads. */
		if (!was_sending || h->conn.has_sent)
			conn_set_deadline(&h->conn, conf->send_timeout);
		h->conn.has_sent = false;
		return;
	}
	if (h->state == H1_IDLE) {
		if (was_sending)
			h1_await_request(h);
		return;
	}
	if (h1_awaits_body(h)) {
		uint64_t patience = body_rate_patience(&h->x->body.rate,
		    conf);

		/* 0 would be no deadline at all. */
		conn_set_deadline(&h->conn, patience > 0 ? patience : 1);
		return;
	}
	conn_set_deadline(&h->conn, 0);
}

static size_t
h1_memory(const struct h1 *h)
{
	return (size_t)h->in.cap + h->out.cap +
	    (h->x != NULL ? arena_size(h->x->txn->arena) : 0);
}

/* What is held while others have their turn is what counts: within a callback
 * more is, but never of two connections. False: it was cut. */
static bool
h1_limit_memory(struct h1 *h)
{
	enum refusal why = client_hold(&h->client, h1_memory(h), h1_conf(h));

	if (why == REFUSAL_NONE)
		return true;
	if (h->state == H1_HEAD) {
		h1_refuse_part(h, why);
		loop_next(h->conn.net->loop, &h->work);
		return true;
	}
	if (h->x != NULL)
		txn_note_refusal(h->x->txn, why);
	else
		client_note_refusal(&h->client, why);
	h1_abort(h, CLOSE_CLIENT_LIMIT);
	return false;
}

/* Whether others are to go first: it had its share, and has more to ask. */
static bool
h1_has_had_its_turn(const struct h1 *h, uint32_t requests)
{
	return h->state == H1_IDLE &&
	    h->requests - requests >= h1_conf(h)->max_pipelined &&
	    (leftover_len(&h->in) > 0 || h->conn.can_read);
}

static void
h1_work(struct h1 *h)
{
	uint32_t requests = h->requests;

	while (!h->conn.closing && h1_turn(h)) {
		if (!h1_has_had_its_turn(h, requests))
			continue;
		h->client.server->stats->pipeline_pauses++;
		loop_next(h->conn.net->loop, &h->work);
		break;
	}
	if (h->conn.closing)
		return;
	if (leftover_len(&h->out) > 0 && !h1_flush(h)) {
		h1_abort(h, CLOSE_RESET);
		return;
	}
	if (h1_limit_memory(h))
		h1_set_deadline(h);
}

static void
h1_on_work(struct task *task)
{
	struct h1 *h = CONTAINER_OF(task, struct h1, work);

	OBJ_CHECK(&h->client, H1_MAGIC);
	if (!h->conn.closing)
		h1_work(h);
}

/* ---- events ------------------------------------------------------------ */

static bool
h1_client_left(const struct h1 *h)
{
	const struct txn *t = h->x->txn;

	/*
	 * FIN while an upstream works for it: nobody is there to read the
	 * answer any more (nginx and Go's server read it so too). Elsewhere a
	 * half-closed client still gets its answer.
	 */
	return h->conn.hung_up && t->state != TXN_FINISHED &&
	    t->upstream != NULL && !t->res.upgraded && h->x->body.ended;
}

/* What is left over may be what FIRST points into. */
static void
h1_become_h2(struct h1 *h, struct str first)
{
	struct net *net = h->conn.net;
	struct leftover in = h->in;

	task_cancel(&h->work);
	h2_take_over(&h->client, first);
	leftover_free(net, &in);
}

/* In clear text it shows by the first bytes, which may come one by one. True:
 * there are not enough of them, or H is no HTTP/1 any more. */
static bool
h1_meets_preface(struct h1 *h)
{
	struct str preface = H2_PREFACE, first;
	size_t n;

	if (!h->conn.can_read || conn_read(&h->conn, h->conn.net->in,
	        NET_PAGE, &n) != CONN_OK)
		return false;
	leftover_put(h->conn.net, &h->in, h->conn.net->in, n);
	first = str_of(h->in.p + h->in.at, leftover_len(&h->in));
	if (!str_has_prefix(preface, str_slice(first, 0, preface.n)))
		return false;
	if (first.n >= preface.n)
		h1_become_h2(h, first);
	return true;
}

static bool
h1_is_another_protocol(struct h1 *h)
{
	if (!WEIR_HTTP2 || h->state != H1_IDLE)
		return false;
	if (h->conn.tls == NULL)
		return h->conn.endpoint->conf->h2c && h1_meets_preface(h);
	if (!str_eq(conn_alpn(&h->conn), STR("h2")))
		return false;
	h1_become_h2(h, STR(""));
	return true;
}

static void
h1_on_ready(struct conn *c)
{
	struct h1 *h = h1_of(c);

	/* A PROXY header has said who it is. */
	if (h->is_fresh && c->via != NULL && !client_meet(&h->client, h->conf))
		return;
	if (UNLIKELY(h->is_fresh) && h1_is_another_protocol(h))
		return;
	if (h->state == H1_BUSY) {
		if (h1_client_left(h)) {
			h->x->txn->reason = "client_left";
			h1_abort(h, CLOSE_PEER);
			return;
		}
		if (h->body_waiting && (c->can_read || c->hung_up)) {
			h->body_waiting = false;
			flow_wake(&h->x->body.flow);
		}
	}
	h1_work(h);
}

static void
h1_on_timeout(struct conn *c)
{
	struct h1 *h = h1_of(c);
	bool send_stalled = h1_is_sending(h);
	enum refusal why;

	switch ((enum h1_state)h->state) {
	case H1_IDLE:
		conn_close(c, send_stalled ? CLOSE_SEND_TIMEOUT : CLOSE_IDLE);
		return;
	case H1_HEAD:
		/* An empty line in two pieces began nothing. */
		if (leftover_len(&h->in) == 0) {
			conn_close(c, CLOSE_IDLE);
			return;
		}
		h1_refuse_part(h, REFUSAL_HEADER_TIMEOUT);
		h1_work(h);
		return;
	case H1_BUSY:
		if (send_stalled) {
			h1_abort(h, CLOSE_SEND_TIMEOUT);
			return;
		}
		why = body_rate_overdue(&h->x->body.rate, h->x->txn,
		    h1_conf(h));
		if (why == REFUSAL_NONE) {
			h1_set_deadline(h);
			return;
		}
		txn_note_refusal(h->x->txn, why);
		if (h->x->head_sent) {
			h1_abort(h, CLOSE_BODY_TIMEOUT);
			return;
		}
		/* Whoever reads the body is told, and answers 408. */
		h->x->body.failed = true;
		h->x->txn->res.close = true;
		h->body_waiting = false;
		flow_wake(&h->x->body.flow);
		return;
	case H1_DRAIN:
		conn_close(c, CLOSE_BODY_TIMEOUT);
		return;
	case H1_FLUSH:
		h1_abort(h, CLOSE_SEND_TIMEOUT);
		return;
	case H1_LINGER:
		conn_close(c, CLOSE_DONE);
		return;
	}
}

static void
h1_on_closed(struct conn *c)
{
	struct h1 *h = h1_of(c);

	h1_leave_idle(h);
	task_cancel(&h->work);
	if (h->x != NULL) {
		txn_finish(h->x->txn, (enum close_reason)c->why);
		h1_end_txn(h);
	}
	leftover_free(c->net, &h->in);
	leftover_free(c->net, &h->out);
	client_end(&h->client);
	h->client.magic = 0;
	mem_free(h);
}

/* ---- what the server and transactions ask ------------------------------ */

static uint32_t
h1_idle_for(const struct client *c)
{
	const struct h1 *h = (const struct h1 *)c;

	if (c->conn.closing || h->state != H1_IDLE || h1_is_sending(h))
		return 0;
	return (uint32_t)clock_ms() - c->idle_since + 1;
}

static bool
h1_shed(struct client *c, enum close_reason why)
{
	struct h1 *h = h1_of(&c->conn);

	if (c->conn.closing || (h->state != H1_IDLE && h->state != H1_HEAD))
		return false;
	conn_close(&c->conn, why);
	return true;
}

/* A client that was heard of this recently may be about to send again. */
#define H1_RECENT 1000 /* ms */

static bool
h1_close_if_idle(struct client *c, bool hurry)
{
	struct h1 *h = h1_of(&c->conn);
	bool is_recent = (uint32_t)clock_ms() - c->idle_since < H1_RECENT;

	if (c->conn.closing)
		return false;
	if (h->state != H1_IDLE && h->state != H1_HEAD)
		return false;
	if (!hurry && (h->state == H1_HEAD || is_recent))
		return false;
	if (!c->conn.connecting && h1_is_sending(h))
		return false;
	conn_close(&c->conn, CLOSE_SHUTDOWN);
	return true;
}

static void
h1_cut(struct client *c)
{
	h1_abort(h1_of(&c->conn), CLOSE_SHUTDOWN);
}

static const struct client_ops h1_ops = {
	.conn = {
		.name = "h1",
		.ready = h1_on_ready,
		.timeout = h1_on_timeout,
		.closed = h1_on_closed
	},
	.idle_for = h1_idle_for,
	.shed = h1_shed,
	.close_if_idle = h1_close_if_idle,
	.cut = h1_cut
};

void
h1_accept(struct server *s, struct endpoint *ep, int fd,
    const struct peer *peer)
{
	struct h1 *h = mem_zalloc(sizeof *h);

	h->client.magic = H1_MAGIC;
	h->conf = site_index_first(ep->owner)->http;
	h->work.name = "h1";
	h->work.run = h1_on_work;
	h->is_fresh = true;
	client_open(&h->client, s, ep, fd, peer, h->conf, &h1_ops);
	/* What comes before the first request has its own deadline. */
	s->stats->idle++;
	if (!h->conn.connecting && !h->conn.closing)
		h1_await_request(h);
}

/* Steps run only where h1_turn writes what they answered when they are over. */
static void
h1_on_send(struct txn *t)
{
	struct h1 *h = t->carrier;

	h->x->ready = true;
}

static void
h1_on_resume(struct txn *t)
{
	struct h1 *h = t->carrier;

	if (!h->conn.closing)
		loop_defer(h->conn.net->loop, &h->work);
}

static void
h1_on_interim(struct txn *t, int status, const struct head *head)
{
	h1_interim(t->carrier, status, head);
}

static const struct transport h1_transport = {
	.name = "HTTP/1.1",
	.send = h1_on_send,
	.resume = h1_on_resume,
	.interim = h1_on_interim
};
