/*
 * Early data (0-RTT, RFC 8446 section 2.3): what a client that was here before
 * sends along with its first flight. It lives with its stream, from before the
 * handshake until that is over and all of the data was read.
 */
#ifndef NET_TLS_EARLY_H
#define NET_TLS_EARLY_H

#include "net/conn.h"

#include <openssl/ssl.h>

/* Bytes of it that tickets allow for: one record, which a request fits into.
 * Whatever is not read at once is held. */
#define TLS_EARLY_MAX 16384

struct tls_early {
	struct conn *conn;
	/* For the handshake's end, while the conn's timer is the owner's. */
	struct timer deadline;
	struct leftover in; /* plaintext; came and was not read */
	bool is_over; /* no more comes: the rest is a handshake like any other */
};

struct tls_early *tls_early_new(struct conn *c);
void tls_early_end(struct tls_early *e); /* NULL is harmless */

/* Takes the place of SSL_do_handshake, and answers like it. */
int tls_early_handshake(struct tls_early *e, SSL *ssl);
/* How many of them came to P. */
size_t tls_early_take(struct tls_early *e, void *p, size_t cap);

#endif
