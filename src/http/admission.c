/*
 * Admission: refusals that are not the last word are kept, with the response
 * that the step made, until it is known that nobody lets the request through.
 * Lives in the transaction's arena and holds for one walk of one plan: an
 * internal redirect begins anew, so what a route asks for is asked.
 */
#include "http/admission.h"

#include "base/log.h"

#include <stdarg.h>

struct admission {
	void *const *walk; /* the slots of the walk that it holds for */
	bool is_granted;
	struct response kept; /* status 0: nobody has refused */
	const char *word, *sentence;
};

static struct admission *
admission_of(const struct txn *t)
{
	struct admission *a = t->admission;

	return a != NULL && a->walk == t->slots ? a : NULL;
}

void
admission_begin(struct txn *t)
{
	struct admission *a = arena_zalloc(t->arena, sizeof *a);

	a->walk = t->slots;
	t->admission = a;
}

bool
admission_is_granted(const struct txn *t)
{
	const struct admission *a = admission_of(t);

	return a != NULL && a->is_granted;
}

enum verdict
admission_allow(struct txn *t)
{
	struct admission *a = admission_of(t);

	if (a != NULL)
		a->is_granted = true;
	return STEP_NEXT;
}

static void
admission_tell(struct txn *t, const char *word, const char *sentence)
{
	static struct log_limit limit = LOG_LIMIT(20);

	log_limited(&limit, LOG_INFO, "%s: %d (%s), %s", sentence,
	    t->res.status, word, txn_describe(t));
	t->reason = word;
}

/* Of several refusals the client gets the one that it can do most about: the
 * way to a login, then a challenge, then a plain no. */
static unsigned
admission_worth(int status)
{
	if (status / 100 == 3)
		return 3;
	return status == 401 ? 2 : status == 0 ? 0 : 1;
}

/* What else the client may try (RFC 9110 section 11.6.1). */
static void
admission_add_challenges(struct head *to, const struct head *from)
{
	HEAD_EACH(f, from)
		if (f->id == FIELD_WWW_AUTHENTICATE)
			head_add(to, f->id, f->name, f->value);
}

/* Moves t->res aside, or drops it for one that is kept already. */
static void
admission_keep(struct txn *t, struct admission *a, const char *word,
    const char *sentence)
{
	struct response said = t->res;

	t->res = (struct response){ .head_length = -1, .close = said.close };
	if (admission_worth(said.status) > admission_worth(a->kept.status)) {
		flow_close(a->kept.body);
		a->kept = said;
		a->word = word;
		a->sentence = sentence;
		return;
	}
	if (said.status == 401 && a->kept.status == 401)
		admission_add_challenges(&a->kept.head, &said.head);
	flow_close(said.body);
}

enum verdict
admission_refuse(struct txn *t, const char *word, const char *fmt, ...)
{
	struct admission *a = admission_of(t);
	const char *sentence;
	va_list ap;

	va_start(ap, fmt);
	sentence = arena_vprintf(t->arena, fmt, ap);
	va_end(ap);
	if (a == NULL) {
		admission_tell(t, word, sentence);
		return STEP_STOP;
	}
	admission_keep(t, a, word, sentence);
	return STEP_NEXT;
}

enum verdict
admission_end(struct txn *t)
{
	struct admission *a = admission_of(t);

	if (a == NULL)
		return STEP_NEXT;
	t->admission = NULL;
	if (a->is_granted || a->kept.status == 0) {
		flow_close(a->kept.body);
		return STEP_NEXT;
	}
	a->kept.close |= t->res.close;
	t->res = a->kept;
	admission_tell(t, a->word, a->sentence);
	return STEP_STOP;
}
