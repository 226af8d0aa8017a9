/*
 * A loop in a test: on a clock that stands still, with callbacks that note
 * their names in the order in which they ran.
 */
#ifndef TESTS_EVENT_LOOP_WORLD_H
#define TESTS_EVENT_LOOP_WORLD_H

#include "event/loop.c"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct loop *loop;
static struct loop_stats stats;
static char order[256]; /* names of what ran */

static inline int
set_up(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof stats);
	order[0] = '\0';
	clock_fake_start(1000000, 784111777);
	loop = loop_new(&stats, NULL);
	return loop != NULL ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	(void)state;
	loop_end(loop);
	clock_fake_end();
	return 0;
}

static inline void
note(const char *name)
{
	size_t n = strlen(order);

	snprintf(order + n, sizeof order - n, "%s ", name);
}

/* What ran since the last call. */
static inline const char *
ran(void)
{
	static char text[sizeof order];

	memcpy(text, order, sizeof order);
	order[0] = '\0';
	return text;
}
/* ---- things that run --------------------------------------------------- */

static inline void
task_note(struct task *t)
{
	note(t->name);
}

static inline void
timer_note(struct timer *t)
{
	note(t->name);
}

static inline void
io_note(struct io *io, unsigned events)
{
	(void)events;
	note(io->name);
}

/* A pipe whose reading end is watched. */
struct pipe_io {
	struct io io;
	int write_fd;
	unsigned events; /* of the last call */
	unsigned calls;
};

static inline void
pipe_on_ready(struct io *io, unsigned events)
{
	struct pipe_io *p = CONTAINER_OF(io, struct pipe_io, io);

	p->events = events;
	p->calls++;
	note(io->name);
}

static inline void
pipe_open(struct pipe_io *p, const char *name)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	*p = (struct pipe_io){
		.io = {.fd = fds[0], .name = name, .ready = pipe_on_ready},
		.write_fd = fds[1]
	};
	assert_true(loop_add_io(loop, &p->io, NULL));
}

static inline void
pipe_write(struct pipe_io *p)
{
	assert_int_equal(write(p->write_fd, "x", 1), 1);
}

static inline void
pipe_close(struct pipe_io *p)
{
	loop_forget_io(loop, &p->io);
	fd_close(&p->io.fd);
	fd_close(&p->write_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
