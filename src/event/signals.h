/* Signals as events of the loop, through signalfd(2). */
#ifndef EVENT_SIGNALS_H
#define EVENT_SIGNALS_H

#include "event/loop.h"

#include <sys/signalfd.h>

struct signals;

/* Blocks the N signals of LIST in this thread (and those it makes) and calls
 * ON_SIGNAL from the loop for each that arrives. */
struct signals *signals_new(struct loop *l, const int *list, size_t n,
    void (*on_signal)(void *arg, int signo), void *arg, struct err *e);
/* Unblocks them again. May be called from ON_SIGNAL. */
void signals_end(struct signals *s);

#endif
