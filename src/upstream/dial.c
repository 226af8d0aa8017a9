/*
 * Dials: the time between wanting a connection and having it. The uplink is the
 * dial's until it stands; then it is its owner's, or it is closed and the owner
 * told why, in the words of the table of causes.
 */
#include "upstream/dial.h"

#include "base/panic.h"
#include "net/tls_stream.h"
#include "upstream/exchange.h"

#include <errno.h>

static enum exchange_cause
dial_tls_cause(const struct conn *c)
{
	switch (tls_stream_refusal(c->tls)) {
	case TLS_REFUSED_BY_US:
		return CAUSE_TLS_VERIFY;
	case TLS_REFUSED_BY_PEER:
		return CAUSE_TLS_REFUSED;
	case TLS_NOT_REFUSED:
		return CAUSE_TLS;
	}
	UNREACHABLE();
}

static enum exchange_cause
dial_cause(const struct conn *c)
{
	switch (conn_errno(c)) {
	case 0:
		return dial_tls_cause(c);
	case ECONNREFUSED:
		return CAUSE_REFUSED;
	case ECONNRESET:
		return CAUSE_RESET;
	case ETIMEDOUT:
		return CAUSE_TIMEOUT;
	default:
		return CAUSE_UNREACHABLE;
	}
}

/* The owner may dial again at once; the words of the old connection have to
 * live until it has heard them. */
static void
dial_fail(struct dial *d, enum exchange_cause cause)
{
	struct uplink *up = d->up;

	d->up = NULL;
	/* Of whatever the handshake failed, what was offered is not offered
	 * again. */
	if (!up->conn.dialling)
		tls_resume_drop(uplink_resume(up));
	d->failed(d, cause,
	    cause == CAUSE_TIMEOUT ? NULL : conn_failure(&up->conn));
	uplink_close(up, CLOSE_IO_ERROR);
}

static void
dial_note_tls(struct uplink *up)
{
	struct exchange_stats *stats = up->backend->stats;
	const struct tls_stream *tls = up->conn.tls;

	if (tls == NULL)
		return;
	stats->tls_handshakes++;
	stats->tls_resumed += tls_stream_is_resumed(tls);
	tls_resume_settle(uplink_resume(up), tls);
}

static void
dial_on_ready(struct uplink *up, void *arg)
{
	struct dial *d = arg;

	ASSERT(d->up == up);
	if (up->conn.connecting) {
		dial_fail(d, dial_cause(&up->conn));
		return;
	}
	d->up = NULL;
	dial_note_tls(up);
	d->connected(d, up);
}

static void
dial_on_timeout(struct uplink *up, void *arg)
{
	struct dial *d = arg;

	ASSERT(d->up == up);
	dial_fail(d, CAUSE_TIMEOUT);
}

static const struct uplink_user dial_user = {
	.ready = dial_on_ready,
	.timeout = dial_on_timeout,
};

bool
dial_start(struct dial *d, struct backend *b, unsigned server, unsigned addr,
    uint64_t timeout_ms, struct err *e)
{
	ASSERT(d->up == NULL);
	b->stats->dialled++;
	d->up = uplink_dial(b, server, addr, &dial_user, d, e);
	if (d->up == NULL)
		return false;
	if (d->alpn.n > 0 && !conn_offer(&d->up->conn, d->alpn)) {
		dial_end(d);
		return err_set(e, "cannot begin TLS: out of memory");
	}
	conn_set_deadline(&d->up->conn, timeout_ms);
	return true;
}

void
dial_end(struct dial *d)
{
	if (d->up != NULL)
		uplink_close(d->up, CLOSE_ABORTED);
	d->up = NULL;
}
