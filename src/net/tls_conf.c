/*
 * The rows of `tls`, of sites and towards upstreams, and what can be said of
 * them without a file being read. Nothing here lives longer than the load.
 */
#include "net/tls_pair.h"

#include "base/units.h"

#include <openssl/err.h>

/* ---- protocols --------------------------------------------------------- */

static bool
tls_conf_parse_protocol(struct arena *a, struct str text, void *out,
    struct err *e)
{
	static const struct {
		struct str name;
		const char *why; /* not */
	} protocols[] = {
		{STR_INIT("TLSv1.3"), NULL},
		{STR_INIT("TLSv1.2"), NULL},
		{STR_INIT("TLSv1.1"), "RFC 8996 withdrew it"},
		{STR_INIT("TLSv1.0"), "RFC 8996 withdrew it"},
		{STR_INIT("TLSv1"), "RFC 8996 withdrew it"},
		{STR_INIT("SSLv3"), "RFC 7568 withdrew it"},
		{STR_INIT("SSLv2"), "RFC 6176 withdrew it"},
	};

	(void)a;
	for (size_t i = 0; i < COUNT_OF(protocols); i++) {
		if (!str_case_eq(text, protocols[i].name))
			continue;
		if (protocols[i].why != NULL)
			return err_set(e, "%.*s is not spoken any more: %s; "
			    "TLSv1.2 and TLSv1.3 are", STR_ARG(text),
			    protocols[i].why);
		*(const char **)out = protocols[i].name.p;
		return true;
	}
	return err_set(e, "%s", "");
}

static void
tls_conf_format_protocol(struct buf *b, const void *value)
{
	buf_z(b, *(char *const *)value);
}

static const struct conf_type conf_type_tls_protocol = {
	.name = "TLS version",
	.expected = "TLSv1.2 or TLSv1.3",
	.size = sizeof(char *),
	.parse = tls_conf_parse_protocol,
	.format = tls_conf_format_protocol,
	.json = "\"enum\": [\"TLSv1.2\", \"TLSv1.3\"]"
};

/* ---- sites ------------------------------------------------------------- */

/*
 * Mozilla's "intermediate" list. It covers TLS 1.2; the suites of TLS 1.3 are
 * all good, and the client chooses among them.
 */
#define TLS_CIPHERS \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:" \
	"DHE-RSA-CHACHA20-POLY1305"

#define TLS_KEY_PASSWORD \
	"What decrypts the key, or the PKCS#12 file. Best as ${file:PATH} of a " \
	"file that nobody else can read. Another password needs a reload."

static const struct conf_field tls_pair_fields[] = {
	KEY_PATH(tls_pair_conf, certificate, .flags = CONF_REQUIRED,
	    .doc = "A PEM file: the certificate, then those of the "
	    "authorities between it and the root. Or a PKCS#12 file with all "
	    "of them and the key.",
	    .example = "/etc/ssl/example.com.pem"),
	KEY_STR(tls_pair_conf, key,
	    .doc = "A PEM file with its private key; left out, it is in the "
	    "file of the certificate. Or store:URI, for a key that an OpenSSL "
	    "provider keeps, as openssl.cnf(5) names it. Only the master reads "
	    "it; workers inherit it when they are forked. A provider whose "
	    "keys do not outlive a fork, or that talks to a device or a "
	    "daemon, has to be tried with `sandbox` as it will be, and a "
	    "worker stands still while it signs: Weir's own tests do so with a "
	    "TPM (tpm2-openssl), not with PKCS#11, for which Debian 12 has no "
	    "provider. RSA keys above 2048 bits sign in a thread of low "
	    "priority, as the worker would stand still meanwhile; not those "
	    "that a provider keeps, nor where `ciphers` has some with RSA key "
	    "exchange.",
	    .example = "/etc/ssl/example.com.key"),
	KEY_STR(tls_pair_conf, key_password, .flags = CONF_SECRET,
	    .doc = TLS_KEY_PASSWORD,
	    .example = "${file:/etc/ssl/example.com.password}"),
	KEY_END
};

/* A path, but for a URI, counts from the file that it stands in. */
static void
tls_conf_check_pair(struct conf_load *load, void *block)
{
	struct tls_pair_conf *c = block;

	if (c->key == NULL || tls_key_is_stored(c->key))
		return;
	if (c->key[0] == '\0')
		conf_error(load, conf_pos_of(c, &c->key), "bad-value",
		    "expected a path, or store: and a URI");
	else
		c->key = conf_path(load, conf_pos_of(c, &c->key),
		    str_from(c->key));
}

static const struct conf_schema tls_pair_schema = {
	.name = "certificate",
	.doc = "A certificate and its key.",
	.size = sizeof(struct tls_pair_conf),
	.fields = tls_pair_fields,
	.check = tls_conf_check_pair,
};

/*
 * A ticket is good as long as its key is there, and TLS_TICKET_TURNS are kept:
 * one that has just ceased to seal is kept for two further rotations.
 */
static void
tls_conf_check_tickets(struct conf_load *load, void *block)
{
	const struct tls_ticket_conf *c = block;
	uint64_t most = (TLS_TICKET_TURNS - 1) * c->rotate;
	struct buf b = buf_in(conf_arena(load));

	if (c->key_files.n > 0 && conf_is_set(c, &c->rotate))
		conf_error(load, conf_pos_of(c, &c->rotate), "bad-value",
		    "keys out of files are rotated by whoever writes the "
		    "files, then reloads; take `rotate` out");
	if (c->key_files.n > 0 || c->lifetime <= most)
		return;
	units_format_duration(&b, most);
	conf_warning(load, conf_pos_of(c, &c->lifetime), "short-tickets",
	    "tickets cannot live longer than %.*s, twice as long as a key is "
	    "in use", STR_ARG(buf_view(&b)));
}

static const struct conf_field tls_ticket_fields[] = {
	KEY_LIST(tls_ticket_conf, key_files, conf_type_path,
	    .doc = "Files with keys, for machines that are to take each "
	    "other's tickets. The first seals, all of them open; 8 at most. "
	    "Each has 80 random bytes, or 48, as nginx takes them. Only the "
	    "master reads them, again at every reload: to rotate, put a new "
	    "file second everywhere, then first everywhere, and drop the "
	    "oldest once its tickets are too old. Left out: keys are made "
	    "here.",
	    .example = "[/etc/weir/ticket.key, /etc/weir/ticket.old.key]"),
	KEY_DURATION(tls_ticket_conf, rotate, .dflt = "12h", .min = "1m",
	    .max = "7d",
	    .doc = "How long a key is in use before a new one takes its "
	    "place. The last three are known to every worker. Not with "
	    "key_files."),
	/* RFC 8446 section 4.6.1 forbids more than seven days. */
	KEY_DURATION(tls_ticket_conf, lifetime, .dflt = "24h", .min = "1m",
	    .max = "7d",
	    .doc = "How long a client may come back with a ticket."),
	KEY_END
};
static const struct conf_schema tls_ticket_schema = {
	.name = "tickets",
	.doc = "Session tickets, by which a client that was here before saves "
	    "half of the handshake. Their keys are made at random, held in "
	    "memory only and shared by the workers of an instance; so this is "
	    "said once, at the top. With `tickets: off` there are none, and "
	    "every handshake is a full one.",
	.size = sizeof(struct tls_ticket_conf),
	.fields = tls_ticket_fields,
	.check = tls_conf_check_tickets,
};

static const struct conf_field tls_fields[] = {
	KEY_BLOCKS(tls_conf, certificates, tls_pair_schema,
	    .doc = "The certificates. Of those that are for the name it asks "
	    "for, a client gets the first with a kind of key (ECDSA, RSA, "
	    "Ed25519) that it understands; if none is, of all.",
	    .example =
	    "[{certificate: /etc/ssl/ec.pem, key: /etc/ssl/ec.key}]"),
	KEY_BOOL(tls_conf, self_signed, .dflt = "off",
	    .doc = "Makes a key and a certificate for the hosts of the site "
	    "whenever the configuration is loaded. For tests: no client "
	    "trusts it."),
	KEY_LIST(tls_conf, protocols, conf_type_tls_protocol,
	    .dflt = "[TLSv1.2, TLSv1.3]", .doc = "The versions spoken."),
	KEY_STR(tls_conf, ciphers, .dflt = TLS_CIPHERS,
	    .doc = "The cipher suites of TLS 1.2, as openssl-ciphers(1) "
	    "writes them; the client's order decides. The default is "
	    "Mozilla's \"intermediate\" list. For TLS 1.3: ciphersuites."),
	KEY_LIST(tls_conf, ciphersuites, conf_type_tls_suite,
	    .doc = "The cipher suites of TLS 1.3; the client's order decides. "
	    "Left out: TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256 "
	    "and TLS_AES_128_GCM_SHA256, all of which are good.",
	    .example = "[TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384]"),
	KEY_LIST(tls_conf, groups, conf_type_tls_group,
	    .doc = "The groups for the key exchange, best first. Left out: "
	    "X25519MLKEM768, which no future quantum computer breaks, if "
	    "OpenSSL knows it, then X25519, P-256 and P-384.",
	    .example = "[X25519, P-256]"),
	KEY_LIST(tls_conf, signature_algorithms, conf_type_tls_signature,
	    .doc = "By which algorithms a handshake may be signed, best "
	    "first. Left out: what OpenSSL thinks good, which grows with it.",
	    .example = "[ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256]"),
	KEY_DURATION(tls_conf, watch, .dflt = "10s", .max = "1h",
	    .flags = CONF_LOCAL,
	    .doc = "How often the files of certificates and keys are looked "
	    "at; 0: never. Once changed ones have lain still for a second, "
	    "and fit each other, are valid and for the same hosts, new "
	    "connections get them without a reload; else the old ones stay, "
	    "and the log says why. The master does that, since nobody else "
	    "may read keys. Read at the top only."),
	KEY_BOOL(tls_conf, stapling, .dflt = "on",
	    .doc = "Whether clients are shown, with a certificate, what its "
	    "authority says of it (OCSP), so that they need not ask "
	    "themselves. Only of a certificate that names a responder by "
	    "http, and whose issuer is in its file. The scout asks, checks "
	    "the answer, and asks again at half of its life; without a good "
	    "answer nothing is shown, and handshakes go on as ever."),
	KEY_BOOL(tls_conf, early_data, .dflt = "off",
	    .doc = "Whether a client that was here before may send a request "
	    "along with its first flight (0-RTT of TLS 1.3, RFC 8470), 16 KiB "
	    "at most, and be answered at once. Whoever records that flight "
	    "can send it again, for about ten seconds and to every worker and "
	    "machine with the same ticket keys, and what was asked for is "
	    "done again; nobody but the client can read the answer. So only "
	    "GET, HEAD and OPTIONS without content are served early; all "
	    "others, upgrades included, wait until the handshake is over, as "
	    "does whatever is for an upstream whose `proxy` does not say "
	    "`early_data: on`. Sites where a GET changes something leave it "
	    "off. Sites that ask for client certificates have none."),
	KEY_BLOCK(tls_conf, tickets, struct tls_ticket_conf,
	    tls_ticket_schema, .flags = CONF_LOCAL | CONF_CAN_BE_OFF,
	    .doc = "Session tickets; read at the top only."),
	KEY_BLOCK(tls_conf, client, struct tls_verify_conf, tls_verify_schema,
	    .flags = CONF_CAN_BE_OFF,
	    .doc = "Asks clients for a certificate. Left out: they are not "
	    "asked."),
	KEY_END
};

/* OpenSSL passes over what it does not know in a list, as long as it knows
 * something: a slip of the pen would go unnoticed. */
static void
tls_conf_check_cipher(struct conf_load *load, struct conf_pos pos,
    SSL_CTX *ctx, struct str word)
{
	const char *name = arena_memdup(conf_arena(load), word.p, word.n);

	/* "!", "-" and "+" speak of ciphers that may well be missing, "@" is
	 * no cipher. */
	if (word.n == 0 || strchr("!-+@", word.p[0]) != NULL)
		return;
	if (str_has_prefix(word, STR("TLS_")))
		conf_error(load, pos, "unknown-cipher",
		    "%s is a suite of TLS 1.3; this key is about TLS 1.2, "
		    "`ciphersuites` about TLS 1.3", name);
	else if (SSL_CTX_set_cipher_list(ctx, name) != 1)
		conf_error(load, pos, "unknown-cipher",
		    "OpenSSL knows no cipher \"%s\"", name);
}

static void
tls_conf_check_ciphers(struct conf_load *load, struct conf_pos pos,
    const char *ciphers)
{
	SSL_CTX *ctx = tls_context_open(TLS_method());

	if (ctx == NULL || SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
		conf_error(load, pos, "bad-value",
		    "OpenSSL knows none of these ciphers; `openssl ciphers` "
		    "lists those that it knows");
	} else {
		for (const char *p = ciphers; *p != '\0';) {
			size_t n = strcspn(p, ":, ;");

			tls_conf_check_cipher(load, pos, ctx, str_of(p, n));
			p += n + (p[n] != '\0');
		}
	}
	ERR_clear_error();
	SSL_CTX_free(ctx);
}

static void
tls_conf_check_versions(struct conf_load *load, struct conf_pos pos,
    const struct conf_list *protocols)
{
	if (protocols->n == 0)
		conf_error(load, pos, "bad-value",
		    "without a protocol nobody can connect");
}

/* Of one block; what a site has of its own beside what it inherits is as the
 * manual says. */
static void
tls_conf_check_early(struct conf_load *load, const struct tls_conf *c)
{
	const char *why = NULL;

	if (!c->early_data || !conf_is_set(c, &c->early_data))
		return;
	if (c->client != NULL && !conf_is_off(c->client))
		why = "sites that ask for client certificates read no early "
		    "data";
	else if (conf_is_set(c, &c->protocols) &&
	    !tls_context_speaks(&c->protocols, STR("TLSv1.3")))
		why = "only TLS 1.3 has early data";
	if (why != NULL)
		conf_warning(load, conf_pos_of(c, &c->early_data),
		    "unused-key", "%s, so `early_data` has no effect", why);
}

static void
tls_conf_check(struct conf_load *load, void *block)
{
	const struct tls_conf *c = block;

	if (c->certificates.n > 0 && c->self_signed)
		conf_error(load, conf_pos_of(c, &c->self_signed), "bad-value",
		    "a site has either certificates or a self-signed one");
	tls_conf_check_versions(load, conf_pos_of(c, &c->protocols),
	    &c->protocols);
	tls_conf_check_early(load, c);
	if (conf_is_set(c, &c->ciphers))
		tls_conf_check_ciphers(load, conf_pos_of(c, &c->ciphers),
		    c->ciphers);
}

const struct conf_schema tls_schema = {
	.name = "tls",
	.doc = "TLS towards clients. What they get comes in small records at "
	    "first, and after a second of silence, so that the beginning can "
	    "be used when it is there; then in full ones.",
	.size = sizeof(struct tls_conf),
	.fields = tls_fields,
	.check = tls_conf_check,
	.example =
	    "tls: {protocols: [TLSv1.3]}\n"
	    "sites:\n"
	    "  - hosts: [localhost]\n"
	    "    listen: {https: 8443}\n"
	    "    tls: {self_signed: on}\n"
	    "    routes: [{respond: \"hello\\n\"}]\n",
};

/* ---- upstreams --------------------------------------------------------- */

static const struct conf_field tls_client_fields[] = {
	KEY_BOOL(tls_client_conf, verify, .dflt = "on",
	    .doc = "Whether a server must show a certificate for its name "
	    "that a trusted authority signed. With off anybody on the way can "
	    "read and change what is sent."),
	KEY_PATH(tls_client_conf, ca,
	    .doc = "A PEM file with the authorities that are trusted. Left "
	    "out: those of the system.", .example = "/etc/ssl/ca.pem"),
	KEY_STR(tls_client_conf, name,
	    .doc = "The name that is asked for and that the certificate must "
	    "have. Left out: the host of the server's address.",
	    .example = "app.internal"),
	KEY_PATH(tls_client_conf, certificate,
	    .doc = "A PEM file with the certificate that is shown to servers "
	    "which ask for one."),
	KEY_PATH(tls_client_conf, key,
	    .doc = "A PEM file with its private key."),
	KEY_STR(tls_client_conf, key_password, .flags = CONF_SECRET,
	    .doc = TLS_KEY_PASSWORD),
	KEY_PATH(tls_client_conf, crl,
	    .doc = "A PEM file with revocation lists, one of each authority "
	    "of a chain, the one of `ca` included. Without a list, or with one "
	    "that has expired, no server of that authority is believed."),
	KEY_LIST(tls_client_conf, protocols, conf_type_tls_protocol,
	    .dflt = "[TLSv1.2, TLSv1.3]", .doc = "The versions spoken."),
	KEY_STR(tls_client_conf, ciphers, .dflt = "DEFAULT",
	    .doc = "The cipher suites of TLS 1.2 that are offered, as "
	    "openssl-ciphers(1) writes them; the server chooses."),
	KEY_END
};

static void
tls_conf_check_client(struct conf_load *load, void *block)
{
	const struct tls_client_conf *c = block;

	if (c->certificate != NULL && c->key == NULL)
		conf_error(load, conf_pos_of(c, &c->certificate),
		    "missing-key", "the certificate needs its key: add `key`");
	if (c->certificate == NULL && c->key != NULL)
		conf_error(load, conf_pos_of(c, &c->key), "missing-key",
		    "the key needs its certificate: add `certificate`");
	if (c->key == NULL && c->key_password != NULL)
		conf_warning(load, conf_pos_of(c, &c->key_password),
		    "unused-key", "there is no key, so `key_password` has no "
		    "effect");
	if (!c->verify && c->ca != NULL)
		conf_warning(load, conf_pos_of(c, &c->ca), "unused-key",
		    "nothing is verified, so `ca` has no effect");
	/* The system's are all of the world's, and so would the lists be. */
	if (c->crl != NULL && c->ca == NULL)
		conf_error(load, conf_pos_of(c, &c->crl), "missing-key",
		    "revocation lists are of the authorities of `ca`, which "
		    "is not there");
	tls_conf_check_versions(load, conf_pos_of(c, &c->protocols),
	    &c->protocols);
	if (conf_is_set(c, &c->ciphers))
		tls_conf_check_ciphers(load, conf_pos_of(c, &c->ciphers),
		    c->ciphers);
}

const struct conf_schema tls_client_schema = {
	.name = "tls",
	.doc = "TLS towards the servers of an upstream.",
	.size = sizeof(struct tls_client_conf),
	.fields = tls_client_fields,
	.check = tls_conf_check_client,
	.example =
	    "upstreams:\n"
	    "  app:\n"
	    "    servers: [\"127.0.0.1:8443\"]\n"
	    "    tls: {name: app.internal}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes: [{proxy: app}]\n",
};
