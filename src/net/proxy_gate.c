/*
 * The gate. "The receiver MUST not try to guess whether the PROXY protocol
 * header is present or not": where it is on, each connection begins with one,
 * and it is on only for the proxies that are trusted; anybody else could name
 * whom he likes, and so is turned away unread.
 *
 * The header is looked at where it lies, in the socket, and then taken to the
 * byte: what follows it in the same segment is left to TLS or HTTP, and a
 * connection that waits holds no memory for it.
 */
#include "net/proxy_gate.h"

#include "base/log.h"
#include "base/panic.h"
#include "net/conn_socket.h"
#include "net/listener.h"
#include "net/proxy_line.h"

bool
proxy_gate_stands(const struct conn *c)
{
	return c->endpoint != NULL && c->endpoint->conf != NULL &&
	    c->endpoint->conf->proxy_protocol;
}

static void
proxy_gate_refuse(struct conn *c, struct log_limit *limit,
    enum close_reason why, const char *detail)
{
	char text[PEER_TEXT];
	struct buf ip = buf_fixed(text, sizeof text);

	peer_format_ip(&ip, &c->peer);
	log_limited(limit, LOG_WARN, "listen %s: closed a connection of %.*s: "
	    "%s: %s", c->endpoint->text, STR_ARG(buf_view(&ip)),
	    close_reason_text(why), detail);
	conn_close(c, why);
}

bool
proxy_gate_admits(struct conn *c)
{
	static struct log_limit limit = LOG_LIMIT(1);

	if (endpoint_trusts(c->endpoint, &c->peer))
		return true;
	proxy_gate_refuse(c, &limit, CLOSE_PROXY_UNTRUSTED,
	    "\"trusted\" has not this address");
	return false;
}

static void
proxy_gate_malformed(struct conn *c, const char *what)
{
	static struct log_limit limit = LOG_LIMIT(5);

	proxy_gate_refuse(c, &limit, CLOSE_PROXY_FAILED, what);
}

void
proxy_gate_timeout(struct conn *c)
{
	static struct log_limit limit = LOG_LIMIT(5);

	proxy_gate_refuse(c, &limit, CLOSE_PROXY_TIMEOUT, "time-out");
}

/* HAVE bytes are there, the header among them. */
static bool
proxy_gate_take(struct conn *c, const struct proxy_line *line, size_t have)
{
	size_t n;

	if (conn_socket_read(c, c->net->in, line->n, &n) != CONN_OK ||
	    n != line->n) {
		conn_close(c, CLOSE_IO_ERROR);
		return false;
	}
	if (have == n && have < PROXY_LINE_MAX && !c->hung_up) {
		c->is_drained = true;
		c->can_read = false;
	}
	c->awaits_proxy = false;
	if (!line->has_peers)
		return true;
	c->via = mem_alloc(sizeof *c->via);
	*c->via = (struct via){
		.proxy = c->peer, .destination = line->destination
	};
	c->peer = line->source;
	return true;
}

bool
proxy_gate_pass(struct conn *c)
{
	struct proxy_line line;
	size_t n;

	if (!c->can_read)
		return false;
	switch (conn_socket_peek(c, c->net->in, PROXY_LINE_MAX, &n)) {
	case CONN_OK:
		break;
	case CONN_AGAIN:
		return false;
	case CONN_EOF:
		/* It only looked whether somebody is there. */
		conn_close(c, CLOSE_PEER);
		return false;
	case CONN_FAILED:
		conn_close(c, CLOSE_RESET);
		return false;
	}
	switch (proxy_line_parse(c->net->in, n, &line)) {
	case PROXY_LINE_OK:
		return proxy_gate_take(c, &line, n);
	case PROXY_LINE_MORE:
		/* More of it is an event, though this is unread. */
		c->can_read = false;
		if (c->hung_up)
			proxy_gate_malformed(c, "it is cut off");
		return false;
	case PROXY_LINE_BAD:
		proxy_gate_malformed(c, line.why);
		return false;
	}
	UNREACHABLE();
}
