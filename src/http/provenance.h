/*
 * Provenance: where a request comes from, as far as a trusted proxy says so in
 * a field. A field of that kind is read from its end: each proxy adds to the
 * right, so only what trusted ones wrote is reached.
 */
#ifndef HTTP_PROVENANCE_H
#define HTTP_PROVENANCE_H

#include "http/txn.h"

struct provenance {
	bool is_trusted; /* the peer may say where a request comes from */
	struct str via;  /* whom it says, the client first, ", " between */
	struct peer client; /* the first of them */
};

/* Hops that are followed; real chains have three. */
#define PROVENANCE_HOPS 16

/* The hops of the field ID (NAME, if it is none that is known), from the last
 * to the first, up to the first that PROXIES do not contain (with ONCE, the
 * last alone). It is a list of addresses or, with FIELD_FORWARDED, what RFC
 * 7239 says. False in *IS_WHOLE: it
 * holds what is no address before that. Returns how many there are. */
unsigned provenance_read(const struct head *h, enum field_id id,
    struct str name, const struct conf_list *proxies, bool once,
    struct peer hops[PROVENANCE_HOPS], bool *is_whole);
/* The address of one hop: with or without a port, IPv6 with or without
 * brackets. */
bool provenance_read_hop(struct str s, struct peer *out);

/* Whether fields of T say where it comes from, and not only claim it. */
bool provenance_is_trusted(const struct txn *t);

#endif
