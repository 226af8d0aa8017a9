/*
 * Idle connections. A backend owns them; they are on two lists: their server's,
 * newest first, because the connection that was used last is the one that is
 * most likely alive, and the group's, oldest first, for the limit. An idle
 * connection holds no buffer. Whatever arrives on one (bytes nobody asked for,
 * the server's FIN) ends it at once, so that a request rarely meets a dead one,
 * and none is answered by what a server sent behind its last answer. What is
 * sent later, when the request is on its way, cannot be told from its answer
 * (RFC 9112 section 9.2): that is what trust in a server is needed for.
 */
#include "upstream/idle.h"

#include "base/clock.h"
#include "upstream/exchange.h"

/* How much earlier than the server we give up: a request that left just before
 * its time-out would cross its FIN. */
#define IDLE_MARGIN_MS 500

static struct uplink *
idle_oldest(struct backend *b)
{
	return LIST_ITEM(b->idle_by_age.next, struct uplink, oldest);
}

static void
idle_remove(struct uplink *up)
{
	list_remove(&up->newest);
	list_remove(&up->oldest);
	up->backend->n_idle--;
	up->backend->stats->idle--;
}

static void
idle_close(struct uplink *up, enum close_reason why)
{
	idle_remove(up);
	uplink_close(up, why);
}

/*
 * Whether the connection is silent. Readable need not mean bytes for us: TLS
 * has messages of its own (session tickets), which reading swallows.
 */
static bool
idle_is_silent(struct uplink *up)
{
	char byte;
	size_t n;

	if (up->conn.hung_up)
		return false;
	return !up->conn.can_read ||
	    conn_read(&up->conn, &byte, 1, &n) == CONN_AGAIN;
}

/*
 * Whether all that had come before this tick has been heard of. It has not if
 * the connection became idle in this very tick, for the read that found its
 * answer complete looked no further, nor if its event is among those to come.
 * Else a look would cost each request a system call and find nothing.
 */
static bool
idle_is_known(const struct uplink *up)
{
	const struct loop *loop = up->backend->net->loop;

	return loop_polls(loop) != up->idle_poll &&
	    !loop_owes(loop, &up->conn.io);
}

static void
idle_on_ready(struct uplink *up, void *arg)
{
	(void)arg;
	if (!idle_is_silent(up))
		idle_close(up, CLOSE_PEER);
}

static void
idle_on_timeout(struct uplink *up, void *arg)
{
	(void)arg;
	idle_close(up, CLOSE_IDLE);
}

static const struct uplink_user idle_user = {
	.ready = idle_on_ready,
	.timeout = idle_on_timeout,
};

static bool
idle_is_worn(const struct uplink *up)
{
	const struct upstream_keepalive_conf *k =
	    &up->backend->group->keepalive;

	return up->requests >= (uint64_t)k->requests ||
	    clock_ms() - up->opened_ms >= k->lifetime;
}

struct uplink *
idle_take(struct backend *b, unsigned server)
{
	struct list *idle = &b->servers[server].idle;

	while (!list_is_empty(idle)) {
		struct uplink *up =
		    LIST_ITEM(idle->next, struct uplink, newest);

		if (!idle_is_known(up))
			conn_look_again(&up->conn);
		if (idle_is_worn(up) || !idle_is_silent(up)) {
			idle_close(up, CLOSE_DONE);
			continue;
		}
		idle_remove(up);
		uplink_use(up, NULL, NULL);
		return up;
	}
	return NULL;
}

void
idle_put(struct uplink *up, uint64_t announced_ms)
{
	struct backend *b = up->backend;
	const struct upstream_keepalive_conf *k = &b->group->keepalive;
	uint64_t keep = k->idle;

	if (announced_ms > 0 && announced_ms < keep + IDLE_MARGIN_MS)
		keep = announced_ms > 2 * IDLE_MARGIN_MS ?
		    announced_ms - IDLE_MARGIN_MS : announced_ms / 2;
	if (b->draining || k->connections == 0 || keep == 0 ||
	    idle_is_worn(up) || !idle_is_silent(up)) {
		uplink_close(up, CLOSE_DONE);
		return;
	}
	if (b->n_idle >= (uint64_t)k->connections)
		idle_close(idle_oldest(b), CLOSE_IDLE);

	up->idle_poll = loop_polls(b->net->loop);
	list_push_front(&b->servers[up->server].idle, &up->newest);
	list_push_back(&b->idle_by_age, &up->oldest);
	b->n_idle++;
	b->stats->idle++;
	uplink_use(up, &idle_user, NULL);
	conn_set_deadline(&up->conn, keep);
}

void
idle_close_all(struct backend *b)
{
	while (!list_is_empty(&b->idle_by_age))
		idle_close(idle_oldest(b), CLOSE_SHUTDOWN);
}
