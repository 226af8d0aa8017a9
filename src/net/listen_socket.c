/*
 * How a listening socket is made, shared among workers, and ended. Knows one
 * socket at a time; which ones there are is net/listen_set.c's.
 */
#include "net/listen_socket.h"

#include "base/fd.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_DETACH_REUSEPORT_BPF /* since Linux 5.3 */
#define SO_DETACH_REUSEPORT_BPF 68
#endif

/* ---- making ------------------------------------------------------------ */

/*
 * A path that exists is taken over only from a socket that nobody listens on:
 * what a process leaves behind that was killed.
 */
static bool
listen_socket_clear_path(const struct addr *a, struct err *e)
{
	struct stat st;
	bool is_dead;
	int fd;

	if (lstat(a->un.sun_path, &st) != 0)
		return true; /* bind(2) has the words for the rest */
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, "cannot bind: the path exists and is not a "
		    "socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "cannot make a socket");
	is_dead = connect(fd, &a->sa, a->len) != 0 && errno == ECONNREFUSED;
	close(fd);
	if (!is_dead) {
		errno = EADDRINUSE;
		return err_sys(e, "cannot bind");
	}
	if (unlink(a->un.sun_path) != 0 && errno != ENOENT)
		return err_sys(e, "cannot remove the stale socket");
	return true;
}

/* bind(2) has refused: why, and what to do about it. */
static bool
listen_socket_refused(struct err *e)
{
	const char *advice =
	    errno == EADDRINUSE ? "; `ss -ltnp` names who listens there" :
	    errno == EACCES ? "; a port below 1024 needs root or "
	    "CAP_NET_BIND_SERVICE" :
	    errno == EADDRNOTAVAIL ? "; `ip address` lists those of this "
	    "machine" : "";
	struct err why;

	err_sys(&why, "cannot bind");
	return err_set(e, "%s%s", why.text, advice);
}

static bool
listen_socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool
listen_socket_prepare(int fd, const struct addr *a, struct err *e)
{
	if (!listen_socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return err_sys(e, "cannot set SO_REUSEADDR");
	/* Accepted connections inherit it: no system call for each. */
	if (!listen_socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1))
		return err_sys(e, "cannot set TCP_NODELAY");
	/* "80" means IPv4 too, whatever net.ipv6.bindv6only says. */
	if (a->sa.sa_family == AF_INET6 &&
	    !listen_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY,
	        !IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)))
		return err_sys(e, "cannot set IPV6_V6ONLY");
	return true;
}

static bool
listen_socket_bind(int fd, const struct addr *a, enum listen_company company,
    struct err *e)
{
	bool is_inet = a->sa.sa_family != AF_UNIX;

	if (is_inet && !listen_socket_prepare(fd, a, e))
		return false;
	if (is_inet && company == LISTEN_JOINS &&
	    !listen_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return err_sys(e, "cannot set SO_REUSEPORT");
	if (bind(fd, &a->sa, a->len) != 0)
		return is_inet ? listen_socket_refused(e) :
		    err_sys(e, "cannot bind");
	return true;
}

/*
 * The first socket of a port gets SO_REUSEPORT only when it listens: with it,
 * a second instance of the same user would silently share the connections of
 * the first instead of being refused.
 */
static bool
listen_socket_listen(int fd, const struct addr *a, enum listen_company company,
    int64_t backlog, struct err *e)
{
	if (listen(fd, (int)backlog) != 0)
		return err_sys(e, "cannot listen");
	if (a->sa.sa_family != AF_UNIX && company == LISTEN_ALONE &&
	    !listen_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return err_sys(e, "cannot set SO_REUSEPORT");
	return true;
}

int
listen_socket_open(const struct addr *a, enum listen_company company,
    int64_t backlog, struct err *e)
{
	bool is_bound = false;
	int fd;

	if (a->sa.sa_family == AF_UNIX && !listen_socket_clear_path(a, e))
		return -1;
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err_sys(e, "cannot make a socket");
		return -1;
	}
	if (!listen_socket_bind(fd, a, company, e))
		goto fail;
	is_bound = true;
	if (!listen_socket_listen(fd, a, company, backlog, e))
		goto fail;
	return fd;

fail:
	if (is_bound && a->sa.sa_family == AF_UNIX)
		(void)unlink(a->un.sun_path);
	close(fd);
	return -1;
}

/*
 * Children of an older generation may still have a descriptor. Were the socket
 * only closed here, it would go on listening, and what the kernel puts into
 * its queue would wait for nobody.
 */
void
listen_socket_end(int fd)
{
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
}

/* ---- sharing ----------------------------------------------------------- */

static bool
listen_socket_attach(int fd, struct sock_filter *code, size_t n)
{
	struct sock_fprog program = {
		.len = (unsigned short)n, .filter = code
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
	    sizeof program) == 0;
}

/*
 * The program answers the index of a socket, in the order in which they began
 * to listen. It sees the packet that opens the connection; what it is given
 * begins after the TCP header, so the addresses are loaded relative to the
 * network header (SKF_NET_OFF). A socket of [::] gets IPv4 packets too, hence
 * the look at the version. All four words of an IPv6 address are folded into
 * one; the multiplication (2^32 / golden ratio) spreads neighbours.
 */
static bool
listen_socket_steer_by_client(int fd, uint32_t n)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0),
		/* IPv4 (RFC 791 section 3.1): the source is at 12. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 12),
		BPF_STMT(BPF_JMP | BPF_JA, 10),
		/* IPv6 (RFC 8200 section 3): the source is at 8 to 23. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 8),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 12),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 16),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 20),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		BPF_STMT(BPF_RET | BPF_A, 0)
	};

	return listen_socket_attach(fd, code, COUNT_OF(code));
}

static bool
listen_socket_steer_evenly(int fd, uint32_t n)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
		BPF_STMT(BPF_RET | BPF_A, 0)
	};

	return listen_socket_attach(fd, code, COUNT_OF(code));
}

bool
listen_socket_steer(int fd, enum listen_steer steer, size_t n, size_t total)
{
	int none = 0;

	if (steer == STEER_CLIENT)
		return listen_socket_steer_by_client(fd, (uint32_t)n);
	if (n < total)
		return listen_socket_steer_evenly(fd, (uint32_t)n);
	/* Without a program the kernel spreads by a hash of both ends. */
	return setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none,
	    sizeof none) == 0 || errno == ENOENT ||
	    listen_socket_steer_evenly(fd, (uint32_t)n);
}
