/* The master's listening sockets over generations, with real sockets. */
#include "world.h"

#include "net/listener.h"

#include <sys/stat.h>
#include <sys/wait.h>

static const struct listen_conf usual = { .backlog = 64, .reuse = true };
static const struct listen_conf by_client = {
	.backlog = 64, .reuse = true, .steer = STEER_CLIENT
};
static const struct listen_conf single = { .backlog = 64, .reuse = false };

static struct endpoint
endpoint(struct world *w, struct addr a, const struct listen_conf *conf)
{
	struct buf b = buf_in(w->arena);

	addr_format(&b, &a);
	buf_chr(&b, '\0');
	return (struct endpoint){ .addr = a, .text = b.p, .conf = conf };
}

static struct endpoint
unix_endpoint(struct world *w)
{
	return endpoint(w, addr_of(arena_printf(w->arena, "unix:%s/s",
	    w->dir)), &usual);
}

/* A generation that names EP alone, and serves. */
static void
serve(struct listen_set *s, struct endpoint *ep, size_t n)
{
	struct err e = { "" };

	listen_set_begin(s);
	if (!listen_set_open(s, ep, n, &e))
		fail_msg("%s", e.text);
	listen_set_sweep(s);
}

/* Which of EP's sockets a connection waits in; it is accepted. -1: none. */
static int
waiting_in(const struct endpoint *ep)
{
	struct pollfd p[16];

	assert_true(ep->n_fds <= 16);
	for (size_t i = 0; i < ep->n_fds; i++)
		p[i] = (struct pollfd){ .fd = ep->fds[i], .events = POLLIN };
	if (poll(p, ep->n_fds, 1000) <= 0)
		return -1;
	for (size_t i = 0; i < ep->n_fds; i++)
		if (p[i].revents & POLLIN) {
			close(accept4(p[i].fd, NULL, NULL, 0));
			return (int)i;
		}
	return -1;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
every_worker_gets_a_socket(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	unsigned got[3] = { 0 };

	serve(s, &ep, 3);
	assert_int_equal(ep.n_fds, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(option(ep.fds[i], SOL_SOCKET, SO_ACCEPTCONN));
		assert_true(option(ep.fds[i], IPPROTO_TCP, 1 /* NODELAY */));
		assert_true(fcntl(ep.fds[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(ep.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	for (int i = 0; i < 60; i++) {
		int fd = connect_to(&ep.addr), which;

		assert_true(fd >= 0);
		which = waiting_in(&ep);
		assert_true(which >= 0);
		got[which]++;
		close(fd);
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(got[i] > 0);
	listen_set_end(s);
	assert_int_equal(connect_to(&ep.addr), -1);
}

static void
without_reuse_all_share_one_socket(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &single);

	serve(s, &ep, 4);
	assert_int_equal(ep.n_fds, 1);
	listen_set_end(s);
}

static void
a_taken_port_is_refused_by_name(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct addr a = loopback(0);
	int other = listen_on(&a);
	struct endpoint ep = endpoint(w, a, &usual);
	char want[128];
	struct err e;

	snprintf(want, sizeof want, "listen 127.0.0.1:%u: cannot bind: "
	    "address already in use; `ss -ltnp` names who listens there",
	    ntohs(a.in.sin_port));
	listen_set_begin(s);
	assert_false(listen_set_open(s, &ep, 2, &e));
	assert_string_equal(e.text, want);
	listen_set_rollback(s);
	listen_set_end(s);
	close(other);
}

static void
a_second_instance_is_refused_too(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new(), *second = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	struct endpoint again = ep;
	struct err e;

	serve(s, &ep, 2);
	listen_set_begin(second);
	assert_false(listen_set_open(second, &again, 2, &e));
	assert_non_null(strstr(e.text, "address already in use"));
	listen_set_rollback(second);
	listen_set_end(second);
	listen_set_end(s);
}

static void
an_address_may_stand_beside_the_wildcard_of_its_port(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct addr any = loopback(free_port());
	struct endpoint one = endpoint(w, any, &usual), all;
	struct err e;

	any.in.sin_addr.s_addr = INADDR_ANY;
	all = endpoint(w, any, &usual);
	listen_set_begin(s);
	assert_true(listen_set_open(s, &all, 2, &e));
	assert_true(listen_set_open(s, &one, 2, &e));
	listen_set_sweep(s);
	listen_set_end(s);
}

static void
a_bare_port_is_ipv4_too(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct addr v4 = loopback(free_port());
	struct endpoint ep = endpoint(w, addr_of(arena_printf(w->arena, "%u",
	    ntohs(v4.in.sin_port))), &usual);
	int fd;

	serve(s, &ep, 1);
	fd = connect_to(&v4);
	assert_true(fd >= 0);
	close(fd);
	listen_set_end(s);
}

static void
a_kept_address_keeps_its_sockets_and_what_waits_in_them(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	struct endpoint next = ep;
	int fd, fds[2];

	serve(s, &ep, 2);
	memcpy(fds, ep.fds, sizeof fds);
	fd = connect_to(&ep.addr);
	serve(s, &next, 2);
	assert_int_equal(next.n_fds, 2);
	assert_memory_equal(next.fds, fds, sizeof fds);
	assert_true(waiting_in(&next) >= 0);
	close(fd);
	listen_set_end(s);
}

static void
an_address_that_nobody_names_is_ended_by_the_sweep(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint a = endpoint(w, loopback(free_port()), &usual);
	struct endpoint b = endpoint(w, loopback(free_port()), &usual);
	struct err e;
	int fd, held;

	serve(s, &a, 2);
	/* A worker of the old generation still has it. */
	held = dup(a.fds[0]);
	listen_set_begin(s);
	assert_true(listen_set_open(s, &b, 2, &e));
	fd = connect_to(&a.addr);
	assert_true(fd >= 0);
	close(fd);
	listen_set_sweep(s);
	assert_int_equal(connect_to(&a.addr), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(held);
	listen_set_end(s);
}

static void
a_rollback_leaves_what_was_there(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint a = endpoint(w, loopback(free_port()), &usual);
	struct endpoint b = endpoint(w, loopback(free_port()), &usual);
	struct endpoint more = a;
	struct err e;
	int fds[2], fd, held;

	serve(s, &a, 2);
	memcpy(fds, a.fds, sizeof fds);
	listen_set_begin(s);
	assert_true(listen_set_open(s, &b, 2, &e));
	assert_true(listen_set_open(s, &more, 4, &e));
	assert_int_equal(more.n_fds, 4);
	assert_memory_equal(a.fds, fds, sizeof fds);
	held = dup(more.fds[3]);
	listen_set_rollback(s);

	assert_int_equal(connect_to(&b.addr), -1);
	assert_false(option(held, SOL_SOCKET, SO_ACCEPTCONN));
	assert_memory_equal(a.fds, fds, sizeof fds);
	for (int i = 0; i < 20; i++) {
		fd = connect_to(&a.addr);
		assert_true(fd >= 0);
		assert_true(waiting_in(&a) >= 0);
		close(fd);
	}
	close(held);
	listen_set_end(s);
}

static void
a_failed_open_leaves_nothing_new(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint a = endpoint(w, loopback(free_port()), &usual);
	struct addr taken = loopback(0);
	int other = listen_on(&taken);
	struct endpoint b = endpoint(w, taken, &usual);
	struct err e;

	listen_set_begin(s);
	assert_true(listen_set_open(s, &a, 2, &e));
	assert_false(listen_set_open(s, &b, 2, &e));
	listen_set_rollback(s);
	assert_int_equal(connect_to(&a.addr), -1);
	listen_set_end(s);
	close(other);
}

/* N connections go to the first of EP's sockets up to LIMIT, and not beyond. */
static void
expect_only_first(const struct endpoint *ep, int limit)
{
	for (int i = 0; i < 40; i++) {
		int fd = connect_to(&ep->addr), which;

		assert_true(fd >= 0);
		which = waiting_in(ep);
		assert_in_range(which, 0, limit - 1);
		close(fd);
	}
}

static void
new_sockets_are_filled_only_when_their_workers_serve(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	struct endpoint more = ep;
	unsigned beyond = 0;
	struct err e;

	serve(s, &ep, 1);
	listen_set_begin(s);
	assert_true(listen_set_open(s, &more, 3, &e));
	expect_only_first(&more, 1);
	listen_set_sweep(s);
	for (int i = 0; i < 60; i++) {
		int fd = connect_to(&more.addr);

		beyond += waiting_in(&more) > 0;
		close(fd);
	}
	assert_true(beyond > 0);
	listen_set_end(s);
}

static void
what_waits_in_sockets_that_go_is_served_before(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	struct endpoint fewer = ep;
	struct err e;
	int held;

	serve(s, &ep, 4);
	held = dup(ep.fds[3]);
	listen_set_begin(s);
	assert_true(listen_set_open(s, &fewer, 2, &e));
	assert_int_equal(fewer.n_fds, 2);
	/* Until the sweep the old workers have four, but get into two only. */
	expect_only_first(&ep, 2);
	listen_set_sweep(s);
	assert_false(option(held, SOL_SOCKET, SO_ACCEPTCONN));
	expect_only_first(&fewer, 2);
	close(held);
	listen_set_end(s);
}

static int
connect_from(const struct addr *to, uint32_t ip)
{
	struct addr from = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	from.in.sin_addr.s_addr = htonl(ip);
	assert_int_equal(bind(fd, &from.sa, from.len), 0);
	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	return fd;
}

static void
expect_steered(const struct endpoint *ep, struct addr to)
{
	unsigned hit = 0;

	for (uint32_t client = 0x7f000001; client < 0x7f000021; client++) {
		int first = -1;

		for (int i = 0; i < 4; i++) {
			int fd = connect_from(&to, client);
			int which = waiting_in(ep);

			assert_true(which >= 0);
			assert_true(first == -1 || first == which);
			first = which;
			close(fd);
		}
		hit |= 1u << first;
	}
	assert_int_equal(hit, (1u << ep->n_fds) - 1);
}

static void
steering_gives_a_client_always_the_same_socket(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &by_client);
	struct endpoint more = ep, even = ep;

	serve(s, &ep, 4);
	expect_steered(&ep, ep.addr);
	serve(s, &more, 6);
	expect_steered(&more, ep.addr);
	even.conf = &usual;
	serve(s, &even, 4);
	listen_set_end(s);
}

static void
steering_knows_ipv4_and_ipv6_on_one_socket(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	uint16_t port = free_port();
	struct endpoint ep = endpoint(w, addr_of(arena_printf(w->arena, "%u",
	    port)), &by_client);
	struct addr v6 = addr_of(arena_printf(w->arena, "[::1]:%u", port));
	int first = -1;

	serve(s, &ep, 4);
	expect_steered(&ep, loopback(port));
	for (int i = 0; i < 8 && ep.addr.sa.sa_family == AF_INET6; i++) {
		int fd = connect_to(&v6), which;

		if (fd < 0)
			break; /* no IPv6 on the loopback of this machine */
		which = waiting_in(&ep);
		assert_true(which >= 0);
		assert_true(first == -1 || first == which);
		first = which;
		close(fd);
	}
	listen_set_end(s);
}

/* ---- unix sockets ------------------------------------------------------ */

static void
a_unix_path_lives_as_long_as_its_socket(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	int fd;

	serve(s, &ep, 4);
	assert_int_equal(ep.n_fds, 1);
	fd = connect_to(&ep.addr);
	assert_true(fd >= 0);
	close(fd);
	listen_set_begin(s);
	listen_set_sweep(s);
	assert_int_equal(access(ep.addr.un.sun_path, F_OK), -1);
	listen_set_end(s);
}

static void
a_unix_path_is_left_to_a_successor(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);

	serve(s, &ep, 1);
	listen_set_hand_over(s);
	assert_int_equal(access(ep.addr.un.sun_path, F_OK), 0);
	unlink(ep.addr.un.sun_path);
}

static void
a_dead_unix_socket_is_taken_over(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);

	close(listen_on(&ep.addr));
	serve(s, &ep, 1);
	listen_set_end(s);
	assert_int_equal(access(ep.addr.un.sun_path, F_OK), -1);
}

static void
a_unix_socket_that_answers_is_refused(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	int other = listen_on(&ep.addr);
	struct err e;

	listen_set_begin(s);
	assert_false(listen_set_open(s, &ep, 1, &e));
	assert_non_null(strstr(e.text, "cannot bind: address already in use"));
	listen_set_rollback(s);
	listen_set_end(s);
	assert_int_equal(unlink(ep.addr.un.sun_path), 0);
	close(other);
}

/* It cannot be asked by a stream socket, and is not dead for that. */
static void
a_unix_socket_of_another_kind_is_refused(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	int other = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct err e;

	assert_int_equal(bind(other, &ep.addr.sa, ep.addr.len), 0);
	listen_set_begin(s);
	assert_false(listen_set_open(s, &ep, 1, &e));
	assert_non_null(strstr(e.text, "cannot bind: address already in use"));
	listen_set_rollback(s);
	listen_set_end(s);
	assert_int_equal(unlink(ep.addr.un.sun_path), 0);
	close(other);
}

static void
a_path_that_is_no_socket_is_left_alone(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	struct err e;

	close(open(ep.addr.un.sun_path, O_CREAT | O_WRONLY, 0600));
	listen_set_begin(s);
	assert_false(listen_set_open(s, &ep, 1, &e));
	assert_non_null(strstr(e.text, "is not a socket"));
	listen_set_rollback(s);
	listen_set_end(s);
	assert_int_equal(unlink(ep.addr.un.sun_path), 0);
}

static void
only_the_process_that_made_a_path_removes_it(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	int status;
	pid_t pid;

	serve(s, &ep, 1);
	pid = fork();
	if (pid == 0) {
		listen_set_end(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(access(ep.addr.un.sun_path, F_OK), 0);
	listen_set_end(s);
}

static void
a_path_that_is_another_by_now_is_not_removed(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct endpoint ep = unix_endpoint(w);
	int other;

	serve(s, &ep, 1);
	assert_int_equal(unlink(ep.addr.un.sun_path), 0);
	/* So that the new one cannot have the old one's inode number. */
	close(open(arena_printf(w->arena, "%s/x", w->dir), O_CREAT, 0600));
	other = listen_on(&ep.addr);
	listen_set_end(s);
	assert_int_equal(unlink(ep.addr.un.sun_path), 0);
	unlink(arena_printf(w->arena, "%s/x", w->dir));
	close(other);
}

/* ---- over exec --------------------------------------------------------- */

/* What the next binary inherits: the same sockets under other numbers. */
static char *
inherit(struct world *w, struct listen_set *s)
{
	struct str rest = str_from(listen_set_export(s, w->arena)), part;
	struct buf b = buf_in(w->arena);
	uint64_t fd;

	while (str_split(&rest, ';', &part)) {
		assert_true(str_to_u64(part, &fd));
		buf_printf(&b, "%s%d", b.n > 0 ? ";" : "", dup((int)fd));
	}
	buf_chr(&b, '\0');
	return b.p;
}

static void
an_upgrade_hands_the_sockets_over(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new(), *next = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &by_client);
	struct endpoint un = unix_endpoint(w), ep2 = ep, un2 = un;
	struct err e;
	int fd;

	listen_set_begin(s);
	assert_true(listen_set_open(s, &ep, 3, &e));
	assert_true(listen_set_open(s, &un, 3, &e));
	listen_set_sweep(s);
	assert_true(listen_set_adopt(next, inherit(w, s), &e));
	listen_set_begin(next);
	assert_true(listen_set_open(next, &ep2, 3, &e));
	assert_true(listen_set_open(next, &un2, 3, &e));
	listen_set_sweep(next);
	assert_int_equal(ep2.n_fds, 3);
	assert_int_not_equal(ep2.fds[0], ep.fds[0]);
	assert_true(fcntl(ep2.fds[0], F_GETFD) & FD_CLOEXEC);

	fd = connect_to(&ep.addr);
	assert_true(waiting_in(&ep2) >= 0);
	close(fd);
	expect_steered(&ep2, ep.addr);
	/* The new one ends, an upgrade that failed: the old one goes on. */
	listen_set_end(next);
	assert_int_equal(access(un.addr.un.sun_path, F_OK), 0);
	expect_steered(&ep, ep.addr);
	listen_set_end(s);
}

static void
what_an_upgrade_does_not_name_stays_with_the_old_instance(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new(), *next = listen_set_new();
	struct endpoint ep = endpoint(w, loopback(free_port()), &usual);
	struct endpoint fewer = ep, un = unix_endpoint(w);
	struct err e;

	listen_set_begin(s);
	assert_true(listen_set_open(s, &ep, 4, &e));
	assert_true(listen_set_open(s, &un, 1, &e));
	listen_set_sweep(s);
	assert_true(listen_set_adopt(next, inherit(w, s), &e));
	listen_set_begin(next);
	assert_true(listen_set_open(next, &fewer, 2, &e));
	listen_set_sweep(next);
	assert_true(option(ep.fds[3], SOL_SOCKET, SO_ACCEPTCONN));
	assert_int_equal(access(un.addr.un.sun_path, F_OK), 0);
	/* The others are nobody's when the old instance drains. */
	expect_only_first(&ep, 2);
	listen_set_end(next);
	listen_set_end(s);
}

static void
sockets_of_systemd_are_adopted(void **state)
{
	struct world *w = *state;
	struct listen_set *s = listen_set_new();
	struct addr a = loopback(0);
	int fd = listen_on(&a), kept = -1;
	struct endpoint ep = endpoint(w, a, &usual);
	char text[16];
	struct err e;

	if (fcntl(3, F_GETFD) >= 0 && fd != 3)
		kept = fcntl(3, F_DUPFD_CLOEXEC, 10);
	if (fd != 3) {
		assert_int_equal(dup2(fd, 3), 3);
		close(fd);
	}
	snprintf(text, sizeof text, "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_true(listen_set_adopt(s, NULL, &e));
	assert_null(getenv("LISTEN_FDS"));
	serve(s, &ep, 3);
	assert_int_equal(ep.fds[0], 3);
	assert_int_equal(ep.n_fds, 3);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	expect_only_first(&ep, 3);
	listen_set_end(s);
	if (kept >= 0) {
		assert_int_equal(dup2(kept, 3), 3);
		close(kept);
	}
}

static void
variables_for_another_process_are_not_ours(void **state)
{
	struct listen_set *s = listen_set_new();
	struct err e;

	(void)state;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_true(listen_set_adopt(s, NULL, &e));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	listen_set_end(s);
}

static void
what_is_no_listening_socket_is_not_adopted(void **state)
{
	struct listen_set *s = listen_set_new();
	int pair[2];
	char text[16];
	struct err e;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(text, sizeof text, "%d", pair[0]);
	assert_false(listen_set_adopt(s, text, &e));
	assert_non_null(strstr(e.text, "is not a listening socket"));
	assert_false(listen_set_adopt(s, "3x", &e));
	assert_string_equal(e.text, "\"3x\" is not a descriptor");
	assert_false(listen_set_adopt(s, "999999", &e));
	listen_set_end(s);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_worker_gets_a_socket),
		TEST(without_reuse_all_share_one_socket),
		TEST(a_taken_port_is_refused_by_name),
		TEST(a_second_instance_is_refused_too),
		TEST(an_address_may_stand_beside_the_wildcard_of_its_port),
		TEST(a_bare_port_is_ipv4_too),
		TEST(a_kept_address_keeps_its_sockets_and_what_waits_in_them),
		TEST(an_address_that_nobody_names_is_ended_by_the_sweep),
		TEST(a_rollback_leaves_what_was_there),
		TEST(a_failed_open_leaves_nothing_new),
		TEST(new_sockets_are_filled_only_when_their_workers_serve),
		TEST(what_waits_in_sockets_that_go_is_served_before),
		TEST(steering_gives_a_client_always_the_same_socket),
		TEST(steering_knows_ipv4_and_ipv6_on_one_socket),
		TEST(a_unix_path_lives_as_long_as_its_socket),
		TEST(a_unix_path_is_left_to_a_successor),
		TEST(a_dead_unix_socket_is_taken_over),
		TEST(a_unix_socket_that_answers_is_refused),
		TEST(a_unix_socket_of_another_kind_is_refused),
		TEST(a_path_that_is_no_socket_is_left_alone),
		TEST(only_the_process_that_made_a_path_removes_it),
		TEST(a_path_that_is_another_by_now_is_not_removed),
		TEST(an_upgrade_hands_the_sockets_over),
		TEST(what_an_upgrade_does_not_name_stays_with_the_old_instance),
		TEST(sockets_of_systemd_are_adopted),
		TEST(variables_for_another_process_are_not_ours),
		TEST(what_is_no_listening_socket_is_not_adopted)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
