/*
 * What authorities say of our certificates (OCSP), from the scout, which asks,
 * by the master, which keeps it for whoever it forks, to the workers, which
 * show it.
 */
#ifndef PROCESS_STAPLER_H
#define PROCESS_STAPLER_H

#include "process/channel.h"
#include "process/family.h"

struct pool;

/* ---- in the scout ------------------------------------------------------ */

struct stapler;

/* Begins to ask about the certificates of CONFIG. */
struct stapler *stapler_new(struct loop *l, struct pool *p,
    struct channel *master, const struct config *config);
/* Before the pool's end: nobody waits for answers any more. */
void stapler_stop(struct stapler *s);
/* After it. */
void stapler_end(struct stapler *s);
/* Certificate I has been replaced by the one in FD. */
void stapler_renew(struct stapler *s, uint64_t generation, size_t i, int fd);
/* The files that looking up a name takes; ends with NULL. */
extern const char *const stapler_reads[];

/* ---- in the master ----------------------------------------------------- */

/* M is a MESSAGE_STAPLE of a scout; FD is what came with it, or -1. */
void stapler_pass_on(struct family *f, struct pages *pages,
    const struct config *config, const struct message *m, int fd);
/* The board, after certificates or staples have changed. */
void stapler_board(struct pages *pages, const struct config *config);

/* ---- in a worker ------------------------------------------------------- */

void stapler_take(const struct config *config, const struct message *m,
    int fd);

#endif
