/*
 * rewrite: the path is what a regular expression makes of it. The result is
 * decoded, as is what the expression saw; it must be a path as a request could
 * have it, and one that a client's bytes would turn into something else (a
 * segment "..", a control, no slash at its front) is answered 500 and goes
 * nowhere. The query is kept unless the replacement has one.
 */
#include "http/mapping.h"
#include "http/pattern.h"
#include "http/query.h"
#include "http/server.h"
#include "http/template.h"
#include "modules/modules.h"

/* A replacement; behind its first "?" is the query. */
struct rewrite_target {
	struct template *path, *query; /* no query: NULL */
};

enum rewrite_then { REWRITE_CONTINUE, REWRITE_ROUTE };
enum rewrite_apply { REWRITE_FIRST, REWRITE_ALL };

struct rewrite_rule {
	struct regex *regex;
	struct rewrite_target to;
	int then; /* enum rewrite_then */
};

struct rewrite_conf {
	struct conf_list rules; /* struct rewrite_rule * */
	int apply;              /* enum rewrite_apply */
};

struct rewrite_stats {
	uint64_t rewritten, rerouted, refused;
};

static const struct counter_row rewrite_rows[] = {
	COUNTER(rewrite_stats, rewritten, COUNTER_TOTAL,
	    "weir_rewrite_rewritten_total",
	    "Times that a rule of rewrite gave a request another path."),
	COUNTER(rewrite_stats, rerouted, COUNTER_TOTAL,
	    "weir_rewrite_rerouted_total",
	    "Those after which the request was routed anew."),
	COUNTER(rewrite_stats, refused, COUNTER_TOTAL,
	    "weir_rewrite_refused_total",
	    "Times that the result was no path, and the answer 500."),
	COUNTER_END
};

static const struct counter_set rewrite_counters = {
	.name = "rewrite",
	.size = sizeof(struct rewrite_stats),
	.rows = rewrite_rows,
};

/* ---- loading ----------------------------------------------------------- */

/* The first "?" that is no part of a variable's name; text.n: none. */
static size_t
rewrite_find_query(struct str text)
{
	bool is_in_name = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '{' && i > 0 && text.p[i - 1] == '$')
			is_in_name = true;
		else if (text.p[i] == '}')
			is_in_name = false;
		else if (text.p[i] == '?' && !is_in_name)
			return i;
	}
	return text.n;
}

static bool
rewrite_check_path(struct arena *a, const struct template *path, struct err *e)
{
	struct str text = template_text(path), settled = text;

	if (text.n == 0 || (text.p[0] != '/' && text.p[0] != '$'))
		return err_set(e, "a path begins with a slash; did you mean "
		    "\"/%.*s\"?", STR_ARG(text));
	if (path_has_escape(text))
		return err_set(e, "\"%.*s\" has a %%-escape, but paths are "
		    "rewritten decoded; expected the character itself",
		    STR_ARG(text));
	if (template_is_constant(path) && !path_settle(a, &settled))
		return err_set(e, "\"%.*s\" has a segment that is only dots, a "
		    "control or a backslash; expected a path without them",
		    STR_ARG(text));
	return true;
}

static bool
rewrite_check_query(struct str text, struct err *e)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')
			return err_set(e, "the query \"%.*s\" has a character "
			    "that no query has; expected its %%-escape",
			    STR_ARG(text));
	}
	return true;
}

static bool
rewrite_target_load(struct conf_load *load, struct str text, void *out,
    struct err *e)
{
	struct arena *a = conf_arena(load);
	struct rewrite_target *to = out;
	size_t mark = rewrite_find_query(text);
	struct str query = str_slice(text, mark + 1, text.n);

	to->path = template_load(load, str_slice(text, 0, mark), e);
	if (to->path == NULL || !rewrite_check_path(a, to->path, e))
		return false;
	if (mark == text.n)
		return true;
	to->query = template_load(load, query, e);
	return to->query != NULL && rewrite_check_query(query, e);
}

static void
rewrite_target_format(struct buf *b, const void *value)
{
	const struct rewrite_target *to = value;

	if (to->path == NULL)
		return;
	buf_str(b, template_text(to->path));
	if (to->query == NULL)
		return;
	buf_chr(b, '?');
	buf_str(b, template_text(to->query));
}

static const struct conf_type conf_type_rewrite_target = {
	.name = "path with variables", .size = sizeof(struct rewrite_target),
	.parse_in = rewrite_target_load, .format = rewrite_target_format,
	.json = "\"type\": \"string\", \"pattern\": \"^[/$]\""
};

static const char *const rewrite_then_words[] = {"continue", "route", NULL};
static const char *const rewrite_apply_words[] = {"first", "all", NULL};

static const struct conf_field rewrite_rule_fields[] = {
	KEY_OTHER(rewrite_rule, regex, struct regex *, conf_type_regex,
	    .flags = CONF_REQUIRED,
	    .doc = "A regular expression (PCRE2) that is looked for in the "
	    "path, decoded and normalised, as strip_prefix, add_prefix and "
	    "earlier rules left it. Unless it begins with ^ and ends with $ "
	    "it may be found anywhere.",
	    .example = "^/user/(\\\\d+)$"),
	KEY_OTHER(rewrite_rule, to, struct rewrite_target,
	    conf_type_rewrite_target, .flags = CONF_REQUIRED,
	    .doc = "The whole path from then on, decoded; $1 to $9 and "
	    "$capture_NAME are the groups of this expression. With a ? the "
	    "query is what follows it (nothing drops it, ?x=1&$args puts "
	    "something before it); without, it stays. What a variable brings "
	    "into the query is encoded. A result that is no path, as one with "
	    "a segment .., is answered 500.",
	    .example = "/profile?id=$1&$args"),
	KEY_CHOICE(rewrite_rule, then, rewrite_then_words, .dflt = "continue",
	    .doc = "continue: the request stays in its route. route: it is "
	    "routed anew within its site, as if the client had asked for that "
	    "path, at most ten times, then 500; $internal_redirects counts."),
	KEY_END
};

static const struct conf_schema rewrite_rule_schema = {
	.name = "rule",
	.doc = "What paths are rewritten, and to what.",
	.size = sizeof(struct rewrite_rule),
	.fields = rewrite_rule_fields,
};

static const struct conf_field rewrite_fields[] = {
	KEY_BLOCKS(rewrite_conf, rules, rewrite_rule_schema,
	    .flags = CONF_REQUIRED,
	    .doc = "The rules, tried in this order."),
	KEY_CHOICE(rewrite_conf, apply, rewrite_apply_words, .dflt = "first",
	    .doc = "first: the first rule whose expression is found is "
	    "applied, and no other. all: each that is found is, one to what "
	    "the other made, unless one has the request routed anew."),
	KEY_END
};

static const struct conf_schema rewrite_schema = {
	.name = "rewrite",
	.doc = "Rewrites paths by regular expressions.",
	.size = sizeof(struct rewrite_conf),
	.fields = rewrite_fields,
	.shorthand = "rules",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /user/*\n"
	    "        rewrite:\n"
	    "          - {regex: '^/user/(\\d+)$', to: '/profile?id=$1'}\n"
	    "          - {regex: '^/user/(?<name>\\w+)$',\n"
	    "             to: /people/$capture_name, then: route}\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - files: /srv/www\n",
};

/* ---- requests ---------------------------------------------------------- */

/* False: the result is no path. */
static bool
rewrite_apply(const struct rewrite_target *to, struct txn *t,
    struct captures *groups, struct str *path, struct str *query)
{
	struct buf out = buf_in(t->arena);

	mappings_settle(to->path, t);
	if (to->query != NULL)
		mappings_settle(to->query, t);
	txn_swap_captures(t, groups);
	*path = template_eval(to->path, t);
	if (to->query != NULL) {
		template_write(to->query, t, &out, ESCAPE_QUERY);
		*query = out.n > 0 ? buf_view(&out) : str_of(NULL, 0);
	}
	txn_swap_captures(t, groups);
	return path_settle(t->arena, path);
}

static enum verdict
rewrite_refuse(struct txn *t, const struct rewrite_rule *rule,
    struct rewrite_stats *stats)
{
	struct str text = template_text(rule->to.path);

	stats->refused++;
	txn_fail(t, 500, "bad_rewrite", "\"%.*s\" would make a path that is "
	    "none", STR_ARG(text));
	return STEP_STOP;
}

static enum verdict
rewrite_step(struct txn *t, const void *conf)
{
	const struct rewrite_conf *c = conf;
	struct rewrite_stats *stats = server_stats(t->server, MODULE_rewrite);

	if (t->req.target.form == TARGET_ASTERISK)
		return STEP_NEXT;
	for (CONF_EACH(struct rewrite_rule *, rule, &c->rules)) {
		struct str query = t->req.target.has_query ?
		    t->req.target.query : str_of(NULL, 0);
		size_t offsets[2 * REGEX_CAPTURES];
		struct captures groups = {
			.subject = t->req.path, .at = offsets,
			.names = (*rule)->regex
		};
		struct str path;

		if (!regex_match((*rule)->regex, t->req.path, offsets,
		        &groups.n))
			continue;
		if (!rewrite_apply(&(*rule)->to, t, &groups, &path, &query))
			return rewrite_refuse(t, *rule, stats);
		stats->rewritten++;
		if ((*rule)->then == REWRITE_ROUTE) {
			stats->rerouted++;
			return txn_reroute(t, path, query);
		}
		txn_rewrite(t, path, query);
		if (c->apply == REWRITE_FIRST)
			break;
	}
	return STEP_NEXT;
}

const struct module rewrite_module = {
	.name = "rewrite",
	.phase = PHASE_REWRITE,
	.levels = LEVEL_SITE | LEVEL_ROUTE,
	.schema = &rewrite_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Regular expressions that give paths another form, here or for "
	    "another route.",
	.step = rewrite_step,
	.counters = &rewrite_counters,
};
