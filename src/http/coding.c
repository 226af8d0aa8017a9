/* Content codings by name, and what Accept-Encoding makes of an offer. */
#include "http/coding.h"

#include "http/weight.h"

static const struct str coding_names[CODING_COUNT] = {
	[CODING_IDENTITY] = STR_INIT("identity"),
	[CODING_GZIP] = STR_INIT("gzip"),
	[CODING_BR] = STR_INIT("br"),
	[CODING_ZSTD] = STR_INIT("zstd")
};

struct str
coding_name(enum coding c)
{
	return coding_names[c];
}

bool
coding_find(struct str name, enum coding *out)
{
	if (str_case_eq(name, STR("x-gzip")))
		name = coding_names[CODING_GZIP];
	for (int c = 0; c < CODING_COUNT; c++)
		if (str_case_eq(name, coding_names[c])) {
			*out = (enum coding)c;
			return true;
		}
	return false;
}

/* ---- the type ---------------------------------------------------------- */

static bool
coding_parse(struct arena *a, struct str text, void *out, struct err *e)
{
	enum coding c;

	(void)a;
	if (!coding_find(text, &c) || c == CODING_IDENTITY)
		return err_set(e, "%s", "");
	*(int *)out = (int)c;
	return true;
}

static void
coding_format(struct buf *b, const void *value)
{
	buf_str(b, coding_names[*(const int *)value]);
}

const struct conf_type conf_type_coding = {
	.name = "encoding", .expected = "one of zstd, br, gzip",
	.size = sizeof(int), .parse = coding_parse, .format = coding_format,
	.json = "\"enum\": [\"zstd\", \"br\", \"gzip\"]"
};

/* ---- Accept-Encoding --------------------------------------------------- */

/* What a request says of each coding, in thousandths. Without a word of it, a
 * coding is not wanted; identity is, but less than anything that is. */
struct coding_wishes {
	unsigned weight[CODING_COUNT];
};

static struct coding_wishes
coding_wishes_of(const struct head *request)
{
	struct coding_wishes w = { .weight = { [CODING_IDENTITY] = 1 } };
	bool is_named[CODING_COUNT] = { false };
	unsigned any = 0;
	bool has_any = false;

	HEAD_EACH(f, request) {
		struct str list = f->value, name;
		unsigned weight;
		enum coding c;

		if (f->id != FIELD_ACCEPT_ENCODING)
			continue;
		while (weight_next(&list, &name, &weight)) {
			if (str_eq(name, STR("*"))) {
				any = weight;
				has_any = true;
			} else if (coding_find(name, &c)) {
				w.weight[c] = weight;
				is_named[c] = true;
			}
		}
	}
	for (int c = 0; has_any && c < CODING_COUNT; c++)
		if (!is_named[c])
			w.weight[c] = any;
	return w;
}

enum coding
coding_choose(const struct head *request, const int *offered, size_t n)
{
	struct coding_wishes w;
	enum coding best = CODING_IDENTITY;

	if (!head_has(request, FIELD_ACCEPT_ENCODING))
		return CODING_IDENTITY;
	w = coding_wishes_of(request);
	for (size_t i = 0; i < n; i++) {
		unsigned weight = w.weight[offered[i]];

		/* As much as identity is enough: it asks for fewer bytes. */
		if (weight > w.weight[best] || (best == CODING_IDENTITY &&
		    weight > 0 && weight == w.weight[best]))
			best = (enum coding)offered[i];
	}
	return best;
}

bool
coding_is_accepted(const struct head *request, enum coding c)
{
	return head_has(request, FIELD_ACCEPT_ENCODING) &&
	    coding_wishes_of(request).weight[c] > 0;
}

/* ---- what responses say ------------------------------------------------ */

bool
coding_may_change(const struct head *response)
{
	HEAD_EACH(f, response) {
		if (f->id == FIELD_CACHE_CONTROL &&
		    field_has_token(f->value, STR("no-transform")))
			return false;
	}
	return true;
}

void
coding_vary(struct head *response)
{
	HEAD_EACH(f, response) {
		if (f->id == FIELD_VARY &&
		    (field_has_token(f->value, STR("accept-encoding")) ||
		    field_has_token(f->value, STR("*"))))
			return;
	}
	head_add_known(response, FIELD_VARY, STR("Accept-Encoding"));
}

void
coding_changes(struct head *response)
{
	struct str etag = head_value(response, FIELD_ETAG);

	if (etag.n > 0 && !str_has_prefix(etag, STR("W/")))
		head_set_known(response, FIELD_ETAG,
		    arena_strf(response->arena, "W/%.*s", STR_ARG(etag)));
	head_remove_id(response, FIELD_ACCEPT_RANGES);
	head_remove(response, STR("content-md5"));
	head_remove(response, STR("digest"));
	head_remove(response, STR("content-digest"));
	head_remove(response, STR("repr-digest"));
}
