/*
 * Pages of errors: what a client gets to see instead of the built-in page. The
 * status stays that of the error, and so do the fields that go with it.
 */
#ifndef HTTP_ERROR_PAGE_H
#define HTTP_ERROR_PAGE_H

#include "http/txn.h"

/* The response of T, an error, gets BYTES of TYPE as its body. */
void error_page_put(struct txn *t, struct str type, struct str bytes);
/*
 * Its body will be what a GET for PATH and QUERY is answered with (HEAD, if the
 * request was that), if that succeeds; else the built-in page. What a step of
 * PHASE_HEADERS returns.
 */
enum verdict error_page_fetch(struct txn *t, struct str path,
    struct str query);
/* The response to that stands. */
void error_page_settle(struct txn *t);

#endif
