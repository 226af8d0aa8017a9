/*
 * The response of an HTTP/2 stream, as it arrives. nghttp2 has checked the
 * order of frames, pseudo-fields and Content-Length against DATA (RFC 9113
 * section 8.1); what a head may be beyond that is checked here, since clients
 * of HTTP/1 get it as lines.
 */
#include "upstream/h2_answer.h"

#if WEIR_HTTP2

#include "http/server.h"
#include "http/status.h"

#include <nghttp2/nghttp2.h>

/* As RFC 9113 section 10.5.1 counts; also what SETTINGS announce. */
#define H2_ANSWER_FIELD_COST 32

void
h2_answer_fail(struct h2_client *h, enum exchange_cause cause,
    const char *detail)
{
	if (h->failed || h->ended)
		return;
	h->failed = true;
	h->cause = cause;
	h->detail = detail;
}

/* ---- heads ------------------------------------------------------------- */

void
h2_answer_on_head(struct h2_client *h)
{
	h->head_bytes = h->fields = 0;
	if (h->has_head)
		head_init(&h->call.trailers, h->call.t->arena, 4);
	else
		head_init(&h->call.head, h->call.t->arena, 16);
}

static bool
h2_answer_on_status(struct h2_client *h, struct str value)
{
	uint64_t status;

	if (value.n != 3 || !str_to_u64(value, &status) || status < 100) {
		h2_answer_fail(h, CAUSE_BAD_HEAD, NULL);
		return false;
	}
	h->call.status = (int)status;
	return true;
}

bool
h2_answer_on_field(struct h2_client *h, struct str name, struct str value,
    bool is_secret)
{
	struct arena *a = h->call.t->arena;
	struct head *to = h->has_head ? &h->call.trailers : &h->call.head;

	h->head_bytes += name.n + value.n + H2_ANSWER_FIELD_COST;
	if (h->head_bytes > CALL_MAX_HEAD || ++h->fields > CALL_MAX_FIELDS) {
		h2_answer_fail(h, CAUSE_LARGE_HEAD, NULL);
		return false;
	}
	if (name.n > 0 && name.p[0] == ':')
		return h2_answer_on_status(h, value);
	if (!field_token_is_valid(name) || !field_value_is_valid(value)) {
		h2_answer_fail(h, CAUSE_BAD_HEAD, NULL);
		return false;
	}
	head_add(to, field_lookup(name), arena_str(a, name),
	    arena_str(a, value));
	if (is_secret)
		head_mark_secret(to);
	return true;
}

/* As towards HTTP/1: any number may come, 100 is for whoever asked. */
static void
h2_answer_on_interim(struct h2_client *h)
{
	struct txn *t = h->call.t;
	struct head seen;

	if (++h->interims > CALL_MAX_INTERIM) {
		h2_answer_fail(h, CAUSE_INTERIM, NULL);
		return;
	}
	/* RFC 9113 section 8.6: nobody switches protocols here. */
	if (h->call.status == 101) {
		h2_answer_fail(h, CAUSE_BAD_UPGRADE, NULL);
		return;
	}
	if (h->call.status == 100 || (t->req.major == 1 && t->req.minor == 0))
		return;
	head_init(&seen, t->arena, h->call.head.n);
	forward_response(&seen, &h->call.head);
	t->transport->interim(t, h->call.status, &seen);
}

static void
h2_answer_on_final(struct h2_client *h, bool is_end)
{
	struct call *c = &h->call;
	struct str length = head_value(&c->head, FIELD_CONTENT_LENGTH);
	uint64_t n;

	h->has_head = true;
	c->content_length = -1;
	if (length.p != NULL && str_to_u64(length, &n) && n <= INT64_MAX)
		c->content_length = (int64_t)n;
	if (c->t->req.method == METHOD_HEAD || status_has_no_body(c->status))
		c->framing = BODY_NONE;
	else if (is_end || c->content_length >= 0)
		c->framing = BODY_LENGTH;
	else
		c->framing = BODY_CHUNKED;
	c->body.length = c->framing == BODY_CHUNKED ? -1 :
	    c->content_length >= 0 ? c->content_length : 0;
}

void
h2_answer_on_head_end(struct h2_client *h, bool is_end)
{
	if (h->failed)
		return;
	if (h->has_head)
		forward_clean_trailers(&h->call.trailers);
	else if (h->call.status < 200)
		h2_answer_on_interim(h);
	else
		h2_answer_on_final(h, is_end);
	h->ended = is_end && !h->failed;
}

/* ---- the body, and the end --------------------------------------------- */

void
h2_answer_on_data(struct h2_client *h, const char *p, size_t n)
{
	h->call.bytes_in += n;
	leftover_put(h->call.t->server->net, &h->in, p, n);
}

void
h2_answer_on_close(struct h2_client *h, uint32_t code)
{
	h->closed = true;
	if (code == NGHTTP2_REFUSED_STREAM && !h->has_head) {
		/* Also what a GOAWAY does to streams above its last one: both
		 * promise that nobody saw them (RFC 9113 section 8.7). */
		h->call.is_unprocessed = true;
		h2_answer_fail(h, CAUSE_UNPROCESSED, NULL);
		return;
	}
	h2_answer_fail(h, CAUSE_STREAM,
	    code == NGHTTP2_NO_ERROR ? NULL : nghttp2_http2_strerror(code));
}

#endif
