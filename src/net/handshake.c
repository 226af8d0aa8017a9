/*
 * What comes before a connection stands: connecting, a PROXY header, the TLS
 * handshake, and what a client says in place of one. Takes steps when there is
 * something to be read or written, of clients in turn, and tells the owner how
 * it ended. Keeps nothing but what is in the conn.
 */
#include "net/handshake.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/conn_socket.h"
#include "net/proxy_gate.h"
#include "net/tls_early.h"
#include "net/tls_hello.h"
#include "net/tls_stream.h"

#include <errno.h>

/*
 * What handshakes with clients may take of a tick, but for the one that is
 * under way: a full one costs as much as a hundred requests, and who has a
 * connection shall not wait for a crowd of those who want one.
 */
#define SHAKE_US 1000

/* ---- ends -------------------------------------------------------------- */

static void
handshake_log(const struct conn *c, const char *why)
{
	static struct log_limit limit = LOG_LIMIT(5);
	char text[PEER_TEXT];
	struct buf b = buf_fixed(text, sizeof text);

	peer_format_ip(&b, &c->peer);
	log_limited(&limit, LOG_INFO, "TLS handshake with %.*s failed: %s",
	    STR_ARG(buf_view(&b)), why);
}

void
handshake_abandon(struct conn *c, const char *why, enum close_reason reason)
{
	c->net->stats->tls_failed++;
	handshake_log(c, why);
	conn_close(c, reason);
}

/* What was dialled and failed is the owner's to close. */
static void
handshake_dial_failed(struct conn *c)
{
	c->can_read = c->can_write = false;
	c->net->stats->dial_failed++;
	c->ops->ready(c);
}

static void
handshake_failed(struct conn *c)
{
	if (!c->is_client) {
		handshake_dial_failed(c);
		return;
	}
	handshake_abandon(c, conn_failure(c), CLOSE_TLS_FAILED);
}

/* What was answered early may have been all. */
static void
handshake_end_early(struct conn *c)
{
	struct tls_early *early = tls_stream_early(c->tls);

	c->is_early = false;
	if (early != NULL)
		timer_stop(c->net->loop, &early->deadline);
	if (c->owes_fin) {
		c->owes_fin = false;
		conn_shutdown(c);
	}
}

static void
handshake_done(struct conn *c)
{
	c->connecting = false;
	if (c->is_early)
		handshake_end_early(c);
	if (c->tls != NULL) {
		/* The last flight may have brought a request with it. */
		c->can_read = true;
		c->can_write = tls_stream_is_flushed(c->tls);
	}
	if (c->tls != NULL && c->is_client) {
		c->net->stats->tls_handshakes++;
		c->net->stats->tls_resumed += tls_stream_is_resumed(c->tls);
	}
	c->ops->ready(c);
}

/* ---- early data -------------------------------------------------------- */

static void
handshake_on_deadline(struct timer *t)
{
	struct tls_early *early = CONTAINER_OF(t, struct tls_early, deadline);

	if (!early->conn->closing)
		handshake_abandon(early->conn, "time-out", CLOSE_TLS_TIMEOUT);
}

/* The timer is the owner's from here on, but who sent a replay can never end
 * the handshake: what is left of its time goes on elsewhere. */
static void
handshake_begin_early(struct conn *c, struct tls_early *early)
{
	uint64_t now = clock_ms(), end = c->timer.deadline;

	c->connecting = false;
	c->is_early = true;
	c->net->stats->tls_early++;
	early->deadline.name = c->timer.name;
	early->deadline.expired = handshake_on_deadline;
	timer_start(c->net->loop, &early->deadline, end > now ? end - now : 1);
}

/* More is to come of the handshake; the owner need not wait for it, if there
 * is something for it already. */
static void
handshake_look_early(struct conn *c)
{
	struct tls_early *early = tls_stream_early(c->tls);

	if (early == NULL || (!c->is_early && leftover_len(&early->in) == 0))
		return;
	if (!c->is_early)
		handshake_begin_early(c, early);
	c->can_read = leftover_len(&early->in) > 0;
	c->can_write = tls_stream_is_flushed(c->tls);
	c->ops->ready(c);
}

/* ---- what is no TLS ---------------------------------------------------- */

/* Its owner hears of the request as of any other, and answers it in clear. */
static void
handshake_go_in_clear(struct conn *c)
{
	tls_stream_end(c->tls);
	c->tls = NULL;
	c->in_clear = true;
	c->can_read = c->can_write = true;
	c->net->stats->tls_failed++;
	handshake_done(c);
}

/* OpenSSL would not send one either: an alert by which a peer that speaks
 * something like TLS learns of it (RFC 8446 section 6.2, unexpected_message).
 * What was not read would turn the close into a reset, which overtakes it. */
static void
handshake_refuse_hello(struct conn *c)
{
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x0a";
	struct iovec iov = { (char *)(uintptr_t)alert, sizeof alert - 1 };
	size_t n;

	(void)conn_socket_read(c, c->net->tls, NET_SCRATCH, &n);
	(void)conn_socket_write(c, &iov, 1, 0, &n);
	c->error = FAILURE_NO_TLS;
	handshake_failed(c);
}

/*
 * What a client says first. It stays in the socket, for whoever is to read it:
 * OpenSSL, which shall not be asked before it is known to be TLS, or the owner.
 */
static enum tls_hello
handshake_peek_hello(struct conn *c)
{
	char p[TLS_HELLO_PEEK];
	enum tls_hello hello;
	size_t n;
	enum conn_status st = conn_socket_peek(c, p, sizeof p, &n);

	if (st == CONN_AGAIN)
		return TLS_HELLO_MORE;
	hello = tls_hello_of(p, n);
	/* No more will come: OpenSSL says what is wrong with that. */
	return hello == TLS_HELLO_MORE && (st != CONN_OK || c->hung_up) ?
	    TLS_HELLO_TLS : hello;
}

/* False: it is no handshake, or not known to be one yet. */
static bool
handshake_is_greeted(struct conn *c)
{
	if (!c->is_client || c->greeted)
		return true;
	switch (handshake_peek_hello(c)) {
	case TLS_HELLO_MORE:
		return false;
	case TLS_HELLO_TLS:
		c->greeted = true;
		return true;
	case TLS_HELLO_HTTP:
		handshake_go_in_clear(c);
		return false;
	case TLS_HELLO_OTHER:
		handshake_refuse_hello(c);
		return false;
	}
	UNREACHABLE();
}

static void
handshake_step(struct conn *c)
{
	c->error = 0;
	if (!handshake_is_greeted(c))
		return;
	switch (tls_stream_handshake(c->tls)) {
	case TLS_DONE:
		handshake_done(c);
		return;
	case TLS_AGAIN:
		handshake_look_early(c);
		return;
	case TLS_CLOSED:
		c->error = FAILURE_HANDSHAKE_EOF;
		handshake_failed(c);
		return;
	case TLS_BROKEN:
		/* A failure of the socket came first and is the reason. */
		if (c->error == 0)
			c->error = FAILURE_TLS;
		handshake_failed(c);
		return;
	}
	UNREACHABLE();
}

void
handshake_advance(struct conn *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (c->error != 0 && !c->is_early)
		return; /* the owner was told and has not closed yet */
	if (c->dialling) {
		if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) !=
		    0)
			error = errno;
		if (error != 0) {
			c->error = (uint8_t)error;
			handshake_dial_failed(c);
			return;
		}
		c->dialling = false;
	}
	if (c->awaits_proxy && !proxy_gate_pass(c))
		return;
	if (c->tls != NULL)
		handshake_step(c);
	else
		handshake_done(c);
}

/* ---- in turn ------------------------------------------------ */

static void
handshake_on_turn(struct task *t)
{
	struct net *net = CONTAINER_OF(t, struct net, shake);
	uint64_t end = clock_precise_us() + SHAKE_US;

	while (!list_is_empty(&net->shaking)) {
		struct conn *c = LIST_ITEM(list_pop_front(&net->shaking),
		    struct conn, reap.link);

		handshake_advance(c);
		if (clock_precise_us() >= end)
			break;
	}
	if (!list_is_empty(&net->shaking))
		loop_next(net->loop, &net->shake);
}

/* After the events of this tick, in the order of arrival, a bounded share. The
 * link is the reaper's, who needs it only when all else is over: a list of its
 * own would cost every idle connection 16 bytes. */
void
handshake_queue(struct conn *c)
{
	struct net *net = c->net;

	list_remove(&c->reap.link);
	list_push_back(&net->shaking, &c->reap.link);
	net->shake.name = "handshakes";
	net->shake.run = handshake_on_turn;
	loop_defer(net->loop, &net->shake);
}
