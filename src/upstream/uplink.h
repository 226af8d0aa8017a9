/*
 * A connection to an upstream server. It outlives the exchanges it carries;
 * between them it is idle (upstream/idle.h) and nobody's.
 */
#ifndef UPSTREAM_UPLINK_H
#define UPSTREAM_UPLINK_H

#include "net/conn.h"
#include "upstream/backend.h"

#define UPLINK_MAGIC 0x0B11A11Cu

struct uplink;

/* Who uses it at the moment. Called from the loop, never from within a call
 * that the user makes. */
struct uplink_user {
	void (*ready)(struct uplink *up, void *arg);
	void (*timeout)(struct uplink *up, void *arg);
};

struct uplink {
	uint32_t magic;
	unsigned server; /* index in its group */
	unsigned addr;   /* index of the server's address */
	struct conn conn;
	struct backend *backend;
	const struct uplink_user *user;
	void *user_arg;
	struct list newest; /* in backend_server.idle */
	struct list oldest; /* in backend.idle_by_age */
	uint64_t opened_ms;
	uint64_t idle_poll; /* loop_polls when it became idle */
	uint64_t requests; /* that it has carried, the current one included */
};

/* Starts to connect; USER is told. NULL: it could not even begin. */
struct uplink *uplink_dial(struct backend *b, unsigned server, unsigned addr,
    const struct uplink_user *user, void *arg, struct err *e);
void uplink_use(struct uplink *up, const struct uplink_user *user, void *arg);
/* The last TLS session with its server. */
struct tls_resume *uplink_resume(struct uplink *up);
/* Nobody is called any more. */
void uplink_close(struct uplink *up, enum close_reason why);

#endif
