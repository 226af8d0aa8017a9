/*
 * Pools of HTTP/2 connections: which one takes a call, and when another is
 * dialled. There is one dial at a time; calls that find every connection full
 * wait for it, or for a stream to end, for as long as connecting may take. A
 * pool lives in the arena of the backends; its connections are its own.
 */
#include "upstream/h2_pool.h"

#if WEIR_HTTP2

#include "http/server.h"

/* Connections of a worker to one server. One is enough for most; each takes as
 * many calls at once as the server lets it. */
#define H2_POOL_SESSIONS 8
/* Calls that wait for one; beyond that the server is too slow anyway. */
#define H2_POOL_WAITING 1024

static const struct str h2_alpn = {"\x02h2", 3};

struct h2_uplink *
h2_pool_uplink(struct h2_pool *p)
{
	LIST_EACH(n, &p->sessions) {
		struct h2_uplink *s = LIST_ITEM(n, struct h2_uplink, link);

		if (h2_uplink_takes_calls(s))
			return s;
	}
	return NULL;
}

static bool
h2_pool_dial(struct h2_pool *p, unsigned addr, struct err *e)
{
	if (p->dial.up != NULL || p->n_sessions >= H2_POOL_SESSIONS)
		return true;
	/* How many requests a new one takes is not known before SETTINGS. */
	LIST_EACH(n, &p->sessions)
		if (!LIST_ITEM(n, struct h2_uplink, link)->has_settings)
			return true;
	return dial_start(&p->dial, p->backend, p->server, addr,
	    p->connect_timeout, e);
}

bool
h2_pool_wait(struct h2_pool *p, struct h2_client *h, unsigned addr,
    struct err *e)
{
	if (p->n_waiting >= H2_POOL_WAITING)
		return err_set(e, "too many requests wait for a connection");
	p->connect_timeout = h->call.connect_timeout;
	if (!h2_pool_dial(p, addr, e))
		return false;
	list_push_back(&p->waiting, &h->link);
	p->n_waiting++;
	h->pool = p;
	return true;
}

void
h2_pool_leave(struct h2_pool *p, struct h2_client *h)
{
	list_remove(&h->link);
	p->n_waiting--;
	h->pool = NULL;
}

void
h2_pool_serve(struct h2_pool *p)
{
	unsigned addr = p->backend->servers[p->server].addr_at;
	struct h2_uplink *s;
	struct err e;

	while (!list_is_empty(&p->waiting) &&
	    (s = h2_pool_uplink(p)) != NULL) {
		struct h2_client *h =
		    LIST_ITEM(p->waiting.next, struct h2_client, link);

		h2_pool_leave(p, h);
		h2_client_begin(h, s);
	}
	/* Who is left over has its own time-out, if this does not begin. */
	if (!list_is_empty(&p->waiting))
		(void)h2_pool_dial(p, addr, &e);
}

/* ---- dialling ---------------------------------------------------------- */

/* Everybody who waits is told; who tries again waits anew, behind them. */
static void
h2_pool_refuse(struct h2_pool *p, enum exchange_cause cause,
    const char *detail)
{
	unsigned n = p->n_waiting;

	while (n-- > 0 && !list_is_empty(&p->waiting)) {
		struct h2_client *h =
		    LIST_ITEM(p->waiting.next, struct h2_client, link);

		h2_pool_leave(p, h);
		h2_client_give_up(h, cause, detail);
	}
}

static void
h2_pool_on_connected(struct dial *d, struct uplink *up)
{
	struct h2_pool *p = CONTAINER_OF(d, struct h2_pool, dial);
	struct h2_uplink *s;

	/* With TLS the protocol is agreed on (RFC 9113 section 3.2); in clear
	 * text we know (section 3.3). */
	if (conn_is_tls(&up->conn) &&
	    !str_eq(conn_alpn(&up->conn), STR("h2"))) {
		uplink_close(up, CLOSE_TLS_FAILED);
		h2_pool_refuse(p, CAUSE_NO_HTTP2, NULL);
		return;
	}
	s = h2_uplink_new(p, up);
	list_push_back(&p->sessions, &s->link);
	p->n_sessions++;
	h2_pool_serve(p);
	if (p->backend->draining)
		h2_uplink_drain(s);
}

/* With other connections there, those who wait have something to wait for. */
static void
h2_pool_on_failed(struct dial *d, enum exchange_cause cause,
    const char *detail)
{
	struct h2_pool *p = CONTAINER_OF(d, struct h2_pool, dial);

	if (list_is_empty(&p->sessions))
		h2_pool_refuse(p, cause, detail);
}

/* ---- for backends ------------------------------------------------------ */

struct h2_pool *
h2_pool_of(struct backend *b, unsigned server)
{
	struct h2_pool *p = b->servers[server].h2;

	if (p != NULL)
		return p;
	p = arena_zalloc(b->arena, sizeof *p);
	p->backend = b;
	p->server = server;
	list_init(&p->sessions);
	list_init(&p->waiting);
	p->dial.alpn = h2_alpn;
	p->dial.connected = h2_pool_on_connected;
	p->dial.failed = h2_pool_on_failed;
	b->servers[server].h2 = p;
	return p;
}

void
h2_pool_drain(struct h2_pool *p)
{
	/* What has no call ends at once: we may be gone before the tick is. */
	LIST_EACH(n, &p->sessions) {
		struct h2_uplink *s = LIST_ITEM(n, struct h2_uplink, link);

		h2_uplink_drain(s);
		if (s->n_calls == 0)
			h2_uplink_end(s);
	}
	if (list_is_empty(&p->waiting))
		dial_end(&p->dial);
}

#endif
