/*
 * response_headers: the last word on the head of every response, whoever made
 * it. Fields are removed, then set, then added; so what an inner level sets
 * wins over what an outer one removes. The other direction, an inner level that
 * removes what an outer one sets, is settled when the configuration is loaded:
 * the inner maps do not inherit it (CONF_DROPS).
 */
#include "base/log.h"
#include "http/header_set.h"
#include "modules/modules.h"

struct response_headers_conf {
	struct conf_map set, add; /* struct template *, by field name */
	struct conf_list remove;  /* char * */

	/* Made by response_headers_prepare. */
	struct header_set sets, adds;
	struct response_drop {
		enum field_id id;
		struct str name;
	} *drops;
	size_t n_drops;
};

static const struct conf_field response_headers_fields[] = {
	KEY_MAP(response_headers_conf, set, conf_type_template,
	    .flags = CONF_CASELESS,
	    .doc = "Fields that responses have instead of those of that name. "
	    "Where a value is empty, the field stays as it is.",
	    .example = "{X-Frame-Options: DENY}"),
	KEY_MAP(response_headers_conf, add, conf_type_template,
	    .flags = CONF_CASELESS,
	    .doc = "Fields that responses have besides those of that name. "
	    "Where a value is empty, nothing is added.",
	    .example = "{Vary: Origin}"),
	KEY_LIST(response_headers_conf, remove, conf_type_str,
	    .flags = CONF_DROPS,
	    .doc = "Fields that responses do not have. What outer levels set "
	    "or add under these names does not apply here either.",
	    .example = "[X-Powered-By]"),
	KEY_END
};

static const struct conf_schema response_headers_schema = {
	.name = "response_headers",
	.doc = "Changes to the fields of responses, of errors as well.",
	.size = sizeof(struct response_headers_conf),
	.fields = response_headers_fields,
	.example =
	    "response_headers:\n"
	    "  set: {X-Frame-Options: DENY}\n"
	    "  remove: [X-Powered-By]\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    response_headers: {add: {Vary: Origin}}\n"
	    "    routes:\n"
	    "      - path: /embed/*\n"
	    "        response_headers: {remove: [X-Frame-Options]}\n"
	    "        files: /srv/embed\n"
	    "      - files: /srv/www\n",
};

static void
response_headers_prepare(struct conf_load *load, struct generation *g,
    void *conf)
{
	struct response_headers_conf *c = conf;

	(void)g;
	c->sets = header_set_compile(load, &c->set);
	c->adds = header_set_compile(load, &c->add);
	c->drops = arena_alloc(conf_arena(load),
	    (c->remove.n + 1) * sizeof *c->drops);
	for (size_t i = 0; i < c->remove.n; i++) {
		struct str name = str_from(CONF_ITEM(&c->remove, char *, i));

		if (header_set_check_name(load, c->remove.pos[i], name))
			c->drops[c->n_drops++] = (struct response_drop){
				.id = field_lookup(name), .name = name
			};
	}
}

static void
response_headers_remove(struct head *h, enum field_id id, struct str name)
{
	if (id == FIELD_OTHER)
		head_remove(h, name);
	else if (head_has(h, id))
		head_remove_id(h, id);
}

/*
 * A response that exists is not made an error for the sake of a field: one that
 * a client's bytes would break is left out, and said.
 */
static bool
response_headers_eval(const struct header_value *v, struct txn *t,
    struct str *out)
{
	static struct log_limit limit = LOG_LIMIT(5);

	if (header_set_eval(v, t, out))
		return out->n > 0;
	log_limited(&limit, LOG_INFO, "field %.*s is left out, its value would "
	    "hold control characters: %s", STR_ARG(v->name), txn_describe(t));
	return false;
}

static enum verdict
response_headers_step(struct txn *t, const void *conf)
{
	const struct response_headers_conf *c = conf;
	struct head *h = &t->res.head;
	struct str value;

	for (size_t i = 0; i < c->n_drops; i++)
		response_headers_remove(h, c->drops[i].id, c->drops[i].name);
	for (size_t i = 0; i < c->sets.n; i++) {
		const struct header_value *v = &c->sets.values[i];

		if (!response_headers_eval(v, t, &value))
			continue;
		response_headers_remove(h, v->id, v->name);
		head_add(h, v->id, v->name, value);
	}
	for (size_t i = 0; i < c->adds.n; i++) {
		const struct header_value *v = &c->adds.values[i];

		if (response_headers_eval(v, t, &value))
			head_add(h, v->id, v->name, value);
	}
	return STEP_NEXT;
}

const struct module response_headers_module = {
	.name = "response_headers",
	.phase = PHASE_HEADERS,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &response_headers_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Changes to the fields of responses. What is set further in is "
	    "added to what is set further out.",
	.prepare = response_headers_prepare,
	.step = response_headers_step,
};
