/*
 * Refusals: every reason for which a request is not served, with what each of
 * them is called in the access log, the metrics, the error log and the manual.
 */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include "base/buf.h"

enum refusal {
	REFUSAL_NONE,
#define HEAD(name, status, word, text) REFUSAL_##name,
#define REFUSAL(name, status, word, text) REFUSAL_##name,
#include "http/refusal.def"
	REFUSAL_COUNT
};

/* Seconds, of those that pass by themselves. */
#define RETRY_AFTER "5"

int refusal_status(enum refusal r);
/* Stable: people match on it. "ok" for REFUSAL_NONE. */
const char *refusal_word(enum refusal r);
const char *refusal_text(enum refusal r);
/* Whether an operator may have it reported only. */
bool refusal_is_policy(enum refusal r);
/* By its word; REFUSAL_NONE: nobody's. */
enum refusal refusal_find(struct str word);

/* The rows as an mdoc list, for weir.yaml(5). */
void refusal_print_man(struct buf *b);

#endif
