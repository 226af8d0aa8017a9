/* Variables: what each says of a transaction, and when it says nothing. */
#include "variable_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct arena *arena;
static struct txn *t;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	t = world_txn(arena);
	clock_fake_start(5000000, 784111777);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_fake_end();
	arena_end(arena);
	return 0;
}

static const char *
value(const char *name)
{
	struct buf b = buf_in(arena);
	struct variable_arg arg;
	const struct variable *v = variable_find(arena, str_from(name), &arg);

	if (v == NULL)
		fail_msg("there is no $%s", name);
	v->write(t, &arg, &b);
	buf_chr(&b, '\0');
	return b.p;
}

static void
expect(const char *name, const char *expected)
{
	const char *got = value(name);

	if (strcmp(got, expected) != 0)
		fail_msg("$%s is \"%s\", expected \"%s\"", name, got,
		    expected);
}

static void
add(struct head *h, const char *name, const char *text)
{
	if (h->arena == NULL)
		head_init(h, arena, 2);
	head_add(h, field_lookup(str_from(name)), str_from(name),
	    str_from(text));
}

static void
target(const char *raw)
{
	t->req.raw = str_from(raw);
	assert_int_equal(target_parse(arena, t->req.raw, SLASH_REFUSE,
	    &t->req.target), TARGET_OK);
	t->req.path = t->req.target.path;
}

/* ---- names ------------------------------------------------------------- */

static void
every_variable_is_found_by_its_name(void **state)
{
	struct variable_arg arg;
	size_t n = 0;

	(void)state;
	for (const struct variable *v = variables; v->name != NULL; v++, n++) {
		bool is_prefix = str_has_suffix(str_from(v->name), STR("_"));
		struct str name = arena_strf(arena, "%s%s", v->name,
		    is_prefix ? "x" : "");

		assert_ptr_equal(variable_find(arena, name, &arg), v);
		assert_ptr_equal(variable_find(arena,
		    arena_strf(arena, "%.*s!", STR_ARG(name)), &arg),
		    is_prefix ? v : NULL);
	}
	assert_true(n > 50);
}

static void
every_variable_has_a_sentence(void **state)
{
	(void)state;
	for (const struct variable *v = variables; v->name != NULL; v++)
		assert_true(strlen(v->doc) > 8 &&
		    str_has_suffix(str_from(v->doc), STR(".")));
}

static void
what_is_no_variable_is_not_found(void **state)
{
	static const char *const names[] = {
		"", "x", "0", "10", "_", "http", "http_", "arg_", "arg",
		"cookie_", "capture_", "sent_http_", "sent_", "Host",
		"HTTP_HOST", "host_", "hosts", "1_", "upstream_"
	};
	struct variable_arg arg;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_null(variable_find(arena, str_from(names[i]), &arg));
}

/* A transaction may be refused before anything of it is known. */
static void
every_variable_can_be_asked_of_an_empty_transaction(void **state)
{
	struct conn *c = t->conn;

	(void)state;
	t = arena_zalloc(arena, sizeof *t);
	t->arena = arena;
	t->conn = c;
	t->peer = &c->peer;
	for (const struct variable *v = variables; v->name != NULL; v++)
		value(str_has_suffix(str_from(v->name), STR("_")) ?
		    arena_printf(arena, "%sx", v->name) : v->name);
	expect("http_user_agent", "");
	expect("cookie_a", "");
	expect("sent_http_etag", "");
}

/* ---- the request ------------------------------------------------------- */

static void
the_request_is_told_as_it_was_sent(void **state)
{
	(void)state;
	expect("request", "GET /a%20b?q=1 HTTP/1.1");
	expect("request_method", "GET");
	expect("request_uri", "/a%20b?q=1");
	expect("uri", "/a b");
	expect("document_uri", "/a b");
	expect("args", "q=1");
	expect("query_string", "q=1");
	expect("is_args", "?");
	expect("server_protocol", "HTTP/1.1");
	expect("request_id", "00112233445566778899aabbccddeeff");
	t->request_bytes = 123;
	expect("request_length", "123");
	target("/x?");
	expect("is_args", "");
}

static void
an_absolute_target_is_told_without_its_authority(void **state)
{
	(void)state;
	target("http://www.example.com/x%20y?z");
	expect("request_uri", "/x%20y?z");
	target("http://www.example.com");
	expect("request_uri", "/");
	target("http://www.example.com?");
	expect("request_uri", "/?");
}

static void
the_host_is_of_the_request_or_of_the_site(void **state)
{
	struct site site = { .name = STR("site.example") };

	(void)state;
	expect("host", "www.example.com");
	expect("server_name", "");
	t->site = &site;
	expect("host", "www.example.com");
	expect("server_name", "site.example");
	t->req.host = STR("");
	expect("host", "site.example");
}

static void
the_scheme_is_of_the_connection(void **state)
{
	(void)state;
	expect("scheme", "http");
	expect("https", "");
	t->req.is_https = true;
	expect("scheme", "https");
	expect("https", "on");
}

static void
fields_are_found_by_name(void **state)
{
	(void)state;
	add(&t->req.head, "User-Agent", "tester");
	add(&t->req.head, "X-Own", "one");
	add(&t->req.head, "Content-Type", "text/plain");
	add(&t->req.head, "Content-Length", "7");
	expect("http_user_agent", "tester");
	expect("http_User_Agent", "tester");
	expect("http_x_own", "one");
	expect("http_X_OWN", "one");
	expect("http_x_other", "");
	expect("http_referer", "");
	expect("content_type", "text/plain");
	expect("content_length", "7");
}

static void
a_field_with_an_underscore_cannot_pose_as_another(void **state)
{
	(void)state;
	add(&t->req.head, "X_Own", "forged");
	expect("http_x_own", "");
}

static void
lines_of_one_field_are_joined(void **state)
{
	(void)state;
	add(&t->req.head, "Accept", "a");
	add(&t->req.head, "X-Own", "1");
	add(&t->req.head, "accept", "b");
	add(&t->req.head, "x-own", "");
	add(&t->req.head, "X-OWN", "3");
	add(&t->req.head, "Cookie", "a=1");
	add(&t->req.head, "Cookie", "b=2");
	expect("http_accept", "a, b");
	expect("http_x_own", "1, , 3");
	expect("http_cookie", "a=1; b=2");
}

static void
of_a_single_field_the_first_line_counts(void **state)
{
	(void)state;
	add(&t->req.head, "User-Agent", "a");
	add(&t->req.head, "User-Agent", "b");
	expect("http_user_agent", "a");
}

static void
a_removed_field_is_not_there(void **state)
{
	(void)state;
	add(&t->req.head, "X-Own", "1");
	add(&t->req.head, "Accept", "a");
	head_remove(&t->req.head, STR("x-own"));
	head_remove(&t->req.head, STR("accept"));
	expect("http_x_own", "");
	expect("http_accept", "");
}

static void
parameters_are_told_by_exact_name(void **state)
{
	(void)state;
	target("/?a=1&b=&c&a=2&d=x=y&&e=%41&A=3&=z");
	expect("arg_a", "1");
	expect("arg_b", "");
	expect("arg_c", "");
	expect("arg_d", "x=y");
	expect("arg_e", "%41");
	expect("arg_A", "3");
	expect("arg_f", "");
	target("/?ab=1&sort-by=2");
	expect("arg_a", "");
	expect("arg_b", "");
	expect("arg_sort-by", "2");
	target("/");
	expect("arg_a", "");
	target("/?a");
	expect("arg_a", "");
}

static void
cookies_are_told_by_exact_name(void **state)
{
	(void)state;
	expect("cookie_a", "");
	add(&t->req.head, "Cookie", "a=1; b=2");
	add(&t->req.head, "Cookie", "c=3; a=4");
	expect("cookie_a", "1");
	expect("cookie_b", "2");
	expect("cookie_c", "3");
	expect("cookie_d", "");
	expect("cookie_A", "");
}

static void
the_user_is_the_one_of_basic_credentials(void **state)
{
	static const struct {
		const char *value, *user;
	} rows[] = {
		{"Basic dXNlcjpwYXNz", "user"}, /* user:pass */
		{"basic dXNlcjpwYXNz", "user"},
		{"BASIC   dXNlcjpwYXNz ", "user"},
		{"Basic YTo=", "a"}, {"Basic YTo", "a"}, /* a: */
		{"Basic OnA=", ""}, /* :p */
		{"Basic w6k6eA==", "\xc3\xa9"}, /* e with an accent, then :x */
		{"Basic dXNlcg==", ""}, /* user */
		{"Basic YQpiOng=", ""}, /* a, a line end, b:x */
		{"Basic AGE6eA==", ""}, /* NUL, then a:x */
		{"Basic dX Nlcjpw", ""}, {"Basic !!!!", ""}, {"Basic ", ""},
		{"Basic", ""}, {"", ""}, {"Bearer dXNlcjpwYXNz", ""},
		{"Basicd XNlcjpwYXNz", ""}, {"Basic ====", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		head_remove_id(&t->req.head, FIELD_AUTHORIZATION);
		add(&t->req.head, "Authorization", rows[i].value);
		expect("remote_user", rows[i].user);
	}
}

static void
groups_are_told_by_number_and_name(void **state)
{
	size_t captures[] = { 0, 6, 1, 3, 4, 6, SIZE_MAX, SIZE_MAX };

	(void)state;
	expect("1", "");
	expect("capture_id", "");
	t->captured = STR("/ab/cd");
	t->captures = captures;
	t->n_captures = 4;
	expect("1", "ab");
	expect("2", "cd");
	expect("3", "");
	expect("4", "");
	expect("9", "");
	expect("capture_id", "");
	t->capture_names = "a pattern";
	expect("capture_id", "cd");
	expect("capture_other", "");
}

/* ---- the connection ---------------------------------------------------- */

static void
the_peer_is_told(void **state)
{
	(void)state;
	expect("remote_addr", "192.0.2.7");
	expect("remote_port", "4711");
	t->conn->peer = (struct peer){ .family = AF_UNIX };
	expect("remote_addr", "unix:");
	expect("remote_port", "");
}

static void
the_own_address_is_told_while_there_is_one(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_port = htons(8080), .sin_addr.s_addr = htonl(0x7f000001) };

	(void)state;
	expect("server_addr", "");
	expect("server_port", "");
	world_conn.has_local = true;
	world_conn.local.len = sizeof in;
	world_conn.local.in = in;
	expect("server_addr", "127.0.0.1");
	expect("server_port", "8080");
}

static void
tls_is_told_only_of_tls(void **state)
{
	(void)state;
	expect("ssl_protocol", "");
	expect("ssl_cipher", "");
	expect("ssl_server_name", "");
	expect("ssl_session_reused", "");
	world_conn.is_tls = true;
	expect("ssl_protocol", "TLSv1.3");
	expect("ssl_cipher", "TLS_AES_256_GCM_SHA384");
	expect("ssl_server_name", "asked.example");
	expect("ssl_session_reused", ".");
	world_conn.is_resumed = true;
	expect("ssl_session_reused", "r");
}

static void
the_machine_is_told(void **state)
{
	char name[256];

	(void)state;
	assert_int_equal(gethostname(name, sizeof name), 0);
	expect("hostname", name);
	expect("pid", arena_printf(arena, "%d", (int)getpid()));
}

/* ---- response, time, upstream ------------------------------------------ */

static void
the_response_is_told(void **state)
{
	(void)state;
	expect("status", "0");
	t->res.status = 404;
	t->bytes_sent = UINT64_MAX;
	t->body_sent = 7;
	add(&t->res.head, "Location", "/x");
	add(&t->res.head, "X-Own", "1");
	expect("status", "404");
	expect("bytes_sent", "18446744073709551615");
	expect("body_bytes_sent", "7");
	expect("sent_http_location", "/x");
	expect("sent_http_x_own", "1");
	expect("sent_http_etag", "");
	expect("reason", "");
	t->reason = "no_route";
	expect("reason", "no_route");
}

static void
times_are_seconds_with_milliseconds(void **state)
{
	(void)state;
	t->began_us = clock_us();
	expect("request_time", "0.000");
	clock_fake_advance(7);
	expect("request_time", "0.007");
	clock_fake_advance(12043);
	expect("request_time", "12.050");
	t->began_us = UINT64_MAX;
	expect("request_time", "0.000");
	expect("msec", "784111789.050");
	assert_true(str_eq(str_from(value("time_local")), clock_log_date()));
	assert_true(str_eq(str_from(value("time_iso8601")),
	    clock_iso_date()));
}

static void
without_an_upstream_nothing_is_told_of_it(void **state)
{
	(void)state;
	for (const struct variable *v = variables; v->name != NULL; v++)
		if (str_has_suffix(str_from(v->name), STR("_")))
			continue;
		else if (str_has_prefix(str_from(v->name), STR("upstream_")))
			expect(v->name, "");
	expect("upstream_http_server", "");
	expect("upstream_cookie_a", "");
	expect("upstream_trailer_x", "");
}

static void
the_upstream_s_head_is_told(void **state)
{
	struct head head, trailers;
	struct upstream_report report = {
		.head = &head, .trailers = &trailers
	};

	(void)state;
	t->upstream = &report;
	head_init(&head, t->arena, 4);
	head_init(&trailers, t->arena, 1);
	head_add_known(&head, FIELD_SERVER, STR("u/1"));
	head_add_known(&head, FIELD_SET_COOKIE, STR("ab=2; Path=/"));
	head_add_known(&head, FIELD_SET_COOKIE, STR("a = 1 ; Path=/"));
	head_add(&trailers, FIELD_OTHER, STR("X-Sum"), STR("7"));
	expect("upstream_http_server", "u/1");
	expect("upstream_cookie_a", "1");
	expect("upstream_cookie_ab", "2");
	expect("upstream_cookie_b", "");
	expect("upstream_trailer_x_sum", "7");
	expect("sent_trailer_x_sum", "");
	t->res.trailers = &trailers;
	expect("sent_trailer_x_sum", "7");
}

static void
the_connection_is_told(void **state)
{
	(void)state;
	expect("connection", "");
	t->conn->number = 12;
	t->conn->requests = 3;
	expect("connection", "12");
	expect("connection_requests", "3");
	t->conn->closing = true;
	expect("tcpinfo_rtt", "");
	t->req.port = 8080;
	expect("request_port", "8080");
}

static void
a_chain_of_addresses_is_added_to(void **state)
{
	char *own = arena_strdup(t->arena, value("remote_addr"));

	(void)state;
	expect("proxy_add_x_forwarded_for", own);
	head_add_known(&t->req.head, FIELD_X_FORWARDED_FOR, STR("a"));
	head_add_known(&t->req.head, FIELD_X_FORWARDED_FOR, STR("b"));
	expect("proxy_add_x_forwarded_for",
	    arena_printf(t->arena, "a, b, %s", own));
}

static void
the_upstream_is_told(void **state)
{
	struct upstream_report report = {
		.name = "app", .addr = STR("10.0.0.1:80, 10.0.0.2:80"),
		.status = STR("502, 200"), .attempts = 2, .connect_us = 1500,
		.header_us = 20000, .response_us = 1234567, .bytes_in = 10,
		.bytes_out = 20
	};

	(void)state;
	t->upstream = &report;
	expect("upstream_name", "app");
	expect("upstream_addr", "10.0.0.1:80, 10.0.0.2:80");
	expect("upstream_status", "502, 200");
	expect("upstream_attempts", "2");
	expect("upstream_connect_time", "0.001");
	expect("upstream_header_time", "0.020");
	expect("upstream_response_time", "1.234");
	expect("upstream_bytes_received", "10");
	expect("upstream_bytes_sent", "20");
	expect("upstream_phase", "");
	expect("upstream_cause", "");
}

static void
a_time_that_was_not_reached_is_not_told(void **state)
{
	struct upstream_report report = {
		.name = "app", .attempts = 1, .phase = "connect",
		.cause = "refused"
	};

	(void)state;
	t->upstream = &report;
	expect("upstream_phase", "connect");
	expect("upstream_cause", "refused");
	expect("upstream_connect_time", "");
	expect("upstream_header_time", "");
	expect("upstream_response_time", "");
	report.phase = "head";
	expect("upstream_connect_time", "0.000");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_variable_is_found_by_its_name),
		TEST(every_variable_has_a_sentence),
		TEST(what_is_no_variable_is_not_found),
		TEST(every_variable_can_be_asked_of_an_empty_transaction),
		TEST(the_request_is_told_as_it_was_sent),
		TEST(an_absolute_target_is_told_without_its_authority),
		TEST(the_host_is_of_the_request_or_of_the_site),
		TEST(the_scheme_is_of_the_connection),
		TEST(fields_are_found_by_name),
		TEST(a_field_with_an_underscore_cannot_pose_as_another),
		TEST(lines_of_one_field_are_joined),
		TEST(of_a_single_field_the_first_line_counts),
		TEST(a_removed_field_is_not_there),
		TEST(parameters_are_told_by_exact_name),
		TEST(cookies_are_told_by_exact_name),
		TEST(the_user_is_the_one_of_basic_credentials),
		TEST(groups_are_told_by_number_and_name),
		TEST(the_peer_is_told),
		TEST(the_own_address_is_told_while_there_is_one),
		TEST(tls_is_told_only_of_tls),
		TEST(the_machine_is_told),
		TEST(the_response_is_told),
		TEST(times_are_seconds_with_milliseconds),
		TEST(without_an_upstream_nothing_is_told_of_it),
		TEST(the_upstream_is_told),
		TEST(the_upstream_s_head_is_told),
		TEST(the_connection_is_told),
		TEST(a_chain_of_addresses_is_added_to),
		TEST(a_time_that_was_not_reached_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
