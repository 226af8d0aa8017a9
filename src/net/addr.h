/* Network addresses: IPv4, IPv6 and unix sockets, as values. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/schema.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
	socklen_t len; /* 0: no address */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/* What a connection keeps of its peer: no path, so it is small. */
struct peer {
	sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX */
	uint16_t port;      /* host order */
	uint8_t ip[16];     /* 4 or 16 bytes used, network order */
};

/* An IPv4-mapped address is IPv4 from here on. */
struct peer peer_from(const struct addr *a);
/* S as an address of FAMILY (AF_INET, AF_INET6), alone. */
bool peer_parse_ip(int family, struct str s, uint16_t port, struct peer *out);
/* "192.0.2.1", "2001:db8::1", "unix:". */
void peer_format_ip(struct buf *b, const struct peer *p);
#define PEER_TEXT 48

/* "10.0.0.1:80", "[::1]:80", "unix:/run/x.sock". */
void addr_format(struct buf *b, const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);

/*
 * What an operator writes where something is listened on: "80", "*:80",
 * "127.0.0.1:80", "[::1]:80", "unix:PATH". A port alone is every IPv6 and IPv4
 * address ([::] with IPV6_V6ONLY off, or 0.0.0.0 where IPv6 is missing).
 */
bool addr_parse_listen(struct str s, struct addr *out, struct err *e);

/* HOST:PORT, HOST (then DEFAULT_PORT; 0: a port is required), [v6]:PORT,
 * unix:PATH. A name is not looked up here: NAME is set and OUT->len is 0. */
bool addr_parse_server(struct str s, uint16_t default_port, struct addr *out,
    struct str *name, uint16_t *port, struct err *e);

/* Looks NAME up (blocking; for the master before it forks), at most CAP
 * addresses to OUT; returns how many, 0 with a reason in E. */
size_t addr_resolve(struct str name, uint16_t port, struct addr *out,
    size_t cap, struct err *e);

/* A network in CIDR form, or a single address; "unix:" matches unix peers. */
struct cidr {
	sa_family_t family;
	uint8_t bits;
	uint8_t ip[16];
};
bool cidr_parse(struct str s, struct cidr *out, struct err *e);
bool cidr_contains(const struct cidr *c, const struct peer *p);

extern const struct conf_type conf_type_listen; /* struct addr */
extern const struct conf_type conf_type_cidr;   /* struct cidr */

#endif
