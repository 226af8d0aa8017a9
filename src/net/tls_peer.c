/*
 * What a peer's certificate says, written as other servers write it, since
 * applications read these texts. A certificate is looked at anew whenever it is
 * asked for: few requests ask, and an idle connection is not to pay for them.
 * What stands in one was made up by whoever made it: it is shown, not believed.
 */
#include "net/tls_peer.h"

#include "base/clock.h"
#include "base/panic.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

static const char tls_peer_digits[] = "0123456789abcdef";

/* ---- from OpenSSL ------------------------------------------------------ */

/* What was written to BIO, which ends. */
static void
tls_peer_put_bio(BIO *bio, struct buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	if (n > 0)
		buf_put(out, p, (size_t)n);
	BIO_free(bio);
}

/* RFC 2253: the last element first. Controls and all that is not ASCII are
 * escaped. */
static void
tls_peer_put_name(const X509_NAME *name, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	tls_peer_put_bio(bio, out);
}

static void
tls_peer_put_hex(const uint8_t *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		buf_chr(out, tls_peer_digits[p[i] >> 4]);
		buf_chr(out, tls_peer_digits[p[i] & 15]);
	}
}

static void
tls_peer_put_digest(const X509 *x, const EVP_MD *md, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, md, digest, &n) == 1)
		tls_peer_put_hex(digest, n, out);
}

static void
tls_peer_put_time(const ASN1_TIME *t, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		return;
	/* What is no date prints as "Bad time value": nothing is said. */
	if (ASN1_TIME_print(bio, t) == 1)
		tls_peer_put_bio(bio, out);
	else
		BIO_free(bio);
}

/* ---- of a certificate -------------------------------------------------- */

static void
tls_peer_subject(const X509 *x, struct buf *out)
{
	tls_peer_put_name(X509_get_subject_name(x), out);
}

static void
tls_peer_issuer(const X509 *x, struct buf *out)
{
	tls_peer_put_name(X509_get_issuer_name(x), out);
}

static void
tls_peer_serial(const X509 *x, struct buf *out)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = n != NULL ? BN_bn2hex(n) : NULL;

	if (hex != NULL)
		buf_z(out, hex);
	OPENSSL_free(hex);
	BN_free(n);
}

static void
tls_peer_sha1(const X509 *x, struct buf *out)
{
	tls_peer_put_digest(x, EVP_sha1(), out);
}

static void
tls_peer_sha256(const X509 *x, struct buf *out)
{
	tls_peer_put_digest(x, EVP_sha256(), out);
}

static void
tls_peer_pem(const X509 *x, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		return;
	PEM_write_bio_X509(bio, x);
	tls_peer_put_bio(bio, out);
}

/* RFC 3986 section 2.3: all but what is unreserved. */
static void
tls_peer_escaped_pem(const X509 *x, struct buf *out)
{
	static const char upper[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	if (bio == NULL)
		return;
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &p);
	for (long i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (strchr(plain, c) != NULL) {
			buf_chr(out, (char)c);
			continue;
		}
		buf_chr(out, '%');
		buf_chr(out, upper[c >> 4]);
		buf_chr(out, upper[c & 15]);
	}
	BIO_free(bio);
}

static void
tls_peer_begin(const X509 *x, struct buf *out)
{
	tls_peer_put_time(X509_get0_notBefore(x), out);
}

static void
tls_peer_end(const X509 *x, struct buf *out)
{
	tls_peer_put_time(X509_get0_notAfter(x), out);
}

/* Whole days; 0 when it is over. */
static void
tls_peer_days_left(const X509 *x, struct buf *out)
{
	struct tm tm;
	int64_t left;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return;
	left = (int64_t)timegm(&tm) - clock_wall();
	buf_u64(out, left > 0 ? (uint64_t)left / 86400 : 0);
}

/* ---- of the connection ------------------------------------------------- */

static void
tls_peer_verdict(const struct tls_stream *s, struct buf *out)
{
	const char *problem = tls_verify_problem(s);

	if (SSL_get0_peer_certificate(tls_stream_ssl(s)) == NULL) {
		buf_z(out, "NONE");
		return;
	}
	buf_z(out, problem == NULL ? "SUCCESS" : "FAILED:");
	if (problem != NULL)
		buf_z(out, problem);
}

/* Of those that the library at hand has no name for the number remains. */
static void
tls_peer_group(const struct tls_stream *s, struct buf *out)
{
	long nid = SSL_get_negotiated_group(tls_stream_ssl(s));
	const char *name = OBJ_nid2sn((int)(nid & 0xffff));

	if (nid == 0)
		return;
	if ((nid & TLSEXT_nid_unknown) == 0 && name != NULL)
		buf_z(out, name);
	else
		buf_printf(out, "0x%04x", (unsigned)(nid & 0xffff));
}

static void
tls_peer_session_id(const struct tls_stream *s, struct buf *out)
{
	const SSL_SESSION *session = SSL_get_session(tls_stream_ssl(s));
	const unsigned char *id;
	unsigned n = 0;

	if (session == NULL)
		return;
	id = SSL_SESSION_get_id(session, &n);
	tls_peer_put_hex(id, n, out);
}

/* ---- rows -------------------------------------------------------------- */

void
tls_peer_put(const struct tls_stream *s, enum tls_fact fact, struct buf *out)
{
	static const struct {
		void (*of_certificate)(const X509 *x, struct buf *out);
		void (*of_stream)(const struct tls_stream *s, struct buf *out);
	} rows[] = {
#define CERT(name) [TLS_FACT_##name] = {tls_peer_##name, NULL},
#define FACT(name) [TLS_FACT_##name] = {NULL, tls_peer_##name},
		TLS_FACTS
#undef CERT
#undef FACT
	};
	const X509 *x;

	ASSERT(fact < TLS_FACT_COUNT);
	if (s == NULL)
		return;
	x = SSL_get0_peer_certificate(tls_stream_ssl(s));
	if (rows[fact].of_stream != NULL)
		rows[fact].of_stream(s, out);
	else if (x != NULL)
		rows[fact].of_certificate(x, out);
	/* Nobody's next call is to meet what could not be printed. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}
