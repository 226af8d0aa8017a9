/*
 * What a process has of the network: scratch pages, leased pages, leftovers,
 * and the tables of reasons and counters. Knows no socket but
 * one that is just made.
 */
#include "net/net.h"

#include "base/arena.h"
#include "base/panic.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Pages kept for the next lease, rather than given back to malloc: 1 MiB. */
#define FREE_PAGES 64

const char *
close_reason_word(enum close_reason why)
{
	static const char *const words[] = {
#define CLOSE(name, word, text) word,
		CLOSE_REASONS
#undef CLOSE
	};

	return words[why];
}

const char *
close_reason_text(enum close_reason why)
{
	static const char *const texts[] = {
#define CLOSE(name, word, text) text,
		CLOSE_REASONS
#undef CLOSE
	};

	return texts[why];
}

static const struct counter_row net_rows[] = {
	COUNTER(net_stats, accepted, COUNTER_TOTAL,
	    "weir_connections_accepted_total", "Client connections accepted."),
	COUNTER(net_stats, accept_failed, COUNTER_TOTAL,
	    "weir_accept_failures_total",
	    "Times that accepting failed, for want of descriptors or memory."),
	COUNTER(net_stats, connections, COUNTER_GAUGE, "weir_connections",
	    "Client connections open."),
	COUNTER(net_stats, dialled, COUNTER_TOTAL, "weir_dials_total",
	    "Connections begun to upstreams."),
	COUNTER(net_stats, dial_failed, COUNTER_TOTAL,
	    "weir_dial_failures_total",
	    "Connections to upstreams that failed before they stood."),
	COUNTER(net_stats, tls_handshakes, COUNTER_TOTAL,
	    "weir_tls_handshakes_total",
	    "TLS handshakes with clients that were completed."),
	COUNTER(net_stats, tls_resumed, COUNTER_TOTAL,
	    "weir_tls_resumptions_total", "Those that resumed a session."),
	COUNTER(net_stats, tls_failed, COUNTER_TOTAL,
	    "weir_tls_handshake_failures_total",
	    "TLS handshakes with clients that failed."),
	COUNTER(net_stats, tls_early, COUNTER_TOTAL,
	    "weir_tls_early_data_total",
	    "TLS handshakes whose early data was read."),
	COUNTER(net_stats, tls_early_refused, COUNTER_TOTAL,
	    "weir_tls_early_data_refused_total",
	    "Those that were completed, but whose early data was not read."),
	COUNTER(net_stats, tls_signed, COUNTER_TOTAL,
	    "weir_tls_thread_signatures_total",
	    "Signatures with RSA keys above 2048 bits, made in a thread."),
	COUNTER(net_stats, bytes_in, COUNTER_TOTAL,
	    "weir_received_bytes_total", "Bytes read from sockets."),
	COUNTER(net_stats, bytes_out, COUNTER_TOTAL, "weir_sent_bytes_total",
	    "Bytes written to sockets."),
	COUNTER(net_stats, pages_leased, COUNTER_GAUGE,
	    "weir_io_pages_leased",
	    "I/O pages held by connections with something left over."),
#define CLOSE(name, word, text) \
	COUNTER_LABEL(net_stats, closed[CLOSE_##name], COUNTER_TOTAL, \
	    "weir_connections_closed_total", "reason=\"" word "\"", \
	    "Connections closed, by reason."),
	CLOSE_REASONS
#undef CLOSE
	COUNTER_END
};

const struct counter_set net_counters = {
	.name = "net", .size = sizeof(struct net_stats), .rows = net_rows
};

struct net *
net_new(struct loop *l, struct pool *p, struct net_stats *stats)
{
	struct net *n = mem_zalloc(sizeof *n);

	n->loop = l;
	n->pool = p;
	n->stats = stats;
	n->in = mem_alloc(NET_SCRATCH);
	n->out = mem_alloc(NET_SCRATCH);
	n->tls = mem_alloc(NET_SCRATCH);
	list_init(&n->shaking);
	return n;
}

void
net_end(struct net *n)
{
	while (n->free_pages != NULL) {
		void *page = n->free_pages;

		memcpy(&n->free_pages, page, sizeof n->free_pages);
		mem_free(page);
	}
	task_cancel(&n->shake);
	mem_free(n->in);
	mem_free(n->out);
	mem_free(n->tls);
	mem_free(n);
}

int
net_dial_socket(const struct net *n, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* The lowest number that was free tells how many are in use. */
	if (n->dial_below == 0 || fd < n->dial_below)
		return fd;
	close(fd);
	errno = EMFILE;
	return -1;
}

/* A free page holds the address of the next one in its first bytes. */
char *
page_lease(struct net *n)
{
	void *page = n->free_pages;

	n->stats->pages_leased++;
	if (page == NULL)
		return mem_alloc(NET_PAGE);
	memcpy(&n->free_pages, page, sizeof n->free_pages);
	n->n_free_pages--;
	return page;
}

void
page_return(struct net *n, char *page)
{
	if (page == NULL)
		return;
	n->stats->pages_leased--;
	if (n->n_free_pages == FREE_PAGES) {
		mem_free(page);
		return;
	}
	memcpy(page, &n->free_pages, sizeof n->free_pages);
	n->free_pages = page;
	n->n_free_pages++;
}

/* ---- leftovers --------------------------------------------------------- */

static void
leftover_release(struct net *n, struct leftover *l)
{
	if (l->cap == NET_PAGE)
		page_return(n, l->p);
	else
		mem_free(l->p);
	*l = (struct leftover){ .p = NULL };
}

static void
leftover_grow(struct net *n, struct leftover *l, size_t len)
{
	size_t have = leftover_len(l), cap = NET_PAGE;
	char *p;

	ASSERT(have + len <= UINT32_MAX / 2);
	while (cap < have + len)
		cap *= 2;
	p = cap == NET_PAGE ? page_lease(n) : mem_alloc(cap);
	if (have > 0)
		memcpy(p, l->p + l->at, have);
	if (l->p != NULL)
		leftover_release(n, l);
	l->p = p;
	l->at = 0;
	l->end = (uint32_t)have;
	l->cap = (uint32_t)cap;
}

void
leftover_put(struct net *n, struct leftover *l, const void *p, size_t len)
{
	if (len == 0)
		return;
	if (len > l->cap - l->end) {
		if (l->p != NULL && len <= l->cap - leftover_len(l)) {
			memmove(l->p, l->p + l->at, leftover_len(l));
			l->end -= l->at;
			l->at = 0;
		} else {
			leftover_grow(n, l, len);
		}
	}
	memcpy(l->p + l->end, p, len);
	l->end += (uint32_t)len;
}

void
leftover_take(struct net *n, struct leftover *l, size_t len)
{
	ASSERT(len <= leftover_len(l));
	l->at += (uint32_t)len;
	if (l->at == l->end && l->p != NULL)
		leftover_release(n, l);
}

void
leftover_free(struct net *n, struct leftover *l)
{
	if (l->p != NULL)
		leftover_release(n, l);
}
