/*
 * Accepting, in a worker. A listener watches one descriptor that the master
 * opened, level-triggered, and hands each connection on; it keeps none. When
 * the process has no descriptors or memory left it looks away for a moment,
 * because a listener that cannot accept stays ready and would keep the loop
 * busy with failing.
 */
#include "net/listener.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/panic.h"
#include "conf/load.h"

#include <errno.h>
#include <unistd.h>

#define LISTENER_MAGIC 0x115E2E20u
/* Connections accepted in a row, before those that stand get their turn. */
#define ACCEPT_MAX 64
/* How long a listener looks away; other connections may end meanwhile. */
#define PAUSE 100 /* ms */

static const char *const steer_choices[] = { "balanced", "client", NULL };

static const struct conf_field listen_fields[] = {
	KEY_INT(listen_conf, backlog, .dflt = "4096", .min = "1",
	    .max = "65535",
	    .doc = "How many connections may wait to be accepted, per worker. "
	    "The kernel caps it at net.core.somaxconn."),
	KEY_CHOICE(listen_conf, steer, steer_choices, .dflt = "balanced",
	    .doc = "Which worker gets a connection: `balanced` spreads them "
	    "evenly, `client` gives all connections of one client address to "
	    "the same worker. Needs `reuse`."),
	KEY_BOOL(listen_conf, reuse, .dflt = "on",
	    .doc = "Every worker has a socket and a queue of its own "
	    "(SO_REUSEPORT); off: all accept from one."),
	KEY_BOOL(listen_conf, h2c, .dflt = "off",
	    .doc = "Whether clients may speak HTTP/2 here in clear text, "
	    "beside HTTP/1: those that begin with it, by prior knowledge. Over "
	    "TLS it is chosen in the handshake: http, http2."),
	KEY_BOOL(listen_conf, proxy_protocol, .dflt = "off",
	    .doc = "Connections begin with a header of the PROXY protocol, "
	    "version 1 or 2, also before TLS: the client is whom it names. "
	    "Only addresses in `trusted`, which must be given, may connect; "
	    "others are closed unread, and so is who sends no header within "
	    "`header_timeout`. A header that names nobody (UNKNOWN, LOCAL) "
	    "leaves the address of the connection."),
	KEY_LIST(listen_conf, trusted, conf_type_cidr,
	    .doc = "Addresses and networks of proxies before this one. What "
	    "they say in X-Forwarded-* fields is believed and passed on, with "
	    "their own address added; from everybody else it is dropped. With "
	    "`proxy_protocol`, who may connect; fields are then believed when "
	    "the client that the header names is in the list, too. Whose "
	    "address a request has is still that of the connection: `real_ip` "
	    "at the top or in a site takes it from a field of these proxies.",
	    .example = "[10.0.0.0/8]"),
	KEY_END
};

/* The header is believed: without a list of those who may send it, anybody
 * could be anybody. */
static void
listener_check(struct conf_load *load, void *block)
{
	const struct listen_conf *c = block;

	if (c->proxy_protocol && c->trusted.n == 0)
		conf_error(load, conf_pos_of(c, &c->proxy_protocol),
		    "proxy-trusted", "\"proxy_protocol\" needs \"trusted\": "
		    "the addresses of the proxies, such as trusted: "
		    "[10.0.0.0/8]");
}

const struct conf_schema listen_schema = {
	.name = "listener",
	.doc = "Settings of an address that sites listen on.",
	.size = sizeof(struct listen_conf),
	.fields = listen_fields,
	.check = listener_check
};

struct listener {
	uint32_t magic;
	bool closing;
	struct io io;
	struct net *net;
	struct endpoint *endpoint;
	listener_accept_fn *accept;
	void *arg;
	struct timer resume;
	struct task reap;
};

bool
endpoint_trusts(const struct endpoint *ep, const struct peer *peer)
{
	const struct conf_list *trusted = &ep->conf->trusted;

	for (CONF_EACH(const struct cidr, c, trusted))
		if (cidr_contains(c, peer))
			return true;
	return false;
}

enum accept_failure {
	ACCEPT_NONE,    /* the queue is empty */
	ACCEPT_SKIP,    /* that connection is gone; the next may be fine */
	ACCEPT_PAUSE,   /* nothing can be accepted now */
	ACCEPT_ENDED    /* the master has ended the socket */
};

static enum accept_failure
listener_judge(int error)
{
	switch (error) {
	case EAGAIN:
		return ACCEPT_NONE;
	case EINTR:
	/* Errors of the connection, reported by accept (accept(2)). */
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case EPERM: /* a firewall's rule */
		return ACCEPT_SKIP;
	case EINVAL:
		return ACCEPT_ENDED;
	default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
		return ACCEPT_PAUSE;
	}
}

static void
listener_pause(struct listener *l, int error)
{
	static struct log_limit limit = LOG_LIMIT(1);
	struct err e;

	l->net->stats->accept_failed++;
	errno = error;
	err_sys(&e, "listen %s: cannot accept", l->endpoint->text);
	log_limited(&limit, LOG_ERROR, "%s", e.text);
	loop_forget_io(l->net->loop, &l->io);
	timer_start(l->net->loop, &l->resume, PAUSE);
}

static void
listener_on_resume(struct timer *t)
{
	struct listener *l = CONTAINER_OF(t, struct listener, resume);
	struct err e;

	OBJ_CHECK(l, LISTENER_MAGIC);
	if (!loop_add_listener(l->net->loop, &l->io, &e))
		timer_start(l->net->loop, &l->resume, PAUSE);
}

static void
listener_failed(struct listener *l, enum accept_failure failure, int error)
{
	switch (failure) {
	case ACCEPT_NONE:
	case ACCEPT_SKIP:
		return;
	case ACCEPT_PAUSE:
		listener_pause(l, error);
		return;
	case ACCEPT_ENDED:
		loop_forget_io(l->net->loop, &l->io);
		return;
	}
}

static void
listener_on_io(struct io *io, unsigned events)
{
	struct listener *l = CONTAINER_OF(io, struct listener, io);

	(void)events;
	OBJ_CHECK(l, LISTENER_MAGIC);
	for (int i = 0; i < ACCEPT_MAX && !l->closing; i++) {
		struct addr from = { .len = sizeof from.un };
		struct peer peer;
		int fd = accept4(io->fd, &from.sa, &from.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			int error = errno;
			enum accept_failure failure = listener_judge(error);

			if (failure == ACCEPT_SKIP)
				continue;
			listener_failed(l, failure, error);
			return;
		}
		l->net->stats->accepted++;
		peer = peer_from(&from);
		l->accept(l, fd, &peer);
	}
}

static void
listener_on_reap(struct task *t)
{
	struct listener *l = CONTAINER_OF(t, struct listener, reap);

	OBJ_CHECK(l, LISTENER_MAGIC);
	l->magic = 0;
	mem_free(l);
}

struct listener *
listener_open(struct net *n, struct endpoint *ep, int fd,
    listener_accept_fn *accept, void *arg, struct err *e)
{
	struct listener *l = mem_zalloc(sizeof *l);

	l->magic = LISTENER_MAGIC;
	l->io = (struct io){
		.fd = fd, .name = "listener", .ready = listener_on_io
	};
	l->net = n;
	l->endpoint = ep;
	l->accept = accept;
	l->arg = arg;
	l->resume = (struct timer){
		.name = "listener", .expired = listener_on_resume
	};
	l->reap = (struct task){ .name = "listener", .run = listener_on_reap };
	if (loop_add_listener(n->loop, &l->io, e))
		return l;
	err_wrap(e, "listen %s", ep->text);
	mem_free(l);
	return NULL;
}

void
listener_close(struct listener *l)
{
	OBJ_CHECK(l, LISTENER_MAGIC);
	if (l->closing)
		return;
	l->closing = true;
	timer_stop(l->net->loop, &l->resume);
	loop_forget_io(l->net->loop, &l->io);
	/* Closed from inside its own accept callback, it is still in use. */
	loop_reap(l->net->loop, &l->reap);
}

struct endpoint *
listener_endpoint(const struct listener *l)
{
	return l->endpoint;
}

void *
listener_arg(const struct listener *l)
{
	return l->arg;
}
