/*
 * Telling a ClientHello from a request in clear, before OpenSSL sees a byte:
 * it knows only some methods, and by then has taken what a parser would need.
 * A function of the bytes; it keeps nothing.
 */
#include "net/tls_hello.h"

/* A method as they are registered: upper case, with a hyphen at most. Whatever
 * else a token may be (RFC 9110 section 9.1), nobody has that on this port. */
static int
tls_hello_is_method(char c)
{
	return (c >= 'A' && c <= 'Z') || c == '-';
}

enum tls_hello
tls_hello_of(const char *p, size_t n)
{
	size_t i = 0;

	if (n == 0)
		return TLS_HELLO_MORE;
	if (n > TLS_HELLO_PEEK)
		n = TLS_HELLO_PEEK;
	/* RFC 8446 section 5.1: the type of a record, "handshake". */
	if (p[0] == 22)
		return TLS_HELLO_TLS;
	while (i < n && tls_hello_is_method(p[i]))
		i++;
	if (i == n && n < TLS_HELLO_PEEK)
		return TLS_HELLO_MORE;
	return i > 0 && i < n && p[i] == ' ' ? TLS_HELLO_HTTP :
	    TLS_HELLO_OTHER;
}
