/* Status codes: reason phrases and the plain built-in page for errors. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* "Not Found"; the class's general phrase for codes nobody registered. */
struct str status_reason(int status);
/* A complete line "HTTP/1.1 404 Not Found\r\n" in static memory; p == NULL for
 * codes nobody registered. */
struct str status_line(int status);
/* A small HTML page that names the status (its class, if nobody registered it)
 * and no version; static memory. */
struct str status_page(int status);
/* The same with a sentence, "WHAT: WHY", of which nothing is escaped; from A. */
struct str status_page_saying(struct arena *a, int status, const char *what,
    const char *why);
/* Responses that never have a body: 1xx, 204, 304 (RFC 9110 section 6.4.1). */
bool status_has_no_body(int status);

#endif
