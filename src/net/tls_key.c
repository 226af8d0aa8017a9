/*
 * Private keys: from the text of a PEM file, which a password may protect, or
 * from whatever an OpenSSL provider keeps behind a URI ("store:pkcs11:...").
 * A key that a provider keeps to itself is used like any other; only it cannot
 * be passed on.
 */
#include "net/tls_pair.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#define TLS_KEY_STORE "store:"

struct tls_key_password {
	const char *text; /* NULL: there is none */
	bool was_asked;
};

static int
tls_key_on_password(char *p, int size, int is_writing, void *arg)
{
	struct tls_key_password *password = arg;
	size_t n;

	(void)is_writing;
	password->was_asked = true;
	/* Nobody is here to be asked. */
	if (password->text == NULL)
		return -1;
	n = strlen(password->text);
	if (n > (size_t)size)
		return -1;
	memcpy(p, password->text, n);
	return (int)n;
}

static enum tls_key
tls_key_judge(const EVP_PKEY *key, const struct tls_key_password *password)
{
	ERR_clear_error();
	if (key != NULL)
		return password->text == NULL || password->was_asked ?
		    TLS_KEY_GOOD : TLS_KEY_UNLOCKED;
	if (!password->was_asked)
		return TLS_KEY_NONE;
	return password->text == NULL ? TLS_KEY_LOCKED : TLS_KEY_REFUSED;
}

/* ---- PEM --------------------------------------------------------------- */

void
tls_key_reader_close(struct tls_key_reader *r)
{
	OSSL_DECODER_CTX_free(r->decoder);
	r->decoder = NULL;
}

/* Setting up a decoder takes OpenSSL 3.0 ten times as long as reading a key
 * with it: whoever reads ten thousand shall not do it for each. */
static EVP_PKEY *
tls_key_decode(struct tls_key_reader *r, const unsigned char *der, size_t n)
{
	EVP_PKEY *key;

	r->decoded = NULL;
	if (r->decoder == NULL)
		r->decoder = OSSL_DECODER_CTX_new_for_pkey(&r->decoded, "DER",
		    NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	if (r->decoder == NULL ||
	    OSSL_DECODER_from_data(r->decoder, &der, &n) != 1)
		return NULL;
	key = r->decoded;
	r->decoded = NULL;
	return key;
}

enum tls_key
tls_key_read(struct tls_key_reader *r, struct str text, const char *password,
    EVP_PKEY **out)
{
	struct tls_key_password given = {.text = password};
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	unsigned char *der = NULL;
	char *name = NULL;
	long n = 0;

	*out = NULL;
	if (PEM_bytes_read_bio(&der, &n, &name, PEM_STRING_EVP_PKEY, bio,
	    tls_key_on_password, &given) == 1) {
		if (strcmp(name, PEM_STRING_PKCS8) != 0) {
			*out = tls_key_decode(r, der, (size_t)n);
		} else if (BIO_reset(bio) == 1) {
			*out = PEM_read_bio_PrivateKey(bio, NULL,
			    tls_key_on_password, &given);
		}
		OPENSSL_clear_free(der, (size_t)n);
		OPENSSL_free(name);
	}
	BIO_free(bio);
	return tls_key_judge(*out, &given);
}

/* ---- providers --------------------------------------------------------- */

bool
tls_key_is_stored(const char *key)
{
	return key != NULL &&
	    strncmp(key, TLS_KEY_STORE, strlen(TLS_KEY_STORE)) == 0;
}

static EVP_PKEY *
tls_key_take(OSSL_STORE_CTX *store)
{
	EVP_PKEY *key = NULL;

	while (key == NULL && OSSL_STORE_eof(store) == 0) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL) {
			if (OSSL_STORE_error(store))
				break;
			continue;
		}
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	return key;
}

static bool
tls_key_refuse_store(const char *uri, struct err *e)
{
	/* "file" is tried for every URI, so the first error says nothing. */
	unsigned long last = ERR_peek_last_error();
	const char *why = ERR_SYSTEM_ERROR(last) ?
	    strerror(ERR_GET_REASON(last)) : ERR_reason_error_string(last);

	if (ERR_GET_LIB(last) == ERR_LIB_OSSL_STORE)
		return err_set(e, "no provider that OpenSSL has loaded knows "
		    "\"%.*s:\"; openssl.cnf(5) says how one is",
		    (int)strcspn(uri, ":"), uri);
	return err_set(e, "the store \"%s\" does not open: %s", uri,
	    why != NULL ? why : "OpenSSL does not say why");
}

enum tls_key
tls_key_fetch(const char *key, const char *password, EVP_PKEY **out,
    struct err *e)
{
	const char *uri = key + strlen(TLS_KEY_STORE);
	struct tls_key_password given = {.text = password};
	UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(tls_key_on_password, 0);
	OSSL_STORE_CTX *store;

	*out = NULL;
	err_set(e, "the store \"%s\" has no private key", uri);
	ERR_clear_error();
	store = OSSL_STORE_open(uri, ui, &given, NULL, NULL);
	if (store == NULL) {
		tls_key_refuse_store(uri, e);
	} else {
		/* Else a certificate would do. */
		OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
		*out = tls_key_take(store);
		OSSL_STORE_close(store);
	}
	UI_destroy_method(ui);
	return tls_key_judge(*out, &given);
}
