/* Inquiries: which bytes are a response, however they arrive, and what it asks
 * with. What a whole exchange meets is in system/test_ocsp.py. */
#include "process/inquiry.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct inquiry q;
static struct inquiry_reply *const r = &q.reply;

/* TEXT in two parts, then the end; what became of it. */
static enum inquiry_step
feed(struct str text, size_t first, size_t at_once, struct str *body,
    struct err *e)
{
	enum inquiry_step step = INQUIRY_MORE;
	size_t next = first;

	r->arena = arena_new();
	r->n = r->head = r->scanned = 0;
	while (step == INQUIRY_MORE && r->n < text.n) {
		if (next == 0 || next > text.n - r->n)
			next = text.n - r->n;
		memcpy(r->bytes + r->n, text.p + r->n, next);
		r->n += next;
		next = at_once;
		step = inquiry_read(r, false, body, e);
	}
	if (step == INQUIRY_MORE)
		step = inquiry_read(r, true, body, e);
	arena_end(r->arena);
	return step;
}

/* Whole, byte by byte, and split at every point. WHY "": it is BODY. */
static void
expect(const char *text, const char *body, const char *why)
{
	struct str all = str_from(text), got;
	struct err e;

	for (size_t i = 0; i <= all.n + 1; i++) {
		enum inquiry_step step;

		strcpy(e.text, "");
		step = i > all.n ? feed(all, 1, 1, &got, &e) :
		    feed(all, i, 0, &got, &e);
		if (strstr(e.text, why) == NULL || (why[0] == '\0') !=
		    (step == INQUIRY_DONE))
			fail_msg("%s: step %d: %s", text, step, e.text);
		if (step == INQUIRY_DONE)
			assert_true(str_eq(got, str_from(body)));
	}
}

static void
a_body_is_as_long_as_it_says_or_up_to_the_end(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "body", "");
	expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyx", "body", "");
	expect("HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n", "", "");
	expect("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nbody", "body", "");
}

static void
what_is_no_good_response_is_refused(void **state)
{
	(void)state;
	expect("", "", "no head");
	expect("HTTP/1.0 200 OK\r\n", "", "no head");
	expect("nonsense\r\n\r\n", "", "is no HTTP");
	expect("HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", "",
	    "is no HTTP");
	expect("HTTP/1.0 404 No\r\n\r\nbody", "", "status 404");
	expect("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "",
	    "status 100");
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
	    "", "in chunks");
	expect("HTTP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\n", "",
	    "more than 65536 bytes");
	expect("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbody", "",
	    "cut off");
}

static void
neither_head_nor_body_is_without_bound(void **state)
{
	static char text[INQUIRY_MAX];
	struct str got;
	struct err e;
	int n;

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(feed(str_of(text, sizeof text), 1, 4096, &got, &e),
	    INQUIRY_FAILED);
	assert_string_equal(e.text, "the response has no head");
	n = snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\n");
	text[n] = 'x';
	assert_int_equal(feed(str_of(text, (size_t)n + TLS_STAPLE_MAX), 1,
	    4096, &got, &e), INQUIRY_DONE);
	assert_int_equal(got.n, TLS_STAPLE_MAX);
	assert_int_equal(feed(str_of(text, sizeof text), 1, 4096, &got, &e),
	    INQUIRY_FAILED);
	assert_string_equal(e.text, "the response has more than 65536 bytes");
}

static void
the_request_names_its_host_as_http_wants_it(void **state)
{
	struct tls_question u = {
		.host = STR("::1"), .path = STR("/x"), .port = 8080,
		.request = STR("der")
	};

	(void)state;
	q.question = &u;
	r->arena = arena_new();
	assert_true(str_has_prefix(inquiry_request(&q),
	    STR("POST /x HTTP/1.0\r\nHost: [::1]:8080\r\n")));
	u.host = STR("a.test");
	u.port = 80;
	assert_true(str_has_prefix(inquiry_request(&q),
	    STR("POST /x HTTP/1.0\r\nHost: a.test\r\n")));
	assert_true(str_has_suffix(inquiry_request(&q),
	    STR("\r\nContent-Length: 3\r\n\r\nder")));
	arena_end(r->arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_as_long_as_it_says_or_up_to_the_end),
		cmocka_unit_test(what_is_no_good_response_is_refused),
		cmocka_unit_test(neither_head_nor_body_is_without_bound),
		cmocka_unit_test(the_request_names_its_host_as_http_wants_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
