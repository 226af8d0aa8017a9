/*
 * Secrets: what ${file:} put in. Where a value is shown to anybody, in -T, in a
 * message or in the log, ${file:PATH} stands in its place, which means the same
 * to whoever may read the file. They live as long as the load.
 */
#include "conf/run.h"

/* What is shorter is a port or a word that stands in many places, not a
 * secret. */
#define SECRET_MIN 6

struct secret {
	struct secret *next;
	struct str value, shown;
};

void
secret_note(struct conf_load *load, const char *path, struct str value)
{
	struct secret *s = load->secrets;

	while (s != NULL && !str_eq(s->value, value))
		s = s->next;
	if (s != NULL || value.n < SECRET_MIN)
		return;
	s = arena_zalloc(load->arena, sizeof *s);
	s->value = arena_str(load->arena, value);
	s->shown = arena_strf(load->arena, "${file:%s}", path);
	s->next = load->secrets;
	load->secrets = s;
}

struct str
secret_veil(const struct conf_load *load, struct str text)
{
	if (text.n == 0)
		return text;
	for (const struct secret *s = load->secrets; s != NULL; s = s->next) {
		const char *end = text.p + text.n, *at = text.p, *found;
		struct buf b = buf_in(load->arena);

		while ((found = memmem(at, (size_t)(end - at), s->value.p,
		    s->value.n)) != NULL) {
			buf_str(&b, str_of(at, (size_t)(found - at)));
			buf_str(&b, s->shown);
			at = found + s->value.n;
		}
		if (at == text.p)
			continue;
		buf_str(&b, str_of(at, (size_t)(end - at)));
		text = buf_view(&b);
	}
	return text;
}
