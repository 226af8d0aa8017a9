/*
 * What servers of HTTP/2 can do to us, who are their client: any course of
 * frames, windows, resets and GOAWAYs (h2_course.h) in answer to requests of
 * clients of HTTP/1, whose requests are written here. Servers read all that
 * they are told (h2_peer.h). What must hold besides what they check:
 *
 *  - each client gets responses to its requests, in order, and nothing else;
 *  - what is whole was whole at its server, byte by byte: a body that was cut
 *    there is cut here;
 *  - a server is told of no more requests than there were, or twice as many,
 *    since each may be sent again once;
 *  - work ends, and then nothing is left.
 */
#define FUZZ_YAML \
	"http:\n" \
	"  header_timeout: 2s\n" \
	"  body_timeout: 3s\n" \
	"  send_timeout: 4s\n" \
	"  keepalive_timeout: 5s\n" \
	"  lingering_timeout: 1s\n" \
	"  max_body_size: 100000\n" \
	"upstreams:\n" \
	"  new:\n" \
	"    servers: [127.0.0.1:2, 127.0.0.1:4]\n" \
	"    keepalive: {connections: 2, idle: 6s, requests: 9, ping: 2s}\n" \
	"tag: x\n" \
	"sites:\n" \
	"- listen: {http: 80, https: 81}\n" \
	"  tls: {self_signed: on}\n" \
	"  default: on\n" \
	"  routes:\n" \
	FUZZ_ROUTE("/grpc/*", "grpc") \
	FUZZ_ROUTE("/*", "http2")
#define FUZZ_ROUTE(path, protocol) \
	"  - path: " path "\n" \
	"    proxy:\n" \
	"      to: new\n" \
	"      protocol: " protocol "\n" \
	"      connect_timeout: 1s\n" \
	"      send_timeout: 2s\n" \
	"      read_timeout: 3s\n" \
	"      request_headers: {set: {X-Id: $request_id}}\n"

#define OPENSSL_SUPPRESS_DEPRECATED
#include "mock_net.h"

#include "witness.h"

#define COURSE_SPEAKS_H2(s) ((s)->is_dialled)
#define COURSE_EVENTS { 'Q', false, fuzz_ask }, \
	{ 'q', false, fuzz_ask_more },
static void fuzz_ask(void);
static void fuzz_ask_more(void);
#include "h2_course.h"

#define MAX_COURSE 4096
#define MAX_ASKED 64

/* ---- clients ----------------------------------------------------------- */

enum { ASKED_GRPC = 4, ASKED_MORE = 7 };
static const struct {
	enum method method;
	const char *text;
} requests[] = {
	{ METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ METHOD_HEAD, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" },
	{ METHOD_POST, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
	    "\r\nhello" },
	{ METHOD_POST, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n" },
	{ METHOD_POST, "POST /grpc/x HTTP/1.1\r\nHost: a\r\n"
	    "Content-Type: application/grpc\r\nTE: trailers\r\n"
	    "Connection: te\r\ngrpc-timeout: 900m\r\nContent-Length: 5\r\n"
	    "\r\n12345" },
	{ METHOD_PUT, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
	    "Content-Length: 5\r\n\r\nhello" },
	{ METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	    "Cookie: a=1\r\nAuthorization: x\r\n\r\n" },
	[ASKED_MORE] = { METHOD_POST, "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 90000\r\n\r\n" }
};

static struct {
	uint8_t kinds[MAX_ASKED]; /* index in requests */
	unsigned n;
	bool is_odd; /* its last request is not whole, or said to be the last */
} asked[CLIENTS];

static void
fuzz_ask_for(unsigned k)
{
	unsigned i = fuzz.client;

	if (asked[i].n == MAX_ASKED || asked[i].is_odd)
		return;
	asked[i].kinds[asked[i].n++] = (uint8_t)k;
	asked[i].is_odd = k == ASKED_MORE;
	fuzz_say(fuzz.clients[i], requests[k].text, strlen(requests[k].text));
}

static void
fuzz_ask(void)
{
	fuzz_ask_for(course_number() % COUNT_OF(requests));
}

/* A body that comes bit by bit: its length is far more. */
static void
fuzz_ask_more(void)
{
	size_t n = course_number() * 256u;
	struct buf b = buf_in(mock.arena);

	fuzz_ask_for(ASKED_MORE);
	for (; n > 0; n--)
		buf_chr(&b, 'x');
	if (asked[fuzz.client].is_odd && b.n > 0)
		fuzz_say(fuzz.clients[fuzz.client], b.p, b.n);
}

/* ---- what was said ----------------------------------------------------- */

static bool
fuzz_is_source(const struct h2_peer_stream *s, struct str mark, uint64_t n)
{
	return str_eq(s->mark, mark) && s->said_end && s->said == n;
}

/* A server that ended a stream of that mark after just so much. */
static bool
fuzz_was_whole(struct str mark, uint64_t n)
{
	for (unsigned i = 0; i < mock.n; i++) {
		const struct h2_peer *p = &h2_peers[i];

		for (unsigned k = 0; p->s != NULL && k < H2_PEER_STREAMS; k++)
			if (fuzz_is_source(&p->streams[k], mark, n))
				return true;
	}
	return false;
}

static void
fuzz_check_response(const struct said_response *r, bool is_grpc)
{
	struct str mark = head_value_name(&r->head, STR("x-id"));

	ASSERT(r->r.status != 101);
	if (mark.p == NULL || h2_peer_is_wild)
		return;
	for (size_t i = 0; i < r->body.n; i++)
		ASSERT((unsigned char)r->body.p[i] ==
		    (unsigned char)('0' + i % 67));
	/* A length that was promised and kept to makes it whole, whatever
	 * comes after; and a deadline of gRPC is said in trailers. */
	if (r->whole && r->r.chunked && !is_grpc)
		ASSERT(fuzz_was_whole(mark, r->body.n));
}

static void
fuzz_check_client(unsigned i)
{
	const struct mock_socket *s = fuzz.clients[i];
	struct said said = {
		.arena = mock.arena, .all = buf_view(&s->out),
		.has_fin = s->fin_out && !s->cut
	};

	for (unsigned k = 0; k < asked[i].n; k++) {
		struct said_response r;
		unsigned interims;

		unsigned kind = asked[i].kinds[k];

		switch (said_response(&said, requests[kind].method, &interims,
		    &r)) {
		case SAID_OK:
			fuzz_check_response(&r, kind == ASKED_GRPC);
			if (!r.whole)
				return;
			break;
		case SAID_PART:
		case SAID_NOTHING:
			return;
		case SAID_BAD:
			UNREACHABLE();
		}
	}
	/* One that was cut for its time may be told so. */
	ASSERT(said_rest(&said).n == 0 ||
	    str_has_prefix(said_rest(&said), STR("HTTP/1.1 4")));
}

static void
fuzz_check_what_was_said(void)
{
	unsigned told = 0, n = 0;

	for (unsigned i = 0; i < fuzz.n_clients; i++) {
		n += asked[i].n;
		if (fuzz.clients[i]->tls == NULL)
			fuzz_check_client(i);
	}
	for (unsigned i = 0; i < mock.n; i++)
		for (unsigned k = 0; h2_peers[i].s != NULL &&
		    k < H2_PEER_STREAMS; k++)
			told += h2_peers[i].streams[k].has_head;
	ASSERT(told <= 2 * n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_COURSE)
		return 0;
	if (fuzz.generation == NULL)
		fuzz_load();
	fuzz_begin();
	memset(asked, 0, sizeof asked);
	course_play(data, size);
	fuzz_wait();
	fuzz_check_nothing_is_left();
	course_hear_all();
	fuzz_check_what_was_said();
	h2_peer_free_all();
	fuzz_end();
	return 0;
}
