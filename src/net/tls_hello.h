/* What the first bytes of a connection are, where TLS is due. */
#ifndef NET_TLS_HELLO_H
#define NET_TLS_HELLO_H

#include <stddef.h>

/* As many as tls_hello_of looks at. */
#define TLS_HELLO_PEEK 24

enum tls_hello {
	TLS_HELLO_MORE,  /* cannot be told yet; never of TLS_HELLO_PEEK bytes */
	TLS_HELLO_TLS,   /* a record of a handshake */
	TLS_HELLO_HTTP,  /* a request in clear, of whatever version */
	TLS_HELLO_OTHER
};

/* P..P+N is all that came so far. What was told stays so with more. */
enum tls_hello tls_hello_of(const char *p, size_t n);

#endif
