/*
 * Pairs: keys in all the forms that they come in, chains in whatever order, and
 * which of several certificates a client is shown.
 */
#include "net/tls_pair.c"

#include "tls_world.h"

#include <openssl/pkcs12.h>
#include <unistd.h>

static void
expect_words(const char *words, const char *certificate, const char *key,
    const char *message)
{
	struct arena *a = arena_new();
	const char *files[] = {
		"t.yaml", arena_printf(a, "sites: {a.test: {certificates: "
		    "[{certificate: x%s}]}}\n", words),
		"x", certificate, key != NULL ? "k" : NULL, key, NULL
	};
	struct loaded l = load_files(a, files);
	struct tls_context *c;

	expect_good(&l);
	c = site_context(&l, "a.test");
	if (message == NULL)
		expect_good(&l);
	else
		expect_message(&l, message);
	assert_int_equal(c == NULL, conf_errors(l.load) > 0);
	arena_end(a);
}

/* ---- keys -------------------------------------------------------------- */

static char *
old_style_key(struct arena *a, enum key_kind kind, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio,
	    key_of(kind), password != NULL ? EVP_aes_128_cbc() : NULL, NULL,
	    0, NULL, (void *)(uintptr_t)password), 1);
	return pem_text(a, bio);
}

static void
an_encrypted_key_needs_its_password(void **state)
{
	struct arena *a = arena_new();
	char *pem = good_certificate(a, KEY_EC, "DNS:a.test");

	(void)state;
	for (int is_old = 0; is_old < 2; is_old++) {
		char *key = is_old ? old_style_key(a, KEY_EC, "secret") :
		    key_text(a, KEY_EC, "secret");

		expect_words(", key: k, key_password: secret", pem, key,
		    NULL);
		expect_words(", key: k", pem, key, "t.yaml:1:55: the key in "
		    "k is encrypted: add `key_password`");
		expect_words(", key: k, key_password: secrets", pem, key,
		    "t.yaml:1:72: the key in k cannot be decrypted with this "
		    "password");
	}
	expect_words(", key: k, key_password: secret", pem,
	    key_text(a, KEY_EC, NULL), "warning: the key k is not encrypted: "
	    "this password protects nothing");
	arena_end(a);
}

/* One decoder reads them all, one after the other. */
static void
keys_come_in_many_forms(void **state)
{
	static const enum key_kind kinds[] = {
		KEY_RSA, KEY_EC, KEY_RSA, KEY_OTHER_EC, KEY_EC
	};
	struct tls_key_reader r = {.decoder = NULL};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		for (int form = 0; form < 4; form++) {
			char *password = form >= 2 ? "x" : NULL;
			char *text = form % 2 == 0 ?
			    key_text(a, kinds[i], password) :
			    old_style_key(a, kinds[i], password);
			EVP_PKEY *key;

			assert_int_equal(tls_key_read(&r, str_from(text),
			    password, &key), TLS_KEY_GOOD);
			assert_int_equal(EVP_PKEY_eq(key, key_of(kinds[i])),
			    1);
			EVP_PKEY_free(key);
			assert_int_equal(tls_key_read(&r, STR("no key"),
			    password, &key), TLS_KEY_NONE);
			assert_null(key);
		}
	tls_key_reader_close(&r);
	arena_end(a);
}

static void
without_a_key_file_it_is_in_the_certificates(void **state)
{
	struct arena *a = arena_new();
	char *pem = good_certificate(a, KEY_EC, "DNS:a.test");

	(void)state;
	expect_words("", arena_printf(a, "%s%s", pem, key_text(a, KEY_EC,
	    NULL)), NULL, NULL);
	expect_words("", pem, NULL, "t.yaml:1:47: x has no private key in it; "
	    "add `key: FILE`");
	expect_words("", "nothing", NULL, "x has no certificate in it");
	arena_end(a);
}

/* ---- PKCS#12 ----------------------------------------------------------- */

static X509 *
read_certificate(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(x);
	BIO_free(bio);
	return x;
}

/* A source can only give what has no NUL in it, so this asks the reader. */
static struct str
pkcs12_text(struct arena *a, const char *password, X509 *leaf, X509 *ca,
    EVP_PKEY *key)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	unsigned char *der = NULL;
	struct str out;
	PKCS12 *p12;

	if (ca != NULL)
		sk_X509_push(chain, ca);
	p12 = PKCS12_create(password, "name", key, leaf, chain, 0, 0, 1, 1,
	    0);
	assert_non_null(p12);
	out.n = (size_t)i2d_PKCS12(p12, &der);
	out.p = arena_memdup(a, der, out.n);
	OPENSSL_free(der);
	PKCS12_free(p12);
	sk_X509_free(chain);
	return out;
}

static void
pkcs12_holds_everything(void **state)
{
	static const struct {
		const char *made, *given;
		enum tls_key answer;
	} rows[] = {
		{"secret", "secret", TLS_KEY_GOOD},
		{"secret", NULL, TLS_KEY_LOCKED},
		{"secret", "wrong", TLS_KEY_REFUSED},
		{"", NULL, TLS_KEY_GOOD},
		{NULL, NULL, TLS_KEY_GOOD},
	};
	struct arena *a = arena_new();
	X509 *leaf = read_certificate(good_certificate(a, KEY_EC,
	    "DNS:a.test"));
	X509 *ca = read_certificate(authority(a));

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct str text = pkcs12_text(a, rows[i].made, leaf, ca,
		    key_of(KEY_EC));
		struct tls_bundle b = {.leaf = NULL};
		struct err e;

		assert_true(tls_pkcs12_is(text));
		assert_int_equal(tls_pkcs12_read("x", text, rows[i].given, &b,
		    &e), rows[i].answer);
		if (rows[i].answer == TLS_KEY_GOOD) {
			assert_int_equal(X509_cmp(b.leaf, leaf), 0);
			assert_int_equal(sk_X509_num(b.chain), 1);
			assert_int_equal(EVP_PKEY_eq(b.key, key_of(KEY_EC)),
			    1);
		}
		tls_bundle_free(&b);
	}
	X509_free(leaf);
	X509_free(ca);
	arena_end(a);
}

static void
pkcs12_may_be_cut_anywhere(void **state)
{
	struct arena *a = arena_new();
	X509 *leaf = read_certificate(good_certificate(a, KEY_EC,
	    "DNS:a.test"));
	struct str text = pkcs12_text(a, "x", leaf, NULL, key_of(KEY_EC));

	(void)state;
	for (size_t n = 0; n < text.n; n++) {
		struct tls_bundle b = {.leaf = NULL};
		struct err e;

		assert_int_equal(tls_pkcs12_read("x", str_slice(text, 0, n),
		    "x", &b, &e), TLS_KEY_NONE);
		assert_string_equal(e.text, "x is neither PEM nor PKCS#12");
		assert_null(b.leaf);
	}
	X509_free(leaf);
	arena_end(a);
}

/* ---- providers --------------------------------------------------------- */

static void
a_key_may_be_in_a_store(void **state)
{
	struct arena *a = arena_new();
	char *pem = good_certificate(a, KEY_EC, "DNS:a.test");
	char path[] = "/tmp/weir-key-XXXXXX";
	char *key = key_text(a, KEY_EC, "secret");
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, key, strlen(key)), strlen(key));
	close(fd);
	expect_words(arena_printf(a, ", key: \"store:file:%s\", "
	    "key_password: secret", path), pem, NULL, NULL);
	expect_words(arena_printf(a, ", key: \"store:file:%s\", "
	    "key_password: other", path), pem, NULL,
	    "cannot be decrypted with this password");
	expect_words(arena_printf(a, ", key: \"store:file:%s\"", path), pem,
	    NULL, "is encrypted: add `key_password`");
	expect_words(", key: \"store:file:/nothing/here\"", pem, NULL,
	    "the store \"file:/nothing/here\" does not open: No such file or "
	    "directory");
	expect_words(", key: \"store:pkcs11:object=x\"", pem, NULL,
	    "no provider that OpenSSL has loaded knows \"pkcs11:\"");
	unlink(path);
	arena_end(a);
}

/* As with an openssl.cnf that leaves nothing of TLS. */
static void
without_a_context_a_pair_is_refused(void **state)
{
	struct tls_bundle b = {.leaf = NULL};
	const struct tls_pair pair = {.certificate = "a.pem"};
	struct tls_fault f;

	(void)state;
	assert_false(tls_bundle_check(&b, &pair, NULL, &f));
	assert_string_equal(f.e.text, "a.pem cannot be checked: OpenSSL "
	    "cannot be set up");
}

/* ---- chains ------------------------------------------------------------ */

static void
set_name(X509 *x, bool is_issuer, const char *text)
{
	X509_NAME *name = X509_NAME_new();

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)text, -1, -1, 0);
	if (is_issuer)
		X509_set_issuer_name(x, name);
	else
		X509_set_subject_name(x, name);
	X509_NAME_free(name);
}

/* SUBJECT's, which ISSUER signed, and which may say where ISSUER's is. */
static X509 *
link_of(const char *subject, const char *issuer, bool names_issuer)
{
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	set_name(x, false, subject);
	set_name(x, true, issuer);
	X509_gmtime_adj(X509_getm_notBefore(x), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), DAY);
	X509_set_pubkey(x, key_of(KEY_EC));
	if (names_issuer)
		add_ext(x, NID_info_access,
		    "caIssuers;URI:http://127.0.0.1/ca.der");
	X509_sign(x, key_of(KEY_CA), EVP_sha256());
	return x;
}

static STACK_OF(X509) *
chain_of(const char *names)
{
	STACK_OF(X509) *chain = sk_X509_new_null();

	/* "B" issued "leaf", "C" issued "B", and so on; "Z" is of nobody. */
	for (const char *p = names; *p != '\0'; p++) {
		char subject[2] = {*p, '\0'}, issuer[2] = {*p + 1, '\0'};

		if (*p == 'D')
			issuer[0] = 'D';
		sk_X509_push(chain, link_of(subject, issuer, false));
	}
	return chain;
}

static void
a_chain_is_put_in_order(void **state)
{
	static const struct {
		const char *names, *sorted;
		enum tls_chain answer;
	} rows[] = {
		{"", "", TLS_CHAIN_GOOD},
		{"B", "B", TLS_CHAIN_GOOD},
		{"BC", "BC", TLS_CHAIN_GOOD},
		{"CB", "BC", TLS_CHAIN_SORTED},
		{"DCB", "BCD", TLS_CHAIN_SORTED},
		{"BBC", "BCB", TLS_CHAIN_SORTED}, /* a second way up */
		{"BZ", "BZ", TLS_CHAIN_STRAY},
		{"ZB", "BZ", TLS_CHAIN_STRAY},
		{"Z", "Z", TLS_CHAIN_STRAY},
		{"BCDZZZZZZZZZZZZZZZ", "BCDZZZZZZZZZZZZZZZ", TLS_CHAIN_STRAY},
	};
	X509 *leaf = link_of("leaf", "B", false);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		STACK_OF(X509) *chain = chain_of(rows[i].names);

		assert_int_equal(tls_chain_sort(leaf, chain), rows[i].answer);
		for (int k = 0; k < sk_X509_num(chain); k++) {
			char name[8];

			X509_NAME_get_text_by_NID(X509_get_subject_name(
			    sk_X509_value(chain, k)), NID_commonName, name,
			    sizeof name);
			assert_int_equal(name[0], rows[i].sorted[k]);
		}
		sk_X509_pop_free(chain, X509_free);
	}
	X509_free(leaf);
}

static X509_STORE *
trusted(void *arg)
{
	return arg;
}

static void
a_chain_that_ends_too_early_is_noticed(void **state)
{
	X509_STORE *store = X509_STORE_new(), *empty = X509_STORE_new();
	X509 *root = link_of("D", "D", false);
	X509 *far = link_of("leaf", "C", true);
	X509 *near = link_of("leaf", "D", true);
	X509 *private = link_of("leaf", "P", false);

	(void)state;
	X509_STORE_add_cert(store, root);
	assert_true(tls_chain_is_cut(far, NULL, trusted, store));
	assert_false(tls_chain_is_cut(near, NULL, trusted, store));
	assert_false(tls_chain_is_cut(private, NULL, trusted, store));
	assert_false(tls_chain_is_cut(far, NULL, trusted, empty));
	X509_free(root);
	X509_free(far);
	X509_free(near);
	X509_free(private);
	X509_STORE_free(store);
	X509_STORE_free(empty);
}

static void
doubts_about_a_chain_are_said(void **state)
{
	struct arena *a = arena_new();
	char *leaf = good_certificate(a, KEY_EC, "DNS:a.test");
	char *stray = good_certificate(a, KEY_RSA, "DNS:b.test");

	(void)state;
	expect_words(", key: k", arena_printf(a, "%s%s", leaf, authority(a)),
	    key_text(a, KEY_EC, NULL), NULL);
	expect_words(", key: k", arena_printf(a, "%s%s", leaf, stray),
	    key_text(a, KEY_EC, NULL), "t.yaml:1:47: warning: x has a "
	    "certificate that signed none of the others");
	arena_end(a);
}

/* ---- which one is shown ------------------------------------------------ */

static const char several[] =
    "sites:\n"
    "  a:\n"
    "    certificates:\n"
    "      - {certificate: ec.pem, key: ec.key}\n"
    "      - {certificate: rsa.pem, key: rsa.key}\n"
    "      - {certificate: b.pem, key: b.key}\n"
    "  b:\n"
    "    certificates: {certificate: b.pem, key: b.key}\n"
    "  c:\n"
    "    certificates: {certificate: b.pem, key: b.key}\n"
    "    protocols: TLSv1.3\n";

/* The first letter of the certificate with a key of KIND; 0: none. */
static int
shown(struct tls_context *c, const char *name, int kind)
{
	SSL *ssl = SSL_new(c->ssl);
	int has = 0;

	assert_true(tls_context_show(ssl, c, str_from(name)));
	for (long rc = SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST); rc == 1;
	     rc = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
		X509 *x = SSL_get_certificate(ssl);

		if (EVP_PKEY_get_id(X509_get0_pubkey(x)) != kind)
			continue;
		for (size_t i = 0; i < c->n_pairs; i++)
			if (c->pairs[i]->bundle.leaf == x)
				has = c->pairs[i]->certificate[0];
	}
	SSL_free(ssl);
	return has;
}

static void
the_name_chooses_among_certificates(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, several);
	struct tls_context *c = site_context(&l, "a");

	(void)state;
	expect_good(&l);
	assert_int_equal(shown(c, "a.test", EVP_PKEY_EC), 'e');
	assert_int_equal(shown(c, "a.test", EVP_PKEY_RSA), 'r');
	assert_int_equal(shown(c, "x.w.test", EVP_PKEY_EC), 'e');
	/* Nothing of another name, whatever its key. */
	assert_int_equal(shown(c, "b.test", EVP_PKEY_EC), 'b');
	assert_int_equal(shown(c, "b.test", EVP_PKEY_RSA), 0);
	/* Of nobody's: the first of each kind. */
	assert_int_equal(shown(c, "z.test", EVP_PKEY_EC), 'e');
	assert_int_equal(shown(c, "z.test", EVP_PKEY_RSA), 'r');
	assert_int_equal(shown(c, "", EVP_PKEY_EC), 'e');
	arena_end(a);
}

static void
certificates_know_their_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is_covered;
	} rows[] = {
		{"a.test", true}, {"A.Test", true}, {"*.w.test", true},
		{"x.w.test", true}, {"x.y.w.test", false}, {"w.test", false},
		{"127.0.0.1", true}, {"127.0.0.2", false}, {"[::1]", false},
		{"b.test", true}, {"z.test", false}, {"~^x", true}, {"", false},
	};
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, several);
	struct tls_context *c = site_context(&l, "a");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(tls_context_covers(c, str_from(rows[i].host)),
		    rows[i].is_covered);
	arena_end(a);
}

static void
files_are_read_once_and_settings_made_once(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, several);
	struct tls_context *x = site_context(&l, "a");
	struct tls_context *y = site_context(&l, "b");
	struct tls_context *z = site_context(&l, "c");

	(void)state;
	assert_ptr_equal(x->pairs[2], y->pairs[0]);
	assert_ptr_equal(y->pairs[0], z->pairs[0]);
	assert_ptr_equal(x->ssl, y->ssl);
	assert_ptr_not_equal(x->ssl, z->ssl);
	assert_int_equal(tls_renewal_count(tls_context_pairs(l.load)), 3);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_encrypted_key_needs_its_password),
		cmocka_unit_test(keys_come_in_many_forms),
		cmocka_unit_test(without_a_key_file_it_is_in_the_certificates),
		cmocka_unit_test(pkcs12_holds_everything),
		cmocka_unit_test(pkcs12_may_be_cut_anywhere),
		cmocka_unit_test(a_key_may_be_in_a_store),
		cmocka_unit_test(without_a_context_a_pair_is_refused),
		cmocka_unit_test(a_chain_is_put_in_order),
		cmocka_unit_test(a_chain_that_ends_too_early_is_noticed),
		cmocka_unit_test(doubts_about_a_chain_are_said),
		cmocka_unit_test(the_name_chooses_among_certificates),
		cmocka_unit_test(certificates_know_their_hosts),
		cmocka_unit_test(files_are_read_once_and_settings_made_once),
	};

	clock_update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
