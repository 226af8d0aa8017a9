/*
 * A TLS that a test can see through: the handshake is one byte (anything else
 * breaks it), records are not encrypted. Like the real one it reads ahead
 * into a buffer of its own and holds what the socket does not take.
 */
#ifndef TESTS_NET_FAKE_TLS_H
#define TESTS_NET_FAKE_TLS_H

#include "base/clock.h"
#include "net/conn_socket.h"
#include "net/tls_stream.h"

#include <stdlib.h>

struct tls_stream {
	struct conn *conn;
	char in[8192];
	size_t in_at, in_n;
	char *held;
	size_t held_at, held_n;
	bool is_done;
};

#define FAKE_HELLO "\026"

static unsigned fake_streams, fake_goodbyes;
static uint64_t fake_effort; /* ms that a handshake takes */

struct tls_stream *
tls_stream_new(struct conn *c, struct tls_context *ctx, const char *name,
    bool is_server)
{
	struct tls_stream *s = calloc(1, sizeof *s);

	(void)ctx;
	(void)name;
	(void)is_server;
	s->conn = c;
	fake_streams++;
	return s;
}

void
tls_stream_end(struct tls_stream *s)
{
	fake_streams--;
	free(s->held);
	free(s);
}

static enum tls_step
fake_fill(struct tls_stream *s)
{
	if (s->in_at < s->in_n)
		return TLS_DONE;
	s->in_at = s->in_n = 0;
	switch (conn_socket_read(s->conn, s->in, sizeof s->in, &s->in_n)) {
	case CONN_OK:
		return TLS_DONE;
	case CONN_AGAIN:
		return TLS_AGAIN;
	case CONN_EOF:
		return TLS_CLOSED;
	case CONN_FAILED:
		return TLS_BROKEN;
	}
	return TLS_BROKEN;
}

enum tls_step
tls_stream_handshake(struct tls_stream *s)
{
	enum tls_step st = fake_fill(s);

	if (fake_effort > 0)
		clock_fake_advance(fake_effort);
	if (st == TLS_DONE && s->in[s->in_at++] != FAKE_HELLO[0])
		return TLS_BROKEN;
	s->is_done = st == TLS_DONE;
	return st;
}

enum tls_step
tls_stream_read(struct tls_stream *s, void *p, size_t cap, size_t *n)
{
	enum tls_step st = fake_fill(s);

	if (st != TLS_DONE)
		return st;
	*n = s->in_n - s->in_at < cap ? s->in_n - s->in_at : cap;
	memcpy(p, s->in + s->in_at, *n);
	s->in_at += *n;
	if (s->in_at < s->in_n)
		s->conn->can_read = true;
	return st;
}

bool
tls_stream_flush(struct tls_stream *s)
{
	struct iovec iov = { s->held + s->held_at, s->held_n - s->held_at };
	size_t n;

	if (iov.iov_len == 0)
		return true;
	if (conn_socket_write(s->conn, &iov, 1, 0, &n) == CONN_FAILED)
		return false;
	s->held_at += n;
	return true;
}

enum tls_step
tls_stream_write(struct tls_stream *s, const void *p, size_t n)
{
	size_t left = s->held_n - s->held_at;
	char *held = malloc(left + n);

	if (left > 0)
		memcpy(held, s->held + s->held_at, left);
	memcpy(held + left, p, n);
	free(s->held);
	s->held = held;
	s->held_at = 0;
	s->held_n = left + n;
	return tls_stream_flush(s) ? TLS_DONE : TLS_BROKEN;
}

struct tls_early *
tls_stream_early(const struct tls_stream *s)
{
	(void)s;
	return NULL;
}

bool
tls_stream_is_flushed(const struct tls_stream *s)
{
	return s->held_at == s->held_n;
}

void
tls_stream_close_notify(struct tls_stream *s)
{
	(void)s;
	fake_goodbyes++;
}

const char *
tls_stream_failure(const struct tls_stream *s)
{
	(void)s;
	return "not an H";
}

struct str
tls_stream_name(const struct tls_stream *s)
{
	(void)s;
	return STR("example.com");
}

bool
tls_stream_covers(const struct tls_stream *s, struct str host)
{
	(void)s;
	return str_eq(host, STR("example.com"));
}

bool
tls_stream_offer(struct tls_stream *s, struct str alpn)
{
	(void)s;
	(void)alpn;
	return true;
}

const char *
tls_stream_version(const struct tls_stream *s)
{
	(void)s;
	return "TLSv1.3";
}

const char *
tls_stream_cipher(const struct tls_stream *s)
{
	(void)s;
	return "NULL";
}

bool
tls_stream_is_resumed(const struct tls_stream *s)
{
	(void)s;
	return true;
}

struct str
tls_stream_alpn(const struct tls_stream *s)
{
	(void)s;
	return STR("h2");
}

#endif
