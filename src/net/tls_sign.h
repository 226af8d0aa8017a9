/*
 * What takes long with a private key happens in a thread, while the handshake
 * waits in a fibre of OpenSSL's and the loop goes on. For net/tls*.c only, but
 * for the end.
 */
#ifndef NET_TLS_SIGN_H
#define NET_TLS_SIGN_H

#include "net/conn.h"

#include <openssl/ssl.h>

/* KEY again, to sign with in the thread; it decrypts nothing. NULL: it is fast,
 * or kept by a provider. KEY may be NULL. */
EVP_PKEY *tls_sign_twin(EVP_PKEY *key);

/* A handshake with such a key, from when that is known until it is signed. */
struct tls_sign;

/* SSL is C's. NULL: there is no thread, so the loop has to do it. */
struct tls_sign *tls_sign_new(struct conn *c, SSL *ssl);
/* Whether the handshake may take a step now. If not, it is queued by
 * handshake_queue when it may. */
bool tls_sign_may_step(struct tls_sign *s);
/* Around the step. */
void tls_sign_enter(struct tls_sign *s);
void tls_sign_leave(struct tls_sign *s);
/* Whether it is signed, after which there is nothing to wait for. */
bool tls_sign_is_over(const struct tls_sign *s);
/* Unless it is in a step that it has to wait for. */
void tls_sign_end(struct tls_sign *s);
/* The connection is gone. SSL, too: now, or when the thread is through. */
void tls_sign_abandon(struct tls_sign *s);

/* Of a process that ends, when its connections are gone. */
void tls_sign_stop(struct net *n);

#endif
