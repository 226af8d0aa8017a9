/*
 * Connections. A conn is embedded in its owner and registered with the loop
 * once, edge-triggered: what the kernel said is remembered in can_read and
 * can_write until a call finds otherwise. It owns the descriptor, the deadline
 * and the TLS stream, holds no buffer of its own, and never interprets a byte.
 *
 * Closing detaches at once; the owner is told in the closing stage, when no
 * frame of it can be on the stack any more.
 */
#include "net/conn_socket.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/handshake.h"
#include "net/listener.h"
#include "net/proxy_gate.h"
#include "net/tls_stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* What one connection may take of the disk and the socket before the others
 * get their turn. */
#define SENDFILE_MAX 524288
/* What is encrypted at once: three full records, whose ciphertext still fits
 * into the scratch page and so leaves in one system call. */
#define TLS_PIECE 49152
/* The content of a full TLS record (RFC 8446 section 5.1). */
#define TLS_RECORD 16384

static void
conn_check(const struct conn *c)
{
	OBJ_CHECK(c, CONN_MAGIC);
}

/* ---- failures ---------------------------------------------------------- */

static enum conn_status
conn_fail(struct conn *c, int error)
{
	c->error = (uint8_t)error;
	return CONN_FAILED;
}

/* A failure of the socket below is the better reason: it came first. */
static enum conn_status
conn_fail_tls(struct conn *c)
{
	if (c->error == 0)
		c->error = FAILURE_TLS;
	return CONN_FAILED;
}

const char *
conn_failure(const struct conn *c)
{
	switch (c->error) {
	case 0:
		return "no failure";
	case FAILURE_TLS:
		return tls_stream_failure(c->tls);
	case FAILURE_HANDSHAKE_EOF:
		return "the peer closed during the TLS handshake";
	case FAILURE_NO_TLS:
		return "the peer does not speak TLS";
	case FAILURE_SHORT_FILE:
		return "the file has become shorter";
	case ECONNREFUSED:
		return "connection refused";
	case ECONNRESET:
		return "connection reset by the peer";
	case ETIMEDOUT:
		return "connection timed out";
	case EPIPE:
		return "the peer takes nothing any more";
	case EHOSTUNREACH:
		return "no route to the host";
	case ENETUNREACH:
		return "the network is unreachable";
	default:
		return strerror(c->error);
	}
}

int
conn_errno(const struct conn *c)
{
	return c->error < FAILURE_TLS ? c->error : 0;
}

/* ---- the socket -------------------------------------------------------- */

enum conn_status
conn_socket_read(struct conn *c, void *p, size_t cap, size_t *n)
{
	ssize_t got;

	*n = 0;
	if (c->is_drained && !c->hung_up) {
		c->can_read = false;
		return CONN_AGAIN;
	}
	do
		got = recv(c->io.fd, p, cap, 0);
	while (got < 0 && errno == EINTR);

	if (got > 0) {
		*n = (size_t)got;
		c->net->stats->bytes_in += (uint64_t)got;
		/* After a hang-up no event comes for the EOF behind the bytes:
		 * it has to be read. */
		if (*n < cap && !c->hung_up) {
			c->is_drained = true;
			c->can_read = false;
		}
		return CONN_OK;
	}
	if (got == 0)
		return CONN_EOF;
	if (errno != EAGAIN)
		return conn_fail(c, errno);
	c->is_drained = true;
	c->can_read = false;
	return CONN_AGAIN;
}

enum conn_status
conn_socket_peek(struct conn *c, void *p, size_t cap, size_t *n)
{
	ssize_t got;

	*n = 0;
	do
		got = recv(c->io.fd, p, cap, MSG_PEEK);
	while (got < 0 && errno == EINTR);

	if (got > 0) {
		*n = (size_t)got;
		return CONN_OK;
	}
	if (got == 0)
		return CONN_EOF;
	if (errno != EAGAIN)
		return conn_fail(c, errno);
	c->is_drained = true;
	c->can_read = false;
	return CONN_AGAIN;
}

static size_t
conn_iov_len(const struct iovec *iov, int n_iov)
{
	size_t len = 0;

	for (int i = 0; i < n_iov; i++)
		len += iov[i].iov_len;
	return len;
}

enum conn_status
conn_socket_write(struct conn *c, const struct iovec *iov, int n_iov,
    int flags, size_t *n)
{
	struct msghdr m = {
		.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov
	};
	ssize_t sent;

	ASSERT(n_iov <= IOV_MAX);
	*n = 0;
	do
		sent = sendmsg(c->io.fd, &m, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);

	if (sent >= 0) {
		*n = (size_t)sent;
		c->has_sent = c->has_sent || sent > 0;
		c->net->stats->bytes_out += (uint64_t)sent;
		if (*n < conn_iov_len(iov, n_iov))
			c->can_write = false;
		return *n > 0 ? CONN_OK : CONN_AGAIN;
	}
	if (errno != EAGAIN)
		return conn_fail(c, errno);
	c->can_write = false;
	return CONN_AGAIN;
}

/* ---- reading and writing ----------------------------------------------- */

static enum conn_status
conn_read_tls(struct conn *c, void *p, size_t cap, size_t *n)
{
	*n = 0;
	switch (tls_stream_read(c->tls, p, cap, n)) {
	case TLS_DONE:
		/* It has seen to can_read: of the socket, or of a record that
		 * brought more than was asked for. */
		return CONN_OK;
	case TLS_AGAIN:
		c->can_read = false;
		return CONN_AGAIN;
	case TLS_CLOSED:
		return CONN_EOF;
	case TLS_BROKEN:
		return conn_fail_tls(c);
	}
	UNREACHABLE();
}

enum conn_status
conn_read(struct conn *c, void *p, size_t cap, size_t *n)
{
	conn_check(c);
	ASSERT(cap > 0);
	c->error = 0;
	if (c->tls != NULL)
		return conn_read_tls(c, p, cap, n);
	return conn_socket_read(c, p, cap, n);
}

void
conn_look_again(struct conn *c)
{
	conn_check(c);
	c->is_drained = false;
	c->can_read = true;
}

static bool
conn_encrypt(struct conn *c, const void *p, size_t n)
{
	switch (tls_stream_write(c->tls, p, n)) {
	case TLS_DONE:
	case TLS_AGAIN:
		if (!tls_stream_is_flushed(c->tls))
			c->can_write = false;
		return true;
	case TLS_CLOSED:
	case TLS_BROKEN:
		(void)conn_fail_tls(c);
		return false;
	}
	UNREACHABLE();
}

/* Where a write of several parts stands. */
struct cursor {
	const struct iovec *iov;
	int left;  /* parts, the current one included */
	size_t at; /* in the current part */
};

static size_t
cursor_skip(struct cursor *k, size_t n)
{
	k->at += n;
	while (k->left > 0 && k->at == k->iov->iov_len) {
		k->iov++;
		k->left--;
		k->at = 0;
	}
	return n;
}

static size_t
cursor_copy(struct cursor *k, char *to, size_t cap)
{
	size_t n = 0;

	while (k->left > 0 && n < cap) {
		size_t part = k->iov->iov_len - k->at;

		if (part > cap - n)
			part = cap - n;
		memcpy(to + n, (const char *)k->iov->iov_base + k->at, part);
		n += cursor_skip(k, part);
	}
	return n;
}

/*
 * A head and the body after it go into one record: copying a record's worth is
 * cheap beside encrypting it, and beside a system call for each.
 */
static enum conn_status
conn_write_tls(struct conn *c, const struct iovec *iov, int n_iov, size_t *n)
{
	struct cursor k = { .iov = iov, .left = n_iov };
	char record[TLS_RECORD];

	cursor_skip(&k, 0);
	while (k.left > 0 && c->can_write) {
		size_t len = k.iov->iov_len - k.at;
		const char *p = (const char *)k.iov->iov_base + k.at;

		if (len < TLS_RECORD && k.left > 1) {
			len = cursor_copy(&k, record, sizeof record);
			p = record;
		} else {
			len = len < TLS_PIECE ? len : TLS_PIECE;
			cursor_skip(&k, len);
		}
		if (!conn_encrypt(c, p, len))
			return CONN_FAILED;
		*n += len;
	}
	return *n > 0 ? CONN_OK : CONN_AGAIN;
}

static enum conn_status
conn_write_flags(struct conn *c, const struct iovec *iov, int n_iov, int flags,
    size_t *n)
{
	conn_check(c);
	*n = 0;
	c->error = 0;
	if (!c->can_write)
		return CONN_AGAIN;
	if (c->tls != NULL)
		return conn_write_tls(c, iov, n_iov, n);
	return conn_socket_write(c, iov, n_iov, flags, n);
}

enum conn_status
conn_write(struct conn *c, const struct iovec *iov, int n_iov, size_t *n)
{
	return conn_write_flags(c, iov, n_iov, 0, n);
}

enum conn_status
conn_write_more(struct conn *c, const struct iovec *iov, int n_iov, size_t *n)
{
	return conn_write_flags(c, iov, n_iov, MSG_MORE, n);
}

/* ---- files ------------------------------------------------------------- */

/* Reads and writes, where the kernel cannot take the file as it is. */
static enum conn_status
conn_copy_file(struct conn *c, int fd, uint64_t off, size_t len, size_t *n)
{
	char *page = c->net->out;

	while (*n < len && c->can_write) {
		size_t want = len - *n < TLS_PIECE ? len - *n : TLS_PIECE;
		ssize_t got = pread(fd, page, want, (off_t)(off + *n));
		struct iovec iov = { page, got > 0 ? (size_t)got : 0 };
		enum conn_status st;
		size_t sent;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 && *n > 0)
			break; /* the next call meets it again */
		if (got <= 0)
			return conn_fail(c, got == 0 ? FAILURE_SHORT_FILE :
			    errno);
		st = conn_write(c, &iov, 1, &sent);
		if (st != CONN_OK && st != CONN_AGAIN)
			return st;
		*n += sent;
	}
	return *n > 0 ? CONN_OK : CONN_AGAIN;
}

enum conn_status
conn_sendfile(struct conn *c, int fd, uint64_t off, uint64_t len, size_t *n)
{
	size_t want = len < SENDFILE_MAX ? (size_t)len : SENDFILE_MAX;
	off_t at = (off_t)off;
	ssize_t sent;

	conn_check(c);
	ASSERT(len > 0);
	*n = 0;
	c->error = 0;
	if (!c->can_write)
		return CONN_AGAIN;
	if (c->tls != NULL)
		return conn_copy_file(c, fd, off, want, n);
	/* SIGPIPE is ignored in every process of ours: sendfile(2) has no
	 * MSG_NOSIGNAL. */
	do
		sent = sendfile(c->io.fd, fd, &at, want);
	while (sent < 0 && errno == EINTR);

	/*
	 * Less than asked is a full socket or the end of a file that has
	 * shrunk; no event would come for the latter, so can_write stays and
	 * the next call tells them apart.
	 */
	if (sent > 0) {
		*n = (size_t)sent;
		c->has_sent = true;
		c->net->stats->bytes_out += (uint64_t)sent;
		return CONN_OK;
	}
	if (sent == 0)
		return conn_fail(c, FAILURE_SHORT_FILE);
	if (errno == EINVAL || errno == ENOSYS)
		return conn_copy_file(c, fd, off, want, n);
	if (errno != EAGAIN)
		return conn_fail(c, errno);
	c->can_write = false;
	return CONN_AGAIN;
}

/* ---- ends -------------------------------------------------------------- */

static void
conn_on_reap(struct task *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, reap);
	struct via *via = c->via; /* the owner may still ask for it */

	conn_check(c);
	if (c->tls != NULL)
		tls_stream_end(c->tls);
	c->tls = NULL;
	c->magic = 0;
	c->ops->closed(c);
	mem_free(via);
}

/* Best effort: what does not leave now never will. */
static void
conn_say_goodbye(struct conn *c)
{
	if (c->tls == NULL || c->connecting || c->is_early || c->resets ||
	    c->error != 0)
		return;
	tls_stream_close_notify(c->tls);
	(void)tls_stream_flush(c->tls);
}

void
conn_close(struct conn *c, enum close_reason why)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	conn_check(c);
	if (c->closing)
		return;
	conn_say_goodbye(c);
	c->closing = true;
	c->why = (uint8_t)why;
	c->can_read = c->can_write = c->hung_up = false;
	timer_stop(c->net->loop, &c->timer);
	list_remove(&c->reap.link);
	loop_forget_io(c->net->loop, &c->io);
	if (c->resets)
		(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset,
		    sizeof reset);
	/* Before the peer can know of it and look. */
	c->net->stats->closed[why]++;
	if (c->is_client)
		c->net->stats->connections--;
	close(c->io.fd);
	/* Whoever still calls with this conn must not meet another's socket. */
	c->io.fd = -1;
	loop_reap(c->net->loop, &c->reap);
}

void
conn_reset_on_close(struct conn *c)
{
	conn_check(c);
	c->resets = true;
}

static void
conn_send_fin(struct conn *c)
{
	c->owes_fin = false;
	(void)shutdown(c->io.fd, SHUT_WR);
}

void
conn_shutdown(struct conn *c)
{
	conn_check(c);
	if (c->closing)
		return;
	/* handshake.c comes back to it. */
	if (c->is_early) {
		c->owes_fin = true;
		return;
	}
	if (c->tls != NULL) {
		tls_stream_close_notify(c->tls);
		(void)tls_stream_flush(c->tls);
		if (!tls_stream_is_flushed(c->tls)) {
			c->can_write = false;
			c->owes_fin = true;
			return;
		}
	}
	conn_send_fin(c);
}

/* ---- deadlines --------------------------------------------------------- */

static void
conn_on_deadline(struct timer *t)
{
	struct conn *c = CONTAINER_OF(t, struct conn, timer);

	conn_check(c);
	if (!c->connecting || !c->is_client) {
		c->ops->timeout(c);
		return;
	}
	if (c->awaits_proxy) {
		proxy_gate_timeout(c);
		return;
	}
	handshake_abandon(c, "time-out", CLOSE_TLS_TIMEOUT);
}

void
conn_set_deadline(struct conn *c, uint64_t ms_from_now)
{
	conn_check(c);
	if (ms_from_now == 0 || c->closing)
		timer_stop(c->net->loop, &c->timer);
	else
		timer_start(c->net->loop, &c->timer, ms_from_now);
}

/* ---- events ------------------------------------------------------------ */

/* False: nothing that the owner did not know. */
static bool
conn_note_events(struct conn *c, unsigned events)
{
	bool could_write = c->can_write;

	if (events & (EPOLLRDHUP | EPOLLHUP))
		c->hung_up = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		c->is_drained = false;
		c->can_read = true;
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->can_write = true;
	return events != EPOLLOUT || !could_write;
}

/* Sends the ciphertext that is held; only then the owner may write again. */
static void
conn_flush_tls(struct conn *c)
{
	/* A failure is met again by the owner's next call. */
	if (!tls_stream_flush(c->tls))
		return;
	c->can_write = tls_stream_is_flushed(c->tls);
	if (c->can_write && c->owes_fin && !c->is_early)
		conn_send_fin(c);
}

static void
conn_on_io(struct io *io, unsigned events)
{
	struct conn *c = CONTAINER_OF(io, struct conn, io);
	bool is_news;

	conn_check(c);
	ASSERT(!c->closing);
	is_news = conn_note_events(c, events);
	if (c->connecting && c->is_client) {
		handshake_queue(c);
		return;
	}
	if (c->connecting || c->is_early) {
		handshake_advance(c);
		return;
	}
	if (c->tls != NULL && c->can_write && !tls_stream_is_flushed(c->tls)) {
		conn_flush_tls(c);
		is_news = c->can_write || events != EPOLLOUT;
	}
	if (is_news)
		c->ops->ready(c);
}

/* ---- beginnings -------------------------------------------------------- */

static void
conn_init(struct conn *c, struct net *n, int fd, const struct peer *peer,
    const struct conn_ops *ops)
{
	*c = (struct conn){
		.magic = CONN_MAGIC,
		.io = { .fd = fd, .name = ops->name, .ready = conn_on_io },
		.ops = ops,
		.net = n,
		.timer = { .name = ops->name, .expired = conn_on_deadline },
		.reap = { .name = ops->name, .run = conn_on_reap },
		.peer = *peer
	};
	list_init(&c->reap.link);
}

void
conn_open_accepted(struct conn *c, struct net *n, int fd,
    const struct peer *peer, struct endpoint *ep, struct tls_context *tls,
    uint64_t handshake_ms, const struct conn_ops *ops)
{
	static struct log_limit limit = LOG_LIMIT(1);
	struct err e;

	conn_init(c, n, fd, peer, ops);
	c->is_client = true;
	c->number = (uint32_t)n->stats->accepted;
	c->endpoint = ep;
	n->stats->connections++;
	if (!loop_add_io(n->loop, &c->io, &e)) {
		log_limited(&limit, LOG_ERROR, "client connection: %s", e.text);
		conn_close(c, CLOSE_IO_ERROR);
		return;
	}
	c->awaits_proxy = proxy_gate_stands(c);
	if (c->awaits_proxy && !proxy_gate_admits(c))
		return;
	c->can_write = tls == NULL;
	c->connecting = tls != NULL || c->awaits_proxy;
	if (tls != NULL)
		c->tls = tls_stream_new(c, tls, NULL, true);
	if (tls != NULL && c->tls == NULL) {
		handshake_abandon(c, "out of memory", CLOSE_TLS_FAILED);
		return;
	}
	if (c->connecting)
		conn_set_deadline(c, handshake_ms);
}

static bool
conn_start_dial(struct conn *c, const struct addr *to, struct err *e)
{
	int fd, on = 1;

	fd = net_dial_socket(c->net, to->sa.sa_family);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	c->io.fd = fd;
	/* Requests are composed whole: nothing is gained by holding back the
	 * last segment until the one before is acknowledged. */
	if (to->sa.sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* EAGAIN is a full queue of a unix socket, which will not be told of
	 * when there is room; EINTR goes on as EINPROGRESS does. */
	if (connect(fd, &to->sa, to->len) != 0 && errno != EINPROGRESS &&
	    errno != EINTR) {
		err_sys(e, "cannot connect");
		goto fail;
	}
	/* Not before connect(2): an unconnected socket reports a hang-up. */
	if (!loop_add_io(c->net->loop, &c->io, e))
		goto fail;
	return true;

fail:
	fd_close(&c->io.fd);
	return false;
}

bool
conn_dial(struct conn *c, struct net *n, const struct addr *to,
    struct tls_context *tls, const char *name, const struct conn_ops *ops,
    struct err *e)
{
	struct peer peer = peer_from(to);

	conn_init(c, n, -1, &peer, ops);
	c->connecting = c->dialling = true;
	n->stats->dialled++;
	if (tls != NULL) {
		c->tls = tls_stream_new(c, tls, name, false);
		if (c->tls == NULL) {
			err_set(e, "cannot begin TLS: out of memory");
			goto fail;
		}
	}
	if (!conn_start_dial(c, to, e))
		goto fail;
	return true;

fail:
	n->stats->dial_failed++;
	if (c->tls != NULL)
		tls_stream_end(c->tls);
	c->magic = 0;
	return false;
}

/* ---- what is known of it ----------------------------------------------- */

bool
conn_is_flushed(const struct conn *c)
{
	return c->tls == NULL || tls_stream_is_flushed(c->tls);
}

/*
 * Where a PROXY header comes first, what follows it is the client's: the proxy
 * passed the bytes on and put no field into them. So it is the client whom the
 * header names that has to be trusted; when it names nobody, nobody is.
 */
bool
conn_is_trusted_by(const struct conn *c, const struct conf_list *proxies)
{
	if (c->via == NULL && proxy_gate_stands(c))
		return false;
	for (CONF_EACH(const struct cidr, p, proxies))
		if (cidr_contains(p, &c->peer))
			return true;
	return false;
}

bool
conn_is_trusted(const struct conn *c)
{
	return conn_is_trusted_by(c, &c->endpoint->conf->trusted);
}

bool
conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}

struct str
conn_tls_name(const struct conn *c)
{
	return c->tls != NULL ? tls_stream_name(c->tls) : STR("");
}

bool
conn_tls_covers(const struct conn *c, struct str host)
{
	return c->tls != NULL && tls_stream_covers(c->tls, host);
}

const char *
conn_tls_version(const struct conn *c)
{
	return c->tls != NULL ? tls_stream_version(c->tls) : "";
}

const char *
conn_tls_cipher(const struct conn *c)
{
	return c->tls != NULL ? tls_stream_cipher(c->tls) : "";
}

bool
conn_tls_is_resumed(const struct conn *c)
{
	return c->tls != NULL && tls_stream_is_resumed(c->tls);
}

bool
conn_offer(struct conn *c, struct str alpn)
{
	return c->tls == NULL || tls_stream_offer(c->tls, alpn);
}

struct str
conn_alpn(const struct conn *c)
{
	return c->tls != NULL ? tls_stream_alpn(c->tls) : STR("");
}

bool
conn_local_addr(const struct conn *c, struct addr *out)
{
	*out = (struct addr){ .len = sizeof out->un };
	if (getsockname(c->io.fd, &out->sa, &out->len) == 0)
		return true;
	out->len = 0;
	return false;
}
