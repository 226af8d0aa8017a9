/*
 * PKCS#12 (RFC 7292): a certificate, its key and its chain in one file that a
 * password protects, as Windows and Java export them.
 */
#include "net/tls_pair.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

/* PEM is text; this is DER, which begins with a SEQUENCE. */
bool
tls_pkcs12_is(struct str text)
{
	return text.n > 0 && text.p[0] == 0x30;
}

static enum tls_key
tls_pkcs12_check_password(PKCS12 *p12, const char *password)
{
	if (PKCS12_mac_present(p12) == 0)
		return TLS_KEY_GOOD;
	/* An empty password is written in two ways, and both are met. */
	if (password == NULL)
		return PKCS12_verify_mac(p12, NULL, 0) == 1 ||
		    PKCS12_verify_mac(p12, "", 0) == 1 ? TLS_KEY_GOOD :
		    TLS_KEY_LOCKED;
	return PKCS12_verify_mac(p12, password, -1) == 1 ? TLS_KEY_GOOD :
	    TLS_KEY_REFUSED;
}

/* Without a key there is no telling which one is meant: then it is the first,
 * as in PEM. */
static void
tls_pkcs12_find_leaf(struct tls_bundle *b)
{
	if (b->chain == NULL)
		b->chain = sk_X509_new_null();
	if (b->leaf == NULL && sk_X509_num(b->chain) > 0)
		b->leaf = sk_X509_shift(b->chain);
}

static bool
tls_pkcs12_open(PKCS12 *p12, const char *path, const char *password,
    struct tls_bundle *b, struct err *e)
{
	ERR_clear_error();
	if (PKCS12_parse(p12, password != NULL ? password : "", &b->key,
	    &b->leaf, &b->chain) != 1)
		return err_set(e, "%s is encrypted in a way that OpenSSL has "
		    "not loaded (%s); `openssl pkcs12 -legacy` reads the old "
		    "ones", path, tls_context_why());
	tls_pkcs12_find_leaf(b);
	if (b->leaf == NULL)
		return err_set(e, "%s has no certificate in it", path);
	return true;
}

enum tls_key
tls_pkcs12_read(const char *path, struct str text, const char *password,
    struct tls_bundle *b, struct err *e)
{
	const unsigned char *p = (const unsigned char *)text.p;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)text.n);
	enum tls_key answer;

	err_set(e, "%s is neither PEM nor PKCS#12", path);
	if (p12 == NULL) {
		ERR_clear_error();
		return TLS_KEY_NONE;
	}
	answer = tls_pkcs12_check_password(p12, password);
	if (answer == TLS_KEY_GOOD &&
	    !tls_pkcs12_open(p12, path, password, b, e))
		answer = TLS_KEY_NONE;
	PKCS12_free(p12);
	ERR_clear_error();
	return answer;
}
