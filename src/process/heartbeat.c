/*
 * Counts how long a child has been silent and says what that calls for: first
 * a signal that makes it print its stack, then one that it cannot refuse. A
 * child that stands still because a debugger holds it is not touched. It only
 * judges; the family acts.
 */
#include "process/heartbeat.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long the report of a stuck child may take, and its death: looks. */
#define REPORT_WITHIN 2
#define DIE_WITHIN 2
/* Fewer could be the time between two beats of a busy child. */
#define PATIENCE_LEAST 3

void
heartbeat_start(struct heartbeat *h, uint64_t ms)
{
	uint64_t looks = (ms + HEARTBEAT_EVERY - 1) / HEARTBEAT_EVERY;

	*h = (struct heartbeat){
		.patience = looks < PATIENCE_LEAST ? PATIENCE_LEAST :
		    (unsigned)looks
	};
}

bool
heartbeat_is_given_up(const struct heartbeat *h)
{
	return h->silent >= h->patience;
}

void
heartbeat_hear(struct heartbeat *h)
{
	if (heartbeat_is_given_up(h))
		return;
	h->silent = 0;
	h->was_held = false;
}

/* The state of proc_pid_status(5), "T (stopped)"; "unknown" without /proc. */
static void
heartbeat_read_state(pid_t pid, char state[32])
{
	char path[64], text[512], *line;
	int fd;
	ssize_t n;

	strcpy(state, "unknown");
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nState:\t");
	if (line != NULL)
		snprintf(state, 32, "%.*s",
		    (int)strcspn(line + 8, "\n"), line + 8);
}

enum heartbeat_verdict
heartbeat_look(struct heartbeat *h, pid_t pid, char state[32])
{
	bool was_held = h->was_held;

	if (++h->silent < h->patience)
		return HEARTBEAT_FINE;
	heartbeat_read_state(pid, state);
	if (h->silent == h->patience) {
		/* Small t: stopped by its tracer, not by a signal. */
		h->was_held = state[0] == 't';
		if (!h->was_held)
			return HEARTBEAT_ASK;
		h->silent--;
		return was_held ? HEARTBEAT_FINE : HEARTBEAT_HELD;
	}
	if (h->silent == h->patience + REPORT_WITHIN)
		return HEARTBEAT_KILL;
	if (h->silent == h->patience + REPORT_WITHIN + DIE_WITHIN)
		return HEARTBEAT_LOST;
	return HEARTBEAT_FINE;
}
