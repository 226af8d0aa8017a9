/*
 * Counter pages. The first master of a process family maps one region that all
 * its children inherit; each child writes its own page and nobody else's; the
 * scout reads them all. A dead child's totals are added to the retired page, so
 * that nothing scraped ever goes backwards.
 */
#ifndef PROCESS_PAGE_H
#define PROCESS_PAGE_H

#include "base/err.h"
#include "event/loop.h"
#include "event/pool.h"
#include "http/module.h"
#include "http/server.h"
#include "net/net.h"

#include <sys/types.h>

#define PAGE_SLOTS 512

enum page_role { ROLE_NONE, ROLE_WORKER, ROLE_SCOUT };

/* What the master says of a slot and of itself. */
struct page_slot {
	uint32_t role; /* enum page_role; ROLE_NONE: free */
	uint32_t index;
	int32_t pid;
	uint32_t is_draining;
	uint64_t generation;
	int64_t started; /* wall seconds */
};

#define PAGE_CERTIFICATES 64
struct page_certificate {
	int64_t ends; /* wall seconds */
	char path[248]; /* cut, if it is longer */
};

struct page_board {
	uint32_t sequence; /* odd while the master writes */
	int32_t master_pid;
	int64_t started;
	uint64_t generation;
	uint64_t reloads, reloads_failed, respawns, stuck;
	uint64_t log_lost; /* lines of the error log, of all processes */
	int64_t reloaded; /* wall seconds */
	uint64_t renewals, renewals_failed; /* of certificates */
	uint64_t staples, staples_failed; /* answers of OCSP responders */
	uint64_t n_staples;
	int64_t staple_ends; /* wall seconds; of the first, if there is one */
	uint64_t n_certificates;
	/* Those that end first, as many as there is room for. */
	uint64_t n_certificates_shown;
	struct page_certificate certificates[PAGE_CERTIFICATES];
	struct page_slot slots[PAGE_SLOTS];
};

struct pages;

struct pages *pages_new(struct err *e);
struct page_board *pages_board(struct pages *p);
/* The master, around changes of the board. */
void pages_write_begin(struct pages *p);
void pages_write_end(struct pages *p);
/* A free slot, zeroed; -1 when there is none. */
int pages_take(struct pages *p);
/* Adds a worker's totals to the retired page and frees the slot. */
void pages_retire(struct pages *p, int slot);
/* In a child: makes every page but its own (-1: none) read-only. */
void pages_own(struct pages *p, int slot);

/* Where each noun counts in a page. SLOT -1 is the retired page. */
struct page_view {
	struct loop_stats *loop;
	struct pool_stats *pool;
	struct net_stats *net;
	struct http_stats *http;
	void *modules[MODULE_MAX];
};
struct page_view pages_view(struct pages *p, int slot);

/* All counter sets of a page, in order; NULL beyond the last. *OFFSET is where
 * in the page. */
const struct counter_set *pages_set(unsigned i, size_t *offset);
const char *pages_base(const struct pages *p, int slot);

#endif
