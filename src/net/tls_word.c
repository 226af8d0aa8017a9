/*
 * Words that only OpenSSL can judge: key exchange groups, signature
 * algorithms, cipher suites. Each is tried by itself when it is read, so that
 * the one which is not known is named; a build of OpenSSL may know others than
 * its neighbour. Nothing lives longer than the trial.
 */
#include "net/tls_context.h"

#include <openssl/err.h>

typedef int tls_word_set_fn(SSL_CTX *ctx, const char *list);

/* These two are macros. */
static int
tls_word_set_groups(SSL_CTX *ctx, const char *list)
{
	return (int)SSL_CTX_set1_groups_list(ctx, list);
}

static int
tls_word_set_signatures(SSL_CTX *ctx, const char *list)
{
	return (int)SSL_CTX_set1_sigalgs_list(ctx, list);
}

/* OpenSSL would take a list in place of a word, and read marks in it that mean
 * something else in each version. */
static bool
tls_word_is_plain(struct str text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_+-.";

	return text.n > 0 && strspn(text.p, plain) == text.n;
}

static bool
tls_word_parse(struct arena *a, struct str text, void *out, struct err *e,
    tls_word_set_fn *set, const char *what)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	bool is_known = ctx != NULL && tls_word_is_plain(text) &&
	    set(ctx, text.p) == 1;

	SSL_CTX_free(ctx);
	ERR_clear_error();
	if (!is_known)
		return err_set(e, "OpenSSL knows no %s \"%.*s\"", what,
		    STR_ARG(text));
	*(char **)out = arena_memdup(a, text.p, text.n);
	return true;
}

static bool
tls_word_parse_group(struct arena *a, struct str text, void *out,
    struct err *e)
{
	return tls_word_parse(a, text, out, e, tls_word_set_groups,
	    "key exchange group");
}

static bool
tls_word_parse_signature(struct arena *a, struct str text, void *out,
    struct err *e)
{
	return tls_word_parse(a, text, out, e, tls_word_set_signatures,
	    "signature algorithm");
}

static bool
tls_word_parse_suite(struct arena *a, struct str text, void *out,
    struct err *e)
{
	return tls_word_parse(a, text, out, e, SSL_CTX_set_ciphersuites,
	    "TLS 1.3 cipher suite");
}

static void
tls_word_format(struct buf *b, const void *value)
{
	buf_z(b, *(char *const *)value);
}

const struct conf_type conf_type_tls_group = {
	.name = "TLS group",
	.expected = "a group such as X25519 or P-256",
	.size = sizeof(char *),
	.parse = tls_word_parse_group,
	.format = tls_word_format,
	.json = "\"type\": \"string\""
};

const struct conf_type conf_type_tls_signature = {
	.name = "TLS signature algorithm",
	.expected = "an algorithm such as ECDSA+SHA256 or rsa_pss_rsae_sha256",
	.size = sizeof(char *),
	.parse = tls_word_parse_signature,
	.format = tls_word_format,
	.json = "\"type\": \"string\""
};

const struct conf_type conf_type_tls_suite = {
	.name = "TLS 1.3 suite",
	.expected = "a suite such as TLS_AES_128_GCM_SHA256",
	.size = sizeof(char *),
	.parse = tls_word_parse_suite,
	.format = tls_word_format,
	.json = "\"type\": \"string\""
};

const char *
tls_words_join(struct arena *a, const struct conf_list *words)
{
	struct buf b = buf_in(a);

	if (words->n == 0)
		return NULL;
	for (CONF_EACH(char *, p, words)) {
		if (b.n > 0)
			buf_chr(&b, ':');
		buf_z(&b, *p);
	}
	buf_chr(&b, '\0');
	return b.p;
}
