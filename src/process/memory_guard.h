/*
 * The soft limit of a worker's memory: above it the server is told that it is
 * starved, and lets go of idle connections; well below it, that it is not.
 */
#ifndef PROCESS_MEMORY_GUARD_H
#define PROCESS_MEMORY_GUARD_H

#include "http/server.h"

struct memory_guard {
	int fd; /* /proc/self/statm; -1: there is no limit */
	uint64_t limit; /* bytes */
	struct server *server;
	struct timer timer;
	uint64_t told; /* clock_ms of the last line in the log */
};

/* Before the process is confined, which takes /proc away. LIMIT 0: none. */
bool memory_guard_open(struct memory_guard *g, uint64_t limit, struct err *e);
void memory_guard_start(struct memory_guard *g, struct server *s);
void memory_guard_end(struct memory_guard *g);

#endif
