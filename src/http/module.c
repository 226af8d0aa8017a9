/*
 * Modules as keys: for each level of the configuration the rows of the features
 * that may stand there, made once from the table of modules. What a module does
 * is its own file's.
 */
#include "http/module.h"

#include "base/panic.h"
#include "http/route.h"
#include "http/site.h"

enum { LEVEL_COUNT = 3 };

/* Written once, before the first load, and terminated by zeros. */
static struct conf_field rows[LEVEL_COUNT][MODULE_MAX + 1];

static unsigned
module_level_index(enum module_level level)
{
	switch (level) {
	case LEVEL_TOP:
		return 0;
	case LEVEL_SITE:
		return 1;
	case LEVEL_ROUTE:
		return 2;
	}
	UNREACHABLE();
}

static struct conf_field
module_row(unsigned i)
{
	const struct module *m = modules[i];

	return (struct conf_field){
		.name = m->name,
		.shape = CONF_BLOCK,
		.schema = m->schema,
		.offset = offsetof(struct settings, conf) + i * sizeof(void *),
		.flags = m->flags,
		.doc = m->doc
	};
}

static bool
module_is_at(unsigned i, enum module_level level)
{
	return (modules[i]->levels & level) != 0;
}

static void
module_rows_fill(enum module_level level)
{
	struct conf_field *row = rows[module_level_index(level)];

	/* Those that answer come first: messages name the first few. */
	for (unsigned i = 0; i < module_count; i++)
		if (module_is_at(i, level) &&
		    modules[i]->phase == PHASE_RESPOND)
			*row++ = module_row(i);
	for (unsigned i = 0; i < module_count; i++)
		if (module_is_at(i, level) &&
		    modules[i]->phase != PHASE_RESPOND)
			*row++ = module_row(i);
	*row = (struct conf_field){ .name = NULL };
}

/*
 * Settings travel inward by the rows of the inner level, and plans are made of
 * what has reached a route: a key that stopped on the way would be accepted and
 * do nothing.
 */
static void
module_check_levels(const struct module *m)
{
	ASSERT(((m->levels & LEVEL_ROUTE) != 0) ==
	    (m->phase != PHASE_IDENTIFY));
	ASSERT((m->levels & LEVEL_TOP) == 0 || (m->levels & LEVEL_SITE) != 0);
}

void
module_rows_init(void)
{
	ASSERT(module_count <= MODULE_MAX);
	for (unsigned i = 0; i < module_count; i++)
		module_check_levels(modules[i]);
	module_rows_fill(LEVEL_TOP);
	module_rows_fill(LEVEL_SITE);
	module_rows_fill(LEVEL_ROUTE);
	site_schema.extra = module_rows(LEVEL_SITE);
	route_schema.extra = module_rows(LEVEL_ROUTE);
}

const struct conf_field *
module_rows(enum module_level level)
{
	return rows[module_level_index(level)];
}
