/*
 * Threads for what would block the loop. One mutex guards the queue between
 * the loop's thread and these; nothing else is shared. Finished jobs wait on a
 * list that the loop takes whole when the eventfd wakes it.
 */
#include "event/pool.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/panic.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pool {
	struct loop *loop;
	struct io wake;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct list queued, finished; /* under the mutex */
	bool ending;                  /* likewise; set by the loop */
	uint64_t wait_us;             /* likewise; moved to stats by the loop */
	size_t busy, limit;           /* the loop's own */
	struct pool_stats *stats;
	unsigned n_threads;
	pthread_t threads[];
};

static const struct counter_row pool_rows[] = {
	COUNTER(pool_stats, jobs, COUNTER_TOTAL, "weir_pool_jobs_total",
	    "Jobs that were given to the threads."),
	COUNTER(pool_stats, refused, COUNTER_TOTAL,
	    "weir_pool_jobs_refused_total",
	    "Jobs that found the queue full."),
	COUNTER(pool_stats, wait_us, COUNTER_TOTAL,
	    "weir_pool_wait_microseconds_total",
	    "Time that jobs waited for a thread."),
	COUNTER_END
};

const struct counter_set pool_counters = {
	.name = "pool", .size = sizeof(struct pool_stats), .rows = pool_rows
};

static void
pool_wake_loop(struct pool *p)
{
	uint64_t one = 1;

	/* Full means that a wake is under way already. */
	while (write(p->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
		continue;
}

static void *
pool_thread(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->mutex);
	for (;;) {
		struct list *n;
		struct job *j;

		while ((n = list_pop_front(&p->queued)) == NULL && !p->ending)
			pthread_cond_wait(&p->work, &p->mutex);
		if (n == NULL)
			break;
		j = LIST_ITEM(n, struct job, link);
		p->wait_us += clock_precise_us() - j->queued_us;
		pthread_mutex_unlock(&p->mutex);

		j->run(j);

		pthread_mutex_lock(&p->mutex);
		list_push_back(&p->finished, &j->link);
		pool_wake_loop(p);
	}
	pthread_mutex_unlock(&p->mutex);
	arena_trim();
	return NULL;
}

static void
pool_collect(struct pool *p)
{
	struct list done, *n;

	list_init(&done);
	pthread_mutex_lock(&p->mutex);
	list_splice(&done, &p->finished);
	p->stats->wait_us += p->wait_us;
	p->wait_us = 0;
	pthread_mutex_unlock(&p->mutex);
	while ((n = list_pop_front(&done)) != NULL) {
		struct job *j = LIST_ITEM(n, struct job, link);

		p->busy--;
		j->done(j);
	}
}

static void
pool_on_wake(struct io *io, unsigned events)
{
	struct pool *p = CONTAINER_OF(io, struct pool, wake);
	uint64_t count;

	(void)events;
	while (read(p->wake.fd, &count, sizeof count) < 0 && errno == EINTR)
		continue;
	pool_collect(p);
}

/*
 * Threads take no signals: those are the loop's. Except those that a thread
 * causes itself: blocked, they would kill the process without a report.
 */
static bool
pool_start_threads(struct pool *p, unsigned threads, struct err *e)
{
	static const int own[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT
	};
	sigset_t blocked, before;
	int status = 0;

	sigfillset(&blocked);
	for (size_t i = 0; i < COUNT_OF(own); i++)
		sigdelset(&blocked, own[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	while (p->n_threads < threads && status == 0) {
		status = pthread_create(&p->threads[p->n_threads], NULL,
		    pool_thread, p);
		if (status == 0)
			p->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (status == 0)
		return true;
	errno = status;
	return err_sys(e, "cannot start a thread");
}

struct pool *
pool_new(struct loop *l, unsigned threads, size_t queue_limit,
    struct pool_stats *stats, struct err *e)
{
	struct pool *p;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0) {
		err_sys(e, "cannot make an eventfd");
		return NULL;
	}
	p = mem_zalloc(sizeof *p + threads * sizeof p->threads[0]);
	p->loop = l;
	p->stats = stats;
	p->limit = queue_limit;
	p->wake = (struct io){
		.fd = fd, .name = "pool", .ready = pool_on_wake
	};
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->work, NULL);
	list_init(&p->queued);
	list_init(&p->finished);
	if (!loop_add_io(l, &p->wake, e) ||
	    !pool_start_threads(p, threads, e)) {
		pool_end(p);
		return NULL;
	}
	return p;
}

void
pool_end(struct pool *p)
{
	pthread_mutex_lock(&p->mutex);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->mutex);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	pool_collect(p);
	loop_forget_io(p->loop, &p->wake);
	fd_close(&p->wake.fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->mutex);
	mem_free(p);
}

bool
pool_submit(struct pool *p, struct job *j)
{
	/* At the end there is no thread left to run it. */
	if (p->busy >= p->limit || p->ending) {
		p->stats->refused++;
		return false;
	}
	p->busy++;
	p->stats->jobs++;
	j->queued_us = clock_precise_us();
	pthread_mutex_lock(&p->mutex);
	list_push_back(&p->queued, &j->link);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->mutex);
	return true;
}

unsigned
pool_threads(const struct pool *p)
{
	return p->n_threads;
}

size_t
pool_busy(const struct pool *p)
{
	return p->busy;
}
