/*
 * The client side of HTTP/2: a call as a stream. The request's body is pulled
 * into a buffer of the call as far as that has room, and leaves it as the
 * server's windows allow; the response's body waits in another one, within the
 * window that we gave, and what its taker takes is given back. So neither side
 * can have us hold more than that for the other.
 */
#include "upstream/h2_client.h"

#if WEIR_HTTP2

#include "base/panic.h"
#include "http/server.h"
#include "upstream/h2_pool.h"
#include "upstream/h2_answer.h"

/* Of the request's body, what is held: read ahead, or for a second attempt. */
#define H2_CLIENT_HELD 65536

static struct net *
h2_client_net(const struct h2_client *h)
{
	return h->call.t->server->net;
}

static size_t
h2_client_pending(const struct h2_client *h)
{
	return leftover_len(&h->out) - h->sent_to;
}

/* ---- ends -------------------------------------------------------------- */

/* The stream may go on without us; then it is told to end. */
static void
h2_client_let_go(struct h2_client *h)
{
	struct h2_uplink *s = h->session;

	timer_stop(h2_client_net(h)->loop, &h->timer);
	task_cancel(&h->work);
	h->awaits = H2_AWAIT_NOTHING;
	if (h->pool != NULL)
		h2_pool_leave(h->pool, h);
	if (s == NULL)
		return;
	h->session = NULL;
	if (h->id > 0 && !h->closed) {
		(void)nghttp2_session_set_stream_user_data(s->ng, h->id, NULL);
		(void)nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE,
		    h->id, NGHTTP2_CANCEL);
	}
	h2_uplink_leave(s, h);
}

static void
h2_client_wake(struct h2_client *h)
{
	if (!h->waiting)
		return;
	h->waiting = false;
	flow_wake(&h->call.body);
}

/* It is over for the cause that was noted. */
static void
h2_client_break(struct h2_client *h)
{
	const struct call_owner *owner = h->call.owner;
	bool was_sending = !h->sent;
	bool is_answered = h->state == H2_CLIENT_BODY;

	h->state = H2_CLIENT_OVER;
	h2_client_let_go(h);
	if (is_answered) {
		owner->cut(&h->call, h->cause, h->detail);
		h2_client_wake(h);
		return;
	}
	leftover_free(h2_client_net(h), &h->in);
	owner->failed(&h->call, was_sending ? EXCHANGE_SEND : EXCHANGE_HEAD,
	    h->cause, h->detail);
}

static void
h2_client_fail(struct h2_client *h, enum exchange_cause cause)
{
	h2_answer_fail(h, cause, NULL);
	h2_client_settle(h);
}

/* A response may have ended before its request, whose rest nobody wants. */
static void
h2_client_finish(struct h2_client *h)
{
	struct call *c = &h->call;

	h->state = H2_CLIENT_OVER;
	h2_client_let_go(h);
	leftover_free(h2_client_net(h), &h->out);
	h->sent_to = 0;
	c->owner->ended(c);
	h2_client_wake(h);
}

void
h2_client_settle(struct h2_client *h)
{
	struct call *c = &h->call;

	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	if (h->state == H2_CLIENT_HEAD && h->has_head) {
		h->state = H2_CLIENT_BODY;
		/* All of it is here: the client may as well be told how much,
		 * unless trailers need chunks to travel behind. */
		if (h->ended && c->framing == BODY_CHUNKED &&
		    c->trailers.n == 0)
			c->body.length = (int64_t)leftover_len(&h->in);
		c->owner->answered(c);
	}
	if (h->state != H2_CLIENT_OVER && h->failed) {
		h2_client_break(h);
		return;
	}
	if (h->state != H2_CLIENT_BODY)
		return;
	if (h->ended)
		h2_client_finish(h);
	else if (leftover_len(&h->in) > 0)
		h2_client_wake(h);
}

void
h2_client_lose(struct h2_client *h, enum exchange_cause cause,
    const char *detail)
{
	/* The connection has no calls any more, and is no place to write. */
	list_remove(&h->news);
	h->session = NULL;
	h2_answer_fail(h, cause, detail);
	h2_client_settle(h);
}

void
h2_client_give_up(struct h2_client *h, enum exchange_cause cause,
    const char *detail)
{
	timer_stop(h2_client_net(h)->loop, &h->timer);
	h->call.owner->unconnected(&h->call, cause, detail);
}

static void
h2_client_end(struct call *c)
{
	struct h2_client *h = (struct h2_client *)c;

	if (h->magic == 0) /* never wanted a connection */
		return;
	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	h->state = H2_CLIENT_OVER;
	h2_client_let_go(h);
	h->failed = !h->ended;
	h->waiting = false;
	leftover_free(h2_client_net(h), &h->in);
	leftover_free(h2_client_net(h), &h->out);
	h->sent_to = 0;
}

/* ---- time -------------------------------------------------------------- */

static enum h2_client_await
h2_client_awaits(const struct h2_client *h)
{
	bool reads = h->state == H2_CLIENT_HEAD ? h->sent : h->waiting;

	if (reads)
		return H2_AWAIT_READ;
	return h2_client_pending(h) > 0 ? H2_AWAIT_SEND : H2_AWAIT_NOTHING;
}

void
h2_client_arm(struct h2_client *h)
{
	enum h2_client_await now = h2_client_awaits(h);
	uint64_t moved = h->call.bytes_in + h->call.bytes_out;

	if (now == h->awaits && moved == h->armed_at)
		return;
	h->awaits = now;
	h->armed_at = moved;
	if (now != H2_AWAIT_NOTHING)
		timer_start(h2_client_net(h)->loop, &h->timer,
		    now == H2_AWAIT_READ ? h->call.read_timeout :
		    h->call.send_timeout);
}

static void
h2_client_on_timeout(struct timer *t)
{
	struct h2_client *h = CONTAINER_OF(t, struct h2_client, timer);

	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	if (h->pool != NULL) {
		h2_pool_leave(h->pool, h);
		h2_client_give_up(h, CAUSE_TIMEOUT, NULL);
	} else if (h2_client_awaits(h) == H2_AWAIT_NOTHING)
		h->awaits = H2_AWAIT_NOTHING;
	else
		h2_client_fail(h, CAUSE_TIMEOUT);
}

/* ---- the request's body ------------------------------------------------ */

/* Room for more of it; what was sent is kept for as long as a second attempt
 * is possible and it is little. */
static size_t
h2_client_room(struct h2_client *h)
{
	if (h->sent_to > 0 &&
	    (h->has_head || leftover_len(&h->out) >= H2_CLIENT_HELD)) {
		leftover_take(h2_client_net(h), &h->out, h->sent_to);
		h->sent_to = 0;
		h->call.is_replayable = false;
	}
	return leftover_len(&h->out) < H2_CLIENT_HELD ?
	    H2_CLIENT_HELD - leftover_len(&h->out) : 0;
}

static void
h2_client_pull(struct h2_client *h)
{
	struct flow *body = h->call.t->req.body;
	struct span span;
	size_t room, n;

	while (!h->body_over && (room = h2_client_room(h)) > 0) {
		switch (flow_peek(body, &span)) {
		case FLOW_DATA:
			ASSERT(span.p != NULL); /* clients send no files */
			n = span.n < room ? span.n : room;
			leftover_put(h2_client_net(h), &h->out, span.p, n);
			flow_take(body, n);
			/* Its end is looked for even where its length is
			 * known: trailers may come before that. */
			h->call.body_taken += n;
			break;
		case FLOW_WAIT:
			goto out;
		case FLOW_END:
			h->body_over = true;
			break;
		case FLOW_FAIL:
			h2_client_fail(h, CAUSE_CLIENT);
			return;
		}
	}
out:
	if (h->deferred && (h2_client_pending(h) > 0 || h->body_over)) {
		h->deferred = false;
		(void)nghttp2_session_resume_data(h->session->ng, h->id);
		h2_uplink_wants_write(h->session);
	}
}

static void
h2_client_on_work(struct task *t)
{
	struct h2_client *h = CONTAINER_OF(t, struct h2_client, work);

	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	if (h->session != NULL && !h->body_over)
		h2_client_pull(h);
}

static void
h2_client_on_body_wake(void *arg)
{
	struct h2_client *h = arg;

	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	if (h->session != NULL)
		loop_defer(h2_client_net(h)->loop, &h->work);
}

/* ---- the request's head ------------------------------------------------ */

static nghttp2_nv
h2_client_nv(struct arena *a, struct str name, struct str value)
{
	char *lower = arena_alloc(a, name.n + 1);

	/* RFC 9113 section 8.2.1: names are in lower case. */
	for (size_t i = 0; i < name.n; i++)
		lower[i] = (char)chr_lower(name.p[i]);
	return (nghttp2_nv){
		.name = (uint8_t *)lower,
		.namelen = name.n,
		.value = (uint8_t *)(uintptr_t)value.p,
		.valuelen = value.n,
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME |
		    NGHTTP2_NV_FLAG_NO_COPY_VALUE,
	};
}

static nghttp2_nv
h2_client_field(struct arena *a, const struct field *f)
{
	nghttp2_nv nv = h2_client_nv(a, f->name, f->value);

	/* What a client keeps out of tables stays out of them (RFC 7541
	 * section 7.1.3). nghttp2 does so to Authorization and to short
	 * cookies of its own accord. */
	if (f->is_secret)
		nv.flags |= NGHTTP2_NV_FLAG_NO_INDEX;
	return nv;
}

static nghttp2_nv *
h2_client_trailers(struct h2_client *h, size_t *n)
{
	struct arena *a = h->call.t->arena;
	struct head fields;
	nghttp2_nv *nv;

	*n = 0;
	head_init(&fields, a, 4);
	forward_trailer_fields(h->call.t, &fields);
	nv = arena_alloc(a, (fields.n + 1u) * sizeof *nv);
	HEAD_EACH(f, &fields)
		nv[(*n)++] = h2_client_field(a, f);
	return nv;
}

/* nghttp2 asks for more of the body, while it composes a write. */
static ssize_t
h2_client_on_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t cap,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_client *h = nghttp2_session_get_stream_user_data(ng, id);
	size_t n, n_trailers;
	nghttp2_nv *trailers;

	(void)source, (void)arg;
	if (h == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = h2_client_pending(h);
	if (n == 0 && !h->body_over) {
		h->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n > cap)
		n = cap;
	if (n > 0)
		memcpy(to, h->out.p + h->out.at + h->sent_to, n);
	h->sent_to += n;
	if (!h->body_over) {
		loop_defer(h2_client_net(h)->loop, &h->work);
		return (ssize_t)n;
	}
	if (h2_client_pending(h) > 0)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	trailers = h2_client_trailers(h, &n_trailers);
	if (n_trailers > 0 &&
	    nghttp2_submit_trailer(ng, id, trailers, n_trailers) == 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

static bool
h2_client_wants_trailers(const struct h2_client *h)
{
	struct str te = head_joined(&h->call.t->req.head, FIELD_TE);

	return h->call.is_grpc ||
	    (te.p != NULL && field_has_token(te, STR("trailers")));
}

/* False: a variable put into a field what must not stand there. */
static bool
h2_client_submit(struct h2_client *h)
{
	const nghttp2_data_provider provider = {
		.read_callback = h2_client_on_read};
	struct call *c = &h->call;
	struct arena *a = c->t->arena;
	bool is_tls = conn_is_tls(&h->session->up->conn);
	struct head fields;
	nghttp2_nv *nv;
	size_t n = 0;

	head_init(&fields, a, c->t->req.head.n + 8u);
	if (!forward_request_fields(c->t, &c->forward, &fields))
		return false;
	/* By a second attempt the flow has told its length already. */
	if (c->forward.body == FORWARD_LENGTH)
		head_set_known(&fields, FIELD_CONTENT_LENGTH,
		    arena_strf(a, "%llu", (unsigned long long)h->body_length));
	nv = arena_alloc(a, (fields.n + 5u) * sizeof *nv);
	nv[n++] = h2_client_nv(a, STR(":method"), c->t->req.method_name);
	nv[n++] = h2_client_nv(a, STR(":scheme"),
	    is_tls ? STR("https") : STR("http"));
	nv[n++] = h2_client_nv(a, STR(":path"), forward_target(c->t));
	nv[n++] = h2_client_nv(a, STR(":authority"),
	    head_value(&fields, FIELD_HOST));
	HEAD_EACH(f, &fields)
		if (f->id != FIELD_HOST)
			nv[n++] = h2_client_field(a, f);
	if (h2_client_wants_trailers(h))
		nv[n++] = h2_client_nv(a, STR("te"), STR("trailers"));
	h->id = nghttp2_submit_request(h->session->ng, NULL, nv, n,
	    c->forward.body == FORWARD_NO_BODY ? NULL : &provider, h);
	return h->id > 0;
}

/* ---- the response's body ----------------------------------------------- */

static struct h2_client *
h2_client_of(struct flow *f)
{
	struct h2_client *h = (struct h2_client *)f;

	OBJ_CHECK(h, H2_CLIENT_MAGIC);
	return h;
}

static enum flow_status
h2_client_peek(struct flow *f, struct span *out)
{
	struct h2_client *h = h2_client_of(f);

	h->waiting = false;
	if (leftover_len(&h->in) > 0) {
		*out = (struct span){
			.p = h->in.p + h->in.at, .n = leftover_len(&h->in)};
		return FLOW_DATA;
	}
	if (h->state == H2_CLIENT_OVER)
		return h->ended ? FLOW_END : FLOW_FAIL;
	h->waiting = true;
	h2_client_arm(h);
	return FLOW_WAIT;
}

/* Whoever has taken a whole window without leaving anything could have taken
 * more: the round trip is what holds it up. */
static void
h2_client_widen(struct h2_client *h)
{
	if (leftover_len(&h->in) > 0 || h->window_taken < h->window ||
	    h->window >= H2_ANSWER_MAX_WINDOW)
		return;
	h->window_taken = 0;
	h->window *= 2;
	(void)nghttp2_session_set_local_window_size(h->session->ng,
	    NGHTTP2_FLAG_NONE, h->id, (int32_t)h->window);
}

static void
h2_client_take(struct flow *f, size_t n)
{
	struct h2_client *h = h2_client_of(f);

	leftover_take(h2_client_net(h), &h->in, n);
	if (f->length > 0)
		f->length -= (int64_t)n;
	h->window_taken += n;
	if (h->session == NULL || n == 0)
		return;
	(void)nghttp2_session_consume_stream(h->session->ng, h->id, n);
	h2_client_widen(h);
	if (nghttp2_session_want_write(h->session->ng))
		h2_uplink_wants_write(h->session);
}

static void
h2_client_close(struct flow *f)
{
	h2_client_end(&h2_client_of(f)->call);
}

static const struct flow_ops h2_client_body_ops = {
	.name = "upstream",
	.peek = h2_client_peek,
	.take = h2_client_take,
	.close = h2_client_close,
};

/* ---- beginning --------------------------------------------------------- */

/* Once for all attempts: the request's body is ours from now on. */
static void
h2_client_prepare(struct h2_client *h)
{
	struct call *c = &h->call;

	if (h->magic != 0)
		return;
	h->magic = H2_CLIENT_MAGIC;
	list_init(&h->link);
	list_init(&h->news);
	h->timer = (struct timer){
		.name = "h2_client", .expired = h2_client_on_timeout};
	h->work = (struct task){
		.name = "h2_client", .run = h2_client_on_work};
	c->forward.body = forward_body_of(c->t);
	c->is_replayable = true;
	h->body_length = (uint64_t)c->t->req.body->length;
	h->body_over = c->forward.body == FORWARD_NO_BODY;
	c->body = (struct flow){.ops = &h2_client_body_ops, .length = -1};
	if (!h->body_over)
		flow_on_wake(c->t->req.body, h2_client_on_body_wake, h);
}

static void
h2_client_reset(struct h2_client *h)
{
	struct call *c = &h->call;

	ASSERT(c->body_taken == 0 || c->is_replayable);
	c->bytes_in = c->bytes_out = 0;
	c->status = 0;
	c->is_unprocessed = false;
	c->trailers = (struct head){0};
	h->id = 0;
	h->state = H2_CLIENT_HEAD;
	h->sent_to = 0;
	h->sent = h->deferred = false;
	h->interims = 0;
	h->has_head = h->ended = h->closed = h->failed = false;
	h->window = H2_ANSWER_WINDOW;
	h->window_taken = 0;
	h->awaits = H2_AWAIT_NOTHING;
	timer_stop(h2_client_net(h)->loop, &h->timer);
}

void
h2_client_begin(struct h2_client *h, struct h2_uplink *s)
{
	h2_client_prepare(h);
	h2_client_reset(h);
	h->session = s;
	h2_uplink_join(s, h);
	h->call.owner->connected(&h->call, s->up->addr);
	if (!h2_client_submit(h))
		h2_client_fail(h, CAUSE_BAD_FIELD);
	else if (!h->body_over)
		h2_client_pull(h);
}

static bool
h2_client_reuse(struct call *c, unsigned server)
{
	struct h2_uplink *s = h2_pool_uplink(h2_pool_of(c->backend, server));

	if (s == NULL)
		return false;
	h2_client_begin((struct h2_client *)c, s);
	return true;
}

static bool
h2_client_connect(struct call *c, unsigned server, unsigned addr,
    struct err *e)
{
	struct h2_client *h = (struct h2_client *)c;
	struct h2_pool *p = h2_pool_of(c->backend, server);

	/* Another call may have got one in the meantime. */
	if (h2_client_reuse(c, server))
		return true;
	h2_client_prepare(h);
	if (!h2_pool_wait(p, h, addr, e))
		return false;
	timer_start(h2_client_net(h)->loop, &h->timer, c->connect_timeout);
	return true;
}

static void
h2_client_abort(struct call *c, enum exchange_cause cause)
{
	h2_client_fail((struct h2_client *)c, cause);
}

static void
h2_client_end_body(struct call *c)
{
	struct h2_client *h = (struct h2_client *)c;

	ASSERT(h->state == H2_CLIENT_BODY);
	h->ended = true;
	h2_client_finish(h);
}

const struct call_protocol h2_client_protocol = {
	.size = sizeof(struct h2_client),
	.reuse = h2_client_reuse,
	.connect = h2_client_connect,
	.abort = h2_client_abort,
	.finish = h2_client_end_body,
	.end = h2_client_end,
};

#endif
