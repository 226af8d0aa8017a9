/*
 * Rates as they are written, and the clock that they go by. Nanoseconds: in
 * microseconds, 700000 a second would be a million.
 */
#include "http/rate.h"

#include "base/clock.h"

static const struct {
	const char *word;
	uint64_t seconds;
} rate_units[] = { {"s", 1}, {"m", 60}, {"h", 3600} };

static bool
rate_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	struct rate *r = out;
	const char *slash = memchr(text.p, '/', text.n);
	size_t at = slash != NULL ? (size_t)(slash - text.p) : text.n;
	struct str unit = str_slice(text, at + (slash != NULL), text.n);

	(void)a;
	if (!str_to_u64(str_slice(text, 0, at), &r->n))
		return err_set(e, "%s", "");
	if (slash == NULL)
		return err_set(e, "a rate says in which time: did you mean "
		    "%.*s/s or %.*s/m?", STR_ARG(text), STR_ARG(text));
	if (r->n < 1 || r->n > RATE_MAX)
		return err_set(e, "expected a number between 1 and %u",
		    RATE_MAX);
	for (size_t i = 0; i < COUNT_OF(rate_units); i++) {
		if (!str_eq(unit, str_from(rate_units[i].word)))
			continue;
		r->per = rate_units[i].seconds * RATE_SECOND;
		return true;
	}
	return err_set(e, "%s", "");
}

static void
rate_format(struct buf *b, const void *value)
{
	const struct rate *r = value;

	for (size_t i = 0; i < COUNT_OF(rate_units); i++)
		if (rate_units[i].seconds * RATE_SECOND == r->per)
			buf_printf(b, "%llu/%s", (unsigned long long)r->n,
			    rate_units[i].word);
}

const struct conf_type conf_type_rate = {
	.name = "rate", .expected = "a rate such as 10/s, 300/m or 1000/h",
	.size = sizeof(struct rate),
	.parse = rate_parse, .format = rate_format,
	.json = "\"type\": \"string\", \"pattern\": \"^[0-9]+/[smh]$\""
};

uint64_t
rate_now(void)
{
	return clock_us() * 1000 + 1;
}

uint64_t
rate_seconds(uint64_t ns)
{
	return ns > RATE_SECOND ? (ns - 1) / RATE_SECOND + 1 : 1;
}
