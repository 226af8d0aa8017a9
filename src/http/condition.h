/* Conditional requests (RFC 9110 section 13). */
#ifndef HTTP_CONDITION_H
#define HTTP_CONDITION_H

#include "http/head.h"
#include "http/method.h"

enum condition {
	CONDITION_PASS,         /* go on; ranges may apply */
	CONDITION_WHOLE,        /* go on, but If-Range failed: no ranges */
	CONDITION_NOT_MODIFIED, /* 304 */
	CONDITION_FAILED        /* 412 */
};

/* Evaluates all preconditions of HEAD in the order of section 13.2.2. ETAG has
 * its quotes (and W/); p == NULL when there is none. MODIFIED in seconds. */
enum condition condition_check(const struct head *head, enum method method,
    struct str etag, int64_t modified);

#endif
