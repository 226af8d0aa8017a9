/* A regular file as the response to GET or HEAD. */
#ifndef HTTP_FILE_REPLY_H
#define HTTP_FILE_REPLY_H

#include "http/file_cache.h"
#include "http/txn.h"

/* Evaluates conditions and ranges. The caller keeps F until T ends. */
enum verdict file_reply(struct txn *t, struct file *f,
    struct file_stats *stats);

#endif
