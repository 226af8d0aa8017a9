/*
 * Which refusals hold. Asked only when there is something to refuse or, for
 * heads, once per request: a list of a handful of words need not be faster.
 * What the rows of refusal.def do not call a policy always holds.
 */
#include "http/policy.h"

const char *const policy_modes[] = {
	[POLICY_ENFORCE] = "enforce", [POLICY_LOG] = "log", NULL
};

bool
policy_holds(const struct http_conf *conf, enum refusal why)
{
	if (!refusal_is_policy(why))
		return true;
	if (conf->mode == POLICY_LOG)
		return false;
	for (CONF_EACH(int, policy, &conf->log_only))
		if (*policy == (int)why)
			return false;
	return true;
}

struct policy_bounds
policy_bounds(const struct http_conf *conf)
{
	struct policy_bounds b = {
		.max_header_size = (uint32_t)conf->max_header_size,
		.max_headers = (uint32_t)conf->max_headers,
		.max_target_size = (uint32_t)conf->max_target_size
	};

	if (!policy_holds(conf, REFUSAL_LARGE_HEAD))
		b.max_header_size = POLICY_MAX_HEADER_SIZE;
	if (!policy_holds(conf, REFUSAL_MANY_FIELDS))
		b.max_headers = POLICY_MAX_HEADERS;
	if (!policy_holds(conf, REFUSAL_LONG_TARGET))
		b.max_target_size = POLICY_MAX_TARGET_SIZE;
	return b;
}

/* ---- the words --------------------------------------------------------- */

#define HEAD(name, ...)
#define REFUSAL(name, ...)
#define HEAD_POLICY POLICY

static const char policy_words[] =
	"one of"
#define POLICY(name, status, word, text) " " word
#include "http/refusal.def"
	;

static bool
policy_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	enum refusal r = refusal_find(text);

	(void)a;
	if (r == REFUSAL_NONE)
		return err_set(e, "%s", "");
	if (!refusal_is_policy(r))
		return err_set(e, "\"%.*s\" is no limit and holds in any mode",
		    STR_ARG(text));
	*(int *)out = (int)r;
	return true;
}

static void
policy_format(struct buf *b, const void *value)
{
	buf_z(b, refusal_word((enum refusal)*(const int *)value));
}

const struct conf_type conf_type_policy = {
	.name = "reason", .expected = policy_words, .size = sizeof(int),
	.parse = policy_parse, .format = policy_format,
	.json = "\"type\": \"string\""
};
