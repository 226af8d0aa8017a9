/*
 * Connections of clients, as far as they are alike in every protocol: how they
 * join and leave the server, and what happens when there is no room. The
 * memory is the protocol's, which embeds the struct.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"

/* Somebody has to go, or whoever comes would wait for descriptors that nobody
 * gives back: who has no request, else the one who came. */
static void
client_make_room(struct client *c)
{
	static struct log_limit limit = LOG_LIMIT(1);

	log_limited(&limit, LOG_ERROR, "%u connections are all that the limit "
	    "of open files allows for: closing idle ones and, where there are "
	    "none, new ones; raise LimitNOFILE= or ulimit -n",
	    c->server->max_conns);
	if (!server_shed(c->server))
		conn_close(&c->conn, CLOSE_OVERLOAD);
}

void
client_open(struct client *c, struct server *s, struct endpoint *ep, int fd,
    const struct peer *peer, uint64_t handshake_ms,
    const struct client_ops *ops)
{
	c->server = s;
	c->idle_since = (uint32_t)clock_ms();
	list_init(&c->link);
	s->n_conns++;
	conn_open_accepted(&c->conn, s->net, fd, peer, ep, ep->tls,
	    handshake_ms, &ops->conn);
	if (s->n_conns > s->max_conns)
		client_make_room(c);
	/* Now, so that it does not make room for itself. */
	list_push_back(&s->fresh, &c->link);
}

void
client_settle(struct client *c)
{
	list_remove(&c->link);
	list_push_back(&c->server->conns, &c->link);
}

void
client_end(struct client *c)
{
	list_remove(&c->link);
	c->server->n_conns--;
}
