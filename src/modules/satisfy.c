/*
 * satisfy: whether a request has to get past everything that guards a route, or
 * one of it is enough. The first step of PHASE_AUTH opens the question, the
 * first of the phase after it closes it; the guards know nothing of this, see
 * http/admission.h.
 */
#include "http/admission.h"
#include "modules/modules.h"

struct satisfy_conf {
	int mode; /* enum satisfy_mode */
};

enum satisfy_mode { SATISFY_ALL, SATISFY_ANY };
static const char *const satisfy_modes[] = {"all", "any", NULL};

static const struct conf_field satisfy_fields[] = {
	KEY_CHOICE(satisfy_conf, mode, satisfy_modes, .dflt = "all",
	    .doc = "`all`: every one has to let a request through. `any`: one "
	    "is enough; when none does, the client gets the answer that it "
	    "can do most about, a challenge rather than a plain 403. An "
	    "`access` list in which nothing matches says neither yes nor no."),
	KEY_END
};

static const struct conf_schema satisfy_schema = {
	.name = "satisfy",
	.doc = "How many of the keys that guard a route (`access`, "
	    "`auth_basic`) have to let a request through.",
	.size = sizeof(struct satisfy_conf),
	.fields = satisfy_fields,
	.shorthand = "mode",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /metrics\n"
	    "        satisfy: any\n"
	    "        access: [allow 10.0.0.0/8, allow unix, deny all]\n"
	    "        proxy: http://127.0.0.1:9100\n"
	    "      - respond: 404\n",
};

static enum verdict
satisfy_step(struct txn *t, const void *conf)
{
	const struct satisfy_conf *c = conf;

	if (c->mode == SATISFY_ANY)
		admission_begin(t);
	return STEP_NEXT;
}

static enum verdict
satisfy_close(struct txn *t, const void *conf)
{
	(void)conf;
	return admission_end(t);
}

const struct module satisfy_module = {
	.name = "satisfy",
	.phase = PHASE_AUTH,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &satisfy_schema,
	.doc = "Whether `all` that guards a route has to let a request "
	    "through, or `any` of it is enough.",
	.step = satisfy_step,
	.then = {{ PHASE_REWRITE, satisfy_close }, { .fn = NULL }},
};
