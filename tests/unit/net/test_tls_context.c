/*
 * Contexts: what is said of certificates and keys that cannot be used or soon
 * will be of no use, self-signed certificates, and who shares what.
 */
#include "tls_world.h"

#include "net/tls_pair.h"

#include <sys/stat.h>
#include <unistd.h>

#define PAIR(cert, key) \
	"sites:\n  a.test:\n    certificates:\n" \
	"      - {certificate: " cert ", key: " key "}\n"

/* Of a site "a.test" in YAML, beside the usual files and MORE. */
static struct loaded
load_with(struct arena *a, const char *yaml, const char *path,
    const char *text)
{
	const char *files[] = {
		"t.yaml", yaml,
		"ec.pem", good_certificate(a, KEY_EC, "DNS:a.test"),
		"ec.key", key_text(a, KEY_EC, NULL),
		"other.pem", good_certificate(a, KEY_OTHER_EC, "DNS:a.test"),
		"other.key", key_text(a, KEY_OTHER_EC, NULL),
		path, text, NULL
	};

	return load_files(a, files);
}

static void
expect_site(const char *yaml, const char *path, const char *text,
    const char *message)
{
	struct arena *a = arena_new();
	struct loaded l = load_with(a, yaml, path, text);
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

/* ---- certificates and keys --------------------------------------------- */

static void
a_pair_must_match(void **state)
{
	(void)state;
	expect_site(PAIR("ec.pem", "ec.key"), NULL, NULL, NULL);
	expect_site(PAIR("ec.pem", "other.key"), NULL, NULL,
	    "t.yaml:4:36: the key other.key does not belong to the "
	    "certificate ec.pem");
}

static void
both_files_must_be_there(void **state)
{
	(void)state;
	expect_site(PAIR("gone.pem", "ec.key"), NULL, NULL,
	    "t.yaml:4:23: cannot open gone.pem: no such file or directory");
	expect_site(PAIR("gone.pem", "gone.key"), NULL, NULL,
	    "t.yaml:4:38: cannot open gone.key: no such file or directory");
}

static void
a_file_must_hold_what_it_is_for(void **state)
{
	static const char broken[] =
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

	(void)state;
	expect_site(PAIR("ec.key", "ec.key"), NULL, NULL,
	    "ec.key has no certificate in it");
	expect_site(PAIR("ec.pem", "ec.pem"), NULL, NULL,
	    "ec.pem has no private key in it");
	expect_site(PAIR("x", "ec.key"), "x", "hello\n",
	    "x has no certificate in it");
	expect_site(PAIR("x", "ec.key"), "x", "",
	    "x has no certificate in it");
	expect_site(PAIR("ec.pem", "x"), "x", "",
	    "x has no private key in it");
	expect_site(PAIR("x", "ec.key"), "x", broken,
	    "x has a certificate that cannot be read");
}

static void
a_broken_chain_is_noticed(void **state)
{
	struct arena *a = arena_new();
	char *good = arena_printf(a, "%s%s",
	    good_certificate(a, KEY_EC, "DNS:a.test"), authority(a));
	char *bad = arena_printf(a, "%s-----BEGIN CERTIFICATE-----\nAAAA\n"
	    "-----END CERTIFICATE-----\n", good);

	(void)state;
	expect_site(PAIR("x", "ec.key"), "x", good, NULL);
	expect_site(PAIR("x", "ec.key"), "x", bad,
	    "x has a chain that cannot be read, after 2 good certificates");
	arena_end(a);
}

static void
one_file_may_hold_both(void **state)
{
	struct arena *a = arena_new();
	char *both = arena_printf(a, "%s%s", key_text(a, KEY_EC, NULL),
	    good_certificate(a, KEY_EC, "DNS:a.test"));

	(void)state;
	expect_site(PAIR("x", "x"), "x", both, NULL);
	arena_end(a);
}

static void
a_kind_of_key_comes_once(void **state)
{
	(void)state;
	expect_site(PAIR("ec.pem", "ec.key")
	    "      - {certificate: other.pem, key: other.key}\n", NULL, NULL,
	    "t.yaml:5:23: other.pem has the same kind of key and the same "
	    "names as ec.pem before it: it would never be shown");
}

static void
a_weak_key_is_refused(void **state)
{
	struct arena *a = arena_new();
	EVP_PKEY *weak = EVP_RSA_gen(512);
	BIO *bio = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	X509 *x = X509_new();

	(void)state;
	X509_set_version(x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(x), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), 90 * DAY);
	X509_set_pubkey(x, weak);
	X509_sign(x, key_of(KEY_CA), EVP_sha256());
	PEM_write_bio_X509(bio, x);
	PEM_write_bio_PrivateKey(key, weak, NULL, NULL, 0, NULL, NULL);
	expect_site(PAIR("x", "x"), "x", arena_printf(a, "%s%s",
	    pem_text(a, bio), pem_text(a, key)),
	    "x cannot be used: ee key too small");
	X509_free(x);
	EVP_PKEY_free(weak);
	arena_end(a);
}

static void
dates_are_looked_at(void **state)
{
	static const struct {
		long from, to;
		const char *message;
	} rows[] = {
		{-9 * DAY, -DAY, "warning: the certificate x expired on 20"},
		{-9 * DAY, 13 * DAY, "warning: the certificate x ends soon, "
		    "on 20"},
		{-9 * DAY, 15 * DAY, NULL},
		{2 * DAY, 90 * DAY, "warning: the certificate x is not valid "
		    "before 20"},
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_site(PAIR("x", "ec.key"), "x", certificate(a, KEY_EC,
		    "DNS:a.test", rows[i].from, rows[i].to), rows[i].message);
	arena_end(a);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void
a_key_that_all_can_read_is_doubted(void **state)
{
	struct arena *a = arena_new();
	char dir[] = "/tmp/weir-tls-XXXXXX";
	char *key, *pem, *yaml;

	(void)state;
	assert_non_null(mkdtemp(dir));
	key = arena_printf(a, "%s/ec.key", dir);
	pem = arena_printf(a, "%s/ec.pem", dir);
	yaml = arena_printf(a, "%s/t.yaml", dir);
	write_file(pem, good_certificate(a, KEY_EC, "DNS:a.test"), 0644);
	write_file(yaml, PAIR("ec.pem", "ec.key"), 0644);
	for (int i = 0; i < 2; i++) {
		struct loaded l = {.arena = a};

		write_file(key, key_text(a, KEY_EC, NULL), i ? 0604 : 0640);
		l.load = conf_load_new(a, &conf_source_disk);
		l.file = conf_load_file(l.load, yaml, &tls_file_schema, NULL,
		    0);
		assert_non_null(site_context(&l, "a.test"));
		if (i == 0)
			expect_good(&l);
		else
			expect_message(&l, "chmod 600 would stop that");
	}
	unlink(key);
	unlink(pem);
	unlink(yaml);
	rmdir(dir);
	arena_end(a);
}

/* ---- self-signed ------------------------------------------------------- */

static X509 *
self_signed(struct loaded *l, const struct str *hosts, size_t n)
{
	struct tls_context *c = tls_context_new(l->load,
	    block_of_entry(&l->file->sites, "a"), hosts, n, ALPN);

	expect_good(l);
	assert_non_null(c);
	return c->pairs[0]->bundle.leaf;
}

static void
a_self_signed_certificate_has_the_sites_names(void **state)
{
	static const struct str hosts[] = {
		STR_INIT("~^u\\d+$"), STR_INIT("example.com"),
		STR_INIT("*.example.com"), STR_INIT("192.0.2.1"),
		STR_INIT("[2001:db8::1]")
	};
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {a: {self_signed: on}}\n");
	X509 *x = self_signed(&l, hosts, COUNT_OF(hosts));
	int days, seconds;

	(void)state;
	assert_int_equal(X509_check_host(x, "example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "w.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(x, "192.0.2.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0),
	    1);
	assert_int_equal(ASN1_TIME_diff(&days, &seconds,
	    X509_get0_notBefore(x), X509_get0_notAfter(x)), 1);
	assert_int_equal(days, 90);
	assert_int_equal(seconds, 3600);
	arena_end(a);
}

static void
without_hosts_it_is_for_this_machine(void **state)
{
	static const struct str hosts[] = {STR_INIT("~.*")};
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {a: {self_signed: on}}\n");

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		X509 *x = self_signed(&l, hosts, n);

		assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL),
		    1);
		assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
		assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	}
	arena_end(a);
}

static void
serial_numbers_differ(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {a: {self_signed: on}}\n");

	(void)state;
	assert_int_not_equal(ASN1_INTEGER_cmp(
	    X509_get0_serialNumber(self_signed(&l, NULL, 0)),
	    X509_get0_serialNumber(self_signed(&l, NULL, 0))), 0);
	arena_end(a);
}

static void
a_self_signed_site_is_trusted_by_its_certificate(void **state)
{
	static const struct str host = STR_INIT("example.com");
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {a: {self_signed: on}}\n"
	    "upstreams: {u: {ca: ca.pem}}\n");
	struct tls_context *server = tls_context_new(l.load,
	    block_of_entry(&l.file->sites, "a"), &host, 1, ALPN);
	struct tls_context *client = client_context(&l, "u");
	struct wire *w = wire_new();

	(void)state;
	X509_STORE_add_cert(SSL_CTX_get_cert_store(client->ssl),
	    server->pairs[0]->bundle.leaf);
	wire_connect(w, client, server, "example.com");
	expect_handshake(w);
	wire_end(w);
	arena_end(a);
}

/* What is inherited gives way to what the site says, either way round. */
static void
the_site_decides_between_certificates_and_self_signed(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool is_self_signed;
	} rows[] = {
		{"certificates: [{certificate: ec.pem, key: ec.key}]",
		    "self_signed: on", true},
		{"self_signed: on",
		    "certificates: [{certificate: ec.pem, key: ec.key}]",
		    false},
		{"self_signed: on", "protocols: TLSv1.3", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *a = arena_new();
		struct loaded l = load_yaml(a, arena_printf(a,
		    "sites: {outer: {%s}, a: {%s}}\n", rows[i].outer,
		    rows[i].inner));
		X509 *x;

		conf_inherit(l.load, &tls_schema,
		    block_of_entry(&l.file->sites, "outer"),
		    block_of_entry(&l.file->sites, "a"));
		x = self_signed(&l, NULL, 0);
		assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x),
		    X509_get_issuer_name(x)) == 0, rows[i].is_self_signed);
		arena_end(a);
	}
}

/* ---- sharing and upstreams --------------------------------------------- */

static void
sites_with_the_same_block_share(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, PAIR("ec.pem", "ec.key"));
	struct tls_conf *conf = block_of_entry(&l.file->sites, "a.test");
	struct str x = STR("x.test"), y = STR("y.test");
	struct tls_context *one = tls_context_new(l.load, conf, &x, 1, ALPN);
	struct tls_context *two = tls_context_new(l.load, conf, &y, 1, ALPN);
	struct tls_context *h2 = tls_context_new(l.load, conf, &x, 1,
	    STR("\x02h2\x08http/1.1"));

	(void)state;
	assert_ptr_equal(one->ssl, two->ssl);
	assert_memory_not_equal(one->site, two->site, TLS_SITE_ID);
	assert_ptr_not_equal(one->ssl, h2->ssl);
	assert_memory_equal(one->site, h2->site, TLS_SITE_ID);
	arena_end(a);
}

static void
authorities_are_read_from_where_the_system_keeps_them(void **state)
{
	static const char yaml[] = "upstreams: {u: {}, v: {}, w: {verify: "
	    "off}}\n";
	struct arena *a = arena_new();
	const char *files[] = {
		"t.yaml", yaml, "/etc/pki/tls/certs/ca-bundle.crt",
		authority(a), NULL
	};
	const char *nothing[] = {"t.yaml", yaml, NULL};
	struct loaded l = load_files(a, files);
	struct tls_context *u = client_context(&l, "u");
	struct tls_context *v = client_context(&l, "v");

	(void)state;
	expect_good(&l);
	assert_ptr_equal(SSL_CTX_get_cert_store(u->ssl),
	    SSL_CTX_get_cert_store(v->ssl));

	l = load_files(a, nothing);
	assert_non_null(client_context(&l, "w"));
	expect_good(&l);
	assert_non_null(client_context(&l, "u"));
	expect_message(&l, "no list of trusted authorities");
	arena_end(a);
}

static void
an_upstreams_files_are_checked(void **state)
{
	static const struct {
		const char *yaml, *message;
	} rows[] = {
		{"upstreams: {u: {ca: gone.pem}}\n", "cannot open gone.pem"},
		{"upstreams: {u: {ca: ec.key}}\n",
		    "ec.key has no certificate in it"},
		{"upstreams: {u: {ca: ca.pem, certificate: ec.pem, "
		    "key: rsa.key}}\n", "does not belong to"},
		{"upstreams: {u: {ca: ca.pem, certificate: ec.pem, "
		    "key: ec.key}}\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *a = arena_new();
		struct loaded l = load_yaml(a, rows[i].yaml);
		struct tls_context *c = client_context(&l, "u");

		assert_int_equal(c != NULL, rows[i].message == NULL);
		if (rows[i].message == NULL)
			expect_good(&l);
		else
			expect_message(&l, rows[i].message);
		arena_end(a);
	}
}

/* An upstream that a route names outright has no block of the loader's. */
static void
a_literal_upstream_has_no_place(void **state)
{
	struct arena *a = arena_new();
	struct loaded l = load_yaml(a, "sites: {}\n");
	const struct tls_client_conf *conf =
	    conf_defaults(l.load, &tls_client_schema);

	(void)state;
	assert_non_null(tls_context_new_client(l.load, conf, ALPN));
	assert_int_equal(conf_errors(l.load), 0);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_must_match),
		cmocka_unit_test(both_files_must_be_there),
		cmocka_unit_test(a_file_must_hold_what_it_is_for),
		cmocka_unit_test(a_broken_chain_is_noticed),
		cmocka_unit_test(one_file_may_hold_both),
		cmocka_unit_test(a_kind_of_key_comes_once),
		cmocka_unit_test(a_weak_key_is_refused),
		cmocka_unit_test(dates_are_looked_at),
		cmocka_unit_test(a_key_that_all_can_read_is_doubted),
		cmocka_unit_test(
		    a_self_signed_certificate_has_the_sites_names),
		cmocka_unit_test(without_hosts_it_is_for_this_machine),
		cmocka_unit_test(serial_numbers_differ),
		cmocka_unit_test(
		    a_self_signed_site_is_trusted_by_its_certificate),
		cmocka_unit_test(
		    the_site_decides_between_certificates_and_self_signed),
		cmocka_unit_test(sites_with_the_same_block_share),
		cmocka_unit_test(
		    authorities_are_read_from_where_the_system_keeps_them),
		cmocka_unit_test(an_upstreams_files_are_checked),
		cmocka_unit_test(a_literal_upstream_has_no_place),
	};

	clock_update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
