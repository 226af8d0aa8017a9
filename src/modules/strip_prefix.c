/*
 * strip_prefix: the front of the path is cut off before the request is
 * answered. What is left keeps the escapes that the client wrote: the upstream
 * gets "/a%20b" of "/api/a%20b". Where the client spelt the front in a way of
 * its own ("/x/../api/a", "/%61pi/a"), the rest is encoded anew, so that what
 * the upstream reads is always what was matched here.
 */
#include "http/pattern.h"
#include "http/site.h"
#include "modules/modules.h"

struct strip_prefix_conf {
	struct str prefix;
	struct str encoded; /* made by strip_prefix_prepare */
};

static const struct conf_field strip_prefix_fields[] = {
	KEY_OTHER(strip_prefix_conf, prefix, struct str, conf_type_path_front,
	    .flags = CONF_REQUIRED,
	    .doc = "The front, of whole segments: /api is cut off /api/x and "
	    "of /api, of which / is left, but not off /apis. Other paths "
	    "stay as they are.",
	    .example = "/api"),
	KEY_END
};

static const struct conf_schema strip_prefix_schema = {
	.name = "strip_prefix",
	.doc = "Cuts the front off paths before anything is looked up by "
	    "them. The rest goes to an upstream as the client encoded it.",
	.size = sizeof(struct strip_prefix_conf),
	.fields = strip_prefix_fields,
	.shorthand = "prefix",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: [/api, /api/*]\n"
	    "        strip_prefix: /api\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - path: /docs/*\n"
	    "        strip_prefix: /docs\n"
	    "        files: /srv/docs\n",
};

static void
strip_prefix_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct strip_prefix_conf *c = conf;

	(void)g;
	if (c->prefix.n == 0)
		conf_error(load, conf_pos_of(c, &c->prefix), "bad-value",
		    "\"strip_prefix\": / is the front of every path, and "
		    "nothing would be cut off");
	c->encoded = path_encode(conf_arena(load), c->prefix);
}

/* How the rest of the path is sent: the end of what the client sent, if that is
 * read in the same way. */
static struct str
strip_prefix_raw(const struct txn *t, const struct strip_prefix_conf *c,
    struct str rest)
{
	struct str raw = t->req.target.raw_path;
	struct target cut = {
		.raw_path = str_slice(raw, c->encoded.n, raw.n)
	};

	if (!str_has_prefix(raw, c->encoded))
		return txn_encode_path(t, rest);
	if (cut.raw_path.n == 0)
		return STR("/");
	/* What begins with two slashes would be a host to many readers. */
	if (cut.raw_path.p[0] != '/' ||
	    str_has_prefix(cut.raw_path, STR("//")))
		return txn_encode_path(t, rest);
	if (t->req.path.p == raw.p)
		return cut.raw_path;
	if (target_decode(t->arena, (enum encoded_slash)
	        t->site->http->encoded_slash, &cut) != TARGET_OK ||
	    !str_eq(cut.path, rest))
		return txn_encode_path(t, rest);
	return cut.raw_path;
}

static enum verdict
strip_prefix_step(struct txn *t, const void *conf)
{
	const struct strip_prefix_conf *c = conf;
	struct str rest = str_slice(t->req.path, c->prefix.n, t->req.path.n);

	/* "*" is the server, and has no path. */
	if (t->req.target.form == TARGET_ASTERISK ||
	    !str_has_prefix(t->req.path, c->prefix))
		return STEP_NEXT;
	if (rest.n == 0)
		rest = STR("/");
	if (rest.p[0] == '/')
		txn_rewrite_path(t, strip_prefix_raw(t, c, rest), rest);
	return STEP_NEXT;
}

const struct module strip_prefix_module = {
	.name = "strip_prefix",
	.phase = PHASE_REWRITE,
	.levels = LEVEL_SITE | LEVEL_ROUTE,
	.schema = &strip_prefix_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "The front of paths that is cut off before the request is "
	    "answered; before add_prefix, rewrite and query, whatever their "
	    "order in the file.",
	.prepare = strip_prefix_prepare,
	.step = strip_prefix_step,
};
