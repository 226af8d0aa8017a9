/*
 * Where the handshakes of an address begin: the ClientHello is looked at before
 * anything is agreed on, and the site that it names takes over with its
 * versions, its ciphers and its certificates. Lives as long as its generation.
 */
#include "net/tls_context.h"
#include "net/tls_early.h"

#include <openssl/err.h>

struct tls_front {
	struct tls_context context;
	tls_choose_fn *choose;
	void *arg;
};

enum tls_front_name { TLS_NAME_NONE, TLS_NAME_GIVEN, TLS_NAME_BAD };

/*
 * The extension of RFC 6066 section 3: a list of names with their types, of
 * which there is one type, so one entry is all that is ever sent. NAME has
 * room for 255 bytes.
 */
static enum tls_front_name
tls_front_read_name(const unsigned char *p, size_t n, char *name, size_t *len)
{
	size_t list, host;

	if (n < 5)
		return TLS_NAME_BAD;
	list = (size_t)p[0] << 8 | p[1];
	host = (size_t)p[3] << 8 | p[4];
	if (list != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name ||
	    host != n - 5 || host == 0 || host > TLSEXT_MAXLEN_host_name ||
	    memchr(p + 5, '\0', host) != NULL)
		return TLS_NAME_BAD;
	for (size_t i = 0; i < host; i++)
		name[i] = chr_lower((char)p[5 + i]);
	/* "HostName" has no trailing dot, but is sent with one. */
	*len = name[host - 1] == '.' ? host - 1 : host;
	return TLS_NAME_GIVEN;
}

static enum tls_front_name
tls_front_find_name(SSL *ssl, char *name, size_t *len)
{
	const unsigned char *p;
	size_t n;

	*len = 0;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n)
	    != 1)
		return TLS_NAME_NONE;
	return tls_front_read_name(p, n, name, len);
}

/*
 * OpenSSL would keep what it knows of a session here and use it once, which no
 * other worker could do; RFC 8446 section 8 asks for less where only what may
 * be done twice is done early.
 */
static bool
tls_front_let_early(SSL *ssl)
{
	SSL_set_options(ssl, SSL_OP_NO_ANTI_REPLAY);
	return SSL_set_max_early_data(ssl, TLS_EARLY_MAX) == 1;
}

/* SSL_set_SSL_CTX alone brings ciphers, signature algorithms and callbacks
 * over, but neither versions nor groups, nor whether the client is asked, nor
 * what sessions belong to. */
static bool
tls_front_switch(SSL *ssl, const struct tls_context *to, struct str name)
{
	SSL_CTX *ctx = to->ssl;

	tls_verify_switch(ssl, ctx);
	if (SSL_set_SSL_CTX(ssl, ctx) == NULL ||
	    SSL_set_min_proto_version(ssl,
	    (int)SSL_CTX_get_min_proto_version(ctx)) != 1 ||
	    SSL_set_max_proto_version(ssl,
	    (int)SSL_CTX_get_max_proto_version(ctx)) != 1)
		return false;
	if (to->early_data && !tls_front_let_early(ssl))
		return false;
	if (to->groups != NULL &&
	    SSL_set1_groups_list(ssl, to->groups) != 1)
		return false;
	return tls_context_show(ssl, to, name) &&
	    SSL_set_session_id_context(ssl, to->site, TLS_SITE_ID) == 1;
}

static int
tls_front_on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct tls_front *front = arg;
	const struct tls_context *to;
	char name[TLSEXT_MAXLEN_host_name];
	size_t len;

	if (tls_front_find_name(ssl, name, &len) == TLS_NAME_BAD) {
		*alert = SSL_AD_DECODE_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	tls_stream_set_name(ssl, str_of(name, len));
	to = front->choose(front->arg, str_of(name, len));
	if (to == NULL) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!tls_front_switch(ssl, to, str_of(name, len))) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	/* The site's context has no such callback: it is not asked again. */
	return tls_context_is_slow(to) ? SSL_CLIENT_HELLO_RETRY :
	    SSL_CLIENT_HELLO_SUCCESS;
}

/* The name was of use, which is to be acknowledged (RFC 6066 section 3). */
static int
tls_front_on_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ?
	    SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void
tls_front_on_end(void *ctx)
{
	SSL_CTX_free(ctx);
}

struct tls_context *
tls_context_front(struct arena *a, tls_choose_fn *choose, void *arg,
    struct err *e)
{
	struct tls_front *f = arena_zalloc(a, sizeof *f);
	SSL_CTX *ctx = tls_context_open(TLS_server_method());

	if (ctx == NULL || !tls_ticket_use(ctx)) {
		SSL_CTX_free(ctx);
		err_set(e, "OpenSSL cannot be set up: %s", tls_context_why());
		return NULL;
	}
	arena_on_end(a, tls_front_on_end, ctx);
	f->choose = choose;
	f->arg = arg;
	f->context.ssl = ctx;
	/* What is not read is passed over, small records with their overhead
	 * included: a ticket may be of a time when it would have been. */
	SSL_CTX_set_recv_max_early_data(ctx, 2 * TLS_EARLY_MAX);
	SSL_CTX_set_client_hello_cb(ctx, tls_front_on_hello, f);
	SSL_CTX_set_tlsext_servername_callback(ctx, tls_front_on_name);
	return &f->context;
}

void
tls_context_expect(struct tls_context *front, const struct tls_context *site)
{
	front->early_data |= site->early_data;
}
