/* What a TLS context is, for net/tls*.c only. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/tls.h"

#include <openssl/ssl.h>

#define TLS_SITE_ID 32 /* bytes; SSL_MAX_SID_CTX_LENGTH */

/*
 * Sites that say the same of TLS share an SSL_CTX: ten thousand names with one
 * certificate cost one. What keeps the sessions of sites apart is therefore
 * here, and goes into every SSL.
 */
struct tls_pair;
struct tls_context {
	SSL_CTX *ssl;
	/* What it shows, in the order of the configuration. Not in the SSL_CTX:
	 * so sites that differ in nothing else share one, which is larger than
	 * a certificate with its key and takes longer to make. */
	struct tls_pair **pairs;
	size_t n_pairs;
	uint8_t site[TLS_SITE_ID]; /* the session id context; server only */
	const char *groups; /* NULL: the usual ones; server only */
	bool is_verifying;         /* client only */
};

/* A new SSL_CTX with what holds for all of ours, or NULL. */
SSL_CTX *tls_context_open(const SSL_METHOD *method);
/* The first of N lists of groups that OpenSSL knows all of. */
bool tls_context_pick_groups(SSL_CTX *ctx, const char *const *lists, size_t n);
/* Why OpenSSL refused: the words of the oldest error of its queue, which is
 * empty afterwards. */
const char *tls_context_why(void);

/* Gives SSL the certificates of C for a client that asks for NAME: of each kind
 * of key the first that is for it, or if none is, the first. */
bool tls_context_show(SSL *ssl, const struct tls_context *c, struct str name);

/* ---- net/tls_pair.c ---------------------------------------------------- */

/* Every certificate of TEXT to STORE; how many there were. */
size_t tls_pair_trust(X509_STORE *store, struct str text);

/* ---- net/tls_word.c ---------------------------------------------------- */

/* Names that OpenSSL knows; the C type is char *. */
extern const struct conf_type conf_type_tls_group;
extern const struct conf_type conf_type_tls_signature;
extern const struct conf_type conf_type_tls_suite;
/* WORDS with colons between them; NULL: there is none. */
const char *tls_words_join(struct arena *a, const struct conf_list *words);

/* ---- net/tls_self_signed.c --------------------------------------------- */

/* A key and a certificate for HOSTS, made now, into B. */
struct tls_bundle;
bool tls_self_signed_make(struct tls_bundle *b, const struct str *hosts,
    size_t n_hosts, struct err *e);

/* ---- net/tls_ticket.c -------------------------------------------------- */

/* Sessions of CTX, which handshakes begin with, go into tickets. */
bool tls_ticket_use(SSL_CTX *ctx);
/* Whether there is a key; without one no ticket may be begun. */
bool tls_ticket_is_ready(void);

/* ---- net/tls_stream.c -------------------------------------------------- */

/* The name that the client of SSL asked for, lower case. */
void tls_stream_set_name(SSL *ssl, struct str name);

#endif
