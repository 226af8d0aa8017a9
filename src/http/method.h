/* Request methods (RFC 9110 section 9, RFC 5789, WebDAV's as plain words). */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include "base/str.h"

#define METHODS \
	METHOD(GET, SAFE | METHOD_IDEMPOTENT) METHOD(HEAD, SAFE | METHOD_IDEMPOTENT) \
	METHOD(POST, NONE) METHOD(PUT, IDEMPOTENT) METHOD(DELETE, IDEMPOTENT) \
	METHOD(OPTIONS, SAFE | METHOD_IDEMPOTENT) METHOD(PATCH, NONE) \
	METHOD(TRACE, SAFE | METHOD_IDEMPOTENT) METHOD(CONNECT, NONE)

/* RFC 9112 section 3 has servers answer 501 to a method longer than any they
 * know; the longest that is registered has 17 letters. */
#define METHOD_MAX 32

enum method_flag { METHOD_NONE = 0, METHOD_SAFE = 1, METHOD_IDEMPOTENT = 2 };

enum method {
	METHOD_OTHER, /* any other token; forwarded as it is */
#define METHOD(name, flags) METHOD_##name,
	METHODS
#undef METHOD
	METHOD_COUNT
};

enum method method_lookup(struct str name); /* case-sensitive */
const char *method_name(enum method m);     /* "" for METHOD_OTHER */
unsigned method_flags(enum method m);

#endif
