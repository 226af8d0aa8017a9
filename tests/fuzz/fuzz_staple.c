/*
 * What a responder of OCSP says (RFC 6960), from the first byte of its HTTP to
 * the verdict on the certificate. An input begins with a letter that says what
 * the rest is:
 *
 *   h  the bytes that come over the connection
 *   H  likewise after a number, of how many KiB follow them
 *   d  an OCSPResponse
 *   t  its ResponseData, which the driver signs as the authority
 *   m  numbers: an answer that the driver makes of them, and then changes of
 *      single bytes in it
 *
 * What must hold: an answer is the same however it is cut; no more is taken
 * than may be; what is refused is refused with a reason, what is not is of use
 * now; and nothing that the authority did not say is ever believed, whatever
 * was done to its answer on the way.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "net/tls_pair.h"
#include "process/inquiry.h"

#include "base/clock.h"
#include "base/panic.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define MAX_ANSWER 16384
#define NOW 1800000000

static struct {
	EVP_PKEY *key, *other;
	X509 *issuer, *leaf, *neighbour, *delegate, *impostor, *stranger;
	struct tls_pairs *pairs;
	struct inquiry_reply reply;
	struct buf bytes; /* of the answer, in ARENA */
	struct arena *arena;
} fuzz;

/* ---- randomness -------------------------------------------------------- */

/* The same for every run: an input that names the authority's key by its hash
 * is to mean the same to all. */
static int
fuzz_random(unsigned char *p, int n)
{
	static uint64_t x = 1;

	for (int i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(x >> 56);
	}
	return 1;
}

static int
fuzz_random_is_good(void)
{
	return 1;
}

/* ---- the authority ----------------------------------------------------- */

static X509 *
fuzz_certify(const char *name, EVP_PKEY *key, EVP_PKEY *signer, int nid,
    const char *value)
{
	static long serial;
	X509 *x = X509_new();
	X509_NAME *issuer = X509_NAME_new();

	X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_ASC,
	    (const unsigned char *)"authority", -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_set_issuer_name(x, issuer);
	ASN1_TIME_set(X509_getm_notBefore(x), NOW - 86400);
	ASN1_TIME_set(X509_getm_notAfter(x), NOW + 86400);
	X509_set_pubkey(x, key);
	if (nid != NID_undef) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid,
		    value);

		X509_add_ext(x, ext, -1);
		X509_EXTENSION_free(ext);
	}
	ASSERT(X509_sign(x, signer, EVP_sha256()) > 0);
	X509_NAME_free(issuer);
	return x;
}

static void
fuzz_load(void)
{
	static struct tls_pair pair;
	static struct tls_pair *items[] = { &pair };
	static struct tls_pairs pairs = { .items = items, .n = 1 };
	static const RAND_METHOD fixed = {
		.bytes = fuzz_random, .pseudorand = fuzz_random,
		.status = fuzz_random_is_good
	};

	RAND_set_rand_method(&fixed);
	clock_fake_start(1000, NOW);
	fuzz.key = EVP_EC_gen("P-256");
	fuzz.other = EVP_EC_gen("P-256");
	fuzz.issuer = fuzz_certify("authority", fuzz.key, fuzz.key,
	    NID_basic_constraints, "critical,CA:TRUE");
	fuzz.leaf = fuzz_certify("leaf", fuzz.other, fuzz.key, NID_undef, "");
	fuzz.neighbour = fuzz_certify("neighbour", fuzz.other, fuzz.key,
	    NID_undef, "");
	fuzz.delegate = fuzz_certify("delegate", fuzz.other, fuzz.key,
	    NID_ext_key_usage, "OCSPSigning");
	fuzz.impostor = fuzz_certify("impostor", fuzz.other, fuzz.key,
	    NID_ext_key_usage, "serverAuth");
	fuzz.stranger = fuzz_certify("authority", fuzz.other, fuzz.other,
	    NID_basic_constraints, "critical,CA:TRUE");
	pair.bundle.leaf = fuzz.leaf;
	pair.bundle.chain = sk_X509_new_null();
	sk_X509_push(pair.bundle.chain, fuzz.issuer);
	fuzz.pairs = &pairs;
}

/* ---- answers that are made --------------------------------------------- */

enum { BY_AUTHORITY, BY_DELEGATE, BY_IMPOSTOR, BY_STRANGER, SIGNERS };

struct made {
	int status;
	bool is_of_neighbour, has_end;
	int64_t from, to; /* seconds from now */
	unsigned signer;
	enum tls_staple_check verdict;
	int64_t ends;
};

/* What is right by the letter of RFC 6960 sections 3.2 and 4.2.2. */
static void
fuzz_judge(struct made *m)
{
	m->ends = NOW + (m->has_end ? m->to : 3600);
	m->verdict = TLS_STAPLE_REFUSED;
	if (m->is_of_neighbour || m->signer > BY_DELEGATE || m->from > 300 ||
	    m->ends <= NOW || m->ends <= NOW + m->from)
		return;
	if (m->status == V_OCSP_CERTSTATUS_GOOD)
		m->verdict = TLS_STAPLE_GOOD;
	else if (m->status == V_OCSP_CERTSTATUS_REVOKED)
		m->verdict = TLS_STAPLE_REVOKED;
}

static struct made
fuzz_read_made(const uint8_t p[5])
{
	static const int64_t froms[] = {
		-100, 0, 299, 300, 301, -1000000, 86400
	};
	static const int64_t tos[] = { 3500, 1, 0, -1, 200, 10000000 };
	struct made m = {
		.status = p[0] % 3, .is_of_neighbour = p[1] % 2 != 0,
		.from = froms[p[2] % COUNT_OF(froms)],
		.has_end = p[3] % 7 != 6, .to = tos[p[3] % 7 % 6],
		.signer = p[4] % SIGNERS
	};

	fuzz_judge(&m);
	return m;
}

static void
fuzz_put_der(OCSP_BASICRESP *basic)
{
	OCSP_RESPONSE *r = OCSP_response_create(
	    OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	unsigned char *der = NULL;
	int n = i2d_OCSP_RESPONSE(r, &der);

	ASSERT(n > 0);
	buf_put(&fuzz.bytes, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
}

static void
fuzz_make(const struct made *m)
{
	X509 *const signers[] = {
		fuzz.issuer, fuzz.delegate, fuzz.impostor, fuzz.stranger
	};
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, m->is_of_neighbour ?
	    fuzz.neighbour : fuzz.leaf, fuzz.issuer);
	ASN1_TIME *from = ASN1_TIME_set(NULL, NOW + m->from);
	ASN1_TIME *to = ASN1_TIME_set(NULL, NOW + m->to);
	ASN1_TIME *when = ASN1_TIME_set(NULL, NOW - 1000);

	ASSERT(OCSP_basic_add1_status(basic, id, m->status, 0,
	    m->status == V_OCSP_CERTSTATUS_REVOKED ? when : NULL, from,
	    m->has_end ? to : NULL) != NULL);
	ASSERT(OCSP_basic_sign(basic, signers[m->signer],
	    m->signer == BY_AUTHORITY ? fuzz.key : fuzz.other, EVP_sha256(),
	    NULL, 0) == 1);
	fuzz_put_der(basic);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(when);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
}

/* ---- what is signed as it is ------------------------------------------- */

static void
fuzz_der(struct buf *b, uint8_t tag, struct str content)
{
	buf_chr(b, (char)tag);
	if (content.n >= 128) {
		buf_chr(b, (char)0x82);
		buf_chr(b, (char)(content.n >> 8));
	}
	buf_chr(b, (char)content.n);
	buf_str(b, content);
}

static struct str
fuzz_sign(struct str data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *to = arena_alloc(fuzz.arena, 128);
	size_t n = 128;

	ASSERT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, fuzz.key)
	    == 1);
	ASSERT(EVP_DigestSign(ctx, to, &n, (const unsigned char *)data.p,
	    data.n) == 1);
	EVP_MD_CTX_free(ctx);
	return str_of((char *)to, n);
}

/* OCSPResponse { successful, { id-pkix-ocsp-basic, { DATA, ecdsa-with-SHA256,
 * signature } } } */
static void
fuzz_wrap(struct str data)
{
	static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d"
	    "\x04\x03\x02";
	static const char kind[] = "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01"
	    "\x01";
	struct buf bits = buf_in(fuzz.arena), fields = buf_in(fuzz.arena);
	struct buf basic = buf_in(fuzz.arena), typed = buf_in(fuzz.arena);
	struct buf bytes = buf_in(fuzz.arena), all = buf_in(fuzz.arena);

	buf_chr(&bits, '\0');
	buf_str(&bits, fuzz_sign(data));
	buf_str(&fields, data);
	buf_put(&fields, algorithm, sizeof algorithm - 1);
	fuzz_der(&fields, 0x03, buf_view(&bits));
	fuzz_der(&basic, 0x30, buf_view(&fields));
	buf_put(&typed, kind, sizeof kind - 1);
	fuzz_der(&typed, 0x04, buf_view(&basic));
	fuzz_der(&bytes, 0x30, buf_view(&typed));
	buf_put(&all, "\x0a\x01\x00", 3);
	fuzz_der(&all, 0xa0, buf_view(&bytes));
	fuzz_der(&fuzz.bytes, 0x30, buf_view(&all));
}

/* ---- the check --------------------------------------------------------- */

static enum tls_staple_check
fuzz_check(struct str response, struct tls_staple *out)
{
	struct err e = { .text = "" };
	enum tls_staple_check answer = tls_staple_check(fuzz.pairs, 0,
	    response, out, &e);
	struct tls_staple kept;

	ASSERT(ERR_peek_error() == 0);
	ASSERT((answer == TLS_STAPLE_REFUSED) == (e.text[0] != '\0'));
	ASSERT(memchr(e.text, '\0', sizeof e.text) != NULL);
	if (answer == TLS_STAPLE_REFUSED)
		return answer;
	ASSERT(response.n <= TLS_STAPLE_MAX);
	ASSERT(out->ends > NOW && out->refresh >= NOW + 60);
	ASSERT(tls_staple_put(fuzz.pairs, 0, out));
	ASSERT(tls_staple_get(fuzz.pairs, 0, &kept));
	ASSERT(kept.ends == out->ends && kept.refresh == out->refresh &&
	    str_eq(kept.response, response));
	return answer;
}

/* Numbers, then changes, each of a place (16 bits) and what is
 * changed there. */
static void
fuzz_check_made(const uint8_t *p, size_t n)
{
	struct made m;
	struct tls_staple staple;
	enum tls_staple_check answer;
	bool is_changed = false;

	if (n < 5)
		return;
	m = fuzz_read_made(p);
	fuzz_make(&m);
	for (p += 5, n -= 5; n >= 3; p += 3, n -= 3) {
		size_t at = ((size_t)p[0] << 8 | p[1]) % fuzz.bytes.n;

		fuzz.bytes.p[at] = (char)(fuzz.bytes.p[at] ^ p[2]);
		is_changed |= p[2] != 0;
	}
	answer = fuzz_check(buf_view(&fuzz.bytes), &staple);
	ASSERT(answer == m.verdict ||
	    (is_changed && answer == TLS_STAPLE_REFUSED));
	ASSERT(answer == TLS_STAPLE_REFUSED || staple.ends == m.ends);
}

/* ---- HTTP -------------------------------------------------------------- */

/* FIRST bytes, then EACH at a time (0: the rest), and the end. */
static enum inquiry_step
fuzz_feed(struct str all, size_t first, size_t each, struct str *body)
{
	struct inquiry_reply *r = &fuzz.reply;
	enum inquiry_step step = INQUIRY_MORE;
	size_t next = first;
	struct err e = { .text = "" };

	r->arena = fuzz.arena;
	r->n = r->head = r->scanned = 0;
	while (step == INQUIRY_MORE && r->n < all.n) {
		size_t left = all.n - r->n, room = sizeof r->bytes - r->n;

		ASSERT(room > 0);
		if (next == 0 || next > left)
			next = left;
		if (next > room)
			next = room;
		memcpy(r->bytes + r->n, all.p + r->n, next);
		r->n += next;
		next = each;
		step = inquiry_read(r, false, body, &e);
	}
	if (step == INQUIRY_MORE)
		step = inquiry_read(r, true, body, &e);
	ASSERT(step != INQUIRY_MORE);
	ASSERT((step == INQUIRY_FAILED) == (e.text[0] != '\0'));
	if (step == INQUIRY_DONE)
		ASSERT(body->n <= TLS_STAPLE_MAX && body->p >= r->bytes &&
		    body->p + body->n <= r->bytes + r->n);
	return step;
}

static void
fuzz_check_http(struct str all)
{
	struct str body, again;
	struct tls_staple staple;
	enum inquiry_step step = fuzz_feed(all, 0, 0, &body);
	struct str first = body;

	if (step == INQUIRY_DONE)
		first = arena_str(fuzz.arena, body);
	for (size_t i = 0; i < 4; i++) {
		/* The last time byte by byte, where that is not for ever. */
		size_t at = i < 3 ? all.n * (i + 1) / 4 : 1;

		ASSERT(fuzz_feed(all, at, i < 3 || all.n > 4096 ? 0 : 1,
		    &again) == step);
		if (step == INQUIRY_DONE)
			ASSERT(str_eq(again, first));
	}
	/* Nobody but the driver can sign. */
	if (step == INQUIRY_DONE)
		ASSERT(fuzz_check(first, &staple) == TLS_STAPLE_REFUSED);
}

static void
fuzz_run(const uint8_t *p, size_t n)
{
	struct str rest = str_of((const char *)p + 1, n - 1);
	struct tls_staple staple;

	switch (p[0]) {
	case 'h':
		fuzz_check_http(rest);
		break;
	case 'H':
		buf_str(&fuzz.bytes, str_slice(rest, 1, rest.n));
		for (size_t i = n > 1 ? p[1] * 1024u : 0; i > 0; i--)
			buf_chr(&fuzz.bytes, 'x');
		fuzz_check_http(buf_view(&fuzz.bytes));
		break;
	case 'd':
		ASSERT(fuzz_check(rest, &staple) == TLS_STAPLE_REFUSED);
		break;
	case 't':
		fuzz_wrap(rest);
		(void)fuzz_check(buf_view(&fuzz.bytes), &staple);
		break;
	case 'm':
		fuzz_check_made(p + 1, n - 1);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > MAX_ANSWER)
		return 0;
	if (fuzz.pairs == NULL)
		fuzz_load();
	fuzz.arena = arena_new();
	fuzz.bytes = buf_in(fuzz.arena);
	fuzz_run(data, size);
	arena_end(fuzz.arena);
	return 0;
}
