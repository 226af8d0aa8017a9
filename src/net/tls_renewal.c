/*
 * Certificates whose files have changed while they serve. The master looks at
 * the files, reads and checks what is in them, and passes it on in a
 * descriptor, since a worker can read none of them; a worker takes it for
 * handshakes to come. Connections that stand keep what they were shown, and
 * tickets stay good: the site is still the same.
 */
#include "net/tls_pair.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/parcel.h"
#include "net/tls_sign.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* ---- looking ----------------------------------------------------------- */

static struct tls_stamp
tls_renewal_stamp_of(const char *path)
{
	struct stat st;

	if (path == NULL || tls_key_is_stored(path) || stat(path, &st) != 0)
		return (struct tls_stamp){.size = 0};
	return (struct tls_stamp){
		.dev = st.st_dev, .ino = st.st_ino, .size = st.st_size,
		.changed = st.st_ctim, .modified = st.st_mtim
	};
}

void
tls_renewal_stamp(const struct tls_pair *pair, struct tls_stamps *out)
{
	out->certificate = tls_renewal_stamp_of(pair->certificate);
	out->key = tls_renewal_stamp_of(pair->key);
}

static bool
tls_renewal_is_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
tls_renewal_is_stamp(const struct tls_stamp *a, const struct tls_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    tls_renewal_is_time(a->changed, b->changed) &&
	    tls_renewal_is_time(a->modified, b->modified);
}

static bool
tls_renewal_is_same(const struct tls_stamps *a, const struct tls_stamps *b)
{
	return tls_renewal_is_stamp(&a->certificate, &b->certificate) &&
	    tls_renewal_is_stamp(&a->key, &b->key);
}

size_t
tls_renewal_count(const struct tls_pairs *pairs)
{
	return pairs->n;
}

struct tls_facts
tls_renewal_facts(const struct tls_pairs *pairs, size_t i)
{
	const struct tls_pair *pair = pairs->items[i];
	int64_t now = clock_wall();
	int days = 0, seconds = 0;
	time_t from = (time_t)now;
	ASN1_TIME *start = ASN1_TIME_set(NULL, from);

	(void)ASN1_TIME_diff(&days, &seconds, start,
	    X509_get0_notAfter(pair->bundle.leaf));
	ASN1_TIME_free(start);
	ERR_clear_error();
	return (struct tls_facts){
		.certificate = pair->certificate,
		.ends = now + (int64_t)days * 86400 + seconds
	};
}

enum tls_look
tls_renewal_look(struct tls_pairs *pairs, size_t i)
{
	struct tls_pair *pair = pairs->items[i];
	struct tls_stamps now;
	bool is_settled;

	tls_renewal_stamp(pair, &now);
	is_settled = tls_renewal_is_same(&now, &pair->seen);
	pair->seen = now;
	if (tls_renewal_is_same(&now, &pair->used))
		return TLS_LOOK_SAME;
	return is_settled ? TLS_LOOK_CHANGED : TLS_LOOK_MOVING;
}

/* ---- reading anew ------------------------------------------------------ */

/* A key that a provider keeps stays where it is. */
static bool
tls_renewal_read(struct tls_bundle *b, const struct tls_pair *pair,
    struct tls_fault *f)
{
	struct tls_key_reader reader = {.decoder = NULL};
	bool is_unlocked, ok;

	if (!tls_bundle_read_certificate(b, pair, &conf_source_disk, f))
		return false;
	if (tls_key_is_stored(pair->key)) {
		EVP_PKEY_up_ref(pair->bundle.key);
		b->key = pair->bundle.key;
		return true;
	}
	ok = tls_bundle_read_key(b, pair, &reader, &conf_source_disk,
	    &is_unlocked, f);
	tls_key_reader_close(&reader);
	return ok;
}

static bool
tls_renewal_is_valid_now(const X509 *x, struct err *e)
{
	time_t now = (time_t)clock_wall();

	if (X509_cmp_time(X509_get0_notAfter(x), &now) < 0)
		return err_set(e, "it has expired");
	if (X509_cmp_time(X509_get0_notBefore(x), &now) > 0)
		return err_set(e, "it is not valid yet");
	return true;
}

/* Of names that the old one was not for, nothing is asked. */
static bool
tls_renewal_is_for_hosts(const struct tls_bundle *b,
    const struct tls_pair *pair, struct err *e)
{
	const struct tls_pair fresh = {.bundle = *b};

	for (const struct tls_pair_host *h = pair->hosts; h != NULL;
	     h = h->next)
		if (!tls_pair_covers(&fresh, h->host))
			return err_set(e, "it is not for %.*s, as the old one "
			    "is", STR_ARG(h->host));
	return true;
}

static bool
tls_renewal_check(const struct tls_bundle *b, const struct tls_pair *pair,
    SSL_CTX *scratch, struct err *e)
{
	struct tls_fault f;

	if (tls_bundle_check(b, pair, scratch, &f))
		return tls_renewal_is_valid_now(b->leaf, e) &&
		    tls_renewal_is_for_hosts(b, pair, e);
	*e = f.e;
	return false;
}

static void
tls_renewal_replace(struct tls_pair *pair, struct tls_bundle *b)
{
	b->twin = tls_sign_twin(b->key);
	tls_bundle_free(&pair->bundle);
	pair->bundle = *b;
}

enum tls_renewal
tls_renewal_try(struct tls_pairs *pairs, size_t i, struct err *e)
{
	struct tls_pair *pair = pairs->items[i];
	struct tls_bundle b = {.leaf = NULL};
	struct tls_fault f;

	/* Good or not: these files are not read again before they change. */
	pair->used = pair->seen;
	if (!tls_renewal_read(&b, pair, &f)) {
		*e = f.e;
		goto refuse;
	}
	if (!tls_renewal_check(&b, pair, pairs->scratch, e))
		goto refuse;
	(void)tls_chain_sort(b.leaf, b.chain);
	if (tls_bundle_is_same(&b, &pair->bundle)) {
		tls_bundle_free(&b);
		return TLS_RENEWAL_SAME;
	}
	tls_renewal_replace(pair, &b);
	return TLS_RENEWAL_DONE;

refuse:
	tls_bundle_free(&b);
	ERR_clear_error();
	return TLS_RENEWAL_REFUSED;
}

/* ---- passing on -------------------------------------------------------- */

static bool
tls_renewal_write(BIO *bio, const struct tls_pair *pair, bool has_key)
{
	const struct tls_bundle *b = &pair->bundle;
	bool ok = PEM_write_bio_X509(bio, b->leaf) == 1;

	for (int i = 0; ok && i < sk_X509_num(b->chain); i++)
		ok = PEM_write_bio_X509(bio, sk_X509_value(b->chain, i)) == 1;
	return ok && (!has_key || tls_key_is_stored(pair->key) ||
	    PEM_write_bio_PKCS8PrivateKey(bio, b->key, NULL, NULL, 0, NULL,
	    NULL) == 1);
}

static bool
tls_renewal_pack_as(const struct tls_pairs *pairs, size_t i, bool has_key,
    int fd, struct err *e)
{
	/* Of the secure kind, which wipes what it frees. */
	BIO *bio = BIO_new(BIO_s_secmem());
	bool ok;
	char *p;
	long n;

	if (!tls_renewal_write(bio, pairs->items[i], has_key)) {
		BIO_free(bio);
		return err_set(e, "cannot be passed on: %s",
		    tls_context_why());
	}
	n = BIO_get_mem_data(bio, &p);
	ok = fd_write_all(fd, p, (size_t)n) ||
	    err_sys(e, "cannot be passed on");
	BIO_free(bio);
	return ok;
}

bool
tls_renewal_pack(const struct tls_pairs *pairs, size_t i, int fd,
    struct err *e)
{
	return tls_renewal_pack_as(pairs, i, true, fd, e);
}

bool
tls_renewal_pack_public(const struct tls_pairs *pairs, size_t i, int fd,
    struct err *e)
{
	return tls_renewal_pack_as(pairs, i, false, fd, e);
}

#define TLS_PARCEL_MAX (1u << 20) /* bytes; far beyond any chain */

/* A source of one text, for whatever path. */
static bool
tls_renewal_read_parcel(struct conf_source *s, const char *path,
    struct arena *a, struct str *out, struct err *e)
{
	const struct str *text = s->arg;

	(void)path;
	(void)e;
	*out = str_of(arena_memdup(a, text->p, text->n), text->n);
	return true;
}

static bool
tls_renewal_unpack(struct tls_pair *pair, struct str text, bool has_key,
    struct err *e)
{
	struct conf_source source = {
		.read = tls_renewal_read_parcel, .arg = &text
	};
	struct tls_key_reader reader = {.decoder = NULL};
	const struct tls_pair words = {.certificate = pair->certificate};
	struct tls_bundle b = {.leaf = NULL};
	struct tls_fault f;
	bool is_unlocked, ok;

	ok = tls_bundle_read_certificate(&b, &words, &source, &f);
	if (ok && has_key && tls_key_is_stored(pair->key)) {
		EVP_PKEY_up_ref(pair->bundle.key);
		b.key = pair->bundle.key;
	} else if (ok && has_key) {
		ok = tls_bundle_read_key(&b, &words, &reader, &source,
		    &is_unlocked, &f);
	}
	tls_key_reader_close(&reader);
	if (ok) {
		tls_renewal_replace(pair, &b);
		return true;
	}
	tls_bundle_free(&b);
	*e = f.e;
	return false;
}

static bool
tls_renewal_take_as(struct tls_pairs *pairs, size_t i, bool has_key, int fd,
    struct err *e)
{
	struct arena *a = arena_new();
	struct str text;
	bool ok;

	if (i >= pairs->n) {
		arena_end(a);
		return err_set(e, "there is no certificate %zu", i);
	}
	ok = parcel_read(fd, TLS_PARCEL_MAX, a, &text, e);
	if (ok) {
		ok = tls_renewal_unpack(pairs->items[i], text, has_key, e);
		OPENSSL_cleanse((char *)text.p, text.n);
	}
	arena_end(a);
	return ok;
}

bool
tls_renewal_take(struct tls_pairs *pairs, size_t i, int fd, struct err *e)
{
	return tls_renewal_take_as(pairs, i, true, fd, e);
}

bool
tls_renewal_take_public(struct tls_pairs *pairs, size_t i, int fd,
    struct err *e)
{
	return tls_renewal_take_as(pairs, i, false, fd, e);
}

void
tls_renewal_forget_keys(struct tls_pairs *pairs)
{
	/* It has the last one that was checked. */
	SSL_CTX_free(pairs->scratch);
	pairs->scratch = NULL;
	for (size_t i = 0; i < pairs->n; i++) {
		struct tls_pair *pair = pairs->items[i];

		/* Nobody knows what a provider does then, in whose name. */
		if (tls_key_is_stored(pair->key))
			continue;
		EVP_PKEY_free(pair->bundle.key);
		EVP_PKEY_free(pair->bundle.twin);
		pair->bundle.key = pair->bundle.twin = NULL;
	}
}
