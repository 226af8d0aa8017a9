/*
 * The client side of HTTP/1.1. An exchange owns it; it dials or takes an idle
 * connection, holds it until the response is over, and gives it back to the
 * idle ones if nothing is left on it that could be taken for something else.
 *
 * The request is pushed (h1_client_push): head and as much of the body as is
 * there in one write, the rest as the client sends it, also while the response
 * comes already. The response is pulled: its head by h1_client_read_head, its
 * body by whoever holds the flow (h1_client_body.c has that half).
 */
#include "base/panic.h"
#include "http/status.h"
#include "net/tls_stream.h"
#include "upstream/h1_client_io.h"
#include "upstream/idle.h"

/* Writes of a request body in one go, 64 KiB each: then others have a turn. */
#define H1_CLIENT_ROUNDS 4
/* Chunks that are smaller leave together: a client may send its body in chunks
 * of one byte, but what that costs is between it and us. */
#define H1_CLIENT_GATHER 4096

static struct net *
h1_client_net(const struct h1_client *h)
{
	return h->call.t->server->net;
}

/* ---- ends -------------------------------------------------------------- */

static void
h1_client_let_go(struct h1_client *h)
{
	h->up = NULL;
	h->state = H1_CLIENT_OVER;
	task_cancel(&h->work);
	leftover_free(h1_client_net(h), &h->out);
}

void
h1_client_break(struct h1_client *h, enum exchange_cause cause,
    const char *detail)
{
	bool is_answered = h->state == H1_CLIENT_BODY;
	bool was_sending = !h->sent;
	struct uplink *up = h->up;

	ASSERT(h->state != H1_CLIENT_OVER);
	h1_client_let_go(h);
	uplink_close(up, cause == CAUSE_RESET ? CLOSE_RESET :
	    cause == CAUSE_CLOSED ? CLOSE_PEER : CLOSE_ABORTED);
	h->failed = true;
	if (!is_answered) {
		leftover_free(h1_client_net(h), &h->in);
		h->call.owner->failed(&h->call,
		    was_sending ? EXCHANGE_SEND : EXCHANGE_HEAD, cause, detail);
		return;
	}
	h->call.owner->cut(&h->call, cause, detail);
	if (h->waiting) {
		h->waiting = false;
		flow_wake(&h->call.body);
	}
}

/* What "Keep-Alive: timeout=5" announces, in ms; 0: nothing. */
static uint64_t
h1_client_announced(const struct h1_client *h)
{
	struct str rest = head_value(&h->call.head, FIELD_KEEP_ALIVE), element;
	uint64_t seconds;

	while (field_next(&rest, &element))
		if (str_has_prefix(element, STR("timeout=")) &&
		    str_to_u64(str_slice(element, 8, element.n), &seconds) &&
		    seconds < 86400)
			return seconds * 1000;
	return 0;
}

void
h1_client_release(struct h1_client *h)
{
	struct uplink *up = h->up;
	bool is_clean = h->sent && !h->dirty && !h->response.close &&
	    (h->call.framing == BODY_NONE || h->call.framing == BODY_LENGTH ||
	    h->call.framing == BODY_CHUNKED);

	h1_client_let_go(h);
	if (is_clean)
		idle_put(up, h1_client_announced(h));
	else
		uplink_close(up, CLOSE_DONE);
	h->call.owner->ended(&h->call);
}

void
h1_client_end(struct h1_client *h)
{
	struct uplink *up = h->up;

	dial_end(&h->dial);
	if (h->magic == 0) /* never had a connection */
		return;
	h1_client_let_go(h);
	if (up != NULL)
		uplink_close(up, CLOSE_ABORTED);
	h->failed = !h->ended;
	h->waiting = false;
	leftover_free(h1_client_net(h), &h->in);
}

/* ---- time -------------------------------------------------------------- */

static enum h1_client_await
h1_client_awaits(const struct h1_client *h)
{
	bool reads = h->state == H1_CLIENT_HEAD ?
	    h->sent || h->abandoned : h->waiting;

	if (reads)
		return AWAIT_READ;
	return h->blocked ? AWAIT_SEND : AWAIT_NOTHING;
}

/*
 * Starts the time-out that fits, if it is a new wait or if bytes have moved
 * since; whoever only asks again gains no time. A wait that is over leaves its
 * timer running: it fires into AWAIT_NOTHING or is moved by the next one.
 */
void
h1_client_arm(struct h1_client *h)
{
	enum h1_client_await now = h1_client_awaits(h);
	uint64_t moved = h->call.bytes_in + h->call.bytes_out;

	if (now == h->awaits && moved == h->armed_at)
		return;
	h->awaits = now;
	h->armed_at = moved;
	if (now != AWAIT_NOTHING)
		conn_set_deadline(&h->up->conn, now == AWAIT_READ ?
		    h->call.read_timeout : h->call.send_timeout);
}

static void
h1_client_on_timeout(struct uplink *up, void *arg)
{
	struct h1_client *h = arg;

	(void)up;
	OBJ_CHECK(h, H1_CLIENT_MAGIC);
	if (h1_client_awaits(h) == AWAIT_NOTHING)
		h->awaits = AWAIT_NOTHING;
	else
		h1_client_break(h, CAUSE_TIMEOUT, NULL);
}

/* ---- the request ------------------------------------------------------- */

/* Composes what goes before the body bytes of this write (the head, a chunk's
 * size) or, with SIZE 0, after the last. */
static struct str
h1_client_compose(struct h1_client *h, bool is_over, size_t size)
{
	struct net *net = h1_client_net(h);
	struct buf b = buf_fixed(net->out, NET_SCRATCH);
	bool is_new = !h->head_sent;
	char line[18];

again:
	if (is_new && !forward_request(h->call.t, &h->call.forward, &b))
		return str_of(NULL, 0);
	if (h->call.forward.body == FORWARD_CHUNKED && size > 0)
		buf_put(&b, line, chunk_format_size(line, size));
	if (h->call.forward.body == FORWARD_CHUNKED && is_over) {
		buf_str(&b, STR("0\r\n"));
		forward_trailers(h->call.t, &b);
	}
	if (b.overflow) {
		b = buf_in(h->call.t->arena);
		goto again;
	}
	h->head_sent = true;
	return str_of(b.p == NULL ? "" : b.p, b.n);
}

/*
 * Takes small pieces of the body, SPAN the first of them, into P; how many
 * bytes. Where it stopped, and why, the next peek says again.
 */
static size_t
h1_client_gather(struct h1_client *h, struct span span, char *p)
{
	struct flow *body = h->call.t->req.body;
	size_t n = 0;

	do {
		size_t some = H1_CLIENT_GATHER - n;

		if (span.n < some)
			some = span.n;
		memcpy(p + n, span.p, some);
		n += some;
		flow_take(body, some);
	} while (n < H1_CLIENT_GATHER && flow_peek(body, &span) == FLOW_DATA);
	h->call.body_taken += n;
	return n;
}

/* Writes FRAME and DATA after it; DATA is of the body, from which is taken what
 * was written or what is now ours to write, or IS_OURS already. */
static bool
h1_client_write(struct h1_client *h, struct str frame, struct str data,
    bool is_ours)
{
	struct net *net = h1_client_net(h);
	bool is_chunk = h->call.forward.body == FORWARD_CHUNKED && data.n > 0;
	struct str part[3] = {frame, data, is_chunk ? STR("\r\n") : STR("")};
	size_t done = 0, took = data.n;
	struct iovec iov[3];
	int n_iov = 0;
	enum conn_status st;

	for (int i = 0; i < 3; i++)
		if (part[i].n > 0)
			iov[n_iov++] = (struct iovec){
				(void *)(uintptr_t)part[i].p, part[i].n};
	st = n_iov == 0 ? CONN_AGAIN :
	    conn_write(&h->up->conn, iov, n_iov, &done);
	if (st == CONN_AGAIN)
		done = 0;
	else if (st != CONN_OK) {
		if (data.n > 0 && !is_ours)
			flow_take(h->call.t->req.body, 0);
		return false;
	}
	h->call.bytes_out += done;

	for (int i = 0; i < 3; i++) {
		size_t n = done < part[i].n ? done : part[i].n;

		done -= n;
		/* The size of a chunk is a promise: its bytes become ours.
		 * Without chunks the body keeps what was not written. */
		if (i == 1 && !is_chunk)
			took = n;
		else if (n < part[i].n)
			leftover_put(net, &h->out, part[i].p + n,
			    part[i].n - n);
	}
	if (is_ours || data.n == 0)
		return true;
	flow_take(h->call.t->req.body, took);
	h->call.body_taken += took;
	return true;
}

static bool
h1_client_flush(struct h1_client *h)
{
	struct leftover *out = &h->out;
	size_t n;

	while (leftover_len(out) > 0 && h->up->conn.can_write) {
		struct iovec iov = {out->p + out->at, leftover_len(out)};

		switch (conn_write(&h->up->conn, &iov, 1, &n)) {
		case CONN_OK:
			h->call.bytes_out += n;
			leftover_take(h1_client_net(h), out, n);
			break;
		case CONN_AGAIN:
			return true;
		case CONN_EOF:
		case CONN_FAILED:
			return false;
		}
	}
	return true;
}

enum push {
	PUSH_AGAIN,   /* more may go */
	PUSH_PAUSE,   /* somebody will call */
	PUSH_BROKEN,  /* the connection takes nothing any more */
	PUSH_CLIENT,  /* the request's body failed */
	PUSH_REFUSED  /* the head cannot be written */
};

static void
h1_client_finish_sending(struct h1_client *h)
{
	h->sent = true;
	if (h->call.framing != BODY_TUNNEL)
		return;
	/* The client's end is passed on; the other direction stays open. */
	conn_shutdown(&h->up->conn);
	if (h->ended)
		h1_client_release(h);
}

static bool
h1_client_has_body(const struct h1_client *h)
{
	return h->call.forward.body != FORWARD_NO_BODY ||
	    h->call.framing == BODY_TUNNEL;
}

static enum push
h1_client_push_once(struct h1_client *h)
{
	struct span span = {0};
	enum flow_status st = FLOW_END;
	char small[H1_CLIENT_GATHER];
	struct str frame, data;
	bool is_ours = false;

	if (!h1_client_flush(h))
		return PUSH_BROKEN;
	h->blocked = leftover_len(&h->out) > 0 || !h->up->conn.can_write;
	if (h->blocked)
		return PUSH_PAUSE;
	if (h->body_over) {
		h1_client_finish_sending(h);
		return PUSH_PAUSE;
	}

	if (h1_client_has_body(h))
		st = flow_peek(h->call.t->req.body, &span);
	if (st == FLOW_FAIL)
		return PUSH_CLIENT;
	if (st == FLOW_WAIT && h->head_sent)
		return PUSH_PAUSE;
	if (st != FLOW_DATA)
		span.n = 0;
	ASSERT(span.n == 0 || span.p != NULL); /* clients send no files */

	data = str_of(span.p, span.n);
	is_ours = h->call.forward.body == FORWARD_CHUNKED && data.n > 0 &&
	    data.n < H1_CLIENT_GATHER;
	if (is_ours)
		data = str_of(small, h1_client_gather(h, span, small));
	frame = h1_client_compose(h, st == FLOW_END, data.n);
	if (frame.p == NULL) {
		if (st == FLOW_DATA && !is_ours)
			flow_take(h->call.t->req.body, 0);
		return PUSH_REFUSED;
	}
	if (!h1_client_write(h, frame, data, is_ours))
		return PUSH_BROKEN;
	if (st == FLOW_END)
		h->body_over = true;
	else if (h->call.forward.body == FORWARD_LENGTH &&
	    h->call.body_taken == h->body_length)
		h->body_over = true;
	return PUSH_AGAIN;
}

static void
h1_client_push(struct h1_client *h)
{
	for (int i = 0; i < H1_CLIENT_ROUNDS && h->up != NULL && !h->sent; i++)
		switch (h1_client_push_once(h)) {
		case PUSH_AGAIN:
			break;
		case PUSH_PAUSE:
			return;
		case PUSH_BROKEN:
			/* It may have answered before it closed: that
			 * answer is worth more than our broken write. */
			h->abandoned = h->broken = true;
			return;
		case PUSH_CLIENT:
			h1_client_break(h, CAUSE_CLIENT, NULL);
			return;
		case PUSH_REFUSED:
			h1_client_break(h, CAUSE_BAD_FIELD, NULL);
			return;
		}
	if (h->up != NULL && !h->sent)
		loop_next(h1_client_net(h)->loop, &h->work);
}

/* ---- the response's head ----------------------------------------------- */

enum body_framing
h1_client_framing(enum method method, const struct h1_response *response)
{
	if (response->status == 101)
		return BODY_TUNNEL;
	if (method == METHOD_HEAD || status_has_no_body(response->status))
		return BODY_NONE;
	if (response->chunked)
		return BODY_CHUNKED;
	return response->content_length >= 0 ? BODY_LENGTH : BODY_CLOSE;
}

/* RFC 9110 section 15.2: any number may come, and unknown ones are passed on.
 * 100 answers an Expect of ours, and we send none. */
static bool
h1_client_on_interim(struct h1_client *h)
{
	struct txn *t = h->call.t;
	struct head seen;

	if (++h->interims > CALL_MAX_INTERIM) {
		h1_client_break(h, CAUSE_INTERIM, NULL);
		return false;
	}
	if (h->response.status == 100 || (t->req.major == 1 &&
	    t->req.minor == 0))
		return true;
	head_init(&seen, t->arena, h->call.head.n);
	forward_response(&seen, &h->call.head);
	t->transport->interim(t, h->response.status, &seen);
	return true;
}

static void
h1_client_on_final(struct h1_client *h)
{
	h->state = H1_CLIENT_BODY;
	h->call.status = h->response.status;
	h->call.content_length = h->response.content_length;
	h->call.framing =
	    h1_client_framing(h->call.t->req.method, &h->response);
	switch (h->call.framing) {
	case BODY_NONE:
		h->call.body.length = 0;
		break;
	case BODY_LENGTH:
		h->left = (uint64_t)h->response.content_length;
		h->call.body.length = h->response.content_length;
		break;
	case BODY_CHUNKED:
		chunk_decoder_init(&h->decoder);
		head_init(&h->call.trailers, h->call.t->arena, 0);
		break;
	case BODY_CLOSE:
	case BODY_TUNNEL:
		break;
	}
	/* Whoever refuses does not want the rest (RFC 9112 section 9.5). */
	if (!h->sent && h->response.status >= 400)
		h->abandoned = true;
}

/*
 * Whether a 101 is what we asked for. Without its Connection a client has to
 * give up (RFC 6455 section 4.1); ours would, as we write both anew, not see
 * that it is missing.
 */
static bool
h1_client_may_switch(const struct h1_client *h)
{
	struct str said = head_value(&h->call.head, FIELD_UPGRADE);

	return h->call.forward.upgrade.n > 0 && h->sent &&
	    h->response.upgrade &&
	    field_has_token(said, h->call.forward.upgrade);
}

/* One whole head. False: the exchange has failed. */
static bool
h1_client_take_head(struct h1_client *h, const char *p, size_t n)
{
	struct h1_limits limits = {
		.max_fields = CALL_MAX_FIELDS, .bare_lf = h->call.bare_lf};
	struct arena *a = h->call.t->arena;
	enum h1_refusal refusal;

	h->scanned = 0;
	if (n > CALL_MAX_HEAD) {
		h1_client_break(h, CAUSE_LARGE_HEAD, NULL);
		return false;
	}
	head_init(&h->call.head, a, 16);
	refusal = h1_parse_response(arena_memdup(a, p, n), n, &limits,
	    &h->response, &h->call.head);
	if (refusal != H1_OK) {
		h1_client_break(h, CAUSE_BAD_HEAD, h1_refusal_text(refusal));
		return false;
	}
	if (h->response.status == 101 && !h1_client_may_switch(h)) {
		h1_client_break(h, CAUSE_BAD_UPGRADE, NULL);
		return false;
	}
	if (h->response.status < 200 && h->response.status != 101)
		return h1_client_on_interim(h);
	h1_client_on_final(h);
	return true;
}

/* The head is there, and N bytes of the body at P in the scratch page. */
static void
h1_client_answer(struct h1_client *h, char *p, size_t n)
{
	n = h1_client_decode(h, p, n);
	if (n > 0)
		leftover_put(h1_client_net(h), &h->in, p, n);
	/* All of it is here: the client may as well be told how much, unless
	 * trailers need chunks to travel behind. */
	if (h->ended && h->call.body.length < 0 && h->call.trailers.n == 0)
		h->call.body.length = (int64_t)n;
	h->call.owner->answered(&h->call);
	if (h->ended && h->up != NULL)
		h1_client_release(h);
}

static size_t
h1_client_scan(struct h1_client *h, const char *p, size_t n)
{
	return h->call.bare_lf ? h1_scan_head_lf(p, n, &h->scanned) :
	    h1_scan_head(p, n, &h->scanned);
}

/* N more bytes of heads stand in the scratch page. */
static void
h1_client_take_heads(struct h1_client *h, size_t n)
{
	struct net *net = h1_client_net(h);
	struct leftover *in = &h->in;
	bool is_kept = leftover_len(in) > 0;
	char *p = net->in;
	size_t head;

	if (is_kept) {
		leftover_put(net, in, p, n);
		p = in->p + in->at;
		n = leftover_len(in);
	}
	while ((head = h1_client_scan(h, p, n)) > 0) {
		if (!h1_client_take_head(h, p, head))
			return;
		p += head;
		n -= head;
		if (h->state == H1_CLIENT_BODY) {
			/* Only the last read reaches beyond the head, and
			 * no read is larger than the page. */
			memmove(net->in, p, n);
			leftover_free(net, in);
			h1_client_answer(h, net->in, n);
			return;
		}
	}
	if (n > CALL_MAX_HEAD)
		h1_client_break(h, CAUSE_LARGE_HEAD, NULL);
	else if (is_kept)
		leftover_take(net, in, leftover_len(in) - n);
	else if (n > 0)
		leftover_put(net, in, p, n);
}

/* In TLS 1.3 a server looks at our certificate when we take the handshake for
 * over. */
static bool
h1_client_is_refused(const struct conn *c)
{
	return conn_errno(c) == 0 && c->tls != NULL &&
	    tls_stream_refusal(c->tls) == TLS_REFUSED_BY_PEER;
}

static void
h1_client_read_head(struct h1_client *h)
{
	struct conn *c = &h->up->conn;
	size_t n;

	/* An answer to what was not asked yet is none to this request (RFC
	 * 9112 section 9.2), not even if asking failed; once something was
	 * sent it is read and judged. */
	if (h->call.bytes_out == 0) {
		if (h->abandoned)
			h1_client_break(h, CAUSE_RESET, NULL);
		return;
	}
	while (h->state == H1_CLIENT_HEAD && (c->can_read || c->hung_up ||
	    h->abandoned)) {
		switch (conn_read(c, h1_client_net(h)->in, NET_PAGE, &n)) {
		case CONN_OK:
			h->call.bytes_in += n;
			h1_client_take_heads(h, n);
			break;
		case CONN_AGAIN:
			if (h->abandoned)
				h1_client_break(h, CAUSE_RESET, NULL);
			return;
		case CONN_EOF:
			h1_client_break(h, CAUSE_CLOSED, NULL);
			return;
		case CONN_FAILED:
			h1_client_break(h, h1_client_is_refused(c) ?
			    CAUSE_TLS_REFUSED : CAUSE_RESET, conn_failure(c));
			return;
		}
	}
}

/* ---- driving ----------------------------------------------------------- */

void
h1_client_drive(struct h1_client *h)
{
	if (h->up != NULL && !h->sent && !h->abandoned)
		h1_client_push(h);
	if (h->up != NULL && h->state == H1_CLIENT_HEAD)
		h1_client_read_head(h);
	if (h->up != NULL)
		h1_client_arm(h);
}

static void
h1_client_on_ready(struct uplink *up, void *arg)
{
	struct h1_client *h = arg;

	OBJ_CHECK(h, H1_CLIENT_MAGIC);
	h1_client_drive(h);
	if (h->up == up && h->waiting &&
	    (up->conn.can_read || up->conn.hung_up)) {
		h->waiting = false;
		flow_wake(&h->call.body);
	}
}

static void
h1_client_on_work(struct task *task)
{
	struct h1_client *h = CONTAINER_OF(task, struct h1_client, work);

	OBJ_CHECK(h, H1_CLIENT_MAGIC);
	h1_client_drive(h);
}

void
h1_client_on_body_wake(void *arg)
{
	struct h1_client *h = arg;

	OBJ_CHECK(h, H1_CLIENT_MAGIC);
	if (h->up != NULL && !h->sent && !h->abandoned)
		loop_defer(h1_client_net(h)->loop, &h->work);
}

static const struct uplink_user h1_client_user = {
	.ready = h1_client_on_ready,
	.timeout = h1_client_on_timeout,
};

/* Uses UP, which is connected, for the request. */
static void
h1_client_start(struct h1_client *h, struct uplink *up)
{
	struct call *c = &h->call;

	*h = (struct h1_client){
		.call = {
			.body = {.ops = &h1_client_body_ops, .length = -1},
			.owner = c->owner,
			.owner_arg = c->owner_arg,
			.t = c->t,
			.backend = c->backend,
			.forward = c->forward,
			.connect_timeout = c->connect_timeout,
			.send_timeout = c->send_timeout,
			.read_timeout = c->read_timeout,
			.bare_lf = c->bare_lf,
		},
		.magic = H1_CLIENT_MAGIC,
		.work = {.name = "h1_client", .run = h1_client_on_work},
		.up = up,
		.body_length = (uint64_t)c->t->req.body->length,
	};
	c->forward.body = forward_body_of(c->t);
	up->requests++;
	uplink_use(up, &h1_client_user, h);
	if (c->forward.body != FORWARD_NO_BODY)
		flow_on_wake(c->t->req.body, h1_client_on_body_wake, h);
	c->owner->connected(c, up->addr);
	h1_client_drive(h);
}

/* ---- connections ------------------------------------------------------- */

static void
h1_client_on_dialled(struct dial *d, struct uplink *up)
{
	h1_client_start(CONTAINER_OF(d, struct h1_client, dial), up);
}

static void
h1_client_on_undialled(struct dial *d, enum exchange_cause cause,
    const char *detail)
{
	struct h1_client *h = CONTAINER_OF(d, struct h1_client, dial);

	h->call.owner->unconnected(&h->call, cause, detail);
}

static bool
h1_client_connect(struct call *c, unsigned server, unsigned addr,
    struct err *e)
{
	struct h1_client *h = (struct h1_client *)c;

	h->dial.connected = h1_client_on_dialled;
	h->dial.failed = h1_client_on_undialled;
	return dial_start(&h->dial, c->backend, server, addr,
	    c->connect_timeout, e);
}

static bool
h1_client_reuse(struct call *c, unsigned server)
{
	struct uplink *up = idle_take(c->backend, server);

	if (up == NULL)
		return false;
	h1_client_start((struct h1_client *)c, up);
	return true;
}

static void
h1_client_abort(struct call *c, enum exchange_cause cause)
{
	h1_client_break((struct h1_client *)c, cause, NULL);
}

static void
h1_client_end_call(struct call *c)
{
	h1_client_end((struct h1_client *)c);
}

const struct call_protocol h1_client_protocol = {
	.size = sizeof(struct h1_client),
	.reuse = h1_client_reuse,
	.connect = h1_client_connect,
	.abort = h1_client_abort,
	.end = h1_client_end_call,
};
