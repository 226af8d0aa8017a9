/* Sizes and durations in the words of operators. */
#include "base/units.h"

struct unit {
	struct str name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ STR_INIT("g"), 1ULL << 30 },
	{ STR_INIT("m"), 1ULL << 20 },
	{ STR_INIT("k"), 1ULL << 10 },
	{ STR_INIT(""), 1 },
};

static const struct unit duration_units[] = {
	{ STR_INIT("d"), 86400000 },
	{ STR_INIT("h"), 3600000 },
	{ STR_INIT("m"), 60000 },
	{ STR_INIT("s"), 1000 },
	{ STR_INIT("ms"), 1 },
};

/* Cuts digits and then letters off *S. */
static bool
units_cut(struct str *s, uint64_t *number, struct str *word)
{
	size_t i = 0, k;

	while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9')
		i++;
	k = i;
	while (k < s->n && !(s->p[k] >= '0' && s->p[k] <= '9'))
		k++;
	if (!str_to_u64(str_slice(*s, 0, i), number))
		return false;
	*word = str_slice(*s, i, k);
	*s = str_slice(*s, k, s->n);
	return true;
}

static const struct unit *
units_find(const struct unit *units, size_t n, struct str word)
{
	for (size_t i = 0; i < n; i++)
		if (str_case_eq(units[i].name, word))
			return &units[i];
	return NULL;
}

bool
units_parse_size(struct str s, uint64_t *bytes, struct err *e)
{
	const struct unit *unit = NULL;
	struct str rest = s, word;
	uint64_t n;

	if (units_cut(&rest, &n, &word) && rest.n == 0)
		unit = units_find(size_units, COUNT_OF(size_units), word);
	if (unit == NULL)
		return err_set(e, "expected a size such as 512, 8k, 1m or 2g, "
		    "found \"%.*s\"", STR_ARG(s));
	if (__builtin_mul_overflow(n, unit->factor, bytes))
		return err_set(e, "%.*s is larger than any size can be",
		    STR_ARG(s));
	return true;
}

bool
units_parse_duration(struct str s, uint64_t *ms, struct err *e)
{
	struct str rest = s, word;
	uint64_t total = 0, n, part;

	/* 0 is 0 of anything. */
	if (str_to_u64(s, &n)) {
		if (n > 0)
			return err_set(e, "a duration needs a unit: write "
			    "%.*ss or %.*sms", STR_ARG(s), STR_ARG(s));
		*ms = 0;
		return true;
	}
	do {
		const struct unit *unit;

		if (!units_cut(&rest, &n, &word))
			goto bad;
		unit = units_find(duration_units, COUNT_OF(duration_units),
		    word);
		if (unit == NULL)
			goto bad;
		if (__builtin_mul_overflow(n, unit->factor, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return err_set(e, "%.*s is longer than any duration "
			    "can be", STR_ARG(s));
	} while (rest.n > 0);
	*ms = total;
	return true;

bad:
	return err_set(e, "expected a duration such as 500ms, 30s, 5m, 12h or "
	    "7d, found \"%.*s\"", STR_ARG(s));
}

static void
units_format(struct buf *b, uint64_t v, const struct unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v % units[i].factor != 0 || (v == 0 && i + 1 < n))
			continue;
		buf_u64(b, v / units[i].factor);
		buf_str(b, units[i].name);
		return;
	}
}

void
units_format_size(struct buf *b, uint64_t bytes)
{
	units_format(b, bytes, size_units, COUNT_OF(size_units));
}

void
units_format_duration(struct buf *b, uint64_t ms)
{
	/* 90 s is 90s rather than 90000ms, 0 is 0s. */
	if (ms == 0)
		buf_z(b, "0s");
	else
		units_format(b, ms, duration_units, COUNT_OF(duration_units));
}
