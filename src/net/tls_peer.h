/* What is known of the other end of a TLS connection, and of the connection, as
 * text. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include "base/buf.h"

struct tls_stream;

/* Each has a writer in tls_peer.c; CERT: nothing without a certificate. */
#define TLS_FACTS \
	CERT(subject) CERT(issuer) CERT(serial) CERT(sha1) CERT(sha256) \
	CERT(pem) CERT(escaped_pem) CERT(begin) CERT(end) CERT(days_left) \
	FACT(verdict) FACT(group) FACT(session_id)

enum tls_fact {
#define CERT(name) TLS_FACT_##name,
#define FACT(name) TLS_FACT_##name,
	TLS_FACTS
#undef CERT
#undef FACT
	TLS_FACT_COUNT
};

/* Appends it to OUT; nothing where S is NULL (plain) or there is no such
 * thing. Names and dates hold no control characters; `pem` has lines. */
void tls_peer_put(const struct tls_stream *s, enum tls_fact fact,
    struct buf *out);

#endif
