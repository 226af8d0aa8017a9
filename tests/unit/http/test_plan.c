/* Plans: which features of some settings become steps, and in which order. */
#include "http/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- features, not in the order of their phases ------------------------ */

struct word_conf {
	char *word;
	unsigned prepared;
};

static const struct conf_field word_fields[] = {
	KEY_STR(word_conf, word, .dflt = "-", .doc = "A word."),
	KEY_END
};
static const struct conf_schema word_schema = {
	.name = "word", .doc = "A word.", .size = sizeof(struct word_conf),
	.fields = word_fields, .shorthand = "word",
};

static struct generation *prepared_for;
static bool prepare_reports;

static void
word_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct word_conf *c = conf;

	c->prepared++;
	prepared_for = g;
	if (prepare_reports)
		conf_error(load, conf_pos_of(c, &c->word), "bad-word",
		    "no such word");
}

static enum verdict
tell_step(struct txn *t, const void *conf)
{
	(void)t;
	(void)conf;
	return STEP_NEXT;
}

static enum verdict
other_step(struct txn *t, const void *conf)
{
	(void)t;
	(void)conf;
	return STEP_NEXT;
}

#define FEATURE(name_, phase_) \
	static const struct module name_##_module = { \
		.name = #name_, .phase = PHASE_##phase_, \
		.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE, \
		.flags = CONF_CAN_BE_OFF, .schema = &word_schema, \
		.doc = "A feature.", .prepare = word_prepare, \
		.step = PHASE_##phase_ == PHASE_LOG ? tell_step : other_step \
	};
FEATURE(tell, LOG)
FEATURE(squeeze, BODY)
FEATURE(stamp, HEADERS)
FEATURE(answer, RESPOND)
FEATURE(guard, AUTH)
FEATURE(mark, HEADERS)
FEATURE(count, LIMIT)
FEATURE(lock, AUTH)

static const struct module plain_module = {
	.name = "plain", .phase = PHASE_CACHE,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Prepares nothing.",
	.step = other_step
};

static enum verdict
later_step(struct txn *t, const void *conf)
{
	(void)t;
	(void)conf;
	return STEP_NEXT;
}

static const struct module wide_module = {
	.name = "wide", .phase = PHASE_LIMIT,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &word_schema, .doc = "Has steps in three phases.",
	.prepare = word_prepare, .step = other_step,
	.then = {
		{ PHASE_BODY, later_step }, { PHASE_LOG, tell_step }
	}
};

static const struct module name_module = {
	.name = "name", .phase = PHASE_IDENTIFY,
	.levels = LEVEL_TOP | LEVEL_SITE,
	.schema = &word_schema, .doc = "Says who it is.", .step = other_step
};

const struct module *const modules[] = {
	&tell_module, &squeeze_module, &stamp_module, &answer_module,
	&guard_module, &mark_module, &count_module, &lock_module,
	&plain_module, &wide_module, &name_module, NULL
};
const unsigned module_count = 11;

/* ---- settings ---------------------------------------------------------- */

struct file_conf {
	struct settings settings;
};

static const struct conf_field no_fields[] = { KEY_END };
static struct conf_schema file_schema = {
	.name = "file", .doc = "A file.", .size = sizeof(struct file_conf),
	.fields = no_fields
};

static struct arena *arena;
static struct conf_source source;
static struct conf_load *load;
static struct generation *g;
static struct plan_maker *maker;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	g = generation_new(arena, 1);
	prepare_reports = false;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	generation_unref(g);
	arena_trim();
	return 0;
}

static struct settings *
settings_of(const char *yaml)
{
	const char *files[] = { "t.yaml", yaml, NULL };
	struct file_conf *file;

	module_rows_init();
	file_schema.extra = module_rows(LEVEL_TOP);
	source = conf_source_memory(arena, files);
	load = conf_load_new(arena, &source);
	file = conf_load_file(load, "t.yaml", &file_schema, NULL, 0);
	assert_int_equal(conf_errors(load), 0);
	maker = plan_maker_new(load, g);
	return &file->settings;
}

/* "count guard|mark|tell" */
static void
expect(const struct plan *p, const char *want)
{
	char text[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i <= p->n; i++) {
		if (i == p->response_at)
			n += (size_t)snprintf(text + n, sizeof text - n, "|");
		if (i == p->log_at)
			n += (size_t)snprintf(text + n, sizeof text - n, "|");
		if (i < p->n)
			n += (size_t)snprintf(text + n, sizeof text - n,
			    "%s ", p->steps[i].module->name);
	}
	assert_string_equal(text, want);
}

/* ---- order ------------------------------------------------------------- */

static void
plan_is_in_the_order_of_phases(void **state)
{
	struct settings *s = settings_of(
	    "tell: 1\nsqueeze: 1\nanswer: 1\nguard: 1\nmark: 1\ncount: 1\n");

	(void)state;
	expect(plan_make(maker, s),
	    "count guard answer |mark squeeze |tell ");
}

static void
plan_keeps_the_order_of_the_table_within_a_phase(void **state)
{
	struct settings *s = settings_of(
	    "lock: 1\nguard: 1\nmark: 1\nstamp: 1\nanswer: 1\n");

	(void)state;
	expect(plan_make(maker, s), "guard lock answer |stamp mark |");
}

static void
plan_has_no_step_for_what_is_not_said(void **state)
{
	(void)state;
	expect(plan_make(maker, settings_of("answer: 1\n")), "answer ||");
}

static void
plan_of_nothing_is_empty(void **state)
{
	(void)state;
	expect(plan_make(maker, settings_of("{}\n")), "||");
}

static void
plan_leaves_out_what_is_off(void **state)
{
	struct settings *s = settings_of(
	    "guard: off\nanswer: 1\nmark: off\nstamp: 1\ntell: off\n");

	(void)state;
	expect(plan_make(maker, s), "answer |stamp |");
}

static void
plan_puts_each_step_of_a_module_into_its_phase(void **state)
{
	struct settings *s = settings_of(
	    "wide: 1\nanswer: 1\nguard: 1\nsqueeze: 1\ntell: 1\n");
	const struct plan *p = plan_make(maker, s);

	(void)state;
	expect(p, "wide guard answer |squeeze wide |tell wide ");
	assert_ptr_equal(p->steps[0].fn, other_step);
	assert_ptr_equal(p->steps[4].fn, later_step);
	assert_ptr_equal(p->steps[4].conf, p->steps[0].conf);
	assert_int_equal(((struct word_conf *)p->steps[0].conf)->prepared, 1);
}

static void
plan_tells_what_is_before_the_route(void **state)
{
	const struct plan *p = plan_make(maker,
	    settings_of("count: 1\nname: 1\n"));

	(void)state;
	expect(p, "name count ||");
	assert_int_equal(p->route_at, 1);
	assert_int_equal(plan_make(maker, settings_of("count: 1\n"))->route_at,
	    0);
}

static void
plan_gives_each_step_its_function_and_block(void **state)
{
	struct settings *s = settings_of("answer: a\ntell: t\n");
	const struct plan *p = plan_make(maker, s);

	(void)state;
	assert_ptr_equal(p->steps[0].fn, other_step);
	assert_ptr_equal(p->steps[0].conf, s->conf[3]);
	assert_ptr_equal(p->steps[1].fn, tell_step);
	assert_ptr_equal(p->steps[1].conf, s->conf[0]);
}

/* ---- preparing --------------------------------------------------------- */

static void
plan_prepares_a_block_once(void **state)
{
	struct settings *s = settings_of("answer: a\ntell: t\nplain: p\n");
	struct settings other = *s;

	(void)state;
	/* Another route that inherits `tell` and has an answer of its own. */
	other.conf[3] = conf_defaults(load, &word_schema);
	plan_make(maker, s);
	plan_make(maker, &other);
	plan_make(maker, s);
	assert_int_equal(((struct word_conf *)s->conf[0])->prepared, 1);
	assert_int_equal(((struct word_conf *)s->conf[3])->prepared, 1);
	assert_int_equal(((struct word_conf *)other.conf[3])->prepared, 1);
	assert_ptr_equal(prepared_for, g);
}

static void
plan_does_not_prepare_what_is_off(void **state)
{
	struct settings *s = settings_of("answer: a\ntell: off\n");

	(void)state;
	plan_make(maker, s);
	assert_int_equal(((struct word_conf *)s->conf[0])->prepared, 0);
}

static void
plan_lets_modules_report_once(void **state)
{
	struct settings *s = settings_of("answer: a\n");

	(void)state;
	prepare_reports = true;
	plan_make(maker, s);
	plan_make(maker, s);
	assert_int_equal(conf_errors(load), 1);
}

int
main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(plan_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(is_in_the_order_of_phases),
		T(keeps_the_order_of_the_table_within_a_phase),
		T(has_no_step_for_what_is_not_said),
		T(of_nothing_is_empty),
		T(leaves_out_what_is_off),
		T(puts_each_step_of_a_module_into_its_phase),
		T(tells_what_is_before_the_route),
		T(gives_each_step_its_function_and_block),
		T(prepares_a_block_once),
		T(does_not_prepare_what_is_off),
		T(lets_modules_report_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
