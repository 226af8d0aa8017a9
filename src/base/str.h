/* A piece of text that somebody else owns: pointer and length, no NUL. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1}
/* For "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str
str_of(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline struct str
str_from(const char *z)
{
	return (struct str){z, z != NULL ? strlen(z) : 0};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_case_eq(struct str a, struct str b);        /* ASCII only */
int str_cmp(struct str a, struct str b);             /* like strcmp */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
bool str_contains(struct str s, struct str part);
/* Index of the first C at or after FROM, or SIZE_MAX. */
size_t str_index(struct str s, char c, size_t from);
struct str str_slice(struct str s, size_t from, size_t to); /* clamps */
struct str str_trim(struct str s);                   /* SP and HTAB */
/* Takes the part before SEP off *REST; false when *REST is used up. An empty
 * string yields nothing, and neither does what follows a last SEP. */
bool str_split(struct str *rest, char sep, struct str *part);
/* Plain decimal digits only; false on anything else or overflow. */
bool str_to_u64(struct str s, uint64_t *out);

/* Edit distance (insert, delete, replace, swap neighbours), for suggestions;
 * texts of more than 64 bytes are equal or 64 apart. */
size_t str_distance(struct str a, struct str b);

/* SipHash-1-3 under a key that is random per process (tests set it). */
uint64_t str_hash(struct str s);
uint64_t str_case_hash(struct str s);
void str_hash_seed(uint64_t k0, uint64_t k1);

static inline char
chr_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline int
chr_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = chr_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
