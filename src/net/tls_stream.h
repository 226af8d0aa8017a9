/*
 * TLS over one connection, hidden behind net/conn.h. OpenSSL never sees the
 * socket: ciphertext comes from the scratch page (or what was left of it) and
 * goes to a leftover, so that a write never has to be repeated and several
 * records leave in one system call.
 */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "net/conn.h"
#include "net/tls.h"

struct tls_stream;

enum tls_step { TLS_DONE, TLS_AGAIN, TLS_CLOSED, TLS_BROKEN };

/* NAME: of the server, for SNI and verification (dialled only). NULL when
 * OpenSSL has no memory. */
struct tls_stream *tls_stream_new(struct conn *c, struct tls_context *ctx,
    const char *name, bool is_server);
void tls_stream_end(struct tls_stream *s);

enum tls_step tls_stream_handshake(struct tls_stream *s);
/*
 * Plaintext of what was read ahead or can be read now, up to CAP; *N > 0 with
 * TLS_DONE. Sets conn's can_read when something waits within, though the socket
 * may be drained. TLS_CLOSED: close_notify, or a client's mere FIN between two
 * records; a server's FIN without close_notify is TLS_BROKEN, for its response
 * may have been cut short (RFC 9112 section 9.8).
 */
enum tls_step tls_stream_read(struct tls_stream *s, void *p, size_t cap,
    size_t *n);
/* Encrypts all of P; what the socket does not take is held. */
enum tls_step tls_stream_write(struct tls_stream *s, const void *p, size_t n);
/* Sends what is held; false when the connection failed. */
bool tls_stream_flush(struct tls_stream *s);
bool tls_stream_is_flushed(const struct tls_stream *s);
void tls_stream_close_notify(struct tls_stream *s);
/* Why the last step was TLS_BROKEN. */
const char *tls_stream_failure(const struct tls_stream *s);
/* And who did not want the other: a certificate was not good enough for us, or
 * the peer sent an alert. */
enum tls_refusal { TLS_NOT_REFUSED, TLS_REFUSED_BY_US, TLS_REFUSED_BY_PEER };
enum tls_refusal tls_stream_refusal(const struct tls_stream *s);

/* What the client sent before the handshake was over; NULL: nothing can be, or
 * all of it was read. */
struct tls_early;
struct tls_early *tls_stream_early(const struct tls_stream *s);

struct str tls_stream_name(const struct tls_stream *s);
/* Whether the certificate that the client was shown is valid for HOST. */
bool tls_stream_covers(const struct tls_stream *s, struct str host);
const char *tls_stream_version(const struct tls_stream *s);
const char *tls_stream_cipher(const struct tls_stream *s);
bool tls_stream_is_resumed(const struct tls_stream *s);
/* Before the handshake of a dialled one. */
bool tls_stream_offer(struct tls_stream *s, struct str alpn);
struct str tls_stream_alpn(const struct tls_stream *s);

#endif
