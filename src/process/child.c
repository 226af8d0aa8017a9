/*
 * The life of a child: takes its rights down, makes its loop, pool, network
 * and server, tells the master that it serves, and runs until it is drained or
 * stopped. A worker and the scout differ in what they listen on.
 */
#include "process/child.h"

#include "base/log.h"
#include "base/panic.h"
#include "event/signals.h"
#include "http/log_file.h"
#include "net/tls_sign.h"
#include "process/capacity.h"
#include "process/cert_watch.h"
#include "process/channel.h"
#include "process/heartbeat.h"
#include "process/memory_guard.h"
#include "process/stapler.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define POOL_QUEUE 1024 /* jobs that may wait for a thread */
/* Idle connections are closed within this time of a drain at the latest. */
#define DRAIN_WITHIN 10000 /* ms */

struct child {
	const struct child_setup *setup;
	struct loop *loop;
	struct pool *pool;
	struct net *net;
	struct server *server;
	struct memory_guard memory;
	struct signals *signals;
	struct stapler *stapler; /* of the scout only */
	struct channel channel;
	struct timer beat;
	struct timer give_up;
};

/* ---- ends -------------------------------------------------------------- */

static void
child_on_drained(void *arg)
{
	struct child *c = arg;

	loop_stop(c->loop);
}

static void
child_on_give_up(struct timer *t)
{
	struct child *c = CONTAINER_OF(t, struct child, give_up);

	log_notice("shutdown_timeout is over: closing %u connections",
	    c->server->n_conns);
	server_cut(c->server);
	loop_stop(c->loop);
}

static void
child_drain(struct child *c)
{
	uint64_t timeout = c->setup->config->root->shutdown_timeout;
	uint64_t within = timeout / 2 < DRAIN_WITHIN ? timeout / 2 :
	    DRAIN_WITHIN;

	if (c->server->draining)
		return;
	log_info("draining %u connections", c->server->n_conns);
	timer_start(c->loop, &c->give_up, timeout);
	server_drain(c->server, within, child_on_drained, c);
}

/* ---- what it is told --------------------------------------------------- */

static void
child_on_signal(void *arg, int signo)
{
	struct child *c = arg;

	if (signo == SIGTERM)
		loop_stop(c->loop);
	else if (signo == SIGQUIT)
		child_drain(c);
}

/* Children of another generation may not have it. */
static void
child_on_log_file(struct child *c, struct str path, int fd)
{
	struct log_file *f = log_file_find(c->setup->config->generation, path);

	if (f != NULL)
		log_file_replace(f, fd);
	else
		close(fd);
}

static void
child_on_message(struct channel *ch, const struct message *m, int fd)
{
	struct child *c = CONTAINER_OF(ch, struct child, channel);

	switch ((enum message_type)m->type) {
	case MESSAGE_DRAIN:
		child_drain(c);
		break;
	case MESSAGE_STOP:
		loop_stop(c->loop);
		break;
	case MESSAGE_ERROR_LOG:
		dup2(fd, log_fd());
		break;
	case MESSAGE_STDERR:
		dup2(fd, STDERR_FILENO);
		break;
	case MESSAGE_LOG_FILE:
		child_on_log_file(c, str_of(m->payload, m->size), fd);
		return;
	case MESSAGE_TICKET_KEYS:
		if (m->size == sizeof(struct tls_ticket_keys)) {
			struct tls_ticket_keys keys;

			memcpy(&keys, m->payload, sizeof keys);
			tls_ticket_keys_set(&keys);
		}
		break;
	case MESSAGE_CERTIFICATE:
		if (m->size == sizeof(uint64_t)) {
			uint64_t generation;

			memcpy(&generation, m->payload, sizeof generation);
			if (c->stapler != NULL)
				stapler_renew(c->stapler, generation,
				    m->value, fd);
			else
				cert_watch_take(c->setup->config,
				    generation, m->value, fd);
		}
		break;
	case MESSAGE_STAPLE:
		stapler_take(c->setup->config, m, fd);
		break;
	case MESSAGE_READY:
	case MESSAGE_BEAT:
	case MESSAGE_COUNT:
		log_error("unexpected message %s", message_name(m->type));
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void
child_on_orphaned(struct channel *ch)
{
	struct child *c = CONTAINER_OF(ch, struct child, channel);

	log_error("the master is gone: stopping");
	loop_stop(c->loop);
}

static void
child_on_beat(struct timer *t)
{
	struct child *c = CONTAINER_OF(t, struct child, beat);

	channel_send(&c->channel, MESSAGE_BEAT, log_lost(), NULL, 0, -1);
	timer_start(c->loop, &c->beat, HEARTBEAT_EVERY);
}

/* ---- life -------------------------------------------------------------- */

static void
child_report(void *arg, int fd)
{
	const struct child *c = arg;

	if (c->loop != NULL)
		loop_report(c->loop, fd);
	if (c->server != NULL)
		txn_report(c->server->current, fd);
}

static void
child_set_capacity(struct child *c)
{
	uint64_t wanted = (uint64_t)c->setup->config->root->max_connections;
	unsigned files = sandbox_raise_files(0);
	unsigned most = capacity_connections(files, wanted);

	c->net->dial_below = capacity_dial_below(files);
	c->server->max_conns = most;
	c->server->max_conns_by = most == wanted ? "max_connections" :
	    "the limit of open files";
}

static bool
child_open(struct child *c, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGQUIT };
	const struct child_setup *s = c->setup;
	const struct config *config = s->config;
	struct page_view view = pages_view(s->pages, s->slot);

	c->loop = loop_new(view.loop, e);
	if (c->loop == NULL)
		return false;
	c->signals = signals_new(c->loop, signals, COUNT_OF(signals),
	    child_on_signal, c, e);
	if (c->signals == NULL)
		return false;
	c->pool = pool_new(c->loop, (unsigned)config->root->threads,
	    POOL_QUEUE, view.pool, e);
	if (c->pool == NULL)
		return false;
	if (!channel_open(&c->channel, c->loop, s->channel_fd, e))
		return false;
	c->net = net_new(c->loop, c->pool, view.net);
	c->server = server_new(c->net, view.http, view.modules,
	    config->generation);
	child_set_capacity(c);
	return true;
}

/* Before a thread is made, since what was given up is inherited. */
static bool
child_confine(const struct child_setup *s, const char *const *reads,
    size_t n_reads, struct err *e)
{
	return sandbox_enter(s->identity, s->master, e) &&
	    (!s->config->root->sandbox ||
	    sandbox_confine(reads, n_reads, e));
}

static bool
worker_confine(const struct child_setup *s, struct err *e)
{
	const struct generation *g = s->config->generation;

	return child_confine(s, g->reads, g->n_reads, e);
}

/* It serves no files. */
static bool
scout_confine(const struct child_setup *s, struct err *e)
{
	size_t n = 0;

	while (stapler_reads[n] != NULL)
		n++;
	return child_confine(s, stapler_reads, n, e);
}

static int
child_run(const struct child_setup *setup, const char *role,
    uint64_t max_memory,
    bool (*confine)(const struct child_setup *s, struct err *e),
    bool (*listen)(struct child *c, struct err *e))
{
	struct child c = {
		.setup = setup,
		.channel = { .received = child_on_message,
		             .closed = child_on_orphaned },
		.beat = { .name = "beat", .expired = child_on_beat },
		.give_up = { .name = "give_up", .expired = child_on_give_up }
	};
	struct err e;

	log_set_role(role);
	/* For ps -o comm, top and perf; 15 characters at most. */
	(void)prctl(PR_SET_NAME, role);
	panic_add_reporter(child_report, &c);
	pages_own(setup->pages, setup->slot);
	if (!memory_guard_open(&c.memory, max_memory, &e) ||
	    !confine(setup, &e) || !child_open(&c, &e) ||
	    !listen(&c, &e)) {
		log_crit("cannot start: %s", e.text);
		return 3;
	}
	channel_send(&c.channel, MESSAGE_READY, 0, NULL, 0, -1);
	timer_start(c.loop, &c.beat, HEARTBEAT_EVERY);
	memory_guard_start(&c.memory, c.server);
	loop_run(c.loop);

	memory_guard_end(&c.memory);
	server_end(c.server);
	loop_tick(c.loop, 0); /* the closing stage of what was cut */
	tls_sign_stop(c.net);
	if (c.stapler != NULL)
		stapler_stop(c.stapler);
	pool_end(c.pool);
	if (c.stapler != NULL)
		stapler_end(c.stapler);
	channel_close(&c.channel);
	signals_end(c.signals);
	net_end(c.net);
	loop_end(c.loop);
	return 0;
}

static bool
worker_listen(struct child *c, struct err *e)
{
	struct generation *g = c->setup->config->generation;

	return server_listen(c->server, g->endpoints, g->n_endpoints,
	    c->setup->index, e);
}

static bool
scout_listen(struct child *c, struct err *e)
{
	struct endpoint *admin = c->setup->config->admin;

	c->stapler = stapler_new(c->loop, c->pool, &c->channel,
	    c->setup->config);
	return admin == NULL || server_listen(c->server, &admin, 1, 0, e);
}

int
worker_main(const struct child_setup *setup)
{
	char role[32];

	snprintf(role, sizeof role, "worker %u", setup->index);
	return child_run(setup, role, setup->config->root->max_memory,
	    worker_confine, worker_listen);
}

int
scout_main(const struct child_setup *setup)
{
	return child_run(setup, "scout", 0, scout_confine, scout_listen);
}
