/*
 * A connection to an upstream server: the struct conn with what the pool needs
 * to know of it. It belongs to its user while it has one and to the backend's
 * idle list otherwise; it frees itself when the loop says that the connection
 * is closed. It never reads or writes on its own.
 */
#include "upstream/uplink.h"

#include "base/clock.h"

static struct uplink *
uplink_of(struct conn *c)
{
	struct uplink *up = CONTAINER_OF(c, struct uplink, conn);

	OBJ_CHECK(up, UPLINK_MAGIC);
	return up;
}

static void
uplink_on_ready(struct conn *c)
{
	struct uplink *up = uplink_of(c);

	up->user->ready(up, up->user_arg);
}

static void
uplink_on_timeout(struct conn *c)
{
	struct uplink *up = uplink_of(c);

	up->user->timeout(up, up->user_arg);
}

static void
uplink_on_closed(struct conn *c)
{
	struct uplink *up = uplink_of(c);

	up->magic = 0;
	mem_free(up);
}

static const struct conn_ops uplink_ops = {
	.name = "upstream",
	.ready = uplink_on_ready,
	.timeout = uplink_on_timeout,
	.closed = uplink_on_closed,
};

struct uplink *
uplink_dial(struct backend *b, unsigned server, unsigned addr,
    const struct uplink_user *user, void *arg, struct err *e)
{
	const struct upstream_server *s = &b->group->servers[server];
	struct uplink *up = mem_zalloc(sizeof *up);

	up->magic = UPLINK_MAGIC;
	up->server = server;
	up->addr = addr;
	up->backend = b;
	up->opened_ms = clock_ms();
	list_init(&up->newest);
	list_init(&up->oldest);
	uplink_use(up, user, arg);
	if (!conn_dial(&up->conn, b->net, &s->addrs[addr], b->group->tls,
	    s->tls_name, &uplink_ops, e)) {
		mem_free(up);
		return NULL;
	}
	tls_resume_offer(uplink_resume(up), up->conn.tls);
	return up;
}

struct tls_resume *
uplink_resume(struct uplink *up)
{
	return &up->backend->servers[up->server].resume;
}

void
uplink_use(struct uplink *up, const struct uplink_user *user, void *arg)
{
	up->user = user;
	up->user_arg = arg;
}

void
uplink_close(struct uplink *up, enum close_reason why)
{
	OBJ_CHECK(up, UPLINK_MAGIC);
	conn_close(&up->conn, why);
}
