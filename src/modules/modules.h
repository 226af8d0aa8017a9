/* The features by name, from modules.def. */
#ifndef MODULES_MODULES_H
#define MODULES_MODULES_H

#include "http/module.h"

enum module_id {
#define MODULE(name) MODULE_##name,
#include "modules/modules.def"
#undef MODULE
	MODULE_COUNT
};

#define MODULE(name) extern const struct module name##_module;
#include "modules/modules.def"
#undef MODULE

#endif
