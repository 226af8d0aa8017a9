/* Signals as events. The set is blocked and read from a signalfd, so that no
 * handler ever runs in the middle of anything. */
#include "event/signals.h"

#include "base/arena.h"
#include "base/fd.h"

#include <signal.h>
#include <unistd.h>

struct signals {
	struct loop *loop;
	struct io io; /* fd < 0: ended */
	sigset_t set;
	void (*on_signal)(void *arg, int signo);
	void *arg;
	bool is_reading; /* a callback may end us: then memory goes after it */
};

static void
signals_on_ready(struct io *io, unsigned events)
{
	struct signals *s = CONTAINER_OF(io, struct signals, io);
	struct signalfd_siginfo info;

	(void)events;
	s->is_reading = true;
	while (s->io.fd >= 0 && read(s->io.fd, &info, sizeof info) ==
	    (ssize_t)sizeof info)
		s->on_signal(s->arg, (int)info.ssi_signo);
	s->is_reading = false;
	if (s->io.fd < 0)
		mem_free(s);
}

struct signals *
signals_new(struct loop *l, const int *list, size_t n,
    void (*on_signal)(void *arg, int signo), void *arg, struct err *e)
{
	struct signals *s = mem_zalloc(sizeof *s);

	s->loop = l;
	s->on_signal = on_signal;
	s->arg = arg;
	sigemptyset(&s->set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&s->set, list[i]);
	s->io = (struct io){
		.fd = signalfd(-1, &s->set, SFD_CLOEXEC | SFD_NONBLOCK),
		.name = "signals", .ready = signals_on_ready
	};
	if (s->io.fd < 0) {
		err_sys(e, "cannot make a signalfd");
		goto fail;
	}
	if (!loop_add_io(l, &s->io, e))
		goto fail;
	/* Last, so that failing leaves the mask as it was. */
	sigprocmask(SIG_BLOCK, &s->set, NULL);
	return s;

fail:
	fd_close(&s->io.fd);
	mem_free(s);
	return NULL;
}

void
signals_end(struct signals *s)
{
	loop_forget_io(s->loop, &s->io);
	fd_close(&s->io.fd);
	sigprocmask(SIG_UNBLOCK, &s->set, NULL);
	if (!s->is_reading)
		mem_free(s);
}
