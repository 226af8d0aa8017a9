/*
 * A connection: bytes both ways over a socket, with or without TLS, for
 * clients and upstreams alike. It knows no protocol; its owner embeds it and
 * is told by `ready` when bytes may move. Edge-triggered: can_read and
 * can_write stay true until a call says CONN_AGAIN.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/addr.h"
#include "net/net.h"

#include <sys/uio.h>

#define CONN_MAGIC 0xC0220001u

struct conn;
struct tls_context;
struct tls_stream;
struct endpoint;

struct conn_ops {
	const char *name; /* "h1", "upstream": shown in logs and profiles */
	/* Something changed: can_read, can_write, handshake done, error. Never
	 * called before the TLS handshake is over, unless there is early data;
	 * never after conn_close. */
	void (*ready)(struct conn *c);
	/* The deadline set by conn_set_deadline passed. */
	void (*timeout)(struct conn *c);
	/* The connection was closed, its descriptor and what TLS knew are gone;
	 * free the owner. Called in the closing stage, exactly once. */
	void (*closed)(struct conn *c);
};

/* Whom a PROXY protocol header was from and what it said beside the peer. */
struct via {
	struct peer proxy;       /* who connected to us */
	struct peer destination; /* what the client reached there */
};

struct conn {
	uint32_t magic;
	uint8_t why;   /* enum close_reason, once closing */
	uint8_t error; /* why the last call failed, for conn_failure */
	bool can_read : 1;
	bool can_write : 1;
	bool closing : 1;
	bool connecting : 1; /* dialling, before a PROXY header, in TLS's handshake */
	bool is_client : 1;  /* accepted, not dialled */
	/* EPOLLRDHUP or EPOLLHUP was seen: EOF follows what is unread. */
	bool hung_up : 1;
	/* Bytes have left; cleared by an owner who wants to know of more. */
	bool has_sent : 1;
	/* It came to a port for TLS with a request in clear: to be refused. */
	bool in_clear : 1;
	/* The handshake is not over, but there was early data, and it may be
	 * answered; ready is called when it is over. */
	bool is_early : 1;
	bool reads_early : 1; /* what was read last came as early data */
	/* For conn.c: */
	bool greeted : 1;    /* what the client says first is TLS */
	bool dialling : 1;   /* connect(2) has not ended */
	bool awaits_proxy : 1; /* a PROXY header has to come first */
	bool is_drained : 1; /* the socket has nothing; TLS may hold bytes */
	bool owes_fin : 1;   /* FIN when the ciphertext has left */
	bool resets : 1;     /* conn_reset_on_close */
	uint32_t number;   /* accepted: the how manyth of this process */
	uint32_t requests; /* begun so far, for its owner to count */
	struct io io;
	const struct conn_ops *ops;
	struct net *net;
	struct tls_stream *tls; /* NULL: plain */
	struct endpoint *endpoint; /* accepted on; NULL when dialled */
	struct timer timer;
	struct task reap;
	struct peer peer; /* whom a PROXY header names, else who connected */
	struct via *via;  /* NULL: no PROXY header named anybody */
};

enum conn_status {
	CONN_OK,    /* *N bytes moved, at least one */
	CONN_AGAIN, /* nothing now; ready is called when that changes */
	CONN_EOF,   /* the peer sent FIN (TLS: close_notify, or FIN) */
	CONN_FAILED /* errno-like failure; conn_failure() has the words */
};

/* Takes over an accepted descriptor; where EP wants one, a PROXY header comes
 * first, then with TLS the handshake (deadline of both HANDSHAKE_MS, closed with
 * CLOSE_PROXY_* or CLOSE_TLS_*). Afterwards that deadline runs on as the
 * owner's, until the owner sets another. A client that speaks HTTP without TLS
 * becomes the owner's, too: in_clear, and plain. */
void conn_open_accepted(struct conn *c, struct net *n, int fd,
    const struct peer *peer, struct endpoint *ep, struct tls_context *tls,
    uint64_t handshake_ms, const struct conn_ops *ops);

/*
 * Starts to connect. Never calls back inline. When the connection (and the TLS
 * handshake, if TLS is given, with NAME for SNI and verification) stands,
 * `connecting` is false and ready is called; when it fails, ready is called
 * with `connecting` still true and conn_failure() says why; the owner closes.
 * The deadline is the owner's. False: it could not even begin.
 */
bool conn_dial(struct conn *c, struct net *n, const struct addr *to,
    struct tls_context *tls, const char *name, const struct conn_ops *ops,
    struct err *e);

/* Offers the protocols of ALPN (wire format) instead of HTTP/1.1; right after
 * conn_dial. Harmless without TLS. False: no memory. */
bool conn_offer(struct conn *c, struct str alpn);

/* Closes once; later calls are harmless. No callback but `closed` follows. */
void conn_close(struct conn *c, enum close_reason why);
/* The close will be a reset: the peer must not take what it got for whole. */
void conn_reset_on_close(struct conn *c);
/* FIN after what was written (TLS: close_notify first); reading goes on. */
void conn_shutdown(struct conn *c);

/* Up to CAP bytes to P. A plain read that fills less than CAP has drained the
 * socket: can_read is false then, without a second system call. */
enum conn_status conn_read(struct conn *c, void *p, size_t cap, size_t *n);
/* Takes as much as it can; *N < all of it means can_write is false now.
 * With TLS, bytes that were taken are encrypted and owned by the connection
 * even if the socket is full; can_write is false until they have left. */
enum conn_status conn_write(struct conn *c, const struct iovec *iov, int n_iov,
    size_t *n);
/* As conn_write; the caller has more to send at once, so that a short segment
 * may wait for it. */
enum conn_status conn_write_more(struct conn *c, const struct iovec *iov,
    int n_iov, size_t *n);
/* A range of a file: sendfile(2), or read and encrypted (through net->out). May
 * send less than LEN though can_write stays true: at most 512 KiB a call, then
 * the next connection's turn. A file that has become shorter is a failure. */
enum conn_status conn_sendfile(struct conn *c, int fd, uint64_t off,
    uint64_t len, size_t *n);

/* What is known of the socket may be out of date: the next read asks it. */
void conn_look_again(struct conn *c);

/* Everything that was taken has left the process (TLS: no ciphertext held). */
bool conn_is_flushed(const struct conn *c);
/* Why the last call said CONN_FAILED, or dialling failed; static or short. */
const char *conn_failure(const struct conn *c);
/* Its errno; 0: it is not the socket's (TLS, a file that became shorter). */
int conn_errno(const struct conn *c);

void conn_set_deadline(struct conn *c, uint64_t ms_from_now); /* 0: none */

/* Whether the peer is a proxy that may say whom it speaks for, in fields. */
bool conn_is_trusted(const struct conn *c);
/* The same of other proxies than the listener's: a list of struct cidr. */
bool conn_is_trusted_by(const struct conn *c, const struct conf_list *proxies);
bool conn_is_tls(const struct conn *c);
/* The server name that the client asked for; "" if none. TLS only. */
struct str conn_tls_name(const struct conn *c);
/* Whether our certificate on this connection is valid for HOST. TLS only. */
bool conn_tls_covers(const struct conn *c, struct str host);
/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384"; "" if plain. */
const char *conn_tls_version(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);
bool conn_tls_is_resumed(const struct conn *c);
/* The protocol agreed on by ALPN; "" if none. */
struct str conn_alpn(const struct conn *c);
/* The local address of the connection (getsockname). */
bool conn_local_addr(const struct conn *c, struct addr *out);

#endif
