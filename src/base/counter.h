/*
 * Counters live in a page that one process writes and others may read. Each
 * noun that counts declares a struct of uint64_t and one row per member; from
 * the rows come the Prometheus text and the status JSON.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stddef.h>
#include <stdint.h>

enum counter_kind {
	COUNTER_TOTAL,  /* only grows; summed over workers */
	COUNTER_GAUGE,  /* goes up and down; summed over workers */
	COUNTER_BUCKETS /* LOOP_LAG_BUCKETS-like histogram of N uint64_t */
};

struct counter_row {
	const char *name;   /* weir_... without unit suffix tricks, as scraped */
	const char *labels; /* "code=\"2xx\"" or NULL */
	const char *help;   /* one sentence */
	enum counter_kind kind;
	size_t offset;         /* in the set's struct */
	size_t buckets;        /* COUNTER_BUCKETS only */
	const uint64_t *bounds; /* COUNTER_BUCKETS only: upper bounds, us */
};

struct counter_set {
	const char *name; /* "loop", "net", "http", a module's name */
	size_t size;
	const struct counter_row *rows; /* ends with name == NULL */
};

#define COUNTER(struct_, member, kind_, name_, help_) \
	{.name = (name_), .help = (help_), .kind = (kind_), \
	 .offset = offsetof(struct struct_, member)}
#define COUNTER_LABEL(struct_, member, kind_, name_, labels_, help_) \
	{.name = (name_), .labels = (labels_), .help = (help_), \
	 .kind = (kind_), .offset = offsetof(struct struct_, member)}
#define COUNTER_END {.name = NULL}

#endif
