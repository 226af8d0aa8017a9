/*
 * What an authority says of a certificate, to be shown with it (RFC 6066
 * section 8): the question for its responder, the check of what comes back
 * (RFC 6960 section 3.2), and where an answer is kept. It hangs on the
 * certificate itself: so it goes when that is renewed, and a handshake cannot
 * find it on another.
 *
 * Nothing here opens a socket. The scout asks and checks; the master and the
 * workers only keep what it has found good.
 */
#include "net/tls_pair.h"

#include "base/clock.h"
#include "base/map.h"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#define SKEW 300 /* s that a responder's clock may be ahead of ours */
/* An answer that does not say when there will be a newer one is good for now
 * (RFC 6960 section 4.2.2.1); this is how long now is. */
#define UNDATED 3600 /* s */
#define SOONEST 60   /* s until a responder is asked again */
#define STATUS_REQUEST 5 /* as a TLS feature: the extension's number */

struct staple {
	int64_t ends, refresh; /* wall seconds */
	size_t n;
	unsigned char der[];
};

/* ---- on a certificate -------------------------------------------------- */

static int staple_index = -1;
static CRYPTO_ONCE staple_once = CRYPTO_ONCE_STATIC_INIT;

static void
staple_on_free(void *parent, void *p, CRYPTO_EX_DATA *data, int index,
    long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	mem_free(p);
}

static void
staple_register(void)
{
	staple_index = X509_get_ex_new_index(0, NULL, NULL, NULL,
	    staple_on_free);
}

static const struct staple *
staple_of(const X509 *x)
{
	if (CRYPTO_THREAD_run_once(&staple_once, staple_register) != 1 ||
	    staple_index < 0)
		return NULL;
	return X509_get_ex_data(x, staple_index);
}

static void
staple_hang(X509 *x, int64_t ends, int64_t refresh, struct str der)
{
	struct staple *old = (struct staple *)(uintptr_t)staple_of(x);
	struct staple *s = NULL;

	if (staple_index < 0)
		return;
	if (der.n > 0) {
		s = mem_alloc(sizeof *s + der.n);
		s->ends = ends;
		s->refresh = refresh;
		s->n = der.n;
		memcpy(s->der, der.p, der.n);
	}
	if (X509_set_ex_data(x, staple_index, s) == 1)
		mem_free(old);
	else
		mem_free(s);
}

static bool
staple_digest(const X509 *leaf, uint8_t out[TLS_STAPLE_ID])
{
	return X509_digest(leaf, EVP_sha256(), out, NULL) == 1;
}

static X509 *
staple_leaf(const struct tls_pairs *pairs, size_t i)
{
	return i < pairs->n ? pairs->items[i]->bundle.leaf : NULL;
}

bool
tls_staple_put(struct tls_pairs *pairs, size_t i, const struct tls_staple *s)
{
	X509 *leaf = staple_leaf(pairs, i);
	uint8_t id[TLS_STAPLE_ID];

	if (leaf == NULL || s->response.n > TLS_STAPLE_MAX ||
	    !staple_digest(leaf, id) || memcmp(id, s->leaf, sizeof id) != 0)
		return false;
	staple_hang(leaf, s->ends, s->refresh, s->response);
	return true;
}

bool
tls_staple_get(const struct tls_pairs *pairs, size_t i,
    struct tls_staple *out)
{
	const X509 *leaf = staple_leaf(pairs, i);
	const struct staple *s = leaf != NULL ? staple_of(leaf) : NULL;

	if (s == NULL || !staple_digest(leaf, out->leaf))
		return false;
	out->ends = s->ends;
	out->refresh = s->refresh;
	out->response = str_of((const char *)s->der, s->n);
	return true;
}

size_t
tls_staple_count(const struct tls_pairs *pairs, int64_t *first_end)
{
	size_t n = 0;

	*first_end = 0;
	for (size_t i = 0; i < pairs->n; i++) {
		const struct staple *s = staple_of(staple_leaf(pairs, i));

		if (s == NULL)
			continue;
		if (n++ == 0 || s->ends < *first_end)
			*first_end = s->ends;
	}
	return n;
}

void
tls_staple_inherit(struct tls_pairs *to, const struct tls_pairs *from)
{
	struct arena *a = arena_new();
	struct map *known = map_new(a, 16);
	struct tls_staple s;
	size_t n = 0;

	for (size_t i = 0; i < from->n; i++)
		if (tls_staple_get(from, i, &s)) {
			map_put(known, str_of(arena_memdup(a, s.leaf,
			    sizeof s.leaf), sizeof s.leaf),
			    arena_memdup(a, &s, sizeof s));
			n++;
		}
	for (size_t i = 0; n > 0 && i < to->n; i++) {
		const struct tls_staple *old = NULL;

		if (staple_digest(to->items[i]->bundle.leaf, s.leaf))
			old = map_get(known, str_of((const char *)s.leaf,
			    sizeof s.leaf));
		if (old != NULL)
			(void)tls_staple_put(to, i, old);
	}
	arena_end(a);
}

/* ---- in a handshake ---------------------------------------------------- */

static int
staple_on_status(SSL *ssl, void *arg)
{
	const X509 *leaf = SSL_get_certificate(ssl);
	const struct staple *s = leaf != NULL ? staple_of(leaf) : NULL;
	unsigned char *copy;

	(void)arg;
	if (s == NULL || s->ends <= clock_wall())
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(s->der, s->n);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	/* It belongs to SSL from now on. */
	if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->n) == 1)
		return SSL_TLSEXT_ERR_OK;
	OPENSSL_free(copy);
	return SSL_TLSEXT_ERR_NOACK;
}

void
tls_staple_use(SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_status_cb(ctx, staple_on_status);
}

/* ---- asking ------------------------------------------------------------ */

bool
tls_staple_is_demanded(const struct tls_pairs *pairs, size_t i)
{
	TLS_FEATURE *features = X509_get_ext_d2i(staple_leaf(pairs, i),
	    NID_tlsfeature, NULL, NULL);
	bool found = false;

	for (int k = 0; k < sk_ASN1_INTEGER_num(features); k++)
		found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, k))
		    == STATUS_REQUEST;
	TLS_FEATURE_free(features);
	ERR_clear_error();
	return found;
}

static X509 *
staple_issuer(const struct tls_pair *pair)
{
	STACK_OF(X509) *chain = pair->bundle.chain;

	for (int i = 0; i < sk_X509_num(chain); i++)
		if (X509_check_issued(sk_X509_value(chain, i),
		    pair->bundle.leaf) == X509_V_OK)
			return sk_X509_value(chain, i);
	return NULL;
}

/* What is written into a request as it is: no blanks, no control characters. */
static bool
staple_is_plain(const char *url)
{
	for (; *url != '\0'; url++)
		if (*url <= ' ' || *url > '~')
			return false;
	return true;
}

static bool
staple_read_url(const char *url, struct arena *a, struct tls_question *out)
{
	char *host = NULL, *path = NULL;
	int port = 0, is_tls = 0;
	bool ok;

	if (!staple_is_plain(url))
		return false;
	ok = OSSL_HTTP_parse_url(url, &is_tls, NULL, &host, NULL, &port, &path,
	    NULL, NULL) == 1 && !is_tls && host[0] != '\0' && port > 0 &&
	    port <= UINT16_MAX;
	if (ok) {
		out->host = arena_str(a, str_from(host));
		out->path = arena_str(a, str_from(path));
		out->port = (uint16_t)port;
	}
	OPENSSL_free(host);
	OPENSSL_free(path);
	return ok;
}

static bool
staple_find_responder(X509 *leaf, struct arena *a, struct tls_question *out)
{
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(leaf);
	bool found = false;

	for (int i = 0; !found && i < sk_OPENSSL_STRING_num(urls); i++)
		found = staple_read_url(sk_OPENSSL_STRING_value(urls, i), a,
		    out);
	X509_email_free(urls);
	return found;
}

/*
 * No nonce: responders of public authorities sign beforehand and leave it out
 * (RFC 5019 section 2.1.1). By SHA-1, which they all index by; nothing hangs
 * on it that would have to withstand a collision.
 */
static bool
staple_write_request(X509 *leaf, X509 *issuer, struct arena *a,
    struct str *out)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);
	unsigned char *der = NULL;
	int n = 0;

	if (r != NULL && id != NULL && OCSP_request_add0_id(r, id) != NULL) {
		id = NULL;
		n = i2d_OCSP_REQUEST(r, &der);
	}
	if (n > 0)
		*out = str_of(arena_memdup(a, der, (size_t)n), (size_t)n);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(r);
	return n > 0;
}

bool
tls_staple_question(const struct tls_pairs *pairs, size_t i, struct arena *a,
    struct tls_question *out)
{
	const struct tls_pair *pair = pairs->items[i];
	X509 *issuer;
	bool ok;

	if (!pair->is_stapled)
		return false;
	issuer = staple_issuer(pair);
	ok = issuer != NULL &&
	    staple_find_responder(pair->bundle.leaf, a, out) &&
	    staple_write_request(pair->bundle.leaf, issuer, a, &out->request);
	ERR_clear_error();
	return ok;
}

/* ---- checking ---------------------------------------------------------- */

/*
 * By the issuer itself, or by whom it certified for just that (RFC 6960
 * section 4.2.2.2). Trust ends at the issuer: whether that is known to
 * anybody is not our question, and other authorities have no say.
 */
static bool
staple_is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
	STACK_OF(X509) *known = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	bool ok = false;

	if (known != NULL && store != NULL &&
	    sk_X509_push(known, issuer) > 0 &&
	    X509_STORE_add_cert(store, issuer) == 1) {
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store),
		    (time_t)clock_wall());
		ok = OCSP_basic_verify(basic, known, store, OCSP_NOEXPLICIT)
		    == 1;
	}
	sk_X509_free(known);
	X509_STORE_free(store);
	return ok;
}

static bool
staple_seconds(const ASN1_GENERALIZEDTIME *t, int64_t now, int64_t *out)
{
	ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)now);
	int days = 0, seconds = 0;
	bool ok = from != NULL &&
	    ASN1_TIME_diff(&days, &seconds, from, t) == 1;

	ASN1_TIME_free(from);
	*out = now + (int64_t)days * 86400 + seconds;
	return ok;
}

static bool
staple_read_dates(const ASN1_GENERALIZEDTIME *this_update,
    const ASN1_GENERALIZEDTIME *next_update, struct tls_staple *out,
    struct err *e)
{
	int64_t now = clock_wall(), from, half;

	if (this_update == NULL || !staple_seconds(this_update, now, &from))
		return err_set(e, "its date cannot be read");
	if (from > now + SKEW)
		return err_set(e, "it is of the future");
	if (next_update == NULL)
		out->ends = now + UNDATED;
	else if (!staple_seconds(next_update, now, &out->ends))
		return err_set(e, "its end cannot be read");
	if (out->ends <= now)
		return err_set(e, "it has expired");
	if (out->ends <= from)
		return err_set(e, "it ends before it begins");
	/* At half of its life; of a cached one, at half of what is left. */
	half = from + (out->ends - from) / 2;
	if (half < now)
		half = now + (out->ends - now) / 2;
	out->refresh = half > now + SOONEST ? half : now + SOONEST;
	return true;
}

static enum tls_staple_check
staple_check_single(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer,
    struct tls_staple *out, struct err *e)
{
	ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);
	int status = -1, reason, found;

	found = OCSP_resp_find_status(basic, id, &status, &reason, &revoked,
	    &this_update, &next_update);
	OCSP_CERTID_free(id);
	if (found != 1)
		err_set(e, "it is about another certificate");
	else if (!staple_read_dates(this_update, next_update, out, e))
		return TLS_STAPLE_REFUSED;
	else if (status == V_OCSP_CERTSTATUS_GOOD)
		return TLS_STAPLE_GOOD;
	else if (status == V_OCSP_CERTSTATUS_REVOKED)
		return TLS_STAPLE_REVOKED;
	else
		err_set(e, "the responder does not know the certificate");
	return TLS_STAPLE_REFUSED;
}

static enum tls_staple_check
staple_check_basic(OCSP_BASICRESP *basic, const struct tls_pair *pair,
    struct tls_staple *out, struct err *e)
{
	X509 *issuer = staple_issuer(pair);

	if (issuer == NULL || !staple_digest(pair->bundle.leaf, out->leaf)) {
		err_set(e, "its issuer is not known any more");
		return TLS_STAPLE_REFUSED;
	}
	if (!staple_is_signed(basic, issuer)) {
		err_set(e, "its signature is not good: %s",
		    tls_context_why());
		return TLS_STAPLE_REFUSED;
	}
	return staple_check_single(basic, pair->bundle.leaf, issuer, out, e);
}

enum tls_staple_check
tls_staple_check(const struct tls_pairs *pairs, size_t i,
    struct str response, struct tls_staple *out, struct err *e)
{
	const unsigned char *p = (const unsigned char *)response.p;
	enum tls_staple_check answer = TLS_STAPLE_REFUSED;
	OCSP_BASICRESP *basic = NULL;
	OCSP_RESPONSE *r = NULL;
	int status;

	out->response = response;
	if (response.n > 0 && response.n <= TLS_STAPLE_MAX)
		r = d2i_OCSP_RESPONSE(NULL, &p, (long)response.n);
	if (r == NULL || (const char *)p != response.p + response.n) {
		err_set(e, "it is no OCSP response");
		goto end;
	}
	status = OCSP_response_status(r);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		err_set(e, "the responder says %s",
		    OCSP_response_status_str(status));
		goto end;
	}
	basic = OCSP_response_get1_basic(r);
	if (basic == NULL)
		err_set(e, "it is of an unknown kind");
	else
		answer = staple_check_basic(basic, pairs->items[i], out, e);

end:
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return answer;
}
