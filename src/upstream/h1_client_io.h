/* What the two halves of the HTTP/1.1 client share: h1_client.c (the request,
 * the response's head) and h1_client_body.c (the response's body). */
#ifndef UPSTREAM_H1_CLIENT_IO_H
#define UPSTREAM_H1_CLIENT_IO_H

#include "http/server.h"
#include "upstream/h1_client.h"

extern const struct flow_ops h1_client_body_ops;

/* Takes the framing out of P..P+N in place: how many bytes of body stand at P
 * then. Sets `ended` and `dirty`, and `failed` for a bad chunk. */
size_t h1_client_decode(struct h1_client *h, char *p, size_t n);

/* Lets go of everything that is not memory; twice is harmless. */
void h1_client_end(struct h1_client *h);
/* The exchange fails, or its response is cut if it has begun. */
void h1_client_break(struct h1_client *h, enum exchange_cause cause,
    const char *detail);
/* The response has ended: the connection becomes idle, or is closed. */
void h1_client_release(struct h1_client *h);
/* Moves what can be moved without being pulled. */
void h1_client_drive(struct h1_client *h);
void h1_client_arm(struct h1_client *h);
void h1_client_on_body_wake(void *arg);

#endif
