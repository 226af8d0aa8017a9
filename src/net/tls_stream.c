/*
 * TLS over one connection, which owns it. OpenSSL reads from and writes to
 * memory by a BIO of ours: ciphertext is handed out of the process's scratch
 * page, and records gather there until they leave together. Between two calls
 * a stream holds only what could not be passed on. It closes nothing and logs
 * nothing; why it failed is told to who asks.
 */
#include "net/tls_stream.h"

#include "base/clock.h"
#include "base/panic.h"
#include "net/conn_socket.h"
#include "net/tls_context.h"
#include "net/tls_early.h"
#include "net/tls_record.h"
#include "net/tls_sign.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define TLS_STREAM_MAGIC 0x7157EA11u

/*
 * What is held of what OpenSSL says on its own account. The largest flight of
 * a handshake is a chain of certificates; beyond this it can only be a peer
 * that asks for key updates without end and reads none.
 */
#define TLS_HELD_MAX 262144

struct tls_stream {
	uint32_t magic;
	uint8_t end; /* enum tls_step, TLS_DONE: it goes on */
	uint8_t refusal; /* enum tls_refusal */
	bool is_server : 1;
	bool is_composing : 1; /* the scratch page holds what we write */
	bool has_eof : 1;      /* the socket's end was seen */
	bool has_failed : 1;   /* the socket itself failed */
	bool has_sent_close : 1;
	bool has_early : 1; /* there is a struct tls_early */
	struct conn *conn;
	SSL *ssl;
	struct tls_sign *sign; /* NULL: no slow key is to be waited for */
	/* AT..END of the scratch page: ciphertext that was read, or (from 0)
	 * records to be sent. Valid within a call only. */
	uint32_t at, fill;
	uint32_t room; /* for plaintext: how much it is worth to read */
	struct tls_record record;
	struct leftover in, out;
	char *name;    /* the client's, lower case; NULL: none */
	char *failure; /* NULL: none yet */
};

/* ---- failures ---------------------------------------------------------- */

static void
tls_stream_fail(struct tls_stream *s, enum tls_step end, const char *what,
    const char *detail)
{
	size_t n = strlen(what) + strlen(detail) + 1;

	s->end = (uint8_t)end;
	mem_free(s->failure);
	s->failure = mem_alloc(n);
	memcpy(s->failure, what, strlen(what));
	memcpy(s->failure + strlen(what), detail, strlen(detail) + 1);
}

/* What OpenSSL says too tersely for an operator's log. */
static const struct {
	int reason;
	const char *words;
} tls_stream_reasons[] = {
	{SSL_R_HTTP_REQUEST, "the client speaks HTTP without TLS"},
	{SSL_R_HTTPS_PROXY_REQUEST, "the client speaks HTTP without TLS"},
	{SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "no version of TLS in common"},
	{SSL_R_NO_SHARED_CIPHER, "no cipher in common"},
	{SSL_R_NO_APPLICATION_PROTOCOL, "no application protocol in common"},
	{SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
	    "a record was tampered with"},
};

/* RFC 8446 section 6: an alert is named by its number above this. */
#define TLS_ALERTS SSL_AD_REASON_OFFSET

static void
tls_stream_explain_error(struct tls_stream *s, unsigned long e)
{
	int reason = ERR_GET_REASON(e);
	const char *words = ERR_reason_error_string(e);

	if (ERR_GET_LIB(e) != ERR_LIB_SSL) {
		tls_stream_fail(s, TLS_BROKEN,
		    words != NULL ? words : "OpenSSL does not say why", "");
		return;
	}
	for (size_t i = 0; i < COUNT_OF(tls_stream_reasons); i++)
		if (tls_stream_reasons[i].reason == reason) {
			tls_stream_fail(s, TLS_BROKEN,
			    tls_stream_reasons[i].words, "");
			return;
		}
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED &&
	    s->refusal == TLS_REFUSED_BY_US)
		s->end = TLS_BROKEN; /* tls_stream_note_refusal has said why */
	else if (reason == SSL_R_CALLBACK_FAILED)
		tls_stream_fail(s, TLS_BROKEN, s->name != NULL ?
		    "no site here has the name " :
		    "the client names no site, and none is the default",
		    s->name != NULL ? s->name : "");
	else if (reason > TLS_ALERTS) {
		s->refusal = TLS_REFUSED_BY_PEER;
		tls_stream_fail(s, TLS_BROKEN, "the peer refuses: ",
		    SSL_alert_desc_string_long(reason - TLS_ALERTS));
	} else
		tls_stream_fail(s, TLS_BROKEN,
		    words != NULL ? words : "OpenSSL does not say why", "");
}

/*
 * The end of the connection without a close_notify. A client that goes away
 * like that has all it wanted. A server must say that its response is whole,
 * else anybody on the way could cut it short (RFC 9112 section 9.8). An end
 * within a record or within the handshake is one that nobody meant.
 */
static void
tls_stream_explain_eof(struct tls_stream *s)
{
	if (SSL_in_init(s->ssl))
		tls_stream_fail(s, TLS_CLOSED,
		    "the peer closed during the handshake", "");
	else if (SSL_has_pending(s->ssl) == 1 ||
	    strcmp(SSL_rstate_string(s->ssl), "RB") == 0)
		tls_stream_fail(s, TLS_BROKEN,
		    "the peer closed within a record", "");
	else if (s->is_server)
		tls_stream_fail(s, TLS_CLOSED, "the peer closed", "");
	else
		tls_stream_fail(s, TLS_BROKEN,
		    "the peer closed without close_notify", "");
}

/* After an operation of OpenSSL that gave RC, which is not success. */
static enum tls_step
tls_stream_explain(struct tls_stream *s, int rc)
{
	int error = SSL_get_error(s->ssl, rc);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_ASYNC ||
	    error == SSL_ERROR_WANT_CLIENT_HELLO_CB)
		return TLS_AGAIN;
	if (s->has_failed)
		tls_stream_fail(s, TLS_BROKEN, conn_failure(s->conn), "");
	else if (error == SSL_ERROR_ZERO_RETURN && s->has_eof)
		tls_stream_explain_eof(s);
	else if (error == SSL_ERROR_ZERO_RETURN)
		tls_stream_fail(s, TLS_CLOSED, "the peer closed", "");
	else
		tls_stream_explain_error(s, ERR_peek_error());
	ERR_clear_error();
	return (enum tls_step)s->end;
}

/* ---- towards the socket ------------------------------------------------ */

/* Sends what IOV holds or keeps it; false when the socket failed. */
static bool
tls_stream_send(struct tls_stream *s, const struct iovec *iov, int n_iov)
{
	size_t sent = 0;

	switch (conn_socket_write(s->conn, iov, n_iov, 0, &sent)) {
	case CONN_OK:
		break;
	case CONN_AGAIN:
		sent = 0;
		break;
	case CONN_EOF:
	case CONN_FAILED:
		s->has_failed = true;
		return false;
	}
	for (int i = 0; i < n_iov; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		leftover_put(s->conn->net, &s->out,
		    (const char *)iov[i].iov_base + skip,
		    iov[i].iov_len - skip);
		sent -= skip;
	}
	return true;
}

/* A record that OpenSSL made. */
static bool
tls_stream_put(struct tls_stream *s, const char *p, size_t n)
{
	struct net *net = s->conn->net;
	struct iovec iov[2];

	if (!s->is_composing || leftover_len(&s->out) > 0) {
		if (!s->is_composing &&
		    leftover_len(&s->out) + n > TLS_HELD_MAX)
			return false;
		leftover_put(net, &s->out, p, n);
		return true;
	}
	if (n <= NET_SCRATCH - s->fill) {
		memcpy(net->tls + s->fill, p, n);
		s->fill += (uint32_t)n;
		return true;
	}
	/* The record that does not fit any more goes along uncopied: 64 KiB
	 * of plaintext leave in one call. */
	iov[0] = (struct iovec){net->tls, s->fill};
	iov[1] = (struct iovec){(char *)(uintptr_t)p, n};
	s->fill = 0;
	return tls_stream_send(s, iov, 2);
}

/* ---- from the socket --------------------------------------------------- */

/*
 * No more is read than there is room for as plaintext, which is never longer:
 * what is left over then is part of a record at most.
 */
static enum conn_status
tls_stream_fetch(struct tls_stream *s)
{
	size_t want = s->room, n = 0;
	enum conn_status st;

	if (want < NET_PAGE)
		want = NET_PAGE;
	if (want > NET_SCRATCH)
		want = NET_SCRATCH;
	/* A short read has drained the socket; asking again would cost a
	 * system call to hear the same. */
	if (!s->conn->can_read)
		return CONN_AGAIN;
	st = conn_socket_read(s->conn, s->conn->net->tls, want, &n);
	s->at = 0;
	s->fill = st == CONN_OK ? (uint32_t)n : 0;
	return st;
}

static size_t
tls_stream_get(struct tls_stream *s, char *p, size_t cap)
{
	size_t n = leftover_len(&s->in);

	if (n > 0) {
		n = n < cap ? n : cap;
		memcpy(p, s->in.p + s->in.at, n);
		leftover_take(s->conn->net, &s->in, n);
		return n;
	}
	n = s->fill - s->at;
	n = n < cap ? n : cap;
	if (n > 0)
		memcpy(p, s->conn->net->tls + s->at, n);
	s->at += (uint32_t)n;
	return n;
}

/* The scratch page is anybody's when we return. */
static void
tls_stream_keep(struct tls_stream *s)
{
	leftover_put(s->conn->net, &s->in, s->conn->net->tls + s->at,
	    s->fill - s->at);
	s->at = s->fill = 0;
}

static bool
tls_stream_has_input(const struct tls_stream *s)
{
	return s->at < s->fill || leftover_len(&s->in) > 0 ||
	    SSL_pending(s->ssl) > 0;
}

/* ---- the BIO ----------------------------------------------------------- */

static struct tls_stream *
tls_stream_of(BIO *bio)
{
	struct tls_stream *s = BIO_get_data(bio);

	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	return s;
}

static int
tls_stream_on_write(BIO *bio, const char *p, int n)
{
	BIO_clear_retry_flags(bio);
	return tls_stream_put(tls_stream_of(bio), p, (size_t)n) ? n : -1;
}

static int
tls_stream_on_read(BIO *bio, char *p, int cap)
{
	struct tls_stream *s = tls_stream_of(bio);
	size_t n;

	BIO_clear_retry_flags(bio);
	/* While we write, the scratch page is full of records. */
	if (s->is_composing) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = tls_stream_get(s, p, (size_t)cap);
	if (n > 0)
		return (int)n;

	switch (tls_stream_fetch(s)) {
	case CONN_OK:
		return (int)tls_stream_get(s, p, (size_t)cap);
	case CONN_AGAIN:
		BIO_set_retry_read(bio);
		return -1;
	case CONN_EOF:
		s->has_eof = true;
		return 0;
	case CONN_FAILED:
		break;
	}
	s->has_failed = true;
	return -1;
}

static long
tls_stream_on_ctrl(BIO *bio, int what, long n, void *p)
{
	(void)n;
	(void)p;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return tls_stream_of(bio)->has_eof;
	default:
		return 0;
	}
}

/*
 * One BIO serves all streams of the process, as only one of them is at work at
 * a time: a BIO of its own with its lock would cost each connection 216 bytes
 * for a pointer. NULL: no memory.
 */
static BIO *
tls_stream_bio(void)
{
	static BIO *bio;
	BIO_METHOD *m;

	if (bio != NULL)
		return bio;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
	if (m == NULL)
		return NULL;
	BIO_meth_set_write(m, tls_stream_on_write);
	BIO_meth_set_read(m, tls_stream_on_read);
	BIO_meth_set_ctrl(m, tls_stream_on_ctrl);
	bio = BIO_new(m);
	if (bio == NULL)
		BIO_meth_free(m);
	else
		BIO_set_init(bio, 1);
	return bio;
}

/* Before every call of OpenSSL that may move bytes. What earlier calls left in
 * the queue of errors would be taken for this one's. */
static void
tls_stream_enter(struct tls_stream *s)
{
	BIO_set_data(tls_stream_bio(), s);
	/* Clearing touches every slot of the queue, looking only one. */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* ---- begin and end ----------------------------------------------------- */

static bool
tls_stream_is_ip(const char *name)
{
	uint8_t ip[16];

	return inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1;
}

/* RFC 6066 section 3: an address is no name to ask for, but a certificate may
 * be for it. */
static bool
tls_stream_set_server(struct tls_stream *s, const struct tls_context *ctx,
    const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	bool is_ip = name != NULL && tls_stream_is_ip(name);
	bool is_name = name != NULL && name[0] != '\0' && !is_ip &&
	    strncmp(name, "unix:", 5) != 0;

	if (is_name && SSL_set_tlsext_host_name(s->ssl, name) != 1)
		return false;
	if (!ctx->is_verifying || name == NULL)
		return true;
	/* RFC 9525 section 6.3: a wildcard is a whole label; section 2: names
	 * stand in the extension for them, a common name is none. */
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 :
	    X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

static bool
tls_stream_set_client(struct tls_stream *s, const struct tls_context *ctx)
{
	/*
	 * One ticket, not the two that OpenSSL would send: it costs a tenth
	 * of a handshake, a browser that speaks HTTP/2 comes back on one
	 * connection, and every resumption brings a fresh one. Without a key
	 * none may be begun: OpenSSL 3.0 would send one that is malformed.
	 */
	bool has_key = tls_ticket_is_ready();

	if (!has_key)
		SSL_set_options(s->ssl, SSL_OP_NO_TICKET);
	return SSL_set_num_tickets(s->ssl, has_key ? 1 : 0) == 1 &&
	    SSL_set_session_id_context(s->ssl, ctx->site, TLS_SITE_ID) == 1;
}

/* It hangs on the SSL: a pointer here would cost every connection 16 bytes. */
static bool
tls_stream_expect_early(struct tls_stream *s)
{
	struct tls_early *early = tls_early_new(s->conn);

	s->has_early = SSL_set_app_data(s->ssl, early) == 1;
	if (!s->has_early)
		tls_early_end(early);
	return s->has_early;
}

static void
tls_stream_end_early(struct tls_stream *s)
{
	tls_early_end(tls_stream_early(s));
	s->has_early = false;
}

struct tls_early *
tls_stream_early(const struct tls_stream *s)
{
	return s->has_early ? SSL_get_app_data(s->ssl) : NULL;
}

struct tls_stream *
tls_stream_new(struct conn *c, struct tls_context *ctx, const char *name,
    bool is_server)
{
	struct tls_stream *s = mem_zalloc(sizeof *s);
	BIO *bio = tls_stream_bio();

	s->magic = TLS_STREAM_MAGIC;
	s->conn = c;
	s->is_server = is_server;
	tls_record_init(&s->record, is_server);
	s->ssl = SSL_new(ctx->ssl);
	if (bio == NULL || s->ssl == NULL || BIO_up_ref(bio) != 1)
		goto fail;
	SSL_set_bio(s->ssl, bio, bio);
	if (!tls_context_show(s->ssl, ctx, STR("")))
		goto fail;
	if (ctx->early_data && !tls_stream_expect_early(s))
		goto fail;
	if (tls_context_is_slow(ctx))
		s->sign = tls_sign_new(c, s->ssl);
	if (is_server)
		SSL_set_accept_state(s->ssl);
	else
		SSL_set_connect_state(s->ssl);
	if (is_server ? tls_stream_set_client(s, ctx) :
	    tls_stream_set_server(s, ctx, name))
		return s;

fail:
	ERR_clear_error();
	tls_stream_end(s);
	return NULL;
}

void
tls_stream_end(struct tls_stream *s)
{
	if (s == NULL)
		return;
	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	/* An end without close_notify is no reason any more not to resume the
	 * session (RFC 5246 section 7.2.1), but OpenSSL takes it for one. */
	if (s->ssl != NULL)
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN);
	tls_stream_end_early(s);
	if (s->sign != NULL)
		tls_sign_abandon(s->sign);
	else
		SSL_free(s->ssl);
	leftover_free(s->conn->net, &s->in);
	leftover_free(s->conn->net, &s->out);
	mem_free(s->name);
	mem_free(s->failure);
	s->magic = 0;
	mem_free(s);
}

void
tls_stream_set_name(SSL *ssl, struct str name)
{
	struct tls_stream *s = tls_stream_of(SSL_get_rbio(ssl));

	/* A HelloRetryRequest brings a second ClientHello. */
	mem_free(s->name);
	s->name = NULL;
	if (name.n == 0)
		return;
	s->name = mem_alloc(name.n + 1);
	memcpy(s->name, name.p, name.n);
	s->name[name.n] = '\0';
}

/* Subjects are the peer's to make up: as long as they like. */
#define TLS_SUBJECT_MAX 200

void
tls_stream_note_refusal(SSL *ssl, const char *why, const X509 *x)
{
	struct tls_stream *s = tls_stream_of(SSL_get_rbio(ssl));
	const char *wanted = X509_VERIFY_PARAM_get0_host(SSL_get0_param(ssl),
	    0);
	char room[TLS_SUBJECT_MAX + 400];
	struct buf b = buf_fixed(room, sizeof room);
	BIO *bio = BIO_new(BIO_s_mem());
	char *subject = NULL;
	long n = 0;

	if (bio != NULL && x != NULL) {
		X509_NAME_print_ex(bio, X509_get_subject_name(x), 0,
		    XN_FLAG_RFC2253);
		n = BIO_get_mem_data(bio, &subject);
	}
	buf_printf(&b, "%s (%.*s", why,
	    (int)(n < TLS_SUBJECT_MAX ? n : TLS_SUBJECT_MAX), subject);
	if (n == 0)
		buf_z(&b, "no subject");
	buf_printf(&b, "%s%s)", wanted != NULL ? ", wanted " : "",
	    wanted != NULL ? wanted : "");
	buf_chr(&b, '\0');
	room[sizeof room - 1] = '\0'; /* if it was too much */
	BIO_free(bio);
	s->refusal = TLS_REFUSED_BY_US;
	tls_stream_fail(s, (enum tls_step)s->end,
	    "the certificate is refused: ", room);
}

/* ---- moving bytes ------------------------------------------------------ */

/*
 * After an operation that OpenSSL may have answered to by itself. An alert of
 * a handshake that failed is worth sending, too.
 */
static enum tls_step
tls_stream_settle(struct tls_stream *s, enum tls_step step)
{
	/* The socket may be drained and yet there is something to be read. */
	if (tls_stream_has_input(s) || s->end != TLS_DONE)
		s->conn->can_read = true;
	tls_stream_keep(s);
	if (tls_stream_flush(s) || step == TLS_BROKEN || step == TLS_CLOSED)
		return step;
	tls_stream_fail(s, TLS_BROKEN, conn_failure(s->conn), "");
	return TLS_BROKEN;
}

static int
tls_stream_step(struct tls_stream *s)
{
	int rc;

	if (s->sign != NULL)
		tls_sign_enter(s->sign);
	rc = s->has_early ? tls_early_handshake(tls_stream_early(s), s->ssl) :
	    SSL_do_handshake(s->ssl);
	if (s->sign != NULL)
		tls_sign_leave(s->sign);
	return rc;
}

/*
 * OpenSSL comes back with the ClientHello, before it does anything with it,
 * when the key of that site is slow (tls_front.c): only then there is need of
 * a fibre, in whose 32 KiB of stack sites are better not looked for.
 */
static int
tls_stream_shake(struct tls_stream *s)
{
	int rc = tls_stream_step(s);

	if (rc != 1 && s->sign == NULL && SSL_want_client_hello_cb(s->ssl)) {
		s->sign = tls_sign_new(s->conn, s->ssl);
		if (s->sign == NULL || tls_sign_may_step(s->sign))
			rc = tls_stream_step(s);
	}
	if (s->sign != NULL && (rc == 1 || tls_sign_is_over(s->sign))) {
		tls_sign_end(s->sign);
		s->sign = NULL;
	}
	return rc;
}

enum tls_step
tls_stream_handshake(struct tls_stream *s)
{
	enum tls_step step = TLS_DONE;
	int rc;

	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	if (s->end != TLS_DONE)
		return (enum tls_step)s->end;
	if (s->sign != NULL && !tls_sign_may_step(s->sign))
		return TLS_AGAIN;
	tls_stream_enter(s);
	s->room = 0;
	rc = tls_stream_shake(s);
	if (rc != 1)
		step = tls_stream_explain(s, rc);
	else if (s->is_server && SSL_get_early_data_status(s->ssl) ==
	    SSL_EARLY_DATA_REJECTED)
		s->conn->net->stats->tls_early_refused++;
	return tls_stream_settle(s, step);
}

/* False: there is none. More may follow, of it or behind it. */
static bool
tls_stream_read_early(struct tls_stream *s, void *p, size_t cap, size_t *n)
{
	*n = tls_early_take(tls_stream_early(s), p, cap);
	if (*n > 0)
		s->conn->can_read = true;
	else if (!s->conn->is_early)
		tls_stream_end_early(s);
	s->conn->reads_early = *n > 0;
	return *n > 0;
}

/*
 * One record is not enough while more of them wait in the scratch page: they
 * would have to be put aside and fetched back one by one.
 */
enum tls_step
tls_stream_read(struct tls_stream *s, void *p, size_t cap, size_t *n)
{
	enum tls_step step = TLS_DONE;
	size_t got;
	int rc;

	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	ASSERT(cap > 0);
	*n = 0;
	if (s->end != TLS_DONE)
		return (enum tls_step)s->end;
	if (s->has_early && tls_stream_read_early(s, p, cap, n))
		return TLS_DONE;
	if (s->conn->is_early)
		return TLS_AGAIN;
	tls_stream_enter(s);
	do {
		s->room = (uint32_t)(cap - *n);
		rc = SSL_read_ex(s->ssl, (char *)p + *n, s->room, &got);
		if (rc == 1)
			*n += got;
	} while (rc == 1 && *n < cap && tls_stream_has_input(s));
	if (rc != 1)
		step = tls_stream_explain(s, rc);
	step = tls_stream_settle(s, step);
	/* What came before the end is told first, the end the next time. */
	return *n > 0 ? TLS_DONE : step;
}

static int
tls_stream_encrypt(struct tls_stream *s, const char *p, size_t n)
{
	int rc = 1;

	for (size_t done = 0, part, taken; rc == 1 && done < n; done += part) {
		part = tls_record_part(&s->record, n - done);
		/* To who may have sent a replay (RFC 8446 section 4.2.10). */
		rc = s->conn->is_early ?
		    SSL_write_early_data(s->ssl, p + done, part, &taken) :
		    SSL_write_ex(s->ssl, p + done, part, &taken);
		ASSERT(rc != 1 || taken == part);
	}
	return rc;
}

enum tls_step
tls_stream_write(struct tls_stream *s, const void *p, size_t n)
{
	struct iovec iov = {.iov_base = s->conn->net->tls};
	int rc;

	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	if (s->end == TLS_BROKEN)
		return TLS_BROKEN;
	if (n == 0)
		return TLS_DONE;
	/* What is held will never leave, and more would only join it. */
	if (s->has_failed) {
		tls_stream_fail(s, TLS_BROKEN, "the connection is broken", "");
		return TLS_BROKEN;
	}
	tls_stream_enter(s);
	s->is_composing = true;
	s->at = s->fill = 0;
	tls_record_begin(&s->record, clock_ms());
	rc = tls_stream_encrypt(s, p, n);
	iov.iov_len = s->fill;
	s->is_composing = false;
	s->fill = 0;
	if (rc == 1 && (iov.iov_len == 0 || tls_stream_send(s, &iov, 1)))
		return TLS_DONE;
	if (rc == 1 || tls_stream_explain(s, rc) == TLS_AGAIN)
		tls_stream_fail(s, TLS_BROKEN, s->has_failed ?
		    conn_failure(s->conn) : "a write had to wait", "");
	return TLS_BROKEN;
}

bool
tls_stream_flush(struct tls_stream *s)
{
	struct conn *c = s->conn;

	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	while (leftover_len(&s->out) > 0) {
		struct iovec iov = {
			s->out.p + s->out.at, leftover_len(&s->out)
		};
		size_t n = 0;

		switch (conn_socket_write(c, &iov, 1, 0, &n)) {
		case CONN_OK:
			leftover_take(c->net, &s->out, n);
			break;
		case CONN_AGAIN:
			return true;
		case CONN_EOF:
		case CONN_FAILED:
			s->has_failed = true;
			return false;
		}
	}
	return !s->has_failed;
}

bool
tls_stream_is_flushed(const struct tls_stream *s)
{
	return leftover_len(&s->out) == 0;
}

void
tls_stream_close_notify(struct tls_stream *s)
{
	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	if (s->end == TLS_BROKEN || s->has_sent_close || s->has_failed ||
	    s->conn->is_early || SSL_in_init(s->ssl))
		return;
	s->has_sent_close = true;
	tls_stream_enter(s);
	SSL_shutdown(s->ssl);
	ERR_clear_error();
	tls_stream_flush(s);
}

/* ---- what was agreed on ------------------------------------------------ */

const char *
tls_stream_failure(const struct tls_stream *s)
{
	return s->failure != NULL ? s->failure : "";
}

enum tls_refusal
tls_stream_refusal(const struct tls_stream *s)
{
	return (enum tls_refusal)s->refusal;
}

struct str
tls_stream_name(const struct tls_stream *s)
{
	return str_from(s->name != NULL ? s->name : "");
}

bool
tls_stream_covers(const struct tls_stream *s, struct str host)
{
	/* Of another kind of key there may be one that is for more. */
	X509 *certificate = SSL_get_certificate(s->ssl);

	return certificate != NULL && host.n > 0 &&
	    X509_check_host(certificate, host.p, host.n,
	        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

SSL *
tls_stream_ssl(const struct tls_stream *s)
{
	OBJ_CHECK(s, TLS_STREAM_MAGIC);
	return s->ssl;
}

const char *
tls_stream_version(const struct tls_stream *s)
{
	return SSL_get_version(s->ssl);
}

const char *
tls_stream_cipher(const struct tls_stream *s)
{
	const char *name = SSL_get_cipher_name(s->ssl);

	return name != NULL ? name : "";
}

bool
tls_stream_is_resumed(const struct tls_stream *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

/* This one function gives 0 when it worked. */
bool
tls_stream_offer(struct tls_stream *s, struct str alpn)
{
	return SSL_set_alpn_protos(s->ssl, (const unsigned char *)alpn.p,
	    (unsigned)alpn.n) == 0;
}

struct str
tls_stream_alpn(const struct tls_stream *s)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(s->ssl, &p, &n);
	return str_of(n > 0 ? (const char *)p : "", n);
}
