/*
 * The table of refusals, and nothing that refuses: who finds a reason names its
 * row, txn.c counts and reports it. Rows stand in refusal.def.
 */
#include "http/refusal.h"

static const struct refusal_row {
	int status;
	const char *word, *text;
	bool is_policy;
} refusal_rows[REFUSAL_COUNT] = {
	[REFUSAL_NONE] = {0, "ok", "", false},
#define HEAD(name, ...) [REFUSAL_##name] = {__VA_ARGS__, false},
#define REFUSAL HEAD
#define POLICY(name, ...) [REFUSAL_##name] = {__VA_ARGS__, true},
#define HEAD_POLICY POLICY
#include "http/refusal.def"
};

int
refusal_status(enum refusal r)
{
	return refusal_rows[r].status;
}

const char *
refusal_word(enum refusal r)
{
	return refusal_rows[r].word;
}

const char *
refusal_text(enum refusal r)
{
	return refusal_rows[r].text;
}

bool
refusal_is_policy(enum refusal r)
{
	return refusal_rows[r].is_policy;
}

enum refusal
refusal_find(struct str word)
{
	for (int i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++)
		if (str_eq(word, str_from(refusal_rows[i].word)))
			return (enum refusal)i;
	return REFUSAL_NONE;
}

void
refusal_print_man(struct buf *b)
{
	for (int i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++) {
		const struct refusal_row *r = &refusal_rows[i];

		buf_printf(b, ".It Li %s\n%d: %s%s\n", r->word, r->status,
		    r->text, r->is_policy ? " (may be only reported)" : "");
	}
}
