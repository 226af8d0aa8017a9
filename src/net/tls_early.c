/*
 * Early data is read as soon as it comes, whoever is or is not ready for it,
 * because the end of the handshake comes behind it. So what of it nobody has
 * asked for yet is held here: at most as much as a ticket allows for.
 */
#include "net/tls_early.h"

struct tls_early *
tls_early_new(struct conn *c)
{
	struct tls_early *e = mem_zalloc(sizeof *e);

	e->conn = c;
	return e;
}

void
tls_early_end(struct tls_early *e)
{
	if (e == NULL)
		return;
	timer_stop(e->conn->net->loop, &e->deadline);
	leftover_free(e->conn->net, &e->in);
	mem_free(e);
}

/* Nobody else is at work, so the page that is read into is free. */
int
tls_early_handshake(struct tls_early *e, SSL *ssl)
{
	struct net *net = e->conn->net;
	size_t n;

	while (!e->is_over) {
		int rc = SSL_read_early_data(ssl, net->in, NET_SCRATCH, &n);

		if (rc == SSL_READ_EARLY_DATA_ERROR)
			return -1;
		if (rc == SSL_READ_EARLY_DATA_SUCCESS)
			leftover_put(net, &e->in, net->in, n);
		else
			e->is_over = true;
	}
	return SSL_do_handshake(ssl);
}

size_t
tls_early_take(struct tls_early *e, void *p, size_t cap)
{
	size_t n = leftover_len(&e->in);

	n = n < cap ? n : cap;
	if (n == 0)
		return 0;
	memcpy(p, e->in.p + e->in.at, n);
	leftover_take(e->conn->net, &e->in, n);
	return n;
}
