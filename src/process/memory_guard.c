/*
 * Asks the kernel now and then how much memory the process has, rather than
 * keep accounts: most of what connections hold is OpenSSL's, which tells
 * nobody, and an operator's limit is compared with what the kernel counts, not
 * with what we believe. A look is one pread of some 3 us (mallinfo walks every
 * free chunk), and nothing at all where no limit is set.
 *
 * It frees nothing by itself: the server closes connections, and malloc is then
 * made to give back what it keeps, which is most of it.
 */
#include "process/memory_guard.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_EVERY 250   /* ms */
#define TELL_EVERY 10000 /* ms, while it lasts */
/* What a worker must be able to hold over what it starts with: the scratch
 * pages, kept blocks and threads of one that has work. */
#define LEAST_ROOM (8 << 20)
/* Connections closed in a look: enough to be through with all of them in some
 * seconds, few enough to see in the next whether they were enough. */
#define SHED_LEAST 16
#define SHED_SHARE 16 /* of all */

/* 0: not known. */
static uint64_t
memory_guard_measure(const struct memory_guard *g)
{
	unsigned long size, resident, shared;
	char text[128];
	ssize_t n = pread(g->fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3 ||
	    shared > resident)
		return 0;
	return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned
memory_guard_mib(uint64_t bytes)
{
	return (unsigned)((bytes + (1 << 19)) >> 20);
}

static void
memory_guard_shed(const struct memory_guard *g)
{
	unsigned quota = SHED_LEAST + g->server->n_conns / SHED_SHARE;

	while (quota-- > 0 && server_shed(g->server, CLOSE_LOW_MEMORY))
		continue;
}

static void
memory_guard_tell(struct memory_guard *g, uint64_t used)
{
	if (g->told != 0 && clock_ms() - g->told < TELL_EVERY)
		return;
	g->told = clock_ms();
	log_error("%u MiB are held and max_memory is %u: new requests are "
	    "refused, idle ones of %u connections are closed",
	    memory_guard_mib(used), memory_guard_mib(g->limit),
	    g->server->n_conns);
}

/* Between the two marks it stays as it is, or it would flap. */
static void
memory_guard_judge(struct memory_guard *g, uint64_t used)
{
	struct server *s = g->server;

	s->stats->memory = used;
	if (!s->is_starved && used > g->limit) {
		s->is_starved = true;
		s->stats->starved++;
	} else if (s->is_starved && used < g->limit - g->limit / 8) {
		s->is_starved = false;
		g->told = 0;
		log_notice("%u MiB are held, max_memory is %u: requests are "
		    "taken again", memory_guard_mib(used),
		    memory_guard_mib(g->limit));
	}
	if (!s->is_starved)
		return;
	memory_guard_tell(g, used);
	memory_guard_shed(g);
}

static void
memory_guard_on_look(struct timer *t)
{
	struct memory_guard *g = CONTAINER_OF(t, struct memory_guard, timer);
	uint64_t used = memory_guard_measure(g);

	if (used > g->limit || g->server->is_starved) {
		mem_trim();
		used = memory_guard_measure(g);
	}
	memory_guard_judge(g, used);
	timer_start(g->server->net->loop, &g->timer, LOOK_EVERY);
}

bool
memory_guard_open(struct memory_guard *g, uint64_t limit, struct err *e)
{
	*g = (struct memory_guard){
		.fd = -1, .limit = limit,
		.timer = { .name = "memory", .expired = memory_guard_on_look }
	};
	if (limit == 0)
		return true;
	g->fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (g->fd < 0)
		return err_sys(e, "max_memory: cannot open /proc/self/statm");
	return true;
}

void
memory_guard_start(struct memory_guard *g, struct server *s)
{
	uint64_t used, least;

	g->server = s;
	if (g->fd < 0)
		return;
	used = memory_guard_measure(g);
	least = used + LEAST_ROOM;
	s->stats->memory = used;
	/* It would refuse everything for ever. */
	if (g->limit < least) {
		log_warn("max_memory is %u MiB, and a worker holds %u before "
		    "its first connection: %u are taken instead",
		    memory_guard_mib(g->limit), memory_guard_mib(used),
		    memory_guard_mib(least));
		g->limit = least;
	}
	timer_start(s->net->loop, &g->timer, LOOK_EVERY);
}

void
memory_guard_end(struct memory_guard *g)
{
	if (g->fd < 0)
		return;
	timer_stop(g->server->net->loop, &g->timer);
	fd_close(&g->fd);
}
