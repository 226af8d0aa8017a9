/* A users file: lines of NAME:HASH, as htpasswd writes them. */
#ifndef HTTP_USER_FILE_H
#define HTTP_USER_FILE_H

#include "conf/load.h"

struct user_file;

/* Reads PATH through the load's source. NULL: something is wrong with it, which
 * was reported, with the line. */
struct user_file *user_file_read(struct conf_load *load, struct conf_pos pos,
    const char *path);
/* The hash of NAME. An unknown one gets somebody's, always the same, so that
 * refusing it takes as long; then *IS_KNOWN is false. */
const char *user_file_hash(const struct user_file *f, struct str name,
    bool *is_known);

#endif
