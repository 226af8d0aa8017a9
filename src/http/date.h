/* HTTP dates (RFC 9110 section 5.6.7). */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/str.h"

/* Reads the three forms; false for anything else. Seconds since 1970. */
bool http_date_parse(struct str s, int64_t *out);
#define HTTP_DATE_TEXT 29
void http_date_format(int64_t seconds, char out[HTTP_DATE_TEXT]);

#endif
