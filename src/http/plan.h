/* Plans are compiled from settings: the modules that say something, in the
 * order of their phases and, within one, of modules.def. */
#ifndef HTTP_PLAN_H
#define HTTP_PLAN_H

#include "http/generation.h"
#include "http/route.h"

struct plan_maker; /* remembers which blocks were prepared */

struct plan_maker *plan_maker_new(struct conf_load *load,
    struct generation *g);
/* Prepares the blocks of SETTINGS that were not yet, and makes the plan. */
const struct plan *plan_make(struct plan_maker *m,
    const struct settings *settings);

#endif
