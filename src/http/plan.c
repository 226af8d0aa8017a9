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

const struct plan *
plan_make(struct plan_maker *m, const struct settings *settings)
{
	struct plan *plan;
	unsigned n = 0;

	for (unsigned i = 0; i < module_count; i++)
		n += plan_wants(settings, i);
	plan = arena_zalloc(m->arena,
	    sizeof *plan + (n + 1) * sizeof plan->steps[0]);

	for (int phase = 0; phase < PHASE_COUNT; phase++) {
		if (phase == PHASE_HEADERS)
			plan->response_at = plan->n;
		if (phase == PHASE_LOG)
			plan->log_at = plan->n;
		for (unsigned i = 0; i < module_count; i++) {
			if ((int)modules[i]->phase != phase ||
			    !plan_wants(settings, i))
				continue;
			plan_prepare(m, modules[i], settings->conf[i]);
			plan->steps[plan->n++] = (struct step){
				.fn = modules[i]->step,
				.conf = settings->conf[i],
				.module = modules[i]
			};
		}
	}
	ASSERT(plan->n == n);
	return plan;
}
