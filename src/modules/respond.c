/*
 * respond: the request is answered with what the configuration says. A body and
 * fields may hold variables; what is wrong with constants is found when they
 * are loaded. It never looks at the request's method: to HEAD the transport
 * sends the head of what GET would get.
 */
#include "http/header_set.h"
#include "http/status.h"
#include "modules/modules.h"

struct respond_conf {
	int64_t status;
	struct template *body; /* NULL: none was given */
	struct conf_map headers; /* struct template *, by field name */

	/* Made by respond_prepare. */
	struct header_set fields;
	bool has_type; /* Content-Type is among them */
};

static const struct conf_field respond_fields[] = {
	KEY_INT(respond_conf, status, .dflt = "200", .min = "200",
	    .max = "599",
	    .doc = "Status of the response."),
	KEY_TEMPLATE(respond_conf, body,
	    .doc = "Its body, as text/plain in UTF-8 unless the headers say "
	    "otherwise. Left out, an error has the built-in page and every "
	    "other response is empty.",
	    .example = "\"ok\\n\""),
	KEY_MAP(respond_conf, headers, conf_type_template,
	    .doc = "Its fields. One whose value is empty is not sent.",
	    .example = "{Cache-Control: no-store}"),
	KEY_END
};

static const struct conf_schema respond_schema = {
	.name = "respond",
	.doc = "Answers requests with a fixed status, text and fields.",
	.size = sizeof(struct respond_conf),
	.fields = respond_fields,
	.shorthand = "status",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /health\n"
	    "        respond: {body: \"ok\\n\", headers: "
	    "{Cache-Control: no-store}}\n"
	    "      - path: /old/*\n"
	    "        respond: 410\n"
	    "      - respond: 204\n",
};

/* 205 has one form only, that of no content (RFC 9110 section 15.3.6). */
static bool
respond_allows_body(const struct respond_conf *c)
{
	return c->status != 205 && !status_has_no_body((int)c->status);
}

/* Statuses that say nothing without a field (RFC 9110 sections 15.5.2 and
 * 15.5.6). It may come from response_headers, so this only warns. */
static const struct {
	int status;
	const char *field;
} respond_needs[] = {
	{401, "WWW-Authenticate"}, {405, "Allow"}
};

static void
respond_check_needs(struct conf_load *load, const struct respond_conf *c)
{
	for (size_t i = 0; i < sizeof respond_needs / sizeof *respond_needs;
	    i++) {
		struct str field = str_from(respond_needs[i].field);
		bool has = false;

		if (c->status != respond_needs[i].status)
			continue;
		for (size_t k = 0; k < c->fields.n; k++)
			has |= str_case_eq(c->fields.values[k].name, field);
		if (!has)
			conf_warning(load, conf_pos_of(c, &c->status),
			    "missing-field", "a response with status %d has "
			    "to have the field %s; \"headers\" can hold it",
			    respond_needs[i].status, respond_needs[i].field);
	}
}

static void
respond_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct respond_conf *c = conf;

	(void)g;
	if (c->body != NULL && !respond_allows_body(c))
		conf_error(load, conf_pos_of(c, &c->body), "unexpected-body",
		    "a response with status %d never has a body",
		    (int)c->status);
	c->fields = header_set_compile(load, &c->headers);
	for (size_t i = 0; i < c->fields.n; i++)
		c->has_type |= c->fields.values[i].id == FIELD_CONTENT_TYPE;
	respond_check_needs(load, c);
}

static bool
respond_add_fields(const struct respond_conf *c, struct txn *t)
{
	for (size_t i = 0; i < c->fields.n; i++) {
		const struct header_value *v = &c->fields.values[i];
		struct str value;

		if (!header_set_eval(v, t, &value)) {
			txn_fail(t, 400, "bad_field", "the request would put "
			    "control characters into %.*s", STR_ARG(v->name));
			return false;
		}
		if (value.n > 0)
			head_add(&t->res.head, v->id, v->name, value);
	}
	return true;
}

static enum verdict
respond_step(struct txn *t, const void *conf)
{
	const struct respond_conf *c = conf;
	bool has_page = c->body == NULL && c->status >= 400 && !c->has_type;

	if (has_page)
		txn_reply_error(t, (int)c->status);
	else
		txn_reply(t, (int)c->status);
	if (!respond_add_fields(c, t) || c->body == NULL)
		return STEP_STOP;
	txn_reply_bytes(t, head_has(&t->res.head, FIELD_CONTENT_TYPE) ? NULL :
	    "text/plain; charset=utf-8", template_eval(c->body, t));
	return STEP_STOP;
}

const struct module respond_module = {
	.name = "respond",
	.phase = PHASE_RESPOND,
	.levels = LEVEL_ROUTE,
	.schema = &respond_schema,
	.doc = "Answers with a fixed response: its status, or more.",
	.prepare = respond_prepare,
	.step = respond_step,
};
