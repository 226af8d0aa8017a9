/* Where the error log goes, as configured. */
#ifndef PROCESS_ERROR_LOG_H
#define PROCESS_ERROR_LOG_H

#include "process/config.h"
#include "process/sandbox.h"

/* Points this process's log there (and its children's, forked later). */
bool error_log_open(const struct error_log_conf *conf,
    const struct identity *id, struct err *e);
/* A new descriptor on the same path, already in use here; -1 when the log is
 * not a file or cannot be opened (logged). The caller tells the children. */
int error_log_reopen(const struct error_log_conf *conf,
    const struct identity *id);

#endif
