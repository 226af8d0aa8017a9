/*
 * Routes as they are written: the rows of `routes` and what rows cannot say of
 * them. Who answers is not known here: a route must have one
 * module of the phase RESPOND, whichever modules those are.
 */
#include "http/route.h"

#include "http/match.h"

static const struct conf_field route_fields[] = {
	KEY_LIST(route_conf, path, conf_type_path_pattern, .flags = CONF_LOCAL,
	    .doc = "The request's path is one of these. /x is exactly that "
	    "path, /x/* everything below /x/ and that itself, /x* whatever "
	    "begins so, *.php whatever ends so; after ~ stands a regular "
	    "expression (PCRE2, on bytes), whose captures are $1 and so on. "
	    "It is compared with the path decoded and normalised: no escapes, "
	    "no dot segments, no double slashes. Left out: every path.",
	    .example = "[/api/*, /status]"),
	KEY_BLOCK(route_conf, match, struct match_conf, match_schema,
	    .flags = CONF_LOCAL,
	    .doc = "What a request must be besides its path."),
	KEY_BLOCKS(route_conf, routes, route_schema, .flags = CONF_LOCAL,
	    .doc = "Routes within this one: for them to be taken, its path and "
	    "match must hold as well as their own, and they inherit its "
	    "settings. Their paths are written in full. If it holds but none "
	    "of them does, the routes after it are tried."),
	KEY_END
};

static bool
route_answers(const struct route_conf *r, unsigned i)
{
	return modules[i]->phase == PHASE_RESPOND &&
	    r->settings.conf[i] != NULL && !conf_is_off(r->settings.conf[i]);
}

/* "files, proxy, respond, redirect or routes". */
static struct str
route_answers_text(struct arena *a)
{
	struct buf b = buf_in(a);

	for (unsigned i = 0; i < module_count; i++) {
		if (modules[i]->phase != PHASE_RESPOND)
			continue;
		buf_z(&b, b.n > 0 ? ", " : "");
		buf_z(&b, modules[i]->name);
	}
	buf_z(&b, " or routes");
	return buf_view(&b);
}

static void
route_report_second(struct conf_load *load, const struct route_conf *r,
    const void *member, const char *name, const char *first)
{
	conf_error(load, conf_pos_of(r, member), "two-answers",
	    "this route has \"%s\" besides \"%s\"; a route has one of %.*s",
	    name, first, STR_ARG(route_answers_text(conf_arena(load))));
}

static void
route_check(struct conf_load *load, void *block)
{
	const struct route_conf *r = block;
	const char *first = r->routes.n > 0 ? "routes" : NULL;

	/* Made of defaults alone, it is somebody's who brings a plan. */
	if (conf_block_pos(r).line == 0)
		return;
	for (unsigned i = 0; i < module_count; i++) {
		if (!route_answers(r, i))
			continue;
		if (first != NULL)
			route_report_second(load, r, &r->settings.conf[i],
			    modules[i]->name, first);
		else
			first = modules[i]->name;
	}
	if (first == NULL)
		conf_error(load, conf_block_pos(r), "no-answer",
		    "the route that begins here does not say what to do; a "
		    "route has one of %.*s",
		    STR_ARG(route_answers_text(conf_arena(load))));
}

struct conf_schema route_schema = {
	.name = "route",
	.doc = "Which requests are meant, and what is done with them. The "
	    "first route of the site that fits is taken.",
	.size = sizeof(struct route_conf),
	.fields = route_fields,
	.extra_offset = offsetof(struct route_conf, settings),
	.check = route_check,
};
