/*
 * What a worker asks of the kernel, as a table, and the program made from it
 * that the kernel runs before every system call. What is here is what epoll,
 * sockets, files that are read, threads and memory take; whatever starts
 * programs, looks into other processes, changes users, mounts, loads modules
 * or makes executable memory is not, and neither are the kernel's large young
 * interfaces (io_uring, bpf, userfaultfd, keyrings).
 *
 * A C library or OpenSSL that tries something newer must not cost a worker: it
 * is told ENOSYS, as by an old kernel, and takes its older way. That is no
 * secret: the kernel logs it. No library tries by itself what is answered with
 * SIGSYS, so whoever asks for that has been taken over.
 */
#include "process/syscall_filter.h"

#include "base/arena.h"
#include "base/panic.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define FILTER_ARCH AUDIT_ARCH_RISCV64
#else
#define FILTER_ARCH 0 /* numbers and the order of arguments are not known */
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17: the C library names its memory */
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define CLONE_NEW_ANY (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | \
	CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	CLONE_NEWTIME)

enum call_kind {
	CALL_ANY,  /* with whatever arguments */
	CALL_IF,   /* when argument ARG, of it the bits in MASK, is VALUE */
	CALL_SELF, /* when argument ARG is our own process */
	CALL_TRAP  /* never: SIGSYS */
};

struct call {
	int number;
	enum call_kind kind;
	unsigned arg;
	uint32_t mask, value;
};

#define ANY(name) { .number = SYS_##name, .kind = CALL_ANY }
#define IF(name, a, m, v) { .number = SYS_##name, .kind = CALL_IF, \
	.arg = (a), .mask = (uint32_t)(m), .value = (uint32_t)(v) }
#define IF_IS(name, a, v) IF(name, a, ~0u, v)
#define SELF(name, a) { .number = SYS_##name, .kind = CALL_SELF, .arg = (a) }
#define TRAP(name) { .number = SYS_##name, .kind = CALL_TRAP }

/*
 * Kernels before 5.11 go through it from top to bottom for every call (later
 * ones remember the rows without a condition): what a request takes is first.
 */
static const struct call filter_calls[] = {
	/* a request */
#ifdef SYS_epoll_wait
	ANY(epoll_wait),
#endif
	ANY(epoll_pwait), ANY(read), ANY(write), ANY(recvfrom), ANY(sendto),
	ANY(writev), ANY(readv), ANY(sendmsg), ANY(recvmsg), ANY(sendfile),
	ANY(accept4), ANY(close), ANY(futex), ANY(setsockopt),
	ANY(epoll_ctl), ANY(openat2), ANY(openat), ANY(fstat), ANY(connect),
	ANY(preadv2), ANY(shutdown), ANY(getsockopt),
	IF_IS(socket, 0, AF_INET), IF_IS(socket, 0, AF_INET6),
	IF_IS(socket, 0, AF_UNIX),

	/* sockets */
	ANY(accept), ANY(getsockname), ANY(getpeername), ANY(sendmmsg),
	ANY(recvmmsg), IF_IS(socketpair, 0, AF_UNIX),

	/* files and descriptors; which ones is Landlock's business */
	ANY(pread64), ANY(pwrite64), ANY(preadv), ANY(pwritev), ANY(pwritev2),
	ANY(lseek), ANY(newfstatat), ANY(statx), ANY(fstatfs), ANY(statfs),
	ANY(readlinkat), ANY(faccessat), ANY(getdents64), ANY(splice),
	ANY(tee), ANY(copy_file_range), ANY(fadvise64), ANY(readahead),
	ANY(mincore), ANY(ftruncate), ANY(fsync), ANY(fdatasync), ANY(flock),
	ANY(fcntl), ANY(dup), ANY(dup3), ANY(pipe2), ANY(getcwd),
	ANY(close_range),
	IF_IS(ioctl, 1, FIONREAD), IF_IS(ioctl, 1, FIONBIO),
	IF_IS(ioctl, 1, TIOCOUTQ), IF_IS(ioctl, 1, TCGETS),

	/* waiting and time */
	ANY(epoll_create1), ANY(eventfd2), ANY(signalfd4), ANY(ppoll),
	ANY(pselect6), ANY(timerfd_create), ANY(timerfd_settime),
	ANY(timerfd_gettime), ANY(clock_gettime), ANY(clock_getres),
	ANY(clock_nanosleep), ANY(nanosleep), ANY(gettimeofday),
	ANY(getitimer), ANY(setitimer), ANY(timer_create), ANY(timer_settime),
	ANY(timer_gettime), ANY(timer_delete), ANY(restart_syscall),

	/* memory; no more of it becomes executable */
	IF(mmap, 2, PROT_EXEC, 0), IF(mprotect, 2, PROT_EXEC, 0),
	ANY(munmap), ANY(mremap), ANY(brk), ANY(madvise), ANY(membarrier),
	ANY(memfd_create), ANY(mlock), ANY(munlock), ANY(getrandom),

	/* threads: no processes, no namespaces; clone3 is the other filter's */
	IF(clone, 0, CLONE_THREAD | CLONE_NEW_ANY, CLONE_THREAD),
	ANY(clone3),
	ANY(set_robust_list), ANY(set_tid_address), ANY(gettid), ANY(exit),
	ANY(sched_yield), ANY(sched_getaffinity), ANY(getcpu),
	IF_IS(setpriority, 1, 0),

	/* signals, to ourselves only */
	ANY(rt_sigaction), ANY(rt_sigprocmask), ANY(rt_sigreturn),
	ANY(rt_sigpending), ANY(rt_sigtimedwait), ANY(sigaltstack),
	SELF(tgkill, 0), SELF(kill, 0),

	/* ourselves */
	ANY(exit_group), ANY(getpid), ANY(getppid), ANY(getuid), ANY(geteuid),
	ANY(getgid), ANY(getegid), ANY(getgroups), ANY(getresuid),
	ANY(getresgid), ANY(getrusage), ANY(times), ANY(uname), ANY(sysinfo),
	ANY(umask), IF_IS(prlimit64, 0, 0), SELF(prlimit64, 0),
	IF_IS(prctl, 0, PR_SET_NAME), IF_IS(prctl, 0, PR_GET_NAME),
	IF_IS(prctl, 0, PR_SET_VMA), IF_IS(prctl, 0, PR_GET_DUMPABLE),

	/* what headers may be too old for, and old machines alone have */
#ifdef SYS_rseq
	ANY(rseq),
#endif
#ifdef SYS_faccessat2
	ANY(faccessat2),
#endif
#ifdef SYS_epoll_pwait2
	ANY(epoll_pwait2),
#endif
#ifdef SYS_futex_waitv
	ANY(futex_waitv),
#endif
#ifdef SYS_map_shadow_stack
	ANY(map_shadow_stack),
#endif
#ifdef SYS_getrlimit
	ANY(getrlimit), ANY(setrlimit),
#endif
#ifdef __x86_64__
	ANY(open), ANY(stat), ANY(lstat), ANY(access), ANY(readlink),
	ANY(getdents), ANY(dup2), ANY(pipe), ANY(poll), ANY(select),
	ANY(epoll_create), ANY(eventfd), ANY(time), ANY(pause),
	ANY(arch_prctl),
#endif

	TRAP(execve), TRAP(execveat), TRAP(ptrace), TRAP(process_vm_readv),
	TRAP(process_vm_writev)
};

/* ---- the program ------------------------------------------------------- */

/* The longest row is seven instructions; before and after them at most ten. */
#define FILTER_ROW_MAX 7
#define FILTER_MAX (COUNT_OF(filter_calls) * FILTER_ROW_MAX + 10)
_Static_assert(FILTER_MAX <= BPF_MAXINSNS, "the kernel takes no more");

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define AND(mask) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
/* Goes on when it is VALUE, else past N instructions. */
#define UNLESS_SKIP(value, n) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (n))
#define LOAD_NUMBER LOAD(offsetof(struct seccomp_data, nr))

struct program {
	struct sock_filter code[FILTER_MAX];
	unsigned n;
};

static void
program_add(struct program *p, const struct sock_filter *code, unsigned n)
{
	ASSERT(p->n + n <= FILTER_MAX);
	memcpy(p->code + p->n, code, n * sizeof *code);
	p->n += n;
}

#define ADD(p, ...) do { \
	const struct sock_filter code_[] = { __VA_ARGS__ }; \
	program_add((p), code_, COUNT_OF(code_)); \
} while (0)

/* The lower half of an argument, which is all that the kernel looks at of
 * those in the table. All our machines have it first. */
static uint32_t
program_arg(unsigned arg)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) +
	    arg * sizeof(uint64_t));
}

static void
program_add_call(struct program *p, const struct call *c)
{
	uint32_t value = c->kind == CALL_SELF ? (uint32_t)getpid() : c->value;
	uint32_t mask = c->kind == CALL_SELF ? ~0u : c->mask;

	switch (c->kind) {
	case CALL_ANY:
		ADD(p, UNLESS_SKIP(c->number, 1), RETURN(SECCOMP_RET_ALLOW));
		break;
	case CALL_TRAP:
		ADD(p, UNLESS_SKIP(c->number, 1), RETURN(SECCOMP_RET_TRAP));
		break;
	case CALL_IF:
	case CALL_SELF:
		/* A call can have several rows: one that does not fit passes
		 * it on as it came. */
		ADD(p, UNLESS_SKIP(c->number, 5),
		    LOAD(program_arg(c->arg)), AND(mask),
		    UNLESS_SKIP(value, 1), RETURN(SECCOMP_RET_ALLOW),
		    LOAD_NUMBER);
		break;
	}
}

/*
 * No filter can look at what clone3 is asked for, so it must not be; glibc then
 * takes clone. It asks for every thread, and what the other filter refuses is
 * logged: that would be four lines in the kernel's log for every worker.
 */
static void
program_make_quiet(struct program *p)
{
	p->n = 0;
	ADD(p, LOAD_NUMBER, UNLESS_SKIP(SYS_clone3, 1),
	    RETURN(SECCOMP_RET_ERRNO | ENOSYS), RETURN(SECCOMP_RET_ALLOW));
}

static void
program_make(struct program *p)
{
	p->n = 0;
	/* The same number means another call in the machine's 32 bit mode. */
	ADD(p, LOAD(offsetof(struct seccomp_data, arch)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0),
	    RETURN(SECCOMP_RET_KILL_PROCESS),
	    LOAD_NUMBER);
	for (size_t i = 0; i < COUNT_OF(filter_calls); i++)
		program_add_call(p, &filter_calls[i]);
	ADD(p, RETURN(SECCOMP_RET_ERRNO | ENOSYS));
}

/* ---- entering ---------------------------------------------------------- */

bool
syscall_filter_is_there(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS; /* Linux 4.14 */

	return FILTER_ARCH != 0 &&
	    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool
program_enter(struct program *p, unsigned flags, struct err *e)
{
	struct sock_fprog program = {
		.len = (unsigned short)p->n, .filter = p->code
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
		return err_sys(e, "cannot filter system calls");
	return true;
}

bool
syscall_filter_enter(struct err *e)
{
	struct program *p = mem_alloc(sizeof *p);
	bool is_in;

	program_make_quiet(p);
	is_in = program_enter(p, 0, e);
	if (is_in) {
		program_make(p);
		is_in = program_enter(p, SECCOMP_FILTER_FLAG_LOG, e);
	}
	mem_free(p);
	return is_in;
}
