/*
 * Listening sockets. The master creates and holds them, one per address and
 * worker (SO_REUSEPORT); a worker's listener accepts from its own.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/conn.h"

enum listen_steer { STEER_BALANCED, STEER_CLIENT };

struct listen_conf {
	int64_t backlog;
	int steer; /* enum listen_steer */
	bool reuse; /* off: one socket that all workers accept from */
	bool h2c;   /* HTTP/2 in clear text, by prior knowledge */
	bool proxy_protocol; /* a PROXY header comes first */
	struct conf_list trusted; /* struct cidr: proxies before us */
};
extern const struct conf_schema listen_schema; /* an entry of `listeners` */

/*
 * An address that is listened on, as a generation has it: what the http floor
 * attaches (sites, TLS) hangs on `owner`.
 */
struct endpoint {
	struct addr addr;
	char *text; /* "0.0.0.0:80", as addr_format */
	const struct listen_conf *conf; /* never NULL */
	struct tls_context *tls; /* NULL: plain */
	void *owner;
	int *fds; /* n_fds sockets, [worker]; owned by the master's listen_set */
	size_t n_fds;
};

/* Whether PEER is a proxy that may say whom it speaks for. */
bool endpoint_trusts(const struct endpoint *ep, const struct peer *peer);

/*
 * All sockets of an instance, over generations: kept while a generation names
 * their address, inherited over an upgrade. Only the master has one.
 */
struct listen_set;
struct listen_set *listen_set_new(void);
void listen_set_end(struct listen_set *s); /* closes what it holds */
/* Likewise, but paths of unix sockets stay: a successor serves on them. */
void listen_set_hand_over(struct listen_set *s);
/* Makes sure that EP has N sockets (or one, without reuse), keeping those that
 * are there, and fills ep->fds. On failure nothing new stays open:
 * "listen 0.0.0.0:80: cannot bind: address already in use". A unix socket
 * whose path exists is taken over only if nobody answers on it. */
bool listen_set_open(struct listen_set *s, struct endpoint *ep, size_t n,
    struct err *e);
/* Closes the sockets of addresses that were not named by listen_set_open since
 * the last listen_set_begin. Unix socket paths that it made are removed. */
void listen_set_begin(struct listen_set *s);
void listen_set_sweep(struct listen_set *s);
/* Undoes what listen_set_open did since listen_set_begin. */
void listen_set_rollback(struct listen_set *s);
/* "3;4;7" for the environment of the next binary, and back; adopting finds the
 * addresses by getsockname. Also takes LISTEN_FDS of systemd. */
char *listen_set_export(struct listen_set *s, struct arena *a);
bool listen_set_adopt(struct listen_set *s, const char *text, struct err *e);
/* Likewise, of unix sockets whose path is ours to remove; after adopting. */
char *listen_set_export_paths(struct listen_set *s, struct arena *a);
void listen_set_adopt_paths(struct listen_set *s, const char *text);

/* In a worker: accepts on one descriptor. */
struct listener;
/* Takes over FD and PEER: opens a connection or closes FD. */
typedef void listener_accept_fn(struct listener *l, int fd,
    const struct peer *peer);
struct listener *listener_open(struct net *n, struct endpoint *ep, int fd,
    listener_accept_fn *accept, void *arg, struct err *e);
/* Stops accepting; the descriptor stays open for others. */
void listener_close(struct listener *l);
struct endpoint *listener_endpoint(const struct listener *l);
void *listener_arg(const struct listener *l);

#endif
