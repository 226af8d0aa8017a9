/*
 * What is held against a client of HTTP/2: it fades with time, so that a long
 * connection is not punished for its age, and is bounded by settings.
 */
#ifndef HTTP_H2_SCORE_H
#define HTTP_H2_SCORE_H

#include "http/h2_conf.h"

enum h2_abuse {
#define ABUSE(name, setting, word, text) H2_ABUSE_##name,
#include "http/h2_abuse.def"
#undef ABUSE
	H2_ABUSE_COUNT
};
const char *h2_abuse_word(enum h2_abuse a);
const char *h2_abuse_text(enum h2_abuse a);

struct h2_score {
	/* In thousandths, of the events that `max_resets` and `max_control`
	 * bound; and clock_ms of when that was so. */
	uint64_t resets, control;
	uint64_t as_of;
	/* Frames of this kind that what we sent has asked for. */
	uint32_t credit;
};

/* Notes one event; false: that was too many. */
bool h2_score_add(struct h2_score *s, const struct h2_conf *conf,
    enum h2_abuse a);
/* We sent DATA: a client that reads will tell us so. */
void h2_score_sent(struct h2_score *s);

#endif
