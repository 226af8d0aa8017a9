/* The filter, from inside: each call is made in a child that has entered. */
#include "process/syscall_filter.c"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

/* Another process than the child's own: the test itself. */
static pid_t stranger;

/* The wait status of a child that made CALL under the filter: it exits with
 * what CALL gave, 100 when it could not enter. */
static int
status_of(int (*call)(void))
{
	pid_t child = fork();
	struct err e;
	int status;

	if (child == 0) {
		signal(SIGSYS, SIG_DFL); /* cmocka's handler goes on */
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		    syscall_filter_enter(&e) ? call() : 100);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int
error_of(long result)
{
	return result < 0 ? errno : 0;
}

/* ---- what it may ------------------------------------------------------- */

static void *
thread_main(void *arg)
{
	return arg;
}

static int
call_thread(void)
{
	pthread_t t;
	void *out = NULL;

	if (pthread_create(&t, NULL, thread_main, &stranger) != 0)
		return 1;
	return pthread_join(t, &out) != 0 || out != &stranger;
}

static int
call_talk(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Port 0: there is nobody, but one may ask. */
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0)
		return errno;
	if (connect(s, (struct sockaddr *)&a, sizeof a) == 0 ||
	    errno == ENOSYS)
		return 1;
	return error_of(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int
call_wait(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	return error_of(epoll_wait(ep, &event, 1, 0));
}

static int
call_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) != 0)
		return errno;
	return error_of(munmap(p, 4096));
}

static int
call_limits(void)
{
	struct rlimit limit;

	return error_of(getrlimit(RLIMIT_NOFILE, &limit));
}

static int
call_signal_self(void)
{
	signal(SIGUSR1, SIG_IGN);
	return error_of(raise(SIGUSR1) | kill(getpid(), SIGUSR1));
}

/* ---- what it may not --------------------------------------------------- */

static int call_fork(void) { return error_of(fork()); }
static int call_vfork_like(void)
{
	return error_of(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}
static int call_namespace(void)
{
	return error_of(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND |
	    CLONE_VM | CLONE_NEWUSER, 0, 0, 0, 0));
}
static int call_clone3(void)
{
	return error_of(syscall(SYS_clone3, NULL, 0));
}
static int call_unshare(void) { return error_of(unshare(CLONE_NEWUSER)); }
static int call_kill(void) { return error_of(kill(stranger, 0)); }
static int call_kill_all(void) { return error_of(kill(-1, 0)); }
static int call_mount(void)
{
	return error_of(syscall(SYS_mount, "x", "/x", "tmpfs", 0, NULL));
}
static int call_bpf(void) { return error_of(syscall(SYS_bpf, 0, NULL, 0)); }
static int call_keyctl(void) { return error_of(syscall(SYS_keyctl, 0, 0)); }
static int call_userfaultfd(void)
{
	return error_of(syscall(SYS_userfaultfd, 0));
}
static int call_io_uring(void)
{
	return error_of(syscall(SYS_io_uring_setup, 1, NULL));
}
static int call_perf(void)
{
	return error_of(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}
static int call_module(void)
{
	return error_of(syscall(SYS_init_module, NULL, 0, ""));
}
static int call_chroot(void) { return error_of(chroot("/")); }
static int call_setuid(void) { return error_of(setuid(getuid())); }
static int call_listen(void)
{
	return error_of(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}
static int call_packets(void)
{
	return error_of(socket(AF_PACKET, SOCK_RAW, 0));
}
static int call_netlink(void)
{
	return error_of(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int call_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}
static int call_make_exec(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return error_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}
static int call_terminal(void) { return error_of(ioctl(0, TIOCSTI, "x")); }
static int call_no_more_filters(void)
{
	return error_of(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 0));
}
static int call_others_limits(void)
{
	struct rlimit limit;

	return error_of(prlimit(stranger, RLIMIT_NOFILE, NULL, &limit));
}
static int call_unknown(void) { return error_of(syscall(4000)); }

static int
call_exec(void)
{
	return error_of(execl("/bin/true", "true", (char *)NULL));
}
static int call_ptrace(void) { return error_of(syscall(SYS_ptrace, 0, 0)); }
static int call_look_into(void)
{
	return error_of(syscall(SYS_process_vm_readv, stranger, NULL, 0, NULL,
	    0, 0));
}

/* ---- tests ------------------------------------------------------------- */

struct attempt {
	const char *name;
	int (*call)(void);
};
#define ATTEMPT(name) { #name, call_##name }

static const struct attempt allowed[] = {
	ATTEMPT(thread), ATTEMPT(talk), ATTEMPT(wait), ATTEMPT(memory),
	ATTEMPT(limits), ATTEMPT(signal_self)
};

static const struct attempt refused[] = {
	ATTEMPT(fork), ATTEMPT(vfork_like), ATTEMPT(namespace),
	ATTEMPT(clone3), ATTEMPT(unshare), ATTEMPT(kill), ATTEMPT(kill_all),
	ATTEMPT(mount), ATTEMPT(bpf), ATTEMPT(keyctl), ATTEMPT(userfaultfd),
	ATTEMPT(io_uring), ATTEMPT(perf), ATTEMPT(module), ATTEMPT(chroot),
	ATTEMPT(setuid), ATTEMPT(listen), ATTEMPT(packets), ATTEMPT(netlink),
	ATTEMPT(exec_memory), ATTEMPT(make_exec), ATTEMPT(terminal),
	ATTEMPT(no_more_filters), ATTEMPT(others_limits), ATTEMPT(unknown)
};

static const struct attempt deadly[] = {
	ATTEMPT(exec), ATTEMPT(ptrace), ATTEMPT(look_into)
};

#define IF_THERE() do { \
	if (IS_SANITIZED || !syscall_filter_is_there()) \
		skip(); \
} while (0)

static void
what_a_worker_needs_is_allowed(void **state)
{
	(void)state;
	IF_THERE();
	for (size_t i = 0; i < COUNT_OF(allowed); i++) {
		int status = status_of(allowed[i].call);

		if (status != 0)
			fail_msg("%s: status %#x", allowed[i].name, status);
	}
}

static void
all_else_is_as_if_the_kernel_were_old(void **state)
{
	(void)state;
	IF_THERE();
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		int status = status_of(refused[i].call);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != ENOSYS)
			fail_msg("%s: status %#x", refused[i].name, status);
	}
}

static void
what_only_an_intruder_tries_ends_the_process(void **state)
{
	(void)state;
	IF_THERE();
	for (size_t i = 0; i < COUNT_OF(deadly); i++) {
		int status = status_of(deadly[i].call);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %#x", deadly[i].name, status);
	}
}

static void *
thread_exec(void *arg)
{
	call_exec();
	return arg;
}

static int
call_exec_in_a_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, thread_exec, NULL) != 0 ||
	    pthread_join(t, NULL) != 0;
}

static void
its_threads_are_under_it_as_well(void **state)
{
	int status;

	(void)state;
	IF_THERE();
	status = status_of(call_exec_in_a_thread);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* What it says to the pipe that takes its stderr. */
static void
the_crash_report_names_the_call(void **state)
{
	char report[4096] = "", expected[64];
	size_t at = 0;
	ssize_t n;
	int fds[2], status;
	pid_t child;

	(void)state;
	IF_THERE();
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		panic_catch_signals();
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(syscall_filter_enter(NULL) ? call_exec() : 100);
	}
	close(fds[1]);
	while (at < sizeof report - 1 &&
	    (n = read(fds[0], report + at, sizeof report - 1 - at)) > 0)
		at += (size_t)n;
	close(fds[0]);
	waitpid(child, &status, 0);
	snprintf(expected, sizeof expected,
	    "(SIGSYS): system call %d is forbidden", SYS_execve);
	assert_non_null(strstr(report, expected));
	assert_non_null(strstr(report, "backtrace:"));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void
without_no_new_privs_nobody_enters_who_is_not_root(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct err e;

		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		_exit(syscall_filter_enter(&e) ||
		    strstr(e.text, "cannot filter system calls") == NULL);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_worker_needs_is_allowed),
		cmocka_unit_test(all_else_is_as_if_the_kernel_were_old),
		cmocka_unit_test(what_only_an_intruder_tries_ends_the_process),
		cmocka_unit_test(its_threads_are_under_it_as_well),
		cmocka_unit_test(the_crash_report_names_the_call),
		cmocka_unit_test(
		    without_no_new_privs_nobody_enters_who_is_not_root)
	};

	stranger = getpid();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
