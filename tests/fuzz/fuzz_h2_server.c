/*
 * What clients of HTTP/2 can do to the server, in clear text and over TLS, with
 * upstreams of HTTP/1 and HTTP/2 behind it. The input is a course of events
 * (h2_course.h); peers read all that they are told (h2_peer.h). What must hold
 * besides what they check:
 *
 *  - an upstream of HTTP/1 gets requests and nothing else, no more of them than
 *    clients began streams, each whole before the next;
 *  - work ends: by itself in a bounded number of rounds, and with silent peers
 *    by time alone;
 *  - then nothing is left: no transaction, connection, page, timer, or byte
 *    that nghttp2 had of us.
 */
#define FUZZ_YAML \
	"http:\n" \
	"  header_timeout: 2s\n" \
	"  body_timeout: 3s\n" \
	"  send_timeout: 4s\n" \
	"  keepalive_timeout: 5s\n" \
	"  lingering_timeout: 1s\n" \
	"  max_header_size: 2k\n" \
	"  max_headers: 20\n" \
	"  max_target_size: 256\n" \
	"  max_body_size: 100000\n" \
	"  http2: {max_streams: 8, max_window: 128k, max_resets: 40,\n" \
	"      max_control: 100}\n" \
	"listeners:\n" \
	"  80: {h2c: on}\n" \
	"upstreams:\n" \
	"  old:\n" \
	"    servers: [127.0.0.1:1]\n" \
	"    keepalive: {connections: 2, idle: 6s, requests: 5}\n" \
	"  new:\n" \
	"    servers: [127.0.0.1:2]\n" \
	"    keepalive: {connections: 2, idle: 6s, requests: 5, ping: 2s}\n" \
	"tag: x\n" \
	"sites:\n" \
	"- listen: {http: 80, https: 81}\n" \
	"  tls: {self_signed: on}\n" \
	"  default: on\n" \
	"  routes:\n" \
	"  - {path: /s, respond: {body: small}}\n" \
	"  - {path: /e, respond: 404}\n" \
	FUZZ_ROUTE("/new/*", "new", "http2") \
	FUZZ_ROUTE("/grpc/*", "new", "grpc") \
	FUZZ_ROUTE("/ws/*", "old", "http1") \
	FUZZ_ROUTE("/old/*", "old", "http1")
#define FUZZ_ROUTE(path, to, protocol) \
	"  - path: " path "\n" \
	"    proxy:\n" \
	"      to: " to "\n" \
	"      protocol: " protocol "\n" \
	"      connect_timeout: 1s\n" \
	"      send_timeout: 2s\n" \
	"      read_timeout: 3s\n" \
	"      request_headers: {set: {X-Id: $request_id}}\n"

#define OPENSSL_SUPPRESS_DEPRECATED
#include "mock_net.h"

/* The port of HTTP/1 is 1. */
#define COURSE_SPEAKS_H2(s) (!(s)->is_dialled || (s)->port == 2)
#include "h2_course.h"

#include "witness.h"

#define MAX_COURSE 4096

/* ---- what an upstream of HTTP/1 got ------------------------------------ */

static unsigned
fuzz_heads(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fuzz.n_clients; i++)
		n += h2_peer_of(fuzz.clients[i])->heads;
	return n;
}

/* As many as it got. An upgrade that was asked for makes all that follows
 * bytes of its own. */
static unsigned
fuzz_check_upstream(const struct mock_socket *s)
{
	static const struct h1_limits limits = {
		.max_fields = 100, .max_target = 8192
	};
	struct said said = { .arena = mock.arena, .all = buf_view(&s->out) };
	unsigned n = 0;

	for (;;) {
		struct said_request r;

		switch (said_request(&said, &limits, 65536, &r)) {
		case SAID_OK:
			n++;
			ASSERT(head_count(&r.head, FIELD_HOST) == 1);
			ASSERT(head_value_name(&r.head, STR("x-id")).n > 0);
			if (r.r.upgrade || !r.whole)
				return n;
			break;
		case SAID_PART:
		case SAID_NOTHING:
			return n;
		case SAID_BAD:
			UNREACHABLE();
		}
	}
}

static void
fuzz_check_upstreams(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < mock.n; i++)
		if (mock.sockets[i].is_dialled && mock.sockets[i].port == 1)
			n += fuzz_check_upstream(&mock.sockets[i]);
	/* One of them may be sent a second time over a new connection. */
	ASSERT(n <= 2 * fuzz_heads());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_COURSE)
		return 0;
	if (fuzz.generation == NULL)
		fuzz_load();
	fuzz_begin();
	course_play(data, size);
	fuzz_wait();
	fuzz_check_nothing_is_left();
	course_hear_all();
	fuzz_check_upstreams();
	h2_peer_free_all();
	fuzz_end();
	return 0;
}
