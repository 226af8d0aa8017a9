/*
 * The kernel's half of connections, in the memory of a fuzz driver: what
 * net/conn.c and event/loop.c, included here, ask of sockets and of epoll is
 * answered as Linux answers it for TCP. The driver is the peer of every socket:
 * it decides when a byte arrives, how much room there is, and how it ends.
 *
 * Both directions are kept whole, so that what was said can be read again.
 */
#ifndef TESTS_FUZZ_MOCK_NET_H
#define TESTS_FUZZ_MOCK_NET_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/panic.h"
#include "event/timer_wheel.h"
#include "net/conn_socket.h"
#include "net/tls_stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define MOCK_SOCKETS 48
#define MOCK_FD 100000 /* the first; far from real ones */
#define MOCK_TLS_PORT 3 /* whoever is dialled there speaks TLS */

/* What becomes of connect(2). */
enum mock_dial {
	DIAL_WORKS, DIAL_AT_ONCE, DIAL_REFUSED, DIAL_HANGS, DIAL_FAILS,
	DIAL_MEETS_FIN, DIAL_MEETS_RESET, DIAL_MODES
};

/* A write: where it began, and what had been read by then. */
struct mock_mark {
	size_t out, in;
};

struct mock_tls; /* mock_tls.h */

struct mock_socket {
	bool is_dialled;
	bool is_open;    /* ours: not closed by what is tested */
	bool connecting;
	bool fin_in, fin_out;
	bool dead;       /* a reset came */
	bool peer_closed;
	bool cut;        /* ours was closed by a reset */
	bool no_space;   /* a write was short: room is news */
	bool woken, linger_0;
	int error;
	struct buf in, out; /* to and from what is tested */
	struct buf marks;   /* struct mock_mark, if it is dialled */
	size_t in_at, out_at;
	size_t window;   /* what the peer leaves unread at most */
	uint16_t port;   /* that was dialled */
	struct mock_tls *tls; /* NULL: plain */
	void *watcher;
};

static struct {
	struct arena *arena;
	struct mock_socket sockets[MOCK_SOCKETS];
	unsigned n;
	enum mock_dial dial;
	bool backwards; /* events are reported in the other order */
	struct mock_socket *heard; /* the dialled one that last got bytes */
} mock;

/* ---- for the peer ------------------------------------------------------ */

static struct mock_socket *
mock_new(bool is_dialled)
{
	struct mock_socket *s;

	if (mock.n == MOCK_SOCKETS)
		return NULL;
	s = &mock.sockets[mock.n++];
	*s = (struct mock_socket){
		.is_dialled = is_dialled, .is_open = true,
		.in = buf_in(mock.arena), .out = buf_in(mock.arena),
		.marks = buf_in(mock.arena),
		.window = 1 << 20
	};
	return s;
}

static int
mock_fd(const struct mock_socket *s)
{
	return MOCK_FD + (int)(s - mock.sockets);
}

static size_t
mock_unread(const struct mock_socket *s)
{
	return s->out.n - s->out_at;
}

static bool
mock_has_room(const struct mock_socket *s)
{
	return mock_unread(s) < s->window;
}

static bool
mock_can_speak(const struct mock_socket *s)
{
	return s->is_open && !s->connecting && !s->fin_in && !s->peer_closed &&
	    !s->dead;
}

static void
mock_say(struct mock_socket *s, const void *p, size_t n)
{
	if (n == 0 || !mock_can_speak(s))
		return;
	buf_put(&s->in, p, n);
	s->woken = true;
}

static void
mock_wake_writer(struct mock_socket *s)
{
	if (s->no_space && mock_has_room(s)) {
		s->no_space = false;
		s->woken = true;
	}
}

static void
mock_listen(struct mock_socket *s, size_t n)
{
	s->out_at += n < mock_unread(s) ? n : mock_unread(s);
	mock_wake_writer(s);
}

static void
mock_set_window(struct mock_socket *s, size_t window)
{
	s->window = window;
	mock_wake_writer(s);
}

static void
mock_fin(struct mock_socket *s)
{
	if (!mock_can_speak(s))
		return;
	s->fin_in = s->woken = true;
}

static void
mock_reset(struct mock_socket *s)
{
	if (!s->is_open || s->connecting || s->dead)
		return;
	s->peer_closed = s->dead = s->woken = true;
	s->error = ECONNRESET;
}

/* With bytes unread that is a reset (RFC 9293 section 3.6.1). */
static void
mock_peer_close(struct mock_socket *s)
{
	if (mock_unread(s) > 0) {
		mock_reset(s);
		return;
	}
	mock_fin(s);
	s->peer_closed = true;
}

static void
mock_establish(struct mock_socket *s, int error)
{
	if (!s->connecting)
		return;
	s->connecting = false;
	s->error = error;
	s->dead = error != 0;
	s->woken = true;
}

/* ---- for what is tested ------------------------------------------------ */

static struct mock_socket *
mock_at(int fd)
{
	struct mock_socket *s = &mock.sockets[fd - MOCK_FD];

	ASSERT(fd >= MOCK_FD && fd < MOCK_FD + (int)mock.n);
	ASSERT(s->is_open);
	return s;
}

static ssize_t
mock_recv(int fd, void *p, size_t cap, int flags)
{
	struct mock_socket *s = mock_at(fd);
	size_t n = s->in.n - s->in_at;

	n = n < cap ? n : cap;
	if (n > 0) {
		memcpy(p, s->in.p + s->in_at, n);
		if ((flags & MSG_PEEK) == 0)
			s->in_at += n;
		return (ssize_t)n;
	}
	errno = s->error != 0 ? s->error : EAGAIN;
	if (s->error == 0 && (s->fin_in || s->dead))
		return 0;
	s->error = 0;
	return -1;
}

static ssize_t
mock_sendmsg(int fd, const struct msghdr *m)
{
	struct mock_socket *s = mock_at(fd);
	struct mock_mark mark = { s->out.n, s->in_at };
	size_t n = 0;

	if (s->error != 0 || s->dead || s->fin_out) {
		errno = s->error != 0 ? s->error : EPIPE;
		s->error = 0;
		return -1;
	}
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		size_t room = s->window > mock_unread(s) ?
		    s->window - mock_unread(s) : 0;
		size_t some = m->msg_iov[i].iov_len;

		/* It leaves, and is answered by a reset. */
		some = some < room || s->peer_closed ? some : room;
		buf_put(&s->out, m->msg_iov[i].iov_base, some);
		n += some;
		s->no_space = some < m->msg_iov[i].iov_len;
		if (s->no_space)
			break;
	}
	if (s->peer_closed) {
		s->dead = s->woken = true;
		s->error = ECONNRESET;
	}
	if (s->is_dialled && n > 0) {
		mock.heard = s;
		buf_put(&s->marks, &mark, sizeof mark);
	}
	errno = EAGAIN;
	return n > 0 ? (ssize_t)n : -1;
}

static int
mock_shutdown(int fd)
{
	struct mock_socket *s = mock_at(fd);

	s->fin_out = s->woken = true;
	return 0;
}

static int
mock_close(int fd)
{
	struct mock_socket *s;

	if (fd < MOCK_FD)
		return 0; /* epoll's */
	s = mock_at(fd);
	s->is_open = false;
	s->watcher = NULL;
	if (s->linger_0 || s->in_at < s->in.n || s->dead)
		s->cut = true;
	else
		s->fin_out = true;
	return 0;
}

static int
mock_socket(void)
{
	struct mock_socket *s = mock_new(true);

	errno = EMFILE;
	return s != NULL ? mock_fd(s) : -1;
}

static int
mock_connect(int fd, const struct sockaddr *to)
{
	struct mock_socket *s = mock_at(fd);
	struct sockaddr_in in;

	memcpy(&in, to, sizeof in);
	s->port = ntohs(in.sin_port);
	s->connecting = true;
	errno = EINPROGRESS;
	switch (mock.dial) {
	case DIAL_WORKS:
		mock_establish(s, 0);
		return -1;
	case DIAL_AT_ONCE:
		mock_establish(s, 0);
		return 0;
	case DIAL_REFUSED:
		mock_establish(s, ECONNREFUSED);
		return -1;
	case DIAL_FAILS:
		errno = ENETUNREACH;
		return -1;
	case DIAL_MEETS_FIN:
		mock_establish(s, 0);
		mock_peer_close(s);
		return -1;
	case DIAL_MEETS_RESET:
		mock_establish(s, 0);
		mock_reset(s);
		return -1;
	case DIAL_HANGS:
	case DIAL_MODES:
		break;
	}
	return -1;
}

static int
mock_getsockopt(int fd, int *error)
{
	struct mock_socket *s = mock_at(fd);

	*error = s->error;
	s->error = 0;
	return 0;
}

static int
mock_setsockopt(int fd, int name)
{
	if (name == SO_LINGER)
		mock_at(fd)->linger_0 = true;
	return 0;
}

static int
mock_epoll_ctl(int op, int fd, const struct epoll_event *ev)
{
	struct mock_socket *s = mock_at(fd);

	s->watcher = op == EPOLL_CTL_ADD ? ev->data.ptr : NULL;
	s->woken = true;
	return 0;
}

static uint32_t
mock_events(const struct mock_socket *s)
{
	uint32_t events = 0;

	if (s->connecting)
		return 0;
	if (s->in_at < s->in.n || s->fin_in || s->dead)
		events |= EPOLLIN;
	if (s->fin_in || s->dead)
		events |= EPOLLRDHUP;
	if (s->dead || (s->fin_in && s->fin_out))
		events |= EPOLLHUP;
	if (s->error != 0)
		events |= EPOLLERR;
	if (mock_has_room(s) || s->fin_out || s->dead)
		events |= EPOLLOUT;
	return events;
}

/* Edge-triggered: whatever woke it, all that is true now is reported. */
static int
mock_epoll_wait(struct epoll_event *to, int cap)
{
	int n = 0;

	for (unsigned i = 0; i < mock.n && n < cap; i++) {
		struct mock_socket *s = &mock.sockets[mock.backwards ?
		    mock.n - 1 - i : i];
		uint32_t events = mock_events(s);

		if (!s->woken || s->watcher == NULL || events == 0)
			continue;
		s->woken = false;
		to[n++] = (struct epoll_event){
			.events = events, .data.ptr = s->watcher
		};
	}
	return n;
}

static bool
mock_is_quiet(void)
{
	for (unsigned i = 0; i < mock.n; i++)
		if (mock.sockets[i].woken && mock.sockets[i].watcher != NULL &&
		    mock_events(&mock.sockets[i]) != 0)
			return false;
	return true;
}

/* ---- what is tested ---------------------------------------------------- */

#define recv(fd, p, n, flags) mock_recv(fd, p, n, flags)
#define sendmsg(fd, m, flags) ((void)(flags), mock_sendmsg(fd, m))
#define shutdown(fd, how) mock_shutdown(fd)
#define close(fd) mock_close(fd)
#define fd_close(fd) ((void)mock_close(*(fd)), *(fd) = -1)
#define socket(family, type, protocol) ((void)(family), mock_socket())
#define connect(fd, to, len) mock_connect(fd, to)
#define getsockopt(fd, level, name, value, len) \
	((void)(len), mock_getsockopt(fd, value))
#define setsockopt(fd, level, name, value, len) \
	((void)(value), mock_setsockopt(fd, name))
#define epoll_create1(flags) 0
#define epoll_ctl(epoll, op, fd, ev) \
	((void)(epoll), mock_epoll_ctl(op, fd, ev))
#define epoll_wait(epoll, to, cap, ms) \
	((void)(epoll), (void)(ms), mock_epoll_wait(to, cap))

#include "event/loop.c"
#include "net/conn.c"
#include "net/handshake.c"
#include "net/net.c"

#undef recv
#undef sendmsg
#undef shutdown
#undef close
#undef fd_close
#undef socket
#undef connect
#undef getsockopt
#undef setsockopt
#undef epoll_create1
#undef epoll_ctl
#undef epoll_wait

#endif
