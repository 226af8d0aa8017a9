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

/* ---- configuration: `tls:` at the top and in a site -------------------- */

struct tls_pair_conf {
	char *certificate; /* path; PEM, chain included */
	char *key;
};
struct tls_ticket_conf {
	uint64_t rotate;   /* ms */
	uint64_t lifetime; /* ms */
};
struct tls_conf {
	struct conf_list certificates; /* struct tls_pair_conf * */
	bool self_signed;
	struct conf_list protocols; /* char *: TLSv1.2, TLSv1.3 */
	char *ciphers;
	struct tls_ticket_conf *tickets;
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

/* Chooses a context by server name, at the ClientHello; set per endpoint.
 * NAME is lower case, "" if the client sent none. NULL refuses the handshake
 * with unrecognized_name. */
typedef struct tls_context *tls_choose_fn(void *arg, struct str name);

/* The context that handshakes of an endpoint begin with. */
struct tls_context *tls_context_front(struct arena *a, tls_choose_fn *choose,
    void *arg, struct err *e);

/* Session ticket keys: made by the master, told to every worker. The newest
 * encrypts, all decrypt. Process-wide. */
#define TLS_TICKET_KEYS 3
struct tls_ticket_key {
	uint8_t name[16], aes[32], hmac[32];
	int64_t made; /* wall seconds */
};
struct tls_ticket_keys {
	uint32_t n;
	uint32_t lifetime; /* seconds */
	struct tls_ticket_key key[TLS_TICKET_KEYS]; /* newest first */
};
void tls_ticket_keys_set(const struct tls_ticket_keys *keys);
/* A new key in front, the oldest falls off. */
bool tls_ticket_keys_rotate(struct tls_ticket_keys *keys, struct err *e);

/* ---- towards upstreams ------------------------------------------------- */

struct tls_client_conf {
	bool verify;
	char *ca; /* path; NULL: the system's */
	char *name; /* for SNI and verification; NULL: the server's */
	char *certificate, *key; /* NULL: none */
};
extern const struct conf_schema tls_client_schema;
struct tls_context *tls_context_new_client(struct conf_load *load,
    const struct tls_client_conf *conf);

/* ---- for -V and tests -------------------------------------------------- */
const char *tls_library_version(void);

#endif
