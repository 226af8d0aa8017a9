/*
 * error_pages: what clients get to see of an error. A page replaces the
 * built-in one, that is, what nobody has written a body for; those of upstreams
 * only where `intercept` says so. What a page is fetched from may fail, too:
 * then there is the built-in one, and never another page.
 */
#include "http/error_page.h"
#include "http/generation.h"
#include "http/mime.h"
#include "http/server.h"
#include "http/site.h"
#include "http/template.h"
#include "modules/modules.h"

#define STATUS_FIRST 400
#define STATUS_END 600
/* A file is kept in memory by every generation. */
#define FILE_MAX 1048576

struct error_page_conf {
	struct template *path;
	char *file;
	struct template *body;
	char *type;

	/* Made by error_page_prepare. */
	bool is_prepared;
	struct str bytes;     /* of the file */
	struct target target; /* of a path without variables */
};

struct error_pages_conf {
	struct conf_map pages; /* struct error_page_conf *, by status */
	bool intercept;

	/* Made by error_pages_prepare; NULL: the built-in one. */
	const struct error_page_conf *by_status[STATUS_END - STATUS_FIRST];
};

static void
error_page_check(struct conf_load *load, void *block)
{
	const struct error_page_conf *p = block;

	if ((p->path != NULL) + (p->file != NULL) + (p->body != NULL) != 1)
		conf_error(load, conf_block_pos(p), "bad-page",
		    "an error page has one of path, file and body");
	else if (p->type != NULL && p->path != NULL)
		conf_error(load, conf_pos_of(p, &p->type), "bad-page",
		    "the type of a page with a path is that of its route");
	else if (p->type != NULL && !mime_is_valid(str_from(p->type)))
		conf_error(load, conf_pos_of(p, &p->type), "bad-value",
		    "\"type\": expected a media type such as text/html, found "
		    "\"%s\"", p->type);
}

static const struct conf_field error_page_fields[] = {
	KEY_TEMPLATE(error_page_conf, path,
	    .doc = "A path of the same site, with a query if there is one, "
	    "that a route answers as if a GET for it had come: any route, "
	    "those of upstreams as well. The request's body, conditions and "
	    "ranges are not for it.",
	    .example = "/errors/$status.html"),
	{.name = "file", .shape = CONF_SCALAR, .type = &conf_type_path,
	 .offset = CONF_OFFSET(error_page_conf, file, char *),
	 .doc = "A file of at most 1m, read when the configuration is loaded: "
	 "a page that nothing can take away.",
	 .example = "/etc/weir/50x.html"},
	KEY_TEMPLATE(error_page_conf, body,
	    .doc = "The page itself. Nothing is escaped: what a variable holds "
	    "of a request is a stranger's, and does not belong into HTML.",
	    .example = "\"Back soon.\\n\""),
	KEY_STR(error_page_conf, type,
	    .doc = "Its media type; left out, that of the file's name, and "
	    "text/plain of a body.",
	    .example = "text/html"),
	KEY_END
};

static const struct conf_schema error_page_schema = {
	.name = "error page",
	.doc = "What is shown for an error: one of path, file and body.",
	.size = sizeof(struct error_page_conf),
	.fields = error_page_fields,
	.shorthand = "path",
	.check = error_page_check,
};

static const struct conf_field error_pages_fields[] = {
	KEY_BLOCK_MAP(error_pages_conf, pages, error_page_schema,
	    .flags = CONF_NUMBERED,
	    .doc = "The page of a status from 400 to 599, as 404, or of all of "
	    "a class that have none of their own, as 5xx.",
	    .example = "/50x.html"),
	KEY_BOOL(error_pages_conf, intercept, .dflt = "off",
	    .doc = "Whether errors that upstreams answer with get these pages, "
	    "too. Of their fields those stay that the status needs, such as "
	    "WWW-Authenticate, Allow and Retry-After."),
	KEY_END
};

static const struct conf_schema error_pages_schema = {
	.name = "error_pages",
	.doc = "Pages of errors, by status. The status stays what it is, and "
	    "so do the fields that go with it. They are for errors that are "
	    "made here: what a route's respond has given a body is left alone, "
	    "and so is what an upstream answers, unless intercept is on. A "
	    "request that is refused before it has a route gets those of its "
	    "site. "
	    "Without a page, or where one cannot be had, there is a built-in "
	    "one: HTML that names no program, or problem details "
	    "(application/problem+json, RFC 9457) for clients whose Accept "
	    "names JSON and not HTML with the same weight.",
	.size = sizeof(struct error_pages_conf),
	.fields = error_pages_fields,
	.example =
	    "error_pages:\n"
	    "  503: {body: \"Back soon.\\n\"}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    error_pages: {404: /errors/404.html, 5xx: /errors/50x.html}\n"
	    "    routes:\n"
	    "      - path: /errors/*\n"
	    "        files: /srv/www\n"
	    "      - path: /api/*\n"
	    "        error_pages: {4xx: {body: '{\"error\": $status}', "
	    "type: application/json},\n"
	    "          intercept: on}\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - files: /srv/www\n",
};

/* ---- loading ----------------------------------------------------------- */

static void
error_page_prepare_path(struct conf_load *load, struct error_page_conf *p)
{
	struct str text = template_text(p->path);

	if (text.n == 0 || text.p[0] != '/' ||
	    (template_is_constant(p->path) &&
	    target_parse(conf_arena(load), text, SLASH_KEEP, &p->target) !=
	    TARGET_OK))
		conf_error(load, conf_pos_of(p, &p->path), "bad-path",
		    "\"path\": expected a path of this site such as "
		    "/404.html, found \"%.*s\"; a file is {file: PATH}, a text "
		    "{body: TEXT}", STR_ARG(text));
}

/* Blocks that several levels share are seen more than once. */
static void
error_page_prepare(struct conf_load *load, struct error_page_conf *p)
{
	if (p->is_prepared)
		return;
	p->is_prepared = true;
	if (p->path != NULL)
		error_page_prepare_path(load, p);
	if (p->file != NULL &&
	    conf_read(load, conf_pos_of(p, &p->file), p->file, &p->bytes) &&
	    p->bytes.n > FILE_MAX)
		conf_error(load, conf_pos_of(p, &p->file), "large-file",
		    "%s is larger than 1m; a path to a route with files has no "
		    "such limit", p->file);
	if (p->type == NULL && p->file != NULL)
		p->type = arena_printf(conf_arena(load), "%.*s",
		    STR_ARG(mime_type_of(mime_types_new(conf_arena(load),
		    STR("text/html")), str_from(p->file))));
	else if (p->type == NULL)
		p->type = arena_strdup(conf_arena(load),
		    "text/plain; charset=utf-8");
}

/* "404": itself; "4xx": its class, in hundreds. */
static bool
error_pages_read_key(struct str key, unsigned *status, unsigned *class)
{
	uint64_t n;

	*status = *class = 0;
	if (key.n == 3 && (key.p[0] == '4' || key.p[0] == '5') &&
	    str_case_eq(str_slice(key, 1, 3), STR("xx"))) {
		*class = (unsigned)(key.p[0] - '0');
		return true;
	}
	if (!str_to_u64(key, &n) || n < STATUS_FIRST || n >= STATUS_END)
		return false;
	*status = (unsigned)n;
	return true;
}

static void
error_pages_put(struct error_pages_conf *c, unsigned status, unsigned class,
    const struct error_page_conf *p)
{
	for (unsigned i = 0; i < STATUS_END - STATUS_FIRST; i++) {
		unsigned code = STATUS_FIRST + i;

		if (code == status ||
		    (code / 100 == class && c->by_status[i] == NULL))
			c->by_status[i] = p;
	}
}

static void
error_pages_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct error_pages_conf *c = conf;
	unsigned status, class;

	(void)g;
	for (int classes = 0; classes < 2; classes++)
		for (size_t i = 0; i < c->pages.n; i++) {
			const struct conf_entry *e = &c->pages.entries[i];

			if (!error_pages_read_key(e->key, &status, &class)) {
				if (!classes)
					conf_error(load, e->key_pos,
					    "bad-status", "\"%.*s\" is no "
					    "status of an error; expected 400 "
					    "to 599, 4xx or 5xx",
					    STR_ARG(e->key));
				continue;
			}
			if ((class != 0) != (classes != 0))
				continue;
			error_page_prepare(load, e->value);
			error_pages_put(c, status, class, e->value);
		}
}

/* ---- requests ---------------------------------------------------------- */

/* A variable may hold what is no path: then there is no such page. */
static enum verdict
error_pages_fetch(struct txn *t, const struct error_page_conf *p)
{
	struct target target = p->target;

	if (!template_is_constant(p->path) &&
	    target_parse(t->arena, template_eval(p->path, t), SLASH_KEEP,
	        &target) != TARGET_OK)
		return STEP_NEXT;
	return error_page_fetch(t, target.path,
	    target.has_query ? target.query : str_of(NULL, 0));
}

/* The page of T's response; NULL: it stays as it is. */
static const struct error_page_conf *
error_pages_find(const struct txn *t, const struct error_pages_conf *c)
{
	int status = t->res.status;

	if (status < STATUS_FIRST || status >= STATUS_END || t->page != NULL ||
	    t->res.upgraded || t->server->is_starved)
		return NULL;
	if (!t->res.is_builtin && (!c->intercept || t->upstream == NULL))
		return NULL;
	return c->by_status[status - STATUS_FIRST];
}

static enum verdict
error_pages_step(struct txn *t, const void *conf)
{
	const struct error_page_conf *p = error_pages_find(t, conf);

	if (p == NULL)
		return STEP_NEXT;
	if (p->path != NULL)
		return error_pages_fetch(t, p);
	error_page_put(t, str_from(p->type),
	    p->file != NULL ? p->bytes : template_eval(p->body, t));
	return STEP_NEXT;
}

const struct module error_pages_module = {
	.name = "error_pages",
	.phase = PHASE_HEADERS,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &error_pages_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Pages of errors by status, or by class. What is said further "
	    "in is added to what is said further out.",
	.prepare = error_pages_prepare,
	.step = error_pages_step,
};
