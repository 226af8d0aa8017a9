/*
 * TLS on the peers' side of the mock network: a real OpenSSL over each socket
 * that has it, which says and hears plaintext for the driver. Its randomness,
 * and that of what is tested, is a counter's that begins anew with each input,
 * so that an input is always the same handshake.
 *
 * What a peer hears is decrypted as soon as it was written, whatever the peer
 * leaves unread: that is the driver's ear, not the peer's.
 */
#ifndef TESTS_FUZZ_MOCK_TLS_H
#define TESTS_FUZZ_MOCK_TLS_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include "mock_net.h"

#include "net/proxy_line.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define MOCK_RECORD 16384

struct mock_tls {
	SSL *ssl;
	bool is_begun;   /* what has to come before it is said */
	bool is_done;    /* the handshake */
	bool has_failed;
	bool is_raw;     /* it ends without close_notify */
	bool heard_close, said_close;
	void (*end)(struct mock_socket *s); /* when all was said; NULL: not */
	struct buf said, heard; /* plaintext */
	size_t sent;     /* of SAID, into records */
	struct buf wire; /* records */
	size_t wire_at;  /* what of them has left */
	struct buf ends; /* struct mock_mark: SAID up to IN ends with OUT */
	size_t fed;      /* of socket.out */
	size_t marked;   /* of socket.marks, as offsets into plaintext */
};

static struct {
	SSL_CTX *client, *server;
	uint64_t random;
	bool drips; /* records arrive in many pieces */
} mock_tls;

/* ---- randomness -------------------------------------------------------- */

static int
mock_tls_random(unsigned char *p, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t x = mock_tls.random += 0x9e3779b97f4a7c15u;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
		x = (x ^ x >> 27) * 0x94d049bb133111ebu;
		p[i] = (unsigned char)(x >> 56);
	}
	return 1;
}

static int
mock_tls_always(void)
{
	return 1;
}

static void
mock_tls_fix_randomness(void)
{
	static const RAND_METHOD fixed = {
		.bytes = mock_tls_random, .pseudorand = mock_tls_random,
		.status = mock_tls_always
	};

	RAND_set_rand_method(&fixed);
}

/* ---- contexts ---------------------------------------------------------- */

/* Nobody looks at the certificate: it is not what is tested. */
static void
mock_tls_certify(SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	ASSERT(X509_sign(x, key, EVP_sha256()) > 0);
	ASSERT(SSL_CTX_use_certificate(ctx, x) == 1);
	ASSERT(SSL_CTX_use_PrivateKey(ctx, key) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
mock_tls_load(void)
{
	mock_tls_fix_randomness();
	mock_tls.client = SSL_CTX_new(TLS_client_method());
	mock_tls.server = SSL_CTX_new(TLS_server_method());
	/* Of 1.3 without tickets: what is kept from one input would be met by
	 * the next. */
	SSL_CTX_set_min_proto_version(mock_tls.server, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(mock_tls.server, 0);
	SSL_CTX_set_session_cache_mode(mock_tls.client, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_cache_mode(mock_tls.server, SSL_SESS_CACHE_OFF);
	mock_tls_certify(mock_tls.server);
}

/* ---- beginnings and ends ----------------------------------------------- */

static struct mock_tls *
mock_tls_new(struct mock_socket *s, SSL_CTX *ctx)
{
	struct mock_tls *t = arena_zalloc(mock.arena, sizeof *t);

	*t = (struct mock_tls){
		.ssl = SSL_new(ctx),
		.said = buf_in(mock.arena), .heard = buf_in(mock.arena),
		.wire = buf_in(mock.arena), .ends = buf_in(mock.arena)
	};
	SSL_set_bio(t->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (ctx == mock_tls.server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	s->tls = t;
	return t;
}

/* Old clients speak 1.2. Behind a gate TLS begins after a PROXY header. */
static void
mock_tls_client(struct mock_socket *s, bool is_old, bool has_gate)
{
	struct mock_tls *t = mock_tls_new(s, mock_tls.client);

	if (is_old)
		SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
	t->is_begun = !has_gate;
}

static void
mock_tls_server(struct mock_socket *s)
{
	mock_tls_new(s, mock_tls.server)->is_begun = true;
}

static void
mock_tls_free_all(void)
{
	for (unsigned i = 0; i < mock.n; i++)
		if (mock.sockets[i].tls != NULL)
			SSL_free(mock.sockets[i].tls->ssl);
	mock_tls.drips = false;
}

/* ---- saying ------------------------------------------------------------ */

/* All of the records that OpenSSL has made. */
static void
mock_tls_drain(struct mock_tls *t)
{
	char page[4096];
	int n;

	while ((n = BIO_read(SSL_get_wbio(t->ssl), page, sizeof page)) > 0)
		buf_put(&t->wire, page, (size_t)n);
}

static void
mock_tls_write(struct mock_tls *t)
{
	while (t->sent < t->said.n && !t->has_failed) {
		size_t n = t->said.n - t->sent;
		struct mock_mark end;

		if (n > MOCK_RECORD)
			n = MOCK_RECORD;
		if (SSL_write(t->ssl, t->said.p + t->sent, (int)n) <= 0) {
			t->has_failed = true;
			return;
		}
		t->sent += n;
		mock_tls_drain(t);
		end = (struct mock_mark){ .out = t->sent, .in = t->wire.n };
		buf_put(&t->ends, &end, sizeof end);
	}
}

/* A header of the PROXY protocol is said as it is, up to its last byte. */
static size_t
mock_tls_say_header(struct mock_socket *s, const uint8_t *p, size_t n)
{
	struct proxy_line line;
	size_t i = 0;

	while (i < n && !s->tls->is_begun) {
		mock_say(s, p + i++, 1);
		s->tls->is_begun = proxy_line_parse(s->in.p, s->in.n, &line) ==
		    PROXY_LINE_OK;
	}
	return i;
}

static void
fuzz_say(struct mock_socket *s, const void *p, size_t n)
{
	size_t header;

	if (s->tls == NULL) {
		mock_say(s, p, n);
		return;
	}
	if (!mock_can_speak(s) || s->tls->end != NULL)
		return;
	header = mock_tls_say_header(s, p, n);
	buf_put(&s->tls->said, (const char *)p + header, n - header);
}

/* Past TLS: on its wire, where it is no record. */
static void
fuzz_say_raw(struct mock_socket *s, const void *p, size_t n)
{
	if (s->tls != NULL && s->tls->is_begun)
		buf_put(&s->tls->wire, p, n);
	else
		mock_say(s, p, n);
}

/* END comes when all before it has left, and close_notify has, unless RAW. */
static void
fuzz_end_after(struct mock_socket *s, void (*end)(struct mock_socket *s),
    bool is_raw)
{
	if (s->tls == NULL || !s->tls->is_begun) {
		end(s);
		return;
	}
	if (s->tls->end == NULL) {
		s->tls->end = end;
		s->tls->is_raw = is_raw;
	}
}

/* ---- hearing ----------------------------------------------------------- */

static void
mock_tls_read(struct mock_tls *t)
{
	char page[4096];
	int n;

	while ((n = SSL_read(t->ssl, page, sizeof page)) > 0)
		buf_put(&t->heard, page, (size_t)n);
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_ZERO_RETURN:
		t->heard_close = true;
		break;
	default:
		t->has_failed = true;
	}
}

static void
mock_tls_feed(struct mock_socket *s, size_t to)
{
	struct mock_tls *t = s->tls;

	if (to > t->fed)
		BIO_write(SSL_get_rbio(t->ssl), s->out.p + t->fed,
		    (int)(to - t->fed));
	t->fed = to;
	if (!t->is_done && !t->has_failed) {
		int rc = SSL_do_handshake(t->ssl);

		t->is_done = rc == 1;
		t->has_failed = rc != 1 &&
		    SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ;
		/* Whoever shakes hands reads. */
		mock_listen(s, SIZE_MAX);
	}
	if (t->is_done && !t->has_failed)
		mock_tls_read(t);
}

/* How much of SAID had been read when IN bytes of the wire had. */
static size_t
mock_tls_read_by(const struct mock_tls *t, size_t in)
{
	size_t said = 0;

	for (size_t at = 0; at < t->ends.n; at += sizeof(struct mock_mark)) {
		struct mock_mark end;

		memcpy(&end, t->ends.p + at, sizeof end);
		if (end.in > in)
			break;
		said = end.out;
	}
	return said;
}

/* Marks of writes become those of what is heard and said. */
static void
mock_tls_listen(struct mock_socket *s)
{
	struct mock_tls *t = s->tls;

	while (t->marked < s->marks.n) {
		struct mock_mark mark;
		char *at = s->marks.p + t->marked;

		memcpy(&mark, at, sizeof mark);
		mock_tls_feed(s, mark.out);
		mark.out = t->heard.n;
		mark.in = mock_tls_read_by(t, mark.in);
		memcpy(at, &mark, sizeof mark);
		t->marked += sizeof mark;
	}
	mock_tls_feed(s, s->out.n);
}

/* ---- at work ----------------------------------------------------------- */

/* Some of the wire, in drips small enough to cut every record and large enough
 * to come to an end. True: there is more. */
static bool
mock_tls_deliver(struct mock_socket *s)
{
	struct mock_tls *t = s->tls;
	size_t n = t->wire.n - t->wire_at;
	size_t drip = 1 + n / 64;

	if (n == 0)
		return false;
	if (mock_tls.drips && n > drip)
		n = drip;
	mock_say(s, t->wire.p + t->wire_at, n);
	t->wire_at += n;
	return true;
}

/* True: something was said. */
static bool
mock_tls_work(struct mock_socket *s)
{
	struct mock_tls *t = s->tls;

	if (!t->is_begun)
		return false;
	mock_tls_listen(s);
	if (t->is_done && !t->said_close)
		mock_tls_write(t);
	if (t->end != NULL && !t->is_raw && t->is_done && !t->said_close &&
	    !t->has_failed) {
		t->said_close = true;
		(void)SSL_shutdown(t->ssl);
	}
	mock_tls_drain(t);
	ERR_clear_error();
	if (mock_tls_deliver(s))
		return true;
	if (t->end == NULL || !mock_can_speak(s))
		return false;
	t->end(s);
	return true;
}

static bool
mock_tls_work_all(void)
{
	bool is_at_work = false;

	for (unsigned i = 0; i < mock.n; i++) {
		struct mock_socket *s = &mock.sockets[i];

		if (s->tls == NULL && s->is_dialled &&
		    s->port == MOCK_TLS_PORT)
			mock_tls_server(s);
		if (s->tls != NULL)
			is_at_work = mock_tls_work(s) || is_at_work;
	}
	return is_at_work;
}

#endif
