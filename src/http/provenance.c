/*
 * Provenance: reads fields in which proxies say for whom they speak. Strict:
 * what is no address ends the reading, and nothing to the left of it counts.
 * Elements are cut at every comma, also one in quotes: a client that leaves a
 * quote open must not hide what a proxy wrote after it. Owns nothing.
 */
#include "http/provenance.h"

bool
provenance_is_trusted(const struct txn *t)
{
	if (t->provenance != NULL)
		return t->provenance->is_trusted;
	return conn_is_trusted(t->conn);
}

/* ---- one hop ----------------------------------------------------------- */

/* A number, or what stands for one (RFC 7239 section 6.3). */
static bool
provenance_read_port(struct str s, uint16_t *port)
{
	uint64_t n = 0;

	*port = 0;
	if (s.n > 1 && s.p[0] == '_')
		return field_token_is_valid(s);
	if (s.n > 5 || !str_to_u64(s, &n) || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Two colons or more are an IPv6 address without a port. */
static bool
provenance_is_bare_ipv6(struct str s)
{
	size_t colon = str_index(s, ':', 0);

	return colon != SIZE_MAX &&
	    str_index(s, ':', colon + 1) != SIZE_MAX;
}

bool
provenance_read_hop(struct str s, struct peer *out)
{
	uint16_t port = 0;
	bool is_ipv6 = true;
	struct str ip = s, rest = STR("");
	size_t end;

	if (s.n > 0 && s.p[0] == '[') {
		end = str_index(s, ']', 0);
		if (end == SIZE_MAX)
			return false;
		ip = str_slice(s, 1, end);
		rest = str_slice(s, end + 1, s.n);
	} else if (!provenance_is_bare_ipv6(s)) {
		is_ipv6 = false;
		end = str_index(s, ':', 0);
		ip = str_slice(s, 0, end);
		rest = str_slice(s, ip.n, s.n);
	}
	if (rest.n > 0 && (rest.p[0] != ':' ||
	    !provenance_read_port(str_slice(rest, 1, rest.n), &port)))
		return false;
	return ip.n > 0 &&
	    peer_parse_ip(is_ipv6 ? AF_INET6 : AF_INET, ip, port, out);
}

/* ---- Forwarded (RFC 7239 section 4) ------------------------------------ */

/* The value of `for`; false: there is none, or it is malformed. What needs
 * quotes must have them: an address with colons. */
static bool
provenance_unquote(struct str value, struct str *node)
{
	if (value.n >= 2 && value.p[0] == '"') {
		*node = str_slice(value, 1, value.n - 1);
		return value.p[value.n - 1] == '"' &&
		    str_index(*node, '"', 0) == SIZE_MAX &&
		    str_index(*node, '\\', 0) == SIZE_MAX;
	}
	*node = value;
	return field_token_is_valid(value);
}

static bool
provenance_read_forwarded(struct str element, struct peer *out)
{
	struct str pair, node = STR("");
	bool has_for = false;

	while (str_split(&element, ';', &pair)) {
		pair = str_trim(pair);
		if (!str_case_eq(str_slice(pair, 0, 4), STR("for=")))
			continue;
		if (has_for || !provenance_unquote(str_slice(pair, 4, pair.n),
		    &node))
			return false;
		has_for = true;
	}
	/* An IPv6 address stands in brackets there (section 6.1). */
	return has_for && !provenance_is_bare_ipv6(str_slice(node, 0,
	    str_index(node, '[', 0))) && provenance_read_hop(node, out);
}

/* ---- the field --------------------------------------------------------- */

struct provenance_walk {
	bool is_forwarded;
	const struct conf_list *proxies;
	bool once, is_over, is_whole;
	struct peer *hops;
	unsigned n;
};

static bool
provenance_has(const struct conf_list *proxies, const struct peer *peer)
{
	for (CONF_EACH(const struct cidr, c, proxies))
		if (cidr_contains(c, peer))
			return true;
	return false;
}

static void
provenance_take(struct provenance_walk *w, struct str element)
{
	struct peer *hop = &w->hops[w->n];

	/* RFC 9110 section 5.6.1: empty elements do not count. */
	if (element.n == 0)
		return;
	if (w->n == PROVENANCE_HOPS ||
	    !(w->is_forwarded ?
	        provenance_read_forwarded(element, hop) :
	        provenance_read_hop(element, hop))) {
		w->is_whole = false;
		w->is_over = true;
		return;
	}
	w->n++;
	w->is_over = w->once || !provenance_has(w->proxies, hop);
}

static void
provenance_walk_line(struct provenance_walk *w, struct str line)
{
	size_t end = line.n;

	for (size_t i = line.n; i-- > 0 && !w->is_over; ) {
		if (line.p[i] != ',')
			continue;
		provenance_take(w, str_trim(str_slice(line, i + 1, end)));
		end = i;
	}
	if (!w->is_over)
		provenance_take(w, str_trim(str_slice(line, 0, end)));
}

unsigned
provenance_read(const struct head *h, enum field_id id,
    struct str name, const struct conf_list *proxies, bool once,
    struct peer hops[PROVENANCE_HOPS], bool *is_whole)
{
	struct provenance_walk w = {
		.is_forwarded = id == FIELD_FORWARDED, .proxies = proxies,
		.once = once,
		.is_whole = true, .hops = hops
	};

	for (unsigned i = h->n; i-- > 0 && !w.is_over; ) {
		const struct field *f = &h->fields[i];

		if (!f->removed && f->id == id &&
		    (id != FIELD_OTHER || str_case_eq(f->name, name)))
			provenance_walk_line(&w, f->value);
	}
	*is_whole = w.is_whole;
	return w.n;
}
