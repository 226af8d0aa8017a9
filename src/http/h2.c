/*
 * The HTTP/2 server side of a connection: reads into nghttp2, has its streams
 * do what can be done, sends what came of it, and decides when it is over.
 * h2_work is its only driver: whatever happens ends there, once in a tick.
 *
 * Owned by its connection; no stream outlives it.
 */
#include "http/h2_conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/h1_conn.h"
#include "http/site_index.h"

#include <nghttp2/nghttp2.h>

/* Reads in a row before others get their turn: 256 KiB. */
#define READS 4
/* Rounds of streams and sending, likewise. */
#define ROUNDS 8
/* Frames that wait to be sent: with more, nothing more is read. */
#define QUEUE_MAX 1024
/* So long it has to be idle before what nghttp2 holds is folded up: a client
 * that is about to go on does not pay for it. */
#define REST_AFTER 1000 /* ms */
/* Between the two steps of GOAWAY: what the client sent before it saw the
 * first is still answered. */
#define GOODBYE_GRACE 1000 /* ms */

/* It is made in the memory of a connection that spoke HTTP/1 till now, which
 * has to stay small: idle ones are nothing else. */
_Static_assert(sizeof(struct h2) <= sizeof(struct h1),
    "struct h2 has to fit where struct h1 was");

const struct http_conf *
h2_conf(const struct h2 *h)
{
	return site_index_first(h->conn.endpoint->owner)->http;
}

/* Whatever happens to an idle connection may concern nghttp2. */
static void
h2_rouse(struct h2 *h)
{
	if (!h2_store_is_folded(&h->more->store))
		return;
	h2_store_unfold(&h->more->store);
	h->is_roused = true;
}

static struct h2 *
h2_of(struct conn *c)
{
	struct h2 *h = (struct h2 *)c;

	OBJ_CHECK(&h->client, H2_MAGIC);
	h2_rouse(h);
	return h;
}

void
h2_wake(struct h2 *h)
{
	if (!h->is_working && h->phase == H2_OPEN && !h->conn.closing)
		loop_defer(h->conn.net->loop, &h->work);
}

void
h2_do(struct h2_stream *s)
{
	if (!list_is_linked(&s->todo))
		list_push_back(&s->h2->todo, &s->todo);
	h2_wake(s->h2);
}

void
h2_settle_window(struct h2 *h)
{
	struct h2_more *m = h->more;
	size_t max = (size_t)h2_memory_window(h);
	size_t keep = m->held > max ? m->held - max : 0;

	/* One body that nobody takes must not hold up the others: only beyond
	 * that much is the connection's window kept back. */
	if (m->owed <= keep)
		return;
	nghttp2_session_consume_connection(h->session, m->owed - keep);
	m->owed = keep;
	h2_wake(h);
}

/* ---- ends -------------------------------------------------------------- */

void
h2_terminate(struct h2 *h, uint32_t error_code, enum close_reason why)
{
	if (h->why == CLOSE_DONE)
		h->why = (uint8_t)why;
	nghttp2_session_terminate_session(h->session, error_code);
	h2_wake(h);
}

void
h2_condemn(struct h2 *h, enum h2_abuse a)
{
	static struct log_limit limits[H2_ABUSE_COUNT];

	if (h->why != CLOSE_DONE)
		return;
	limits[a].burst = 10;
	log_limited(&limits[a], LOG_INFO,
	    "an HTTP/2 connection is closed: %s (%s)", h2_abuse_text(a),
	    h2_abuse_word(a));
	h->client.server->stats->h2_abuses[a]++;
	h2_terminate(h, NGHTTP2_ENHANCE_YOUR_CALM, CLOSE_ABUSE);
}

void
h2_blame(struct h2 *h, enum h2_abuse a)
{
	h->client.server->stats->h2_events[a]++;
	if (!h2_score_add(&h->more->score, h2_conf(h)->http2, a))
		h2_condemn(h, a);
}

static void
h2_end_streams(struct h2 *h, enum close_reason why)
{
	LIST_EACH(link, &h->more->streams)
		h2_stream_end(LIST_ITEM(link, struct h2_stream, link), why);
}

/* Streams live till here, for what is composed may be theirs. */
static void
h2_linger(struct h2 *h)
{
	enum close_reason why = h->why != CLOSE_DONE ?
	    (enum close_reason)h->why : CLOSE_SHUTDOWN;

	h->phase = H2_LINGER;
	h2_end_streams(h, why);
	h2_memory_note(h);
	conn_shutdown(&h->conn);
	conn_set_deadline(&h->conn, h2_conf(h)->lingering_timeout);
}

static bool
h2_is_flushed(const struct h2 *h)
{
	return leftover_len(&h->out) == 0 && conn_is_flushed(&h->conn);
}

/* What was to be said, and no more: then FIN, and what comes is dropped. */
static void
h2_finish(struct h2 *h)
{
	if (h->phase == H2_FLUSH) {
		if (!h2_send(h)) {
			conn_close(&h->conn, CLOSE_RESET);
			return;
		}
		if (!h2_is_flushed(h))
			return;
		h2_linger(h);
	}
	client_discard(&h->client, &h->work, (enum close_reason)h->why);
}

/* Nothing more is taken in. */
static void
h2_hang_up(struct h2 *h)
{
	h->phase = H2_FLUSH;
	conn_set_deadline(&h->conn, h2_conf(h)->send_timeout);
	h2_finish(h);
}

/* GOAWAY, as far as it goes at once, and the end. */
static void
h2_close(struct h2 *h, enum close_reason why)
{
	h->is_working = true;
	nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
	(void)h2_send(h);
	conn_close(&h->conn, why);
}

/* Two steps (RFC 9113 section 6.8): a notice, by which the client begins no
 * more, and when what it had begun till then is here, the last number. */
static void
h2_say_goodbye(struct h2 *h)
{
	uint64_t now = clock_ms();

	switch ((enum h2_goodbye)h->goodbye) {
	case GOODBYE_NONE:
		nghttp2_submit_shutdown_notice(h->session);
		h->goodbye = GOODBYE_NOTICE;
		h->more->said_notice = now;
		return;
	case GOODBYE_NOTICE:
		if (now - h->more->said_notice < GOODBYE_GRACE)
			return;
		nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
		    nghttp2_session_get_last_proc_stream_id(h->session),
		    NGHTTP2_NO_ERROR, NULL, 0);
		h->goodbye = GOODBYE_FINAL;
		return;
	case GOODBYE_FINAL:
		return;
	}
}

static bool
h2_should_end(const struct h2 *h)
{
	return h->client.server->draining || h->is_parting ||
	    h->requests >= (uint64_t)h2_conf(h)->keepalive_requests;
}

/* ---- time -------------------------------------------------------------- */

void
h2_note_idle(struct h2 *h, bool is_idle)
{
	if (h->is_idle == is_idle)
		return;
	h->is_idle = is_idle;
	h->client.idle_since = (uint32_t)clock_ms();
	if (is_idle)
		h->client.server->stats->idle++;
	else
		h->client.server->stats->idle--;
}

/* How long it may still be idle. */
static uint64_t
h2_idle_left(const struct h2 *h)
{
	uint64_t patience = h2_conf(h)->keepalive_timeout;
	uint32_t gone = (uint32_t)clock_ms() - h->client.idle_since;

	if (h->goodbye != GOODBYE_NONE && patience > GOODBYE_GRACE)
		patience = GOODBYE_GRACE;
	return gone < patience ? patience - gone : 0;
}

static void
h2_await_request(struct h2 *h)
{
	uint64_t left = h2_idle_left(h);

	h->is_roused = false;
	if (left > REST_AFTER)
		left = REST_AFTER;
	conn_set_deadline(&h->conn, left > 0 ? left : 1);
}

static uint64_t
h2_head_patience(const struct h2 *h)
{
	uint64_t gone = clock_ms() - h->more->head_since;
	uint64_t max = h2_conf(h)->header_timeout;

	return gone < max ? max - gone : 1;
}

/* Streams have deadlines of their own; the connection has one where none of
 * them does. */
static void
h2_set_deadline(struct h2 *h)
{
	bool was_sending = h->sending, was_idle = h->is_idle;

	h->sending = h2_is_sending(h);
	h2_note_idle(h, h->n_streams == 0);
	if (was_sending && !h->sending)
		h->client.idle_since = (uint32_t)clock_ms();
	if (h->sending) {
		if (!was_sending || h->conn.has_sent)
			conn_set_deadline(&h->conn, h2_conf(h)->send_timeout);
		h->conn.has_sent = false;
		return;
	}
	if (h->more->head_since != 0)
		conn_set_deadline(&h->conn, h2_head_patience(h));
	else if (!h->is_idle)
		conn_set_deadline(&h->conn, 0);
	else if (!was_idle || was_sending || h->is_roused)
		h2_await_request(h);
}

static void h2_on_ready(struct conn *c);

/* ---- the driver -------------------------------------------------------- */

static void
h2_run_todo(struct h2 *h)
{
	struct list now;

	list_init(&now);
	list_splice(&now, &h->todo);
	while (!list_is_empty(&now)) {
		struct list *link = list_pop_front(&now);

		h2_stream_turn(LIST_ITEM(link, struct h2_stream, todo));
	}
}

static bool
h2_is_over(const struct h2 *h)
{
	return !nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session) && h2_is_flushed(h);
}

static void
h2_work(struct h2 *h)
{
	bool ok = true;

	h->is_working = true;
	for (int i = 0; ok && i < ROUNDS; i++) {
		h2_run_todo(h);
		if (h2_should_end(h))
			h2_say_goodbye(h);
		ok = h2_send(h);
		if (list_is_empty(&h->todo))
			break;
	}
	if (ok && !h2_memory_judge(h))
		ok = h2_send(h); /* GOAWAY */
	h->is_working = false;
	if (!ok) {
		conn_close(&h->conn, CLOSE_RESET);
		return;
	}
	if (!list_is_empty(&h->todo))
		loop_next(h->conn.net->loop, &h->work);
	if (h2_is_over(h)) {
		h2_hang_up(h);
		return;
	}
	h2_set_deadline(h);
}

static void
h2_on_work(struct task *task)
{
	struct h2 *h = CONTAINER_OF(task, struct h2, work);

	OBJ_CHECK(&h->client, H2_MAGIC);
	if (h->conn.closing)
		return;
	h2_rouse(h);
	/* It stopped reading for the others' sake. */
	if (h->reads_on || h->phase != H2_OPEN) {
		h->reads_on = false;
		h2_on_ready(&h->conn);
		return;
	}
	h2_work(h);
}

/* ---- reading ----------------------------------------------------------- */

/* nghttp2 cannot go on: what it still has to say may not even be said. */
static void
h2_fail(struct h2 *h, ssize_t error)
{
	if (error == NGHTTP2_ERR_FLOODED) {
		h2_condemn(h, H2_ABUSE_FLOOD);
	} else if (error == NGHTTP2_ERR_NOMEM) {
		h2_terminate(h, NGHTTP2_INTERNAL_ERROR, CLOSE_OVERLOAD);
	} else {
		h2_terminate(h, NGHTTP2_PROTOCOL_ERROR, CLOSE_PROTOCOL);
	}
	h2_hang_up(h);
}

/* False: the connection is over. */
static bool
h2_receive(struct h2 *h, const char *p, size_t n)
{
	ssize_t took;

	h->is_working = true;
	took = nghttp2_session_mem_recv(h->session, (const uint8_t *)p, n);
	h->is_working = false;
	if (took == (ssize_t)n)
		return true;
	h2_fail(h, took);
	return false;
}

/* Whether it makes us answer much: that is sent before more is read. */
static bool
h2_is_pressed(const struct h2 *h)
{
	return nghttp2_session_get_outbound_queue_size(h->session) > QUEUE_MAX;
}

/* A client that makes us answer and does not read is not listened to. Nor is
 * one whose connection ends. */
static bool
h2_is_choked(const struct h2 *h)
{
	return h->why != CLOSE_DONE ||
	    (leftover_len(&h->out) > 0 && h2_is_pressed(h));
}

/* False: the connection is over. */
static bool
h2_read(struct h2 *h)
{
	struct net *net = h->conn.net;
	size_t n;

	for (int i = 0; h->conn.can_read && !h2_is_choked(h); i++) {
		if (i == READS || h2_is_pressed(h)) {
			loop_next(net->loop, &h->work);
			h->reads_on = true;
			return true;
		}
		switch (conn_read(&h->conn, net->in, NET_SCRATCH, &n)) {
		case CONN_OK:
			break;
		case CONN_AGAIN:
			return true;
		case CONN_EOF:
			conn_close(&h->conn, CLOSE_PEER);
			return false;
		case CONN_FAILED:
			conn_close(&h->conn, CLOSE_RESET);
			return false;
		}
		if (!h2_receive(h, net->in, n))
			return false;
	}
	return true;
}

/* ---- events ------------------------------------------------------------ */

/* The handshake is over, for which some of them may wait. */
static void
h2_end_early(struct h2 *h)
{
	h->was_early = false;
	LIST_EACH(link, &h->more->streams)
		h2_do(LIST_ITEM(link, struct h2_stream, link));
}

static void
h2_on_ready(struct conn *c)
{
	struct h2 *h = h2_of(c);

	if (h->was_early && !c->is_early)
		h2_end_early(h);
	if (h->phase != H2_OPEN)
		h2_finish(h);
	else if (h2_read(h))
		h2_work(h);
}

static void
h2_on_timeout(struct conn *c)
{
	struct h2 *h = h2_of(c);
	uint64_t left = h2_idle_left(h);

	if (h->phase == H2_LINGER) {
		conn_close(c, CLOSE_DONE);
	} else if (h2_is_sending(h)) {
		conn_close(c, CLOSE_SEND_TIMEOUT);
	} else if (h->more->head_since != 0) {
		h2_terminate(h, NGHTTP2_ENHANCE_YOUR_CALM,
		    CLOSE_HEADER_TIMEOUT);
		h2_work(h);
	} else if (left > 0) {
		h2_store_fold(&h->more->store);
		h2_memory_note(h);
		conn_set_deadline(c, left);
	} else {
		h2_close(h, h->goodbye != GOODBYE_NONE ? CLOSE_DONE :
		    CLOSE_IDLE);
	}
}

static void
h2_on_closed(struct conn *c)
{
	struct h2 *h = h2_of(c);
	struct h2_more *m = h->more;

	h->is_working = true; /* nothing is to be woken any more */
	task_cancel(&h->work);
	h2_end_streams(h, (enum close_reason)c->why);
	h2_note_idle(h, false);
	nghttp2_session_del(h->session);
	h2_store_close(&m->store);
	ASSERT(m->held == 0);
	leftover_free(c->net, &h->out);
	client_end(&h->client);
	h->client.magic = 0;
	mem_free(m);
	mem_free(h);
}

/* ---- what the server asks ---------------------------------------------- */

static uint32_t
h2_idle_for(const struct client *c)
{
	const struct h2 *h = (const struct h2 *)c;

	if (c->conn.closing || h->n_streams > 0 || h2_is_sending(h))
		return 0;
	return (uint32_t)clock_ms() - c->idle_since + 1;
}

static bool
h2_shed(struct client *c, enum close_reason why)
{
	struct h2 *h = h2_of(&c->conn);

	if (c->conn.closing || h->n_streams > 0)
		return false;
	h2_close(h, why);
	return true;
}

/* Asked every moment while the server drains: that also takes GOAWAY further
 * where nothing else happens. */
static bool
h2_close_if_idle(struct client *c, bool hurry)
{
	struct h2 *h = h2_of(&c->conn);

	if (c->conn.closing || h->phase != H2_OPEN)
		return false;
	if (!hurry && h->goodbye != GOODBYE_FINAL) {
		h2_work(h);
		return false;
	}
	if (h->n_streams > 0 || h2_is_sending(h))
		return false;
	h2_close(h, CLOSE_SHUTDOWN);
	return true;
}

static void
h2_cut(struct client *c)
{
	struct h2 *h = h2_of(&c->conn);

	h2_end_streams(h, CLOSE_SHUTDOWN);
	conn_close(&c->conn, CLOSE_SHUTDOWN);
}

static const struct client_ops h2_ops = {
	.conn = {
		.name = "h2",
		.ready = h2_on_ready,
		.timeout = h2_on_timeout,
		.closed = h2_on_closed
	},
	.idle_for = h2_idle_for,
	.shed = h2_shed,
	.close_if_idle = h2_close_if_idle,
	.cut = h2_cut
};

void
h2_take_over(struct client *c, struct str first)
{
	struct h2 *h = (struct h2 *)c;

	memset((char *)h + sizeof h->client, 0, sizeof *h - sizeof h->client);
	h->client.magic = H2_MAGIC;
	h->conn.ops = &h2_ops.conn;
	h->is_fresh = true;
	h->is_idle = true; /* h1.c has counted it */
	h->was_early = h->conn.is_early;
	h->work.name = "h2";
	h->work.run = h2_on_work;
	list_init(&h->todo);
	h->more = mem_zalloc(sizeof *h->more);
	list_init(&h->more->streams);
	h->more->window = NGHTTP2_INITIAL_WINDOW_SIZE;
	h->more->score.as_of = clock_ms();
	h->client.idle_since = (uint32_t)clock_ms();
	h->client.server->stats->h2_connections++;
	if (!h2_session_open(h)) {
		conn_close(&h->conn, CLOSE_OVERLOAD);
		return;
	}
	h2_await_request(h);
	if (first.n > 0 && !h2_receive(h, first.p, first.n))
		return;
	h2_on_ready(&h->conn);
}
