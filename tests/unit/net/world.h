/* A loop and a net for tests, under a clock that stands still, and sockets on
 * 127.0.0.1 or in pairs whose other end is the test's. */
#ifndef TESTS_NET_WORLD_H
#define TESTS_NET_WORLD_H

#include "net/conn.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
	struct loop_stats loop_stats;
	struct net_stats stats;
	struct loop *loop;
	struct net *net;
	struct arena *arena;
	char dir[32];
};

static inline int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	clock_fake_start(1000000, 1700000000);
	w->loop = loop_new(&w->loop_stats, &e);
	assert_non_null(w->loop);
	w->net = net_new(w->loop, NULL, &w->stats);
	w->arena = arena_new();
	strcpy(w->dir, "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

/* The kernel needs a moment between two processes' ends of a socket. */
static inline void
tick(struct world *w)
{
	loop_tick(w->loop, 0);
	poll(NULL, 0, 1);
	loop_tick(w->loop, 0);
}

static inline int
world_close(void **state)
{
	struct world *w = *state;

	tick(w);
	net_end(w->net);
	loop_end(w->loop);
	arena_end(w->arena);
	arena_trim();
	clock_fake_end();
	rmdir(w->dir);
	free(w);
	return 0;
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

static inline struct addr
addr_of(const char *text)
{
	struct addr a;
	struct err e;

	assert_true(addr_parse_listen(str_from(text), &a, &e));
	return a;
}

static inline struct addr
loopback(uint16_t port)
{
	struct addr a = { .len = sizeof a.in };

	a.in.sin_family = AF_INET;
	a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.in.sin_port = htons(port);
	return a;
}

/* A port that nobody has. */
static inline uint16_t
free_port(void)
{
	struct addr a = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, &a.sa, a.len), 0);
	assert_int_equal(getsockname(fd, &a.sa, &a.len), 0);
	close(fd);
	return ntohs(a.in.sin_port);
}

static inline int
listen_on(struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, &a->sa, a->len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, &a->sa, &a->len), 0);
	return fd;
}

/* A blocking connection to A, or -1 with errno. */
static inline int
connect_to(const struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);

	if (connect(fd, &a->sa, a->len) == 0)
		return fd;
	close(fd);
	return -1;
}

#endif
