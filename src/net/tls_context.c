/*
 * TLS contexts: what a site or an upstream says of TLS, turned into what
 * OpenSSL needs. Made when a configuration is loaded, in the master, and owned
 * by the load's arena; the workers inherit them and change nothing in them.
 */
#include "net/tls_pair.h"

#include "base/map.h"
#include "base/panic.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

/* ---- what all have in common ------------------------------------------- */

/*
 * Key exchange, best first. The finite-field groups are left out: a client
 * that asks for the large ones makes the server work hard for very little.
 * Libraries that do not know the first line's hybrid take the second; with a
 * provider for keys that brings its own idea of curves there is only the third.
 */
static const char *const tls_groups[] = {
	"X25519MLKEM768:X25519:P-256:P-384",
	"X25519:P-256:P-384",
	"X25519",
};

const char *
tls_context_why(void)
{
	unsigned long e = ERR_get_error();
	const char *words = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return words != NULL ? words : "OpenSSL does not say why";
}

bool
tls_context_pick_groups(SSL_CTX *ctx, const char *const *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (SSL_CTX_set1_groups_list(ctx, lists[i]) == 1)
			return true;
	return false;
}

SSL_CTX *
tls_context_open(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		return NULL;
	/*
	 * Without buffers an idle connection costs a third. Sessions are kept
	 * in tickets by the clients, not in a cache here, which workers could
	 * not share. An end without close_notify is tls_stream's to judge:
	 * OpenSSL would refuse to write to a client that has only closed its
	 * half.
	 */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    tls_context_pick_groups(ctx, tls_groups, COUNT_OF(tls_groups))) {
		ERR_clear_error();
		return ctx;
	}
	SSL_CTX_free(ctx);
	return NULL;
}

static void
tls_context_on_end(void *ctx)
{
	SSL_CTX_free(ctx);
}

/* ---- what the contexts of one load share ------------------------------- */

struct tls_shared {
	struct conf_load *load;
	/* SSL_CTX by what they say: a block, or none for blocks that add only
	 * certificates to the top's; and by ALPN. */
	struct map *by_settings;
	struct tls_pairs *pairs;
	/* The last certificates: sites that inherit `tls` as it is come one
	 * after the other, often by the thousand. */
	const struct tls_conf *conf;
	struct tls_context shown;
	/* The last `client` likewise. */
	const struct tls_verify_conf *client;
	const struct tls_verify *verify; /* NULL: it failed */
	X509_STORE *trusted; /* the system's authorities */
	bool is_warned; /* that there are none */
};

/* A load runs in one thread, from its beginning to its end. */
static _Thread_local struct tls_shared *shared;

static X509_STORE *tls_shared_trusted(void *arg);

static void
tls_shared_on_end(void *arg)
{
	struct tls_shared *s = arg;

	X509_STORE_free(s->trusted);
	if (shared == s)
		shared = NULL;
}

static struct tls_shared *
tls_shared_of(struct conf_load *load)
{
	if (shared != NULL && shared->load == load)
		return shared;
	shared = arena_zalloc(conf_arena(load), sizeof *shared);
	shared->load = load;
	shared->by_settings = map_new(conf_arena(load), 4);
	arena_on_end(conf_arena(load), tls_shared_on_end, shared);
	shared->pairs = tls_pairs_new(load, tls_shared_trusted, shared);
	return shared;
}

struct tls_pairs *
tls_context_pairs(struct conf_load *load)
{
	return tls_shared_of(load)->pairs;
}

/* ---- sites ------------------------------------------------------------- */

static int
tls_context_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
    const unsigned char *in, unsigned n_in, void *arg)
{
	const struct str *alpn = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, n,
	    (const unsigned char *)alpn->p, (unsigned)alpn->n, in, n_in) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

bool
tls_context_speaks(const struct conf_list *protocols, struct str version)
{
	for (CONF_EACH(char *, p, protocols))
		if (str_eq(str_from(*p), version))
			return true;
	return false;
}

static bool
tls_context_set_protocols(SSL_CTX *ctx, const struct conf_list *protocols,
    const char *ciphers)
{
	bool has_2 = tls_context_speaks(protocols, STR("TLSv1.2"));
	bool has_3 = tls_context_speaks(protocols, STR("TLSv1.3"));

	return SSL_CTX_set_min_proto_version(ctx,
	    has_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx,
	    has_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, ciphers) == 1;
}

/*
 * Lists of words each of which is known. What may yet be wrong is a word that
 * stands there twice, which only some versions of OpenSSL mind.
 */
static bool
tls_context_set_words(struct conf_load *load, SSL_CTX *ctx,
    const struct tls_conf *conf)
{
	struct arena *a = conf_arena(load);
	const char *groups = tls_words_join(a, &conf->groups);
	const char *signatures =
	    tls_words_join(a, &conf->signature_algorithms);
	const char *suites = tls_words_join(a, &conf->ciphersuites);
	const struct conf_list *bad = NULL;

	if (groups != NULL && SSL_CTX_set1_groups_list(ctx, groups) != 1)
		bad = &conf->groups;
	else if (signatures != NULL &&
	    SSL_CTX_set1_sigalgs_list(ctx, signatures) != 1)
		bad = &conf->signature_algorithms;
	else if (suites != NULL && SSL_CTX_set_ciphersuites(ctx, suites) != 1)
		bad = &conf->ciphersuites;
	ERR_clear_error();
	if (bad != NULL)
		conf_error(load, conf_pos_of(conf, bad), "bad-value",
		    "OpenSSL refuses this list, though it knows every word "
		    "of it; is one there twice?");
	return bad == NULL;
}

/* False after an error. */
static bool
tls_context_find_verify(struct conf_load *load, const struct tls_conf *conf,
    const struct tls_verify **verify)
{
	struct tls_shared *s = tls_shared_of(load);

	*verify = NULL;
	if (conf->client == NULL || conf_is_off(conf->client))
		return true;
	if (s->client != conf->client) {
		s->client = conf->client;
		s->verify = tls_verify_new(load, conf->client);
	}
	*verify = s->verify;
	return s->verify != NULL;
}

static SSL_CTX *
tls_context_open_site(struct conf_load *load, const struct tls_conf *conf)
{
	const struct tls_verify *verify;
	SSL_CTX *ctx;

	if (!tls_context_find_verify(load, conf, &verify))
		return NULL;
	ctx = tls_context_open(TLS_server_method());
	if (ctx != NULL &&
	    tls_context_set_protocols(ctx, &conf->protocols, conf->ciphers) &&
	    SSL_CTX_set_dh_auto(ctx, 1) == 1 && tls_ticket_use(ctx) &&
	    (verify == NULL || tls_verify_use(ctx, verify))) {
		arena_on_end(conf_arena(load), tls_context_on_end, ctx);
		return tls_context_set_words(load, ctx, conf) ? ctx : NULL;
	}
	conf_error(load, conf_block_pos(conf), "tls",
	    "OpenSSL cannot be set up: %s", tls_context_why());
	SSL_CTX_free(ctx);
	return NULL;
}

/* A block that says nothing but which certificates: the rest is the top's. */
static bool
tls_context_is_plain(const struct tls_conf *conf)
{
	for (const struct conf_field *f = tls_schema.fields; f->name != NULL;
	     f++) {
		if (f->offset == offsetof(struct tls_conf, certificates) ||
		    f->offset == offsetof(struct tls_conf, self_signed))
			continue;
		if (conf_is_set(conf, (const char *)conf + f->offset))
			return false;
	}
	return true;
}

static SSL_CTX *
tls_context_settings(struct conf_load *load, const struct tls_conf *conf,
    struct str alpn)
{
	struct arena *a = conf_arena(load);
	struct tls_shared *s = tls_shared_of(load);
	const void *which = tls_context_is_plain(conf) ? NULL : conf;
	struct buf name = buf_in(a);
	struct str *spoken;
	SSL_CTX *ctx;

	buf_str(&name, str_of((const char *)&which, sizeof which));
	buf_str(&name, alpn);
	ctx = map_get(s->by_settings, buf_view(&name));
	if (ctx != NULL)
		return ctx;
	ctx = tls_context_open_site(load, conf);
	if (ctx == NULL)
		return NULL;
	spoken = arena_alloc(a, sizeof *spoken);
	*spoken = arena_str(a, alpn);
	SSL_CTX_set_alpn_select_cb(ctx, tls_context_on_alpn, spoken);
	if (conf->stapling)
		tls_staple_use(ctx);
	map_put(s->by_settings, buf_view(&name), ctx);
	return ctx;
}

/* ---- what sites show --------------------------------------------------- */

static bool
tls_context_is_new(struct conf_load *load, const struct tls_context *c,
    const struct tls_pair *pair)
{
	for (size_t i = 0; i < c->n_pairs; i++) {
		if (!tls_pair_is_like(c->pairs[i], pair))
			continue;
		conf_error(load, pair->certificate_pos, "second-certificate",
		    "%s has the same kind of key and the same names as %s "
		    "before it: it would never be shown", pair->certificate,
		    c->pairs[i]->certificate);
		return false;
	}
	return true;
}

static bool
tls_context_use_pairs(struct conf_load *load, const struct tls_conf *conf,
    struct tls_context *c)
{
	struct tls_shared *s = tls_shared_of(load);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	c->pairs = arena_alloc(conf_arena(load), conf->certificates.n *
	    sizeof(struct tls_pair *));
	for (CONF_EACH(struct tls_pair_conf *, p, &conf->certificates)) {
		const struct tls_pair_conf *pc = *p;
		const struct tls_pair words = {
			.certificate = pc->certificate, .key = pc->key,
			.password = pc->key_password,
			.certificate_pos = conf_pos_of(pc, &pc->certificate),
			.key_pos = conf_pos_of(pc, pc->key != NULL ?
			    &pc->key : &pc->certificate),
			.password_pos = conf_pos_of(pc, &pc->key_password),
		};
		struct tls_pair *pair = tls_pairs_get(s->pairs, &words);

		if (pair == NULL || !tls_context_is_new(load, c, pair)) {
			ok = false;
			continue;
		}
		pair->is_stapled |= conf->stapling;
		c->pairs[c->n_pairs++] = pair;
		tls_pair_digest(md, pair);
	}
	if (ok)
		EVP_DigestFinal_ex(md, c->site, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static bool
tls_context_use_files(struct conf_load *load, const struct tls_conf *conf,
    struct tls_context *c)
{
	struct tls_shared *s = tls_shared_of(load);

	if (s->conf != conf) {
		s->conf = conf;
		s->shown = (struct tls_context){.ssl = NULL};
		if (!tls_context_use_pairs(load, conf, &s->shown))
			s->shown.n_pairs = 0; /* which was reported */
	}
	c->pairs = s->shown.pairs;
	c->n_pairs = s->shown.n_pairs;
	memcpy(c->site, s->shown.site, sizeof c->site);
	return c->n_pairs > 0;
}

static void
tls_context_on_bundle_end(void *bundle)
{
	tls_bundle_free(bundle);
}

static bool
tls_context_use_self_signed(struct conf_load *load,
    const struct tls_conf *conf, const struct str *hosts, size_t n_hosts,
    struct tls_context *c)
{
	struct arena *a = conf_arena(load);
	struct tls_pair *pair = arena_zalloc(a, sizeof *pair);
	struct err e;

	pair->certificate = "self-signed";
	if (!tls_self_signed_make(&pair->bundle, hosts, n_hosts, &e)) {
		conf_error(load, conf_pos_of(conf, &conf->self_signed), "tls",
		    "%s", e.text);
		return false;
	}
	arena_on_end(a, tls_context_on_bundle_end, &pair->bundle);
	c->pairs = arena_alloc(a, sizeof(struct tls_pair *));
	c->pairs[0] = pair;
	c->n_pairs = 1;
	return true;
}

/* Whoever asks for a host that a certificate is for shall not lose it when
 * that is renewed. */
static void
tls_context_note_hosts(struct arena *a, const struct tls_context *c,
    const struct str *hosts, size_t n_hosts)
{
	for (size_t i = 0; i < c->n_pairs; i++)
		for (size_t k = 0; k < n_hosts; k++) {
			struct tls_pair_host *h;

			if (!tls_pair_covers(c->pairs[i], hosts[k]))
				continue;
			h = arena_alloc(a, sizeof *h);
			*h = (struct tls_pair_host){
				.next = c->pairs[i]->hosts, .host = hosts[k]
			};
			c->pairs[i]->hosts = h;
		}
}

bool
tls_context_covers(const struct tls_context *c, struct str host)
{
	for (size_t i = 0; i < c->n_pairs; i++)
		if (tls_pair_covers(c->pairs[i], host))
			return true;
	return host.n > 0 && host.p[0] == '~';
}

bool
tls_context_show(SSL *ssl, const struct tls_context *c, struct str name)
{
	int kinds[8]; /* more than OpenSSL has room for */
	size_t n_kinds = 0;
	bool is_for_name = c->n_pairs > 1 && name.n > 0 &&
	    tls_context_covers(c, name);

	for (size_t i = 0; i < c->n_pairs && n_kinds < COUNT_OF(kinds); i++) {
		const struct tls_bundle *b = &c->pairs[i]->bundle;
		int kind = tls_pair_kind(c->pairs[i]);
		size_t k = 0;

		while (k < n_kinds && kinds[k] != kind)
			k++;
		if (k < n_kinds || (is_for_name &&
		    !tls_pair_covers(c->pairs[i], name)))
			continue;
		if (SSL_use_cert_and_key(ssl, b->leaf,
		    b->twin != NULL && !c->decrypts ? b->twin : b->key,
		    b->chain, 1) != 1)
			return false;
		kinds[n_kinds++] = kind;
	}
	return true;
}

bool
tls_context_is_slow(const struct tls_context *c)
{
	for (size_t i = 0; i < c->n_pairs && !c->decrypts; i++)
		if (c->pairs[i]->bundle.twin != NULL)
			return true;
	return false;
}

/* With RSA for key exchange (RFC 5246 section 7.4.7.1), which is not among the
 * defaults. */
static bool
tls_context_can_decrypt(const SSL_CTX *ctx)
{
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		int kx = SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers,
		    i));

		if (kx == NID_kx_rsa || kx == NID_kx_rsa_psk)
			return true;
	}
	return false;
}

/*
 * A session is resumed on its site only: where names, certificates and what is
 * asked of clients are the same. That holds over a reload and in every worker,
 * as tickets do.
 */
static bool
tls_context_set_site(struct tls_context *c, const struct str *hosts,
    size_t n_hosts)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, c->site, sizeof c->site) == 1;

	for (size_t i = 0; ok && i < n_hosts; i++)
		ok = EVP_DigestUpdate(md, hosts[i].p, hosts[i].n) == 1 &&
		    EVP_DigestUpdate(md, "", 1) == 1;
	if (c->verify != NULL)
		ok = ok && EVP_DigestUpdate(md, c->verify->id,
		    sizeof c->verify->id) == 1;
	ok = ok && EVP_DigestFinal_ex(md, c->site, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* What the site itself says goes before what it inherits. */
static bool
tls_context_is_self_signed(const struct tls_conf *conf)
{
	if (!conf->self_signed || conf->certificates.n == 0)
		return conf->self_signed;
	return conf_is_set(conf, &conf->self_signed);
}

struct tls_context *
tls_context_new(struct conf_load *load, const struct tls_conf *conf,
    const struct str *hosts, size_t n_hosts, struct str alpn)
{
	struct tls_context *c = arena_zalloc(conf_arena(load), sizeof *c);
	bool has_shown = tls_context_is_self_signed(conf) ?
	    tls_context_use_self_signed(load, conf, hosts, n_hosts, c) :
	    tls_context_use_files(load, conf, c);

	if (!has_shown)
		return NULL;
	c->ssl = tls_context_settings(load, conf, alpn);
	if (c->ssl == NULL)
		return NULL;
	c->verify = tls_verify_of_context(c->ssl);
	/* Whom a certificate names is known when the handshake is over. */
	c->early_data = conf->early_data && c->verify == NULL;
	c->decrypts = tls_context_can_decrypt(c->ssl);
	tls_context_note_hosts(conf_arena(load), c, hosts, n_hosts);
	c->groups = tls_words_join(conf_arena(load), &conf->groups);
	if (tls_context_set_site(c, hosts, n_hosts))
		return c;
	conf_error(load, conf_block_pos(conf), "tls", "cannot digest: %s",
	    tls_context_why());
	return NULL;
}

/* ---- upstreams --------------------------------------------------------- */

/* Where systems keep the authorities that they trust, in one file. */
static const char *const tls_system_files[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",             /* SUSE */
	"/etc/ssl/cert.pem",                  /* BSD */
};

/*
 * The whole bundle, read now and once: OpenSSL by itself would look for
 * authorities in a directory while a worker shakes hands, and that worker may
 * not open files.
 */
static X509_STORE *
tls_shared_trusted(void *arg)
{
	struct tls_shared *s = arg;
	struct conf_source *source = conf_source_of(s->load);
	struct arena *a;
	size_t n = 0;
	struct str text;

	if (s->trusted != NULL)
		return s->trusted;
	a = arena_new();
	s->trusted = X509_STORE_new();
	for (size_t i = 0; n == 0 && i < COUNT_OF(tls_system_files); i++)
		if (source->read(source, tls_system_files[i], a, &text, NULL))
			n = tls_pair_trust(s->trusted, text);
	arena_end(a);
	return s->trusted;
}

static X509_STORE *
tls_context_system_store(struct conf_load *load)
{
	struct tls_shared *s = tls_shared_of(load);
	X509_STORE *store = tls_shared_trusted(s);

	if (!s->is_warned &&
	    sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0)
		conf_warning(load, (struct conf_pos){0}, "no-authorities",
		    "this system has no list of trusted authorities, so no "
		    "upstream can be verified; install ca-certificates, or "
		    "name a file by `ca`");
	s->is_warned = true;
	return store;
}

static bool
tls_context_trust(struct conf_load *load, SSL_CTX *ctx,
    const struct tls_client_conf *conf)
{
	struct str text;

	tls_verify_use_server(ctx);
	if (conf->ca == NULL) {
		SSL_CTX_set1_cert_store(ctx, tls_context_system_store(load));
		return true;
	}
	if (!conf_read(load, conf_pos_of(conf, &conf->ca), conf->ca, &text))
		return false;
	if (tls_pair_trust(SSL_CTX_get_cert_store(ctx), text) > 0)
		return true;
	conf_error(load, conf_pos_of(conf, &conf->ca), "bad-certificate",
	    "%s has no certificate in it", conf->ca);
	return false;
}

/* CONF may be one that the loader did not make; then it has no files, and
 * nothing of it has a place. */
struct tls_context *
tls_context_new_client(struct conf_load *load,
    const struct tls_client_conf *conf, struct str alpn)
{
	struct tls_context *c = arena_zalloc(conf_arena(load), sizeof *c);
	SSL_CTX *ctx = tls_context_open(TLS_client_method());

	/* This one function gives 0 when it worked. */
	if (ctx == NULL || SSL_CTX_set_alpn_protos(ctx,
	    (const unsigned char *)alpn.p, (unsigned)alpn.n) != 0 ||
	    !tls_context_set_protocols(ctx, &conf->protocols, conf->ciphers)) {
		conf_error(load, (struct conf_pos){0}, "tls",
		    "OpenSSL cannot be set up: %s", tls_context_why());
		SSL_CTX_free(ctx);
		return NULL;
	}
	arena_on_end(conf_arena(load), tls_context_on_end, ctx);
	c->ssl = ctx;
	c->is_verifying = conf->verify;
	tls_resume_use(ctx);
	if (conf->verify && !tls_context_trust(load, ctx, conf))
		return NULL;
	if (conf->verify && conf->crl != NULL &&
	    !tls_verify_use_crl(load, conf_pos_of(conf, &conf->crl),
	    conf->crl, ctx))
		return NULL;
	if (conf->certificate == NULL || conf->key == NULL)
		return c;

	const struct tls_pair words = {
		.certificate = conf->certificate, .key = conf->key,
		.password = conf->key_password,
		.certificate_pos = conf_pos_of(conf, &conf->certificate),
		.key_pos = conf_pos_of(conf, &conf->key),
		.password_pos = conf_pos_of(conf, &conf->key_password),
	};
	struct tls_pair *pair = tls_pairs_get(tls_context_pairs(load), &words);

	c->pairs = arena_alloc(conf_arena(load), sizeof(struct tls_pair *));
	c->pairs[0] = pair;
	c->n_pairs = 1;
	return pair != NULL ? c : NULL;
}
