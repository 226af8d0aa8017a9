/*
 * Basic credentials: "Basic" and what base64 says of NAME:PASSWORD. Strict in
 * what base64 may look like (RFC 4648 sections 3.2, 3.3 and 3.5): one text has
 * one encoding, so two readers cannot see two users in it. Knows nobody.
 */
#include "http/credentials.h"

#include "http/field.h"

#define CREDENTIALS_MAX (CREDENTIALS_MAX_USER + 1 + CREDENTIALS_MAX_PASSWORD)

static int
credentials_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* S is whole groups of four, the last one perhaps padded. */
static bool
credentials_decode(struct str s, char *out, size_t *n)
{
	size_t digits = s.n;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	if (s.n == 0 || s.n % 4 != 0)
		return false;
	while (digits > s.n - 2 && s.p[digits - 1] == '=')
		digits--;
	*n = 0;
	for (size_t i = 0; i < digits; i++) {
		int v = credentials_digit(s.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		out[(*n)++] = (char)(bits >> n_bits & 0xff);
	}
	return (bits & ((1u << n_bits) - 1)) == 0;
}

/* What follows the name of the scheme, and one blank or more (RFC 9110 section
 * 11.4); n == 0: it is another scheme. */
static struct str
credentials_text(struct str value)
{
	if (!str_case_eq(str_slice(value, 0, 6), STR("basic ")))
		return STR("");
	return str_trim(str_slice(value, 6, value.n));
}

static bool
credentials_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

bool
credentials_read(struct arena *a, struct str value, struct credentials *out)
{
	struct str text;
	size_t n, colon;
	char *p;

	value = credentials_text(value);
	if (value.n > (CREDENTIALS_MAX + 2) / 3 * 4)
		return false;
	p = arena_alloc(a, value.n + 1);
	if (!credentials_decode(value, p, &n))
		return false;
	text = str_of(p, n);
	colon = str_index(text, ':', 0);
	if (colon == SIZE_MAX || credentials_has_control(text))
		return false;
	out->user = str_slice(text, 0, colon);
	out->password = str_slice(text, colon + 1, n);
	return out->user.n <= CREDENTIALS_MAX_USER &&
	    out->password.n <= CREDENTIALS_MAX_PASSWORD;
}

void
credentials_put_user(struct buf *out, struct str value)
{
	struct str text = credentials_text(value);
	size_t from = out->n;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		int v = credentials_digit(text.p[i]);
		unsigned char c;

		if (v < 0)
			break;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		c = (unsigned char)(bits >> n_bits);
		if (c == ':')
			return;
		if (c < 0x20 || c == 0x7f)
			break;
		buf_chr(out, (char)c);
	}
	out->n = from;
}
