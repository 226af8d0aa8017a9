/*
 * The table of features. Everything that enumerates them (keys of the
 * configuration, plans, counters, manual) goes through `modules`; adding one is
 * a line in modules.def.
 */
#include "modules/modules.h"

const struct module *const modules[] = {
#define MODULE(name) &name##_module,
#include "modules/modules.def"
#undef MODULE
	NULL
};
const unsigned module_count = MODULE_COUNT;

_Static_assert((int)MODULE_COUNT < MODULE_MAX, "raise MODULE_MAX");
