/*
 * Whom a peer's certificate must come from: the rows of `client`, the store of
 * authorities and revocation lists that they become, and what is made of
 * OpenSSL's verdict. Made when a configuration is loaded and shared by the
 * sites that inherit it; the chain itself is judged by OpenSSL (RFC 5280
 * section 6), of which only the consequences are ours.
 */
#include "net/tls_verify.h"

#include "base/clock.h"
#include "base/panic.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

/* ---- rows -------------------------------------------------------------- */

static const char *const tls_verify_choices[] = {
	[TLS_VERIFY_REQUIRED] = "required",
	[TLS_VERIFY_OPTIONAL] = "optional",
	[TLS_VERIFY_OPTIONAL_NO_CA] = "optional_no_ca", NULL
};

static const struct conf_field tls_verify_fields[] = {
	KEY_CHOICE(tls_verify_conf, verify, tls_verify_choices,
	    .dflt = "required",
	    .doc = "required: who has no certificate of these authorities "
	    "gets 400. optional: who sends none is served, who sends one that "
	    "is not good gets 400. optional_no_ca: likewise, but one of an "
	    "unknown authority is let through, too, and must be checked by "
	    "what is behind; $ssl_client_verify says which it is. Only "
	    "requests over TLS are meant: redirect those over plain HTTP."),
	KEY_PATH(tls_verify_conf, ca,
	    .doc = "A PEM file with the authorities that are believed; those "
	    "between them and the client may be among them. Their names are "
	    "told to clients. Only optional_no_ca goes without.",
	    .example = "/etc/ssl/clients.pem"),
	KEY_INT(tls_verify_conf, depth, .dflt = "3", .min = "0", .max = "20",
	    .doc = "How many authorities may stand between the certificate "
	    "and the one of `ca`."),
	KEY_PATH(tls_verify_conf, crl,
	    .doc = "A PEM file with revocation lists: one of each authority "
	    "of a chain, the one of `ca` included. Without a list, or with one "
	    "that has expired, nobody of that authority is let in. It is read "
	    "when the configuration is loaded.",
	    .example = "/etc/ssl/clients.crl"),
	KEY_END
};
const struct conf_schema tls_verify_schema = {
	.name = "client",
	.doc = "Asks clients for a certificate. Who is refused gets an answer "
	    "that says why; $ssl_client_verify, $ssl_client_s_dn and others "
	    "tell of who is not. A connection is good only for sites that ask "
	    "for the same; for another the client is told to open another "
	    "(421).",
	.size = sizeof(struct tls_verify_conf),
	.fields = tls_verify_fields,
};

/* ---- dates ------------------------------------------------------------- */

static int64_t
tls_verify_time(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0; /* nobody can rely on it */
	return (int64_t)timegm(&tm);
}

static int64_t
tls_verify_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- reading ----------------------------------------------------------- */

/* Where a file of authorities or lists goes. */
struct tls_verify_sink {
	X509_STORE *store;
	STACK_OF(X509_NAME) *names; /* of authorities; NULL: not wanted */
	int64_t until;              /* of the lists */
};

static bool
tls_verify_take_ca(struct tls_verify_sink *sink, BIO *bio)
{
	X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	X509_NAME *name;
	bool ok;

	if (x == NULL)
		return false;
	ok = X509_STORE_add_cert(sink->store, x) == 1;
	if (ok && sink->names != NULL) {
		name = X509_NAME_dup(X509_get_subject_name(x));
		ok = name != NULL && sk_X509_NAME_push(sink->names, name) > 0;
		if (!ok)
			X509_NAME_free(name);
	}
	X509_free(x);
	return ok;
}

/* A list without a next one says no less than that it never ends. */
static bool
tls_verify_take_crl(struct tls_verify_sink *sink, BIO *bio)
{
	X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	const ASN1_TIME *next;
	bool ok;

	if (crl == NULL)
		return false;
	next = X509_CRL_get0_nextUpdate(crl);
	if (next != NULL)
		sink->until = tls_verify_earlier(sink->until,
		    tls_verify_time(next));
	ok = X509_STORE_add_crl(sink->store, crl) == 1;
	X509_CRL_free(crl);
	return ok;
}

/* All of the file PATH; nothing of it may be beyond reading: an authority that
 * is passed over is missed when it is needed. */
static bool
tls_verify_read(struct conf_load *load, struct conf_pos pos, const char *path,
    const char *what, bool (*take)(struct tls_verify_sink *sink, BIO *bio),
    struct tls_verify_sink *sink, EVP_MD_CTX *md)
{
	struct str text;
	unsigned n = 0;
	unsigned long e;
	BIO *bio;

	if (!conf_read(load, pos, path, &text))
		return false;
	ERR_clear_error();
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	while (take(sink, bio))
		n++;
	BIO_free(bio);
	e = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_LIB(e) != ERR_LIB_PEM ||
	    ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
		conf_error(load, pos, "bad-certificate", "%s has a %s that "
		    "cannot be read, after %u good ones", path, what, n);
	else if (n == 0)
		conf_error(load, pos, "bad-certificate", "%s has no %s in it",
		    path, what);
	else
		return md == NULL ||
		    EVP_DigestUpdate(md, text.p, text.n) == 1;
	return false;
}

/* Every certificate of a chain is looked up: a list that only has the last
 * one's authority would let those go on who were taken off the others. */
static bool
tls_verify_read_crl(struct conf_load *load, struct conf_pos pos,
    const char *path, struct tls_verify_sink *sink, EVP_MD_CTX *md)
{
	sink->until = INT64_MAX;
	if (!tls_verify_read(load, pos, path, "revocation list",
	    tls_verify_take_crl, sink, md))
		return false;
	if (sink->until <= clock_wall())
		conf_warning(load, pos, "expired-crl", "a revocation list in "
		    "%s has expired: everybody of its authority is refused",
		    path);
	return X509_STORE_set_flags(sink->store, X509_V_FLAG_CRL_CHECK |
	    X509_V_FLAG_CRL_CHECK_ALL) == 1;
}

static int
tls_verify_lists_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

bool
tls_verify_use_crl(struct conf_load *load, struct conf_pos pos,
    const char *path, SSL_CTX *ctx)
{
	struct tls_verify_sink sink = {
		.store = SSL_CTX_get_cert_store(ctx)
	};
	int64_t *until = arena_alloc(conf_arena(load), sizeof *until);
	bool ok = tls_verify_read_crl(load, pos, path, &sink, NULL);

	*until = sink.until;
	return ok && SSL_CTX_set_ex_data(ctx, tls_verify_lists_index(),
	    until) == 1;
}

/* ---- making ------------------------------------------------------------ */

static void
tls_verify_on_end(void *arg)
{
	struct tls_verify *v = arg;

	X509_STORE_free(v->store);
	sk_X509_NAME_pop_free(v->names, X509_NAME_free);
}

/* Sessions belong to settings: to these words and to what the files say. */
static bool
tls_verify_fill(struct conf_load *load, const struct tls_verify_conf *conf,
    struct tls_verify *v, EVP_MD_CTX *md)
{
	struct tls_verify_sink sink = {
		.store = v->store, .names = v->names, .until = INT64_MAX
	};
	bool ok = EVP_DigestUpdate(md, &conf->verify, sizeof conf->verify) ==
	    1 && EVP_DigestUpdate(md, &conf->depth, sizeof conf->depth) == 1;

	/* Both are read in any case: both may be wrong. */
	if (conf->ca != NULL)
		ok &= tls_verify_read(load, conf_pos_of(conf, &conf->ca),
		    conf->ca, "certificate", tls_verify_take_ca, &sink, md);
	if (conf->crl != NULL)
		ok &= tls_verify_read_crl(load,
		    conf_pos_of(conf, &conf->crl), conf->crl, &sink, md);
	v->until = sink.until;
	return ok;
}

const struct tls_verify *
tls_verify_new(struct conf_load *load, const struct tls_verify_conf *conf)
{
	struct tls_verify *v = arena_zalloc(conf_arena(load), sizeof *v);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok;

	if (conf->ca == NULL && conf->verify != TLS_VERIFY_OPTIONAL_NO_CA) {
		conf_error(load, conf_block_pos(conf), "missing-key",
		    "nobody is believed: add `ca`, a PEM file with the "
		    "authorities of clients");
		EVP_MD_CTX_free(md);
		return NULL;
	}
	v->mode = (enum tls_verify_mode)conf->verify;
	v->store = X509_STORE_new();
	v->names = sk_X509_NAME_new_null();
	arena_on_end(conf_arena(load), tls_verify_on_end, v);
	/* Who is named in `ca` is believed, be it a root or not. */
	ok = md != NULL && v->store != NULL && v->names != NULL &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    X509_STORE_set_flags(v->store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	    X509_STORE_set_depth(v->store, (int)conf->depth) == 1;
	if (!ok)
		conf_error(load, conf_block_pos(conf), "tls",
		    "OpenSSL cannot be set up: %s", tls_context_why());
	ok = ok && tls_verify_fill(load, conf, v, md) &&
	    EVP_DigestFinal_ex(md, v->id, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok ? v : NULL;
}

/* ---- shaking hands ----------------------------------------------------- */

static int
tls_verify_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

const struct tls_verify *
tls_verify_of_context(const SSL_CTX *ctx)
{
	return SSL_CTX_get_ex_data(ctx, tls_verify_index());
}

const struct tls_verify *
tls_verify_of(const SSL *ssl)
{
	return tls_verify_of_context(SSL_get_SSL_CTX(ssl));
}

/* Whether all that is wrong is that nobody here knows the authority. */
static bool
tls_verify_is_unknown(int problem)
{
	switch (problem) {
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		return true;
	default:
		return false;
	}
}

static bool
tls_verify_lets_pass(const struct tls_verify *v, int problem)
{
	return problem == X509_V_OK ||
	    (v->mode == TLS_VERIFY_OPTIONAL_NO_CA &&
	        tls_verify_is_unknown(problem));
}

/* Goes on after what is let pass, stops at what is not: so the problem that
 * OpenSSL remembers is the worst, never one that covers another. */
static int
tls_verify_on_problem(int ok, X509_STORE_CTX *x)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(x,
	    SSL_get_ex_data_X509_STORE_CTX_idx());

	return ok == 1 || tls_verify_lets_pass(tls_verify_of(ssl),
	    X509_STORE_CTX_get_error(x));
}

/* The handshake goes on whatever comes of this; only that is noted. */
static int
tls_verify_on_chain(X509_STORE_CTX *x, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(x, tls_verify_on_problem);
	if (X509_verify_cert(x) != 1 &&
	    X509_STORE_CTX_get_error(x) == X509_V_OK)
		X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
	ERR_clear_error();
	return 1;
}

/* What a client may send as its chain, all of which is held while it comes:
 * four large certificates. What is beyond ends the handshake. Its own also goes
 * into tickets, which hold 64 KiB. */
#define TLS_VERIFY_CHAIN 32768

bool
tls_verify_use(SSL_CTX *ctx, const struct tls_verify *v)
{
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(v->names);

	if (names == NULL || SSL_CTX_set_ex_data(ctx, tls_verify_index(),
	    (void *)(uintptr_t)v) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set1_cert_store(ctx, v->store);
	SSL_CTX_set_max_cert_list(ctx, TLS_VERIFY_CHAIN);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, tls_verify_on_chain, NULL);
	return true;
}

/* SSL_set_SSL_CTX brings the store over, but neither of these. */
void
tls_verify_switch(SSL *ssl, SSL_CTX *to)
{
	SSL_set_verify(ssl, SSL_CTX_get_verify_mode(to), NULL);
	SSL_set_max_cert_list(ssl, SSL_CTX_get_max_cert_list(to));
}

/* Of a server's certificate: what it is and what was wanted is the better half
 * of the sentence that the operator gets. */
static int
tls_verify_on_server(int ok, X509_STORE_CTX *x)
{
	if (ok != 1)
		tls_stream_note_refusal(X509_STORE_CTX_get_ex_data(x,
		    SSL_get_ex_data_X509_STORE_CTX_idx()),
		    X509_verify_cert_error_string(
		    X509_STORE_CTX_get_error(x)),
		    X509_STORE_CTX_get_current_cert(x));
	return ok;
}

void
tls_verify_use_server(SSL_CTX *ctx)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_verify_on_server);
}

/* ---- sessions ---------------------------------------------------------- */

int64_t
tls_verify_until(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int64_t until = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++)
		until = tls_verify_earlier(until, tls_verify_time(
		    X509_get0_notAfter(sk_X509_value(chain, i))));
	return until;
}

/* 0: who was refused is to be asked again, for it may have got a certificate
 * since. */
static int64_t
tls_verify_session_end(const SSL *ssl, const struct tls_verify *v)
{
	if (SSL_get0_peer_certificate(ssl) == NULL)
		return v->mode == TLS_VERIFY_REQUIRED ? 0 : INT64_MAX;
	if (!tls_verify_lets_pass(v, (int)SSL_get_verify_result(ssl)))
		return 0;
	return tls_verify_earlier(tls_verify_until(ssl), v->until);
}

static bool
tls_verify_set_end(SSL_SESSION *session, int64_t until)
{
	return SSL_SESSION_set1_ticket_appdata(session, &until,
	    sizeof until) == 1;
}

/* 0: nobody has said. */
int64_t
tls_verify_end_of(SSL_SESSION *session)
{
	int64_t until;
	void *p;
	size_t n;

	if (SSL_SESSION_get0_ticket_appdata(session, &p, &n) != 1 ||
	    n != sizeof until)
		return 0;
	memcpy(&until, p, sizeof until);
	return until;
}

/*
 * A resumed session is not verified again, and each resumption brings a ticket
 * with a lifetime of its own. So a session says how long what was verified
 * holds: until the first certificate or list of it ends (RFC 8446 section
 * 4.6.1: no longer than the authentication does).
 */
bool
tls_verify_stamp(SSL *ssl)
{
	const struct tls_verify *v = tls_verify_of(ssl);

	if (v == NULL || SSL_session_reused(ssl) == 1)
		return true;
	return tls_verify_set_end(SSL_get_session(ssl),
	    tls_verify_session_end(ssl, v));
}

/* Of a server that is not verified no certificate can end. */
bool
tls_verify_stamp_server(const SSL *ssl, SSL_SESSION *session)
{
	const int64_t *lists = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl),
	    tls_verify_lists_index());

	if (SSL_session_reused(ssl) == 1)
		return tls_verify_end_of(session) != 0;
	if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
		return tls_verify_set_end(session, INT64_MAX);
	return tls_verify_set_end(session, tls_verify_earlier(
	    tls_verify_until(ssl), lists != NULL ? *lists : INT64_MAX));
}

bool
tls_verify_may_resume(const SSL *ssl, SSL_SESSION *session)
{
	return tls_verify_of(ssl) == NULL ||
	    tls_verify_end_of(session) > clock_wall();
}

/* ---- requests ---------------------------------------------------------- */

static bool
tls_verify_is_same(const struct tls_verify *a, const struct tls_verify *b)
{
	return a == b || (a != NULL && b != NULL &&
	    memcmp(a->id, b->id, sizeof a->id) == 0);
}

enum tls_verdict
tls_verify_judge(const struct tls_stream *s, const struct tls_context *site)
{
	const struct tls_verify *v = site != NULL ? site->verify : NULL;
	const SSL *ssl;

	if (s == NULL)
		return TLS_CLIENT_GOOD;
	ssl = tls_stream_ssl(s);
	if (!tls_verify_is_same(v, tls_verify_of(ssl)))
		return TLS_CLIENT_ELSEWHERE;
	if (v == NULL)
		return TLS_CLIENT_GOOD;
	if (SSL_get0_peer_certificate(ssl) == NULL)
		return v->mode == TLS_VERIFY_REQUIRED ? TLS_CLIENT_MISSING :
		    TLS_CLIENT_GOOD;
	return tls_verify_lets_pass(v, (int)SSL_get_verify_result(ssl)) ?
	    TLS_CLIENT_GOOD : TLS_CLIENT_REFUSED;
}

const char *
tls_verify_problem(const struct tls_stream *s)
{
	long problem = SSL_get_verify_result(tls_stream_ssl(s));

	return problem != X509_V_OK ? X509_verify_cert_error_string(problem) :
	    NULL;
}
