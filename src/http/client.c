/*
 * Connections of clients, as far as they are alike in every protocol: how they
 * join and leave the server, and what happens when there is no room. The
 * memory is the protocol's, which embeds the struct.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/site.h"
#include "http/status.h"

/* Lines of the error log a second for each reason. */
#define REFUSAL_LINES 10

/* ---- turning away ------------------------------------------------------- */

static void
client_note_refusal(struct client *c, enum refusal why)
{
	static struct log_limit limits[REFUSAL_COUNT];
	struct log_limit *limit = &limits[why];
	char room[PEER_TEXT];
	struct buf ip = buf_fixed(room, sizeof room);

	limit->burst = REFUSAL_LINES;
	c->server->stats->refused[why]++;
	peer_format_ip(&ip, &c->conn.peer);
	log_limited(limit, LOG_INFO, "%s: connection of %.*s refused (%s)",
	    refusal_text(why), STR_ARG(buf_view(&ip)), refusal_word(why));
}

/*
 * A word to whoever came in vain, where one write is all that it takes. What
 * has arrived is read first, or the close would be a reset that overtakes the
 * word; what arrives later may still do that, for waiting is what we have no
 * room for.
 */
static void
client_say(struct client *c, int status)
{
	struct net *net = c->conn.net;
	struct buf b = buf_fixed(net->out, NET_SCRATCH);
	struct iovec iov;
	size_t n;

	c->conn.can_read = true;
	(void)conn_read(&c->conn, net->in, NET_SCRATCH, &n);
	buf_str(&b, status_line(status));
	buf_z(&b, "Content-Length: 0\r\nRetry-After: " RETRY_AFTER "\r\n"
	    "Connection: close\r\n\r\n");
	iov = (struct iovec){ b.p, b.n };
	(void)conn_write(&c->conn, &iov, 1, &n);
}

static void
client_turn_away(struct client *c, enum refusal why, enum close_reason close)
{
	client_note_refusal(c, why);
	if (c->conn.endpoint->tls == NULL)
		client_say(c, refusal_status(why));
	conn_close(&c->conn, close);
}

/* ---- room --------------------------------------------------------------- */

static void
client_tell_of_no_room(const struct server *s)
{
	static struct log_limit limit = LOG_LIMIT(1);

	log_limited(&limit, LOG_ERROR, "%u connections are all that %s allows "
	    "for: closing idle ones and, where there are none, new ones; "
	    "raise it, if need be with LimitNOFILE= or ulimit -n",
	    s->max_conns, s->max_conns_by);
}

/* Somebody has to go, or whoever comes would wait for descriptors or memory
 * that nobody gives back: who has no request, else the one who came. */
static void
client_make_room(struct client *c)
{
	struct server *s = c->server;

	if (s->n_conns > s->max_conns) {
		client_tell_of_no_room(s);
		if (!server_shed(s, CLOSE_OVERLOAD))
			client_turn_away(c, REFUSAL_OVERLOAD, CLOSE_OVERLOAD);
	} else if (s->is_starved && !server_shed(s, CLOSE_LOW_MEMORY)) {
		client_turn_away(c, REFUSAL_LOW_MEMORY, CLOSE_LOW_MEMORY);
	}
}

/* ---- life --------------------------------------------------------------- */

void
client_open(struct client *c, struct server *s, struct endpoint *ep, int fd,
    const struct peer *peer, const struct http_conf *conf,
    const struct client_ops *ops)
{
	c->server = s;
	c->idle_since = (uint32_t)clock_ms();
	list_init(&c->link);
	s->n_conns++;
	conn_open_accepted(&c->conn, s->net, fd, peer, ep, ep->tls,
	    conf->header_timeout, &ops->conn);
	if (!c->conn.closing &&
	    (s->n_conns > s->max_conns || s->is_starved))
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
