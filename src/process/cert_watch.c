/*
 * Looks at the files every few seconds, as stat(2) sees them: that follows
 * symbolic links to wherever renewal tools put their files, and holds on
 * filesystems that send no events. Whatever changed is looked at again after a
 * second, and tried once it has lain still.
 *
 * This is the master's work and not the scout's, because only the master may
 * read keys. It takes in files of the operator's alone, as a reload does, and
 * a file that is no good costs a line in the log.
 */
#include "process/cert_watch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parcel.h"
#include "process/config.h"
#include "process/stapler.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTLE 1000 /* ms that a file must not have changed for */
/* After so many have been read there is a pause: the channels hold some
 * hundred messages, and signals want to be heard. */
#define AT_ONCE 32
#define PAUSE 100 /* ms */

/* ---- the board --------------------------------------------------------- */

/* The ones that end first, in that order. */
static void
cert_watch_rank(struct page_board *b, struct tls_facts facts)
{
	struct page_certificate *all = b->certificates;
	size_t at = b->n_certificates_shown;

	if (at == COUNT_OF(b->certificates)) {
		if (facts.ends >= all[at - 1].ends)
			return;
		at--;
	} else {
		b->n_certificates_shown++;
	}
	for (; at > 0 && all[at - 1].ends > facts.ends; at--)
		all[at] = all[at - 1];
	all[at].ends = facts.ends;
	snprintf(all[at].path, sizeof all[at].path, "%s", facts.certificate);
}

static void
cert_watch_board(struct cert_watch *w)
{
	const struct tls_pairs *pairs = w->config->certificates;
	struct page_board *b = pages_board(w->pages);

	pages_write_begin(w->pages);
	b->n_certificates_shown = 0;
	b->n_certificates = tls_renewal_count(pairs);
	for (size_t i = 0; i < b->n_certificates; i++)
		cert_watch_rank(b, tls_renewal_facts(pairs, i));
	pages_write_end(w->pages);
}

static void
cert_watch_count(struct cert_watch *w, bool is_done)
{
	struct page_board *b = pages_board(w->pages);

	pages_write_begin(w->pages);
	b->renewals += is_done;
	b->renewals_failed += !is_done;
	pages_write_end(w->pages);
}

/* ---- passing on -------------------------------------------------------- */

typedef bool cert_watch_pack_fn(const struct tls_pairs *pairs, size_t i,
    int fd, struct err *e);

static int
cert_watch_parcel(const struct tls_pairs *pairs, size_t i,
    cert_watch_pack_fn *pack, struct err *e)
{
	int fd = parcel_new("certificate", e);

	if (fd < 0)
		return -1;
	if (pack(pairs, i, fd, e))
		return parcel_seal(fd, e) ? fd : -1;
	close(fd);
	return -1;
}

/* The scout asks about it from now on. It shows nothing, and gets no key. */
static void
cert_watch_tell_scout(struct cert_watch *w, size_t i, uint64_t generation)
{
	struct err e;
	int fd = cert_watch_parcel(w->config->certificates, i,
	    tls_renewal_pack_public, &e);

	if (fd < 0) {
		log_error("a new certificate is not known to the scout: %s",
		    e.text);
		return;
	}
	family_tell_scout(w->family, generation, MESSAGE_CERTIFICATE, i,
	    &generation, sizeof generation, fd);
	close(fd);
}

static void
cert_watch_tell(struct cert_watch *w, size_t i)
{
	const struct tls_pairs *pairs = w->config->certificates;
	struct tls_facts facts = tls_renewal_facts(pairs, i);
	uint64_t generation = w->config->generation->number;
	time_t ends = (time_t)facts.ends;
	struct tm tm;
	struct err e;
	int fd = cert_watch_parcel(pairs, i, tls_renewal_pack, &e);

	if (fd < 0) {
		log_error("certificate %s: %s; reload to use it",
		    facts.certificate, e.text);
		return;
	}
	family_tell_workers(w->family, generation, MESSAGE_CERTIFICATE, i,
	    &generation, sizeof generation, fd);
	close(fd);
	cert_watch_tell_scout(w, i, generation);
	gmtime_r(&ends, &tm);
	log_notice("certificate %s replaced, valid until %04d-%02d-%02d",
	    facts.certificate, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

void
cert_watch_take(const struct config *config, uint64_t generation, size_t i,
    int fd)
{
	struct err e;

	/* It was sent to another's worker while that became ours. */
	if (generation != config->generation->number)
		return;
	if (!tls_renewal_take(config->certificates, i, fd, &e))
		log_error("a new certificate is not used: %s", e.text);
}

/* ---- looking ----------------------------------------------------------- */

static void
cert_watch_try(struct cert_watch *w, size_t i)
{
	struct tls_pairs *pairs = w->config->certificates;
	struct err e;

	switch (tls_renewal_try(pairs, i, &e)) {
	case TLS_RENEWAL_DONE:
		cert_watch_tell(w, i);
		cert_watch_count(w, true);
		break;
	case TLS_RENEWAL_SAME:
		break;
	case TLS_RENEWAL_REFUSED:
		/* Said once: it is not tried again before it changes. */
		log_error("certificate %s has changed, but is not used: %s; "
		    "the old one stays",
		    tls_renewal_facts(pairs, i).certificate, e.text);
		cert_watch_count(w, false);
		break;
	}
}

static void
cert_watch_on_look(struct timer *t)
{
	struct cert_watch *w = CONTAINER_OF(t, struct cert_watch, look);
	struct tls_pairs *pairs = w->config->certificates;
	size_t n = tls_renewal_count(pairs), tried = 0, i = w->at;

	if (i == 0)
		w->is_moving = false;
	for (; i < n && tried < AT_ONCE; i++)
		switch (tls_renewal_look(pairs, i)) {
		case TLS_LOOK_SAME:
			break;
		case TLS_LOOK_MOVING:
			w->is_moving = true;
			break;
		case TLS_LOOK_CHANGED:
			cert_watch_try(w, i);
			tried++;
			break;
		}
	if (tried > 0) {
		cert_watch_board(w);
		stapler_board(w->pages, w->config);
	}
	w->at = i < n ? i : 0;
	timer_start(w->loop, &w->look, i < n ? PAUSE :
	    w->is_moving && w->every > SETTLE ? SETTLE : w->every);
}

void
cert_watch_init(struct cert_watch *w, struct loop *l, struct pages *p,
    struct family *f)
{
	*w = (struct cert_watch){
		.loop = l, .pages = p, .family = f,
		.look = { .name = "certificates",
		          .expired = cert_watch_on_look }
	};
}

void
cert_watch_start(struct cert_watch *w, const struct config *config)
{
	const struct tls_conf *tls = config->root->tls;

	cert_watch_stop(w);
	w->config = config;
	w->at = 0;
	w->every = tls != NULL ? tls->watch : CERT_WATCH_EVERY;
	cert_watch_board(w);
	stapler_board(w->pages, config);
	if (w->every > 0 && tls_renewal_count(config->certificates) > 0)
		timer_start(w->loop, &w->look, w->every);
}

void
cert_watch_stop(struct cert_watch *w)
{
	timer_stop(w->loop, &w->look);
}
