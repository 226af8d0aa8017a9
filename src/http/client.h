/*
 * A client's connection, as the server keeps it, whatever it speaks: counted,
 * in one of two lists, closed to make room or to drain. The protocol embeds it.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/server.h"
#include "http/site.h"

struct client;

/* What the protocol of a connection answers. */
struct client_ops {
	struct conn_ops conn; /* first: conn.ops leads to the rest */
	/* How long it has had no request, in ms, and at least 1; 0: it has
	 * one, or its last response has not left yet. */
	uint32_t (*idle_for)(const struct client *c);
	/* Closes it for want of room, if it has no request. */
	bool (*shed)(struct client *c, enum close_reason why);
	/* Closes it for the server drains, if it has no request; with HURRY
	 * also one that has only begun to send a head, or was heard of a
	 * moment ago. */
	bool (*close_if_idle)(struct client *c, bool hurry);
	/* Closes it whatever it does. */
	void (*cut)(struct client *c);
};

struct client {
	struct conn conn; /* first */
	struct server *server;
	struct list link; /* server.fresh, then server.conns */
	uint32_t magic;      /* the protocol's */
	uint32_t idle_since; /* clock_ms, as much of it as fits */
	uint32_t entry;      /* of server.clients; 0: not counted */
	uint32_t held;       /* bytes, as far as server.clients knows */
};

static inline struct client *
client_of_conn(struct conn *c)
{
	return (struct client *)c;
}

static inline struct client *
client_of_link(struct list *link)
{
	return LIST_ITEM(link, struct client, link);
}

static inline const struct client_ops *
client_ops(const struct client *c)
{
	return (const struct client_ops *)c->conn.ops;
}

/* Takes over FD, accepted on EP. C is zeroed but for its magic. It may be
 * closing on return, for there was no room. CONF: the endpoint's. */
void client_open(struct client *c, struct server *s, struct endpoint *ep,
    int fd, const struct peer *peer, const struct http_conf *conf,
    const struct client_ops *ops);
/* Once it is known who the client is, if that was not so from the begin: counts
 * it. False: it has too much already, and is closing. */
bool client_meet(struct client *c, const struct http_conf *conf);
enum refusal client_judge(struct client *c, size_t bytes,
    const struct http_conf *conf);

/* It holds BYTES now, besides what every connection does. What is answered is
 * what that is too much for; REFUSAL_NONE: nothing. */
static inline enum refusal
client_hold(struct client *c, size_t bytes, const struct http_conf *conf)
{
	/* Asked several times in a request, and nearly always so. */
	if (c->entry == 0 && bytes <= conf->max_memory_per_connection)
		return REFUSAL_NONE;
	return client_judge(c, bytes, conf);
}

/* Counts and reports a refusal for which there is no request to name. */
void client_note_refusal(struct client *c, enum refusal why);
/* It has had a whole request: it is nobody who only connects. */
void client_settle(struct client *c);
/*
 * Reads and drops what still comes, after FIN was sent: or closing would be a
 * reset, which overtakes the last words. Closes for WHY when no more can come
 * and what is held has left; AGAIN, the protocol's, is run when others have had
 * their turn and there may be more.
 */
void client_discard(struct client *c, struct task *again,
    enum close_reason why);
/* For its closed callback: the server forgets it. */
void client_end(struct client *c);

#endif
