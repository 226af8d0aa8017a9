/* Weights: "gzip;q=0.5, br". What is malformed asks for nothing. */
#include "http/weight.h"

#include "base/compiler.h"

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) */
static bool
weight_parse(struct str q, unsigned *weight)
{
	unsigned scale = WEIGHT_MAX / 10;

	if (q.n == 0 || q.n > 5 || (q.p[0] != '0' && q.p[0] != '1') ||
	    (q.n > 1 && q.p[1] != '.'))
		return false;
	*weight = q.p[0] == '1' ? WEIGHT_MAX : 0;
	for (size_t i = 2; i < q.n; i++, scale /= 10) {
		if (q.p[i] < '0' || q.p[i] > '9')
			return false;
		*weight += (unsigned)(q.p[i] - '0') * scale;
	}
	return *weight <= WEIGHT_MAX;
}

/* Parameters besides q are the name's own and say nothing of its weight. */
static bool
weight_of(struct str params, unsigned *weight)
{
	struct str param;

	*weight = WEIGHT_MAX;
	while (str_split(&params, ';', &param)) {
		param = str_trim(param);
		if (str_case_eq(str_slice(param, 0, 2), STR("q=")))
			return weight_parse(str_slice(param, 2, param.n),
			    weight);
	}
	return true;
}

bool
weight_next(struct str *list, struct str *name, unsigned *weight)
{
	struct str member;

	while (str_split(list, ',', &member)) {
		struct str rest = member;

		if (!str_split(&rest, ';', name))
			continue;
		*name = str_trim(*name);
		if (name->n > 0 && weight_of(rest, weight))
			return true;
	}
	return false;
}

static const struct {
	struct str name;
	enum { WEIGHT_JSON, WEIGHT_HTML, WEIGHT_ANY, WEIGHT_KINDS } kind;
} weight_types[] = {
	{STR_INIT("application/problem+json"), WEIGHT_JSON},
	{STR_INIT("application/json"), WEIGHT_JSON},
	{STR_INIT("text/html"), WEIGHT_HTML},
	{STR_INIT("application/xhtml+xml"), WEIGHT_HTML},
	{STR_INIT("text/*"), WEIGHT_ANY},
	{STR_INIT("*/*"), WEIGHT_ANY},
};

/* Where both are wanted alike, who names JSON and HTML is a browser, and who
 * names JSON beside a wildcard is a program. */
bool
weight_prefers_json(struct str accept)
{
	unsigned most[WEIGHT_KINDS] = {0}, weight;
	bool names_html = false;
	struct str name;

	while (weight_next(&accept, &name, &weight))
		for (size_t i = 0; i < COUNT_OF(weight_types); i++) {
			unsigned *m = &most[weight_types[i].kind];

			if (!str_case_eq(name, weight_types[i].name))
				continue;
			names_html |= weight_types[i].kind == WEIGHT_HTML;
			if (weight > *m)
				*m = weight;
		}
	if (names_html)
		return most[WEIGHT_JSON] > most[WEIGHT_HTML];
	return most[WEIGHT_JSON] > 0 &&
	    most[WEIGHT_JSON] >= most[WEIGHT_ANY];
}
