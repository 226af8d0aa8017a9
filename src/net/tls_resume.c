/*
 * Sessions towards servers: one is kept, the newest, and offered to as many
 * connections as are made until another comes. Tickets of TLS 1.3 ought to be
 * used once, so that nobody on the way can tell whose connections belong
 * together (RFC 8446 appendix C.4): between a proxy and its upstream there is
 * nothing to be told, and a burst of connections would use up any small store.
 *
 * OpenSSL does not verify a resumed session again. So a session is bound to the
 * context that made it, which its owner sees to, and it ends with the first
 * certificate or revocation list that was verified for it.
 */
#include "net/tls_resume.h"

#include "base/clock.h"
#include "net/tls_context.h"

#include <openssl/err.h>

void
tls_resume_drop(struct tls_resume *r)
{
	SSL_SESSION_free(r->session);
	r->session = NULL;
}

static bool
tls_resume_is_good(SSL_SESSION *session)
{
	int64_t now = clock_wall();

	return SSL_SESSION_is_resumable(session) == 1 &&
	    (int64_t)SSL_SESSION_get_time(session) +
	        (int64_t)SSL_SESSION_get_timeout(session) > now &&
	    tls_verify_end_of(session) > now;
}

/* 1: the session is ours now. */
static int
tls_resume_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_resume *r = SSL_get_app_data(ssl);

	if (r == NULL || !tls_verify_stamp_server(ssl, session))
		return 0;
	tls_resume_drop(r);
	r->session = session;
	return 1;
}

void
tls_resume_use(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, tls_resume_on_session);
}

void
tls_resume_offer(struct tls_resume *r, struct tls_stream *s)
{
	SSL *ssl;

	if (s == NULL)
		return;
	ssl = tls_stream_ssl(s);
	if (r->session != NULL && (!tls_resume_is_good(r->session) ||
	    SSL_set_session(ssl, r->session) != 1))
		tls_resume_drop(r);
	/* Without room for this it goes without a session. */
	(void)SSL_set_app_data(ssl, r);
	ERR_clear_error();
}

void
tls_resume_settle(struct tls_resume *r, const struct tls_stream *s)
{
	const SSL *ssl;

	if (s == NULL)
		return;
	ssl = tls_stream_ssl(s);
	/* TLS 1.2 has given another by now, TLS 1.3 is about to. */
	if (SSL_session_reused(ssl) != 1 && r->session != SSL_get_session(ssl))
		tls_resume_drop(r);
}
