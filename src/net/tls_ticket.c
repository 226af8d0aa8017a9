/*
 * Session tickets (RFC 5077, RFC 8446 section 4.6.1): sealed with the newest
 * of a few keys, opened with any of them. The keys are the process's, not a
 * context's: the master makes them, a reload keeps them, and whichever worker
 * accepts the next connection has them too. Nothing is remembered here of a
 * session.
 */
#include "net/tls_context.h"

#include "base/clock.h"
#include "base/panic.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static struct tls_ticket_keys current;

void
tls_ticket_keys_set(const struct tls_ticket_keys *keys)
{
	ASSERT(keys->n <= TLS_TICKET_KEYS);
	current = *keys;
}

bool
tls_ticket_keys_rotate(struct tls_ticket_keys *keys, struct err *e)
{
	struct tls_ticket_key fresh = {0};

	if (RAND_bytes(fresh.name, sizeof fresh.name) != 1 ||
	    RAND_priv_bytes(fresh.aes, sizeof fresh.aes) != 1 ||
	    RAND_priv_bytes(fresh.hmac, sizeof fresh.hmac) != 1)
		return err_set(e, "no random bytes: %s", tls_context_why());

	fresh.bytes = sizeof fresh.aes;
	fresh.made = clock_wall();
	memmove(&keys->key[1], &keys->key[0],
	    (TLS_TICKET_TURNS - 1) * sizeof fresh);
	keys->key[0] = fresh;
	if (keys->n < TLS_TICKET_TURNS)
		keys->n++;
	OPENSSL_cleanse(&fresh, sizeof fresh);
	return true;
}

bool
tls_ticket_is_ready(void)
{
	return current.n > 0;
}

/*
 * The key that is called NAME, if a ticket of it can still be good: it sealed
 * the last one when the next key was made.
 */
static const struct tls_ticket_key *
tls_ticket_find(const unsigned char *name)
{
	for (uint32_t i = 0; i < current.n; i++) {
		if (memcmp(current.key[i].name, name, 16) != 0)
			continue;
		if (i > 0 && !current.is_given &&
		    current.key[i - 1].made + current.lifetime < clock_wall())
			return NULL;
		return &current.key[i];
	}
	return NULL;
}

static bool
tls_ticket_init(const struct tls_ticket_key *key, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)(uintptr_t)key->hmac, key->bytes),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char *)(uintptr_t)"SHA256", 6),
		OSSL_PARAM_END
	};

	return EVP_CipherInit_ex(cipher, key->bytes == 16 ?
	    EVP_aes_128_cbc() : EVP_aes_256_cbc(), NULL, key->aes, iv,
	    is_sealing) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
}

/*
 * -1: failed; 0: no such key, so a full handshake; 1: good; 2: good, but the
 * client is to get another: for want of the newest key, or because tickets of
 * TLS 1.3 are used once, lest connections be linked (RFC 8446 appendix C.4).
 */
static int
tls_ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	const struct tls_ticket_key *key = &current.key[0];

	if (is_sealing) {
		if (current.n == 0 || RAND_bytes(iv, 16) != 1)
			return -1;
		memcpy(name, key->name, sizeof key->name);
		return tls_ticket_init(key, iv, cipher, mac, 1) ? 1 : -1;
	}
	key = tls_ticket_find(name);
	if (key == NULL)
		return 0;
	if (!tls_ticket_init(key, iv, cipher, mac, 0))
		return -1;
	return key == &current.key[0] && SSL_version(ssl) < TLS1_3_VERSION ?
	    1 : 2;
}

/* Before a ticket is written: how long it is good is the keys' to say, and that
 * of what was verified. */
static int
tls_ticket_on_new(SSL *ssl, void *arg)
{
	(void)arg;
	SSL_SESSION_set_timeout(SSL_get_session(ssl), (long)current.lifetime);
	return tls_verify_stamp(ssl) ? 1 : 0;
}

/* After one was opened: what OpenSSL would do by itself, unless the client is
 * to be verified again. */
static SSL_TICKET_RETURN
tls_ticket_on_open(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t n_name, SSL_TICKET_STATUS status, void *arg)
{
	(void)name;
	(void)n_name;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!tls_verify_may_resume(ssl, session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE :
	    SSL_TICKET_RETURN_USE_RENEW;
}

bool
tls_ticket_use(SSL_CTX *ctx)
{
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_ticket_on_key)
	    == 1 && SSL_CTX_set_session_ticket_cb(ctx, tls_ticket_on_new,
	    tls_ticket_on_open, NULL) == 1;
}
