/* Settings of HTTP/2, `http2:` in `http:`. */
#ifndef HTTP_H2_CONF_H
#define HTTP_H2_CONF_H

#include "conf/schema.h"

struct h2_conf {
	bool enabled;
	int64_t max_streams;
	uint64_t max_window; /* bytes */
	int64_t max_resets, max_control; /* in H2_SCORE_WITHIN */
};
extern const struct conf_schema h2_schema;

/* How long what a client did is held against it; it fades evenly. */
#define H2_SCORE_WITHIN 10000 /* ms */

#endif
