/*
 * A certificate that signs itself, for the names of a site: an ECDSA key on
 * P-256 and a certificate of about three months, made in memory and never
 * written down. For trying things out; no client has a reason to trust it.
 */
#include "net/tls_pair.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define TLS_SELF_SIGNED_DAYS 90
#define TLS_SELF_SIGNED_SLACK 3600 /* seconds that a client's clock may lag */
#define TLS_COMMON_NAME_MAX 64     /* ub-common-name, RFC 5280 appendix A.1 */

/* ---- names ------------------------------------------------------------- */

static bool
tls_self_signed_push(GENERAL_NAMES *names, int type, int asn1_type,
    const void *p, size_t n)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = ASN1_STRING_type_new(asn1_type);

	if (name == NULL || value == NULL ||
	    ASN1_STRING_set(value, p, (int)n) != 1) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

static bool
tls_self_signed_add(GENERAL_NAMES *names, struct str host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (host.n > 2 && host.p[0] == '[')
		host = str_slice(host, 1, host.n - 1);
	if (host.n < sizeof text) {
		memcpy(text, host.p, host.n);
		text[host.n] = '\0';
		if (inet_pton(AF_INET, text, ip) == 1)
			return tls_self_signed_push(names, GEN_IPADD,
			    V_ASN1_OCTET_STRING, ip, 4);
		if (inet_pton(AF_INET6, text, ip) == 1)
			return tls_self_signed_push(names, GEN_IPADD,
			    V_ASN1_OCTET_STRING, ip, 16);
	}
	return tls_self_signed_push(names, GEN_DNS, V_ASN1_IA5STRING, host.p,
	    host.n);
}

/* A regular expression is no name that a certificate could have. */
static bool
tls_self_signed_can_name(struct str host)
{
	return host.n > 0 && host.p[0] != '~';
}

static GENERAL_NAMES *
tls_self_signed_names(const struct str *hosts, size_t n_hosts)
{
	static const struct str local[] = {
		STR_INIT("localhost"), STR_INIT("127.0.0.1"), STR_INIT("::1")
	};
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool ok = names != NULL;

	for (size_t i = 0; ok && i < n_hosts; i++)
		if (tls_self_signed_can_name(hosts[i]))
			ok = tls_self_signed_add(names, hosts[i]);
	if (ok && sk_GENERAL_NAME_num(names) == 0)
		for (size_t i = 0; ok && i < COUNT_OF(local); i++)
			ok = tls_self_signed_add(names, local[i]);
	if (ok)
		return names;
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return NULL;
}

/* ---- the certificate --------------------------------------------------- */

/* RFC 5280 section 4.1.2.2: positive, and at most 20 bytes. */
static bool
tls_self_signed_set_serial(X509 *x)
{
	uint8_t bytes[16];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x))
	    != NULL;
	BN_free(n);
	return ok;
}

static bool
tls_self_signed_set_subject(X509 *x, struct str host)
{
	X509_NAME *name = X509_get_subject_name(x);

	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)host.p, (int)host.n, -1, 0) == 1 &&
	    X509_set_issuer_name(x, name) == 1;
}

static bool
tls_self_signed_set_dates(X509 *x)
{
	time_t now = (time_t)clock_wall();

	return ASN1_TIME_adj(X509_getm_notBefore(x), now, 0,
	    -TLS_SELF_SIGNED_SLACK) != NULL &&
	    ASN1_TIME_adj(X509_getm_notAfter(x), now, TLS_SELF_SIGNED_DAYS, 0)
	    != NULL;
}

static bool
tls_self_signed_set_uses(X509 *x)
{
	static const struct {
		int nid;
		const char *value;
	} rows[] = {
		{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"},
		{NID_ext_key_usage, "serverAuth"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL,
		    rows[i].nid, rows[i].value);
		bool ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;

		X509_EXTENSION_free(ext);
		if (!ok)
			return false;
	}
	return true;
}

static bool
tls_self_signed_fill(X509 *x, EVP_PKEY *key, GENERAL_NAMES *names,
    struct str host)
{
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	    tls_self_signed_set_serial(x) &&
	    tls_self_signed_set_subject(x, host) &&
	    tls_self_signed_set_dates(x) &&
	    X509_set_pubkey(x, key) == 1 &&
	    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1 &&
	    tls_self_signed_set_uses(x) &&
	    X509_sign(x, key, EVP_sha256()) > 0;
}

bool
tls_self_signed_make(struct tls_bundle *b, const struct str *hosts,
    size_t n_hosts, struct err *e)
{
	struct str host = STR("localhost");
	GENERAL_NAMES *names = tls_self_signed_names(hosts, n_hosts);
	bool ok;

	*b = (struct tls_bundle){
		.leaf = X509_new(), .key = EVP_EC_gen("P-256")
	};
	for (size_t i = n_hosts; i-- > 0;)
		if (tls_self_signed_can_name(hosts[i]) &&
		    hosts[i].n <= TLS_COMMON_NAME_MAX)
			host = hosts[i];
	ok = names != NULL && b->key != NULL && b->leaf != NULL &&
	    tls_self_signed_fill(b->leaf, b->key, names, host);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	if (ok)
		return true;
	tls_bundle_free(b);
	return err_set(e, "cannot make a certificate: %s", tls_context_why());
}
