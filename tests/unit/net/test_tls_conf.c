/*
 * The rows of `tls`: what is refused or doubted without a file being read.
 */
#include "tls_world.h"

#include "net/tls_context.h"

#define PAIR "certificates: [{certificate: ec.pem, key: ec.key}]"

static void
expect(const char *yaml, const char *message)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, yaml);

	if (message == NULL)
		expect_good(&l);
	else
		expect_message(&l, message);
	arena_end(a);
}

static void
defaults_are_as_documented(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {a: {tickets: {}}}\n");
	struct tls_conf *c = block_of_entry(&l.file->sites, "a");

	(void)state;
	expect_good(&l);
	assert_int_equal(c->protocols.n, 2);
	assert_string_equal(CONF_ITEM(&c->protocols, char *, 0), "TLSv1.2");
	assert_string_equal(CONF_ITEM(&c->protocols, char *, 1), "TLSv1.3");
	assert_false(c->self_signed);
	assert_int_equal(c->groups.n, 0);
	assert_int_equal(c->ciphersuites.n, 0);
	assert_int_equal(c->signature_algorithms.n, 0);
	assert_int_equal(c->tickets->rotate, 12 * 3600 * 1000);
	assert_int_equal(c->tickets->lifetime, 24 * 3600 * 1000);
	arena_end(a);
}

static void
withdrawn_versions_are_refused_by_name(void **state)
{
	(void)state;
	expect("sites: {a: {protocols: [TLSv1.1, TLSv1.2]}}\n",
	    "TLSv1.1 is not spoken any more: RFC 8996 withdrew it; TLSv1.2 "
	    "and TLSv1.3 are");
	expect("sites: {a: {protocols: [TLSv1]}}\n", "RFC 8996 withdrew it");
	expect("sites: {a: {protocols: [SSLv3]}}\n", "RFC 7568 withdrew it");
	expect("sites: {a: {protocols: [TLS13]}}\n", "TLSv1.2 or TLSv1.3");
	expect("sites: {a: {protocols: []}}\n",
	    "without a protocol nobody can connect");
	expect("sites: {a: {protocols: tlsv1.3}}\n", NULL);
}

static void
ciphers_are_looked_up_one_by_one(void **state)
{
	(void)state;
	expect("sites: {a: {ciphers: nonsense}}\n",
	    "OpenSSL knows none of these ciphers; `openssl ciphers`");
	expect("sites: {a: {ciphers: \"HIGH:ECDHE-RSA-AES128-GCM-SHA265\"}}\n",
	    "OpenSSL knows no cipher \"ECDHE-RSA-AES128-GCM-SHA265\"");
	expect("sites: {a: {ciphers: \"HIGH:TLS_AES_128_GCM_SHA256\"}}\n",
	    "TLS_AES_128_GCM_SHA256 is a suite of TLS 1.3; this key is about "
	    "TLS 1.2, `ciphersuites` about TLS 1.3");
	expect("sites: {a: {ciphers: "
	    "\"ECDHE+AESGCM:!aNULL:!RC4:-DHE:+RSA:@STRENGTH\"}}\n", NULL);
}

static void
words_of_openssl_are_looked_up_one_by_one(void **state)
{
	(void)state;
	expect("sites: {a: {groups: [X25519, P-257]}}\n",
	    "OpenSSL knows no key exchange group \"P-257\"");
	/* A list in one word would hide which of them is wrong. */
	expect("sites: {a: {groups: \"X25519:P-256\"}}\n",
	    "OpenSSL knows no key exchange group \"X25519:P-256\"");
	expect("sites: {a: {signature_algorithms: RSA+SHA257}}\n",
	    "OpenSSL knows no signature algorithm \"RSA+SHA257\"");
	expect("sites: {a: {ciphersuites: [AES128-SHA]}}\n",
	    "OpenSSL knows no TLS 1.3 cipher suite \"AES128-SHA\"");
	expect("sites: {a: {groups: [prime256v1, secp384r1, ffdhe2048], "
	    "signature_algorithms: [ecdsa_secp256r1_sha256, RSA-PSS+SHA256, "
	    "ed25519], ciphersuites: TLS_CHACHA20_POLY1305_SHA256}}\n", NULL);
}

static void
groups_that_openssl_lacks_are_passed_over(void **state)
{
	static const char *const none[] = {"NOSUCHKEM:X25519", "NEITHER"};
	static const char *const lists[] = {
		"NOSUCHKEM:X25519", "P-256:X25519", "P-384"
	};
	/* The extension supported_groups: P-256, then X25519. */
	static const char sent[] = "\0\x0a\0\x06\0\x04\0\x17\0\x1d";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *out = BIO_new(BIO_s_mem());
	SSL *ssl;
	char *p;
	long n;

	(void)state;
	assert_true(tls_context_pick_groups(ctx, lists, COUNT_OF(lists)));
	ssl = SSL_new(ctx);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	assert_int_equal(SSL_connect(ssl), -1);
	n = BIO_get_mem_data(out, &p);
	assert_non_null(memmem(p, (size_t)n, sent, sizeof sent - 1));
	SSL_free(ssl);
	assert_false(tls_context_pick_groups(ctx, none, COUNT_OF(none)));
	SSL_CTX_free(ctx);
}

static void
a_site_has_either_certificates_or_a_self_signed_one(void **state)
{
	(void)state;
	expect("sites: {a: {self_signed: on, " PAIR "}}\n",
	    "a site has either certificates or a self-signed one");
	expect("sites: {a: {self_signed: off, " PAIR "}}\n", NULL);
}

static void
tickets_do_not_outlive_their_keys(void **state)
{
	(void)state;
	expect("sites: {a: {tickets: {rotate: 1h, lifetime: 3h}}}\n",
	    "tickets cannot live longer than 2h, twice as long as a key is "
	    "in use");
	expect("sites: {a: {tickets: {rotate: 1h, lifetime: 2h}}}\n", NULL);
	expect("sites: {a: {tickets: {rotate: 7d, lifetime: 8d}}}\n", "7d");
}

static void
certificates_and_keys_come_together(void **state)
{
	(void)state;
	expect("sites: {a: {certificates: [{certificate: ec.pem}]}}\n", NULL);
	expect("sites: {a: {certificates: [{certificate: ec.pem, "
	    "key: \"\"}]}}\n", "expected a path, or store: and a URI");
	expect("upstreams: {u: {key_password: secret}}\n",
	    "there is no key, so `key_password` has no effect");
	expect("upstreams: {u: {certificate: ec.pem}}\n",
	    "the certificate needs its key: add `key`");
	expect("upstreams: {u: {key: ec.key}}\n",
	    "the key needs its certificate: add `certificate`");
	expect("upstreams: {u: {verify: off, ca: ca.pem}}\n",
	    "nothing is verified, so `ca` has no effect");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_as_documented),
		cmocka_unit_test(withdrawn_versions_are_refused_by_name),
		cmocka_unit_test(ciphers_are_looked_up_one_by_one),
		cmocka_unit_test(words_of_openssl_are_looked_up_one_by_one),
		cmocka_unit_test(groups_that_openssl_lacks_are_passed_over),
		cmocka_unit_test(
		    a_site_has_either_certificates_or_a_self_signed_one),
		cmocka_unit_test(tickets_do_not_outlive_their_keys),
		cmocka_unit_test(certificates_and_keys_come_together),
	};

	clock_update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
