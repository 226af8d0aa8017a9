/*
 * TLS contexts: what a site or an upstream says of TLS, turned into what
 * OpenSSL needs. Made when a configuration is loaded, in the master, and owned
 * by the load's arena; the workers inherit them and change nothing in them.
 */
#include "net/tls_context.h"

#include "base/panic.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

/* ---- what all have in common ------------------------------------------- */

/*
 * Key exchange, best first. The finite-field groups are left out: a client
 * that asks for the large ones makes the server work hard for very little.
 * Libraries that do not know the first line's hybrid take the second.
 */
static const char *const tls_groups[] = {
	"X25519MLKEM768:X25519:P-256:P-384",
	"X25519:P-256:P-384",
};

const char *
tls_context_why(void)
{
	unsigned long e = ERR_get_error();
	const char *words = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return words != NULL ? words : "OpenSSL does not say why";
}

static bool
tls_context_set_groups(SSL_CTX *ctx)
{
	for (size_t i = 0; i < COUNT_OF(tls_groups); i++)
		if (SSL_CTX_set1_groups_list(ctx, tls_groups[i]) == 1)
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
	    tls_context_set_groups(ctx)) {
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
	/* The last one made from files: sites that inherit `tls` as it is
	 * come one after the other, often by the thousand. */
	const struct tls_conf *conf;
	SSL_CTX *ssl; /* NULL: it failed, which was reported */
	struct str alpn;
	uint8_t certificates[TLS_SITE_ID]; /* a digest of them */
	X509_STORE *trusted; /* the system's authorities */
};

/* A load runs in one thread, from its beginning to its end. */
static _Thread_local struct tls_shared *shared;

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
	arena_on_end(conf_arena(load), tls_shared_on_end, shared);
	return shared;
}

/* ---- sites ------------------------------------------------------------- */

static int
tls_context_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
    const unsigned char *in, unsigned n_in, void *arg)
{
	const struct tls_context *c = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, n,
	    (const unsigned char *)c->alpn.p, (unsigned)c->alpn.n, in, n_in) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
tls_context_speaks(const struct tls_conf *conf, struct str version)
{
	for (CONF_EACH(char *, p, &conf->protocols))
		if (str_eq(str_from(*p), version))
			return true;
	return false;
}

static bool
tls_context_set_protocols(SSL_CTX *ctx, const struct tls_conf *conf)
{
	bool has_2 = tls_context_speaks(conf, STR("TLSv1.2"));
	bool has_3 = tls_context_speaks(conf, STR("TLSv1.3"));

	return SSL_CTX_set_min_proto_version(ctx,
	    has_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx,
	    has_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, conf->ciphers) == 1 &&
	    SSL_CTX_set_dh_auto(ctx, 1) == 1;
}

static SSL_CTX *
tls_context_open_site(struct conf_load *load, const struct tls_conf *conf)
{
	SSL_CTX *ctx = tls_context_open(TLS_server_method());

	if (ctx != NULL && tls_context_set_protocols(ctx, conf) &&
	    tls_ticket_use(ctx)) {
		arena_on_end(conf_arena(load), tls_context_on_end, ctx);
		return ctx;
	}
	conf_error(load, conf_block_pos(conf), "tls",
	    "OpenSSL cannot be set up: %s", tls_context_why());
	SSL_CTX_free(ctx);
	return NULL;
}

static bool
tls_context_use_pairs(struct conf_load *load, SSL_CTX *ctx,
    const struct tls_conf *conf, uint8_t *digest)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (CONF_EACH(struct tls_pair_conf *, p, &conf->certificates)) {
		const struct tls_pair_conf *c = *p;
		const struct tls_pair pair = {
			.certificate = c->certificate, .key = c->key,
			.certificate_pos = conf_pos_of(c, &c->certificate),
			.key_pos = conf_pos_of(c, &c->key),
		};

		ok &= tls_pair_use(load, ctx, &pair, md);
	}
	if (ok)
		EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static struct tls_context *
tls_context_new_from_files(struct conf_load *load,
    const struct tls_conf *conf, struct str alpn)
{
	struct arena *a = conf_arena(load);
	struct tls_shared *s = tls_shared_of(load);
	struct tls_context *c;
	SSL_CTX *ctx;

	if (s->conf != conf || !str_eq(s->alpn, alpn)) {
		ctx = tls_context_open_site(load, conf);
		if (ctx != NULL && !tls_context_use_pairs(load, ctx, conf,
		    s->certificates))
			ctx = NULL; /* its arena ends it */
		s->conf = conf;
		s->ssl = ctx;
		s->alpn = arena_str(a, alpn);
	}
	if (s->ssl == NULL)
		return NULL;
	c = arena_zalloc(a, sizeof *c);
	c->ssl = s->ssl;
	memcpy(c->site, s->certificates, sizeof c->site);
	return c;
}

static struct tls_context *
tls_context_new_self_signed(struct conf_load *load,
    const struct tls_conf *conf, const struct str *hosts, size_t n_hosts)
{
	struct tls_context *c = arena_zalloc(conf_arena(load), sizeof *c);
	struct err e;

	c->ssl = tls_context_open_site(load, conf);
	if (c->ssl == NULL)
		return NULL;
	if (tls_self_signed_use(c->ssl, hosts, n_hosts, &e))
		return c;
	conf_error(load, conf_pos_of(conf, &conf->self_signed), "tls", "%s",
	    e.text);
	return NULL;
}

/*
 * A session is resumed on its site only: where names and certificates are the
 * same. That holds over a reload and in every worker, as tickets do.
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
	struct tls_context *c = tls_context_is_self_signed(conf) ?
	    tls_context_new_self_signed(load, conf, hosts, n_hosts) :
	    tls_context_new_from_files(load, conf, alpn);

	if (c == NULL)
		return NULL;
	c->alpn = arena_str(conf_arena(load), alpn);
	SSL_CTX_set_alpn_select_cb(c->ssl, tls_context_on_alpn, c);
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
tls_context_system_store(struct conf_load *load)
{
	struct tls_shared *s = tls_shared_of(load);
	struct conf_source *source = conf_source_of(load);
	struct arena *a = arena_new();
	size_t n = 0;
	struct str text;

	if (s->trusted != NULL) {
		arena_end(a);
		return s->trusted;
	}
	s->trusted = X509_STORE_new();
	for (size_t i = 0; n == 0 && i < COUNT_OF(tls_system_files); i++)
		if (source->read(source, tls_system_files[i], a, &text, NULL))
			n = tls_pair_trust(s->trusted, text);
	if (n == 0)
		conf_warning(load, (struct conf_pos){0}, "no-authorities",
		    "this system has no list of trusted authorities, so no "
		    "upstream can be verified; install ca-certificates, or "
		    "name a file by `ca`");
	arena_end(a);
	return s->trusted;
}

static bool
tls_context_trust(struct conf_load *load, SSL_CTX *ctx,
    const struct tls_client_conf *conf)
{
	struct str text;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
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
    const struct tls_client_conf *conf)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	struct tls_context *c = arena_zalloc(conf_arena(load), sizeof *c);
	SSL_CTX *ctx = tls_context_open(TLS_client_method());

	/* This one function gives 0 when it worked. */
	if (ctx == NULL ||
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn - 1) != 0) {
		conf_error(load, (struct conf_pos){0}, "tls",
		    "OpenSSL cannot be set up: %s", tls_context_why());
		SSL_CTX_free(ctx);
		return NULL;
	}
	arena_on_end(conf_arena(load), tls_context_on_end, ctx);
	c->ssl = ctx;
	c->is_verifying = conf->verify;
	if (conf->verify && !tls_context_trust(load, ctx, conf))
		return NULL;
	if (conf->certificate == NULL || conf->key == NULL)
		return c;

	const struct tls_pair pair = {
		.certificate = conf->certificate, .key = conf->key,
		.certificate_pos = conf_pos_of(conf, &conf->certificate),
		.key_pos = conf_pos_of(conf, &conf->key),
	};
	return tls_pair_use(load, ctx, &pair, NULL) ? c : NULL;
}

const char *
tls_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
