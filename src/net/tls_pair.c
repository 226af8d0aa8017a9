/*
 * A certificate with its key as the sites of a load show it: read and checked
 * once, doubted aloud, and asked in handshakes which names it is for.
 */
#include "net/tls_pair.h"
#include "net/tls_sign.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define TLS_PAIR_SOON (14 * 86400) /* seconds; renewal is usual at 30 days */

/* ---- names ------------------------------------------------------------- */

bool
tls_pair_covers(const struct tls_pair *pair, struct str host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (host.n == 0 || host.p[0] == '~')
		return false;
	if (host.n > 2 && host.p[0] == '[')
		host = str_slice(host, 1, host.n - 1);
	if (host.n < sizeof text) {
		memcpy(text, host.p, host.n);
		text[host.n] = '\0';
		if (inet_pton(AF_INET, text, ip) == 1 ||
		    inet_pton(AF_INET6, text, ip) == 1)
			return X509_check_ip_asc(pair->bundle.leaf, text, 0)
			    == 1;
	}
	return X509_check_host(pair->bundle.leaf, host.p, host.n,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

int
tls_pair_kind(const struct tls_pair *pair)
{
	return EVP_PKEY_get_base_id(pair->bundle.key);
}

static const ASN1_OCTET_STRING *
tls_pair_names(const struct tls_pair *pair)
{
	const X509 *x = pair->bundle.leaf;
	int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);

	return at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(x, at));
}

bool
tls_pair_is_like(const struct tls_pair *a, const struct tls_pair *b)
{
	const ASN1_OCTET_STRING *names = tls_pair_names(a);
	const ASN1_OCTET_STRING *others = tls_pair_names(b);

	if (tls_pair_kind(a) != tls_pair_kind(b))
		return false;
	if (names == NULL || others == NULL)
		return names == others && X509_NAME_cmp(
		    X509_get_subject_name(a->bundle.leaf),
		    X509_get_subject_name(b->bundle.leaf)) == 0;
	return ASN1_OCTET_STRING_cmp(names, others) == 0;
}

void
tls_pair_digest(EVP_MD_CTX *digest, const struct tls_pair *pair)
{
	unsigned char *der = NULL;
	int n = i2d_X509(pair->bundle.leaf, &der);

	if (n > 0)
		EVP_DigestUpdate(digest, der, (size_t)n);
	OPENSSL_free(der);
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
	const char *path = pair->key != NULL ? pair->key : pair->certificate;
	struct stat st;

	if (tls_key_is_stored(path) ||
	    conf_source_of(load) != &conf_source_disk ||
	    stat(path, &st) != 0 || (st.st_mode & S_IROTH) == 0)
		return;
	conf_warning(load, pair->key_pos, "readable-key",
	    "everybody on this machine can read the key %s; "
	    "chmod 600 would stop that", path);
}

static void
tls_pair_lint_chain(struct tls_pairs *pairs, const struct tls_pair *pair,
    const struct tls_bundle *b)
{
	struct conf_load *load = pairs->load;

	switch (tls_chain_sort(b->leaf, b->chain)) {
	case TLS_CHAIN_GOOD:
		break;
	case TLS_CHAIN_SORTED:
		conf_warning(load, pair->certificate_pos, "unsorted-chain",
		    "the chain in %s is out of order; it is sent in order",
		    pair->certificate);
		break;
	case TLS_CHAIN_STRAY:
		conf_warning(load, pair->certificate_pos, "stray-certificate",
		    "%s has a certificate that signed none of the others; it "
		    "is sent all the same", pair->certificate);
		return;
	}
	if (tls_chain_is_cut(b->leaf, b->chain, pairs->trusted, pairs->arg))
		conf_warning(load, pair->certificate_pos, "incomplete-chain",
		    "%s ends before an authority that this system knows: "
		    "clients may refuse it; add the certificates that its "
		    "issuer calls intermediate", pair->certificate);
}

/* ---- loading ----------------------------------------------------------- */

static void
tls_pair_report(struct conf_load *load, const struct tls_fault *f)
{
	conf_error(load, f->pos, f->code, "%s", f->e.text);
}

/* Both parts are read in any case: both may be wrong. But nobody looks twice
 * into a file that is no good. */
static bool
tls_pair_read(struct conf_load *load, struct tls_pairs *pairs,
    const struct tls_pair *pair, struct tls_bundle *b)
{
	struct conf_source *source = conf_source_of(load);
	bool is_unlocked, has_certificate;
	struct tls_fault f;

	has_certificate = tls_bundle_read_certificate(b, pair, source, &f);
	if (!has_certificate)
		tls_pair_report(load, &f);
	else
		tls_pair_lint_dates(load, pair, b->leaf);
	if (!has_certificate && pair->key == NULL)
		return false;
	if (!tls_bundle_read_key(b, pair, &pairs->reader, source,
	    &is_unlocked, &f)) {
		tls_pair_report(load, &f);
		return false;
	}
	tls_pair_lint_mode(load, pair);
	if (is_unlocked)
		conf_warning(load, pair->password_pos, "unused-password",
		    "the key %s is not encrypted: this password protects "
		    "nothing", pair->key != NULL ? pair->key :
		    pair->certificate);
	return has_certificate;
}

bool
tls_pair_load(struct conf_load *load, struct tls_pairs *pairs,
    struct tls_pair *pair)
{
	struct tls_bundle b = {.leaf = NULL};
	struct tls_fault f;

	if (!tls_pair_read(load, pairs, pair, &b))
		goto fail;
	if (!tls_bundle_check(&b, pair, pairs->scratch, &f)) {
		tls_pair_report(load, &f);
		goto fail;
	}
	tls_pair_lint_chain(pairs, pair, &b);
	b.twin = tls_sign_twin(b.key);
	ERR_clear_error();
	pair->bundle = b;
	return true;

fail:
	ERR_clear_error();
	tls_bundle_free(&b);
	return false;
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
