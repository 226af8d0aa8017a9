/* The admin endpoint: /metrics and /status, a step that the scout runs. */
#ifndef PROCESS_ADMIN_H
#define PROCESS_ADMIN_H

#include "http/module.h"
#include "process/page.h"

/* Which pages it reads; before the first request. */
void admin_init(struct pages *pages);
enum verdict admin_step(struct txn *t, const void *conf);
/* Not in modules.def: it has no key, only a name for plans. */
extern const struct module admin_module;

#endif
