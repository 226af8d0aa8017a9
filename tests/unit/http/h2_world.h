/*
 * The server of h1_world.h and a client of HTTP/2 before it, which nghttp2
 * plays: it opens no window by itself, and notes what it hears. What a test
 * wants to say that nghttp2 would not is said as bytes.
 */
#ifndef TESTS_HTTP_H2_WORLD_H
#define TESTS_HTTP_H2_WORLD_H

#include "h1_world.h"

#include "http/h2_conn.h"

#include <nghttp2/nghttp2.h>

/* One body of the client; NULL: none. */
struct sending {
	const char *p;
	size_t n;
	bool is_open; /* there will be more */
	bool has_trailers;
};

static struct {
	nghttp2_session *ng;
	struct buf heard; /* for the eye */
	struct sending sending[64]; /* by stream */
	bool is_mute; /* DATA is counted, not shown */
	size_t got;
} peer;

static inline int
peer_on_begin(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	(void)ng, (void)arg;
	buf_printf(&peer.heard, "%d:", frame->hd.stream_id);
	return 0;
}

/* Of fields, those that matter here. */
static inline int
peer_on_header(nghttp2_session *ng, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
    uint8_t flags, void *arg)
{
	struct str key = str_of((const char *)name, name_n);

	(void)ng, (void)frame, (void)flags, (void)arg;
	if (str_eq(key, STR(":status")))
		buf_printf(&peer.heard, " %.*s", (int)value_n, value);
	else if (!str_eq(key, STR("date")) && !str_eq(key, STR("server")))
		buf_printf(&peer.heard, " %.*s=%.*s", STR_ARG(key),
		    (int)value_n, value);
	return 0;
}

static inline int
peer_on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	(void)ng, (void)arg;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		buf_z(&peer.heard, is_end ? " end;" : ";");
		break;
	case NGHTTP2_DATA:
		if (is_end)
			buf_printf(&peer.heard, "%d: end;",
			    frame->hd.stream_id);
		break;
	case NGHTTP2_RST_STREAM:
		buf_printf(&peer.heard, "%d: reset %u;", frame->hd.stream_id,
		    frame->rst_stream.error_code);
		break;
	case NGHTTP2_GOAWAY:
		buf_printf(&peer.heard, "goaway %d %u;",
		    frame->goaway.last_stream_id, frame->goaway.error_code);
		break;
	}
	return 0;
}

static inline int
peer_on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *arg)
{
	(void)ng, (void)flags, (void)arg;
	peer.got += n;
	if (!peer.is_mute)
		buf_printf(&peer.heard, "%d: %.*s;", id, (int)n, p);
	return 0;
}

static inline ssize_t
peer_on_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t max,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct sending *s = &peer.sending[id];
	size_t n = s->n < max ? s->n : max;
	nghttp2_nv trailer = {
		(uint8_t *)(uintptr_t)"x-sum", (uint8_t *)(uintptr_t)"1", 5, 1,
		NGHTTP2_NV_FLAG_NONE
	};

	(void)source, (void)arg;
	if (n == 0 && s->is_open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(to, s->p, n);
	s->p += n;
	s->n -= n;
	if (s->n > 0 || s->is_open)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->has_trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(ng, id, &trailer, 1);
	}
	return (ssize_t)n;
}

/* ---- saying and hearing ------------------------------------------------ */

/* What can be said now, at once; false: there is nothing, or nobody hears. */
static inline bool
say_frames(struct world *w)
{
	struct buf b = buf_in(w->arena);
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(peer.ng, &p)) > 0)
		buf_put(&b, p, (size_t)n);
	for (size_t at = 0; at < b.n; at += (size_t)n) {
		n = send(w->fd, b.p + at, b.n - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		n = n > 0 ? n : 0;
		run(w);
	}
	return b.n > 0;
}

/* All that can be said is, and what comes is heard. */
static inline void
exchange_frames(struct world *w)
{
	ssize_t n;

	for (int i = 0; i < 64; i++) {
		bool is_more = say_frames(w);

		listen_all(w);
		n = (ssize_t)(w->in.n - w->in_at);
		if (n > 0)
			assert_int_equal(nghttp2_session_mem_recv(peer.ng,
			    (const uint8_t *)w->in.p + w->in_at, (size_t)n),
			    n);
		w->in_at = w->in.n;
		if (!is_more && n == 0)
			return;
	}
}

static inline const char *
heard_frames(struct world *w)
{
	static char text[8192];

	exchange_frames(w);
	assert_true(peer.heard.n < sizeof text);
	if (peer.heard.n > 0)
		memcpy(text, peer.heard.p, peer.heard.n);
	text[peer.heard.n] = '\0';
	peer.heard.n = 0;
	return text;
}

static inline void
expect_frames(struct world *w, const char *want)
{
	assert_string_equal(heard_frames(w), want);
}

/* With the settings that a client of 64 KiB windows has. */
static inline void
peer_open(struct world *w, uint32_t window)
{
	nghttp2_session_callbacks *c;
	nghttp2_option *o;
	nghttp2_settings_entry entry = {
		NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window
	};

	client(w);
	memset(&peer, 0, sizeof peer);
	peer.heard = buf_in(w->arena);
	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	assert_int_equal(nghttp2_option_new(&o), 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c,
	    peer_on_begin);
	nghttp2_session_callbacks_set_on_header_callback(c, peer_on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c,
	    peer_on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c,
	    peer_on_data);
	nghttp2_option_set_no_auto_window_update(o, 1);
	assert_int_equal(nghttp2_session_client_new2(&peer.ng, c, w, o), 0);
	nghttp2_session_callbacks_del(c);
	nghttp2_option_del(o);
	assert_int_equal(nghttp2_submit_settings(peer.ng, NGHTTP2_FLAG_NONE,
	    &entry, 1), 0);
	expect_frames(w, "");
}

static inline void
peer_close(struct world *w)
{
	nghttp2_session_del(peer.ng);
	world_end(w);
}

/* HTTP: settings, as in a map of YAML. */
static inline struct world *
h2_world_new(const char *http)
{
	char yaml[1024];
	struct world *w;

	snprintf(yaml, sizeof yaml,
	    "http: {server_tokens: off, %s}\nnote: log\n"
	    "listeners: {80: {h2c: on}}\nsites:\n- listen: 80\n" ROUTES, http);
	w = world_of(yaml);
	peer_open(w, 65535);
	return w;
}

#define NV(name, value) { (uint8_t *)(uintptr_t)(name), \
	(uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), \
	NGHTTP2_NV_FLAG_NONE }

/* A request; BODY NULL: without. Its stream. */
static inline int32_t
ask_with(const char *method, const char *path, const struct sending *body,
    const char *name, const char *value)
{
	nghttp2_nv nv[5] = {
		NV(":method", method), NV(":scheme", "http"),
		NV(":authority", "a"), NV(":path", path)
	};
	nghttp2_data_provider provider = { .read_callback = peer_on_read };
	int32_t id = (int32_t)nghttp2_session_get_next_stream_id(peer.ng);

	assert_true(id < 64);
	if (name != NULL)
		nv[4] = (nghttp2_nv)NV(name, value);
	if (body != NULL)
		peer.sending[id] = *body;
	assert_int_equal(nghttp2_submit_request(peer.ng, NULL, nv,
	    name != NULL ? 5 : 4, body != NULL ? &provider : NULL, NULL), id);
	return id;
}

static inline int32_t
ask(const char *method, const char *path)
{
	return ask_with(method, path, NULL, NULL, NULL);
}

static inline int32_t
post(const char *path, const char *body)
{
	struct sending s = { .p = body, .n = strlen(body) };

	return ask_with("POST", path, &s, NULL, NULL);
}

/* A body of N bytes, of which more may come. */
static inline int32_t
post_many(const char *path, size_t n, bool is_open)
{
	static char many[1 << 20];
	struct sending s = { .p = many, .n = n, .is_open = is_open };

	assert_true(n <= sizeof many);
	memset(many, 'x', sizeof many);
	return ask_with("POST", path, &s, NULL, NULL);
}

/* More of it, or its end. */
static inline void
go_on(int32_t id, const char *text, bool is_open)
{
	peer.sending[id].p = text;
	peer.sending[id].n = strlen(text);
	peer.sending[id].is_open = is_open;
	assert_int_equal(nghttp2_session_resume_data(peer.ng, id), 0);
}

static inline void
allow(int32_t id, int32_t n)
{
	assert_int_equal(nghttp2_submit_window_update(peer.ng,
	    NGHTTP2_FLAG_NONE, id, n), 0);
}

#define HELLO2(id) id ": 200 content-length=5;" id ": hello;" id ": end;"

#endif
