/* The socket below a connection: for net/conn.c, net/handshake.c,
 * net/proxy_gate.c and net/tls_stream.c only. */
#ifndef NET_CONN_SOCKET_H
#define NET_CONN_SOCKET_H

#include "net/conn.h"

/* In conn.error: failures that have no errno; beyond the last errno of Linux (133). */
enum {
	FAILURE_TLS = 200,     /* tls_stream_failure has the words */
	FAILURE_HANDSHAKE_EOF,
	FAILURE_NO_TLS,
	FAILURE_SHORT_FILE
};

/* recv and sendmsg, with can_read and can_write kept true to the socket. */
enum conn_status conn_socket_read(struct conn *c, void *p, size_t cap,
    size_t *n);
/* As conn_socket_read, but what is read stays there. */
enum conn_status conn_socket_peek(struct conn *c, void *p, size_t cap,
    size_t *n);
enum conn_status conn_socket_write(struct conn *c, const struct iovec *iov,
    int n_iov, int flags, size_t *n); /* FLAGS: MSG_MORE or 0 */

#endif
