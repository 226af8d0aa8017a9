/*
 * HTTP/1 heads: a table of what is taken and what is refused and why, each row
 * fed in every way; then what the taken ones say.
 */
#include "http/h1_parse.c"

#include "feed.h"

static const struct h1_limits limits = {.max_fields = 12, .max_target = 64};

/* ---- telling ----------------------------------------------------------- */

static void
tell_fields(struct buf *out, const struct head *h)
{
	HEAD_EACH(f, h) {
		buf_printf(out, " <%.*s=%.*s>", STR_ARG(f->name),
		    STR_ARG(f->value));
		assert_int_equal(f->id, field_lookup(f->name));
	}
}

static void
tell_framing(struct buf *out, int64_t length, bool chunked)
{
	if (length >= 0)
		buf_printf(out, " length=%lld", (long long)length);
	if (chunked)
		buf_z(out, " chunked");
}

static void
tell_request(struct buf *out, struct arena *a, struct str text)
{
	struct h1_request r;
	struct head h;
	enum h1_refusal refusal;

	head_init(&h, a, 4);
	refusal = h1_parse_request(text.p, text.n, &limits, &r, &h);
	buf_z(out, h1_refusal_word(refusal));
	if (refusal != H1_OK)
		return;
	buf_printf(out, " %.*s(%s) %.*s 1.%d", STR_ARG(r.method_name),
	    method_name(r.method), STR_ARG(r.target), r.minor);
	tell_framing(out, r.content_length, r.chunked);
	buf_z(out, r.close ? " close" : "");
	buf_z(out, r.keep_alive ? " keep-alive" : "");
	buf_z(out, r.expect_continue ? " continue" : "");
	buf_z(out, r.upgrade ? " upgrade" : "");
	tell_fields(out, &h);
}

static void
tell_response(struct buf *out, struct arena *a, struct str text)
{
	struct h1_response r;
	struct head h;
	enum h1_refusal refusal;

	head_init(&h, a, 4);
	refusal = h1_parse_response(text.p, text.n, &limits, &r, &h);
	buf_z(out, h1_refusal_word(refusal));
	if (refusal != H1_OK)
		return;
	buf_printf(out, " %d '%.*s' 1.%d", r.status, STR_ARG(r.reason),
	    r.minor);
	tell_framing(out, r.content_length, r.chunked);
	buf_z(out, r.close ? " close" : "");
	buf_z(out, r.upgrade ? " upgrade" : "");
	tell_fields(out, &h);
}

/* Collects pieces as a connection does, skips empty lines, finds the head. */
static void
run_head(struct feed *f, struct arena *a, struct buf *out,
    void (*tell)(struct buf *out, struct arena *a, struct str text))
{
	size_t scanned = 0, n = 0, head = 0;
	char *all = NULL;
	struct str piece;

	while (head == 0 && feed_next(f, &piece)) {
		size_t blank;
		/* Anew each time: memory of exactly this size. */
		char *more = malloc(n + piece.n);

		assert_non_null(more);
		if (n > 0)
			memcpy(more, all, n);
		memcpy(more + n, piece.p, piece.n);
		free(all);
		all = more;
		n += piece.n;
		blank = scanned == 0 ? h1_skip_blank(all, n) : 0;
		n -= blank;
		memmove(all, all + blank, n);
		head = h1_scan_head(all, n, &scanned);
	}
	if (head == 0) {
		buf_z(out, "incomplete");
	} else {
		char *exact = malloc(head);

		assert_non_null(exact);
		memcpy(exact, all, head);
		tell(out, a, str_of(exact, head));
		buf_printf(out, " of %zu", head);
		free(exact);
	}
	free(all);
}

static void
run_request(struct feed *f, struct arena *a, struct buf *out)
{
	run_head(f, a, out, tell_request);
}

static void
run_response(struct feed *f, struct arena *a, struct buf *out)
{
	run_head(f, a, out, tell_response);
}

/* ---- the table of requests --------------------------------------------- */

struct row {
	struct str text;
	enum h1_refusal refusal;
};

/* A request with this line, with these lines after its Host, in HTTP/1.0. */
#define ROW(refusal, text) {STR_INIT(text), H1_##refusal}
#define LINE(refusal, line) ROW(refusal, line "\r\nHost: a\r\n\r\n")
#define WITH(refusal, lines) \
	ROW(refusal, "POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n")
#define OLD(refusal, lines) ROW(refusal, "GET / HTTP/1.0\r\n" lines "\r\n\r\n")
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static const struct row request_rows[] = {
	/* request lines that are fine */
	LINE(OK, "GET / HTTP/1.1"),
	LINE(OK, "GET / HTTP/1.0"),
	LINE(OK, "HEAD /a/b?c=d&e HTTP/1.1"),
	LINE(OK, "OPTIONS * HTTP/1.1"),
	LINE(OK, "GET http://a/ HTTP/1.1"),
	LINE(OK, "CONNECT a:443 HTTP/1.1"),
	LINE(OK, "TRACE / HTTP/1.1"),
	LINE(OK, "PROPFIND / HTTP/1.1"),
	LINE(OK, "get / HTTP/1.1"),
	LINE(OK, "!#$%&'*+-.^_`|~09 / HTTP/1.1"),
	LINE(OK, "GET /" X60 "xxx HTTP/1.1"),
	LINE(OK, "GET /{}|^`\"<>[]\\ HTTP/1.1"),
	ROW(OK, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW(OK, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW(OK, "GET / HTTP/1.0\r\n\r\n"),

	/* and that are not */
	LINE(BAD_LINE, "GET"),
	LINE(BAD_LINE, "GET "),
	LINE(BAD_LINE, "GET /"),
	LINE(BAD_LINE, "GET  / HTTP/1.1"),
	LINE(BAD_LINE, "GET /  HTTP/1.1"),
	LINE(BAD_LINE, " GET / HTTP/1.1"),
	LINE(BAD_LINE, "GET / HTTP/1.1 "),
	LINE(BAD_LINE, "GET / a HTTP/1.1"),
	LINE(BAD_LINE, "GET / HTTP/1.1 HTTP/1.1"),
	LINE(BAD_VERSION, "GET / "),
	LINE(BAD_VERSION, "GET / HTTP"),
	LINE(BAD_VERSION, "GET / HTTP/"),
	LINE(BAD_VERSION, "GET / HTTP/1"),
	LINE(BAD_VERSION, "GET / HTTP/1."),
	LINE(BAD_VERSION, "GET / HTTP/.1"),
	LINE(BAD_VERSION, "GET / HTTP/1,1"),
	LINE(BAD_VERSION, "GET / HTTP/1.10"),
	LINE(BAD_VERSION, "GET / HTTP/01.1"),
	LINE(BAD_VERSION, "GET / HTTP/2.00"),
	LINE(BAD_VERSION, "GET / HTTP/+1.1"),
	LINE(BAD_VERSION, "GET / HTTP/1.x"),
	LINE(BAD_VERSION, "GET / http/1.1"),
	LINE(BAD_VERSION, "GET / Http/1.1"),
	LINE(BAD_VERSION, "GET / ICY/1.1"),
	LINE(BAD_VERSION, "GET / HTTPS/1.1"),
	LINE(VERSION, "GET / HTTP/1.2"),
	LINE(VERSION, "GET / HTTP/1.9"),
	LINE(VERSION, "GET / HTTP/0.9"),
	LINE(VERSION, "GET / HTTP/2.0"),
	ROW(VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	LINE(BAD_METHOD, "GET\xff / HTTP/1.1"),
	LINE(BAD_METHOD, "GE(T / HTTP/1.1"),
	LINE(BAD_METHOD, "GET: / HTTP/1.1"),
	LINE(BAD_METHOD, "GET/ HTTP/1.1"),
	LINE(CONTROL, "GET\t/ HTTP/1.1"),
	LINE(CONTROL, "GET /\tHTTP/1.1"),
	LINE(CONTROL, "GET\x0b/ HTTP/1.1"),
	LINE(CONTROL, "GET /\x0c HTTP/1.1"),
	LINE(CONTROL, "GET /\0 HTTP/1.1"),
	LINE(CONTROL, "GET /\x7f HTTP/1.1"),
	LINE(CONTROL, "\0GET / HTTP/1.1"),
	LINE(CONTROL, "GET / HTTP/1.1\0"),
	LINE(CONTROL, "GET / HTTP/1.1\t"),
	LINE(CONTROL, "GET / HTTP/1.1\r"),
	LINE(CONTROL, "GET /\rHTTP/1.1"),
	LINE(CONTROL, "\rGET / HTTP/1.1"),
	LINE(BAD_TARGET, "GET /\x80 HTTP/1.1"),
	LINE(BAD_TARGET, "GET /12345678\xc3\xa4 HTTP/1.1"),
	LINE(BAD_TARGET, "GET \xe2\x80\x80 HTTP/1.1"),
	LINE(LONG_TARGET, "GET /" X60 "xxxx HTTP/1.1"),
	LINE(METHOD_UNKNOWN, X60 " / HTTP/1.1"),
	LINE(OK, X10 X10 X10 "xx / HTTP/1.1"),
	LINE(METHOD_UNKNOWN, X10 X10 X10 "xxx / HTTP/1.1"),

	/* line ends */
	ROW(BARE_LF, "GET / HTTP/1.1\nHost: a\n\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
	ROW(BARE_LF, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW(BARE_LF, "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW(BARE_LF, "GET /\n"),
	ROW(BARE_LF, "GET\n"),
	ROW(BARE_LF, "GET /a\nb HTTP/1.1\r\n\r\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\r\nX\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\r\nX \n"),
	ROW(BAD_FIELD, "GET / HTTP/1.1\r\nHost: a\r\n:\n"),
	ROW(BARE_LF, "GET / HTTP/1.1\r\nHost: a\r\nX:\n"),
	WITH(CONTROL, "X: a\rb"),
	WITH(CONTROL, "X: a\r\r"),
	WITH(CONTROL, "X: \ra"),
	WITH(CONTROL, "X\r: a"),
	WITH(CONTROL, "\rX: a"),
	WITH(CONTROL, "X: a\r "),

	/* fields that are fine */
	WITH(OK, "X:"),
	WITH(OK, "X: \t "),
	WITH(OK, "X:a"),
	WITH(OK, "X: a\tb c"),
	WITH(OK, "X: \xc3\xa4\xff\x80"),
	WITH(OK, "X: 1234567\t1234567\t12345678"),
	WITH(OK, "X_y: a"),
	WITH(OK, "!#$%&'*+-.^_`|~09: a"),
	WITH(OK, "X: :::"),
	WITH(OK, "X: a\r\nX: a"),
	WITH(OK, "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:"
	    "\r\n11:"),

	/* and that are not */
	WITH(MANY_FIELDS, "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:"
	    "\r\n10:\r\n11:\r\n12:"),
	WITH(BAD_FIELD, ": a"),
	WITH(BAD_FIELD, "X"),
	WITH(BAD_FIELD, "X y"),
	WITH(BAD_FIELD, "X y: a"),
	WITH(BAD_FIELD, "X;: a"),
	WITH(BAD_FIELD, "X\xc3\xa4: a"),
	WITH(BAD_FIELD, "\"X\": a"),
	WITH(BAD_FIELD, "(X): a"),
	WITH(BAD_FIELD, "{X}: a"),
	WITH(BAD_FIELD, "GET / HTTP/1.1"),
	WITH(BLANK_BEFORE_COLON, "X : a"),
	WITH(BLANK_BEFORE_COLON, "X\t: a"),
	WITH(BLANK_BEFORE_COLON, "X \t : a"),
	WITH(FOLDED, "X: a\r\n b"),
	WITH(FOLDED, "X: a\r\n\tb"),
	WITH(FOLDED, "X:\r\n a"),
	WITH(FOLDED, "X: a\r\n "),
	ROW(FOLDED, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
	ROW(FOLDED, "GET / HTTP/1.1\r\n\tX: a\r\nHost: a\r\n\r\n"),
	WITH(CONTROL, "X: a\0b"),
	WITH(CONTROL, "X: \0"),
	WITH(CONTROL, "X\0: a"),
	WITH(CONTROL, "\0X: a"),
	WITH(CONTROL, "X: a\x0b"),
	WITH(CONTROL, "X: a\x0c" "b"),
	WITH(CONTROL, "X: \x1b[2J"),
	WITH(CONTROL, "X: a\x7f"),
	WITH(CONTROL, "X: 12345678901234567890\x7f" "12345678901234567890"),
	WITH(CONTROL, "X: 12345678901234567890\x1f" "12345678901234567890"),
	WITH(CONTROL, "X: \xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff"),
	WITH(CONTROL, "X\x0b: a"),
	WITH(CONTROL, "\x0bX: a"),

	/* Content-Length */
	WITH(OK, "Content-Length: 0"),
	WITH(OK, "content-length:5"),
	WITH(OK, "CONTENT-LENGTH: \t5\t "),
	WITH(OK, "Content-Length: 9223372036854775807"),
	WITH(BAD_LENGTH, "Content-Length: 9223372036854775808"),
	WITH(BAD_LENGTH, "Content-Length: 18446744073709551616"),
	WITH(BAD_LENGTH, "Content-Length: 99999999999999999999999999"),
	WITH(BAD_LENGTH, "Content-Length:"),
	WITH(BAD_LENGTH, "Content-Length: +5"),
	WITH(BAD_LENGTH, "Content-Length: -5"),
	WITH(BAD_LENGTH, "Content-Length: 0x5"),
	WITH(BAD_LENGTH, "Content-Length: 5 5"),
	WITH(BAD_LENGTH, "Content-Length: 5,5"),
	WITH(BAD_LENGTH, "Content-Length: 5, 5"),
	WITH(BAD_LENGTH, "Content-Length: 5,"),
	WITH(BAD_LENGTH, "Content-Length: ,5"),
	WITH(BAD_LENGTH, "Content-Length: 5.0"),
	WITH(BAD_LENGTH, "Content-Length: 5e1"),
	WITH(BAD_LENGTH, "Content-Length: 1_0"),
	WITH(BAD_LENGTH, "Content-Length: \"5\""),
	WITH(BAD_LENGTH, "Content-Length: \xd9\xa5"),
	WITH(BAD_LENGTH, "Content-Length: 5;q"),
	WITH(BAD_LENGTH, "Content-Length: 5\r\nContent-Length: 5"),
	WITH(BAD_LENGTH, "Content-Length: 5\r\ncontent-length: 6"),
	WITH(BAD_LENGTH, "Content-Length: 0\r\nContent-Length: 0"),
	WITH(BAD_LENGTH, "Content-Length: 5\r\nX: a\r\nContent-Length:"),
	WITH(CONTROL, "Content-Length: 5\x0b"),
	WITH(CONTROL, "Content-Length: \0" "5"),
	WITH(CONTROL, "Content-Length: 5\r"),
	WITH(BLANK_BEFORE_COLON, "Content-Length : 5"),
	WITH(FOLDED, "Content-Length: 1\r\n 0"),
	WITH(BAD_LENGTH, "Content-Length:\r\n 5"),

	/* Transfer-Encoding */
	WITH(OK, "Transfer-Encoding: chunked"),
	WITH(OK, "transfer-encoding:Chunked"),
	WITH(OK, "Transfer-Encoding: \tCHUNKED\t"),
	WITH(BAD_CODING, "Transfer-Encoding:"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked, chunked"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked,"),
	WITH(BAD_CODING, "Transfer-Encoding: ,chunked"),
	WITH(BAD_CODING, "Transfer-Encoding: ,"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked;q=1"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked ;q=1"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked x"),
	WITH(BAD_CODING, "Transfer-Encoding: \"chunked\""),
	WITH(BAD_CODING, "Transfer-Encoding: chunked=a"),
	WITH(BAD_CODING, "Transfer-Encoding: chunk\xc3\xa9" "d"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked\xa0"),
	WITH(BAD_CODING, "Transfer-Encoding: :chunked"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked\r\nTransfer-Encoding:"),
	WITH(BAD_CODING, "Transfer-Encoding: gzip, chunked;x"),
	/* The last is not chunked: where does the body end? */
	WITH(BAD_CODING, "Transfer-Encoding: gzip"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked, gzip"),
	WITH(BAD_CODING, "Transfer-Encoding: identity"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked, identity"),
	WITH(BAD_CODING, "Transfer-Encoding: xchunked"),
	WITH(BAD_CODING, "Transfer-Encoding: chunkedx"),
	WITH(BAD_CODING, "Transfer-Encoding: 'chunked'"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked-false"),
	WITH(BAD_CODING, "Transfer-Encoding: gzip;q=1"),
	WITH(BAD_CODING, "Transfer-Encoding: chunked\r\n"
	    "Transfer-encoding: cow"),
	WITH(CODING_UNKNOWN, "Transfer-Encoding: gzip, chunked"),
	WITH(CODING_UNKNOWN, "Transfer-Encoding: identity, chunked"),
	WITH(CODING_UNKNOWN, "Transfer-Encoding: x\r\n"
	    "Transfer-Encoding: chunked"),
	WITH(BLANK_BEFORE_COLON, "Transfer-Encoding : chunked"),
	WITH(BLANK_BEFORE_COLON, "Transfer-Encoding\t: chunked"),
	WITH(CONTROL, "Transfer-Encoding: \x0b" "chunked"),
	WITH(CONTROL, "Transfer-Encoding: chunked\x0b"),
	WITH(CONTROL, "Transfer-Encoding: \0chunked"),
	WITH(CONTROL, "Transfer-Encoding\x0b: chunked"),
	WITH(CONTROL, "Transfer-Encoding\0: chunked"),
	WITH(CONTROL, "Transfer-Encoding: chunked\r"),
	WITH(CONTROL, "X: a\rTransfer-Encoding: chunked"),
	ROW(BARE_LF, "POST / HTTP/1.1\r\nHost: a\r\nX: a\n"
	    "Transfer-Encoding: chunked\r\n\r\n"),
	WITH(FOLDED, " Transfer-Encoding: chunked"),
	WITH(FOLDED, "Transfer-Encoding:\r\n chunked"),
	WITH(FOLDED, "Transfer-Encoding: chunk\r\n ed"),
	/* other names, which must not frame anything */
	WITH(OK, "Transfer_Encoding: chunked"),
	WITH(OK, "Transfer-Encodings: chunked"),
	WITH(OK, "Content_Length: 5"),

	/* both */
	WITH(TWO_FRAMINGS, "Content-Length: 5\r\nTransfer-Encoding: chunked"),
	WITH(TWO_FRAMINGS, "Transfer-Encoding: chunked\r\nContent-Length: 5"),
	WITH(TWO_FRAMINGS, "Transfer-Encoding: chunked\r\nContent-Length: 0"),
	WITH(TWO_FRAMINGS, "Content-Length: 5\r\nTransfer-Encoding: x"),
	WITH(TWO_FRAMINGS, "Content-Length: 5\r\nTransfer-Encoding:"),
	OLD(OK, "Content-Length: 5"),
	OLD(CODING_HTTP10, "Transfer-Encoding: chunked"),
	OLD(CODING_HTTP10, "Transfer-Encoding: gzip"),
	OLD(CODING_HTTP10, "Content-Length: 5\r\nTransfer-Encoding: chunked"),

	/* Host */
	ROW(NO_HOST, "GET / HTTP/1.1\r\n\r\n"),
	ROW(NO_HOST, "GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n"),
	ROW(OK, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	WITH(MANY_HOSTS, "Host: a"),
	WITH(MANY_HOSTS, "HOST: b"),
	WITH(MANY_HOSTS, "X: a\r\nhost:"),
	OLD(OK, "Host: a"),
	OLD(MANY_HOSTS, "Host: a\r\nHost: a"),
	WITH(BLANK_BEFORE_COLON, "Host : b"),
	WITH(FOLDED, " Host: b"),

	/* Expect */
	WITH(OK, "Expect: 100-continue"),
	WITH(OK, "expect:100-Continue"),
	WITH(OK, "Expect: 100-continue\r\nExpect: 100-continue"),
	WITH(BAD_EXPECT, "Expect:"),
	WITH(BAD_EXPECT, "Expect: 100"),
	WITH(BAD_EXPECT, "Expect: 100-continues"),
	WITH(BAD_EXPECT, "Expect: 100-continue, x"),
	WITH(BAD_EXPECT, "Expect: 100-continue\r\nExpect: x"),
	WITH(BAD_EXPECT, "Expect: 200-ok"),
	OLD(OK, "Expect: 200-ok"),

	/* what follows is not its business */
	ROW(OK, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n"),
};

/* The word that the way of the text into the parser leads to. */
static void
expect_rows(const struct row *rows, size_t n, feed_run *run)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		const char *got = feed_all_ways(a, run, rows[i].text);
		const char *word = h1_refusal_word(rows[i].refusal);
		size_t length = strlen(word);

		if (strncmp(got, word, length) != 0 || got[length] != ' ')
			fail_msg("row %zu: %s\nis \"%s\", not %s", i,
			    feed_show(a, rows[i].text), got, word);
		arena_end(a);
	}
}

static void
requests_are_taken_or_refused_as_listed(void **state)
{
	(void)state;
	expect_rows(request_rows, COUNT_OF(request_rows), run_request);
}

/* ---- the table of responses -------------------------------------------- */

#define STATUS_LINE(refusal, line) ROW(refusal, line "\r\nX: a\r\n\r\n")
#define RESPONSE(refusal, lines) \
	ROW(refusal, "HTTP/1.1 200 OK\r\n" lines "\r\n\r\n")

static const struct row response_rows[] = {
	STATUS_LINE(OK, "HTTP/1.1 200 OK"),
	STATUS_LINE(OK, "HTTP/1.0 200 OK"),
	STATUS_LINE(OK, "HTTP/1.1 200 "),
	STATUS_LINE(OK, "HTTP/1.1 200"),
	STATUS_LINE(OK, "HTTP/1.1 100 Continue"),
	STATUS_LINE(OK, "HTTP/1.1 999 Any Thing\t\xff"),
	ROW(OK, "HTTP/1.1 204\r\n\r\n"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 099 X"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 000"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 20 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 2000 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 200OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1  200 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 +20 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 2x0 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1"),
	STATUS_LINE(BAD_STATUS, "HTTP/1.1 "),
	STATUS_LINE(BAD_STATUS, "HTTP/1.10 200 OK"),
	STATUS_LINE(BAD_STATUS, "http/1.1 200 OK"),
	STATUS_LINE(BAD_STATUS, "HTTP 200 OK"),
	STATUS_LINE(BAD_STATUS, "ICY 200 OK"),
	STATUS_LINE(BAD_STATUS, "garbage"),
	STATUS_LINE(BAD_STATUS, " HTTP/1.1 200 OK"),
	STATUS_LINE(CONTROL, "HTTP/1.1\t200 OK"),
	STATUS_LINE(CONTROL, "HTTP/1.1 200\tOK"),
	STATUS_LINE(CONTROL, "HTTP/1.1 200 O\0K"),
	STATUS_LINE(CONTROL, "HTTP/1.1 200 O\rK"),
	STATUS_LINE(CONTROL, "HTTP/1.1 200 \x1b[1m"),
	STATUS_LINE(CONTROL, "\x16\x03\x01"),
	STATUS_LINE(VERSION, "HTTP/2.0 200 OK"),
	STATUS_LINE(VERSION, "HTTP/1.2 200 OK"),
	STATUS_LINE(VERSION, "HTTP/0.9 200 OK"),
	ROW(BARE_LF, "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"),
	ROW(BARE_LF, "HTTP/1.1 200\n"),
	ROW(BARE_LF, "garbage\n"),
	ROW(BARE_LF, "HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n"),
	RESPONSE(OK, "Content-Length: 5"),
	RESPONSE(OK, "Transfer-Encoding: chunked"),
	RESPONSE(OK, "Host: a\r\nHost: b"),
	RESPONSE(OK, "Expect: x"),
	RESPONSE(BAD_LENGTH, "Content-Length: 5, 5"),
	RESPONSE(BAD_LENGTH, "Content-Length: 5\r\nContent-Length: 5"),
	RESPONSE(BAD_LENGTH, "Content-Length: -1"),
	RESPONSE(BAD_CODING, "Transfer-Encoding: chunked, chunked"),
	RESPONSE(BAD_CODING, "Transfer-Encoding: chunked;a"),
	RESPONSE(CODING_UNKNOWN, "Transfer-Encoding: gzip, chunked"),
	RESPONSE(TWO_FRAMINGS, "Content-Length: 5\r\n"
	    "Transfer-Encoding: chunked"),
	ROW(CODING_HTTP10, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n"),
	RESPONSE(FOLDED, "X: a\r\n b"),
	RESPONSE(BLANK_BEFORE_COLON, "Content-Length : 5"),
	RESPONSE(BAD_FIELD, "no colon here"),
	RESPONSE(CONTROL, "X: a\rb"),
	RESPONSE(CONTROL, "X: a\0b"),
	RESPONSE(MANY_FIELDS, "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:"
	    "\r\n9:\r\n10:\r\n11:\r\n12:\r\n13:"),
};

static void
responses_are_taken_or_refused_as_listed(void **state)
{
	(void)state;
	expect_rows(response_rows, COUNT_OF(response_rows), run_response);
}

/* ---- what they say ----------------------------------------------------- */

static void
expect_told(feed_run *run, const char *text, const char *expected)
{
	struct arena *a = arena_new();
	const char *got = feed_all_ways(a, run, str_from(text));
	size_t n = strlen(expected);

	/* " of N" follows. */
	if (strncmp(got, expected, n) != 0 || strncmp(got + n, " of ", 4) != 0)
		fail_msg("%s\nsays \"%s\", not \"%s\"",
		    feed_show(a, str_from(text)), got, expected);
	arena_end(a);
}

static void
a_request_is_read_as_it_stands(void **state)
{
	(void)state;
	expect_told(run_request,
	    "PUT /a?b HTTP/1.1\r\nHost: x:80\r\nX-y:  1\t2 \t\r\n"
	    "CONTENT-length: 012\r\nEmpty:\r\nExpect: 100-Continue\r\n\r\n",
	    "ok PUT(PUT) /a?b 1.1 length=12 continue <Host=x:80> <X-y=1\t2> "
	    "<CONTENT-length=012> <Empty=> <Expect=100-Continue>");
	expect_told(run_request,
	    "BREW * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "ok BREW() * 1.1 chunked <Host=a> <Transfer-Encoding=chunked>");
}

static void
a_response_is_read_as_it_stands(void **state)
{
	(void)state;
	expect_told(run_response,
	    "HTTP/1.1 404 Not  Here\r\nContent-Length: 7\r\n\r\n",
	    "ok 404 'Not  Here' 1.1 length=7 <Content-Length=7>");
	expect_told(run_response, "HTTP/1.0 200\r\n\r\n",
	    "ok 200 '' 1.0 close");
	expect_told(run_response,
	    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
	    "ok 200 'OK' 1.0 <Connection=keep-alive>");
	expect_told(run_response,
	    "HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n",
	    "ok 101 '' 1.1 upgrade <Connection=Upgrade> <Upgrade=a>");
	expect_told(run_response,
	    "HTTP/1.1 200 OK\r\nConnection: x, close\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",
	    "ok 200 'OK' 1.1 chunked close <Connection=x, close> "
	    "<Transfer-Encoding=chunked>");
}

static void
expect_connection(const char *version, const char *lines,
    const char *expected)
{
	struct arena *a = arena_new();
	char text[256], told[256];
	const char *got;

	snprintf(text, sizeof text, "GET / %s\r\n%sHost: a\r\n\r\n", version,
	    lines);
	snprintf(told, sizeof told, "ok GET(GET) / %s%s <", version + 5,
	    expected);
	got = feed_all_ways(a, run_request, str_from(text));
	if (strncmp(got, told, strlen(told)) != 0)
		fail_msg("%s: \"%s\" says \"%s\"", version, lines, got);
	arena_end(a);
}

/* RFC 9112 section 9.3 */
static void
connections_persist_as_the_standard_says(void **state)
{
	static const char *const v0 = "HTTP/1.0", *const v1 = "HTTP/1.1";

	(void)state;
	expect_connection(v1, "", "");
	expect_connection(v1, "Connection: close\r\n", " close");
	expect_connection(v1, "Connection: a,, CLOSE ,b\r\n", " close");
	expect_connection(v1, "Connection: a\r\nConnection: close\r\n",
	    " close");
	expect_connection(v1, "Connection: closed\r\n", "");
	expect_connection(v1, "Connection: keep-alive\r\n", " keep-alive");
	expect_connection(v1, "Connection: keep-alive, close\r\n", " close");
	expect_connection(v0, "", " close");
	expect_connection(v0, "Connection: Keep-Alive\r\n", " keep-alive");
	expect_connection(v0, "Connection: keep-alive, close\r\n", " close");
	expect_connection(v0, "Connection: close\r\n"
	    "Connection: keep-alive\r\n", " close");
	expect_connection(v0, "Proxy-Connection: keep-alive\r\n", " close");
}

/* RFC 9110 section 7.8 */
static void
an_upgrade_needs_both_its_fields(void **state)
{
	static const char *const v0 = "HTTP/1.0", *const v1 = "HTTP/1.1";

	(void)state;
	expect_connection(v1, "Connection: Upgrade\r\nUpgrade: x\r\n",
	    " upgrade");
	expect_connection(v1, "Upgrade: x\r\nConnection: a, upgrade\r\n",
	    " upgrade");
	expect_connection(v1, "Upgrade: x\r\n", "");
	expect_connection(v1, "Connection: upgrade\r\n", "");
	expect_connection(v1, "Connection: upgrades\r\nUpgrade: x\r\n", "");
	expect_connection(v0, "Connection: upgrade\r\nUpgrade: x\r\n",
	    " close");
}

/* RFC 9110 section 10.1.1 */
static void
an_old_client_expects_nothing(void **state)
{
	(void)state;
	expect_connection("HTTP/1.0", "Expect: 100-continue\r\n", " close");
	expect_connection("HTTP/1.1", "Expect: 100-continue\r\n",
	    " continue");
}

/* ---- finding ----------------------------------------------------------- */

static void
a_head_ends_at_its_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nbody\r\n\r\n";
	size_t scanned = 0;

	(void)state;
	assert_int_equal(h1_scan_head(text, sizeof text - 1, &scanned), 24);
	assert_int_equal(scanned, 0);
	assert_int_equal(h1_scan_head(text, 23, &scanned), 0);
	assert_int_equal(scanned, 23);
	assert_int_equal(h1_scan_head(text, 24, &scanned), 24);
}

/* What was scanned could be anything by now. */
static void
nothing_is_scanned_twice(void **state)
{
	char text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
	size_t scanned = 0;

	(void)state;
	assert_int_equal(h1_scan_head(text, 18, &scanned), 0);
	assert_int_equal(scanned, 18);
	memset(text, '\n', 16);
	assert_int_equal(h1_scan_head(text, 24, &scanned), 24);
}

static void
a_bare_lf_ends_a_head_at_once(void **state)
{
	size_t scanned = 0;

	(void)state;
	assert_int_equal(h1_scan_head("GET /\nmore", 10, &scanned), 6);
	assert_int_equal(h1_scan_head("A\r\nB\n", 5, &scanned), 5);
	assert_int_equal(h1_scan_head("\n", 1, &scanned), 1);
	assert_int_equal(h1_scan_head("\r\n", 2, &scanned), 2);
}

static void
at_most_two_empty_lines_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(h1_skip_blank("", 0), 0);
	assert_int_equal(h1_skip_blank("\r", 1), 0);
	assert_int_equal(h1_skip_blank("\r\n", 2), 2);
	assert_int_equal(h1_skip_blank("\r\n\r", 3), 2);
	assert_int_equal(h1_skip_blank("\r\n\r\n\r\n", 6), 4);
	assert_int_equal(h1_skip_blank("\nGET", 4), 0);
	assert_int_equal(h1_skip_blank("GET\r\n", 5), 0);
}

static void
an_unfinished_head_waits(void **state)
{
	static const char *const texts[] = {
		"G", "\r", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r", "\r\n\r\n\r",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct arena *a = arena_new();

		assert_string_equal(feed_all_ways(a, run_request,
		    str_from(texts[i])), "incomplete");
		arena_end(a);
	}
}

/* Every control, at every place of a word of eight and behind it. */
static void
no_control_hides_in_a_long_value(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < 20; at++) {
			char text[] = "GET / HTTP/1.0\r\nX: "
			    "abcdefghijklmnopqrst\r\n\r\n";
			struct arena *a = arena_new();
			bool fine = field_char_is((char)c, FIELD_CHAR_VALUE);
			struct h1_request r;
			struct head h;

			head_init(&h, a, 1);
			text[19 + at] = (char)c;
			assert_int_equal(h1_parse_request(text,
			    sizeof text - 1, &limits, &r, &h),
			    fine ? H1_OK : c == '\n' ? H1_BARE_LF :
			    H1_CONTROL);
			arena_end(a);
		}
}

/* The same head with either end of line, however it is cut, reads the same; a
 * bare CR or a control stays what it is. */
static void
run_lenient(struct feed *f, struct arena *a, struct buf *out)
{
	static const struct h1_limits lenient = {
		.max_fields = 12, .max_target = 64, .bare_lf = true
	};
	size_t scanned = 0, head = 0;
	struct buf all = buf_in(a);
	struct h1_request r;
	struct str piece;
	struct head h;

	while (head == 0 && feed_next(f, &piece)) {
		buf_str(&all, piece);
		head = h1_scan_head_lf(all.p, all.n, &scanned);
	}
	if (head == 0) {
		buf_z(out, "incomplete");
		return;
	}
	head_init(&h, a, 4);
	buf_z(out, h1_refusal_word(h1_parse_request(all.p, head, &lenient, &r,
	    &h)));
	tell_fields(out, &h);
	buf_printf(out, " of %zu", head);
}

static void
a_bare_lf_ends_lines_where_it_may(void **state)
{
	static const char *const rows[][2] = {
		{"GET / HTTP/1.1\nHost: a\nX: b \n\n",
		 "ok <Host=a> <X=b>"},
		{"GET / HTTP/1.1\nHost: a\r\n\n", "ok <Host=a>"},
		{"GET / HTTP/1.1\r\nHost: a\n\r\nX",
		 "ok <Host=a>"},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		 "ok <Host=a>"},
		{"GET / HTTP/1.1\nHost: a\rX: b\n\n", "control"},
		{"GET / HTTP/1.1\nHost: a\r\r\n\n", "control"},
		{"GET / HTTP/1.1\nHost: a\n b\n\n",
		 "folded <Host=a>"},
		{"GET /\n\n", "bare_lf"},
		{"\nGET / HTTP/1.1\nHost: a\n\n", "bare_lf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_told(run_lenient, rows[i][0], rows[i][1]);
}

static void
every_refusal_has_status_word_and_sentence(void **state)
{
	(void)state;
	for (unsigned i = 1; i < H1_REFUSAL_COUNT; i++) {
		enum h1_refusal r = (enum h1_refusal)i;

		assert_in_range(h1_refusal_status(r), 400, 505);
		assert_true(h1_refusal_word(r)[0] != '\0');
		assert_true(h1_refusal_text(r)[0] != '\0');
	}
	assert_int_equal(h1_refusal_status(H1_CODING_UNKNOWN), 501);
	assert_int_equal(h1_refusal_status(H1_BAD_EXPECT), 417);
	assert_int_equal(h1_refusal_status(H1_LONG_TARGET), 414);
	assert_int_equal(h1_refusal_status(H1_MANY_FIELDS), 431);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_taken_or_refused_as_listed),
		cmocka_unit_test(responses_are_taken_or_refused_as_listed),
		cmocka_unit_test(a_request_is_read_as_it_stands),
		cmocka_unit_test(a_response_is_read_as_it_stands),
		cmocka_unit_test(connections_persist_as_the_standard_says),
		cmocka_unit_test(an_upgrade_needs_both_its_fields),
		cmocka_unit_test(an_old_client_expects_nothing),
		cmocka_unit_test(a_head_ends_at_its_empty_line),
		cmocka_unit_test(nothing_is_scanned_twice),
		cmocka_unit_test(a_bare_lf_ends_a_head_at_once),
		cmocka_unit_test(at_most_two_empty_lines_are_skipped),
		cmocka_unit_test(an_unfinished_head_waits),
		cmocka_unit_test(a_bare_lf_ends_lines_where_it_may),
		cmocka_unit_test(no_control_hides_in_a_long_value),
		cmocka_unit_test(every_refusal_has_status_word_and_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
