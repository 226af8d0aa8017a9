/*
 * How wide the receive windows are. They begin with 64 KiB, which is all a
 * short body needs, and grow with the bandwidth-delay product: while a body
 * comes, a PING is sent and what arrives until its answer is counted. If that
 * is near the window, the window is what holds the client back.
 */
#include "http/h2_conn.h"

#include "base/clock.h"

#include <nghttp2/nghttp2.h>

const uint8_t h2_window_ping[8] = { 'w', 'e', 'i', 'r', ' ', 'b', 'd', 'p' };

/* Measuring costs a frame in each direction: no more often than this. */
#define PROBE_EVERY 10 /* ms */

static void
h2_window_grow(struct h2 *h, int32_t window)
{
	h->more->window = window;
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE,
	    0, window);
	LIST_EACH(link, &h->more->streams) {
		struct h2_stream *s = LIST_ITEM(link, struct h2_stream, link);

		if (!s->gone && !s->body.ended)
			nghttp2_session_set_local_window_size(h->session,
			    NGHTTP2_FLAG_NONE, s->id, window);
	}
}

void
h2_window_measure(struct h2 *h, int32_t id, size_t n)
{
	struct h2_more *m = h->more;

	m->probe_bytes += n;
	/* A stream that came after the window had grown. */
	if (nghttp2_session_get_stream_effective_local_window_size(h->session,
	        id) < m->window)
		nghttp2_session_set_local_window_size(h->session,
		    NGHTTP2_FLAG_NONE, id, m->window);
	if (m->is_probing || clock_ms() - m->probe_at < PROBE_EVERY ||
	    (uint64_t)m->window >= h2_memory_window(h))
		return;
	m->is_probing = true;
	m->probe_bytes = n;
	m->probe_at = clock_ms();
	nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, h2_window_ping);
}

void
h2_window_pong(struct h2 *h)
{
	struct h2_more *m = h->more;
	uint64_t max = h2_memory_window(h);
	uint64_t window = (uint64_t)m->window * 2;

	if (!m->is_probing)
		return;
	m->is_probing = false;
	/* What waits here was not held back by the network. */
	if (m->probe_bytes * 3 < (uint64_t)m->window * 2 ||
	    m->held > (size_t)m->window)
		return;
	h2_window_grow(h, (int32_t)(window < max ? window : max));
}
