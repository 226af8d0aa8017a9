/*
 * Any bytes as the value of an Authorization field. What is read from one is
 * the one way to write it: encoded again it is the same text.
 */
#include "base/panic.h"
#include "http/credentials.h"

#include <openssl/evp.h>
#include <stdio.h>

static void
fuzz_check(const struct credentials *c, struct str value)
{
	unsigned char text[1024], again[2048];
	int n = snprintf((char *)text, sizeof text, "%.*s:%.*s",
	    STR_ARG(c->user), STR_ARG(c->password));
	struct str encoded = str_trim(str_slice(value, 6, value.n));

	ASSERT(str_index(c->user, ':', 0) == SIZE_MAX);
	ASSERT((size_t)n == c->user.n + 1 + c->password.n);
	n = EVP_EncodeBlock(again, text, n);
	ASSERT(str_eq(str_of((char *)again, (size_t)n), encoded));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str value = str_of((const char *)data, size);
	struct arena *a = arena_new();
	struct credentials c;

	if (credentials_read(a, value, &c)) {
		ASSERT(c.user.n <= CREDENTIALS_MAX_USER);
		ASSERT(c.password.n <= CREDENTIALS_MAX_PASSWORD);
		fuzz_check(&c, value);
	}
	arena_end(a);
	return 0;
}
