/* What a TLS context is, for net/tls*.c only. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "net/tls.h"
#include "net/tls_verify.h"

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
	const struct tls_verify *verify; /* of clients; NULL: they are not
	                                  * asked */
	bool is_verifying;         /* client only */
	bool early_data; /* of a front: some site behind it reads it */
	bool decrypts;             /* some cipher has the key do so */
};

/* A new SSL_CTX with what holds for all of ours, or NULL. */
SSL_CTX *tls_context_open(const SSL_METHOD *method);
/* The first of N lists of groups that OpenSSL knows all of. */
bool tls_context_pick_groups(SSL_CTX *ctx, const char *const *lists, size_t n);
/* Whether VERSION is among PROTOCOLS. */
bool tls_context_speaks(const struct conf_list *protocols, struct str version);
/* Why OpenSSL refused: the words of the oldest error of its queue, which is
 * empty afterwards. */
const char *tls_context_why(void);

/* Gives SSL the certificates of C for a client that asks for NAME: of each kind
 * of key the first that is for it, or if none is, the first. */
bool tls_context_show(SSL *ssl, const struct tls_context *c, struct str name);
/* Whether some of their keys sign in a thread. */
bool tls_context_is_slow(const struct tls_context *c);

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

/* ---- net/tls_verify.c -------------------------------------------------- */

/* What `client` of a site became. */
struct tls_verify {
	enum tls_verify_mode mode;
	X509_STORE *store;
	STACK_OF(X509_NAME) *names; /* told to clients */
	int64_t until;              /* the end of the first revocation list */
	uint8_t id[32]; /* same settings, same files: same id */
};
/* NULL after an error. */
const struct tls_verify *tls_verify_new(struct conf_load *load,
    const struct tls_verify_conf *conf);
/* Clients of CTX are asked and verified by V. */
bool tls_verify_use(SSL_CTX *ctx, const struct tls_verify *v);
/* SSL goes on with TO, which may ask or not. */
void tls_verify_switch(SSL *ssl, SSL_CTX *to);
/* Of the site that SSL's handshake is with; NULL: it asks nobody. */
const struct tls_verify *tls_verify_of(const SSL *ssl);
const struct tls_verify *tls_verify_of_context(const SSL_CTX *ctx);
/* Servers of CTX are verified; who is refused is described to the stream. */
void tls_verify_use_server(SSL_CTX *ctx);
/* Revocation lists of a file, for every chain that CTX verifies. */
bool tls_verify_use_crl(struct conf_load *load, struct conf_pos pos,
    const char *path, SSL_CTX *ctx);
/* When the first certificate of the peer's chain ends; after a handshake that
 * was not resumed. */
int64_t tls_verify_until(const SSL *ssl);
/* Before SSL's session goes into a ticket, and when it comes back from one. */
bool tls_verify_stamp(SSL *ssl);
bool tls_verify_may_resume(const SSL *ssl, SSL_SESSION *session);
/* Likewise of a session with a server; then until when (wall seconds) what was
 * verified for it holds. */
bool tls_verify_stamp_server(const SSL *ssl, SSL_SESSION *session);
int64_t tls_verify_end_of(SSL_SESSION *session);

/* ---- net/tls_resume.c -------------------------------------------------- */

/* Sessions of CTX, towards servers, go to the struct tls_resume of each. */
void tls_resume_use(SSL_CTX *ctx);

/* ---- net/tls_staple.c -------------------------------------------------- */

/* Handshakes of CTX show the staple of their certificate, if it has one. */
void tls_staple_use(SSL_CTX *ctx);

/* ---- net/tls_stream.c -------------------------------------------------- */

/* The name that the client of SSL asked for, lower case. */
void tls_stream_set_name(SSL *ssl, struct str name);
SSL *tls_stream_ssl(const struct tls_stream *s);
/* Why the server of SSL is about to be refused, and for which certificate. */
void tls_stream_note_refusal(SSL *ssl, const char *why, const X509 *x);

#endif
