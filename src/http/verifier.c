/*
 * The verifier of a worker. A hash takes tens of milliseconds by design, so it
 * is the pool's, and only part of the pool's: files are opened there, too, and
 * must not queue behind logins. Requests with the same credentials share one
 * computation, and what was right is remembered, under a key that this process
 * drew for itself and keeps; wrong guesses are not, lest they push the others
 * out. Neither the time nor the answer tells an unknown user from a wrong
 * password.
 *
 * A computation may outlive its requests and the verifier itself, which goes
 * when the last one is done.
 */
#include "http/verifier.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/panic.h"
#include "http/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define DIGEST 32 /* bytes of SHA-256 */
/* The memory: the bits of a digest choose a set, the oldest of it gives way. */
#define SETS 256
#define WAYS 4

struct memory {
	uint8_t digest[DIGEST];
	uint64_t until; /* clock_ms; 0: nothing */
};

struct check {
	struct job job;
	struct list link; /* queued or running */
	struct list asks;
	struct verifier *verifier;
	uint8_t digest[DIGEST];
	bool is_known, is_right;
	bool is_running;
	size_t size;    /* of all of it */
	char *password; /* behind the hash */
	char hash[];
};

struct verifier {
	struct pool *pool;
	struct verifier_stats *stats;
	uint8_t key[DIGEST];
	bool has_key; /* without one nothing is remembered or shared */
	bool is_ended;
	unsigned n_running, max_running, n_queued;
	struct list queued, running;
	struct memory memory[SETS][WAYS];
};

struct verifier *
verifier_new(struct pool *pool, struct verifier_stats *stats)
{
	struct verifier *v = mem_zalloc(sizeof *v);

	v->pool = pool;
	v->stats = stats;
	v->has_key = RAND_bytes(v->key, sizeof v->key) == 1;
	v->max_running = pool != NULL ? (pool_threads(pool) + 1) / 2 : 0;
	list_init(&v->queued);
	list_init(&v->running);
	return v;
}

static void
verifier_free(struct verifier *v)
{
	OPENSSL_cleanse(v, sizeof *v);
	mem_free(v);
}

static void
check_end(struct check *c)
{
	list_remove(&c->link);
	LIST_EACH(n, &c->asks) {
		list_remove(n);
		LIST_ITEM(n, struct ask, link)->check = NULL;
	}
	OPENSSL_cleanse(c->hash, c->size - sizeof *c);
	mem_free(c);
}

void
verifier_end(struct verifier *v)
{
	v->is_ended = true;
	LIST_EACH(n, &v->queued)
		check_end(LIST_ITEM(n, struct check, link));
	if (v->n_running == 0)
		verifier_free(v);
}

/* ---- what is remembered ------------------------------------------------ */

/* Under our key, so that nobody can aim at a set; over all that the answer
 * depends on: whom one file does not know, another with the same hash may. */
static bool
verifier_digest(const struct verifier *v, const char *hash, bool is_known,
    const struct credentials *c, uint8_t out[DIGEST])
{
	char text[CREDENTIALS_MAX_USER + CREDENTIALS_MAX_PASSWORD + 520];
	struct buf b = buf_fixed(text, sizeof text);
	unsigned n = DIGEST;
	bool is_done;

	buf_chr(&b, is_known ? '+' : '-');
	buf_put(&b, hash, strlen(hash) + 1);
	buf_str(&b, c->user);
	buf_chr(&b, '\0');
	buf_str(&b, c->password);
	is_done = v->has_key && !b.overflow &&
	    HMAC(EVP_sha256(), v->key, sizeof v->key,
	        (const unsigned char *)b.p, b.n, out, &n) != NULL;
	OPENSSL_cleanse(text, sizeof text);
	return is_done;
}

static bool
verifier_remembers(const struct verifier *v, const uint8_t digest[DIGEST])
{
	const struct memory *set = v->memory[digest[0] % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].until > clock_ms() &&
		    CRYPTO_memcmp(set[i].digest, digest, DIGEST) == 0)
			return true;
	return false;
}

static void
verifier_remember(struct verifier *v, const uint8_t digest[DIGEST])
{
	struct memory *set = v->memory[digest[0] % SETS], *oldest = set;

	for (unsigned i = 1; i < WAYS; i++)
		if (set[i].until < oldest->until)
			oldest = &set[i];
	memcpy(oldest->digest, digest, DIGEST);
	oldest->until = clock_ms() + VERIFIER_REMEMBERS;
}

/* ---- checks ------------------------------------------------------------ */

static void verifier_fill(struct verifier *v);

static void
check_run(struct job *job)
{
	struct check *c = CONTAINER_OF(job, struct check, job);

	c->is_right = password_matches(c->hash, c->password);
}

/* Tells everybody who waits. */
static void
check_answer(struct check *c, enum ask_state state)
{
	LIST_EACH(n, &c->asks) {
		struct ask *ask = LIST_ITEM(n, struct ask, link);

		list_remove(&ask->link);
		ask->check = NULL;
		ask->state = state;
		txn_resume(ask->t);
	}
}

static void
check_on_done(struct job *job)
{
	struct check *c = CONTAINER_OF(job, struct check, job);
	struct verifier *v = c->verifier;
	bool is_right = c->is_known && c->is_right;

	v->n_running--;
	if (is_right && v->has_key)
		verifier_remember(v, c->digest);
	check_answer(c, is_right ? ASK_RIGHT : ASK_WRONG);
	check_end(c);
	if (!v->is_ended)
		verifier_fill(v);
	else if (v->n_running == 0)
		verifier_free(v);
}

static bool
check_submit(struct check *c)
{
	struct verifier *v = c->verifier;

	if (!pool_submit(v->pool, &c->job)) {
		v->stats->busy++;
		return false;
	}
	c->is_running = true;
	v->n_running++;
	v->stats->computed++;
	list_push_back(&v->running, &c->link);
	return true;
}

/* Gives the threads what waits, as much as they may have. */
static void
verifier_fill(struct verifier *v)
{
	while (v->n_running < v->max_running && !list_is_empty(&v->queued)) {
		struct check *c = LIST_ITEM(list_pop_front(&v->queued),
		    struct check, link);

		v->n_queued--;
		if (check_submit(c))
			continue;
		check_answer(c, ASK_BUSY);
		check_end(c);
	}
}

/* Queued only while others run, whose end is its turn. */
static bool
check_begin(struct check *c)
{
	struct verifier *v = c->verifier;

	if (v->n_running < v->max_running)
		return check_submit(c);
	if (v->n_queued >= VERIFIER_MAX_QUEUED || v->max_running == 0) {
		v->stats->busy++;
		return false;
	}
	list_push_back(&v->queued, &c->link);
	v->n_queued++;
	return true;
}

static struct check *
check_new(struct verifier *v, const char *hash, bool is_known,
    const struct credentials *credentials)
{
	size_t n = strlen(hash) + 1, size;
	struct check *c;

	size = sizeof *c + n + credentials->password.n + 1;
	c = mem_zalloc(size);
	c->size = size;
	c->job = (struct job){
		.name = "password", .run = check_run, .done = check_on_done
	};
	c->verifier = v;
	c->is_known = is_known;
	memcpy(c->hash, hash, n);
	c->password = c->hash + n;
	memcpy(c->password, credentials->password.p, credentials->password.n);
	list_init(&c->asks);
	list_init(&c->link);
	return c;
}

static struct check *
verifier_find(struct list *checks, const uint8_t digest[DIGEST])
{
	LIST_EACH(n, checks) {
		struct check *c = LIST_ITEM(n, struct check, link);

		if (CRYPTO_memcmp(c->digest, digest, DIGEST) == 0)
			return c;
	}
	return NULL;
}

/* ---- asking ------------------------------------------------------------ */

/* The request is over. What nobody waits for is not begun. */
static void
ask_on_end(void *arg)
{
	struct ask *ask = arg;
	struct check *c = ask->check;

	if (c == NULL)
		return;
	list_remove(&ask->link);
	ask->check = NULL;
	if (c->is_running || !list_is_empty(&c->asks))
		return;
	c->verifier->n_queued--;
	check_end(c);
}

static void
ask_join(struct ask *ask, struct check *c)
{
	ask->check = c;
	list_push_back(&c->asks, &ask->link);
	txn_on_end(ask->t, ask_on_end, ask);
}

const struct ask *
verifier_ask(struct verifier *v, struct txn *t, const char *hash,
    bool is_known, const struct credentials *credentials)
{
	struct ask *ask = arena_zalloc(t->arena, sizeof *ask);
	uint8_t digest[DIGEST] = { 0 };
	bool is_keyed = verifier_digest(v, hash, is_known, credentials,
	    digest);
	struct check *c = NULL;

	ask->t = t;
	list_init(&ask->link);
	if (is_keyed && verifier_remembers(v, digest)) {
		v->stats->remembered++;
		ask->state = ASK_RIGHT;
		return ask;
	}
	if (is_keyed)
		c = verifier_find(&v->running, digest);
	if (is_keyed && c == NULL)
		c = verifier_find(&v->queued, digest);
	if (c != NULL) {
		v->stats->shared++;
		ask_join(ask, c);
		return ask;
	}
	c = check_new(v, hash, is_known, credentials);
	memcpy(c->digest, digest, DIGEST);
	if (check_begin(c)) {
		ask_join(ask, c);
		return ask;
	}
	check_end(c);
	ask->state = ASK_BUSY;
	return ask;
}
