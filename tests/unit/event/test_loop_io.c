/*
 * Descriptors of a loop: what is reported and how often, who hears nothing any
 * more, and where objects die.
 */
#include "event/loop_world.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* ---- descriptors ------------------------------------------------------- */

static void
readiness_is_reported_once_per_change(void **state)
{
	struct pipe_io p;

	(void)state;
	pipe_open(&p, "p");
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 0);
	pipe_write(&p);
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 1);
	assert_true(p.events & EPOLLIN);
	/* Nobody read, yet it is not said again: edge-triggered. */
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 1);
	pipe_write(&p);
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 2);
	fd_close(&p.write_fd);
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 3);
	assert_true(p.events & EPOLLHUP);
	assert_int_equal(stats.events, 3);
	pipe_close(&p);
}

static void
sockets_tell_both_directions_and_the_end(void **state)
{
	struct pipe_io p = {
		.io = {.name = "socket", .ready = pipe_on_ready}
	};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p.io.fd = fds[0];
	p.write_fd = fds[1];
	assert_true(loop_add_io(loop, &p.io, NULL));
	loop_tick(loop, 0);
	assert_int_equal(p.events, EPOLLOUT);
	pipe_write(&p);
	loop_tick(loop, 0);
	assert_int_equal(p.events, EPOLLIN | EPOLLOUT);
	shutdown(fds[1], SHUT_WR);
	loop_tick(loop, 0);
	assert_true(p.events & EPOLLRDHUP);
	pipe_close(&p);
}

static void
what_cannot_be_watched_is_an_error(void **state)
{
	struct io io = {.fd = -1, .ready = io_note};
	struct err e = {""};

	(void)state;
	assert_false(loop_add_io(loop, &io, &e));
	assert_string_equal(e.text,
	    "cannot watch a descriptor: bad file descriptor");
	loop_forget_io(loop, &io); /* harmless */
}

static struct pipe_io batch[4];

static void
forget_the_others(struct io *io, unsigned events)
{
	io_note(io, events);
	for (size_t i = 0; i < COUNT_OF(batch); i++)
		if (&batch[i].io != io)
			loop_forget_io(loop, &batch[i].io);
}

static void
a_forgotten_io_hears_nothing_of_what_epoll_has_reported(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	const char *who;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(batch); i++) {
		pipe_open(&batch[i], names[i]);
		batch[i].io.ready = forget_the_others;
		pipe_write(&batch[i]);
	}
	loop_tick(loop, 0);
	/* All four were ready; whoever came first silenced the rest. */
	assert_int_equal(stats.events, 4);
	who = ran();
	assert_int_equal(strlen(who), 2);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
	for (size_t i = 0; i < COUNT_OF(batch); i++)
		pipe_close(&batch[i]);
}

static void
forget_myself(struct io *io, unsigned events)
{
	io_note(io, events);
	loop_forget_io(loop, io);
}

static void
an_io_may_forget_itself_and_its_descriptor_stays_open(void **state)
{
	struct pipe_io p;
	char c;

	(void)state;
	pipe_open(&p, "p");
	p.io.ready = forget_myself;
	pipe_write(&p);
	loop_tick(loop, 0);
	pipe_write(&p);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "p ");
	assert_int_equal(read(p.io.fd, &c, 1), 1);
	/* Registered again, it hears of what is there. */
	assert_true(loop_add_io(loop, &p.io, NULL));
	loop_tick(loop, 0);
	assert_string_equal(ran(), "p ");
	pipe_close(&p);
}

/* ---- death ------------------------------------------------------------- */

/* An object as they are closed: heap memory that its own callbacks close. */
struct mortal {
	struct pipe_io pipe;
	struct timer timer;
	struct task reap;
};

static void
mortal_on_reap(struct task *t)
{
	note(t->name);
	mem_free(CONTAINER_OF(t, struct mortal, reap));
}

static void
mortal_close(struct mortal *m)
{
	pipe_close(&m->pipe);
	timer_stop(loop, &m->timer);
	loop_reap(loop, &m->reap);
}

static void
mortal_on_ready(struct io *io, unsigned events)
{
	struct mortal *m = CONTAINER_OF(io, struct mortal, pipe.io);

	io_note(io, events);
	mortal_close(m);
	/* Still here: an address sanitizer would know. */
	assert_string_equal(m->pipe.io.name, "close");
	mortal_close(m);
}

static void
objects_die_in_the_closing_stage_only(void **state)
{
	struct mortal *m = mem_zalloc(sizeof *m);
	struct task check = {.name = "check", .run = task_note};

	(void)state;
	pipe_open(&m->pipe, "close");
	m->pipe.io.ready = mortal_on_ready;
	m->timer.expired = timer_note;
	m->reap = (struct task){.name = "reap", .run = mortal_on_reap};
	timer_start(loop, &m->timer, 10);
	pipe_write(&m->pipe);
	loop_defer(loop, &check);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "close check reap ");
	clock_fake_advance(100);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "");
}

/* ---- listeners --------------------------------------------------------- */

static void
a_listener_is_reported_until_it_is_emptied(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t n = sizeof at;
	struct pipe_io p = {
		.io = {.name = "listener", .ready = pipe_on_ready}
	};
	int client = socket(AF_INET, SOCK_STREAM, 0), taken;

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p.io.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	p.write_fd = -1;
	assert_int_equal(bind(p.io.fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(p.io.fd, 5), 0);
	getsockname(p.io.fd, (struct sockaddr *)&at, &n);
	assert_true(loop_add_listener(loop, &p.io, NULL));
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, n), 0);
	/* Level-triggered: who accepts a few per tick is told again. */
	for (unsigned i = 1; i <= 3; i++) {
		loop_tick(loop, 0);
		assert_int_equal(p.calls, i);
		assert_int_equal(p.events, EPOLLIN);
	}
	taken = accept(p.io.fd, NULL, NULL);
	assert_true(taken >= 0);
	loop_tick(loop, 0);
	assert_int_equal(p.calls, 3);
	close(taken);
	close(client);
	pipe_close(&p);
}

/* The kernel refuses to modify what was added with EPOLLEXCLUSIVE, which tells
 * that it was. */
static void
a_listener_wakes_one_loop_of_many(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct pipe_io p;

	(void)state;
	pipe_open(&p, "p");
	assert_int_equal(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, p.io.fd, &ev),
	    0);
	loop_forget_io(loop, &p.io);
	assert_true(loop_add_listener(loop, &p.io, NULL));
	assert_int_equal(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, p.io.fd, &ev),
	    -1);
	assert_int_equal(errno, EINVAL);
	pipe_close(&p);
}

static struct io *told_last;

static void
io_ask(struct io *io, unsigned events)
{
	(void)events;
	note(io->name);
	if (loop_owes(loop, told_last))
		note("owed");
}

static void
it_knows_whom_it_has_yet_to_tell(void **state)
{
	struct pipe_io first, last;
	uint64_t polls = loop_polls(loop);

	(void)state;
	pipe_open(&first, "first");
	pipe_open(&last, "last");
	first.io.ready = io_ask;
	told_last = &last.io;
	assert_false(loop_owes(loop, &last.io));
	pipe_write(&first);
	pipe_write(&last);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "first owed last ");
	assert_false(loop_owes(loop, &last.io));
	assert_int_equal(loop_polls(loop), polls + 1);
	pipe_write(&first);
	loop_tick(loop, 0);
	assert_string_equal(ran(), "first ");
	pipe_close(&first);
	pipe_close(&last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readiness_is_reported_once_per_change),
		TEST(sockets_tell_both_directions_and_the_end),
		TEST(what_cannot_be_watched_is_an_error),
		TEST(a_forgotten_io_hears_nothing_of_what_epoll_has_reported),
		TEST(an_io_may_forget_itself_and_its_descriptor_stays_open),
		TEST(objects_die_in_the_closing_stage_only),
		TEST(a_listener_is_reported_until_it_is_emptied),
		TEST(a_listener_wakes_one_loop_of_many),
		TEST(it_knows_whom_it_has_yet_to_tell)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
