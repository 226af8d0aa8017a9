/* What a mapping is compiled to; for mapping.c and mapping_conf.c. */
#ifndef HTTP_MAPPING_TABLE_H
#define HTTP_MAPPING_TABLE_H

#include "http/affix.h"
#include "http/regex.h"
#include "http/template.h"
#include "net/addr.h"

/* Shares are told in hundredths of a percent. */
#define MAPPING_WHOLE 10000
/* How many mappings may need each other in a row: values are found by
 * recursion. */
#define MAPPING_DEPTH 32

enum mapping_kind {
	MAPPING_VALUES,
	MAPPING_CIDR,
	MAPPING_RANGES,
	MAPPING_SHARES
};

struct mapping {
	struct str name;
	size_t index;        /* in struct txn's `mapped` */
	const size_t *count; /* how many there are */
	bool is_used;

	enum mapping_kind kind;
	const struct template *source, *otherwise; /* otherwise may be NULL */

	struct map *exact; /* struct template * */
	struct affix_set *ends;
	struct mapping_regex {
		const struct regex *regex;
		const struct template *result;
	} *regexes;
	size_t n_regexes;

	struct mapping_nets { /* those with one length, longest first */
		sa_family_t family;
		uint8_t bits;
		struct map *by_ip; /* struct template * */
	} *nets;
	size_t n_nets;

	struct mapping_range { /* in their order; they do not meet */
		uint64_t from, to;
		const struct conf_entry *entry;
		const struct template *result;
	} *ranges;
	size_t n_ranges;

	struct mapping_share {
		struct str name;
		uint64_t until; /* parts of MAPPING_WHOLE, of all up to this */
	} *shares;
	size_t n_shares;
};

/* Cuts NET to its first BITS; as a key, which lives in it. */
struct str mapping_net_key(struct cidr *net, unsigned bits);
uint64_t mapping_place(struct str key);

#endif
