/*
 * Policies: the refusals that an operator may have reported instead of done
 * (`mode` and `log_only` of `http`), to see whom a limit would hit.
 */
#ifndef HTTP_POLICY_H
#define HTTP_POLICY_H

#include "http/refusal.h"
#include "http/site.h"

/* What holds where a limit is only reported: the most that its row allows, for
 * a peer must not make us hold more, whoever asks for it. */
#define POLICY_MAX_HEADER_SIZE 61440u
#define POLICY_MAX_HEADERS 1000u
#define POLICY_MAX_TARGET_SIZE 61440u
#define POLICY_MAX_EXTENSIONS 1048576u

enum policy_mode { POLICY_ENFORCE, POLICY_LOG };
extern const char *const policy_modes[];

/* An int, enum refusal: the word of one that may be only reported. */
extern const struct conf_type conf_type_policy;

/* Whether a request is refused for WHY; if not, it is to be reported
 * (txn_tolerates). */
bool policy_holds(const struct http_conf *conf, enum refusal why);

/* How large a head may be: as set or, of what is only reported, the most. */
struct policy_bounds {
	uint32_t max_header_size, max_headers, max_target_size;
};
struct policy_bounds policy_bounds(const struct http_conf *conf);

#endif
