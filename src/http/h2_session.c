/*
 * nghttp2's session of a client's connection: how it is set up, what it calls
 * back. Callbacks note and count; h2_work does.
 */
#include "http/h2_conn.h"

#include "base/clock.h"
#include "http/chunk.h"

#include <nghttp2/nghttp2.h>

/* What nghttp2 may hold for a connection, beside what each stream costs. */
#define MEMORY_BASE (512u * 1024)
#define MEMORY_STREAM 8192u
/* Answers to SETTINGS and PING that wait to be sent; who makes us keep more
 * does not read. */
#define ACKS_MAX 256
/* SETTINGS_MAX_FRAME_SIZE where nothing is said, as here. */
#define FRAME_MAX 16384
/* What a head or its trailers may unpack to, four times what any setting lets
 * it be: no head but a bomb. For the sake of the table that heads share all of
 * them is unpacked, and an index of one byte can stand for kilobytes, each of
 * which nghttp2 looks at. */
#define UNPACKED_MAX (4 * POLICY_MAX_HEADER_SIZE)

static struct h2_stream *
h2_session_stream(struct h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->session, id);
}

/* What a callback answers: once a client has been found out, the rest of what
 * was read with its last frame is not worth a look. */
static int
h2_session_go_on(const struct h2 *h)
{
	return h->why == CLOSE_ABUSE ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- heads ------------------------------------------------------------- */

static int
h2_session_unpack(struct h2 *h, size_t n)
{
	h->more->unpacked += n;
	if (h->more->unpacked > UNPACKED_MAX)
		h2_condemn(h, H2_ABUSE_LARGE_HEAD);
	return h2_session_go_on(h);
}

static int
h2_session_on_begin_headers(nghttp2_session *session,
    const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	h->more->unpacked = 0;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	h->more->head_since = clock_ms();
	/* It was not looked at, and may be tried again (RFC 9113 section 8.7).
	 */
	if (!h2_memory_has_room(h)) {
		client_note_refusal(&h->client, REFUSAL_CONNECTION_MEMORY);
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
		    frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	s = h2_stream_new(h, frame->hd.stream_id);
	if (nghttp2_session_set_stream_user_data(session,
	        frame->hd.stream_id, s) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static void
h2_session_take_trailer(struct h2_stream *s, struct str name,
    struct str value, uint8_t flags)
{
	struct head *fields = s->trailers;
	const struct http_conf *conf = request_conf(s->txn);

	if (fields == NULL) {
		fields = s->trailers = arena_zalloc(s->txn->arena,
		    sizeof *fields);
		head_init(fields, s->txn->arena, 4);
		s->head.size = 0;
	}
	s->head.size += name.n + value.n;
	if (!chunk_may_trail(name)) {
		s->refusal = REFUSAL_BAD_FIELD;
		return;
	}
	if (s->head.size > conf->max_header_size ||
	    fields->n >= conf->max_headers) {
		s->refusal = REFUSAL_LARGE_HEAD;
		return;
	}
	h2_head_add(fields, name, value, flags);
}

static int
h2_session_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
    uint8_t flags, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = h2_session_stream(h, frame->hd.stream_id);
	struct str key = str_of((const char *)name, name_n);
	struct str text = str_of((const char *)value, value_n);
	enum refusal why;

	(void)session;
	if (s == NULL)
		return h2_session_unpack(h, name_n + value_n);
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		if (s->refusal == REFUSAL_NONE)
			h2_session_take_trailer(s, key, text, flags);
		return h2_session_unpack(h, name_n + value_n);
	}
	/* Of one that is refused nothing more is kept. */
	why = h2_head_take(&s->head, &s->txn->req.head, key, text, flags);
	if (why != REFUSAL_NONE && s->refusal == REFUSAL_NONE)
		s->refusal = (uint8_t)why;
	return h2_session_unpack(h, name_n + value_n);
}

/* nghttp2 would leave it out; but another reader might not. */
static int
h2_session_on_invalid_header(nghttp2_session *session,
    const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
    const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
	struct h2_stream *s = h2_session_stream(arg, frame->hd.stream_id);

	(void)session;
	(void)name;
	(void)value;
	(void)flags;
	if (s != NULL)
		s->refusal = REFUSAL_BAD_FIELD;
	return h2_session_unpack(arg, name_n + value_n);
}

static void
h2_session_end_headers(struct h2 *h, const nghttp2_frame *frame)
{
	struct h2_stream *s = h2_session_stream(h, frame->hd.stream_id);
	bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	h->more->head_since = 0;
	if (s == NULL)
		return;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s->head_done = true;
		h2_memory_weigh(s);
		if (ends)
			h2_body_end(s);
		h2_do(s);
		return;
	}
	if (s->refusal != REFUSAL_NONE) {
		if (s->txn->reason == NULL)
			txn_note_refusal(s->txn, (enum refusal)s->refusal);
		h2_body_fail(s);
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, CLOSE_BAD_REQUEST);
		return;
	}
	s->txn->req.trailers = s->trailers;
	if (ends)
		h2_body_end(s);
}

/* ---- other frames ------------------------------------------------------ */

static int
h2_session_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = h2_session_stream(h, id);

	(void)session;
	(void)flags;
	if (s == NULL || s->gone) {
		h->more->owed += n;
		h2_settle_window(h);
		return 0;
	}
	h2_window_measure(h, id, n);
	h2_body_receive(s, p, n);
	return 0;
}

/* nghttp2 would take it for a stream to come (RFC 9218 section 7.1). */
static void
h2_session_check_update(struct h2 *h, const nghttp2_frame *frame)
{
	const nghttp2_ext_priority_update *update = frame->ext.payload;

	if (update->stream_id == 0)
		h2_terminate(h, NGHTTP2_PROTOCOL_ERROR, CLOSE_PROTOCOL);
}

static int
h2_session_on_frame(nghttp2_session *session, const nghttp2_frame *frame,
    void *arg)
{
	struct h2 *h = arg;
	bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
	struct h2_stream *s;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		h2_session_end_headers(h, frame);
		break;
	case NGHTTP2_DATA:
		s = h2_session_stream(h, frame->hd.stream_id);
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
			if (s != NULL)
				h2_body_end(s);
		} else if (frame->hd.length <= frame->data.padlen) {
			h2_blame(h, H2_ABUSE_EMPTY);
		}
		break;
	case NGHTTP2_SETTINGS:
		if (!is_ack)
			h2_blame(h, H2_ABUSE_SETTINGS);
		break;
	case NGHTTP2_PING:
		if (is_ack)
			h2_window_pong(h);
		else
			h2_blame(h, H2_ABUSE_PING);
		break;
	case NGHTTP2_PRIORITY_UPDATE:
		h2_blame(h, H2_ABUSE_PRIORITY);
		h2_session_check_update(h, frame);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		h2_blame(h, H2_ABUSE_WINDOW);
		break;
	case NGHTTP2_RST_STREAM:
		h2_blame(h, H2_ABUSE_CANCEL);
		break;
	}
	return h2_session_go_on(h);
}

/* nghttp2 passes over what it has no use for without another word. */
static int
h2_session_on_begin_frame(nghttp2_session *session,
    const nghttp2_frame_hd *hd, void *arg)
{
	(void)session;
	/* It measures all but this one (RFC 9113 section 4.2). */
	if (hd->type == NGHTTP2_CONTINUATION && hd->length > FRAME_MAX) {
		h2_terminate(arg, NGHTTP2_FRAME_SIZE_ERROR, CLOSE_PROTOCOL);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (hd->type == NGHTTP2_CONTINUATION && hd->length == 0)
		h2_blame(arg, H2_ABUSE_EMPTY);
	if (hd->type != NGHTTP2_PRIORITY)
		return h2_session_go_on(arg);
	h2_blame(arg, H2_ABUSE_PRIORITY);
	if (hd->stream_id == 0) /* RFC 9113 section 6.3 */
		h2_terminate(arg, NGHTTP2_PROTOCOL_ERROR, CLOSE_PROTOCOL);
	return h2_session_go_on(arg);
}

static int
h2_session_on_invalid_frame(nghttp2_session *session,
    const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_stream *s = h2_session_stream(arg, frame->hd.stream_id);

	(void)session;
	(void)error;
	((struct h2 *)arg)->more->head_since = 0;
	if (s == NULL)
		return 0;
	if (!s->begun && s->refusal == REFUSAL_NONE) {
		s->refusal = REFUSAL_BAD_FIELD;
		txn_note_refusal(s->txn, REFUSAL_BAD_FIELD);
	}
	s->why = CLOSE_BAD_REQUEST;
	return 0;
}

static int
h2_session_on_sent(nghttp2_session *session, const nghttp2_frame *frame,
    void *arg)
{
	struct h2 *h = arg;
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_stream *s;

	(void)session;
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		uint32_t code = frame->rst_stream.error_code;

		/* What we did to it of our own accord is not the client's. */
		if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL &&
		    code != NGHTTP2_INTERNAL_ERROR)
			h2_blame(h, H2_ABUSE_BROKEN);
		return 0;
	}
	if (frame->hd.type == NGHTTP2_GOAWAY &&
	    frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    h->why == CLOSE_DONE)
		h->why = CLOSE_PROTOCOL;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	s = h2_session_stream(h, frame->hd.stream_id);
	if (s == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		s->txn->bytes_sent += frame->hd.length + 9;
	if (!is_end)
		return 0;
	s->sent_end = true;
	/* Nobody will read the rest of the request (RFC 9113 section 8.1). */
	if (!s->body.ended && !s->reset) {
		s->reset = true;
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id,
		    NGHTTP2_NO_ERROR);
	}
	return 0;
}

static int
h2_session_on_send_data(nghttp2_session *session, nghttp2_frame *frame,
    const uint8_t *head, size_t n, nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)frame;
	(void)arg;
	return h2_stream_send_data(source->ptr, head, n);
}

static int
h2_session_on_stream_close(nghttp2_session *session, int32_t id,
    uint32_t error_code, void *arg)
{
	struct h2_stream *s = h2_session_stream(arg, id);

	(void)session;
	if (s == NULL)
		return 0;
	if (error_code != NGHTTP2_NO_ERROR && s->why == CLOSE_DONE)
		s->why = s->sent_end ? CLOSE_DONE : CLOSE_PEER;
	if (s->why == CLOSE_PEER && s->txn->reason == NULL)
		s->txn->reason = "client_left";
	s->gone = true;
	h2_do(s);
	return 0;
}

/* ---- setting up -------------------------------------------------------- */

static void
h2_session_set_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(c,
	    h2_session_on_begin_headers);
	nghttp2_session_callbacks_set_on_begin_frame_callback(c,
	    h2_session_on_begin_frame);
	nghttp2_session_callbacks_set_on_header_callback(c,
	    h2_session_on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c,
	    h2_session_on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c,
	    h2_session_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c,
	    h2_session_on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c,
	    h2_session_on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(c,
	    h2_session_on_sent);
	nghttp2_session_callbacks_set_send_data_callback(c,
	    h2_session_on_send_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c,
	    h2_session_on_stream_close);
}

static void
h2_session_set_options(nghttp2_option *o)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_builtin_recv_extension_type(o,
	    NGHTTP2_PRIORITY_UPDATE);
}

static bool
h2_session_submit_settings(struct h2 *h)
{
	const struct http_conf *conf = h2_conf(h);
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		    (uint32_t)conf->http2->max_streams},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		    (uint32_t)conf->max_header_size},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};

	return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
	    sizeof settings / sizeof settings[0]) == 0;
}

bool
h2_session_open(struct h2 *h)
{
	/* Alike for all connections of the process. */
	static nghttp2_session_callbacks *callbacks;
	static nghttp2_option *options;
	struct h2_store *store = &h->more->store;
	nghttp2_mem mem = h2_store_mem(store);
	int rv;

	if (callbacks == NULL) {
		if (nghttp2_session_callbacks_new(&callbacks) != 0)
			return false;
		h2_session_set_callbacks(callbacks);
	}
	if (options == NULL) {
		if (nghttp2_option_new(&options) != 0)
			return false;
		h2_session_set_options(options);
	}
	h2_store_open(store, MEMORY_BASE + MEMORY_STREAM *
	    (size_t)h2_conf(h)->http2->max_streams);
	rv = nghttp2_session_server_new3(&h->session, callbacks, h, options,
	    &mem);
	h2_store_is_made(store);
	return rv == 0 && h2_session_submit_settings(h);
}
