/*
 * Whether a child's loop still turns. A child sends a beat every second; the
 * master looks as often and counts the looks since the last one. A machine
 * that was asleep, or a master that was, is one look and not many seconds.
 */
#ifndef PROCESS_HEARTBEAT_H
#define PROCESS_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HEARTBEAT_EVERY 1000 /* ms */

enum heartbeat_verdict {
	HEARTBEAT_FINE, /* or nothing new is to be done */
	HEARTBEAT_HELD, /* silent, because a debugger has it */
	HEARTBEAT_ASK,  /* silent for too long: what is it doing? */
	HEARTBEAT_KILL, /* it did not even tell that */
	HEARTBEAT_LOST  /* it cannot be killed */
};

struct heartbeat {
	unsigned silent;   /* looks since the last beat */
	unsigned patience; /* looks */
	bool was_held;
};

/* A child is given up after MS of silence. */
void heartbeat_start(struct heartbeat *h, uint64_t ms);
/* It beats. Too late, once it was asked: then it is about to die. */
void heartbeat_hear(struct heartbeat *h);
bool heartbeat_is_given_up(const struct heartbeat *h);
/* Another HEARTBEAT_EVERY is over for process PID; STATE is filled with what
 * the kernel says of a process that is silent: "T (stopped)". */
enum heartbeat_verdict heartbeat_look(struct heartbeat *h, pid_t pid,
    char state[32]);

#endif
