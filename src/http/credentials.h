/* Basic credentials: what a client says it is called, and its password. */
#ifndef HTTP_CREDENTIALS_H
#define HTTP_CREDENTIALS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* As many bytes as libcrypt takes of a password. */
#define CREDENTIALS_MAX_PASSWORD 511
#define CREDENTIALS_MAX_USER 255

struct credentials {
	struct str user, password;
};

/* Decodes the value of an Authorization field, into A. False: they are no Basic
 * credentials (RFC 7617 section 2), or longer than anybody's. */
bool credentials_read(struct arena *a, struct str value,
    struct credentials *out);

/*
 * Whom such a value claims to be from, whoever it is: what stands before the
 * colon. The secret behind it is never decoded. Without a colon, or with
 * controls in the name, it is nobody.
 */
void credentials_put_user(struct buf *out, struct str value);

#endif
