/*
 * Conditional requests: the preconditions of RFC 9110 section 13.1, evaluated
 * in the order of section 13.2.2 against a representation that exists. It reads
 * heads and answers; what a 304 or a 412 looks like is the caller's.
 */
#include "http/condition.h"

#include "base/clock.h"
#include "http/date.h"

/* ---- entity tags (RFC 9110 section 8.8.3) ------------------------------ */

/*
 * Takes an entity tag off *S. No list reader would do: a tag may hold commas,
 * and a backslash in it escapes nothing.
 */
static bool
etag_take(struct str *s, struct str *tag)
{
	size_t mark = str_has_prefix(*s, STR("W/")) ? 2 : 0;
	size_t end;

	if (mark >= s->n || s->p[mark] != '"')
		return false;
	end = str_index(*s, '"', mark + 1);
	if (end == SIZE_MAX)
		return false;
	*tag = str_slice(*s, 0, end + 1);
	*s = str_slice(*s, end + 1, s->n);
	return true;
}

static bool
etag_is_weak(struct str tag)
{
	return str_has_prefix(tag, STR("W/"));
}

static struct str
etag_opaque(struct str tag)
{
	return etag_is_weak(tag) ? str_slice(tag, 2, tag.n) : tag;
}

/* Section 8.8.3.2: only tags that are both strong can match strongly. */
static bool
etag_matches(struct str a, struct str b, bool strongly)
{
	if (strongly && (etag_is_weak(a) || etag_is_weak(b)))
		return false;
	return str_eq(etag_opaque(a), etag_opaque(b));
}

static struct str
etag_skip_commas(struct str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == ',' || s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return str_slice(s, i, s.n);
}

/*
 * Whether a list names ETAG. What is malformed names nothing, nor does what
 * follows it: the answers are then 412 and the whole representation, which
 * are safe.
 */
static bool
etag_is_listed(struct str list, struct str etag, bool strongly)
{
	struct str tag;

	if (etag.p == NULL)
		return false;
	for (list = etag_skip_commas(list); etag_take(&list, &tag);
	    list = etag_skip_commas(list)) {
		if (list.n > 0 && list.p[0] != ',' && list.p[0] != ' ' &&
		    list.p[0] != '\t')
			return false;
		if (etag_matches(tag, etag, strongly))
			return true;
	}
	return false;
}

/* ---- preconditions ----------------------------------------------------- */

/* If-Match or If-None-Match. "*" is any representation, and there is one. */
static bool
condition_names(const struct head *head, enum field_id id, struct str etag,
    bool strongly)
{
	struct str value = str_trim(head_joined(head, id));

	return str_eq(value, STR("*")) ||
	    etag_is_listed(value, etag, strongly);
}

/* A date that counts: one line, and well-formed (sections 13.1.3, 13.1.4). */
static bool
condition_date(const struct head *head, enum field_id id, int64_t *out)
{
	return head_count(head, id) == 1 &&
	    http_date_parse(head_value(head, id), out);
}

/*
 * If-Range (section 13.1.5): a strong tag, or exactly the date that was sent.
 * A date is no strong validator while its second lasts, for the representation
 * may change again in it (section 8.8.2.2).
 */
static bool
condition_same(const struct head *head, struct str etag, int64_t modified)
{
	struct str value = head_value(head, FIELD_IF_RANGE), tag;
	int64_t date;

	if (head_count(head, FIELD_IF_RANGE) != 1)
		return false;
	if (etag_take(&value, &tag))
		return value.n == 0 && etag.p != NULL &&
		    etag_matches(tag, etag, true);
	return http_date_parse(value, &date) && date == modified &&
	    modified < clock_wall();
}

/* Steps 1 and 2: is it the state that the client knows? */
static bool
condition_holds(const struct head *head, struct str etag, int64_t modified)
{
	int64_t date;

	if (head_has(head, FIELD_IF_MATCH))
		return condition_names(head, FIELD_IF_MATCH, etag, true);
	return !condition_date(head, FIELD_IF_UNMODIFIED_SINCE, &date) ||
	    modified <= date;
}

/* Steps 3 and 4: has the client what it would get? */
static bool
condition_has_it(const struct head *head, bool is_read, struct str etag,
    int64_t modified)
{
	int64_t date;

	if (head_has(head, FIELD_IF_NONE_MATCH))
		return condition_names(head, FIELD_IF_NONE_MATCH, etag, false);
	return is_read &&
	    condition_date(head, FIELD_IF_MODIFIED_SINCE, &date) &&
	    modified <= date;
}

enum condition
condition_check(const struct head *head, enum method method, struct str etag,
    int64_t modified)
{
	bool is_read = method == METHOD_GET || method == METHOD_HEAD;

	/* These neither select nor change a representation (13.2.1). */
	if (method == METHOD_CONNECT || method == METHOD_OPTIONS ||
	    method == METHOD_TRACE)
		return CONDITION_PASS;

	if (!condition_holds(head, etag, modified))
		return CONDITION_FAILED;
	if (condition_has_it(head, is_read, etag, modified))
		return is_read ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
	if (method == METHOD_GET && head_has(head, FIELD_RANGE) &&
	    head_has(head, FIELD_IF_RANGE) &&
	    !condition_same(head, etag, modified))
		return CONDITION_WHOLE;
	return CONDITION_PASS;
}
