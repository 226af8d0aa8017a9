/*
 * The last TLS session with one server, by which the next connection to it
 * saves half of the handshake. Its owner has one for each server that it dials,
 * and uses it with the one context that it dials it with.
 */
#ifndef NET_TLS_RESUME_H
#define NET_TLS_RESUME_H

#include <stdbool.h>

struct tls_stream;

struct tls_resume {
	struct ssl_session_st *session; /* NULL: none that is of use */
};

/* Before the handshake of S (NULL: plain, nothing happens), which outlives
 * neither R nor its own connection: R's session is offered, and those that the
 * server gives replace it. */
void tls_resume_offer(struct tls_resume *r, struct tls_stream *s);
/* The handshake of S stands: what was offered and not taken is forgotten. */
void tls_resume_settle(struct tls_resume *r, const struct tls_stream *s);
/* Forgets the session; R may be used again. */
void tls_resume_drop(struct tls_resume *r);

#endif
