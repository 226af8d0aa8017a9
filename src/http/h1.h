/*
 * HTTP/1 towards clients: a connection and its requests, one after the other
 * (RFC 9112). Owned by its connection; lives from accept to close.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "http/server.h"

/* Takes over FD. */
void h1_accept(struct server *s, struct endpoint *ep, int fd,
    const struct peer *peer);
/* LINK is of server.conns or server.fresh. Closes the connection if it has no request; with
 * HURRY also one that has only begun to send a head. Returns 1 if it did. */
unsigned h1_close_if_idle(struct list *link, bool hurry);
/* How long it has had no request, in ms, and at least 1; 0: it has one. */
uint32_t h1_idle_for(struct list *link);
/* Closes the connection for want of room, if it has no request. */
bool h1_shed(struct list *link);
/* Closes the connection whatever it does. */
void h1_cut(struct list *link);

#endif
