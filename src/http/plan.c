/*
 * Compiles plans. A plan holds only what its route uses, so that nothing asks
 * at run time whether a feature is on. It lives in the generation's arena.
 */
#include "http/plan.h"

#include "base/map.h"
#include "base/panic.h"

struct plan_maker {
	struct conf_load *load;
	struct generation *generation;
	struct arena *arena;
	/* Blocks by address: one that many routes inherit is prepared once. */
	struct map *prepared;
};

struct plan_maker *
plan_maker_new(struct conf_load *load, struct generation *g)
{
	struct plan_maker *m = arena_alloc(g->arena, sizeof *m);

	m->load = load;
	m->generation = g;
	m->arena = g->arena;
	m->prepared = map_new(g->arena, 64);
	return m;
}

static void
plan_prepare(struct plan_maker *m, const struct module *module, void *conf)
{
	struct str key = str_of((char *)&conf, sizeof conf);

	if (module->prepare == NULL || map_get(m->prepared, key) != NULL)
		return;
	map_put(m->prepared, arena_str(m->arena, key), conf);
	module->prepare(m->load, m->generation, conf);
}

static bool
plan_wants(const struct settings *s, unsigned i)
{
	return s->conf[i] != NULL && !conf_is_off(s->conf[i]);
}

/* The steps of module I in PHASE; each of them, in the order of its table. */
static void
plan_add(struct plan_maker *m, struct plan *plan, unsigned i,
    const struct settings *settings, enum phase phase)
{
	const struct module *module = modules[i];
	struct step step = { .conf = settings->conf[i], .module = module };

	if (module->phase == phase) {
		plan_prepare(m, module, settings->conf[i]);
		step.fn = module->step;
		plan->steps[plan->n++] = step;
	}
	for (const struct module_step *s = module->then; s->fn != NULL; s++) {
		ASSERT(s->phase > module->phase);
		if (s->phase != phase)
			continue;
		step.fn = s->fn;
		plan->steps[plan->n++] = step;
	}
}

const struct plan *
plan_make(struct plan_maker *m, const struct settings *settings)
{
	struct plan *plan;
	unsigned n = 0;

	for (unsigned i = 0; i < module_count; i++)
		n += plan_wants(settings, i);
	plan = arena_zalloc(m->arena, sizeof *plan +
	    (n * (MODULE_THEN_MAX + 1) + 1) * sizeof plan->steps[0]);

	for (int phase = 0; phase < PHASE_COUNT; phase++) {
		if (phase == PHASE_IDENTIFY + 1)
			plan->route_at = plan->n;
		if (phase == PHASE_HEADERS)
			plan->response_at = plan->n;
		if (phase == PHASE_LOG)
			plan->log_at = plan->n;
		for (unsigned i = 0; i < module_count; i++)
			if (plan_wants(settings, i))
				plan_add(m, plan, i, settings,
				    (enum phase)phase);
	}
	return plan;
}
