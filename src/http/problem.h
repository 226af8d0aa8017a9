/*
 * The built-in answers of errors: a page in HTML, problem details in JSON (RFC
 * 9457) for clients that say they prefer that, and for those of gRPC what they
 * read.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/txn.h"

/* Makes it the response of T. WHAT and WHY are sentences of ours, or NULL; a
 * page tells them if there are both. */
void problem_reply(struct txn *t, int status, const char *what,
    const char *why);

#endif
