/*
 * Staples: whom to ask, and which answers are good. The test is the authority,
 * and makes its answers as they should be, but for one thing at a time.
 */
#include "net/tls_staple.c"

#include "tls_world.h"

struct world {
	struct arena *arena;
	struct loaded loaded;
	struct tls_context *site;
	struct tls_pairs *pairs;
	X509 *leaf, *issuer;
};

/* A certificate that names URL, with its issuer after it. */
static char *
chain_text(struct arena *a, const char *url, bool has_feature)
{
	char *ca = authority(a);
	char *pem = good_certificate(a, KEY_EC, "DNS:a.test");
	BIO *in = BIO_new_mem_buf(pem, -1), *out = BIO_new(BIO_s_mem());
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

	if (url != NULL)
		add_ext(x, NID_info_access, arena_printf(a, "OCSP;URI:%s",
		    url));
	if (has_feature)
		add_ext(x, NID_tlsfeature, "status_request");
	assert_true(X509_sign(x, key_of(KEY_CA), EVP_sha256()) > 0);
	PEM_write_bio_X509(out, x);
	X509_free(x);
	BIO_free(in);
	return arena_printf(a, "%s%s", pem_text(a, out), ca);
}

static void
load_chain(struct world *w, const char *url, bool has_feature,
    const char *more)
{
	struct arena *a = w->arena;
	const char *files[] = {
		"t.yaml", arena_printf(a, "sites: {a.test: {certificates: "
		    "[{certificate: c, key: k}]%s}}\n", more),
		"c", chain_text(a, url, has_feature),
		"k", key_text(a, KEY_EC, NULL), NULL
	};

	w->loaded = load_files(a, files);
	w->site = site_context(&w->loaded, "a.test");
	expect_good(&w->loaded);
	w->pairs = tls_context_pairs(w->loaded.load);
	w->leaf = w->pairs->items[0]->bundle.leaf;
	w->issuer = sk_X509_value(w->pairs->items[0]->bundle.chain, 0);
}

#define URL "http://ocsp.test:8080/path"

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	clock_fake_start(1000, 1800000000);
	w->arena = arena_new();
	load_chain(w, URL, false, "");
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	arena_end(w->arena);
	mem_free(w);
	clock_fake_end();
	return 0;
}

/* ---- answers ----------------------------------------------------------- */

struct answer {
	enum key_kind key; /* that signs it */
	X509 *of; /* NULL: the certificate */
	int status;
	long from, to; /* seconds from now; TO 0: it does not say */
	const char *usage; /* of a signer that was certified for it */
};
#define GOOD_ANSWER { .key = KEY_CA, .status = V_OCSP_CERTSTATUS_GOOD, \
	.from = -100, .to = 3500 }

static ASN1_TIME *
at(long seconds)
{
	return ASN1_TIME_set(NULL, (time_t)clock_wall() + seconds);
}

static X509 *
delegate(const struct answer *r)
{
	struct arena *a = arena_new();
	BIO *in = BIO_new_mem_buf(good_certificate(a, r->key, "DNS:o.test"),
	    -1);
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	arena_end(a);
	if (r->usage[0] != '\0')
		add_ext(x, NID_ext_key_usage, r->usage);
	assert_true(X509_sign(x, key_of(KEY_CA), EVP_sha256()) > 0);
	return x;
}

static struct str
answer_text(struct world *w, const struct answer *r)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, r->of != NULL ? r->of :
	    w->leaf, w->issuer);
	ASN1_TIME *from = at(r->from), *to = r->to != 0 ? at(r->to) : NULL;
	ASN1_TIME *when = r->status == V_OCSP_CERTSTATUS_REVOKED ? at(-DAY) :
	    NULL;
	X509 *signer = r->usage != NULL ? delegate(r) : NULL;
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	struct str text;
	int n;

	assert_non_null(OCSP_basic_add1_status(basic, id, r->status, 0, when,
	    from, to));
	assert_int_equal(OCSP_basic_sign(basic, signer != NULL ? signer :
	    w->issuer, key_of(r->key), EVP_sha256(), NULL, 0), 1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL,
	    basic);
	n = i2d_OCSP_RESPONSE(response, &der);
	assert_true(n > 0);
	text = str_of(arena_memdup(w->arena, der, (size_t)n), (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(when);
	X509_free(signer);
	return text;
}

static struct tls_staple staple;

static void
expect_refused(struct world *w, struct str text, const char *why)
{
	struct err e;

	strcpy(e.text, "");
	assert_int_equal(tls_staple_check(w->pairs, 0, text, &staple, &e),
	    TLS_STAPLE_REFUSED);
	if (strstr(e.text, why) == NULL)
		fail_msg("no \"%s\" in: %s", why, e.text);
}

static void
expect_answer(struct world *w, const struct answer *r,
    enum tls_staple_check what)
{
	struct err e;

	assert_int_equal(tls_staple_check(w->pairs, 0, answer_text(w, r),
	    &staple, &e), what);
}

static void
a_good_answer_is_good_until_the_next(void **state)
{
	struct answer r = GOOD_ANSWER;

	expect_answer(*state, &r, TLS_STAPLE_GOOD);
	assert_int_equal(staple.ends, clock_wall() + 3500);
	assert_int_equal(staple.refresh, clock_wall() + 1700);
}

static void
an_old_one_is_renewed_at_half_of_what_is_left(void **state)
{
	struct answer r = GOOD_ANSWER;

	r.from = -10000;
	r.to = 1000;
	expect_answer(*state, &r, TLS_STAPLE_GOOD);
	assert_int_equal(staple.refresh, clock_wall() + 500);
	r.to = 10;
	expect_answer(*state, &r, TLS_STAPLE_GOOD);
	assert_int_equal(staple.refresh, clock_wall() + SOONEST);
}

static void
one_that_does_not_end_is_good_for_an_hour(void **state)
{
	struct answer r = GOOD_ANSWER;

	r.to = 0;
	expect_answer(*state, &r, TLS_STAPLE_GOOD);
	assert_int_equal(staple.ends, clock_wall() + UNDATED);
}

static void
times_bound_an_answer(void **state)
{
	struct world *w = *state;
	struct answer r = GOOD_ANSWER;

	r.from = SKEW;
	expect_answer(w, &r, TLS_STAPLE_GOOD);
	r.from = SKEW + 1;
	expect_refused(w, answer_text(w, &r), "it is of the future");
	r.from = -100;
	r.to = 1;
	expect_answer(w, &r, TLS_STAPLE_GOOD);
	r.to = -1;
	expect_refused(w, answer_text(w, &r), "it has expired");
	r.from = 200;
	r.to = 100;
	expect_refused(w, answer_text(w, &r), "it ends before it begins");
}

static void
revoked_and_unknown_are_told_apart(void **state)
{
	struct world *w = *state;
	struct answer r = GOOD_ANSWER;

	r.status = V_OCSP_CERTSTATUS_REVOKED;
	expect_answer(w, &r, TLS_STAPLE_REVOKED);
	r.status = V_OCSP_CERTSTATUS_UNKNOWN;
	expect_refused(w, answer_text(w, &r), "does not know");
}

static void
it_must_be_about_the_certificate(void **state)
{
	struct world *w = *state;
	struct answer r = GOOD_ANSWER;

	r.of = w->issuer; /* another serial number */
	expect_refused(w, answer_text(w, &r), "about another certificate");
}

static void
only_the_issuer_or_whom_it_says_may_sign(void **state)
{
	struct world *w = *state;
	struct answer r = GOOD_ANSWER;

	r.key = KEY_OTHER_EC;
	r.usage = "OCSPSigning";
	expect_answer(w, &r, TLS_STAPLE_GOOD);
	r.usage = "serverAuth";
	expect_refused(w, answer_text(w, &r), "signature is not good");
	r.usage = "";
	expect_refused(w, answer_text(w, &r), "signature is not good");
}

/* Each byte of it matters: whichever is changed, it is refused, or it says the
 * same. */
static void
a_changed_answer_is_refused(void **state)
{
	struct world *w = *state;
	struct answer r = GOOD_ANSWER;
	struct str text = answer_text(w, &r);
	char *p = arena_memdup(w->arena, text.p, text.n);
	struct err e;

	for (size_t i = 0; i < text.n; i++) {
		p[i] ^= 1;
		if (tls_staple_check(w->pairs, 0, str_of(p, text.n), &staple,
		    &e) != TLS_STAPLE_REFUSED)
			assert_int_equal(staple.ends, clock_wall() + 3500);
		p[i] ^= 1;
		expect_refused(w, str_of(p, i), "it is no OCSP response");
	}
	p = arena_alloc(w->arena, text.n + 1);
	memcpy(p, text.p, text.n);
	p[text.n] = 0;
	expect_refused(w, str_of(p, text.n + 1), "it is no OCSP response");
}

static void
what_a_responder_says_of_itself_is_no_answer(void **state)
{
	expect_refused(*state, str_of("\x30\x03\x0a\x01\x03", 5),
	    "the responder says trylater");
	expect_refused(*state, str_of("\x30\x03\x0a\x01\x00", 5),
	    "it is of an unknown kind");
}

/* ---- questions --------------------------------------------------------- */

static void
the_question_is_about_the_certificate(void **state)
{
	struct world *w = *state;
	struct tls_question q;
	const unsigned char *p;
	OCSP_REQUEST *r;

	assert_true(tls_staple_question(w->pairs, 0, w->arena, &q));
	assert_true(str_eq(q.host, STR("ocsp.test")));
	assert_true(str_eq(q.path, STR("/path")));
	assert_int_equal(q.port, 8080);
	p = (const unsigned char *)q.request.p;
	r = d2i_OCSP_REQUEST(NULL, &p, (long)q.request.n);
	assert_non_null(r);
	assert_int_equal(OCSP_request_onereq_count(r), 1);
	assert_int_equal(OCSP_request_is_signed(r), 0);
	OCSP_REQUEST_free(r);
}

static void
nobody_is_asked_where_nobody_can_be(void **state)
{
	static const struct {
		const char *url, *more;
	} cases[] = {
		{ NULL, "" },
		{ "https://ocsp.test/", "" },
		{ "ldap://ocsp.test/", "" },
		{ "http:///", "" },
		{ "http://ocsp.test/a b", "" },
		{ "http://ocsp.test/\x7f", "" },
		{ URL, ", stapling: off" },
	};
	struct world *w = *state;
	struct tls_question q;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		load_chain(w, cases[i].url, false, cases[i].more);
		if (tls_staple_question(w->pairs, 0, w->arena, &q))
			fail_msg("%s: asked", cases[i].url);
		assert_false(tls_staple_is_demanded(w->pairs, 0));
	}
	load_chain(w, NULL, true, "");
	assert_true(tls_staple_is_demanded(w->pairs, 0));
}

/* ---- keeping and showing ----------------------------------------------- */

static void
put_good(struct world *w)
{
	struct answer r = GOOD_ANSWER;

	expect_answer(w, &r, TLS_STAPLE_GOOD);
	assert_true(tls_staple_put(w->pairs, 0, &staple));
}

/* How long a staple a client is shown; -1: none. */
static long
shown(struct world *w, bool asks)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx), *server = SSL_new(w->site->ssl);
	const unsigned char *p;
	BIO *a, *b;
	long n;

	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	if (asks)
		SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
	assert_true(tls_context_show(server, w->site, STR("a.test")));
	for (int i = 0; i < 20; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	assert_true(SSL_is_init_finished(client));
	n = SSL_get_tlsext_status_ocsp_resp(client, &p);
	if (n > 0)
		assert_memory_equal(p, staple.response.p, (size_t)n);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	return n;
}

static void
who_asks_is_shown_it_until_it_ends(void **state)
{
	struct world *w = *state;

	assert_int_equal(shown(w, true), -1);
	put_good(w);
	assert_int_equal(shown(w, true), staple.response.n);
	assert_int_equal(shown(w, false), -1);
	clock_fake_advance(3499 * 1000);
	assert_int_equal(shown(w, true), staple.response.n);
	clock_fake_advance(1000);
	assert_int_equal(shown(w, true), -1);
}

static void
an_empty_one_takes_it_away(void **state)
{
	struct world *w = *state;
	int64_t ends;

	put_good(w);
	assert_int_equal(tls_staple_count(w->pairs, &ends), 1);
	assert_int_equal(ends, staple.ends);
	staple.response.n = 0;
	assert_true(tls_staple_put(w->pairs, 0, &staple));
	assert_int_equal(shown(w, true), -1);
	assert_int_equal(tls_staple_count(w->pairs, &ends), 0);
}

static void
that_of_another_certificate_is_not_kept(void **state)
{
	struct world *w = *state;

	put_good(w);
	assert_false(tls_staple_put(w->pairs, 1, &staple));
	staple.leaf[31] ^= 1;
	assert_false(tls_staple_put(w->pairs, 0, &staple));
}

static void
a_reload_takes_them_over_by_certificate(void **state)
{
	struct world *w = *state;
	struct tls_pairs *old = w->pairs;
	struct tls_staple s;
	X509 *x = w->leaf;

	put_good(w);
	load_chain(w, URL, false, "");
	tls_staple_inherit(w->pairs, old);
	assert_false(tls_staple_get(w->pairs, 0, &s)); /* it is another */
	X509_free(w->leaf);
	w->pairs->items[0]->bundle.leaf = X509_dup(x);
	tls_staple_inherit(w->pairs, old);
	assert_true(tls_staple_get(w->pairs, 0, &s));
	assert_true(str_eq(s.response, staple.response));
	assert_int_equal(s.refresh, staple.refresh);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_answer_is_good_until_the_next),
		TEST(an_old_one_is_renewed_at_half_of_what_is_left),
		TEST(one_that_does_not_end_is_good_for_an_hour),
		TEST(times_bound_an_answer),
		TEST(revoked_and_unknown_are_told_apart),
		TEST(it_must_be_about_the_certificate),
		TEST(only_the_issuer_or_whom_it_says_may_sign),
		TEST(a_changed_answer_is_refused),
		TEST(what_a_responder_says_of_itself_is_no_answer),
		TEST(the_question_is_about_the_certificate),
		TEST(nobody_is_asked_where_nobody_can_be),
		TEST(who_asks_is_shown_it_until_it_ends),
		TEST(an_empty_one_takes_it_away),
		TEST(that_of_another_certificate_is_not_kept),
		TEST(a_reload_takes_them_over_by_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
