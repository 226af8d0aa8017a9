/*
 * access: who may, by address. Rules are tried in the order of the file, the
 * first that fits decides; when none does, the request goes on. The address is
 * that of whoever asks, behind trusted proxies (real_ip, PROXY protocol) that
 * of the client.
 */
#include "http/admission.h"
#include "http/server.h"
#include "modules/modules.h"

struct access_rule {
	bool allows;
	bool is_for_all;
	struct cidr network;
};

struct access_conf {
	struct conf_list rules; /* struct access_rule */
};

struct access_stats {
	uint64_t allowed, denied;
};

/* ---- loading ----------------------------------------------------------- */

/* The word before the first blank; what follows it is left in *REST. */
static struct str
access_word(struct str *rest)
{
	size_t blank = str_index(*rest, ' ', 0);
	struct str word = str_slice(*rest, 0, blank);

	*rest = blank == SIZE_MAX ? STR("") :
	    str_trim(str_slice(*rest, blank, rest->n));
	return word;
}

static bool
access_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct access_rule *rule = out;
	struct str rest = str_trim(text), word = access_word(&rest);

	(void)a;
	rule->allows = str_eq(word, STR("allow"));
	if ((!rule->allows && !str_eq(word, STR("deny"))) || rest.n == 0)
		return false;
	rule->is_for_all = str_eq(rest, STR("all"));
	/* In a list in brackets a colon at the end would need quotes. */
	if (str_eq(rest, STR("unix")))
		rest = STR("unix:");
	return rule->is_for_all || cidr_parse(rest, &rule->network, e);
}

static const struct conf_type access_type = {
	.name = "rule",
	.expected = "\"allow\" or \"deny\" and an address, a network such as "
	    "10.0.0.0/8, unix or all",
	.size = sizeof(struct access_rule),
	.parse = access_parse,
	.json = "\"type\": \"string\", \"pattern\": \"^(allow|deny) +[^ ]+$\""
};

static const struct conf_field access_fields[] = {
	KEY_LIST(access_conf, rules, access_type, .flags = CONF_REQUIRED,
	    .doc = "The first that fits decides, the others are not looked at. "
	    "When none does, the request is let through: end the list with "
	    "`deny all` where only some may.",
	    .example = "[allow 10.0.0.0/8, allow 2001:db8::/32, deny all]"),
	KEY_END
};

static const struct conf_schema access_schema = {
	.name = "access",
	.doc = "Lets clients through or refuses them with 403, by address: "
	    "`allow` or `deny` with an address, a network, `unix` (who comes "
	    "over a unix socket) or `all`. Behind proxies the address is the "
	    "client's where `real_ip` or `proxy_protocol` says so.",
	.size = sizeof(struct access_conf),
	.fields = access_fields,
	.shorthand = "rules",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    access: [deny 192.0.2.66]\n"
	    "    routes:\n"
	    "      - path: /admin/*\n"
	    "        access: [allow 10.0.0.0/8, allow ::1, deny all]\n"
	    "        proxy: http://127.0.0.1:8080\n"
	    "      - path: /health\n"
	    "        access: off\n"
	    "        respond: 204\n"
	    "      - files: /srv/www\n",
};

/* Whether every client that LATER fits is one that EARLIER fits. */
static bool
access_covers(const struct access_rule *earlier,
    const struct access_rule *later)
{
	const struct cidr *net = &later->network;
	struct peer first = { .family = net->family };

	if (earlier->is_for_all || later->is_for_all)
		return earlier->is_for_all;
	memcpy(first.ip, net->ip, sizeof first.ip);
	return earlier->network.bits <= net->bits &&
	    cidr_contains(&earlier->network, &first);
}

static void
access_lint(struct conf_load *load, const struct access_conf *c, size_t at)
{
	const struct access_rule *rules = c->rules.items;

	for (size_t i = 0; i < at; i++) {
		if (!access_covers(&rules[i], &rules[at]))
			continue;
		conf_warning(load, c->rules.pos[at], "shadowed-rule",
		    "this rule can never match: the one at %s is tried before "
		    "it and fits all of its clients",
		    conf_pos_text(load, c->rules.pos[i]));
		return;
	}
}

static void
access_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	const struct access_conf *c = conf;
	bool denies = false;

	(void)g;
	for (size_t i = 0; i < c->rules.n; i++) {
		denies |= !CONF_ITEM(&c->rules, struct access_rule, i).allows;
		access_lint(load, c, i);
	}
	if (!denies)
		conf_warning(load, conf_pos_of(c, &c->rules), "open-list",
		    "this list refuses nobody: who fits no rule is let "
		    "through; end it with \"deny all\"");
}

/* ---- requests ---------------------------------------------------------- */

static const struct access_rule *
access_find(const struct access_conf *c, const struct peer *peer)
{
	for (CONF_EACH(const struct access_rule, rule, &c->rules))
		if (rule->is_for_all || cidr_contains(&rule->network, peer))
			return rule;
	return NULL;
}

static enum verdict
access_step(struct txn *t, const void *conf)
{
	struct access_stats *stats = server_stats(t->server, MODULE_access);
	const struct access_rule *rule = access_find(conf, txn_peer(t));

	if (rule == NULL)
		return STEP_NEXT;
	if (rule->allows) {
		stats->allowed++;
		return admission_allow(t);
	}
	stats->denied++;
	txn_reply_error(t, 403);
	return admission_refuse(t, "access_denied",
	    "the address is denied by the access list");
}

static const struct counter_row access_rows[] = {
	COUNTER_LABEL(access_stats, allowed, COUNTER_TOTAL,
	    "weir_access_total", "verdict=\"allow\"",
	    "Requests that a rule of an access list decided."),
	COUNTER_LABEL(access_stats, denied, COUNTER_TOTAL,
	    "weir_access_total", "verdict=\"deny\"",
	    "Requests that a rule of an access list decided."),
	COUNTER_END
};
static const struct counter_set access_counters = {
	.name = "access",
	.size = sizeof(struct access_stats),
	.rows = access_rows,
};

const struct module access_module = {
	.name = "access",
	.phase = PHASE_AUTH,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &access_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "Who may, by address. The first rule that fits decides; a list "
	    "further in replaces one further out.",
	.prepare = access_prepare,
	.step = access_step,
	.counters = &access_counters,
};
