/* A parcel: bytes in a file in memory that nobody can change any more, by
 * which processes give each other what is too large for a message. */
#ifndef BASE_PARCEL_H
#define BASE_PARCEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* An empty one to be written to, then sealed; -1: E says why. */
int parcel_new(const char *name, struct err *e);
/* Closes FD if it fails, and returns false. */
bool parcel_seal(int fd, struct err *e);
/* All of FD, whoever else has it; at most MOST bytes. */
bool parcel_read(int fd, size_t most, struct arena *a, struct str *out,
    struct err *e);

#endif
