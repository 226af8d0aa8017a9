/*
 * How much a connection of HTTP/2 holds: nghttp2's session, what waits to be
 * sent, and of each stream what belongs to its transaction and what came of its
 * body. A client that has its share of memory gets no further stream and no
 * wider window; one that gets beyond it nevertheless is cut.
 */
#include "http/h2_conn.h"

#include "http/policy.h"

#include <nghttp2/nghttp2.h>

void
h2_memory_weigh(struct h2_stream *s)
{
	size_t now = arena_size(s->txn->arena) + s->body.in.cap;

	s->h2->more->weight += now - s->weight;
	s->weight = now;
}

void
h2_memory_forget(struct h2_stream *s)
{
	s->h2->more->weight -= s->weight;
	s->weight = 0;
}

static size_t
h2_memory_held(const struct h2 *h)
{
	const struct h2_more *m = h->more;

	return sizeof *m + h2_store_held(&m->store) + m->weight + h->out.cap;
}

/* A quarter of what is allowed is left to those that have begun. */
bool
h2_memory_has_room(const struct h2 *h)
{
	const struct http_conf *conf = h2_conf(h);
	uint64_t max = conf->max_memory_per_connection;

	return max == 0 || h->n_streams == 0 ||
	    h2_memory_held(h) <= max - max / 4 ||
	    !policy_holds(conf, REFUSAL_CONNECTION_MEMORY);
}

/* Bodies that wait are up to two windows. */
uint64_t
h2_memory_window(const struct h2 *h)
{
	const struct http_conf *conf = h2_conf(h);
	uint64_t max = (uint64_t)conf->http2->max_window;
	uint64_t share = conf->max_memory_per_connection / 4;

	if (share > 0 && share < max)
		max = share;
	return max > NGHTTP2_INITIAL_WINDOW_SIZE ? max :
	    NGHTTP2_INITIAL_WINDOW_SIZE;
}

void
h2_memory_note(struct h2 *h)
{
	(void)client_hold(&h->client, h2_memory_held(h), h2_conf(h));
}

bool
h2_memory_judge(struct h2 *h)
{
	enum refusal why = client_hold(&h->client, h2_memory_held(h),
	    h2_conf(h));

	if (why == REFUSAL_NONE || h->why != CLOSE_DONE)
		return true;
	client_note_refusal(&h->client, why);
	LIST_EACH(link, &h->more->streams) {
		struct h2_stream *s = LIST_ITEM(link, struct h2_stream, link);

		if (s->txn->reason == NULL)
			s->txn->reason = refusal_word(why);
	}
	h2_terminate(h, NGHTTP2_ENHANCE_YOUR_CALM, CLOSE_CLIENT_LIMIT);
	return false;
}
