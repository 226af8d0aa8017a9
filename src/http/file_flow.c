/*
 * Large files as flows. sendfile(2) of pages that are not in memory blocks the
 * whole worker, so a window is offered only after a look whether its pages are
 * there; if they are not, the pool reads them first and the sink waits. The
 * look is one read of one byte that refuses to wait, at the window's end: files
 * are read ahead in order, so what precedes the last page is rarely missing
 * when that is there, and a wrong guess costs one disk access, not correctness.
 *
 * A file of up to RESIDENT_MAX that was sent whole with all its pages there is
 * not looked at again for RESIDENT_MS: what is sent that often stays in memory.
 * Larger ones are looked at always; next to the copying of a window the look is
 * nothing.
 */
#include "http/file_flow.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#define WINDOW 524288 /* what one turn of a connection sends at most */
#define RESIDENT_MAX (16u << 20)
#define RESIDENT_MS 10000
#define READ_CHUNK 65536 /* on the stack of a pool thread */

struct warm;

struct file_flow {
	struct flow flow;
	struct net *net;
	struct file_stats *stats;
	struct file *file;
	uint64_t off, end;
	uint64_t checked; /* up to here it was seen to be there */
	bool from_start;
	bool was_cold; /* pages were missing */
	struct warm *warm; /* reading in the pool; NULL: no */
};

/* A window that is read in the pool. It may outlive the flow. */
struct warm {
	struct job job;
	struct file_flow *flow; /* NULL: closed meanwhile */
	struct file *file;
	int fd;
	uint64_t from, to;
};

enum presence { PRESENT, ABSENT, CUT };

static enum presence
file_flow_probe(const struct file_flow *ff, uint64_t to)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	ssize_t n = preadv2(ff->file->fd, &iov, 1, (off_t)(to - 1),
	    RWF_NOWAIT);

	if (n == 0)
		return CUT;
	/* Not every file system can tell (EOPNOTSUPP); those that have no
	 * disk never need to. */
	if (n > 0 || ff->file->is_in_memory_fs)
		return PRESENT;
	return ABSENT;
}

static void
warm_run(struct job *j)
{
	struct warm *w = CONTAINER_OF(j, struct warm, job);
	char discarded[READ_CHUNK];

	while (w->from < w->to) {
		size_t want = w->to - w->from < sizeof discarded ?
		    (size_t)(w->to - w->from) : sizeof discarded;
		ssize_t n = pread(w->fd, discarded, want, (off_t)w->from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the sink meets it again */
		w->from += (uint64_t)n;
	}
}

static void
warm_done(struct job *j)
{
	struct warm *w = CONTAINER_OF(j, struct warm, job);
	struct file_flow *ff = w->flow;

	if (ff != NULL) {
		ff->warm = NULL;
		/* Even if it came out short, no second read: what is not there
		 * now fails when it is sent. */
		ff->checked = w->to;
		flow_wake(&ff->flow);
	}
	file_unref(w->file);
	mem_free(w);
}

/* False: the pool is full, then sending may block. */
static bool
file_flow_warm(struct file_flow *ff, uint64_t to)
{
	struct warm *w;

	if (ff->net->pool == NULL)
		return false;
	w = mem_zalloc(sizeof *w);
	w->job.name = "file read";
	w->job.run = warm_run;
	w->job.done = warm_done;
	w->flow = ff;
	w->fd = ff->file->fd;
	w->from = ff->off;
	w->to = to;
	if (!pool_submit(ff->net->pool, &w->job)) {
		mem_free(w);
		return false;
	}
	w->file = file_ref(ff->file);
	ff->stats->cold++;
	ff->warm = w;
	return true;
}

/* Sees to it that what follows OFF is there. */
static enum flow_status
file_flow_check(struct file_flow *ff)
{
	uint64_t to = ff->end - ff->off > WINDOW ? ff->off + WINDOW : ff->end;

	switch (file_flow_probe(ff, to)) {
	case CUT:
		return FLOW_FAIL;
	case ABSENT:
		ff->was_cold = true;
		if (file_flow_warm(ff, to))
			return FLOW_WAIT;
		break;
	case PRESENT:
		break;
	}
	ff->checked = to;
	return FLOW_DATA;
}

static enum flow_status
file_flow_peek(struct flow *f, struct span *out)
{
	struct file_flow *ff = (struct file_flow *)f;

	if (ff->off == ff->end)
		return FLOW_END;
	if (ff->warm != NULL)
		return FLOW_WAIT;
	if (ff->off >= ff->checked) {
		enum flow_status st = file_flow_check(ff);

		if (st != FLOW_DATA)
			return st;
	}
	*out = (struct span){
		.n = (size_t)(ff->checked - ff->off), .fd = ff->file->fd,
		.off = ff->off
	};
	return FLOW_DATA;
}

static void
file_flow_take(struct flow *f, size_t n)
{
	struct file_flow *ff = (struct file_flow *)f;

	ASSERT(n <= ff->checked - ff->off);
	ff->off += n;
	f->length -= (int64_t)n;
	/* Nothing could be sent: perhaps because nothing is there any more. */
	if (n == 0)
		ff->checked = ff->off;
	if (ff->off == ff->end && ff->from_start && !ff->was_cold &&
	    ff->end == ff->file->size && ff->end <= RESIDENT_MAX)
		ff->file->resident_until = clock_ms() + RESIDENT_MS;
}

static void
file_flow_close(struct flow *f)
{
	struct file_flow *ff = (struct file_flow *)f;

	if (ff->warm != NULL)
		ff->warm->flow = NULL;
	ff->warm = NULL;
	file_unref(ff->file);
	ff->file = NULL;
}

static const struct flow_ops file_flow_ops = {
	.name = "file", .peek = file_flow_peek, .take = file_flow_take,
	.close = file_flow_close
};

struct flow *
file_flow(struct arena *a, struct net *n, struct file_stats *stats,
    struct file *f, uint64_t off, uint64_t len)
{
	struct file_flow *ff;

	ASSERT(off <= f->size && len <= f->size - off);
	if (f->fd < 0)
		return flow_bytes(a, str_slice(f->content, (size_t)off,
		    (size_t)(off + len)));

	ff = arena_zalloc(a, sizeof *ff);
	ff->flow.ops = &file_flow_ops;
	ff->flow.length = (int64_t)len;
	ff->net = n;
	ff->stats = stats;
	ff->file = file_ref(f);
	ff->off = ff->checked = off;
	ff->end = off + len;
	ff->from_start = off == 0;
	if (clock_ms() < f->resident_until)
		ff->checked = ff->end;
	return &ff->flow;
}
