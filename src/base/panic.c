/*
 * The report of a crash: what happened, where, what was in hand, the last lines
 * of the log. Everything between a signal and its end is safe in a handler:
 * no allocation, no locks, an alternate stack so that a stack overflow can
 * still be told.
 */
#include "base/panic.h"

#include "base/log.h"

#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPORTERS 8
#define FRAMES 48

static struct {
	void (*fn)(void *arg, int fd);
	void *arg;
} reporters[REPORTERS];
static unsigned n_reporters;
static volatile sig_atomic_t is_reporting;
static char alternate_stack[65536] __attribute__((aligned(16)));

void
panic_add_reporter(void (*report)(void *arg, int fd), void *arg)
{
	if (n_reporters == REPORTERS)
		return;
	reporters[n_reporters].fn = report;
	reporters[n_reporters].arg = arg;
	n_reporters++;
}

void
panic_print(int fd, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	if (write(fd, text, (size_t)n) < 0)
		return;
}

static void
panic_report(int fd, const char *what)
{
	void *frames[FRAMES];
	int n;

	panic_print(fd, "weir[%d] panic: %s\n", (int)getpid(), what);
	panic_print(fd, "backtrace:\n");
	n = backtrace(frames, FRAMES);
	backtrace_symbols_fd(frames, n, fd);
	for (unsigned i = 0; i < n_reporters; i++)
		reporters[i].fn(reporters[i].arg, fd);
	panic_print(fd, "last lines of the log:\n");
	log_dump_recent(fd);
}

static void
panic_report_all(const char *what)
{
	/* A crash in the report itself ends it. */
	if (is_reporting)
		return;
	is_reporting = 1;
	panic_report(STDERR_FILENO, what);
	if (log_fd() != STDERR_FILENO)
		panic_report(log_fd(), what);
}

void
panic_at(const char *file, int line, const char *what)
{
	char text[512];

	snprintf(text, sizeof text, "%s:%d: %s", file, line, what);
	panic_report_all(text);
	signal(SIGABRT, SIG_DFL);
	abort();
}

#define SIGNALS \
	SIGNAL(SIGSEGV) SIGNAL(SIGBUS) SIGNAL(SIGILL) SIGNAL(SIGFPE) \
	SIGNAL(SIGABRT) SIGNAL(SIGSYS)

/* strsignal(3) may allocate. */
static const char *
panic_signal_name(int signo)
{
	switch (signo) {
#define SIGNAL(name) case name: return #name;
	SIGNALS
#undef SIGNAL
	default: return "?";
	}
}

static void
panic_on_signal(int signo, siginfo_t *info, void *context)
{
	char text[128];

	(void)context;
	/* Only what the kernel found has an address; what somebody sent has
	 * his process id in its place. */
	if (signo == SIGSYS && info->si_code > 0)
		snprintf(text, sizeof text, "signal %d (SIGSYS): system call "
		    "%d is forbidden", signo, info->si_syscall);
	else if (info->si_code > 0)
		snprintf(text, sizeof text, "signal %d (%s) at address %p",
		    signo, panic_signal_name(signo), info->si_addr);
	else if (info->si_code == SI_USER && info->si_pid != getpid())
		snprintf(text, sizeof text, "signal %d (%s) from process %d",
		    signo, panic_signal_name(signo), (int)info->si_pid);
	else
		snprintf(text, sizeof text, "signal %d (%s)", signo,
		    panic_signal_name(signo));
	panic_report_all(text);
	/* SA_RESETHAND: the second time it is deadly, with its own number. */
	raise(signo);
}

void
panic_catch_signals(void)
{
	static const int signals[] = {
#define SIGNAL(name) name,
		SIGNALS
#undef SIGNAL
	};
	stack_t stack = {
		.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack
	};
	struct sigaction action = {
		.sa_sigaction = panic_on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND |
		    SA_NODEFER
	};
	void *frame[1];

	/* The first call loads libgcc, which allocates: not in a handler. */
	(void)backtrace(frame, 1);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &action, NULL);
}
