/*
 * What the limit of open files allows for. Some descriptors are kept from
 * client connections, so that what is accepted can be served, and that there is
 * always one left to accept with: who is too many can then be told so, or be
 * made room for, instead of waiting in a queue that nobody looks at.
 */
#include "process/capacity.h"

#include "process/sandbox.h"

#include <limits.h>

/* Logs, channel, epoll, files, upstream connections. */
#define RESERVED 256
/* Of those, what upstream connections may not take. */
#define FOR_ACCEPTING 16

uint64_t
capacity_files(uint64_t connections)
{
	return connections < RESERVED ? 2 * connections :
	    connections + RESERVED;
}

unsigned
capacity_connections(unsigned files, uint64_t wanted)
{
	/* Where there are few, half of them are for the other side. */
	unsigned room = files < 2 * RESERVED ? files / 2 : files - RESERVED;

	return wanted > 0 && wanted < room ? (unsigned)wanted : room;
}

int
capacity_dial_below(unsigned files)
{
	if (files > INT_MAX)
		return 0;
	return files > 2 * FOR_ACCEPTING ? (int)files - FOR_ACCEPTING : 0;
}

bool
capacity_raise(uint64_t wanted, unsigned *files)
{
	*files = sandbox_raise_files((unsigned)capacity_files(wanted));
	return *files >= capacity_files(wanted);
}
