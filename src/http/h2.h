/*
 * HTTP/2 towards clients (RFC 9113): a connection that began as one of h1.c,
 * in the same memory, and its streams, each of which carries one transaction.
 */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "base/panic.h"
#include "http/client.h"

#include <config.h>

/* What a client says first that knows beforehand (section 3.4). */
#define H2_PREFACE STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

#if WEIR_HTTP2
/*
 * C, whose own protocol holds nothing any more, speaks HTTP/2 from here on;
 * FIRST is what was read of it already. It may be closing on return.
 */
void h2_take_over(struct client *c, struct str first);
#else
static inline void
h2_take_over(struct client *c, struct str first)
{
	(void)c;
	(void)first;
	UNREACHABLE();
}
#endif

#endif
