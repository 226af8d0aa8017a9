/* Hashes of passwords as crypt(5) lists them, those that are still good. */
#ifndef HTTP_PASSWORD_H
#define HTTP_PASSWORD_H

#include "base/err.h"
#include "base/str.h"

/* Whether HASH can be checked against and is worth it. The reason that is given
 * does not show it. */
bool password_hash_is_fine(struct str hash, struct err *e);
/* Whether PASSWORD is the one of HASH. Takes as long as the hash was made to;
 * thread-safe. */
bool password_matches(const char *hash, const char *password);

#endif
