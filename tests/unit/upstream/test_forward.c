/*
 * What of a head travels on: the request that the upstream gets, the fields
 * that the client gets.
 */
#include "upstream/forward.h"

#include "http/h1_parse.h"
#include "http/site.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct listen_conf listen_conf;
static struct endpoint endpoint = {.conf = &listen_conf};
static struct http_conf http;
static const struct site site = {.http = &http};

/* A transaction as the transport would make it of this head. */
static struct txn *
txn_of(struct arena *a, const char *text)
{
	static const struct h1_limits limits = {
		.max_fields = 100, .max_target = 8192
	};
	struct txn *t = arena_zalloc(a, sizeof *t);
	struct h1_request r;

	t->magic = TXN_MAGIC;
	t->arena = a;
	t->site = &site;
	t->conn = arena_zalloc(a, sizeof *t->conn);
	t->peer = &t->conn->peer;
	t->conn->endpoint = &endpoint;
	t->conn->peer.family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", t->conn->peer.ip), 1);
	head_init(&t->req.head, a, 8);
	assert_int_equal(h1_parse_request(text, strlen(text), &limits, &r,
	    &t->req.head), H1_OK);
	t->req.method = r.method;
	t->req.method_name = r.method_name;
	t->req.raw = r.target;
	t->req.wants_upgrade = r.upgrade;
	t->req.major = 1;
	t->req.minor = (uint8_t)r.minor;
	assert_int_equal(target_parse(a, r.target, SLASH_REFUSE,
	    &t->req.target), TARGET_OK);
	t->req.body = flow_bytes(a, STR(""));
	t->req.body->length = r.chunked ? -1 :
	    r.content_length > 0 ? r.content_length : 0;
	return t;
}

static const struct forward_edits *
no_edits(void)
{
	static struct arena *a;

	if (a == NULL)
		a = arena_new();
	return forward_compile(conf_load_new(a, &conf_source_disk), NULL);
}

static char *upgrade_names[] = {"websocket", "x/2"};
static const struct conf_list upgrades = {2, upgrade_names, NULL};

/* The fields by themselves are those of the lines, in their order; what is only
 * for HTTP/1 comes last in these. */
static void
expect_fields(struct txn *t, const struct forward_request *r,
    const char *lines)
{
	struct buf text = buf_in(t->arena);
	struct head fields;

	head_init(&fields, t->arena, 8);
	assert_true(forward_request_fields(t, r, &fields));
	HEAD_EACH(f, &fields)
		buf_printf(&text, "%.*s: %.*s\r\n", STR_ARG(f->name),
		    STR_ARG(f->value));
	assert_memory_equal(lines, text.p, text.n);
	lines += text.n;
	assert_true(strncmp(lines, "\r\n", 2) == 0 ||
	    strncmp(lines, "Transfer-Encoding: ", 19) == 0 ||
	    strncmp(lines, "Connection: ", 12) == 0);
}

static void
expect_request(const char *client, bool upgrade, bool close,
    const char *upstream)
{
	struct arena *a = arena_new();
	struct txn *t = txn_of(a, client);
	struct forward_request r = {
		.edits = no_edits(), .host = STR("app:80"),
		.body = forward_body_of(t),
		.upgrade = upgrade ? forward_upgrade(t, &upgrades) :
		    str_of("", 0),
		.close = close,
	};
	struct buf out = buf_in(a);

	assert_true(forward_request(t, &r, &out));
	buf_chr(&out, '\0');
	assert_string_equal(out.p, upstream);
	expect_fields(t, &r, strstr(out.p, "\r\n") + 2);
	arena_end(a);
}

#define ORIGIN(host) \
	"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n" \
	"X-Forwarded-Host: " host "\r\n"

static void
a_request_keeps_target_host_and_fields(void **state)
{
	(void)state;
	expect_request("GET /a%20b/../c?x=1&y HTTP/1.1\r\nHost: ex.org:8080\r\n"
	    "Accept-Encoding: gzip\r\nX-One: 1\r\nCookie: a=b\r\n\r\n",
	    false, false,
	    "GET /a%20b/../c?x=1&y HTTP/1.1\r\nHost: ex.org:8080\r\n"
	    "Accept-Encoding: gzip\r\nX-One: 1\r\nCookie: a=b\r\n"
	    ORIGIN("ex.org:8080") "\r\n");
}

static void
hop_by_hop_fields_end_here(void **state)
{
	(void)state;
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "Connection: keep-alive, X-Secret\r\nConnection: X-Two\r\n"
	    "X-Secret: 1\r\nx-two: 2\r\nX-Three: 3\r\nKeep-Alive: 5\r\n"
	    "TE: trailers\r\nTrailer: X\r\nProxy-Authorization: Basic eA==\r\n"
	    "Proxy-Connection: close\r\nUpgrade: h2c\r\n"
	    "Expect: 100-continue\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Three: 3\r\n" ORIGIN("a") "\r\n");
}

static void
what_a_client_claims_about_its_origin_is_replaced(void **state)
{
	(void)state;
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-proto: https\r\n"
	    "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n"
	    "Forwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n"
	    "X_Forwarded_For: 10.0.0.1\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
	/* Naming ours in Connection does not remove it either. */
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "Connection: X-Forwarded-For, Host\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
}

static void
a_trusted_proxy_is_believed(void **state)
{
	struct cidr ours;

	(void)state;
	assert_true(cidr_parse(STR("192.0.2.0/24"), &ours, NULL));
	listen_conf.trusted = (struct conf_list){.n = 1, .items = &ours};
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 10.0.0.1\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: ex.org\r\n"
	    "X-Real-IP: 198.51.100.1\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 198.51.100.1\r\n"
	    "X-Forwarded-For: 198.51.100.1, 10.0.0.1, 192.0.2.7\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: ex.org\r\n\r\n");
	/* What it does not say is known here. */
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
	listen_conf.trusted = (struct conf_list){.n = 0};
}

static void
framing_is_written_anew(void **state)
{
	(void)state;
	expect_request("POST / HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 5\r\n\r\n", false, false,
	    "POST / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a")
	    "Content-Length: 5\r\n\r\n");
	expect_request("POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", false, false,
	    "POST / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a")
	    "Transfer-Encoding: chunked\r\n\r\n");
	expect_request("PUT / HTTP/1.1\r\nHost: a\r\n\r\n", false, true,
	    "PUT / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a")
	    "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

static void
an_absolute_target_becomes_a_path_and_a_host(void **state)
{
	(void)state;
	expect_request("GET http://b.org:81/p?q HTTP/1.1\r\n"
	    "Host: b.org:81\r\n\r\n", false, false,
	    "GET /p?q HTTP/1.1\r\nHost: b.org:81\r\n"
	    ORIGIN("b.org:81") "\r\n");
	expect_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false, false,
	    "OPTIONS * HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
}

static void
a_client_without_host_gets_the_servers(void **state)
{
	(void)state;
	expect_request("GET / HTTP/1.0\r\n\r\n", false, false,
	    "GET / HTTP/1.1\r\nHost: app:80\r\n"
	    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\r\n");
}

static void
only_upgrades_that_may_pass_are_asked_for(void **state)
{
	(void)state;
	expect_request("GET /ws HTTP/1.1\r\nHost: a\r\n"
	    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
	    "Sec-WebSocket-Key: k\r\n\r\n", true, true,
	    "GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\n"
	    ORIGIN("a") "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade\r\nUpgrade: y, x/2, x\r\n\r\n", true, true,
	    "GET / HTTP/1.1\r\nHost: a\r\n"
	    ORIGIN("a") "Connection: upgrade\r\nUpgrade: x/2\r\n\r\n");
	expect_request("GET / HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	    "HTTP2-Settings: AA\r\n\r\n", true, false,
	    "GET / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
}

static void
underscores_pass_but_for_impostors(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
	    "x_id: 1\r\nX_Forwarded_For: 10.0.0.1\r\n"
	    "Content_Length: 7\r\nTransfer_Encoding: chunked\r\n\r\n";

	(void)state;
	expect_request(request, false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\n" ORIGIN("a") "\r\n");
	http.underscores = UNDERSCORES_PASS;
	expect_request(request, false, false,
	    "GET / HTTP/1.1\r\nHost: a\r\nx_id: 1\r\n" ORIGIN("a") "\r\n");
	http.underscores = UNDERSCORES_DROP;
}

static void
some_upgrades_never_pass(void **state)
{
	static char *names[] = {
		"websocket", "x/2", "H2C", "h2", "HTTP/2.0", "a b", "", "/"
	};
	static const struct conf_pos pos[8];
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct conf_load *load = conf_load_new(a, &conf_source_disk);
		struct conf_list one = {1, &names[i], pos};

		forward_check_upgrades(load, &one);
		assert_int_equal(conf_errors(load), i < 2 ? 0 : 1);
	}
	arena_end(a);
}

static void
a_response_loses_only_what_concerns_the_connection(void **state)
{
	static const struct h1_limits limits = {
		.max_fields = 100, .max_target = 0
	};
	static const char text[] = "HTTP/1.1 200 OK\r\n"
	    "Server: app\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
	    "Transfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n"
	    "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nTrailer: X\r\n\r\n";
	struct arena *a = arena_new();
	struct head from, to;
	struct h1_response r;
	struct buf got = buf_in(a);

	(void)state;
	head_init(&from, a, 8);
	head_init(&to, a, 8);
	assert_int_equal(h1_parse_response(text, sizeof text - 1, &limits, &r,
	    &from), H1_OK);
	forward_response(&to, &from);
	HEAD_EACH(f, &to)
		buf_printf(&got, "%.*s=%.*s;", STR_ARG(f->name),
		    STR_ARG(f->value));
	buf_chr(&got, '\0');
	assert_string_equal(got.p,
	    "Server=app;Set-Cookie=a=1;Set-Cookie=b=2;");
	arena_end(a);
}

static void
trailers_lose_what_steers_a_message(void **state)
{
	struct arena *a = arena_new();
	struct head h;

	(void)state;
	head_init(&h, a, 4);
	head_add(&h, field_lookup(STR("x-sum")), STR("x-sum"), STR("1"));
	head_add_known(&h, FIELD_CONTENT_LENGTH, STR("5"));
	head_add_known(&h, FIELD_SET_COOKIE, STR("a=b"));
	forward_clean_trailers(&h);
	assert_false(h.fields[0].removed);
	assert_true(h.fields[1].removed);
	assert_true(h.fields[2].removed);
	arena_end(a);
}

/* RFC 8470 section 5.1: whatever a client says of it means "1", and neither
 * Connection nor an underscore makes it less. */
static void
early_data_is_told(void **state)
{
	static const char told[] = "GET / HTTP/1.1\r\nHost: a\r\n"
	    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
	    "X-Forwarded-Host: a\r\nEarly-Data: 1\r\n\r\n";
	static const char plain[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct arena *a = arena_new();
	struct forward_request r = {.edits = no_edits()};
	struct buf out = buf_in(a);
	struct txn *t = txn_of(a, plain);

	(void)state;
	expect_request("GET / HTTP/1.1\r\nHost: a\r\nEarly-Data: 1\r\n"
	    "Early-Data: 0\r\nConnection: early-data\r\n\r\n", false,
	    false, told);
	t->req.is_early = true;
	assert_true(forward_request(t, &r, &out));
	buf_chr(&out, '\0');
	assert_string_equal(out.p, told);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_keeps_target_host_and_fields),
		cmocka_unit_test(hop_by_hop_fields_end_here),
		cmocka_unit_test(
		    what_a_client_claims_about_its_origin_is_replaced),
		cmocka_unit_test(a_trusted_proxy_is_believed),
		cmocka_unit_test(framing_is_written_anew),
		cmocka_unit_test(an_absolute_target_becomes_a_path_and_a_host),
		cmocka_unit_test(a_client_without_host_gets_the_servers),
		cmocka_unit_test(only_upgrades_that_may_pass_are_asked_for),
		cmocka_unit_test(underscores_pass_but_for_impostors),
		cmocka_unit_test(some_upgrades_never_pass),
		cmocka_unit_test(
		    a_response_loses_only_what_concerns_the_connection),
		cmocka_unit_test(trailers_lose_what_steers_a_message),
		cmocka_unit_test(early_data_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
