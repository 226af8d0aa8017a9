/*
 * The table of refusals, and nothing that refuses: who finds a reason names its
 * row, txn.c counts and reports it. Rows stand in refusal.def.
 */
#include "http/refusal.h"

static const struct refusal_row {
	int status;
	const char *word, *text;
} refusal_rows[REFUSAL_COUNT] = {
	[REFUSAL_NONE] = {0, "ok", ""},
#define HEAD(name, ...) [REFUSAL_##name] = {__VA_ARGS__},
#define REFUSAL(name, ...) [REFUSAL_##name] = {__VA_ARGS__},
#include "http/refusal.def"
#undef HEAD
#undef REFUSAL
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

void
refusal_print_man(struct buf *b)
{
	for (int i = REFUSAL_NONE + 1; i < REFUSAL_COUNT; i++) {
		const struct refusal_row *r = &refusal_rows[i];

		buf_printf(b, ".It Li %s\n%d: %s\n", r->word, r->status,
		    r->text);
	}
}
