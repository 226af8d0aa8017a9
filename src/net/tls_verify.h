/*
 * Client certificates: whether a site asks for one and whom it believes. A
 * certificate that is missing or refused never ends the handshake: browsers
 * would show nothing but "connection failed". The connection stands and each
 * request on it is judged, so that the answer can say why.
 */
#ifndef NET_TLS_VERIFY_H
#define NET_TLS_VERIFY_H

#include "net/tls.h"

struct tls_stream;

enum tls_verify_mode {
	TLS_VERIFY_REQUIRED,
	TLS_VERIFY_OPTIONAL,
	TLS_VERIFY_OPTIONAL_NO_CA
};

struct tls_verify_conf {
	int verify; /* enum tls_verify_mode */
	char *ca;   /* path; PEM */
	int64_t depth;
	char *crl;  /* path; PEM; NULL: nothing is looked up */
};
extern const struct conf_schema tls_verify_schema;

/* What a request may be told of the connection that it came over. */
enum tls_verdict {
	TLS_CLIENT_GOOD,
	TLS_CLIENT_ELSEWHERE, /* the handshake was for a site that verifies
	                       * otherwise */
	TLS_CLIENT_MISSING,   /* a certificate is required; none was sent */
	TLS_CLIENT_REFUSED    /* tls_verify_problem says why */
};
/* Of the client behind S (NULL: plain, which is nobody's concern here), for a
 * request to the site with the context SITE. */
enum tls_verdict tls_verify_judge(const struct tls_stream *s,
    const struct tls_context *site);
/* What is wrong with the certificate of S's peer; NULL: nothing. Static. */
const char *tls_verify_problem(const struct tls_stream *s);

#endif
