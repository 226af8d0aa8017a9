/*
 * Range requests (RFC 9110 section 14.2). A Range that is malformed, of another
 * unit or a burden is ignored, as the section allows: the whole is always a
 * right answer.
 */
#include "http/range.h"

/* Takes digits off S; false if there are none. Beyond what fits, the largest:
 * no representation reaches it, so it means the same. */
static bool
range_take_number(struct str *s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s->p[i] - '0');

		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX :
		    v * 10 + digit;
	}
	*s = str_slice(*s, i, s->n);
	*out = v;
	return i > 0;
}

enum range_part {
	PART_OK,
	PART_UNMET, /* lies beyond the end, or is "-0" */
	PART_BAD
};

/* "-N": the last N bytes. */
static enum range_part
range_read_suffix(struct str s, uint64_t size, struct range *out)
{
	uint64_t n;

	s = str_slice(s, 1, s.n);
	if (!range_take_number(&s, &n) || s.n > 0)
		return PART_BAD;
	if (n == 0)
		return PART_UNMET;
	/* An empty representation meets it, but no Content-Range can say so. */
	if (size == 0)
		return PART_BAD;
	*out = (struct range){ .from = n < size ? size - n : 0,
	    .to = size - 1 };
	return PART_OK;
}

/* "N-" or "N-M" (section 14.1.1). */
static enum range_part
range_read_part(struct str s, uint64_t size, struct range *out)
{
	uint64_t from, to = UINT64_MAX;

	if (s.p[0] == '-')
		return range_read_suffix(s, size, out);
	if (!range_take_number(&s, &from) || s.n == 0 || s.p[0] != '-')
		return PART_BAD;
	s = str_slice(s, 1, s.n);
	if (s.n > 0 && (!range_take_number(&s, &to) || s.n > 0 || to < from))
		return PART_BAD;
	if (from >= size)
		return PART_UNMET;
	*out = (struct range){ .from = from, .to = to < size ? to : size - 1 };
	return PART_OK;
}

/* The next part that is not empty (section 5.6.1.2), trimmed. */
static bool
range_next(struct str *rest, struct str *part)
{
	while (str_split(rest, ',', part)) {
		*part = str_trim(*part);
		if (part->n > 0)
			return true;
	}
	return false;
}

enum range_status
range_parse(struct str value, uint64_t size, struct range out[RANGE_MAX],
    unsigned *n)
{
	enum { UNIT = 6 }; /* "bytes=" */
	struct str rest = str_slice(value, UNIT, value.n), part;
	uint64_t left = size; /* what may still be asked for */
	unsigned parts = 0;

	*n = 0;
	if (!str_case_eq(str_slice(value, 0, UNIT), STR("bytes=")))
		return RANGE_NONE;
	for (; range_next(&rest, &part); parts++) {
		struct range *r = &out[*n];

		if (parts == RANGE_MAX)
			return RANGE_NONE;
		switch (range_read_part(part, size, r)) {
		case PART_BAD:
			return RANGE_NONE;
		case PART_UNMET:
			continue;
		case PART_OK:
			break;
		}
		if (r->to - r->from >= left)
			return RANGE_NONE;
		left -= r->to - r->from + 1;
		(*n)++;
	}
	if (parts == 0)
		return RANGE_NONE;
	return *n > 0 ? RANGE_OK : RANGE_BAD;
}
