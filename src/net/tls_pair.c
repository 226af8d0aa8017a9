/*
 * A certificate with its chain and its private key, from PEM texts that the
 * load's source gives; OpenSSL opens no file. What fits goes into a context,
 * what does not is reported at its place. The text of a key is wiped once it
 * was read.
 */
#include "net/tls_context.h"

#include "base/clock.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <time.h>

#define TLS_PAIR_SOON (14 * 86400) /* seconds; renewal is usual at 30 days */

struct tls_pair_parts {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
};

/* ---- reading ----------------------------------------------------------- */

/* Nobody is here to be asked; says only that somebody would have been. */
static int
tls_pair_on_passphrase(char *p, int size, int is_writing, void *arg)
{
	(void)p;
	(void)size;
	(void)is_writing;
	*(bool *)arg = true;
	return -1;
}

/* Whether the queue says no more than that a PEM text is used up. */
static bool
tls_pair_is_at_end(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static bool
tls_pair_read_certificate(struct conf_load *load, const struct tls_pair *pair,
    struct tls_pair_parts *parts)
{
	struct str text;
	BIO *bio;
	X509 *x;

	if (!conf_read(load, pair->certificate_pos, pair->certificate, &text))
		return false;
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	parts->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (parts->leaf == NULL) {
		conf_error(load, pair->certificate_pos, "bad-certificate",
		    tls_pair_is_at_end() ? "%s has no certificate in it" :
		    "%s has a certificate that cannot be read",
		    pair->certificate);
		BIO_free(bio);
		return false;
	}
	parts->chain = sk_X509_new_null();
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(parts->chain, x) == 0)
			X509_free(x);
	BIO_free(bio);
	if (tls_pair_is_at_end())
		return true;
	conf_error(load, pair->certificate_pos, "bad-certificate",
	    "%s has a chain that cannot be read, after %d good certificates",
	    pair->certificate, 1 + sk_X509_num(parts->chain));
	return false;
}

static bool
tls_pair_read_key(struct conf_load *load, const struct tls_pair *pair,
    struct tls_pair_parts *parts)
{
	bool is_encrypted = false;
	struct str text;
	BIO *bio;

	if (!conf_read(load, pair->key_pos, pair->key, &text))
		return false;
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	parts->key = PEM_read_bio_PrivateKey(bio, NULL, tls_pair_on_passphrase,
	    &is_encrypted);
	BIO_free(bio);
	/* The source copied it into the load's arena, which outlives us. */
	OPENSSL_cleanse((char *)text.p, text.n);
	if (parts->key != NULL)
		return true;
	if (is_encrypted)
		conf_error(load, pair->key_pos, "bad-key",
		    "the key in %s is encrypted, and nobody is there to type "
		    "a passphrase; decrypt it with `openssl pkey`", pair->key);
	else
		conf_error(load, pair->key_pos, "bad-key",
		    "%s has no private key in it", pair->key);
	return false;
}

/* ---- doubts ------------------------------------------------------------ */

static const char *
tls_pair_date(struct conf_load *load, const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return "a date that cannot be read";
	return arena_printf(conf_arena(load), "%04d-%02d-%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static void
tls_pair_lint_dates(struct conf_load *load, const struct tls_pair *pair,
    const X509 *x)
{
	const ASN1_TIME *begin = X509_get0_notBefore(x);
	const ASN1_TIME *end = X509_get0_notAfter(x);
	time_t now = (time_t)clock_wall(), soon = now + TLS_PAIR_SOON;

	if (X509_cmp_time(end, &now) < 0)
		conf_warning(load, pair->certificate_pos,
		    "expired-certificate", "the certificate %s expired on %s",
		    pair->certificate, tls_pair_date(load, end));
	else if (X509_cmp_time(end, &soon) < 0)
		conf_warning(load, pair->certificate_pos,
		    "expiring-certificate", "the certificate %s ends soon, "
		    "on %s", pair->certificate, tls_pair_date(load, end));
	if (X509_cmp_time(begin, &now) > 0)
		conf_warning(load, pair->certificate_pos,
		    "early-certificate", "the certificate %s is not valid "
		    "before %s", pair->certificate,
		    tls_pair_date(load, begin));
}

/* Only a file on the disk has a mode. */
static void
tls_pair_lint_mode(struct conf_load *load, const struct tls_pair *pair)
{
	struct stat st;

	if (conf_source_of(load) != &conf_source_disk ||
	    stat(pair->key, &st) != 0 || (st.st_mode & S_IROTH) == 0)
		return;
	conf_warning(load, pair->key_pos, "readable-key",
	    "everybody on this machine can read the key %s; "
	    "chmod 600 would stop that", pair->key);
}

/* ---- use --------------------------------------------------------------- */

/* Both are good; do they belong together, and may they stand in CTX? */
static bool
tls_pair_install(struct conf_load *load, SSL_CTX *ctx,
    const struct tls_pair *pair, const struct tls_pair_parts *parts)
{
	ERR_clear_error();
	if (X509_check_private_key(parts->leaf, parts->key) != 1) {
		ERR_clear_error();
		conf_error(load, pair->key_pos, "wrong-key",
		    "the key %s does not belong to the certificate %s",
		    pair->key, pair->certificate);
		return false;
	}
	if (SSL_CTX_use_cert_and_key(ctx, parts->leaf, parts->key,
	    parts->chain, 0) == 1)
		return true;
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_NOT_REPLACING_CERTIFICATE)
		conf_error(load, pair->certificate_pos, "second-certificate",
		    "%s has the same kind of key as a certificate before it; "
		    "a site has one of each kind", pair->certificate);
	else
		conf_error(load, pair->certificate_pos, "bad-certificate",
		    "%s cannot be used: %s", pair->certificate,
		    tls_context_why());
	ERR_clear_error();
	return false;
}

static void
tls_pair_digest(EVP_MD_CTX *digest, X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	if (n > 0)
		EVP_DigestUpdate(digest, der, (size_t)n);
	OPENSSL_free(der);
}

bool
tls_pair_use(struct conf_load *load, SSL_CTX *ctx, const struct tls_pair *pair,
    EVP_MD_CTX *digest)
{
	struct tls_pair_parts parts = {.leaf = NULL};
	/* Both are read in any case: both may be wrong. */
	bool has_certificate = tls_pair_read_certificate(load, pair, &parts);
	bool has_key = tls_pair_read_key(load, pair, &parts);
	bool ok = has_certificate && has_key &&
	    tls_pair_install(load, ctx, pair, &parts);

	if (has_certificate)
		tls_pair_lint_dates(load, pair, parts.leaf);
	if (has_key)
		tls_pair_lint_mode(load, pair);
	if (ok && digest != NULL)
		tls_pair_digest(digest, parts.leaf);
	X509_free(parts.leaf);
	sk_X509_pop_free(parts.chain, X509_free);
	EVP_PKEY_free(parts.key);
	ERR_clear_error();
	return ok;
}

size_t
tls_pair_trust(X509_STORE *store, struct str text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	size_t n = 0;
	X509 *x;

	while ((x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(bio);
	ERR_clear_error();
	return n;
}
