/* Certificates with their keys, for net/tls*.c only. */
#ifndef NET_TLS_PAIR_H
#define NET_TLS_PAIR_H

#include "net/tls_context.h"

#include <openssl/decoder.h>
#include <sys/stat.h>

/* What is in the files; either part may be missing while it is read. */
struct tls_bundle {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	EVP_PKEY *twin; /* signs in a thread (tls_sign.c); NULL: KEY is fast */
};

/* What a file was when it was looked at; all zero: not there. */
struct tls_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed, modified;
};
struct tls_stamps {
	struct tls_stamp certificate, key;
};

struct tls_pair_host {
	struct tls_pair_host *next;
	struct str host;
};

/*
 * One certificate of a generation, whoever shows it; its bundle changes when
 * its files do. It lives in the load's arena.
 */
struct tls_pair {
	const char *certificate, *key, *password; /* as in the configuration */
	struct conf_pos certificate_pos, key_pos, password_pos;
	struct tls_bundle bundle; /* no leaf: it was refused */
	struct tls_pair_host *hosts; /* that need it to be for them */
	struct tls_stamps used, seen;
	bool is_stapled; /* by some site that shows it */
};

/* ---- net/tls_key.c ----------------------------------------------------- */

enum tls_key {
	TLS_KEY_GOOD,
	TLS_KEY_UNLOCKED, /* good, and no password was needed */
	TLS_KEY_NONE,
	TLS_KEY_LOCKED,   /* needs a password */
	TLS_KEY_REFUSED   /* needs another password */
};

/* Begins zeroed. */
struct tls_key_reader {
	OSSL_DECODER_CTX *decoder;
	EVP_PKEY *decoded;
};
void tls_key_reader_close(struct tls_key_reader *r);
enum tls_key tls_key_read(struct tls_key_reader *r, struct str text,
    const char *password, EVP_PKEY **out);
/* Whether KEY is "store:URI" and no path. */
bool tls_key_is_stored(const char *key);
/* Of TLS_KEY_NONE, E says why. */
enum tls_key tls_key_fetch(const char *key, const char *password,
    EVP_PKEY **out, struct err *e);

/* ---- net/tls_pkcs12.c -------------------------------------------------- */

bool tls_pkcs12_is(struct str text);
/* Of TLS_KEY_NONE, E says why. */
enum tls_key tls_pkcs12_read(const char *path, struct str text,
    const char *password, struct tls_bundle *b, struct err *e);

/* ---- net/tls_chain.c --------------------------------------------------- */

#define TLS_CHAIN_MOST 16 /* certificates; RFC 5280 has no limit, trust does */

enum tls_chain { TLS_CHAIN_GOOD, TLS_CHAIN_SORTED, TLS_CHAIN_STRAY };
/* Puts CHAIN in the order that it is sent in; says how it was. */
enum tls_chain tls_chain_sort(X509 *leaf, STACK_OF(X509) *chain);
/* Whether a certificate is missing before one of TRUSTED's. */
bool tls_chain_is_cut(X509 *leaf, STACK_OF(X509) *chain,
    X509_STORE *(*trusted)(void *arg), void *arg);

/* ---- net/tls_bundle.c -------------------------------------------------- */

/* Why a pair is refused, and of which of its words. */
struct tls_fault {
	struct conf_pos pos;
	const char *code;
	struct err e;
};
void tls_bundle_free(struct tls_bundle *b);
bool tls_bundle_read_certificate(struct tls_bundle *b,
    const struct tls_pair *pair, struct conf_source *source,
    struct tls_fault *f);
/* After tls_bundle_read_certificate, whatever it said. */
bool tls_bundle_read_key(struct tls_bundle *b, const struct tls_pair *pair,
    struct tls_key_reader *reader, struct conf_source *source,
    bool *is_unlocked, struct tls_fault *f);
/* Whether both belong together and are good enough for SCRATCH. */
bool tls_bundle_check(const struct tls_bundle *b, const struct tls_pair *pair,
    SSL_CTX *scratch, struct tls_fault *f);
bool tls_bundle_is_same(const struct tls_bundle *a,
    const struct tls_bundle *b);

/* ---- net/tls_pair.c ---------------------------------------------------- */

bool tls_pair_load(struct conf_load *load, struct tls_pairs *pairs,
    struct tls_pair *pair);
/* HOST as a site writes it; a regular expression is of no certificate. */
bool tls_pair_covers(const struct tls_pair *pair, struct str host);
/* Kinds of key of which a handshake can have one each. */
int tls_pair_kind(const struct tls_pair *pair);
/* Whether neither kind nor names tell them apart. */
bool tls_pair_is_like(const struct tls_pair *a, const struct tls_pair *b);
void tls_pair_digest(EVP_MD_CTX *digest, const struct tls_pair *pair);

/* ---- net/tls_renewal.c ------------------------------------------------- */

void tls_renewal_stamp(const struct tls_pair *pair, struct tls_stamps *out);

/* ---- net/tls_pairs.c --------------------------------------------------- */

/* All of a load. */
struct tls_pairs {
	struct conf_load *load;
	struct map *by_files;
	struct tls_pair **items;
	size_t n, cap;
	struct tls_key_reader reader;
	SSL_CTX *scratch;
	X509_STORE *(*trusted)(void *arg); /* the system's authorities */
	void *arg;
};
struct tls_pairs *tls_pairs_new(struct conf_load *load,
    X509_STORE *(*trusted)(void *arg), void *arg);
/* The pair of these words, read now if it has not been; NULL: refused, which
 * is reported once. */
struct tls_pair *tls_pairs_get(struct tls_pairs *pairs,
    const struct tls_pair *words);

#endif
