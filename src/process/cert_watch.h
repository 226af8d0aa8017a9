/*
 * The files of certificates while their generation serves: found changed,
 * checked, and given to the workers without a reload. How long each is valid
 * is written on the board.
 */
#ifndef PROCESS_CERT_WATCH_H
#define PROCESS_CERT_WATCH_H

#include "process/family.h"
#include "process/page.h"

struct config;

/* Where the configuration has no `tls` at its top: the default of `watch`. */
#define CERT_WATCH_EVERY 10000 /* ms */

struct cert_watch {
	struct loop *loop;
	struct pages *pages;
	struct family *family;
	const struct config *config; /* whose files are watched */
	struct timer look;
	uint64_t every; /* ms; 0: never */
	size_t at;      /* where the last look left off; 0: at the end */
	bool is_moving; /* a file was seen to change in this look */
};

void cert_watch_init(struct cert_watch *w, struct loop *l, struct pages *p,
    struct family *f);
/* From now on those of CONFIG, which serves. */
void cert_watch_start(struct cert_watch *w, const struct config *config);
void cert_watch_stop(struct cert_watch *w);

/* In a worker: takes certificate I of CONFIG from FD. */
void cert_watch_take(const struct config *config, uint64_t generation,
    size_t i, int fd);

#endif
