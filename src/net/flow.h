/*
 * Flows: bodies that are pulled. The sink peeks, uses what it can, and takes
 * that much; a source that has nothing now says FLOW_WAIT and owes exactly one
 * wake. Filters are flows with a source. Nothing is ever pushed, so
 * back-pressure is nobody's code.
 *
 * After a peek that said FLOW_DATA the sink calls take exactly once, before it
 * returns to the loop or peeks again; N may be 0. The span is valid only until
 * then. A wake may come from inside any callback: the sink answers it by
 * deferring its own task, never by peeking at once.
 */
#ifndef NET_FLOW_H
#define NET_FLOW_H

#include "base/arena.h"
#include "base/panic.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flow_status { FLOW_DATA, FLOW_WAIT, FLOW_END, FLOW_FAIL };

/* Bytes in memory, or (p == NULL) a range of a file. */
struct span {
	const char *p;
	size_t n;
	int fd;
	uint64_t off;
};

struct flow;

struct flow_ops {
	const char *name;
	enum flow_status (*peek)(struct flow *f, struct span *out);
	void (*take)(struct flow *f, size_t n);
	/* Releases what is not memory; called once, also after the end. */
	void (*close)(struct flow *f);
};

struct flow {
	const struct flow_ops *ops;
	struct flow *src; /* filters: where from */
	int64_t length;   /* bytes still to come, -1: unknown */
	void (*wake)(void *arg);
	void *wake_arg;
	bool closed;
};

static inline enum flow_status
flow_peek(struct flow *f, struct span *out)
{
	ASSERT(!f->closed);
	return f->ops->peek(f, out);
}

static inline void
flow_take(struct flow *f, size_t n)
{
	f->ops->take(f, n);
}

/* Closes the flow and, through its close, its sources. Twice is harmless. */
void flow_close(struct flow *f); /* NULL is harmless */
/* The sink says whom to wake. A filter passes wakes on (flow_set_source). */
void flow_on_wake(struct flow *f, void (*wake)(void *arg), void *arg);
void flow_wake(struct flow *f);
/* Makes SRC the source of filter F: wakes of SRC wake F's sink. */
void flow_set_source(struct flow *f, struct flow *src);

/* Ready-made sources. */
struct flow *flow_bytes(struct arena *a, struct str bytes);
/* OFF..OFF+LEN of FD, which the flow does not close. */
struct flow *flow_file(struct arena *a, int fd, uint64_t off, uint64_t len);
/* One after the other. */
struct flow *flow_concat(struct arena *a, struct flow **parts, size_t n);

#endif
