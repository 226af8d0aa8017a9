/* Workers and the scout: what the master forks. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include "process/config.h"
#include "process/page.h"
#include "process/sandbox.h"

struct child_setup {
	const struct config *config;
	struct pages *pages;
	const struct identity *identity;
	int channel_fd;
	int slot;       /* of the counter pages */
	unsigned index; /* of the worker */
	pid_t master;
};

/* Run until told to stop; the result is the exit status. */
int worker_main(const struct child_setup *setup);
int scout_main(const struct child_setup *setup);

#endif
