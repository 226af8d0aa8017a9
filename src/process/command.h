/* What the command line asks of a running master, or of nobody. */
#ifndef PROCESS_COMMAND_H
#define PROCESS_COMMAND_H

#include "process/master.h"

/* -t and -T (PRINT); JSON: diagnostics for machines. An exit status. */
int command_test(const struct options *options, bool print, bool json,
    bool strict);
/* -s WORD: stop, quit, reload, reopen, upgrade. Waits for the verdict. */
int command_signal(const struct options *options, const char *word);

#endif
