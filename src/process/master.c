/*
 * The master. It reads the configuration, opens what needs privilege, forks
 * and watches; it parses nothing that comes from the network. What operators
 * tell it comes as signals:
 *
 *   TERM INT  stop            QUIT  drain and end     WINCH  drain workers
 *   HUP       reload          USR1  reopen logs       USR2   upgrade
 *
 * A reload makes a whole new generation beside the old one; only when all of
 * its children serve are the old ones told to drain. Whatever goes wrong
 * before that leaves the old generation as it is.
 */
#include "process/master.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/panic.h"
#include "event/signals.h"
#include "http/log_file.h"
#include "net/ktls.h"
#include "process/admin.h"
#include "process/capacity.h"
#include "process/cert_watch.h"
#include "process/error_log.h"
#include "process/family.h"
#include "process/notify.h"
#include "process/pid_file.h"
#include "process/stapler.h"
#include "process/upgrade.h"
#include "upstream/loop_mark.h"
#include "upstream/upstream.h"

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What children get after a STOP before they are killed. */
#define STOP_WITHIN 3000 /* ms */
/* How much longer than shutdown_timeout a drain may take. */
#define DRAIN_GRACE 5000 /* ms */

struct master {
	const struct options *options;
	struct loop *loop;
	struct loop_stats loop_stats; /* of nobody's page */
	struct signals *signals;
	struct pages *pages;
	struct listen_set *sockets;
	struct family family;
	struct cert_watch certs;
	struct identity identity, next_identity;
	struct config config; /* what serves */
	struct config next;   /* what is being started; arena NULL: none */
	uint64_t generations; /* loaded so far */
	/* What came while one was being started; the last of them counts. */
	bool reload_again, drain_then;
	struct tls_ticket_keys tickets;
	struct timer ticket_timer, watchdog, kill_timer;
	struct upgrade upgrade;
	struct verdict_line verdict;
	char pid_file[4096]; /* where ours is now; "" if nowhere */
	int ready_fd;        /* of the waiting parent of --daemon; -1 */
	bool ending;
	int status;
};

/* ---- telling how things went ------------------------------------------- */

static void
master_say(struct master *m, bool ok, const char *text)
{
	m->verdict.pid = getpid();
	m->verdict.sequence++;
	m->verdict.ok = ok;
	snprintf(m->verdict.text, sizeof m->verdict.text, "%s", text);
	if (m->config.root != NULL && m->config.root->pid_file != NULL)
		verdict_write(m->config.root->pid_file, &m->verdict);
}

static void
master_board(struct master *m, bool reloaded, bool failed)
{
	struct page_board *b = pages_board(m->pages);

	pages_write_begin(m->pages);
	b->master_pid = getpid();
	b->generation = m->config.generation->number;
	b->reloads += reloaded;
	b->reloads_failed += failed;
	if (!failed)
		b->reloaded = clock_wall();
	pages_write_end(m->pages);
}

static void
master_print_diagnostics(const struct config *c, int fd)
{
	struct buf b = buf_in(c->arena);

	conf_print_diagnostics(c->load, &b);
	if (b.n > 0)
		(void)fd_write_all(fd, b.p, b.n);
}

/* ---- opening a generation ---------------------------------------------- */

/* How many sockets an address gets: one per worker, so that no queue waits on
 * a busy one. */
static bool
master_open_sockets(struct master *m, struct config *c, struct err *e)
{
	struct generation *g = c->generation;
	unsigned workers = config_workers(c->root);

	listen_set_begin(m->sockets);
	for (size_t i = 0; i < g->n_endpoints; i++)
		if (!listen_set_open(m->sockets, g->endpoints[i], workers, e))
			goto fail;
	if (c->admin != NULL && !listen_set_open(m->sockets, c->admin, 1, e))
		goto fail;
	return true;

fail:
	listen_set_rollback(m->sockets);
	return false;
}

/* Children inherit what they may not do themselves. */
static void
master_raise_files(const struct root_conf *root)
{
	uint64_t wanted = (uint64_t)root->max_connections;
	unsigned files;

	if (wanted == 0 || capacity_raise(wanted, &files))
		return;
	log_warn("max_connections: %llu connections need %llu open files in "
	    "each worker and the limit is %u: %u are taken; raise "
	    "LimitNOFILE= or ulimit -n", (unsigned long long)wanted,
	    (unsigned long long)capacity_files(wanted), files,
	    capacity_connections(files, wanted));
}

static bool
master_open(struct master *m, struct config *c, struct identity *id,
    struct err *e)
{
	if (!identity_find(id, c->root->user, c->root->group, e))
		return false;
	if (!master_open_sockets(m, c, e))
		return false;
	if (!log_files_open(c->generation, id->uid, id->gid, e)) {
		listen_set_rollback(m->sockets);
		return false;
	}
	upstreams_resolve(c->generation);
	loop_marks_prepare(c->generation);
	master_raise_files(c->root);
	return true;
}

/* ---- ticket keys ------------------------------------------------------- */

static const struct tls_ticket_conf *
master_ticket_conf(const struct master *m)
{
	const struct tls_conf *tls = m->config.root->tls;

	return tls != NULL ? tls->tickets : NULL;
}

/* How long the newest key is still to be used, in ms. */
static uint64_t
master_ticket_time(const struct master *m, uint64_t rotate)
{
	int64_t age = clock_wall() - m->tickets.key[0].made;

	/* A clock that was set back must not make a key immortal. */
	if (m->tickets.n == 0 || age < 0 || (uint64_t)age * 1000 >= rotate)
		return 0;
	return rotate - (uint64_t)age * 1000;
}

/* Keys that are made here: those that are good stay, over reloads too. */
static void
master_turn_tickets(struct master *m, uint64_t rotate)
{
	struct err e;

	if (m->tickets.is_given)
		m->tickets = (struct tls_ticket_keys){ .n = 0 };
	if (master_ticket_time(m, rotate) == 0 &&
	    !tls_ticket_keys_rotate(&m->tickets, &e))
		log_error("ticket keys: %s", e.text);
	/* Without random bytes: soon again. */
	timer_start(m->loop, &m->ticket_timer,
	    master_ticket_time(m, rotate) + 1000);
}

/* Puts to use what the configuration says of tickets, and tells it. */
static void
master_set_tickets(struct master *m)
{
	const struct tls_ticket_conf *conf = master_ticket_conf(m);
	bool is_off = conf_is_off(conf);

	timer_stop(m->loop, &m->ticket_timer);
	if (is_off)
		m->tickets = (struct tls_ticket_keys){ .n = 0 };
	else if (m->config.ticket_keys.n > 0)
		m->tickets = m->config.ticket_keys;
	else
		master_turn_tickets(m, conf != NULL ? conf->rotate :
		    12 * 3600 * 1000ULL);
	m->tickets.lifetime = conf != NULL && !is_off ?
	    (uint32_t)(conf->lifetime / 1000) : 24 * 3600;
	tls_ticket_keys_set(&m->tickets);
	family_tell(&m->family, MESSAGE_TICKET_KEYS, 0, &m->tickets,
	    sizeof m->tickets, -1);
}

static void
master_on_tickets(struct timer *t)
{
	master_set_tickets(CONTAINER_OF(t, struct master, ticket_timer));
}

/* ---- reload ------------------------------------------------------------ */

static void master_reload(struct master *m);
static void master_drain_workers(struct master *m);

static bool
master_is_starting(const struct master *m)
{
	return m->next.arena != NULL || m->family.starting != 0;
}

/* What came too early. */
static void
master_go_on(struct master *m)
{
	bool again = m->reload_again, drain = m->drain_then;

	m->reload_again = m->drain_then = false;
	if (again)
		master_reload(m);
	else if (drain)
		master_drain_workers(m);
}

static void
master_end_reload(struct master *m, bool ok, const char *text)
{
	master_board(m, ok, !ok);
	master_say(m, ok, text);
	notify_send("READY=1\nSTATUS=%s",
	    ok ? "serving" : "serving; the last reload failed");
	master_go_on(m);
}

/* TEXT may live in the configuration that is refused. */
static void
master_refuse_reload(struct master *m, const char *text)
{
	struct config refused = m->next;

	m->next = (struct config){ .arena = NULL };
	log_error("the reload failed, the old configuration goes on");
	master_end_reload(m, false, text);
	config_end(&refused);
}

static void
master_fail_reload(struct master *m, const char *why)
{
	log_error("%s", why);
	master_refuse_reload(m, why);
}

/* The diagnostics, to the log line by line and whole as the verdict. */
static void
master_refuse_config(struct master *m)
{
	struct buf b = buf_in(m->next.arena);
	struct str rest, line;

	conf_print_diagnostics(m->next.load, &b);
	buf_chr(&b, '\0');
	rest = str_of(b.p, b.n - 1);
	while (str_split(&rest, '\n', &line))
		if (line.n > 0)
			log_error("%.*s", STR_ARG(line));
	master_refuse_reload(m, b.p);
}

static void
master_reload(struct master *m)
{
	struct err e;

	if (m->ending)
		return;
	if (master_is_starting(m)) {
		m->reload_again = true;
		m->drain_then = false;
		return;
	}
	log_notice("reloading %s", m->options->config);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
	    (unsigned long long)clock_precise_us());
	if (!config_load(&m->next, m->options->config, m->options->overrides,
	        m->options->n_overrides, ++m->generations)) {
		master_refuse_config(m);
		return;
	}
	if (!master_open(m, &m->next, &m->next_identity, &e)) {
		master_fail_reload(m, e.text);
		return;
	}
	tls_staple_inherit(m->next.certificates, m->config.certificates);
	if (!family_start(&m->family, &m->next, &m->next_identity, &e)) {
		log_files_close(m->next.generation);
		listen_set_rollback(m->sockets);
		master_fail_reload(m, e.text);
	}
}

/* ---- what the family tells --------------------------------------------- */

static void
master_tell_parent(struct master *m, int status)
{
	char byte = (char)status;

	if (m->ready_fd < 0)
		return;
	(void)fd_write_all(m->ready_fd, &byte, 1);
	fd_close(&m->ready_fd);
}

static void
master_leave_terminal(struct master *m)
{
	int null;

	if (!m->options->daemonize)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	/* Whoever waits for the end of our output must not wait for theirs. */
	family_tell(&m->family, MESSAGE_STDERR, 0, NULL, 0, null);
	close(null);
}

static void
master_print_addresses(const struct master *m)
{
	const struct generation *g = m->config.generation;
	bool has_tls = false;

	for (size_t i = 0; i < g->n_endpoints; i++) {
		has_tls |= g->endpoints[i]->tls != NULL;
		log_notice("listening on %s%s", g->endpoints[i]->text,
		    g->endpoints[i]->tls != NULL ? " (https)" : "");
	}
	if (has_tls)
		log_info("kTLS: %s", ktls_text(ktls_find()));
	if (m->config.admin != NULL)
		log_notice("admin endpoint on %s", m->config.admin->text);
}

/* With every generation: that is when it is decided. */
static void
master_print_sandbox(const struct master *m)
{
	bool is_whole;
	const char *text = sandbox_describe(&is_whole);

	if (!m->config.root->sandbox)
		log_notice("workers are not confined: sandbox is off");
	else
		log_line(is_whole ? LOG_INFO : LOG_NOTICE, "%s", text);
}

static void
master_on_ready(void *arg, uint64_t generation)
{
	struct master *m = arg;
	bool first = m->next.arena == NULL;
	char text[64];

	/* It was told to end while they started; so were they. */
	if (m->ending)
		return;
	if (!first) {
		ASSERT(m->next.generation->number == generation);
		struct config old = m->config;

		m->config = m->next;
		m->next = (struct config){ .arena = NULL };
		m->identity = m->next_identity;
		family_adopt(&m->family, &m->config, &m->identity);
		listen_set_sweep(m->sockets);
		master_set_tickets(m);
		log_files_close(old.generation);
		config_end(&old);
	} else {
		listen_set_sweep(m->sockets);
	}

	cert_watch_start(&m->certs, &m->config);
	snprintf(text, sizeof text, "generation %llu serves with %u workers",
	    (unsigned long long)generation, config_workers(m->config.root));
	log_notice("%s", text);
	master_print_sandbox(m);
	if (first) {
		master_print_addresses(m);
		master_board(m, false, false);
		master_say(m, true, text);
		notify_send("MAINPID=%d\nREADY=1\nSTATUS=serving",
		    (int)getpid());
		master_tell_parent(m, EXIT_FINE);
		master_leave_terminal(m);
		master_go_on(m);
		return;
	}
	master_end_reload(m, true, text);
}

static void
master_on_failed(void *arg, uint64_t generation, const char *why)
{
	struct master *m = arg;

	(void)generation;
	if (m->next.arena == NULL) {
		log_crit("cannot start: %s", why);
		master_say(m, false, why);
		m->status = EXIT_ENVIRONMENT;
		m->ending = true;
		family_stop(&m->family, 0);
		return;
	}
	log_files_close(m->next.generation);
	listen_set_rollback(m->sockets);
	master_fail_reload(m, why);
}

static void
master_on_staple(void *arg, const struct message *msg, int fd)
{
	struct master *m = arg;

	stapler_pass_on(&m->family, m->pages, &m->config, msg, fd);
	/* A scout asks while others of its generation are still starting. */
	if (m->next.arena != NULL)
		stapler_pass_on(&m->family, m->pages, &m->next, msg, fd);
	stapler_board(m->pages, &m->config);
}

static void
master_on_empty(void *arg)
{
	struct master *m = arg;

	if (m->ending)
		loop_stop(m->loop);
}

static const struct family_ops master_family_ops = {
	.ready = master_on_ready,
	.failed = master_on_failed,
	.staple = master_on_staple,
	.empty = master_on_empty
};

/* ---- ends -------------------------------------------------------------- */

static void
master_on_kill(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, kill_timer);

	log_warn("%u processes did not end in time: killing them",
	    m->family.n);
	family_kill(&m->family);
}

static void
master_end(struct master *m, bool drain)
{
	uint64_t wait = drain ?
	    m->config.root->shutdown_timeout + DRAIN_GRACE : STOP_WITHIN;

	log_notice("%s", drain ? "draining" : "stopping");
	/* The service goes on in the successor; its own word does not count
	 * for the service manager before ours (NotifyAccess=main). */
	if (upgrade_is_running(&m->upgrade))
		notify_send("MAINPID=%d\nSTATUS=serving", (int)m->upgrade.pid);
	else
		notify_send("STOPPING=1\nSTATUS=%s",
		    drain ? "draining" : "stopping");
	m->ending = true;
	cert_watch_stop(&m->certs);
	timer_start(m->loop, &m->kill_timer, wait);
	if (!drain) {
		family_stop(&m->family, 0);
		return;
	}
	family_drain(&m->family);
	/* Whoever connects from now on shall be refused, not wait for nobody;
	 * unless a successor has the same sockets and serves. */
	if (!upgrade_is_running(&m->upgrade)) {
		listen_set_begin(m->sockets);
		listen_set_sweep(m->sockets);
	}
}

/* Whoever is being started would serve when it has been told to drain. */
static void
master_drain_workers(struct master *m)
{
	if (m->ending)
		return;
	if (master_is_starting(m)) {
		m->drain_then = true;
		m->reload_again = false;
		return;
	}
	log_notice("draining the workers; HUP brings them back");
	notify_send("STATUS=no workers; HUP brings them back");
	family_drain(&m->family);
}

/* ---- logs -------------------------------------------------------------- */

static void
master_reopen_logs(struct master *m)
{
	struct generation *g = m->config.generation;
	const struct identity *id = &m->identity;
	struct err e;
	int fd = error_log_reopen(m->config.root->error_log, id);

	log_notice("reopening logs");
	if (fd >= 0)
		family_tell(&m->family, MESSAGE_ERROR_LOG, 0, NULL, 0, fd);
	fd_close(&fd);
	for (size_t i = 0; i < log_file_count(g); i++) {
		struct log_file *f = log_file_at(g, i);

		fd = log_file_reopen(f, id->uid, id->gid, &e);
		if (fd < 0) {
			log_error("%s; going on with the old file", e.text);
			continue;
		}
		family_tell(&m->family, MESSAGE_LOG_FILE, 0, f->path,
		    strlen(f->path), fd);
		log_file_replace(f, fd);
	}
	master_say(m, true, "logs were reopened");
}

/* ---- upgrade ----------------------------------------------------------- */

static void
master_upgrade(struct master *m)
{
	struct arena *a;
	int tickets;
	struct err e;

	if (upgrade_is_running(&m->upgrade)) {
		log_warn("an upgrade is in progress already");
		return;
	}
	a = arena_new();
	setenv(UPGRADE_PATHS, listen_set_export_paths(m->sockets, a), 1);
	tickets = upgrade_give(&m->tickets, sizeof m->tickets);
	if (upgrade_start(&m->upgrade, m->options->argv,
	        listen_set_export(m->sockets, a), m->pid_file, &e)) {
		log_notice("upgrading: the new binary is process %d",
		    (int)m->upgrade.pid);
	} else {
		log_error("upgrade failed: %s", e.text);
		master_say(m, false, e.text);
	}
	unsetenv(UPGRADE_PATHS);
	if (tickets >= 0)
		close(tickets);
	arena_end(a);
}

/* The new master ended while we are still here: its upgrade failed. */
static void
master_on_upgrade_ended(struct master *m)
{
	log_error("upgrade failed: the new binary ended; going on");
	upgrade_failed(&m->upgrade, m->pid_file);
	master_say(m, false, "the new binary ended; see the error log");
}

/* ---- signals ----------------------------------------------------------- */

static void
master_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->upgrade.pid)
			master_on_upgrade_ended(m);
		else if (!family_reaped(&m->family, pid, status))
			log_warn("process %d ended, which is not ours",
			    (int)pid);
	}
}

static void
master_on_signal(void *arg, int signo)
{
	struct master *m = arg;

	switch (signo) {
	case SIGCHLD:
		master_reap(m);
		break;
	case SIGTERM:
	case SIGINT:
		master_end(m, false);
		break;
	case SIGQUIT:
		if (!m->ending)
			master_end(m, true);
		break;
	case SIGHUP:
		master_reload(m);
		break;
	case SIGUSR1:
		master_reopen_logs(m);
		break;
	case SIGUSR2:
		master_upgrade(m);
		break;
	case SIGWINCH:
		master_drain_workers(m);
		break;
	default:
		break;
	}
}

static void
master_on_watchdog(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, watchdog);

	notify_send("WATCHDOG=1");
	timer_start(m->loop, &m->watchdog, notify_watchdog_ms());
}

/* ---- life -------------------------------------------------------------- */

/* The foreground process waits until the daemon serves; exits as it says. */
static bool
master_daemonize(struct master *m, struct err *e)
{
	char status = EXIT_ENVIRONMENT;
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(e, "cannot make a pipe");
	pid = fork();
	if (pid < 0)
		return err_sys(e, "cannot fork");
	if (pid > 0) {
		close(fds[1]);
		while (read(fds[0], &status, 1) < 0 && errno == EINTR)
			continue;
		_exit(status);
	}
	close(fds[0]);
	m->ready_fd = fds[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_sys(e, "cannot open /dev/null");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	/* stderr stays until the daemon serves: its words are for whoever
	 * started it. */
	close(null);
	return true;
}

static bool
master_write_pid(struct master *m, struct err *e)
{
	const char *path = m->config.root->pid_file;
	pid_t other;

	if (path == NULL)
		return true;
	other = pid_file_read(path, NULL);
	if (other > 0 && other != getpid() && !upgrade_is_successor())
		return err_set(e, "%s: process %d is running already", path,
		    (int)other);
	if (!pid_file_write(path, getpid(), e))
		return false;
	snprintf(m->pid_file, sizeof m->pid_file, "%s", path);
	return true;
}

/* Everything up to the first fork. */
static bool
master_prepare(struct master *m, struct err *e)
{
	static const int signals[] = {
		SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGWINCH
	};
	const char *inherited = getenv(UPGRADE_SOCKETS);

	if (m->config.root->sandbox && !sandbox_forbid_dumps(e))
		return false;
	m->sockets = listen_set_new();
	if (!listen_set_adopt(m->sockets, inherited, e))
		return false;
	unsetenv(UPGRADE_SOCKETS);
	listen_set_adopt_paths(m->sockets, getenv(UPGRADE_PATHS));
	unsetenv(UPGRADE_PATHS);
	if (!master_open(m, &m->config, &m->identity, e))
		return false;
	if (!error_log_open(m->config.root->error_log, &m->identity, e))
		return false;
	if (m->options->daemonize && !master_daemonize(m, e))
		return false;
	if (!master_write_pid(m, e))
		return false;
	m->pages = pages_new(e);
	if (m->pages == NULL)
		return false;
	admin_init(m->pages);
	pages_board(m->pages)->started = clock_wall();
	m->loop = loop_new(&m->loop_stats, e);
	if (m->loop == NULL)
		return false;
	/* Loading a configuration is the master's work, not a stall. */
	loop_set_slow_limit(m->loop, 0);
	m->signals = signals_new(m->loop, signals, COUNT_OF(signals),
	    master_on_signal, m, e);
	return m->signals != NULL;
}

static void
master_serve(struct master *m)
{
	struct err e;

	family_init(&m->family, m->loop, m->pages, &master_family_ops, m);
	cert_watch_init(&m->certs, m->loop, m->pages, &m->family);
	m->ticket_timer = (struct timer){
		.name = "tickets", .expired = master_on_tickets
	};
	m->kill_timer = (struct timer){
		.name = "kill", .expired = master_on_kill
	};
	m->watchdog = (struct timer){
		.name = "watchdog", .expired = master_on_watchdog
	};
	/* So that clients of the binary before find their tickets good. */
	if (!upgrade_take(&m->tickets, sizeof m->tickets) ||
	    m->tickets.n > TLS_TICKET_KEYS)
		m->tickets = (struct tls_ticket_keys){ .n = 0 };
	master_set_tickets(m);
	if (notify_watchdog_ms() > 0)
		timer_start(m->loop, &m->watchdog, notify_watchdog_ms());
	if (!family_start(&m->family, &m->config, &m->identity, &e)) {
		log_crit("cannot start: %s", e.text);
		m->status = EXIT_ENVIRONMENT;
		return;
	}
	loop_run(m->loop);
}

static void
master_clean_up(struct master *m)
{
	if (m->pid_file[0] != '\0')
		pid_file_remove(m->pid_file, getpid());
	if (m->signals != NULL)
		signals_end(m->signals);
	/* The paths belong to whoever stays. */
	if (m->sockets != NULL && (upgrade_is_running(&m->upgrade) ||
	        upgrade_is_successor()))
		listen_set_hand_over(m->sockets);
	else if (m->sockets != NULL)
		listen_set_end(m->sockets);
	if (m->loop != NULL)
		loop_end(m->loop);
	config_end(&m->next);
	config_end(&m->config);
}

int
master_run(const struct options *options)
{
	struct master *m = mem_zalloc(sizeof *m);
	struct err e;
	int status;

	m->options = options;
	m->ready_fd = -1;
	notify_init();
	clock_update();
	log_set_role("master");
	panic_catch_signals();
	signal(SIGPIPE, SIG_IGN);

	if (!config_load(&m->config, options->config, options->overrides,
	        options->n_overrides, ++m->generations)) {
		master_print_diagnostics(&m->config, STDERR_FILENO);
		m->status = EXIT_CONFIG;
	} else {
		master_print_diagnostics(&m->config, STDERR_FILENO);
		if (master_prepare(m, &e)) {
			log_notice("weir %s, process %d", WEIR_VERSION,
			    (int)getpid());
			master_serve(m);
			log_notice("ended");
		} else {
			fprintf(stderr, "weir: %s\n", e.text);
			m->status = EXIT_ENVIRONMENT;
		}
	}
	status = m->status;
	master_tell_parent(m, status);
	master_clean_up(m);
	mem_free(m);
	return status;
}
