/*
 * -t and -s. A test changes nothing and needs no running master. A command
 * sends the master its signal and waits until it has said how that ended, so
 * that scripts can trust the exit status.
 */
#include "process/command.h"

#include "base/fd.h"
#include "process/config.h"
#include "process/pid_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_EVERY 20 /* ms */

/* ---- -t ---------------------------------------------------------------- */

static void
command_print_diagnostics(const struct config *c, bool json)
{
	struct buf b = buf_in(c->arena);

	if (json)
		conf_print_diagnostics_json(c->load, &b);
	else
		conf_print_diagnostics(c->load, &b);
	(void)fd_write_all(json ? STDOUT_FILENO : STDERR_FILENO, b.p, b.n);
}

int
command_test(const struct options *options, bool print, bool json, bool strict)
{
	struct config c;
	bool good = config_load(&c, options->config, options->overrides,
	    options->n_overrides, 1);
	size_t warnings = conf_warnings(c.load);

	command_print_diagnostics(&c, json);
	if (strict && warnings > 0)
		good = false;

	if (good && print) {
		struct buf dump = buf_in(c.arena);

		conf_dump(c.load, &root_schema, c.root, &dump);
		(void)fd_write_all(STDOUT_FILENO, dump.p, dump.n);
	} else if (!json) {
		fprintf(stderr, "%s: %s\n", options->config, good ?
		    warnings > 0 ? "good, with warnings" : "good" :
		    "not usable");
	}
	config_end(&c);
	return good ? EXIT_FINE : EXIT_CONFIG;
}

/* ---- -s ---------------------------------------------------------------- */

static const struct command {
	const char *word;
	int signo;
	bool ends; /* done when the master is gone */
} commands[] = {
	{ "stop", SIGTERM, true },
	{ "quit", SIGQUIT, true },
	{ "reload", SIGHUP, false },
	{ "reopen", SIGUSR1, false },
	{ "upgrade", SIGUSR2, false },
};

static void
nap(void)
{
	struct timespec t = { .tv_nsec = POLL_EVERY * 1000000L };

	nanosleep(&t, NULL);
}

/* One that ended and whose parent has not asked for its status yet is gone
 * too (proc(5): the state follows the name, which ends at the last ')'). */
static bool
has_ended(pid_t pid)
{
	struct arena *a;
	struct str text;
	char path[64];
	bool ended;

	if (kill(pid, 0) != 0 && errno == ESRCH)
		return true;
	a = arena_new();
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	ended = fd_read_file(path, 4096, a, &text, NULL) &&
	    strstr(text.p, ") Z ") != NULL;
	arena_end(a);
	return ended;
}

/* Waits for MS until the process is gone. */
static bool
wait_for_end(pid_t pid, uint64_t ms)
{
	for (uint64_t waited = 0; waited <= ms; waited += POLL_EVERY) {
		if (has_ended(pid))
			return true;
		nap();
	}
	return false;
}

/* A verdict that is not the one of before. */
static bool
wait_for_verdict(const char *pid_file, const struct verdict_line *before,
    struct verdict_line *v, uint64_t ms)
{
	for (uint64_t waited = 0; waited <= ms; waited += POLL_EVERY) {
		if (verdict_read(pid_file, v) &&
		    (v->pid != before->pid || v->sequence != before->sequence))
			return true;
		nap();
	}
	return false;
}

static int
command_finish_upgrade(pid_t old, uint64_t timeout)
{
	if (kill(old, SIGQUIT) == 0 && wait_for_end(old, timeout))
		return EXIT_FINE;
	fprintf(stderr, "weir: the new master serves, but the old one (%d) "
	    "has not ended yet\n", (int)old);
	return EXIT_ENVIRONMENT;
}

static int
command_send(const struct command *cmd, const char *pid_file, pid_t pid,
    uint64_t timeout)
{
	struct verdict_line before = { .pid = 0 }, v;

	verdict_read(pid_file, &before);
	if (kill(pid, cmd->signo) != 0) {
		fprintf(stderr, "weir: cannot signal process %d: %s\n",
		    (int)pid, strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	if (cmd->ends) {
		if (wait_for_end(pid, timeout))
			return EXIT_FINE;
		fprintf(stderr, "weir: process %d has not ended within %llu "
		    "s\n", (int)pid, (unsigned long long)timeout / 1000);
		return EXIT_ENVIRONMENT;
	}
	if (!wait_for_verdict(pid_file, &before, &v, timeout)) {
		fprintf(stderr, "weir: the master (%d) has not answered "
		    "within %llu s\n", (int)pid,
		    (unsigned long long)timeout / 1000);
		return EXIT_ENVIRONMENT;
	}
	fprintf(stderr, "%s%s", v.text,
	    v.text[0] != '\0' && v.text[strlen(v.text) - 1] == '\n' ? "" :
	    "\n");
	if (!v.ok)
		return cmd->signo == SIGHUP ? EXIT_CONFIG : EXIT_ENVIRONMENT;
	if (cmd->signo == SIGUSR2)
		return command_finish_upgrade(pid, timeout);
	return EXIT_FINE;
}

/*
 * The configuration is needed only for the pid file's place; one that has
 * mistakes must not keep an operator from stopping the daemon.
 */
int
command_signal(const struct options *options, const char *word)
{
	const struct command *cmd = NULL;
	struct config c;
	struct err e;
	pid_t pid;
	int status;

	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(commands[i].word, word) == 0)
			cmd = &commands[i];
	if (cmd == NULL) {
		fprintf(stderr, "weir: -s %s: expected stop, quit, reload, "
		    "reopen or upgrade\n", word);
		return EXIT_USAGE;
	}
	(void)config_load(&c, options->config, options->overrides,
	    options->n_overrides, 1);
	if (c.root->pid_file == NULL && conf_errors(c.load) > 0) {
		command_print_diagnostics(&c, false);
		fprintf(stderr, "weir: so it is not known where the pid file "
		    "of the master is\n");
		status = EXIT_CONFIG;
	} else if (c.root->pid_file == NULL) {
		fprintf(stderr, "weir: %s sets no pid_file, so the master "
		    "cannot be found; add one or signal it yourself\n",
		    options->config);
		status = EXIT_NO_MASTER;
	} else if ((pid = pid_file_read(c.root->pid_file, &e)) <= 0) {
		fprintf(stderr, "weir: no master is running: %s\n", e.text);
		status = EXIT_NO_MASTER;
	} else {
		status = command_send(cmd, c.root->pid_file, pid,
		    c.root->shutdown_timeout + 35000);
	}
	config_end(&c);
	return status;
}
