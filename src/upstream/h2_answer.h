/* What arrives on the stream of a call: notes that nghttp2's callbacks take.
 * Nobody is told anything from here. */
#ifndef UPSTREAM_H2_ANSWER_H
#define UPSTREAM_H2_ANSWER_H

#include "upstream/h2_client.h"

/* Of a new stream; it doubles up to the larger one while its taker keeps up. */
#define H2_ANSWER_WINDOW 65536
#define H2_ANSWER_MAX_WINDOW (1 << 20)

void h2_answer_on_head(struct h2_client *h);
/* False: the head is refused. */
bool h2_answer_on_field(struct h2_client *h, struct str name,
    struct str value, bool is_secret);
void h2_answer_on_head_end(struct h2_client *h, bool is_end);
void h2_answer_on_data(struct h2_client *h, const char *p, size_t n);
/* CODE of RST_STREAM, or 0. */
void h2_answer_on_close(struct h2_client *h, uint32_t code);
/* The first failure counts. DETAIL: static, or NULL. */
void h2_answer_fail(struct h2_client *h, enum exchange_cause cause,
    const char *detail);

#endif
