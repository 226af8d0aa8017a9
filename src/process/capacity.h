/* How many client connections a worker has descriptors for. */
#ifndef PROCESS_CAPACITY_H
#define PROCESS_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

/* Open files that a worker needs to take CONNECTIONS. */
uint64_t capacity_files(uint64_t connections);
/* Connections that FILES allow for, at most WANTED (0: all). */
unsigned capacity_connections(unsigned files, uint64_t wanted);
/* The first descriptor of those that are kept for accepting: whoever is too
 * many can then be let in and told so. 0: none are. */
int capacity_dial_below(unsigned files);
/* In the master, for all children: raises the limit of open files to what
 * WANTED needs. False: it stays lower; *FILES is what it is. */
bool capacity_raise(uint64_t wanted, unsigned *files);

#endif
