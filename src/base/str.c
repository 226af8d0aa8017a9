/*
 * Strings that somebody else owns: comparing, cutting, hashing. Nothing here
 * allocates.
 */
#include "base/str.h"

#include <endian.h>
#include <sys/random.h>
#include <time.h>

bool
str_case_eq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (chr_lower(a.p[i]) != chr_lower(b.p[i]))
			return false;
	return true;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

bool
str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_of(s.p, prefix.n), prefix);
}

bool
str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	    str_eq(str_slice(s, s.n - suffix.n, s.n), suffix);
}

bool
str_contains(struct str s, struct str part)
{
	return part.n == 0 ||
	    (s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

size_t
str_index(struct str s, char c, size_t from)
{
	const char *p;

	if (from >= s.n)
		return SIZE_MAX;
	p = memchr(s.p + from, c, s.n - from);
	return p != NULL ? (size_t)(p - s.p) : SIZE_MAX;
}

struct str
str_slice(struct str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return str_of(from > 0 ? s.p + from : s.p, to - from);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
str_split(struct str *rest, char sep, struct str *part)
{
	size_t at;

	/* NULL marks what is used up. */
	if (rest->p == NULL)
		return false;
	at = str_index(*rest, sep, 0);
	*part = str_slice(*rest, 0, at);
	if (at == SIZE_MAX) {
		*rest = str_of(NULL, 0);
		return part->n > 0;
	}
	*rest = str_of(rest->p + at + 1, rest->n - at - 1);
	return true;
}

bool
str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(s.p[i] - '0');

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

#define DISTANCE_MAX 64

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

size_t
str_distance(struct str a, struct str b)
{
	size_t rows[3][DISTANCE_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	/* Longer names are nobody's typing mistake of each other. */
	if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
		return str_eq(a, b) ? 0 : DISTANCE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];

			bool swapped = i > 1 && j > 1 &&
			    a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1];

			row[j] = min3(above[j] + 1, row[j - 1] + 1,
			    above[j - 1] + !same);
			if (swapped && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b.n];
}

/* ---- SipHash-1-3 (Aumasson, Bernstein) --------------------------------- */

static uint64_t hash_key[2];
static bool hash_is_seeded;

void
str_hash_seed(uint64_t k0, uint64_t k1)
{
	hash_key[0] = k0;
	hash_key[1] = k1;
	hash_is_seeded = true;
}

static void
hash_seed_once(void)
{
	uint64_t k[2];

	if (hash_is_seeded)
		return;
	/* Early in boot the pool may not be ready; the clock is then better
	 * than waiting, and better than nothing. */
	if (getrandom(k, sizeof k, GRND_NONBLOCK) != sizeof k) {
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		k[0] = (uint64_t)t.tv_nsec;
		k[1] = (uint64_t)(uintptr_t)&t;
	}
	str_hash_seed(k[0], k[1]);
}

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = ROTATE(s->v1, 13) ^ s->v0;
	s->v0 = ROTATE(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = ROTATE(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = ROTATE(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = ROTATE(s->v1, 17) ^ s->v2;
	s->v2 = ROTATE(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* Up to 8 bytes, little-endian; with FOLD, ASCII letters in lower case. */
static inline uint64_t
sip_load(const char *p, size_t n, bool fold)
{
	uint64_t m = 0;

	if (!fold && n == 8) {
		memcpy(&m, p, 8);
		return le64toh(m);
	}
	for (size_t i = 0; i < n; i++) {
		char c = fold ? chr_lower(p[i]) : p[i];

		m |= (uint64_t)(unsigned char)c << (8 * i);
	}
	return m;
}

static inline uint64_t
sip_hash(struct str s, bool fold)
{
	uint64_t length = s.n;
	struct sip h;
	size_t i = 0;

	hash_seed_once();
	h.v0 = hash_key[0] ^ 0x736f6d6570736575ULL;
	h.v1 = hash_key[1] ^ 0x646f72616e646f6dULL;
	h.v2 = hash_key[0] ^ 0x6c7967656e657261ULL;
	h.v3 = hash_key[1] ^ 0x7465646279746573ULL;
	for (; i + 8 <= s.n; i += 8)
		sip_word(&h, sip_load(s.p + i, 8, fold));
	s = str_slice(s, i, s.n);
	sip_word(&h, sip_load(s.p, s.n, fold) | length << 56);
	h.v2 ^= 0xff;
	sip_round(&h);
	sip_round(&h);
	sip_round(&h);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

uint64_t
str_hash(struct str s)
{
	return sip_hash(s, false);
}

uint64_t
str_case_hash(struct str s)
{
	return sip_hash(s, true);
}
