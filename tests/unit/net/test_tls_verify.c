/*
 * Verification of clients: what is said of files that cannot be used, whose
 * settings are the same, and what a stream may be told. Chains and lists are
 * in tests/system.
 */
#include "net/tls_verify.c"

#include "net/tls_peer.h"
#include "tls_world.h"

#define SITE(name, client) \
	"  " name ":\n" \
	"    certificates: [{certificate: ec.pem, key: ec.key}]\n" \
	"    client: " client "\n"

static const char yaml[] =
    "sites:\n"
    SITE("a.test", "{ca: ca.pem}")
    SITE("same.test", "{ca: ca.pem, verify: required}")
    SITE("optional.test", "{ca: ca.pem, verify: optional}")
    SITE("deep.test", "{ca: ca.pem, depth: 7}")
    SITE("other.test", "{ca: b.pem}")
    SITE("any.test", "{verify: optional_no_ca}")
    SITE("off.test", "off")
    "upstreams:\n"
    "  nobody: {ca: ca.pem}\n"
    "  alice: {ca: ca.pem, certificate: rsa.pem, key: rsa.key}\n"
    "  old: {ca: ca.pem, certificate: old.pem, key: ec.key}\n";

struct world {
	struct arena *arena;
	struct loaded l;
	struct wire *wire;
};

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	clock_fake_start(1000, time(NULL));
	w->arena = arena_new();
	w->l = load_yaml(w->arena, yaml);
	w->wire = wire_new();
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	wire_end(w->wire);
	arena_end(w->arena);
	mem_free(w);
	clock_fake_end();
	return 0;
}

static void
connect_as(struct world *w, const char *client, struct tls_context *site)
{
	wire_hang_up(w->wire);
	wire_connect(w->wire, client_context(&w->l, client), site, "a.test");
	expect_handshake(w->wire);
	expect_text(w->wire, &w->wire->client, &w->wire->server, "hello");
}

static const char *
fact_of(struct world *w, enum tls_fact fact)
{
	struct buf b = buf_in(w->arena);

	tls_peer_put(w->wire->server.s, fact, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static void
expect_fact(struct world *w, enum tls_fact fact, const char *expected)
{
	assert_string_equal(fact_of(w, fact), expected);
}

/* ---- files ------------------------------------------------------------- */

static void
expect_message_of(const char *client, const char *name, const char *text,
    const char *message)
{
	struct arena *a = arena_new();
	const char *files[] = {
		"t.yaml", arena_printf(a, "sites:\n  a.test:\n"
		    "    certificates: [{certificate: ec.pem, key: ec.key}]\n"
		    "    client: %s\n", client),
		"ec.pem", good_certificate(a, KEY_EC, "DNS:a.test"),
		"ec.key", key_text(a, KEY_EC, NULL),
		"ca.pem", authority(a), name, text, NULL
	};
	struct loaded l = load_files(a, files);

	expect_good(&l);
	assert_null(site_context(&l, "a.test"));
	expect_message(&l, message);
	assert_int_equal(conf_errors(l.load), 1);
	arena_end(a);
}

static void
files_are_read_to_their_end_or_refused(void **state)
{
	struct arena *a = arena_new();
	const char *broken = arena_printf(a, "%s-----BEGIN CERTIFICATE-----\n"
	    "AAAA\n-----END CERTIFICATE-----\n", authority(a));

	(void)state;
	expect_message_of("{ca: x.pem}", "x.pem", "",
	    "x.pem has no certificate in it");
	expect_message_of("{ca: x.pem}", "x.pem", broken,
	    "x.pem has a certificate that cannot be read, after 1 good ones");
	expect_message_of("{ca: y.pem}", "x.pem", "",
	    "cannot open y.pem: no such file or directory");
	expect_message_of("{ca: ca.pem, crl: x.pem}", "x.pem", "",
	    "x.pem has no revocation list in it");
	expect_message_of("{ca: ca.pem, crl: x.pem}", "x.pem",
	    "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
	    "x.pem has a revocation list that cannot be read, after 0 good");
	arena_end(a);
}

static void
somebody_must_be_believed(void **state)
{
	(void)state;
	expect_message_of("{verify: optional}", "x.pem", "",
	    "nobody is believed: add `ca`");
	expect_message_of("{verify: required, depth: 2}", "x.pem", "",
	    "nobody is believed: add `ca`");
}

/* ---- settings ---------------------------------------------------------- */

static void
settings_are_the_same_when_words_and_files_are(void **state)
{
	struct world *w = *state;
	const struct tls_verify *a = site_context(&w->l, "a.test")->verify;
	static const char *const others[] = {
		"optional.test", "deep.test", "other.test", "any.test",
	};

	assert_true(tls_verify_is_same(a,
	    site_context(&w->l, "same.test")->verify));
	assert_null(site_context(&w->l, "off.test")->verify);
	assert_false(tls_verify_is_same(a, NULL));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_false(tls_verify_is_same(a,
		    site_context(&w->l, others[i])->verify));
}

/* Sessions of sites that differ in nothing but this do not mix. */
static void
the_id_of_sessions_depends_on_them(void **state)
{
	struct world *w = *state;
	struct str host = STR("a.test");
	struct tls_context *c[3];
	static const char *const names[] = {
		"a.test", "optional.test", "off.test",
	};

	for (size_t i = 0; i < 3; i++)
		c[i] = tls_context_new(w->l.load, block_of_entry(
		    &w->l.file->sites, names[i]), &host, 1, ALPN);
	assert_memory_not_equal(c[0]->site, c[1]->site, TLS_SITE_ID);
	assert_memory_not_equal(c[0]->site, c[2]->site, TLS_SITE_ID);
}

/* ---- verdicts ---------------------------------------------------------- */

static void
each_mode_has_its_verdicts(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *site, *client;
		enum tls_verdict verdict;
		const char *fact;
	} rows[] = {
		{"a.test", "alice", TLS_CLIENT_GOOD, "SUCCESS"},
		{"a.test", "nobody", TLS_CLIENT_MISSING, "NONE"},
		{"a.test", "old", TLS_CLIENT_REFUSED,
		    "FAILED:certificate has expired"},
		{"optional.test", "nobody", TLS_CLIENT_GOOD, "NONE"},
		{"optional.test", "old", TLS_CLIENT_REFUSED,
		    "FAILED:certificate has expired"},
		{"any.test", "alice", TLS_CLIENT_GOOD,
		    "FAILED:unable to "}, /* which words, OpenSSL knows */
		{"any.test", "old", TLS_CLIENT_REFUSED,
		    "FAILED:certificate has expired"},
		{"off.test", "alice", TLS_CLIENT_GOOD, "NONE"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_context *site = site_context(&w->l, rows[i].site);
		const char *fact;

		connect_as(w, rows[i].client, site);
		assert_int_equal(tls_verify_judge(w->wire->server.s, site),
		    rows[i].verdict);
		fact = fact_of(w, TLS_FACT_verdict);
		if (strncmp(fact, rows[i].fact, strlen(rows[i].fact)) != 0)
			fail_msg("%zu: %s", i, fact);
	}
	assert_int_equal(tls_verify_judge(NULL, NULL), TLS_CLIENT_GOOD);
}

static void
another_sites_handshake_is_none(void **state)
{
	struct world *w = *state;
	struct tls_context *a = site_context(&w->l, "a.test");
	struct tls_context *off = site_context(&w->l, "off.test");
	struct tls_stream *s;

	connect_as(w, "alice", a);
	s = w->wire->server.s;
	assert_int_equal(tls_verify_judge(s, site_context(&w->l, "same.test")),
	    TLS_CLIENT_GOOD);
	assert_int_equal(tls_verify_judge(s, off), TLS_CLIENT_ELSEWHERE);
	assert_int_equal(tls_verify_judge(s, site_context(&w->l,
	    "other.test")), TLS_CLIENT_ELSEWHERE);
	connect_as(w, "alice", off);
	assert_int_equal(tls_verify_judge(w->wire->server.s, a),
	    TLS_CLIENT_ELSEWHERE);
}

/* ---- facts ------------------------------------------------------------- */

static void
without_a_certificate_it_says_nothing(void **state)
{
	struct world *w = *state;

	connect_as(w, "nobody", site_context(&w->l, "optional.test"));
	for (int f = 0; f <= TLS_FACT_days_left; f++)
		expect_fact(w, (enum tls_fact)f, "");
	expect_fact(w, TLS_FACT_group, "X25519");
	wire_hang_up(w->wire);
	expect_fact(w, TLS_FACT_verdict, ""); /* plain */
}

static void
the_days_left_are_whole_and_never_negative(void **state)
{
	struct world *w = *state;
	struct tls_context *any = site_context(&w->l, "any.test");

	connect_as(w, "alice", any);
	expect_fact(w, TLS_FACT_issuer, "CN=Test authority");
	expect_fact(w, TLS_FACT_days_left, "90");
	clock_fake_advance(1000);
	expect_fact(w, TLS_FACT_days_left, "89");
	connect_as(w, "old", any);
	expect_fact(w, TLS_FACT_days_left, "0");
}

#define VERIFY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read_to_their_end_or_refused),
		cmocka_unit_test(somebody_must_be_believed),
		VERIFY_TEST(settings_are_the_same_when_words_and_files_are),
		VERIFY_TEST(the_id_of_sessions_depends_on_them),
		VERIFY_TEST(each_mode_has_its_verdicts),
		VERIFY_TEST(another_sites_handshake_is_none),
		VERIFY_TEST(without_a_certificate_it_says_nothing),
		VERIFY_TEST(the_days_left_are_whole_and_never_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
