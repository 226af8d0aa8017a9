/* A worker's listener on loopback sockets. */
#include "world.h"

/* accept4 can be made to fail; the real one is called otherwise. */
static int accept_error;
static int test_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
#define accept4 test_accept4
#include "net/listener.c"
#undef accept4

#include "base/fd.h"
#include "conf/load.h"

#include <sys/resource.h>

static int
test_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (accept_error != 0) {
		errno = accept_error;
		return -1;
	}
	return accept4(fd, sa, len, flags);
}

struct taker {
	unsigned taken;
	bool closes; /* the listener, from inside its callback */
	struct peer peer;
	int flags;
};

static void
on_accept(struct listener *l, int fd, const struct peer *peer)
{
	struct taker *t = listener_arg(l);

	t->taken++;
	t->peer = *peer;
	t->flags = fcntl(fd, F_GETFL);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	if (t->closes)
		listener_close(l);
}

struct place {
	struct addr addr;
	struct endpoint ep;
	int fd;
	struct listener *l;
	struct taker taker;
};

static void
place_open(struct world *w, struct place *p, struct addr a)
{
	struct err e;

	*p = (struct place){ .addr = a };
	p->fd = listen_on(&p->addr);
	fd_set_nonblocking(p->fd, true);
	p->ep = (struct endpoint){ .addr = p->addr, .text = "here" };
	p->l = listener_open(w->net, &p->ep, p->fd, on_accept, &p->taker, &e);
	assert_non_null(p->l);
	assert_ptr_equal(listener_endpoint(p->l), &p->ep);
}

static void
place_close(struct world *w, struct place *p)
{
	if (!p->taker.closes)
		listener_close(p->l);
	tick(w);
	close(p->fd);
	accept_error = 0;
}

static void
a_connection_is_handed_on_with_its_peer(void **state)
{
	struct world *w = *state;
	struct place p;
	int fd;

	place_open(w, &p, loopback(0));
	fd = connect_to(&p.addr);
	tick(w);
	assert_int_equal(p.taker.taken, 1);
	assert_int_equal(p.taker.peer.family, AF_INET);
	assert_int_equal(p.taker.peer.ip[0], 127);
	assert_true(p.taker.peer.port > 0);
	assert_true(p.taker.flags & O_NONBLOCK);
	assert_int_equal(w->stats.accepted, 1);
	close(fd);
	place_close(w, &p);
}

static void
a_unix_peer_has_no_address(void **state)
{
	struct world *w = *state;
	struct place p;
	int fd;

	place_open(w, &p, addr_of(arena_printf(w->arena, "unix:%s/s",
	    w->dir)));
	fd = connect_to(&p.addr);
	tick(w);
	assert_int_equal(p.taker.taken, 1);
	assert_int_equal(p.taker.peer.family, AF_UNIX);
	close(fd);
	unlink(p.addr.un.sun_path);
	place_close(w, &p);
}

static void
a_turn_is_bounded_and_the_rest_comes_in_the_next(void **state)
{
	struct world *w = *state;
	struct place p;
	int fd[100];

	place_open(w, &p, loopback(0));
	assert_int_equal(listen(p.fd, 128), 0);
	for (int i = 0; i < 100; i++)
		fd[i] = connect_to(&p.addr);
	loop_tick(w->loop, 0);
	assert_int_equal(p.taker.taken, ACCEPT_MAX);
	loop_tick(w->loop, 0);
	assert_int_equal(p.taker.taken, 100);
	for (int i = 0; i < 100; i++)
		close(fd[i]);
	place_close(w, &p);
}

static void
without_descriptors_it_looks_away_and_comes_back(void **state)
{
	struct world *w = *state;
	struct rlimit old, none;
	struct place p;
	int fd;

	place_open(w, &p, loopback(0));
	fd = connect_to(&p.addr);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	loop_tick(w->loop, 0);
	/* No busy loop: it is not even watched. */
	for (int i = 0; i < 10; i++)
		loop_tick(w->loop, 0);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(w->stats.accept_failed, 1);
	assert_int_equal(p.taker.taken, 0);

	clock_fake_advance(PAUSE);
	tick(w);
	tick(w);
	assert_int_equal(p.taker.taken, 1);
	close(fd);
	place_close(w, &p);
}

static void
what_failed_in_the_queue_is_skipped(void **state)
{
	static const int errors[] = {
		ECONNABORTED, EINTR, EPROTO, ENETUNREACH, EPERM
	};
	struct world *w = *state;
	struct place p;
	int fd;

	place_open(w, &p, loopback(0));
	fd = connect_to(&p.addr);
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		accept_error = errors[i];
		loop_tick(w->loop, 0);
	}
	accept_error = 0;
	assert_int_equal(w->stats.accept_failed, 0);
	tick(w);
	assert_int_equal(p.taker.taken, 1);
	close(fd);
	place_close(w, &p);
}

static void
a_socket_that_was_ended_is_not_looked_at_again(void **state)
{
	struct world *w = *state;
	struct place p;
	uint64_t events;

	place_open(w, &p, loopback(0));
	shutdown(p.fd, SHUT_RDWR); /* as the master does */
	tick(w);
	events = w->loop_stats.events;
	tick(w);
	clock_fake_advance(10 * PAUSE);
	tick(w);
	assert_int_equal(w->loop_stats.events, events);
	assert_int_equal(w->stats.accept_failed, 0);
	place_close(w, &p);
}

static void
a_listener_may_close_inside_its_callback(void **state)
{
	struct world *w = *state;
	struct place p;
	int a, b, left;

	place_open(w, &p, loopback(0));
	p.taker.closes = true;
	a = connect_to(&p.addr);
	b = connect_to(&p.addr);
	tick(w);
	assert_int_equal(p.taker.taken, 1);
	/* What waits is left for others. */
	left = accept4(p.fd, NULL, NULL, 0);
	assert_true(left >= 0);
	close(left);
	close(a);
	close(b);
	place_close(w, &p);
}

static void
a_listener_may_close_while_it_looks_away(void **state)
{
	struct world *w = *state;
	struct place p;
	int fd;

	place_open(w, &p, loopback(0));
	fd = connect_to(&p.addr);
	accept_error = EMFILE;
	tick(w);
	assert_int_equal(w->stats.accept_failed, 1);
	place_close(w, &p);
	clock_fake_advance(10 * PAUSE);
	tick(w);
	assert_int_equal(p.taker.taken, 0);
	close(fd);
}

static void
its_settings_have_defaults(void **state)
{
	struct world *w = *state;
	struct conf_load *load = conf_load_new(w->arena, &conf_source_disk);
	const struct listen_conf *c = conf_defaults(load, &listen_schema);

	assert_int_equal(c->backlog, 4096);
	assert_int_equal(c->steer, STEER_BALANCED);
	assert_true(c->reuse);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_handed_on_with_its_peer),
		TEST(a_unix_peer_has_no_address),
		TEST(a_turn_is_bounded_and_the_rest_comes_in_the_next),
		TEST(without_descriptors_it_looks_away_and_comes_back),
		TEST(what_failed_in_the_queue_is_skipped),
		TEST(a_socket_that_was_ended_is_not_looked_at_again),
		TEST(a_listener_may_close_inside_its_callback),
		TEST(a_listener_may_close_while_it_looks_away),
		TEST(its_settings_have_defaults)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
