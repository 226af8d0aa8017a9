/* The master: binds, forks, watches, reloads, upgrades. */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of the program. */
enum exit_status {
	EXIT_FINE = 0,
	EXIT_CONFIG = 1,
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3,
	EXIT_NO_MASTER = 4
};

struct options {
	const char *config; /* path of the file */
	const char *overrides[32];
	size_t n_overrides;
	bool daemonize;
	char **argv; /* for the upgrade */
};

/* Runs as the master until it is told to end; an exit status. */
int master_run(const struct options *options);

#endif
