/*
 * Connections of clients, as far as they are alike in every protocol: how they
 * join and leave the server, and what happens when there is no room. The
 * memory is the protocol's, which embeds the struct.
 */
#include "http/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/policy.h"
#include "http/status.h"

/* What every connection holds, as far as it is told to clients: OpenSSL's part
 * is what was measured, the rest is our structs. */
#define PLAIN_COST 512
#define TLS_COST (14 << 10)

/* Reads that are thrown away in a row before others get their turn: 256 KiB. */
#define DISCARDS 4

/* Lines of the error log a second for each reason. */
#define REFUSAL_LINES 10

/* ---- turning away ------------------------------------------------------- */

static void
client_log(const struct client *c, enum log_level level, const char *what,
    enum refusal why)
{
	static struct log_limit limits[REFUSAL_COUNT];
	struct log_limit *limit = &limits[why];
	char room[PEER_TEXT];
	struct buf ip = buf_fixed(room, sizeof room);

	limit->burst = REFUSAL_LINES;
	peer_format_ip(&ip, &c->conn.peer);
	log_limited(limit, level, "%s: connection of %.*s %s (%s)",
	    refusal_text(why), STR_ARG(buf_view(&ip)), what,
	    refusal_word(why));
}

void
client_note_refusal(struct client *c, enum refusal why)
{
	c->server->stats->refused[why]++;
	client_log(c, LOG_INFO, "refused", why);
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

/* ---- limits of one client ----------------------------------------------- */

/* True: it goes on, for the limit is only reported. */
static bool
client_tolerates(struct client *c, const struct http_conf *conf,
    enum refusal why)
{
	if (policy_holds(conf, why))
		return false;
	c->server->stats->reported[why]++;
	client_log(c, LOG_NOTICE, "would be refused", why);
	return true;
}

/* Who is trusted speaks for many, and is not one client; nor is a proxy that
 * has not said, or does not say, for whom it speaks. */
static bool
client_is_many(const struct client *c)
{
	const struct conn *conn = &c->conn;

	return conn_is_trusted(conn) ||
	    (conn->endpoint->conf->proxy_protocol && conn->via == NULL);
}

static size_t
client_cost(const struct client *c)
{
	return c->conn.endpoint->tls != NULL ? TLS_COST : PLAIN_COST;
}

/* Holds MORE; whether that is too much for all of its client's connections. */
static bool
client_add(struct client *c, int64_t more, const struct http_conf *conf)
{
	struct client_table *t = &c->server->clients;
	uint64_t most = conf->max_memory_per_client, before;

	before = client_table_memory(t, c->entry);
	client_table_hold(t, c->entry, more);
	c->held = (uint32_t)((int64_t)c->held + more);
	/* Who needs no more than before is not the one to be cut. */
	if (most == 0 || more <= 0 || before + (uint64_t)more <= most)
		return false;
	/* What is only reported is so when it begins. */
	return policy_holds(conf, REFUSAL_CLIENT_MEMORY) ||
	    (before <= most &&
	    !client_tolerates(c, conf, REFUSAL_CLIENT_MEMORY));
}

bool
client_meet(struct client *c, const struct http_conf *conf)
{
	struct client_table *t = &c->server->clients;
	uint64_t most = (uint64_t)conf->max_connections_per_client;
	enum refusal why = REFUSAL_NONE;

	if ((most == 0 && conf->max_memory_per_client == 0) ||
	    c->entry != 0 || client_is_many(c))
		return true;
	c->entry = client_table_enter(t, &c->conn.peer);
	if (c->entry == 0)
		return true;
	if (client_add(c, (int64_t)client_cost(c), conf))
		why = REFUSAL_CLIENT_MEMORY;
	else if (most > 0 && client_table_conns(t, c->entry) > most &&
	    !client_tolerates(c, conf, REFUSAL_CLIENT_CONNECTIONS))
		why = REFUSAL_CLIENT_CONNECTIONS;
	if (why == REFUSAL_NONE)
		return true;
	client_turn_away(c, why, CLOSE_CLIENT_LIMIT);
	return false;
}

enum refusal
client_judge(struct client *c, size_t bytes, const struct http_conf *conf)
{
	uint64_t most = conf->max_memory_per_connection;
	size_t all;

	if (most > 0 && bytes > most &&
	    policy_holds(conf, REFUSAL_CONNECTION_MEMORY))
		return REFUSAL_CONNECTION_MEMORY;
	if (c->entry == 0)
		return REFUSAL_NONE;
	all = bytes + client_cost(c);
	if (all != c->held &&
	    client_add(c, (int64_t)all - (int64_t)c->held, conf))
		return REFUSAL_CLIENT_MEMORY;
	return REFUSAL_NONE;
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
	if (!c->conn.closing)
		(void)client_meet(c, conf);
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
client_discard(struct client *c, struct task *again, enum close_reason why)
{
	struct conn *conn = &c->conn;
	size_t n;

	for (int i = 0; conn->can_read || conn->hung_up; i++) {
		enum conn_status st;

		/* Who sends faster than we read would never let us go. */
		if (i == DISCARDS) {
			loop_next(conn->net->loop, again);
			return;
		}
		st = conn_read(conn, conn->net->in, NET_SCRATCH, &n);
		if (st == CONN_AGAIN)
			return;
		/* It may still read what is held for it. */
		if (st == CONN_EOF && !conn_is_flushed(conn))
			return;
		if (st != CONN_OK) {
			conn_close(conn, why);
			return;
		}
	}
}

void
client_end(struct client *c)
{
	if (c->entry != 0)
		client_table_hold(&c->server->clients, c->entry,
		    -(int64_t)c->held);
	client_table_leave(&c->server->clients, c->entry);
	list_remove(&c->link);
	c->server->n_conns--;
}
