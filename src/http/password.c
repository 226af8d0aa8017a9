/*
 * Hashes of passwords. The C library's crypt(3) does the work, so what it knows
 * is known here. What was broken long ago is refused although crypt(3) takes
 * it, and so is what would keep a thread busy for seconds: anybody may ask.
 */
#include "http/password.h"

#include <config.h>
#if WEIR_CRYPT
#include <crypt.h>
#endif
#include <openssl/crypto.h>
#include <string.h>

/* Half a second and more per request, on the machines of 2020. */
#define PASSWORD_MAX_BCRYPT 13
#define PASSWORD_MAX_ROUNDS 1000000

#if WEIR_CRYPT

static const struct password_method {
	struct str prefix;
	size_t whole; /* length of a hash; 0: varies */
	size_t last;  /* length of its last part; 0: varies */
} password_methods[] = {
	{ STR_INIT("$2a$"), 60, 0 },
	{ STR_INIT("$2b$"), 60, 0 },
	{ STR_INIT("$2y$"), 60, 0 },
	{ STR_INIT("$5$"), 0, 43 },
	{ STR_INIT("$6$"), 0, 86 },
	{ STR_INIT("$y$"), 0, 43 },
	{ STR_INIT("$gy$"), 0, 43 },
	{ STR_INIT("$7$"), 0, 43 },
	{ STR_INIT("$argon2"), 0, 0 }
};

/* What people have, and what is to be said about it. */
static const struct {
	struct str prefix;
	const char *why;
} password_refused[] = {
	{ STR_INIT("$apr1$"), "Apache's MD5, which is guessed by the billion a "
	    "second" },
	{ STR_INIT("$1$"), "MD5, which is guessed by the billion a second" },
	{ STR_INIT("{SHA}"), "SHA-1 without salt, which is no secret" },
	{ STR_INIT("{SSHA}"), "SHA-1, which is guessed by the billion a "
	    "second" },
	{ STR_INIT("{PLAIN}"), "the password itself, not a hash of it" },
	{ STR_INIT("$2x$"), "of a bcrypt with a mistake" },
	{ STR_INIT("$sha1$"), "SHA-1, which is for old files only" },
	{ STR_INIT("$md5"), "MD5, which is for old files only" }
};

#define PASSWORD_ADVICE \
	"make one with `htpasswd -B` or `mkpasswd -m yescrypt`"

static const struct password_method *
password_method(struct str hash)
{
	for (size_t i = 0; i < COUNT_OF(password_methods); i++)
		if (str_has_prefix(hash, password_methods[i].prefix))
			return &password_methods[i];
	return NULL;
}

static bool
password_refuse(struct str hash, struct err *e)
{
	for (size_t i = 0; i < COUNT_OF(password_refused); i++)
		if (str_has_prefix(hash, password_refused[i].prefix))
			return err_set(e, "the hash is %s; " PASSWORD_ADVICE,
			    password_refused[i].why);
	return err_set(e, "there is no hash that is known here, perhaps the "
	    "password itself; " PASSWORD_ADVICE);
}

static bool
password_has_shape(const struct password_method *m, struct str hash)
{
	size_t dollar = 0;

	for (size_t i = 0; i < hash.n; i++) {
		if ((unsigned char)hash.p[i] <= ' ' || hash.p[i] > '~')
			return false;
		if (hash.p[i] == '$')
			dollar = i;
	}
	return (m->whole == 0 || hash.n == m->whole) &&
	    (m->last == 0 || hash.n - dollar - 1 == m->last);
}

static bool
password_is_costly(struct str hash)
{
	uint64_t n;
	size_t end;

	if (hash.p[1] == '2')
		return str_to_u64(str_slice(hash, 4, 6), &n) &&
		    n > PASSWORD_MAX_BCRYPT;
	if (!str_has_prefix(str_slice(hash, 3, hash.n), STR("rounds=")))
		return false;
	end = str_index(hash, '$', 10);
	return !str_to_u64(str_slice(hash, 10, end), &n) ||
	    n > PASSWORD_MAX_ROUNDS;
}

bool
password_hash_is_fine(struct str hash, struct err *e)
{
	const struct password_method *m = password_method(hash);
	char text[CRYPT_OUTPUT_SIZE];
	int verdict;

	if (m == NULL)
		return password_refuse(hash, e);
	if (hash.n >= sizeof text || !password_has_shape(m, hash))
		return err_set(e, "the hash is cut off or has something after "
		    "it");
	if (password_is_costly(hash))
		return err_set(e, "the hash takes seconds to check; bcrypt may "
		    "have a cost of %d, SHA-crypt %d rounds",
		    PASSWORD_MAX_BCRYPT, PASSWORD_MAX_ROUNDS);
	memcpy(text, hash.p, hash.n);
	text[hash.n] = '\0';
	verdict = crypt_checksalt(text);
	OPENSSL_cleanse(text, sizeof text);
	/* Legacy are to it also those of the table that are still good. */
	if (verdict != CRYPT_SALT_INVALID &&
	    verdict != CRYPT_SALT_METHOD_DISABLED)
		return true;
	return err_set(e, "this system's crypt(3) does not know %.*s hashes",
	    STR_ARG(m->prefix));
}

bool
password_matches(const char *hash, const char *password)
{
	struct crypt_data data;
	const char *got;
	size_t n = strlen(hash);
	bool is_same;

	memset(&data, 0, sizeof data);
	got = crypt_r(password, hash, &data);
	is_same = got != NULL && strlen(got) == n &&
	    CRYPTO_memcmp(got, hash, n) == 0;
	OPENSSL_cleanse(&data, sizeof data);
	return is_same;
}

#else

bool
password_hash_is_fine(struct str hash, struct err *e)
{
	(void)hash;
	return err_set(e, "this weir was built without libcrypt");
}

bool
password_matches(const char *hash, const char *password)
{
	(void)hash;
	(void)password;
	return false;
}

#endif
