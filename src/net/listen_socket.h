/* One listening socket; for net/listen_set.c only. */
#ifndef NET_LISTEN_SOCKET_H
#define NET_LISTEN_SOCKET_H

#include "net/listener.h"

/* How a socket stands to others of its port. */
enum listen_company {
	LISTEN_ALONE, /* the first; whoever else has the port is in the way */
	LISTEN_JOINS  /* others that are ours have the port as well */
};

/* Made, bound and listening; -1 with a reason in E. */
int listen_socket_open(const struct addr *a, enum listen_company company,
    int64_t backlog, struct err *e);
/* Ends it for everybody who has a descriptor of it, and closes ours. */
void listen_socket_end(int fd);
/*
 * Says how the TOTAL sockets of FD's address share what arrives: among the
 * first N of them, by client or evenly. False with errno.
 */
bool listen_socket_steer(int fd, enum listen_steer steer, size_t n,
    size_t total);

#endif
