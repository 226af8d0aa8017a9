/* Weights: "gzip;q=0.5, br". What is malformed asks for nothing. */
#include "http/weight.h"

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
