/*
 * What the files of a certificate hold: itself, its chain, its key. They are
 * read through a source, OpenSSL opens no file; the text of a key is wiped
 * once it was read. What is wrong is a fault, with the place of the word in
 * the configuration that it concerns.
 */
#include "net/tls_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

void
tls_bundle_free(struct tls_bundle *b)
{
	X509_free(b->leaf);
	sk_X509_pop_free(b->chain, X509_free);
	EVP_PKEY_free(b->key);
	EVP_PKEY_free(b->twin);
	*b = (struct tls_bundle){.leaf = NULL};
}

PRINTF_LIKE(4, 5) static bool
tls_bundle_fault(struct tls_fault *f, struct conf_pos pos, const char *code,
    const char *fmt, ...)
{
	va_list ap;

	f->pos = pos;
	f->code = code;
	va_start(ap, fmt);
	vsnprintf(f->e.text, sizeof f->e.text, fmt, ap);
	va_end(ap);
	return false;
}

/* Whether certificate and key are in one file. */
static bool
tls_bundle_is_whole(const struct tls_pair *pair)
{
	return pair->key == NULL || strcmp(pair->key, pair->certificate) == 0;
}

/* Of locked and refused keys: both are about the password. */
static bool
tls_bundle_fault_password(struct tls_fault *f, const struct tls_pair *pair,
    enum tls_key answer, struct conf_pos pos, const char *what)
{
	if (answer == TLS_KEY_LOCKED)
		return tls_bundle_fault(f, pos, "locked-key",
		    "%s is encrypted: add `key_password`, best as "
		    "${file:PATH}", what);
	return tls_bundle_fault(f, pair->password_pos, "bad-password",
	    "%s cannot be decrypted with this password", what);
}

/* ---- certificates ------------------------------------------------------ */

/* Whether the queue says no more than that a PEM text is used up. */
static bool
tls_bundle_is_at_end(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static bool
tls_bundle_read_pem(struct tls_bundle *b, const struct tls_pair *pair,
    struct str text, struct tls_fault *f)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *x;

	b->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (b->leaf == NULL) {
		tls_bundle_fault(f, pair->certificate_pos, "bad-certificate",
		    tls_bundle_is_at_end() ? "%s has no certificate in it" :
		    "%s has a certificate that cannot be read",
		    pair->certificate);
		BIO_free(bio);
		return false;
	}
	b->chain = sk_X509_new_null();
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(b->chain, x) == 0)
			X509_free(x);
	BIO_free(bio);
	return tls_bundle_is_at_end() || tls_bundle_fault(f,
	    pair->certificate_pos, "bad-certificate",
	    "%s has a chain that cannot be read, after %d good certificates",
	    pair->certificate, 1 + sk_X509_num(b->chain));
}

static bool
tls_bundle_read_pkcs12(struct tls_bundle *b, const struct tls_pair *pair,
    struct str text, struct tls_fault *f)
{
	struct err e;
	enum tls_key answer = tls_pkcs12_read(pair->certificate, text,
	    pair->password, b, &e);

	switch (answer) {
	case TLS_KEY_GOOD:
	case TLS_KEY_UNLOCKED:
		/* Exported in any order, for which nobody is to blame. */
		(void)tls_chain_sort(b->leaf, b->chain);
		return true;
	case TLS_KEY_NONE:
		return tls_bundle_fault(f, pair->certificate_pos,
		    "bad-certificate", "%s", e.text);
	case TLS_KEY_LOCKED:
	case TLS_KEY_REFUSED:
		return tls_bundle_fault_password(f, pair, answer,
		    pair->certificate_pos, pair->certificate);
	}
	return false;
}

bool
tls_bundle_read_certificate(struct tls_bundle *b, const struct tls_pair *pair,
    struct conf_source *source, struct tls_fault *f)
{
	struct arena *a = arena_new();
	struct str text;
	struct err e;
	bool ok;

	if (!source->read(source, pair->certificate, a, &text, &e)) {
		arena_end(a);
		return tls_bundle_fault(f, pair->certificate_pos,
		    "cannot-read", "%s", e.text);
	}
	ERR_clear_error();
	ok = tls_pkcs12_is(text) ? tls_bundle_read_pkcs12(b, pair, text, f) :
	    tls_bundle_read_pem(b, pair, text, f);
	ERR_clear_error();
	/* There may be a key in it. */
	if (tls_bundle_is_whole(pair))
		OPENSSL_cleanse((char *)text.p, text.n);
	arena_end(a);
	return ok;
}

/* ---- keys -------------------------------------------------------------- */

static enum tls_key
tls_bundle_read_key_file(struct tls_bundle *b, const struct tls_pair *pair,
    struct tls_key_reader *reader, struct conf_source *source,
    struct tls_fault *f)
{
	const char *path = pair->key != NULL ? pair->key : pair->certificate;
	struct arena *a = arena_new();
	enum tls_key answer = TLS_KEY_NONE;
	struct str text;
	struct err e;

	if (!source->read(source, path, a, &text, &e)) {
		tls_bundle_fault(f, pair->key_pos, "cannot-read", "%s",
		    e.text);
	} else {
		answer = tls_key_read(reader, text, pair->password, &b->key);
		OPENSSL_cleanse((char *)text.p, text.n);
		tls_bundle_fault(f, pair->key_pos, "bad-key",
		    "%s has no private key in it%s", path,
		    pair->key == NULL ? "; add `key: FILE`" : "");
	}
	arena_end(a);
	return answer;
}

bool
tls_bundle_read_key(struct tls_bundle *b, const struct tls_pair *pair,
    struct tls_key_reader *reader, struct conf_source *source,
    bool *is_unlocked, struct tls_fault *f)
{
	enum tls_key answer;

	*is_unlocked = false;
	if (tls_bundle_is_whole(pair) && b->key != NULL)
		return true;
	EVP_PKEY_free(b->key);
	b->key = NULL;
	if (tls_key_is_stored(pair->key)) {
		f->pos = pair->key_pos;
		f->code = "bad-key";
		answer = tls_key_fetch(pair->key, pair->password, &b->key,
		    &f->e);
	} else {
		answer = tls_bundle_read_key_file(b, pair, reader, source, f);
	}
	switch (answer) {
	case TLS_KEY_UNLOCKED:
		*is_unlocked = true;
		return true;
	case TLS_KEY_GOOD:
		return true;
	case TLS_KEY_NONE:
		return false;
	case TLS_KEY_LOCKED:
	case TLS_KEY_REFUSED: {
		struct arena *a = arena_new();

		tls_bundle_fault_password(f, pair, answer, pair->key_pos,
		    arena_printf(a, "the key in %s", pair->key != NULL ?
		    pair->key : pair->certificate));
		arena_end(a);
		return false;
	}
	}
	return false;
}

/* ---- both -------------------------------------------------------------- */

bool
tls_bundle_check(const struct tls_bundle *b, const struct tls_pair *pair,
    SSL_CTX *scratch, struct tls_fault *f)
{
	ERR_clear_error();
	/* Whoever opens a context for the site says why. */
	if (scratch == NULL)
		return tls_bundle_fault(f, pair->certificate_pos, "tls",
		    "%s cannot be checked: OpenSSL cannot be set up",
		    pair->certificate);
	if (X509_check_private_key(b->leaf, b->key) != 1) {
		ERR_clear_error();
		return tls_bundle_fault(f, pair->key_pos, "wrong-key",
		    "the key %s does not belong to the certificate %s",
		    pair->key != NULL ? pair->key : pair->certificate,
		    pair->certificate);
	}
	if (SSL_CTX_use_cert_and_key(scratch, b->leaf, b->key, b->chain, 1)
	    == 1)
		return true;
	return tls_bundle_fault(f, pair->certificate_pos, "bad-certificate",
	    "%s cannot be used: %s", pair->certificate, tls_context_why());
}

bool
tls_bundle_is_same(const struct tls_bundle *a, const struct tls_bundle *b)
{
	int n = sk_X509_num(a->chain);

	if (X509_cmp(a->leaf, b->leaf) != 0 || n != sk_X509_num(b->chain))
		return false;
	for (int i = 0; i < n; i++)
		if (X509_cmp(sk_X509_value(a->chain, i),
		    sk_X509_value(b->chain, i)) != 0)
			return false;
	return true;
}
