/* The built-in pages of errors: HTML, or problem details in JSON (RFC 9457) for
 * clients that say they prefer JSON. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/txn.h"

/* Gives the response of T, which has a status and nothing else, its page, with
 * a sentence "WHAT: WHY" (constants of ours) if WHAT is not NULL. */
void problem_reply(struct txn *t, const char *what, const char *why);

#endif
