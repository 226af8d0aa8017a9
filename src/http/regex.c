/*
 * Regular expressions: PCRE2 on bytes. A compiled one belongs to an arena and
 * is read-only, so that workers share what the master compiled; what a match
 * needs to write into (offsets, the JIT's stack) is kept per thread and used
 * again, so that a match allocates nothing.
 */
#include "http/regex.h"

#include "base/log.h"
#include "base/panic.h"

#include <pcre2.h>

/*
 * What one match may cost. Paths have a few thousand bytes at most, and an
 * expression that is linear in its subject stays far below; what needs more
 * backtracking than this is the attack that the limits are for. The JIT counts
 * only against the first and has its stack as the second; the others hold
 * where the system forbids code that is made at run time.
 */
enum {
	REGEX_MATCH_LIMIT = 100000,
	REGEX_DEPTH_LIMIT = 20000,
	REGEX_HEAP_KIB = 8192,
	REGEX_STACK_FIRST = 32 * 1024,
	REGEX_STACK_MAX = 512 * 1024,
	REGEX_NAME_MAX = 128 /* longest name of a group, in newer PCRE2 */
};

struct regex {
	pcre2_code *code;
	struct str pattern;
};

/* Made by the first match of a thread, and kept until the process ends. */
struct regex_room {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};
static __thread struct regex_room room;

static void
regex_on_end(void *arg)
{
	pcre2_code_free(arg);
}

struct regex *
regex_compile(struct arena *a, struct str pattern, struct err *e)
{
	/* A dollar before a final newline, or a dot that stops at one, would
	 * let a %0A in a path slip past a rule. */
	const uint32_t options =
	    PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL | PCRE2_NEVER_UTF;
	struct regex *r;
	int code;
	PCRE2_SIZE at;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
	    options, &code, &at, NULL);

	if (compiled == NULL) {
		PCRE2_UCHAR why[256] = "";

		pcre2_get_error_message(code, why, sizeof why);
		err_set(e, "the regular expression \"%.*s\" is wrong at "
		    "offset %zu: %s", STR_ARG(pattern), (size_t)at,
		    (const char *)why);
		return NULL;
	}
	/* Without the JIT it is interpreted, within the same limits. */
	(void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);

	r = arena_alloc(a, sizeof *r);
	r->code = compiled;
	r->pattern = arena_str(a, pattern);
	arena_on_end(a, regex_on_end, compiled);
	return r;
}

static void
regex_make_room(void)
{
	room.data = pcre2_match_data_create(REGEX_CAPTURES, NULL);
	room.context = pcre2_match_context_create(NULL);
	ASSERT(room.data != NULL && room.context != NULL);

	pcre2_set_match_limit(room.context, REGEX_MATCH_LIMIT);
	pcre2_set_depth_limit(room.context, REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit(room.context, REGEX_HEAP_KIB);
	/* Without one the JIT takes 32 KiB of the machine's stack. */
	room.stack =
	    pcre2_jit_stack_create(REGEX_STACK_FIRST, REGEX_STACK_MAX, NULL);
	if (room.stack != NULL)
		pcre2_jit_stack_assign(room.context, NULL, room.stack);
}

static void
regex_gave_up(const struct regex *r, struct str subject, int code)
{
	static struct log_limit limit = LOG_LIMIT(5);
	PCRE2_UCHAR why[256] = "";

	pcre2_get_error_message(code, why, sizeof why);
	log_limited(&limit, LOG_WARN,
	    "the regular expression \"%.*s\" gave up on %zu bytes, which "
	    "counts as not found: %s", STR_ARG(r->pattern), subject.n,
	    (const char *)why);
}

bool
regex_match(const struct regex *r, struct str subject,
    size_t out[2 * REGEX_CAPTURES], unsigned *n)
{
	const char *p = subject.p != NULL ? subject.p : "";
	int rc;

	if (room.data == NULL)
		regex_make_room();
	rc = pcre2_match(r->code, (PCRE2_SPTR)p, subject.n, 0, 0, room.data,
	    room.context);
	if (rc < 0) {
		if (rc != PCRE2_ERROR_NOMATCH)
			regex_gave_up(r, subject, rc);
		return false;
	}
	if (out == NULL)
		return true;

	/* 0: it has more groups than there is room for. */
	*n = rc == 0 ? REGEX_CAPTURES : (unsigned)rc;
	_Static_assert(PCRE2_UNSET == SIZE_MAX, "offsets are copied as such");
	memcpy(out, pcre2_get_ovector_pointer(room.data),
	    2 * *n * sizeof out[0]);
	return true;
}

int
regex_group(const struct regex *r, struct str name)
{
	char z[REGEX_NAME_MAX + 1];
	int number;

	if (name.n > REGEX_NAME_MAX)
		return -1;
	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	number = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)z);
	return number > 0 ? number : -1;
}
