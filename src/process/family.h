/*
 * The children of a master: forks them, hears of their life and death, ends
 * those that are stuck, and replaces those of the current generation that die.
 */
#ifndef PROCESS_FAMILY_H
#define PROCESS_FAMILY_H

#include "process/child.h"
#include "process/channel.h"
#include "process/heartbeat.h"

struct family_ops {
	/* Every child of the newest generation serves. */
	void (*ready)(void *arg, uint64_t generation);
	/* One of them died, or took too long, before all did. */
	void (*failed)(void *arg, uint64_t generation, const char *why);
	/* No child is left. */
	void (*empty)(void *arg);
	/* A scout has asked about a certificate; FD is the family's, or -1. */
	void (*staple)(void *arg, const struct message *m, int fd);
};

struct family {
	struct loop *loop;
	struct pages *pages;
	const struct family_ops *ops;
	void *arg;
	struct list children; /* struct child_process */
	unsigned n;
	/* Whose children are replaced when they die; NULL: nobody's. */
	const struct config *config;
	const struct identity *identity;
	/* Whose children have not all reported yet; 0: none. */
	uint64_t starting;
	unsigned not_ready;
	struct timer start_deadline;
	struct timer respawn;
	struct timer look; /* whether they all beat; while there are any */
	unsigned missing; /* to be forked by the respawn timer */
	unsigned deaths;  /* quick ones in a row, for the back-off */
	uint64_t last_death;
	uint64_t log_lost; /* lines of the master, as far as the board knows */
};

void family_init(struct family *f, struct loop *l, struct pages *pages,
    const struct family_ops *ops, void *arg);
/* Forks the workers and the scout of CONFIG. False when a fork failed; those
 * that were made are stopped. */
bool family_start(struct family *f, const struct config *config,
    const struct identity *identity, struct err *e);
/* CONFIG's children are the ones to keep from now on; all others drain. */
void family_adopt(struct family *f, const struct config *config,
    const struct identity *identity);
/* Every child drains; nobody is replaced. */
void family_drain(struct family *f);
/* Stops the children of GENERATION at once; 0: all. */
void family_stop(struct family *f, uint64_t generation);
/* Kills what is left. */
void family_kill(struct family *f);
/* To all children. */
void family_tell(struct family *f, enum message_type type, uint64_t value,
    const void *payload, size_t size, int fd);
/* To the workers of GENERATION. */
void family_tell_workers(struct family *f, uint64_t generation,
    enum message_type type, uint64_t value, const void *payload, size_t size,
    int fd);
/* To the scout of GENERATION. */
void family_tell_scout(struct family *f, uint64_t generation,
    enum message_type type, uint64_t value, const void *payload, size_t size,
    int fd);
/* SIGCHLD: PID ended with STATUS. False: not one of ours. */
bool family_reaped(struct family *f, pid_t pid, int status);

#endif
