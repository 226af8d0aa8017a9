/*
 * Any bytes up to a line end as a template, what follows it as the path, the
 * query and the credentials of the request that it is written for: compiling
 * ends in a template that keeps its text or in a sentence, and no value leaves
 * its quotes in a log line or in JSON.
 */
#include "../unit/http/variable_world.h"

#include "base/panic.h"

static struct txn *
fuzz_txn(struct arena *a, struct str rest)
{
	struct txn *t = world_txn(a);
	struct str part = {"", 0};
	static size_t captures[4];

	t->req.path = t->req.target.query = rest;
	t->req.target.has_query = true;
	(void)str_split(&rest, '\n', &part);
	head_add_known(&t->req.head, FIELD_AUTHORIZATION, part);
	head_add_known(&t->req.head, FIELD_COOKIE, part);
	head_add_known(&t->req.head, FIELD_COOKIE, rest);
	t->captured = t->req.path;
	t->captures = captures;
	t->n_captures = 2;
	captures[1] = captures[3] = t->captured.n;
	captures[2] = captures[3] / 2;
	return t;
}

/* Whether a JSON string could end, or break off, in S. */
static bool
fuzz_leaves_json(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == '"')
			return true;
		if (s.p[i] == '\\' && ++i == s.n)
			return true;
	}
	return false;
}

static void
fuzz_check_value(struct arena *a, const struct template *tp, struct txn *t)
{
	struct str plain = template_eval(tp, t);
	struct buf log = buf_in(a), json = buf_in(a);

	template_write(tp, t, &log, ESCAPE_LOG);
	template_write(tp, t, &json, ESCAPE_JSON);
	ASSERT(log.n >= plain.n && json.n >= plain.n);
}

/* Of a template that is one variable alone, all that is written is escaped. */
static void
fuzz_check_escapes(struct arena *a, struct txn *t)
{
	static const char *const names[] = {
		"$uri", "$args", "$remote_user", "$arg_a", "$cookie_a", "$1",
		"$http_cookie"
	};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct template *tp = template_compile(a, str_from(names[i]),
		    NULL);
		struct buf log = buf_in(a), json = buf_in(a);

		ASSERT(tp != NULL);
		template_write(tp, t, &log, ESCAPE_LOG);
		template_write(tp, t, &json, ESCAPE_JSON);
		ASSERT(log.n > 0 && !fuzz_leaves_json(buf_view(&json)));
		for (size_t k = 0; k < log.n; k++)
			ASSERT(log.p[k] >= 0x20 && log.p[k] < 0x7f &&
			    log.p[k] != '"');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str rest = str_of((const char *)data, size), text = {"", 0};
	struct err e = {""};
	struct template *tp;
	struct txn *t;

	if (size > 0)
		(void)str_split(&rest, '\n', &text);
	tp = template_compile(a, text, &e);
	t = fuzz_txn(a, rest);
	ASSERT((tp == NULL) == (e.text[0] != '\0'));
	if (tp != NULL) {
		ASSERT(str_eq(template_text(tp), text));
		ASSERT(!template_is_constant(tp) ||
		    template_eval(tp, t).n <= text.n);
		fuzz_check_value(a, tp, t);
	}
	fuzz_check_escapes(a, t);
	arena_end(a);
	return 0;
}
