/*
 * The header of the PROXY protocol, by which a proxy that passes on bytes says
 * whose they are: a line (version 1) or a block (version 2) before the first
 * byte of the connection itself.
 */
#ifndef NET_PROXY_LINE_H
#define NET_PROXY_LINE_H

#include "net/addr.h"

/* The largest header that is taken, of any version: room for a certificate in
 * an extension, and yet no more than fits any socket's buffer. */
#define PROXY_LINE_MAX 4096
#define PROXY_LINE_V1_MAX 107 /* CRLF included; the standard's number */

struct proxy_line {
	size_t n;        /* bytes of it */
	/* False: it names nobody (LOCAL, UNKNOWN, or no IP address), and the
	 * addresses of the socket hold. */
	bool has_peers;
	struct peer source;
	struct peer destination;
	const char *why; /* PROXY_LINE_BAD: what is wrong; static */
};

enum proxy_line_status { PROXY_LINE_OK, PROXY_LINE_MORE, PROXY_LINE_BAD };

/*
 * P..P+N is all that came so far, what follows the header included. MORE: it
 * may become one, which of PROXY_LINE_MAX bytes is never said. What is BAD or
 * OK stays so, whatever is added.
 */
enum proxy_line_status proxy_line_parse(const char *p, size_t n,
    struct proxy_line *out);

#endif
