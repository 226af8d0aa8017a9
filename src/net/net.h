/*
 * What one process has of the network: its loop, the scratch page that
 * everything is read into, the I/O pages that are leased to connections with
 * something left over, and its counters.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/counter.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/pool.h"

#define NET_SCRATCH 65536 /* bytes */
#define NET_PAGE 16384    /* bytes of a leased page */

/* Why connections are closed: one row each gives the counter, the word in the
 * access log and the sentence in the error log. */
#define CLOSE_REASONS \
	CLOSE(DONE,          "done",           "finished") \
	CLOSE(PEER,          "peer_closed",    "the peer closed") \
	CLOSE(RESET,         "peer_reset",     "the peer reset the connection") \
	CLOSE(IO_ERROR,      "io_error",       "reading or writing failed") \
	CLOSE(IDLE,          "idle_timeout",   "idle for keepalive_timeout") \
	CLOSE(HEADER_TIMEOUT, "header_timeout", "no whole request head within header_timeout") \
	CLOSE(BODY_TIMEOUT,  "body_timeout",   "nothing of the body within body_timeout") \
	CLOSE(SEND_TIMEOUT,  "send_timeout",   "the peer took nothing within send_timeout") \
	CLOSE(TLS_TIMEOUT,   "tls_timeout",    "no TLS handshake within header_timeout") \
	CLOSE(TLS_FAILED,    "tls_failed",     "the TLS handshake failed") \
	CLOSE(PROXY_TIMEOUT, "proxy_timeout",  "no PROXY protocol header within header_timeout") \
	CLOSE(PROXY_FAILED,  "proxy_failed",   "it does not begin with a PROXY protocol header") \
	CLOSE(PROXY_UNTRUSTED, "proxy_untrusted", "only trusted proxies may connect here") \
	CLOSE(BAD_REQUEST,   "bad_request",    "the request was refused as malformed") \
	CLOSE(SHUTDOWN,      "shutdown",       "the worker is shutting down") \
	CLOSE(ABORTED,       "aborted",        "the response could not be completed") \
	CLOSE(OVERLOAD,      "overload",       "too many connections") \
	CLOSE(LOW_MEMORY,    "low_memory",     "the worker holds more than max_memory") \
	CLOSE(CLIENT_LIMIT,  "client_limit",   "the client holds more than it may") \
	CLOSE(PROTOCOL,      "protocol_error", "the peer broke the protocol") \
	CLOSE(ABUSE,         "abuse",          "the client did what only costs")

enum close_reason {
#define CLOSE(name, word, text) CLOSE_##name,
	CLOSE_REASONS
#undef CLOSE
	CLOSE_COUNT
};
const char *close_reason_word(enum close_reason why);
const char *close_reason_text(enum close_reason why);

struct net_stats {
	uint64_t accepted;
	uint64_t accept_failed;
	uint64_t connections; /* gauge: open client connections */
	uint64_t dialled;
	uint64_t dial_failed;
	uint64_t tls_handshakes;
	uint64_t tls_resumed;
	uint64_t tls_failed;
	uint64_t tls_early;         /* connections with early data */
	uint64_t tls_early_refused; /* offered, and not read */
	uint64_t tls_signed; /* in the thread for slow keys */
	uint64_t bytes_in, bytes_out;
	uint64_t pages_leased; /* gauge */
	uint64_t closed[CLOSE_COUNT];
};
extern const struct counter_set net_counters;

struct net {
	struct loop *loop;
	struct pool *pool;
	struct net_stats *stats;
	/* Scratch pages: whoever reads or composes uses them within one
	 * callback; nobody may expect anything in them after returning to the
	 * loop, or after calling code that may read from a connection. */
	char *in;  /* NET_SCRATCH bytes: what is read */
	char *out; /* NET_SCRATCH bytes: what is composed for writing */
	char *tls; /* NET_SCRATCH bytes: ciphertext, used inside conn only */
	/* Accepted connections whose handshake can take a step; see conn.c. */
	struct list shaking;
	struct task shake;
	struct tls_signer *signer; /* NULL: no key was slow so far */
	void *free_pages;
	unsigned n_free_pages;
	int dial_below; /* descriptors from here on are for accepting; 0: none */
};

struct net *net_new(struct loop *l, struct pool *p, struct net_stats *stats);
void net_end(struct net *n);
/* A socket to connect with; -1 with errno. */
int net_dial_socket(const struct net *n, int family);

/* NET_PAGE bytes; the owner gives it back with page_return. */
char *page_lease(struct net *n);
void page_return(struct net *n, char *page); /* NULL is harmless */

/*
 * Bytes that were read or composed and could not be passed on yet. Empty, it
 * holds nothing; up to NET_PAGE it is a leased page, beyond that memory of its
 * own size. AT..END are the bytes.
 */
struct leftover {
	char *p;
	uint32_t at, end, cap;
};
static inline size_t
leftover_len(const struct leftover *l)
{
	return l->end - l->at;
}
void leftover_put(struct net *n, struct leftover *l, const void *p, size_t len);
void leftover_take(struct net *n, struct leftover *l, size_t len); /* frees when empty */
void leftover_free(struct net *n, struct leftover *l);

#endif
