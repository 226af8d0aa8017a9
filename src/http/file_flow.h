/* The body of a response from a file: a range of it as a flow. */
#ifndef HTTP_FILE_FLOW_H
#define HTTP_FILE_FLOW_H

#include "base/arena.h"
#include "http/file_cache.h"
#include "net/flow.h"

/*
 * OFF..OFF+LEN of F, which lies within its size. From memory if F has its
 * content there, and then the caller keeps F until the flow's last peek; else
 * spans of the descriptor, of which the flow holds a reference, each resident
 * before it is offered (as far as one can tell), so that sendfile(2) does not
 * wait for a disk. A file that has become shorter fails.
 */
struct flow *file_flow(struct arena *a, struct net *n, struct file_stats *stats,
    struct file *f, uint64_t off, uint64_t len);

#endif
