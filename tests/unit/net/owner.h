/* The owner of a connection under test, and the other end of it. */
#ifndef TESTS_NET_OWNER_H
#define TESTS_NET_OWNER_H

#include "fake_tls.h"
#include "world.h"

/* An owner that counts what it is told. */
struct owner {
	struct conn conn;
	unsigned ready, timeouts, closed;
	bool closes_when_ready;
	struct owner **twin; /* closed from inside ready */
};

static inline struct owner *
owner_of(struct conn *c)
{
	return (struct owner *)c;
}

static inline void
on_ready(struct conn *c)
{
	struct owner *o = owner_of(c);

	assert_int_equal(o->closed, 0);
	o->ready++;
	if (o->twin != NULL)
		conn_close(&(*o->twin)->conn, CLOSE_DONE);
	if (o->closes_when_ready)
		conn_close(c, CLOSE_DONE);
}

static inline void
on_timeout(struct conn *c)
{
	owner_of(c)->timeouts++;
}

static inline void
on_closed(struct conn *c)
{
	owner_of(c)->closed++;
}

static const struct conn_ops ops = {
	.name = "test", .ready = on_ready, .timeout = on_timeout,
	.closed = on_closed
};

static struct tls_context *const some_tls = (struct tls_context *)&ops;

/* An owner over one end of a pair, not open yet; *FAR is the other end. */
static inline struct owner
open_pair(int *far)
{
	struct owner o = { .ready = 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	o.conn.io.fd = pair[0];
	*far = pair[1];
	return o;
}

/* From here on the owner must not move. */
static inline void
start(struct world *w, struct owner *o, struct tls_context *tls)
{
	static const struct peer peer = { .family = AF_UNIX };

	conn_open_accepted(&o->conn, w->net, o->conn.io.fd, &peer, NULL, tls,
	    5000, &ops);
}

/* A pair of TCP sockets: a connection of ours and the other end. */
static inline void
start_tcp(struct world *w, struct owner *o, int *far)
{
	struct addr a = loopback(0);
	int listener = listen_on(&a);
	struct peer peer = peer_from(&a);
	int fd;

	*far = connect_to(&a);
	assert_true(*far >= 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listener);
	conn_open_accepted(&o->conn, w->net, fd, &peer, NULL, NULL, 0, &ops);
}

static inline void
end(struct world *w, struct owner *o, int far)
{
	conn_close(&o->conn, CLOSE_DONE);
	tick(w);
	assert_int_equal(o->closed, 1);
	if (far >= 0)
		close(far);
}

static inline void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
}

static inline void
expect_read(struct owner *o, size_t cap, const char *want)
{
	char text[256];
	size_t n;

	assert_int_equal(conn_read(&o->conn, text, cap, &n), CONN_OK);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, n);
}

static inline enum conn_status
put(struct owner *o, const void *p, size_t len, size_t *n)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };

	return conn_write(&o->conn, &iov, 1, n);
}

/* Reads all that there is; the sum of it. */
static inline size_t
swallow(int fd)
{
	static char page[65536];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, page, sizeof page, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	return n;
}

static inline int
file_of(size_t len)
{
	char path[] = "/tmp/weir-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	for (size_t i = 0; i < len; i += 8) {
		char text[9];

		snprintf(text, sizeof text, "%07zu\n", i / 8);
		assert_int_equal(pwrite(fd, text, 8, (off_t)i), 8);
	}
	return fd;
}

static inline void
dial(struct world *w, struct owner *o, const struct addr *to,
    struct tls_context *tls)
{
	struct err e;

	assert_true(conn_dial(&o->conn, w->net, to, tls, "a", &ops, &e));
	assert_int_equal(o->ready, 0);
	assert_true(o->conn.connecting);
}

#endif
