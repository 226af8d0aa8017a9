/*
 * HTTP/1 towards clients: a connection and its requests, one after the other
 * (RFC 9112). Owned by its connection; lives from accept to close.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "http/server.h"

/* Takes over FD, accepted on EP. */
void h1_accept(struct server *s, struct endpoint *ep, int fd,
    const struct peer *peer);

#endif
