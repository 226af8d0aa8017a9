/*
 * TLS by OpenSSL. Contexts are made when a configuration is loaded (by the
 * master, the only process that reads keys) and are immutable afterwards but
 * for the ticket keys. Streams belong to their connection.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/arena.h"
#include "conf/load.h"

struct tls_context;
struct tls_verify_conf;

/* ---- configuration: `tls:` at the top and in a site -------------------- */

struct tls_pair_conf {
	char *certificate; /* path; PEM, chain included, or PKCS#12 */
	char *key; /* path or "store:URI"; NULL: in the same file */
	char *key_password; /* NULL: none */
};
struct tls_ticket_conf {
	struct conf_list key_files; /* char *: paths, newest first */
	uint64_t rotate;   /* ms */
	uint64_t lifetime; /* ms */
};
struct tls_conf {
	struct conf_list certificates; /* struct tls_pair_conf * */
	bool self_signed;
	struct conf_list protocols; /* char *: TLSv1.2, TLSv1.3 */
	char *ciphers;                 /* of TLS 1.2 */
	struct conf_list ciphersuites; /* char *: of TLS 1.3; 0: all */
	struct conf_list groups;       /* char *; 0: the usual ones */
	struct conf_list signature_algorithms; /* char *; 0: OpenSSL's */
	uint64_t watch; /* ms; 0: never */
	bool stapling;
	bool early_data;
	struct tls_ticket_conf *tickets;
	struct tls_verify_conf *client; /* net/tls_verify.h; NULL: none */
};
extern const struct conf_schema tls_schema; /* of struct tls_conf */

/* ---- towards clients --------------------------------------------------- */

/*
 * A context for one site. Certificates and keys are read through the load's
 * source; a pair that does not match, an expired certificate (a warning) and
 * the like are reported as diagnostics at their places. HOSTS are the site's as
 * written: the names of a self-signed certificate ("~REGEX" is passed over),
 * and what keeps its sessions apart from those of other sites. ALPN is in wire
 * format ("\x08http/1.1").
 * NULL after an error. Freed by the load's arena's end.
 */
struct tls_context *tls_context_new(struct conf_load *load,
    const struct tls_conf *conf, const struct str *hosts, size_t n_hosts,
    struct str alpn);

/* Whether a client that asks for HOST, as a site writes it, can be shown a
 * certificate for it; of a regular expression nobody knows. */
bool tls_context_covers(const struct tls_context *c, struct str host);

/* Chooses a context by server name, at the ClientHello; set per endpoint.
 * NAME is lower case, "" if the client sent none. NULL refuses the handshake
 * with unrecognized_name. */
typedef struct tls_context *tls_choose_fn(void *arg, struct str name);

/* The context that handshakes of an endpoint begin with. */
struct tls_context *tls_context_front(struct arena *a, tls_choose_fn *choose,
    void *arg, struct err *e);

/* Handshakes of FRONT may turn out to be with SITE. */
void tls_context_expect(struct tls_context *front,
    const struct tls_context *site);

/* Session ticket keys: made or read by the master, told to every worker. The
 * newest encrypts, all decrypt. Process-wide. Without a key: no tickets. */
#define TLS_TICKET_KEYS 8
struct tls_ticket_key {
	uint32_t bytes; /* of each of the two keys: 16 or 32 */
	uint8_t name[16], aes[32], hmac[32];
	int64_t made; /* wall seconds */
};
struct tls_ticket_keys {
	uint32_t n;
	uint32_t lifetime; /* seconds */
	bool is_given;     /* by files: none of them grows old here */
	struct tls_ticket_key key[TLS_TICKET_KEYS]; /* newest first */
};
void tls_ticket_keys_set(const struct tls_ticket_keys *keys);
/* A new key in front; what it makes more than TLS_TICKET_TURNS falls off. */
#define TLS_TICKET_TURNS 3
bool tls_ticket_keys_rotate(struct tls_ticket_keys *keys, struct err *e);
/* Those of the files of CONF; what is wrong with them is reported. */
bool tls_ticket_keys_read(struct conf_load *load,
    const struct tls_ticket_conf *conf, struct tls_ticket_keys *out);

/* ---- towards upstreams ------------------------------------------------- */

struct tls_client_conf {
	bool verify;
	char *ca; /* path; NULL: the system's */
	char *name; /* for SNI and verification; NULL: the server's */
	char *certificate, *key, *key_password; /* NULL: none */
	char *crl; /* path; NULL: nothing is looked up */
	struct conf_list protocols; /* char *, as in tls_conf */
	char *ciphers;
};
extern const struct conf_schema tls_client_schema;
/* ALPN is offered, in wire format. */
struct tls_context *tls_context_new_client(struct conf_load *load,
    const struct tls_client_conf *conf, struct str alpn);

/* ---- certificates that change while they serve ------------------------- */

/*
 * Those that a load read from files, for sites and upstreams, numbered from 0:
 * as many, in the same order, in the master and in whoever it forks.
 */
struct tls_pairs;
struct tls_pairs *tls_context_pairs(struct conf_load *load);
size_t tls_renewal_count(const struct tls_pairs *pairs);
struct tls_facts {
	const char *certificate; /* path */
	int64_t ends; /* wall seconds */
};
struct tls_facts tls_renewal_facts(const struct tls_pairs *pairs, size_t i);

/* CHANGED: so they were at the last look too, and can be tried; MOVING: they
 * have changed since, and may be written to right now. */
enum tls_look { TLS_LOOK_SAME, TLS_LOOK_MOVING, TLS_LOOK_CHANGED };
enum tls_look tls_renewal_look(struct tls_pairs *pairs, size_t i);
/* DONE: the new one is in use in this process. REFUSED: E says why, the old
 * one stays. SAME: the files were only touched. */
enum tls_renewal { TLS_RENEWAL_DONE, TLS_RENEWAL_SAME, TLS_RENEWAL_REFUSED };
enum tls_renewal tls_renewal_try(struct tls_pairs *pairs, size_t i,
    struct err *e);
/* Certificate and key into FD, and out of it in another process. */
bool tls_renewal_pack(const struct tls_pairs *pairs, size_t i, int fd,
    struct err *e);
bool tls_renewal_take(struct tls_pairs *pairs, size_t i, int fd,
    struct err *e);

/* What a process that shows no certificates does not need. */
void tls_renewal_forget_keys(struct tls_pairs *pairs);
/* As tls_renewal_pack and _take, without the key. */
bool tls_renewal_pack_public(const struct tls_pairs *pairs, size_t i, int fd,
    struct err *e);
bool tls_renewal_take_public(struct tls_pairs *pairs, size_t i, int fd,
    struct err *e);

/* ---- staples: what their authority says of certificates (OCSP) --------- */

#define TLS_STAPLE_ID 32 /* bytes */
#define TLS_STAPLE_MAX 65536 /* bytes of a response */
struct tls_staple {
	uint8_t leaf[TLS_STAPLE_ID]; /* of which certificate */
	int64_t ends;    /* wall seconds; it is not shown from then on */
	int64_t refresh; /* wall seconds; when to ask again */
	struct str response; /* DER; n 0: none is shown */
};
/* False if it is of another certificate than I is now. It is copied. */
bool tls_staple_put(struct tls_pairs *pairs, size_t i,
    const struct tls_staple *s);
bool tls_staple_get(const struct tls_pairs *pairs, size_t i,
    struct tls_staple *out);
/* How many there are, and when the first of them ends. */
size_t tls_staple_count(const struct tls_pairs *pairs, int64_t *first_end);
/* Those of the certificates that both have. */
void tls_staple_inherit(struct tls_pairs *to, const struct tls_pairs *from);
/* Whether clients are told to expect one (RFC 7633). */
bool tls_staple_is_demanded(const struct tls_pairs *pairs, size_t i);

struct tls_question {
	struct str host, path; /* of an http URL; an IPv6 address is bare */
	uint16_t port;
	struct str request; /* DER */
};
/* What is to be asked about certificate I, and whom; false: nobody. */
bool tls_staple_question(const struct tls_pairs *pairs, size_t i,
    struct arena *a, struct tls_question *out);
/* REFUSED: E says why; OUT is of no use. */
enum tls_staple_check {
	TLS_STAPLE_GOOD, TLS_STAPLE_REVOKED, TLS_STAPLE_REFUSED
};
enum tls_staple_check tls_staple_check(const struct tls_pairs *pairs,
    size_t i, struct str response, struct tls_staple *out, struct err *e);

#endif
