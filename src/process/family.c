/*
 * Children of the master. A child that dies is replaced at once; when children
 * die again and again soon after their start, with growing pauses, so that a
 * broken machine is not kept busy by forks. A child that lives but whose loop
 * stands still is made to die.
 */
#include "process/family.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/panic.h"
#include "http/log_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_WITHIN 30000 /* ms until all children must have reported */
/* A child that lived this long did not die of its start. */
#define LIVED_WELL 5000 /* ms */
#define BACK_OFF_FIRST 100 /* ms; doubled with each quick death */
#define BACK_OFF_MOST 10000

struct child_process {
	struct list link;
	struct family *family;
	struct channel channel;
	pid_t pid;
	enum page_role role;
	unsigned index;
	int slot;
	uint64_t generation;
	uint64_t started;  /* clock_ms */
	uint64_t watchdog; /* ms */
	uint64_t log_lost; /* lines, as far as the board knows */
	struct heartbeat heart;
	bool ready;
	bool awaited; /* one of those that its generation starts with */
	bool leaving; /* was told to drain or stop */
	bool lost;    /* cannot be killed, and is not counted on */
};

static void family_on_start_deadline(struct timer *t);
static void family_on_respawn(struct timer *t);
static void family_on_look(struct timer *t);

void
family_init(struct family *f, struct loop *l, struct pages *pages,
    const struct family_ops *ops, void *arg)
{
	*f = (struct family){
		.loop = l, .pages = pages, .ops = ops, .arg = arg,
		.start_deadline = { .name = "start_deadline",
		                    .expired = family_on_start_deadline },
		.respawn = { .name = "respawn", .expired = family_on_respawn },
		.look = { .name = "heartbeats", .expired = family_on_look }
	};
	list_init(&f->children);
}

static const char *
child_name(const struct child_process *c, char out[32])
{
	if (c->role == ROLE_SCOUT)
		snprintf(out, 32, "scout");
	else
		snprintf(out, 32, "worker %u", c->index);
	return out;
}

/* ---- messages ---------------------------------------------------------- */

static void
family_board_lost(struct family *f, uint64_t *known, uint64_t lost)
{
	if (lost <= *known)
		return;
	pages_write_begin(f->pages);
	pages_board(f->pages)->log_lost += lost - *known;
	pages_write_end(f->pages);
	*known = lost;
}

static void
child_on_message(struct channel *ch, const struct message *m, int fd)
{
	struct child_process *c = CONTAINER_OF(ch, struct child_process,
	    channel);
	struct family *f = c->family;

	if (m->type == MESSAGE_STAPLE && c->role == ROLE_SCOUT)
		f->ops->staple(f->arg, m, fd);
	fd_close(&fd);
	heartbeat_hear(&c->heart);
	if (m->type == MESSAGE_BEAT)
		family_board_lost(f, &c->log_lost, m->value);
	if (m->type != MESSAGE_READY || c->ready)
		return;
	c->ready = true;
	/* From now on it beats. */
	heartbeat_start(&c->heart, c->watchdog);
	if (c->generation != f->starting || !c->awaited || --f->not_ready > 0)
		return;
	f->starting = 0;
	timer_stop(f->loop, &f->start_deadline);
	f->ops->ready(f->arg, c->generation);
}

static void
child_on_closed(struct channel *ch)
{
	/* Its death will be reaped; until then there is nothing to say. */
	(void)ch;
}

/* ---- forking ----------------------------------------------------------- */

static int
compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/*
 * A child keeps its standard streams, its channel, the sockets it may accept
 * from and the logs; it must not hold the master's epoll or its siblings'
 * channels, or it could speak for them.
 */
static void
child_close_others(const struct config *config, int channel_fd)
{
	const struct generation *g = config->generation;
	size_t n = 4, cap = 8 + log_file_count(g);
	int *keep, last = 2;

	for (size_t i = 0; i < g->n_endpoints; i++)
		cap += g->endpoints[i]->n_fds;
	if (config->admin != NULL)
		cap += config->admin->n_fds;
	keep = mem_alloc(cap * sizeof *keep);
	memcpy(keep, (int[4]){ 0, 1, 2, channel_fd }, 4 * sizeof *keep);
	keep[n++] = log_fd();
	for (size_t i = 0; i < g->n_endpoints; i++)
		for (size_t k = 0; k < g->endpoints[i]->n_fds; k++)
			keep[n++] = g->endpoints[i]->fds[k];
	for (size_t k = 0; config->admin != NULL && k < config->admin->n_fds;
	     k++)
		keep[n++] = config->admin->fds[k];
	for (size_t i = 0; i < log_file_count(g); i++)
		keep[n++] = log_file_at(g, i)->fd;

	qsort(keep, n, sizeof *keep, compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] > last + 1)
			syscall(SYS_close_range, last + 1, keep[i] - 1, 0);
		if (keep[i] > last)
			last = keep[i];
	}
	syscall(SYS_close_range, last + 1, ~0u, 0);
	mem_free(keep);
}

NORETURN static void
child_become(struct family *f, struct child_process *c, int fd, pid_t master)
{
	struct child_setup setup = {
		.config = f->config, .pages = f->pages,
		.identity = f->identity, .channel_fd = fd, .slot = c->slot,
		.index = c->index, .master = master
	};
	sigset_t none;

	child_close_others(f->config, fd);
	/* What a terminal or an operator sends to the whole group is the
	 * master's to handle. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGWINCH, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	exit(c->role == ROLE_SCOUT ? scout_main(&setup) : worker_main(&setup));
}

static void
family_board(struct family *f, const struct child_process *c)
{
	pages_write_begin(f->pages);
	pages_board(f->pages)->slots[c->slot] = (struct page_slot){
		.role = c->role, .index = c->index, .pid = c->pid,
		.generation = c->generation, .started = clock_wall(),
		.is_draining = c->leaving
	};
	pages_write_end(f->pages);
}

/* NULL: it could not be made. */
static struct child_process *
family_fork(struct family *f, enum page_role role, unsigned index,
    struct err *e)
{
	struct child_process *c = mem_zalloc(sizeof *c);
	pid_t master = getpid();
	int fds[2];

	c->family = f;
	c->role = role;
	c->index = index;
	c->generation = f->config->generation->number;
	c->started = clock_ms();
	c->log_lost = log_lost(); /* which it inherits */
	c->watchdog = f->config->root->watchdog;
	heartbeat_start(&c->heart, c->watchdog > START_WITHIN ? c->watchdog :
	    START_WITHIN);
	c->channel.received = child_on_message;
	c->channel.closed = child_on_closed;
	c->channel.io.fd = -1;
	c->slot = pages_take(f->pages);
	if (c->slot < 0) {
		err_set(e, "there are %u processes already", f->n);
		goto no_child;
	}
	if (!channel_pair(fds, e))
		goto no_child;

	c->pid = fork();
	if (c->pid == 0)
		child_become(f, c, fds[1], master);
	close(fds[1]);
	if (c->pid < 0) {
		err_sys(e, "cannot fork");
		goto no_process;
	}
	list_push_back(&f->children, &c->link);
	f->n++;
	family_board(f, c);
	if (!channel_open(&c->channel, f->loop, fds[0], e)) {
		kill(c->pid, SIGKILL);
		fd_close(&fds[0]);
		return NULL;
	}
	if (!timer_is_running(&f->look))
		timer_start(f->loop, &f->look, HEARTBEAT_EVERY);
	return c;

no_process:
	close(fds[0]);
no_child:
	mem_free(c);
	return NULL;
}

bool
family_start(struct family *f, const struct config *config,
    const struct identity *identity, struct err *e)
{
	unsigned workers = config_workers(config->root);
	const struct config *old_config = f->config;
	const struct identity *old_identity = f->identity;

	f->config = config;
	f->identity = identity;
	f->starting = config->generation->number;
	f->not_ready = workers + 1;
	timer_start(f->loop, &f->start_deadline, START_WITHIN);
	for (unsigned i = 0; i <= workers; i++) {
		struct child_process *c = family_fork(f,
		    i < workers ? ROLE_WORKER : ROLE_SCOUT,
		    i < workers ? i : 0, e);

		if (c != NULL) {
			c->awaited = true;
			continue;
		}
		f->starting = 0;
		timer_stop(f->loop, &f->start_deadline);
		family_stop(f, config->generation->number);
		f->config = old_config;
		f->identity = old_identity;
		return false;
	}
	/* Until it is adopted, the old generation's children are the ones to
	 * replace. */
	f->config = old_config != NULL ? old_config : config;
	f->identity = old_config != NULL ? old_identity : identity;
	return true;
}

/* ---- ends -------------------------------------------------------------- */

static void
child_leave(struct child_process *c, enum message_type type, uint64_t value)
{
	struct family *f = c->family;

	c->leaving = true;
	family_board(f, c);
	if (!channel_send(&c->channel, type, value, NULL, 0, -1))
		kill(c->pid, type == MESSAGE_DRAIN ? SIGQUIT : SIGTERM);
}

void
family_adopt(struct family *f, const struct config *config,
    const struct identity *identity)
{
	f->config = config;
	f->identity = identity;
	f->deaths = 0;
	/* For those that served, and died while they waited for the others. */
	f->missing = 0;
	timer_start(f->loop, &f->respawn, 0);
	LIST_EACH(link, &f->children) {
		struct child_process *c = LIST_ITEM(link, struct child_process,
		    link);

		if (c->generation == config->generation->number || c->leaving)
			continue;
		child_leave(c, c->role == ROLE_SCOUT ? MESSAGE_STOP :
		    MESSAGE_DRAIN, 0);
	}
}

void
family_drain(struct family *f)
{
	f->config = NULL;
	f->missing = 0;
	LIST_EACH(link, &f->children) {
		struct child_process *c = LIST_ITEM(link, struct child_process,
		    link);

		if (!c->leaving)
			child_leave(c, MESSAGE_DRAIN, 0);
	}
	if (f->n == 0)
		f->ops->empty(f->arg);
}

void
family_stop(struct family *f, uint64_t generation)
{
	if (generation == 0) {
		f->config = NULL;
		f->missing = 0;
	}
	LIST_EACH(link, &f->children) {
		struct child_process *c = LIST_ITEM(link, struct child_process,
		    link);

		if (generation == 0 || c->generation == generation)
			child_leave(c, MESSAGE_STOP, 0);
	}
	if (generation == 0 && f->n == 0)
		f->ops->empty(f->arg);
}

void
family_kill(struct family *f)
{
	LIST_EACH(link, &f->children)
		kill(LIST_ITEM(link, struct child_process, link)->pid, SIGKILL);
}

static void
child_tell(struct child_process *c, enum message_type type, uint64_t value,
    const void *payload, size_t size, int fd)
{
	if (!channel_send(&c->channel, type, value, payload, size, fd))
		log_warn("process %d did not take message %s", (int)c->pid,
		    message_name(type));
}

void
family_tell(struct family *f, enum message_type type, uint64_t value,
    const void *payload, size_t size, int fd)
{
	LIST_EACH(link, &f->children)
		child_tell(LIST_ITEM(link, struct child_process, link), type,
		    value, payload, size, fd);
}

static void
family_tell_role(struct family *f, enum page_role role, uint64_t generation,
    enum message_type type, uint64_t value, const void *payload, size_t size,
    int fd)
{
	LIST_EACH(link, &f->children) {
		struct child_process *c = LIST_ITEM(link, struct child_process,
		    link);

		if (c->role == role && c->generation == generation)
			child_tell(c, type, value, payload, size, fd);
	}
}

void
family_tell_workers(struct family *f, uint64_t generation,
    enum message_type type, uint64_t value, const void *payload, size_t size,
    int fd)
{
	family_tell_role(f, ROLE_WORKER, generation, type, value, payload,
	    size, fd);
}

void
family_tell_scout(struct family *f, uint64_t generation,
    enum message_type type, uint64_t value, const void *payload, size_t size,
    int fd)
{
	family_tell_role(f, ROLE_SCOUT, generation, type, value, payload,
	    size, fd);
}

/* ---- deaths ------------------------------------------------------------ */

static const char *
describe_status(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d (%s)%s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(out, size, "exited with status %d",
		    WEXITSTATUS(status));
	return out;
}

static void
family_fail_start(struct family *f, const char *why)
{
	uint64_t generation = f->starting;

	f->starting = 0;
	timer_stop(f->loop, &f->start_deadline);
	family_stop(f, generation);
	/* There was nobody to go on with: the workers had been drained. */
	if (f->config != NULL && f->config->generation->number == generation)
		f->config = NULL;
	f->ops->failed(f->arg, generation, why);
}

static void
family_on_start_deadline(struct timer *t)
{
	struct family *f = CONTAINER_OF(t, struct family, start_deadline);

	family_fail_start(f, "not every worker was ready within 30 s");
}

static uint64_t
family_back_off(struct family *f, const struct child_process *c)
{
	uint64_t wait = BACK_OFF_FIRST;

	if (clock_ms() - c->started >= LIVED_WELL) {
		f->deaths = 0;
		return 0;
	}
	if (f->deaths++ == 0)
		return 0;
	for (unsigned i = 1; i < f->deaths && wait < BACK_OFF_MOST; i++)
		wait *= 2;
	return wait < BACK_OFF_MOST ? wait : BACK_OFF_MOST;
}

static bool
family_has(const struct family *f, enum page_role role, unsigned index)
{
	LIST_EACH(link, &f->children) {
		const struct child_process *c = LIST_ITEM(link,
		    struct child_process, link);

		if (c->role == role && c->index == index && !c->leaving &&
		    !c->lost &&
		    c->generation == f->config->generation->number)
			return true;
	}
	return false;
}

/* Forks whoever should be there and is not. */
static void
family_on_respawn(struct timer *t)
{
	struct family *f = CONTAINER_OF(t, struct family, respawn);
	unsigned workers;
	struct err e;

	f->missing = 0;
	if (f->config == NULL)
		return;
	workers = config_workers(f->config->root);
	for (unsigned i = 0; i <= workers; i++) {
		enum page_role role = i < workers ? ROLE_WORKER : ROLE_SCOUT;
		unsigned index = i < workers ? i : 0;

		if (family_has(f, role, index))
			continue;
		if (family_fork(f, role, index, &e) != NULL) {
			pages_write_begin(f->pages);
			pages_board(f->pages)->respawns++;
			pages_write_end(f->pages);
			continue;
		}
		log_crit("cannot replace a child: %s", e.text);
		f->missing++;
	}
	if (f->missing > 0)
		timer_start(f->loop, &f->respawn, BACK_OFF_MOST);
}

static void
family_mourn(struct family *f, const struct child_process *c, int status)
{
	char name[32], how[96];

	child_name(c, name);
	describe_status(status, how, sizeof how);
	if (c->leaving && status == 0) {
		log_info("%s (%d) has left", name, (int)c->pid);
		return;
	}
	if (c->generation == f->starting && !c->ready && !c->leaving) {
		char why[160];

		snprintf(why, sizeof why, "%s %s before it served", name, how);
		family_fail_start(f, why);
		return;
	}
	log_crit("%s (%d) %s", name, (int)c->pid, how);
	if (f->config != NULL && !c->leaving &&
	    c->generation == f->config->generation->number) {
		uint64_t wait = family_back_off(f, c);

		if (wait > 0)
			log_warn("replacing it in %llu ms",
			    (unsigned long long)wait);
		f->missing++;
		timer_start(f->loop, &f->respawn, wait);
	}
}

bool
family_reaped(struct family *f, pid_t pid, int status)
{
	LIST_EACH(link, &f->children) {
		struct child_process *c = LIST_ITEM(link, struct child_process,
		    link);

		if (c->pid != pid)
			continue;
		list_remove(&c->link);
		f->n--;
		channel_close(&c->channel);
		pages_retire(f->pages, c->slot);
		family_mourn(f, c, status);
		mem_free(c);
		if (f->n == 0 && f->config == NULL)
			f->ops->empty(f->arg);
		return true;
	}
	return false;
}

/* ---- silence ----------------------------------------------------------- */

static void
child_look(struct family *f, struct child_process *c)
{
	char name[32], state[32];
	int pid = (int)c->pid;

	child_name(c, name);
	switch (heartbeat_look(&c->heart, c->pid, state)) {
	case HEARTBEAT_FINE:
		break;
	case HEARTBEAT_HELD:
		log_warn("%s (%d) is held by a debugger: leaving it alone",
		    name, pid);
		break;
	case HEARTBEAT_ASK:
		log_crit("%s (%d) is stuck: its loop has not turned for %u s, "
		    "its state is %s; ending it, with a report of its stack",
		    name, pid, c->heart.patience, state);
		pages_write_begin(f->pages);
		pages_board(f->pages)->stuck++;
		pages_write_end(f->pages);
		kill(c->pid, SIGABRT);
		break;
	case HEARTBEAT_KILL:
		log_crit("%s (%d) did not end, its state is %s: killing it",
		    name, pid, state);
		kill(c->pid, SIGKILL);
		break;
	case HEARTBEAT_LOST:
		log_crit("%s (%d) cannot be killed, its state is %s: going on "
		    "without it", name, pid, state);
		c->lost = true;
		f->missing++;
		timer_start(f->loop, &f->respawn, 0);
		break;
	}
}

static void
family_on_look(struct timer *t)
{
	struct family *f = CONTAINER_OF(t, struct family, look);

	family_board_lost(f, &f->log_lost, log_lost());
	LIST_EACH(link, &f->children)
		child_look(f, LIST_ITEM(link, struct child_process, link));
	if (f->n > 0)
		timer_start(f->loop, &f->look, HEARTBEAT_EVERY);
}
