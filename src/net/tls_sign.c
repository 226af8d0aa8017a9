/*
 * Slow private keys. A signature with an RSA key of 4096 bits takes 4 ms and
 * cannot be divided: made in the loop, a few clients who do nothing but shake
 * hands hold up everybody else. So the RSA method of such keys hands it to a
 * thread and pauses the fibre that OpenSSL runs the handshake in
 * (ASYNC_start_job(3)).
 *
 * tests/bench/signing has 16 clients who shake hands without a pause, and 20
 * others who ask on kept connections. With one worker on one processor, for
 * which loop and thread compete, made in the loop / in the thread:
 *
 *              handshakes/s   others' p50      p99          ticks above 2 ms
 *   RSA 4096   221  / 213     2.5  / 0.12 ms   5.4 / 0.4    94  / 0.04 %
 *   RSA 3072   454  / 428     1.2  / 0.12 ms   5.6 / 1.4    79  / 0.05 %
 *   RSA 2048   1182 / 1085    0.9  / 0.18 ms   4.3 / 3.7     5  / 0.3 %
 *
 * One thread, since there is one processor for it at best, and of low priority,
 * lest it keep that while the loop has something to do: with an equal one there
 * are twenty times as many ticks above 2 ms.
 *
 * Lives in the process that shakes hands, from the first such handshake on.
 */
/* Methods of RSA are older than providers, and all that there is to hook into
 * short of a provider that does all of RSA anew. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "net/tls_sign.h"

#include "base/log.h"
#include "base/panic.h"
#include "net/handshake.h"

#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define TLS_SIGN_MAGIC 0x7157516Eu

/*
 * Up to here the loop signs by itself: 0.3 ms with 2048 bits are well within
 * what handshakes may take of a tick, and the way to the thread and back would
 * cost one in eleven of them. No elliptic curve takes 1 ms.
 */
#define TLS_SIGN_BITS 2048

/* Fibres that wait at once; each has a stack of 32 KiB, and OpenSSL keeps them
 * for others. Whoever comes then waits without one. */
#define TLS_SIGN_FIBRES 32

/* Above the loop's, and yet a tenth of a processor that has enough to do. */
#define TLS_SIGN_NICE 10

enum tls_sign_state {
	SIGN_READY,   /* for a step */
	SIGN_WAITING, /* for others' fibres, in the signer's list */
	SIGN_PAUSED,  /* until the thread is through */
	SIGN_DONE,    /* ready, and its fibre has to be resumed */
	SIGN_OVER
};

/* Of the process. */
struct tls_signer {
	struct pool *pool;
	struct pool_stats stats;
	struct net_stats *net_stats;
	struct list waiting;
	size_t n_paused;
	atomic_bool is_ending;
};

typedef int tls_sign_fn(int n, const unsigned char *from, unsigned char *to,
    RSA *rsa, int padding);

struct tls_sign {
	uint32_t magic;
	enum tls_sign_state state;
	struct tls_signer *signer;
	struct conn *conn; /* NULL: gone */
	SSL *ssl;
	struct list link;
	/* The operation. What it points to lies in the fibre or belongs to
	 * it, which stands still. */
	struct job job;
	tls_sign_fn *fn;
	int n, padding, result;
	const unsigned char *from;
	unsigned char *to;
	RSA *rsa;
};

/* Whose step it is: a method is not told. */
static struct tls_sign *stepping;

/* ---- in the thread ----------------------------------------------------- */

static void
tls_sign_on_run(struct job *j)
{
	static _Thread_local bool is_nice;
	struct tls_sign *s = CONTAINER_OF(j, struct tls_sign, job);

	/* Of this thread alone, though POSIX says otherwise. */
	if (!is_nice)
		(void)setpriority(PRIO_PROCESS, 0, TLS_SIGN_NICE);
	is_nice = true;
	s->result = atomic_load(&s->signer->is_ending) ? -1 :
	    s->fn(s->n, s->from, s->to, s->rsa, s->padding);
	/* They would be this thread's for ever; the fibre says it failed. */
	ERR_clear_error();
}

/* ---- in the loop ------------------------------------------------------- */

/* Nobody is there any more: the fibre goes its way without the socket. */
static void
tls_sign_unwind(struct tls_sign *s)
{
	BIO *nowhere = BIO_new(BIO_s_null());

	SSL_set_bio(s->ssl, nowhere, nowhere);
	s->result = -1;
	tls_sign_enter(s);
	(void)SSL_do_handshake(s->ssl);
	tls_sign_leave(s);
	ASSERT(s->state == SIGN_OVER);
	SSL_free(s->ssl);
	ERR_clear_error();
	tls_sign_end(s);
}

/* When a fibre may have become free. */
static void
tls_sign_admit(struct tls_signer *signer)
{
	struct list *n;

	if (signer->n_paused >= TLS_SIGN_FIBRES)
		return;
	while ((n = list_pop_front(&signer->waiting)) != NULL) {
		struct tls_sign *s = LIST_ITEM(n, struct tls_sign, link);

		s->state = SIGN_READY;
		if (s->conn->closing)
			continue;
		handshake_queue(s->conn);
		return;
	}
}

static void
tls_sign_on_done(struct job *j)
{
	struct tls_sign *s = CONTAINER_OF(j, struct tls_sign, job);

	OBJ_CHECK(s, TLS_SIGN_MAGIC);
	s->state = SIGN_DONE;
	s->signer->net_stats->tls_signed++;
	if (s->conn == NULL)
		tls_sign_unwind(s);
	else if (!s->conn->closing)
		handshake_queue(s->conn);
}

/* In a fibre, if it is a handshake's with a loop. */
static int
tls_sign_pause(tls_sign_fn *fn, int n, const unsigned char *from,
    unsigned char *to, RSA *rsa, int padding)
{
	struct tls_sign *s = stepping;

	if (s == NULL || s->state == SIGN_OVER ||
	    ASYNC_get_current_job() == NULL)
		return fn(n, from, to, rsa, padding);
	s->fn = fn;
	s->n = n;
	s->from = from;
	s->to = to;
	s->rsa = rsa;
	s->padding = padding;
	s->job = (struct job){
		.name = "sign", .run = tls_sign_on_run,
		.done = tls_sign_on_done
	};
	if (!pool_submit(s->signer->pool, &s->job))
		return fn(n, from, to, rsa, padding);
	s->state = SIGN_PAUSED;
	s->signer->n_paused++;
	(void)ASYNC_pause_job();
	s->signer->n_paused--;
	s->state = SIGN_OVER;
	return s->result;
}

/* ---- keys -------------------------------------------------------------- */

static int
tls_sign_on_encrypt(int n, const unsigned char *from, unsigned char *to,
    RSA *rsa, int padding)
{
	return tls_sign_pause(
	    RSA_meth_get_priv_enc(RSA_PKCS1_OpenSSL()), n, from, to, rsa,
	    padding);
}

/* NULL: no memory. */
static const RSA_METHOD *
tls_sign_method(void)
{
	static RSA_METHOD *m;

	if (m != NULL)
		return m;
	m = RSA_meth_dup(RSA_PKCS1_OpenSSL());
	if (m == NULL)
		return NULL;
	RSA_meth_set_priv_enc(m, tls_sign_on_encrypt);
	return m;
}

/* A key that a provider keeps to itself has no numbers to show. */
static EVP_PKEY *
tls_sign_wrap(RSA *rsa)
{
	const RSA_METHOD *m = tls_sign_method();
	EVP_PKEY *twin = EVP_PKEY_new();

	if (m != NULL && rsa != NULL && twin != NULL &&
	    RSA_get0_d(rsa) != NULL && RSA_set_method(rsa, m) == 1 &&
	    EVP_PKEY_set1_RSA(twin, rsa) == 1)
		return twin;
	EVP_PKEY_free(twin);
	return NULL;
}

EVP_PKEY *
tls_sign_twin(EVP_PKEY *key)
{
	EVP_PKEY *twin;
	RSA *rsa;

	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(key) <= TLS_SIGN_BITS)
		return NULL;
	rsa = EVP_PKEY_get1_RSA(key);
	twin = tls_sign_wrap(rsa);
	RSA_free(rsa);
	ERR_clear_error();
	return twin;
}

/* ---- handshakes -------------------------------------------------------- */

static struct tls_signer *
tls_sign_signer(struct net *n)
{
	static struct log_limit limit = LOG_LIMIT(1);
	struct tls_signer *signer;
	struct err e;

	if (n->signer != NULL)
		return n->signer;
	signer = mem_zalloc(sizeof *signer);
	list_init(&signer->waiting);
	signer->net_stats = n->stats;
	signer->pool = pool_new(n->loop, 1, TLS_SIGN_FIBRES,
	    &signer->stats, &e);
	if (signer->pool == NULL) {
		log_limited(&limit, LOG_ERROR, "no thread for slow keys: %s",
		    e.text);
		mem_free(signer);
		return NULL;
	}
	n->signer = signer;
	return signer;
}

struct tls_sign *
tls_sign_new(struct conn *c, SSL *ssl)
{
	struct tls_signer *signer = tls_sign_signer(c->net);
	struct tls_sign *s;

	if (signer == NULL) {
		SSL_clear_mode(ssl, SSL_MODE_ASYNC);
		return NULL;
	}
	s = mem_zalloc(sizeof *s);
	s->magic = TLS_SIGN_MAGIC;
	s->state = SIGN_READY;
	s->signer = signer;
	s->conn = c;
	s->ssl = ssl;
	list_init(&s->link);
	SSL_set_mode(ssl, SSL_MODE_ASYNC);
	return s;
}

bool
tls_sign_may_step(struct tls_sign *s)
{
	OBJ_CHECK(s, TLS_SIGN_MAGIC);
	switch (s->state) {
	case SIGN_PAUSED:
		return false;
	case SIGN_DONE:
	case SIGN_OVER:
		return true;
	case SIGN_READY:
	case SIGN_WAITING:
		break;
	}
	list_remove(&s->link);
	s->state = SIGN_READY;
	if (s->signer->n_paused < TLS_SIGN_FIBRES)
		return true;
	s->state = SIGN_WAITING;
	list_push_back(&s->signer->waiting, &s->link);
	return false;
}

void
tls_sign_enter(struct tls_sign *s)
{
	OBJ_CHECK(s, TLS_SIGN_MAGIC);
	stepping = s;
}

void
tls_sign_leave(struct tls_sign *s)
{
	stepping = NULL;
	if (s->state != SIGN_PAUSED)
		tls_sign_admit(s->signer);
}

bool
tls_sign_is_over(const struct tls_sign *s)
{
	return s->state == SIGN_OVER;
}

void
tls_sign_end(struct tls_sign *s)
{
	OBJ_CHECK(s, TLS_SIGN_MAGIC);
	ASSERT(s->state == SIGN_READY || s->state == SIGN_OVER);
	/* What follows needs no fibre. */
	if (s->conn != NULL)
		SSL_clear_mode(s->ssl, SSL_MODE_ASYNC);
	s->magic = 0;
	mem_free(s);
}

void
tls_sign_abandon(struct tls_sign *s)
{
	OBJ_CHECK(s, TLS_SIGN_MAGIC);
	s->conn = NULL;
	switch (s->state) {
	case SIGN_PAUSED:
		return; /* tls_sign_on_done sees to it */
	case SIGN_DONE:
		tls_sign_unwind(s);
		return;
	case SIGN_READY:
	case SIGN_WAITING:
	case SIGN_OVER:
		break;
	}
	list_remove(&s->link);
	if (s->state == SIGN_READY)
		tls_sign_admit(s->signer); /* it may have been let in */
	s->state = SIGN_OVER;
	SSL_free(s->ssl);
	tls_sign_end(s);
}

void
tls_sign_stop(struct net *n)
{
	if (n->signer == NULL)
		return;
	atomic_store(&n->signer->is_ending, true);
	pool_end(n->signer->pool);
	ASYNC_cleanup_thread();
	mem_free(n->signer);
	n->signer = NULL;
}
