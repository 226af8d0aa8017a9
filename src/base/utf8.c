/* UTF-8 as RFC 3629 section 4 has it: no overlong forms, no surrogates. */
#include "base/utf8.h"

#include "base/compiler.h"

size_t
utf8_char(struct str s)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t n;
	} forms[] = {
		{0x00, 0x7f, 0x00, 0x00, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4}
	};
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; s.n > 0 && i < COUNT_OF(forms); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (s.n < forms[i].n)
			return 0;
		if (forms[i].n > 1 &&
		    (p[1] < forms[i].low || p[1] > forms[i].high))
			return 0;
		for (size_t k = 2; k < forms[i].n; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].n;
	}
	return 0;
}

bool
utf8_is_valid(struct str s)
{
	while (s.n > 0) {
		size_t n = utf8_char(s);

		if (n == 0)
			return false;
		s = str_of(s.p + n, s.n - n);
	}
	return true;
}
