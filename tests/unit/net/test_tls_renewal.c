/*
 * Renewals: files that change, what is taken from them and what is not, and the
 * way of a certificate from the master to a worker. Each test has a directory
 * of its own, loaded twice: as the master has it, and as a worker inherits it.
 */
#include "net/tls_renewal.c"

#include "tls_world.h"

#include <sys/mman.h>
#include <unistd.h>

struct world {
	char dir[32];
	struct arena *arena;
	struct tls_pairs *master, *worker;
	struct tls_context *site;
};

static void
put(const struct world *w, const char *name, const char *text)
{
	char *path = arena_printf(w->arena, "%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static struct tls_pairs *
load(struct world *w, struct tls_context **site)
{
	struct loaded l = {.arena = w->arena};

	l.load = conf_load_new(w->arena, &conf_source_disk);
	l.file = conf_load_file(l.load, arena_printf(w->arena, "%s/t.yaml",
	    w->dir), &tls_file_schema, NULL, 0);
	*site = site_context(&l, "a.test");
	expect_good(&l);
	return tls_context_pairs(l.load);
}

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);

	w->arena = arena_new();
	strcpy(w->dir, "/tmp/weir-renewal-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	put(w, "t.yaml", "sites: {a.test: {certificates: [{certificate: "
	    "c, key: k}]}}\n");
	put(w, "c", good_certificate(w->arena, KEY_EC, "DNS:a.test"));
	put(w, "k", key_text(w->arena, KEY_EC, NULL));
	w->worker = load(w, &w->site);
	w->master = load(w, &w->site);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"t.yaml", "c", "k"};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlink(arena_printf(w->arena, "%s/%s", w->dir,
		    names[i]));
	rmdir(w->dir);
	arena_end(w->arena);
	mem_free(w);
	return 0;
}

static X509 *
leaf(const struct tls_pairs *pairs)
{
	return pairs->items[0]->bundle.leaf;
}

/* What was put is tried; why it is refused, "" if it is not. */
static const char *
try(struct world *w)
{
	static struct err e;

	strcpy(e.text, "");
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_MOVING);
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_CHANGED);
	if (tls_renewal_try(w->master, 0, &e) == TLS_RENEWAL_REFUSED)
		assert_string_not_equal(e.text, "");
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_SAME);
	return e.text;
}

/* ---- looking ----------------------------------------------------------- */

static void
a_file_must_lie_still(void **state)
{
	struct world *w = *state;
	char *fresh = good_certificate(w->arena, KEY_EC, "DNS:a.test");

	assert_int_equal(tls_renewal_count(w->master), 1);
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_SAME);
	put(w, "c", "half of");
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_MOVING);
	put(w, "c", fresh);
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_MOVING);
	put(w, "k", "");
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_MOVING);
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_CHANGED);
}

static void
files_that_were_only_touched_are_the_same(void **state)
{
	struct world *w = *state;
	X509 *before = leaf(w->master);
	struct err e;

	put(w, "k", key_text(w->arena, KEY_EC, NULL));
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_MOVING);
	assert_int_equal(tls_renewal_look(w->master, 0), TLS_LOOK_CHANGED);
	assert_int_equal(tls_renewal_try(w->master, 0, &e), TLS_RENEWAL_SAME);
	assert_ptr_equal(leaf(w->master), before);
}

/* ---- what is taken ----------------------------------------------------- */

static void
a_renewed_certificate_is_shown(void **state)
{
	struct world *w = *state;
	SSL *ssl = SSL_new(w->site->ssl);

	put(w, "c", good_certificate(w->arena, KEY_OTHER_EC, "DNS:a.test"));
	put(w, "k", key_text(w->arena, KEY_OTHER_EC, NULL));
	assert_string_equal(try(w), "");
	assert_true(tls_context_show(ssl, w->site, STR("a.test")));
	assert_int_equal(EVP_PKEY_eq(SSL_get_privatekey(ssl),
	    key_of(KEY_OTHER_EC)), 1);
	/* The next may have another kind of key; this one keeps what it has. */
	put(w, "c", good_certificate(w->arena, KEY_RSA, "DNS:a.test"));
	put(w, "k", key_text(w->arena, KEY_RSA, NULL));
	assert_string_equal(try(w), "");
	assert_int_equal(EVP_PKEY_eq(SSL_get_privatekey(ssl),
	    key_of(KEY_OTHER_EC)), 1);
	SSL_free(ssl);
	ssl = SSL_new(w->site->ssl);
	assert_true(tls_context_show(ssl, w->site, STR("a.test")));
	assert_int_equal(EVP_PKEY_eq(SSL_get_privatekey(ssl),
	    key_of(KEY_RSA)), 1);
	SSL_free(ssl);
}

static void
what_is_no_good_is_refused_with_its_reason(void **state)
{
	struct world *w = *state;
	struct arena *a = w->arena;
	const struct {
		const char *certificate, *key, *why;
	} rows[] = {
		{"", NULL, "has no certificate in it"},
		{good_certificate(a, KEY_OTHER_EC, "DNS:a.test"), NULL,
		    "does not belong to the certificate"},
		{certificate(a, KEY_EC, "DNS:a.test", -9 * DAY, -DAY), NULL,
		    "it has expired"},
		{certificate(a, KEY_EC, "DNS:a.test", DAY, 9 * DAY), NULL,
		    "it is not valid yet"},
		{good_certificate(a, KEY_EC, "DNS:b.test"), NULL,
		    "it is not for a.test, as the old one is"},
		{good_certificate(a, KEY_EC, "DNS:a.test"), "",
		    "has no private key in it"},
		{good_certificate(a, KEY_EC, "DNS:a.test"),
		    key_text(a, KEY_EC, "secret"), "is encrypted"},
	};
	X509 *before = leaf(w->master);

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *why;

		put(w, "c", rows[i].certificate);
		if (rows[i].key != NULL)
			put(w, "k", rows[i].key);
		why = try(w);
		if (strstr(why, rows[i].why) == NULL)
			fail_msg("row %zu: \"%s\"", i, why);
		assert_ptr_equal(leaf(w->master), before);
	}
	unlink(arena_printf(a, "%s/c", w->dir));
	assert_non_null(strstr(try(w), "cannot open"));
	assert_ptr_equal(leaf(w->master), before);
	put(w, "c", good_certificate(a, KEY_EC, "DNS:a.test"));
	put(w, "k", key_text(a, KEY_EC, NULL));
	assert_string_equal(try(w), "");
	assert_ptr_not_equal(leaf(w->master), before);
}

static void
the_end_is_told(void **state)
{
	struct world *w = *state;
	struct tls_facts f = tls_renewal_facts(w->master, 0);

	assert_string_equal(f.certificate, arena_printf(w->arena, "%s/c",
	    w->dir));
	assert_in_range((uint64_t)(f.ends - clock_wall()), 90 * DAY - 60,
	    90 * DAY + 60);
}

/* ---- passing on -------------------------------------------------------- */

static int
parcel(struct world *w)
{
	int fd = memfd_create("parcel", MFD_CLOEXEC);
	struct err e;

	assert_true(fd >= 0);
	put(w, "c", arena_printf(w->arena, "%s%s", good_certificate(w->arena,
	    KEY_RSA, "DNS:a.test"), authority(w->arena)));
	put(w, "k", key_text(w->arena, KEY_RSA, NULL));
	assert_string_equal(try(w), "");
	assert_true(tls_renewal_pack(w->master, 0, fd, &e));
	return fd;
}

static void
a_worker_takes_what_the_master_has(void **state)
{
	struct world *w = *state;
	int fd = parcel(w);
	struct err e;

	/* Twice, as two workers would with the same descriptor. */
	for (int i = 0; i < 2; i++) {
		struct tls_bundle *b = &w->worker->items[0]->bundle;

		assert_true(tls_renewal_take(w->worker, 0, fd, &e));
		assert_true(tls_bundle_is_same(b,
		    &w->master->items[0]->bundle));
		assert_int_equal(sk_X509_num(b->chain), 1);
		assert_int_equal(EVP_PKEY_eq(b->key, key_of(KEY_RSA)), 1);
	}
	assert_false(tls_renewal_take(w->worker, 1, fd, &e));
	assert_string_equal(e.text, "there is no certificate 1");
	close(fd);
}

static void
a_parcel_that_is_cut_changes_nothing(void **state)
{
	struct world *w = *state;
	X509 *before = leaf(w->worker);
	int fd = parcel(w);
	struct stat st;
	struct err e;

	assert_int_equal(fstat(fd, &st), 0);
	/* The last characters are the foot of the key. */
	for (off_t n = st.st_size - 30; n >= 0; n -= 7) {
		assert_int_equal(ftruncate(fd, n), 0);
		assert_false(tls_renewal_take(w->worker, 0, fd, &e));
		assert_ptr_equal(leaf(w->worker), before);
	}
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_must_lie_still),
		TEST(files_that_were_only_touched_are_the_same),
		TEST(a_renewed_certificate_is_shown),
		TEST(what_is_no_good_is_refused_with_its_reason),
		TEST(the_end_is_told),
		TEST(a_worker_takes_what_the_master_has),
		TEST(a_parcel_that_is_cut_changes_nothing),
	};

	clock_update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
