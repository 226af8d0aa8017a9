/*
 * add_prefix: something is put before the path. What the client sent keeps its
 * escapes behind it. A prefix with variables is looked at for every request: it
 * can lead into another folder, but not out of one.
 */
#include "http/pattern.h"
#include "http/template.h"
#include "modules/modules.h"

struct add_prefix_conf {
	struct template *prefix;

	/* Made by add_prefix_prepare; p == NULL: not constant. */
	struct str constant;
};

static const struct conf_field add_prefix_fields[] = {
	KEY_TEMPLATE(add_prefix_conf, prefix, .flags = CONF_REQUIRED,
	    .doc = "What is put before the path, decoded: with /app, the path "
	    "/x is /app/x from then on. Variables may not bring in \"..\": "
	    "the request is answered 500.",
	    .example = "/sites/$host"),
	KEY_END
};

static const struct conf_schema add_prefix_schema = {
	.name = "add_prefix",
	.doc = "Puts something before paths. What follows it goes to an "
	    "upstream as the client encoded it.",
	.size = sizeof(struct add_prefix_conf),
	.fields = add_prefix_fields,
	.shorthand = "prefix",
	.example =
	    "sites:\n"
	    "  - hosts: [\"*.example.com\"]\n"
	    "    listen: 8000\n"
	    "    routes:\n"
	    "      - path: /app/*\n"
	    "        strip_prefix: /app\n"
	    "        add_prefix: /v2\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - add_prefix: /$host\n"
	    "        files: /srv/sites\n",
};

static void
add_prefix_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct add_prefix_conf *c = conf;
	struct conf_pos pos = conf_pos_of(c, &c->prefix);
	struct str text = template_text(c->prefix);
	struct err e;

	(void)g;
	if (!template_is_constant(c->prefix)) {
		if (text.p[0] != '/' && text.p[0] != '$')
			conf_error(load, pos, "bad-value", "\"add_prefix\": a "
			    "path begins with a slash; did you mean "
			    "\"/%.*s\"?", STR_ARG(text));
		return;
	}
	if (!path_front_parse(conf_arena(load),
	        template_eval(c->prefix, NULL), &c->constant, &e))
		conf_error(load, pos, "bad-value", "\"add_prefix\": %s",
		    e.text);
}

static enum verdict
add_prefix_step(struct txn *t, const void *conf)
{
	const struct add_prefix_conf *c = conf;
	struct str front = c->constant, raw;

	if (t->req.target.form == TARGET_ASTERISK)
		return STEP_NEXT;
	if (front.p == NULL) {
		front = template_eval(c->prefix, t);
		if (front.n == 0)
			return STEP_NEXT;
		if (!path_settle(t->arena, &front)) {
			txn_fail(t, 500, "bad_rewrite", "add_prefix would make "
			    "a path that is none");
			return STEP_STOP;
		}
		if (front.p[front.n - 1] == '/')
			front.n--;
	}
	if (front.n == 0)
		return STEP_NEXT;
	raw = arena_strf(t->arena, "%.*s%.*s",
	    STR_ARG(txn_encode_path(t, front)),
	    STR_ARG(t->req.target.raw_path));
	txn_rewrite_path(t, raw, arena_strf(t->arena, "%.*s%.*s",
	    STR_ARG(front), STR_ARG(t->req.path)));
	return STEP_NEXT;
}

const struct module add_prefix_module = {
	.name = "add_prefix",
	.phase = PHASE_REWRITE,
	.levels = LEVEL_SITE | LEVEL_ROUTE,
	.schema = &add_prefix_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "What is put before paths; after strip_prefix, before rewrite.",
	.prepare = add_prefix_prepare,
	.step = add_prefix_step,
};
