/* Reads again what was said by all, and says whether any of it is wrong. */
#ifndef TESTS_FUZZ_JUDGE_H
#define TESTS_FUZZ_JUDGE_H

#include "server_world.h"
#include "witness.h"

#define MAX_HEAD 2048
#define MAX_FIELDS 20
#define MAX_TARGET 256
#define MAX_REQUESTS 512 /* of a client, that are looked at */

/* ---- what was said ----------------------------------------------------- */

struct speaker {
	struct mock_socket *socket;
	struct said_request requests[MAX_REQUESTS];
	unsigned n;
	bool goes_on; /* something follows them that is no request */
	bool is_shut; /* no PROXY header opened the gate */
	struct peer peer; /* whom one named; AF_UNSPEC: nobody */
};

struct exchanged {
	struct said_request *request;
	struct said_response response;
	bool is_there;
};

static struct speaker clients[CLIENTS];
/* The last exchange of each request with an upstream. */
static struct exchanged exchanged[CLIENTS][MAX_REQUESTS];
/* Answers to requests of which not even the head had arrived: whose they are,
 * nobody can tell who looks on. */
static struct said_response early[MOCK_SOCKETS];
static unsigned n_early;

static bool
fuzz_is_prefix(struct str part, struct str all)
{
	return part.n <= all.n && str_eq(part, str_slice(all, 0, part.n));
}

/* What came after a PROXY header, if one had to. */
static struct str
fuzz_read_header(struct speaker *c)
{
	struct str all = buf_view(&c->socket->in);
	struct proxy_line line;

	c->is_shut = false;
	c->peer = (struct peer){ .family = AF_UNSPEC };
	if (!fuzz_has_gate(c->socket))
		return all;
	c->is_shut = proxy_line_parse(all.p, all.n, &line) != PROXY_LINE_OK;
	if (c->is_shut)
		return str_of("", 0);
	if (line.has_peers)
		c->peer = line.source;
	return str_slice(all, line.n, all.n);
}

static void
fuzz_read_client(struct speaker *c, struct mock_socket *socket)
{
	static const struct h1_limits limits = {
		.max_fields = MAX_FIELDS, .max_target = MAX_TARGET
	};
	struct said s = { .arena = mock.arena };

	c->socket = socket;
	s.all = fuzz_read_header(c);
	if (socket->tls != NULL)
		s.all = buf_view(&socket->tls->said);
	c->n = 0;
	c->goes_on = false;
	while (c->n < MAX_REQUESTS) {
		enum said_head what = said_request(&s, &limits, MAX_HEAD,
		    &c->requests[c->n]);

		c->goes_on = what == SAID_BAD || what == SAID_PART;
		if (what != SAID_OK)
			return;
		/* Whatever follows a body that is not whole is of it. */
		if (!c->requests[c->n++].whole)
			return;
	}
	c->goes_on = true;
}

/* The client is whom its PROXY header names, and is so named. */
static void
fuzz_check_origin(const struct head *h, const struct speaker *c)
{
	struct str said = head_joined(h, FIELD_X_FORWARDED_FOR);
	char text[PEER_TEXT];
	struct buf ip = buf_fixed(text, sizeof text);

	if (c->peer.family == AF_UNSPEC)
		buf_z(&ip, "192.0.2.7");
	else
		peer_format_ip(&ip, &c->peer);
	ASSERT(str_has_suffix(said, buf_view(&ip)));
	/* Of others nothing is believed. */
	if (!str_eq(buf_view(&ip), STR("192.0.2.7")) ||
	    c->peer.family == AF_UNSPEC)
		ASSERT(str_eq(said, buf_view(&ip)));
}

/* The request that the upstream's X-Id names; it is one that was sent. */
static struct said_request *
fuzz_find_request(const struct head *h, struct exchanged **x)
{
	struct str id = head_value_name(h, STR("X-Id")), part;
	uint64_t client = 0, n = 0;

	ASSERT(str_split(&id, '.', &part) && str_to_u64(part, &client));
	ASSERT(str_to_u64(id, &n));
	ASSERT(client < fuzz.n_clients);
	fuzz_check_origin(h, &clients[client]);
	if (n >= MAX_REQUESTS)
		return NULL;
	ASSERT(n < clients[client].n);
	*x = &exchanged[client][n];
	return &clients[client].requests[n];
}

/* Ours to write, whatever the client has. */
static bool
fuzz_is_ours(const struct field *f, const struct said_request *from)
{
	switch ((int)f->id) {
	case FIELD_HOST:
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PROTO:
		return true;
	case FIELD_CONNECTION:
	case FIELD_UPGRADE:
		return from->r.upgrade;
	default:
		return str_eq(f->name, STR("X-Id"));
	}
}

static void
fuzz_check_fields(const struct said_request *got,
    const struct said_request *from)
{
	struct str named = head_joined(&from->head, FIELD_CONNECTION);

	HEAD_EACH(f, &got->head) {
		bool is_there = fuzz_is_ours(f, from);

		if (!is_there)
			ASSERT(!field_has_token(named, f->name));
		if (!is_there)
			HEAD_EACH(g, &from->head)
				is_there = is_there ||
				    (str_eq(f->name, g->name) &&
				    str_eq(f->value, g->value));
		ASSERT(is_there);
	}
}

static void
fuzz_check_request(const struct said_request *got, struct said_request *from)
{
	ASSERT(got->r.method == from->r.method);
	ASSERT(str_eq(got->r.method_name, from->r.method_name));
	ASSERT(got->r.minor == 1);
	ASSERT(str_has_suffix(from->r.target, got->r.target) ||
	    str_eq(got->r.target, STR("/")) ||
	    str_has_prefix(got->r.target, STR("/?")) ||
	    str_eq(got->r.target, STR("*")));
	fuzz_check_fields(got, from);
	ASSERT(fuzz_is_prefix(buf_view(&got->body), buf_view(&from->body)));
	if (got->whole)
		ASSERT(from->whole && got->body.n == from->body.n);
	/* A second time only after a kept connection turned out dead. */
	ASSERT(++from->seen <= 2);
	ASSERT(from->seen < 2 || (from->body.n == 0 &&
	    (method_flags(from->r.method) & METHOD_IDEMPOTENT) != 0));
}

/* The request that begins at OUT was written when no more had been read than
 * the answers to those before it, which end at IN. */
static void
fuzz_check_turn(const struct mock_socket *s, size_t out, size_t in)
{
	for (size_t at = 0; at < s->marks.n; at += sizeof(struct mock_mark)) {
		struct mock_mark mark;

		memcpy(&mark, s->marks.p + at, sizeof mark);
		if (mark.out == out) {
			ASSERT(mark.in == in);
			return;
		}
	}
	UNREACHABLE();
}

/* Whether some of a request has left that nobody can read yet: the first bytes
 * of a TLS record. */
static bool
fuzz_is_amid_record(const struct mock_socket *socket)
{
	size_t at = 0;

	while (socket->tls != NULL && at + 5 <= socket->out.n)
		at += 5 + ((size_t)(unsigned char)socket->out.p[at + 3] << 8 |
		    (unsigned char)socket->out.p[at + 4]);
	return socket->tls != NULL && at != socket->out.n;
}

static void
fuzz_read_upstream(struct mock_socket *socket)
{
	static const struct h1_limits limits = {
		.max_fields = 200, .max_target = 65536
	};
	struct said in = { .arena = mock.arena, .all = buf_view(&socket->out) };
	struct said out = {
		.arena = mock.arena, .all = buf_view(&socket->in),
		.has_fin = socket->fin_in && socket->in_at == socket->in.n
	};
	enum said_head what = SAID_OK;

	if (socket->tls != NULL) {
		in.all = buf_view(&socket->tls->heard);
		out.all = buf_view(&socket->tls->said);
		/* It is close_notify that ends a response, not FIN
		 * (RFC 9112 section 9.8). */
		out.has_fin = socket->tls->said_close &&
		    socket->tls->wire_at == socket->tls->wire.n &&
		    socket->in_at == socket->in.n;
	}
	for (;;) {
		struct said_request got, *from;
		struct exchanged *x;
		unsigned interims;

		if (said_rest(&in).n > 0)
			fuzz_check_turn(socket, in.at, out.at);
		what = said_request(&in, &limits, SIZE_MAX, &got);
		ASSERT(what != SAID_BAD);
		if ((what == SAID_PART || fuzz_is_amid_record(socket)) &&
		    what != SAID_OK && said_response(&out,
		    str_has_prefix(said_rest(&in), STR("HEAD ")) ?
		    METHOD_HEAD : METHOD_GET, &interims, &early[n_early]) ==
		    SAID_OK)
			n_early++;
		if (what != SAID_OK)
			return;
		from = fuzz_find_request(&got.head, &x);
		if (from == NULL)
			return;
		fuzz_check_request(&got, from);
		*x = (struct exchanged){ .request = from, .is_there = true };
		what = said_response(&out, got.r.method, &interims,
		    &x->response);
		if (what != SAID_OK)
			x->response.has_head = x->response.whole = false;
		if (what == SAID_OK && x->response.r.status == 101) {
			/* What it is sent from here on is the client's. */
			return;
		}
		if (!got.whole)
			return;
	}
}

/* Answers that are ours have a page that says so, or what /s says. */
static bool
fuzz_is_own(const struct said_response *r, bool has_body)
{
	struct str page = status_page(r->r.status);

	if (r->r.status == 200)
		page = STR("small");
	else if (r->r.status < 400)
		return false;
	if (!has_body)
		return true;
	return r->whole ? str_eq(buf_view(&r->body), page) :
	    fuzz_is_prefix(buf_view(&r->body), page);
}

/* Whether GOT, which answers REQUEST at a client, is FROM passed on. */
static bool
fuzz_is_passed_on(const struct said_response *got,
    const struct said_request *request, const struct said_response *from)
{
	struct str body = buf_view(&got->body);

	if (!from->has_head || from->r.status != got->r.status)
		return false;
	if (got->r.status == 101)
		return request->r.upgrade &&
		    fuzz_is_prefix(got->raw, from->raw);
	if (got->whole)
		return from->whole && str_eq(body, buf_view(&from->body));
	return fuzz_is_prefix(body, buf_view(&from->body));
}

/* X is what came of REQUEST at an upstream. */
static void
fuzz_check_response(const struct said_response *got,
    const struct said_request *request, const struct exchanged *x)
{
	if (x->is_there && fuzz_is_passed_on(got, request, &x->response))
		return;
	for (unsigned i = 0; i < n_early && request != NULL; i++)
		if (fuzz_is_passed_on(got, request, &early[i]))
			return;
	ASSERT(fuzz_is_own(got, request == NULL ||
	    request->r.method != METHOD_HEAD));
}

static void
fuzz_check_client(unsigned k)
{
	static const struct exchanged none;
	struct speaker *c = &clients[k];
	struct mock_socket *socket = c->socket;
	struct said s = {
		.arena = mock.arena, .all = buf_view(&socket->out),
		.has_fin = !socket->cut
	};

	if (c->is_shut) {
		ASSERT(socket->out.n == 0 && c->n == 0);
		return;
	}
	if (socket->tls != NULL) {
		s.all = buf_view(&socket->tls->heard);
		s.has_fin = socket->tls->heard_close;
	}

	for (unsigned i = 0; i < MAX_REQUESTS; i++) {
		struct said_request *request =
		    i < c->n ? &c->requests[i] : NULL;
		struct said_response got;
		unsigned interims;
		enum said_head what = said_response(&s, request != NULL ?
		    request->r.method : METHOD_GET, &interims, &got);

		ASSERT(what != SAID_BAD);
		if (what != SAID_OK)
			return;
		/* One answer for what is no request, then no more. */
		ASSERT(i < c->n || (i == c->n && c->goes_on));
		ASSERT(request != NULL || got.r.status >= 400);
		ASSERT(request == NULL || request->r.minor == 1 ||
		    interims == 0);
		ASSERT(!got.until_close || request == NULL ||
		    request->r.minor == 0);
		fuzz_check_response(&got, request, i < c->n ?
		    &exchanged[k][i] : &none);
		if (!got.whole || got.r.close || request == NULL) {
			/* What was no whole head in time may have become one of
			 * HEAD later: there is a page nevertheless. */
			ASSERT(said_rest(&s).n == 0 || (got.r.status == 408 &&
			    str_eq(said_rest(&s), status_page(408))));
			return;
		}
	}
}

static void
fuzz_check_what_was_said(void)
{
	for (unsigned i = 0; i < fuzz.n_clients; i++) {
		fuzz_read_client(&clients[i], fuzz.clients[i]);
		for (unsigned k = 0; k < clients[i].n; k++)
			exchanged[i][k] = (struct exchanged){ .request = NULL };
	}
	n_early = 0;
	for (unsigned i = 0; i < mock.n; i++)
		if (mock.sockets[i].is_dialled)
			fuzz_read_upstream(&mock.sockets[i]);
	for (unsigned i = 0; i < fuzz.n_clients; i++)
		fuzz_check_client(i);
}

#endif
