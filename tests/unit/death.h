/*
 * Children that are meant to die: what they wrote to stderr, and of what they
 * died. A child that lives on exits with status 0.
 */
#ifndef TESTS_DEATH_H
#define TESTS_DEATH_H

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct death {
	int signo; /* 0: it exited by itself */
	int exit_status;
	char report[16384];
};

/* No core files, and cmocka's handlers are not the child's. */
static inline void
death_prepare(int to)
{
	static const int signals[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM
	};
	const struct rlimit none = {0};

	setrlimit(RLIMIT_CORE, &none);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	dup2(to, STDERR_FILENO);
	alarm(20);
}

static inline struct death
death_of(void (*victim)(void))
{
	struct death d = {.signo = 0};
	int pipe_fds[2], status = 0;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	if (pipe(pipe_fds) != 0)
		return d;
	child = fork();
	if (child == 0) {
		death_prepare(pipe_fds[1]);
		victim();
		_exit(0);
	}
	close(pipe_fds[1]);
	while (n < sizeof d.report - 1 && (got = read(pipe_fds[0],
	    d.report + n, sizeof d.report - 1 - n)) > 0)
		n += (size_t)got;
	close(pipe_fds[0]);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		d.signo = WTERMSIG(status);
	else
		d.exit_status = WEXITSTATUS(status);
	return d;
}

static inline int
death_says(const struct death *d, const char *words)
{
	return strstr(d->report, words) != NULL;
}

#endif
