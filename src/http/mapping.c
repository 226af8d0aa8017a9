/*
 * Mappings: how a value is found. Nothing is looked at before somebody asks,
 * and the answer is kept for the transaction, so that all who ask are told the
 * same. Made by mapping_conf.c, in the generation's arena; never changes.
 */
#include "http/mapping.h"

#include "http/mapping_table.h"

/* ---- by value ---------------------------------------------------------- */

static struct str
mapping_eval_regex(const struct mapping_regex *r, struct txn *t,
    struct captures *groups)
{
	struct str value;

	mappings_settle(r->result, t);
	txn_swap_captures(t, groups);
	value = template_eval(r->result, t);
	txn_swap_captures(t, groups);
	return value;
}

/* The value as it is, then the longest end, then expressions in order. */
static bool
mapping_by_value(const struct mapping *m, struct txn *t, struct str key,
    struct str *out)
{
	const struct template *result = map_get(m->exact, key);
	const struct affix *end;

	if (result == NULL && (end = affix_find(m->ends, key)) != NULL)
		result = end->value;
	if (result != NULL) {
		*out = template_eval(result, t);
		return true;
	}
	for (size_t i = 0; i < m->n_regexes; i++) {
		const struct mapping_regex *r = &m->regexes[i];
		size_t offsets[2 * REGEX_CAPTURES];
		struct captures groups = {
			.subject = key, .at = offsets, .names = r->regex
		};

		if (!regex_match(r->regex, key, offsets, &groups.n))
			continue;
		*out = mapping_eval_regex(r, t, &groups);
		return true;
	}
	return false;
}

/* ---- by network -------------------------------------------------------- */

/* An address as $remote_addr writes it. */
static bool
mapping_read_address(struct str text, struct cidr *out)
{
	struct err e;

	return str_index(text, '/', 0) == SIZE_MAX &&
	    cidr_parse(text, out, &e);
}

struct str
mapping_net_key(struct cidr *net, unsigned bits)
{
	for (unsigned i = 0; i < sizeof net->ip; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		net->ip[i] &= kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);
	}
	return str_of((char *)net->ip, sizeof net->ip);
}

/* One question for each length of a prefix that is there, longest first. */
static bool
mapping_by_network(const struct mapping *m, struct txn *t, struct str key,
    struct str *out)
{
	struct cidr address;

	if (!mapping_read_address(key, &address))
		return false;
	for (size_t i = 0; i < m->n_nets; i++) {
		const struct mapping_nets *nets = &m->nets[i];
		struct cidr net = address;
		const struct template *result;

		if (nets->family != address.family)
			continue;
		result = map_get(nets->by_ip,
		    mapping_net_key(&net, nets->bits));
		if (result == NULL)
			continue;
		*out = template_eval(result, t);
		return true;
	}
	return false;
}

/* ---- by range ---------------------------------------------------------- */

/* A number, of which a fraction is cut off. */
static bool
mapping_read_number(struct str text, uint64_t *out)
{
	size_t dot = str_index(text, '.', 0);
	struct str fraction = str_slice(text, dot, text.n);

	for (size_t i = 1; i < fraction.n; i++)
		if (fraction.p[i] < '0' || fraction.p[i] > '9')
			return false;
	return str_to_u64(str_slice(text, 0, dot), out);
}

static bool
mapping_by_range(const struct mapping *m, struct txn *t, struct str key,
    struct str *out)
{
	size_t low = 0, high = m->n_ranges;
	uint64_t value;

	if (!mapping_read_number(key, &value))
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mapping_range *r = &m->ranges[middle];

		if (value >= r->from && value <= r->to) {
			*out = template_eval(r->result, t);
			return true;
		}
		if (value < r->from)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* ---- by share ---------------------------------------------------------- */

/*
 * Where KEY lies among all there are, of MAPPING_WHOLE parts: the same in every
 * worker and after every restart, so without the secret of str_hash. FNV-1a,
 * and the last mixing of MurmurHash3, since the high bits are what counts.
 */
uint64_t
mapping_place(struct str key)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	h ^= h >> 33;
	return (h >> 32) * MAPPING_WHOLE >> 32;
}

static bool
mapping_by_share(const struct mapping *m, struct str key, struct str *out)
{
	uint64_t place = mapping_place(key);

	for (size_t i = 0; i < m->n_shares; i++) {
		if (place >= m->shares[i].until)
			continue;
		*out = m->shares[i].name;
		return true;
	}
	return false;
}

/* ---- values ------------------------------------------------------------ */

static struct str
mapping_find(const struct mapping *m, struct txn *t)
{
	struct str key = template_eval(m->source, t), value = STR("");
	bool is_found = false;

	switch (m->kind) {
	case MAPPING_VALUES:
		is_found = mapping_by_value(m, t, key, &value);
		break;
	case MAPPING_CIDR:
		is_found = mapping_by_network(m, t, key, &value);
		break;
	case MAPPING_RANGES:
		is_found = mapping_by_range(m, t, key, &value);
		break;
	case MAPPING_SHARES:
		is_found = mapping_by_share(m, key, &value);
		break;
	}
	if (!is_found && m->otherwise != NULL)
		value = template_eval(m->otherwise, t);
	return value;
}

static struct str
mapping_value(const struct mapping *m, struct txn *t)
{
	struct str *known;

	if (t->mapped == NULL)
		t->mapped = arena_zalloc(t->arena,
		    *m->count * sizeof *t->mapped);
	known = &t->mapped[m->index];
	if (known->p == NULL)
		*known = mapping_find(m, t);
	return *known;
}

void
mappings_settle(const struct template *tp, struct txn *t)
{
	const struct mapping *m;

	for (size_t i = 0; (m = template_mapping(tp, i)) != NULL; i++)
		(void)mapping_value(m, t);
}

void
mapping_write(struct txn *t, const struct variable_arg *arg, struct buf *out)
{
	buf_str(out, mapping_value(arg->mapping, t));
}
