/*
 * Keeps staples fresh. The scout asks, and not the master, because the master
 * takes in nothing that comes from the network; nor a worker, because they
 * would all ask the same. A few inquiries run at once, in the scout's threads,
 * so that a responder that hangs holds up nobody else's certificate.
 *
 * What the scout sends has been checked. The master does not look into it: it
 * keeps it for whoever it forks, and passes it on. A scout that was taken over
 * could have workers show what no client will believe, and no more.
 */
#include "process/stapler.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parcel.h"
#include "event/pool.h"
#include "process/inquiry.h"

#include <openssl/rand.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AT_ONCE 4
/* How often it is looked who is due: the wall's clock may jump, and machines
 * sleep. */
#define LOOK_MOST 60     /* s */
#define BACK_OFF_FIRST 60  /* s */
#define BACK_OFF_MOST 3600 /* s */
#define NEVER INT64_MAX

/* What a certificate's answer was. */
enum stapler_result { STAPLER_GOT, STAPLER_REVOKED, STAPLER_FAILED };

/* The payload of MESSAGE_STAPLE; its value is the certificate's number. */
struct stapler_note {
	uint64_t generation;
	uint32_t result; /* enum stapler_result */
	uint8_t leaf[TLS_STAPLE_ID];
	int64_t ends, refresh; /* if there is one with it */
};

struct stapler_state {
	int64_t due; /* wall seconds */
	unsigned failures; /* in a row */
	bool is_asked;   /* right now */
	bool is_renewed; /* since it was asked about */
};

struct stapler_task {
	struct stapler *s;
	struct job job;
	size_t i; /* of the certificate */
	bool is_busy, is_good;
	struct tls_question question;
	struct inquiry inquiry;
	struct str answer;
	struct err e;
};

struct stapler {
	struct loop *loop;
	struct pool *pool;
	struct channel *master;
	const struct config *config;
	struct tls_pairs *pairs;
	struct timer look;
	int stop;
	bool is_stopped;
	struct stapler_state *states;
	struct stapler_task tasks[AT_ONCE];
};

/* As the C library's resolver names them, and where links to them lead. */
const char *const stapler_reads[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
	"/etc/host.conf", "/etc/gai.conf", "/etc/services", NULL
};

/* ---- when -------------------------------------------------------------- */

/* A tenth more or less, so that machines that were started together do not ask
 * together. */
static int64_t
stapler_jitter(int64_t seconds)
{
	uint16_t r = 0;

	(void)RAND_bytes((unsigned char *)&r, sizeof r);
	return seconds - seconds / 10 + seconds / 5 * r / UINT16_MAX;
}

static int64_t
stapler_back_off(unsigned failures)
{
	int64_t wait = BACK_OFF_FIRST;

	for (; failures > 1 && wait < BACK_OFF_MOST; failures--)
		wait *= 2;
	return stapler_jitter(wait < BACK_OFF_MOST ? wait : BACK_OFF_MOST);
}

static bool
stapler_asks(struct stapler *s, size_t i)
{
	struct arena *a = arena_new();
	struct tls_question q;
	bool ok = tls_staple_question(s->pairs, i, a, &q);

	arena_end(a);
	if (!ok && tls_staple_is_demanded(s->pairs, i))
		log_warn("certificate %s: clients are told to expect a staple "
		    "(RFC 7633), and there is nobody to ask for it: it needs "
		    "the address of a responder, its issuer in the same file, "
		    "and `stapling`",
		    tls_renewal_facts(s->pairs, i).certificate);
	return ok;
}

static void
stapler_plan(struct stapler *s, size_t i)
{
	struct stapler_state *state = &s->states[i];
	struct tls_staple staple;

	state->failures = 0;
	state->due = NEVER;
	if (stapler_asks(s, i))
		state->due = tls_staple_get(s->pairs, i, &staple) ?
		    staple.refresh : 0;
}

static void
stapler_wait(struct stapler *s)
{
	int64_t now = clock_wall(), next = NEVER, wait = LOOK_MOST;

	for (size_t i = 0; i < tls_renewal_count(s->pairs); i++)
		if (!s->states[i].is_asked && s->states[i].due < next)
			next = s->states[i].due;
	if (next == NEVER || s->is_stopped)
		return;
	if (next - now < wait)
		wait = next > now ? next - now : 0;
	timer_start(s->loop, &s->look, (uint64_t)wait * 1000);
}

/* ---- answers ----------------------------------------------------------- */

static bool
stapler_send(struct stapler *s, size_t i, const struct stapler_note *note,
    struct str response, struct err *e)
{
	int fd = -1;
	bool ok;

	if (response.n > 0) {
		fd = parcel_new("staple", e);
		if (fd < 0)
			return false;
		if (!fd_write_all(fd, response.p, response.n)) {
			close(fd);
			return err_sys(e, "cannot be passed on");
		}
		if (!parcel_seal(fd, e))
			return false;
	}
	ok = channel_send(s->master, MESSAGE_STAPLE, i, note, sizeof *note,
	    fd);
	fd_close(&fd);
	return ok || err_set(e, "the master does not take it");
}

static void
stapler_complain(struct stapler *s, size_t i, const char *why)
{
	const char *path = tls_renewal_facts(s->pairs, i).certificate;

	if (tls_staple_is_demanded(s->pairs, i))
		log_warn("certificate %s: no OCSP answer, though clients are "
		    "told to expect one: %s", path, why);
	else
		log_info("certificate %s: no OCSP answer: %s", path, why);
}

static enum stapler_result
stapler_judge(struct stapler_task *t, struct tls_staple *out)
{
	struct stapler *s = t->s;

	if (!t->is_good)
		return STAPLER_FAILED;
	switch (tls_staple_check(s->pairs, t->i, t->answer, out, &t->e)) {
	case TLS_STAPLE_GOOD:
		return STAPLER_GOT;
	case TLS_STAPLE_REVOKED:
		/* Not shown: it would help nobody but who asks anyway, and
		 * turn clients away that do not. An older one that says
		 * `good` is a lie by now, and goes. */
		out->response.n = 0;
		log_error("certificate %s has been REVOKED by its authority",
		    tls_renewal_facts(s->pairs, t->i).certificate);
		return STAPLER_REVOKED;
	case TLS_STAPLE_REFUSED:
		break;
	}
	return STAPLER_FAILED;
}

static void
stapler_conclude(struct stapler_task *t)
{
	struct stapler *s = t->s;
	struct stapler_state *state = &s->states[t->i];
	struct stapler_note note = {
		.generation = s->config->generation->number
	};
	struct tls_staple staple = { .ends = 0 };
	enum stapler_result result = stapler_judge(t, &staple);
	int64_t now = clock_wall();

	if (result == STAPLER_FAILED) {
		stapler_complain(s, t->i, t->e.text);
		state->due = now + stapler_back_off(++state->failures);
		staple = (struct tls_staple){ .ends = 0 };
	} else {
		state->failures = 0;
		state->due = now + stapler_jitter(staple.refresh - now);
		log_info("certificate %s: an OCSP answer, good for %lld s",
		    tls_renewal_facts(s->pairs, t->i).certificate,
		    (long long)(staple.ends - now));
	}
	note.result = result;
	note.ends = staple.ends;
	note.refresh = staple.refresh;
	memcpy(note.leaf, staple.leaf, sizeof note.leaf);
	if (!stapler_send(s, t->i, &note, staple.response, &t->e))
		stapler_complain(s, t->i, t->e.text);
}

/* ---- asking ------------------------------------------------------------ */

static void
stapler_on_run(struct job *j)
{
	struct stapler_task *t = CONTAINER_OF(j, struct stapler_task, job);

	t->is_good = inquiry_run(&t->inquiry, &t->answer, &t->e);
}

static void
stapler_on_done(struct job *j)
{
	struct stapler_task *t = CONTAINER_OF(j, struct stapler_task, job);
	struct stapler *s = t->s;
	struct stapler_state *state = &s->states[t->i];

	t->is_busy = state->is_asked = false;
	if (state->is_renewed)
		stapler_plan(s, t->i);
	else if (!s->is_stopped)
		stapler_conclude(t);
	state->is_renewed = false;
	arena_end(t->inquiry.reply.arena);
	if (!s->is_stopped)
		timer_start(s->loop, &s->look, 0);
}

static void
stapler_ask(struct stapler_task *t, size_t i)
{
	struct stapler *s = t->s;
	struct arena *a = arena_new();

	if (!tls_staple_question(s->pairs, i, a, &t->question))
		goto fail;
	t->i = i;
	t->inquiry.question = &t->question;
	t->inquiry.stop = s->stop;
	t->inquiry.reply.arena = a;
	t->inquiry.reply.n = t->inquiry.reply.head = 0;
	t->inquiry.reply.scanned = 0;
	t->job = (struct job){
		.name = "ocsp", .run = stapler_on_run, .done = stapler_on_done
	};
	if (!pool_submit(s->pool, &t->job))
		goto fail;
	t->is_busy = s->states[i].is_asked = true;
	return;

fail:
	s->states[i].due = clock_wall() + stapler_back_off(1);
	arena_end(a);
}

static struct stapler_task *
stapler_idle_task(struct stapler *s)
{
	for (size_t i = 0; i < AT_ONCE; i++)
		if (!s->tasks[i].is_busy)
			return &s->tasks[i];
	return NULL;
}

static void
stapler_on_look(struct timer *timer)
{
	struct stapler *s = CONTAINER_OF(timer, struct stapler, look);
	struct stapler_task *t = stapler_idle_task(s);
	int64_t now = clock_wall();

	for (size_t i = 0; t != NULL && i < tls_renewal_count(s->pairs); i++) {
		if (s->states[i].is_asked || s->states[i].due > now)
			continue;
		stapler_ask(t, i);
		t = stapler_idle_task(s);
	}
	/* When all are busy, the first to be done looks again. */
	if (t != NULL)
		stapler_wait(s);
}

void
stapler_renew(struct stapler *s, uint64_t generation, size_t i, int fd)
{
	struct err e;

	if (generation != s->config->generation->number)
		return;
	if (!tls_renewal_take_public(s->pairs, i, fd, &e)) {
		log_error("a new certificate is not known to the scout: %s",
		    e.text);
		return;
	}
	if (s->states[i].is_asked)
		s->states[i].is_renewed = true;
	else
		stapler_plan(s, i);
	timer_start(s->loop, &s->look, 0);
}

/* ---- the scout's life -------------------------------------------------- */

struct stapler *
stapler_new(struct loop *l, struct pool *p, struct channel *master,
    const struct config *config)
{
	struct stapler *s = mem_zalloc(sizeof *s);
	size_t n = tls_renewal_count(config->certificates);

	s->loop = l;
	s->pool = p;
	s->master = master;
	s->config = config;
	s->pairs = config->certificates;
	s->look.name = "staples";
	s->look.expired = stapler_on_look;
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->states = mem_zalloc((n + 1) * sizeof *s->states);
	tls_renewal_forget_keys(s->pairs);
	for (size_t i = 0; i < AT_ONCE; i++)
		s->tasks[i].s = s;
	for (size_t i = 0; i < n; i++)
		stapler_plan(s, i);
	stapler_wait(s);
	return s;
}

void
stapler_stop(struct stapler *s)
{
	uint64_t one = 1;

	s->is_stopped = true;
	timer_stop(s->loop, &s->look);
	(void)!write(s->stop, &one, sizeof one);
	/* The C library cannot be told to stop; it may take half a minute.
	 * Nothing of ours is lost if nobody waits for it. */
	for (size_t i = 0; i < AT_ONCE; i++)
		if (s->tasks[i].is_busy && __atomic_load_n(
		    &s->tasks[i].inquiry.is_looking_up, __ATOMIC_RELAXED))
			_exit(0);
}

void
stapler_end(struct stapler *s)
{
	fd_close(&s->stop);
	mem_free(s->states);
	mem_free(s);
}

/* ---- in the master and in workers -------------------------------------- */

void
stapler_board(struct pages *pages, const struct config *config)
{
	struct page_board *b = pages_board(pages);
	int64_t ends;
	size_t n = tls_staple_count(config->certificates, &ends);

	pages_write_begin(pages);
	b->n_staples = n;
	b->staple_ends = ends;
	pages_write_end(pages);
}

static void
stapler_count(struct pages *pages, bool is_got)
{
	struct page_board *b = pages_board(pages);

	pages_write_begin(pages);
	b->staples += is_got;
	b->staples_failed += !is_got;
	pages_write_end(pages);
}

/* Whether M is of CONFIG; it may be of the generation before or after. */
static bool
stapler_read_note(const struct config *config, const struct message *m,
    struct stapler_note *out)
{
	if (m->size != sizeof *out)
		return false;
	memcpy(out, m->payload, sizeof *out);
	return out->generation == config->generation->number &&
	    out->result <= STAPLER_FAILED;
}

/* What the certificate no longer is has no place on it; that is no error. */
static void
stapler_keep(const struct config *config, const struct message *m,
    const struct stapler_note *note, int fd)
{
	struct tls_staple s = { .ends = note->ends, .refresh = note->refresh };
	struct arena *a = arena_new();
	struct err e;

	memcpy(s.leaf, note->leaf, sizeof s.leaf);
	if (fd < 0 || parcel_read(fd, TLS_STAPLE_MAX, a, &s.response, &e))
		(void)tls_staple_put(config->certificates, m->value, &s);
	else
		log_error("an OCSP answer %s", e.text);
	arena_end(a);
}

void
stapler_pass_on(struct family *f, struct pages *pages,
    const struct config *config, const struct message *m, int fd)
{
	struct stapler_note note;

	if (!stapler_read_note(config, m, &note))
		return;
	stapler_count(pages, note.result != STAPLER_FAILED);
	if (note.result == STAPLER_FAILED)
		return;
	stapler_keep(config, m, &note, fd);
	family_tell_workers(f, note.generation, MESSAGE_STAPLE, m->value,
	    m->payload, m->size, fd);
}

void
stapler_take(const struct config *config, const struct message *m, int fd)
{
	struct stapler_note note;

	if (stapler_read_note(config, m, &note))
		stapler_keep(config, m, &note, fd);
}
