/*
 * HTTP/1 heads (RFC 9112), strictly: on what two readers
 * could disagree, we refuse. Works on bytes; knows no connection.
 */
#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

#include "http/head.h"
#include "http/method.h"

/*
 * Where a head ends. Call with all bytes since its first and *SCANNED as it
 * was left (0 at first): nothing is looked at twice. Returns the length of the
 * head including its empty line, or 0 when it is not complete. Bare LF line
 * ends are found too, so that the parser can refuse them at once.
 */
size_t h1_scan_head(const char *p, size_t n, size_t *scanned);
/* Empty lines (CRLF) before a request line, to be skipped (RFC 9112 2.2): how
 * many bytes, at most 2 lines. */
size_t h1_skip_blank(const char *p, size_t n);

/* Refusals: one row each gives the status, the word and the sentence. */
#define H1_REFUSALS \
	REFUSE(OK,               0,   "ok",               "") \
	REFUSE(BAD_LINE,         400, "bad_request_line", "the request line is malformed") \
	REFUSE(BAD_METHOD,       400, "bad_method",       "the method is not a token") \
	REFUSE(METHOD_UNKNOWN,   501, "unknown_method",   "the method is not implemented") \
	REFUSE(BAD_TARGET,       400, "bad_target",       "the request target is malformed") \
	REFUSE(LONG_TARGET,      414, "long_target",      "the request target is too long") \
	REFUSE(BAD_VERSION,      400, "bad_version",      "the protocol version is malformed") \
	REFUSE(VERSION,          505, "version",          "the protocol version is not supported") \
	REFUSE(BARE_LF,          400, "bare_lf",          "a line ends in LF without CR") \
	REFUSE(CONTROL,          400, "control",          "a control character in the head") \
	REFUSE(BAD_FIELD,        400, "bad_field",        "a header field is malformed") \
	REFUSE(FOLDED,           400, "folded",           "a header field is folded over lines") \
	REFUSE(BLANK_BEFORE_COLON, 400, "blank_before_colon", "blank before the colon of a header field") \
	REFUSE(MANY_FIELDS,      431, "many_fields",      "more header fields than max_headers") \
	REFUSE(LARGE_HEAD,       431, "large_head",       "the head is larger than max_header_size") \
	REFUSE(BAD_LENGTH,       400, "bad_length",       "Content-Length is not one decimal number") \
	REFUSE(TWO_FRAMINGS,     400, "two_framings",     "both Content-Length and Transfer-Encoding") \
	REFUSE(BAD_CODING,       400, "bad_coding",       "Transfer-Encoding is not exactly chunked") \
	REFUSE(CODING_UNKNOWN,   501, "unknown_coding",   "a transfer coding is not implemented") \
	REFUSE(CODING_HTTP10,    400, "coding_http10",    "Transfer-Encoding in HTTP/1.0") \
	REFUSE(NO_HOST,          400, "no_host",          "no Host in HTTP/1.1") \
	REFUSE(MANY_HOSTS,       400, "many_hosts",       "more than one Host") \
	REFUSE(BAD_HOST,         400, "bad_host",         "Host is malformed or disagrees with the target") \
	REFUSE(MISDIRECTED,      421, "misdirected",      "the target is not one of this connection's") \
	REFUSE(BAD_EXPECT,       417, "bad_expect",       "Expect is not 100-continue") \
	REFUSE(BAD_STATUS,       502, "bad_status",       "the status line is malformed")

enum h1_refusal {
#define REFUSE(name, status, word, text) H1_##name,
	H1_REFUSALS
#undef REFUSE
	H1_REFUSAL_COUNT
};
int h1_refusal_status(enum h1_refusal r);
const char *h1_refusal_word(enum h1_refusal r);
const char *h1_refusal_text(enum h1_refusal r);

struct h1_limits {
	uint32_t max_fields;
	uint32_t max_target; /* bytes */
};

struct h1_request {
	enum method method;
	struct str method_name;
	struct str target;
	int minor; /* HTTP/1.minor: 0 or 1 */
	/* -1: none given. Both absent is no body. */
	int64_t content_length;
	bool chunked;
	bool close;      /* Connection says close, or 1.0 without keep-alive */
	bool keep_alive; /* Connection says keep-alive */
	bool expect_continue;
	bool upgrade; /* Connection names upgrade and Upgrade is there */
};

/*
 * Parses a whole head (as h1_scan_head found it). Names and values point into
 * P, which must live as long as HEAD. Field names with "_" are kept; who
 * forwards decides. Host rules that need the target are the caller's.
 */
enum h1_refusal h1_parse_request(const char *p, size_t n,
    const struct h1_limits *limits, struct h1_request *out,
    struct head *head);

struct h1_response {
	int status; /* 100..999 */
	struct str reason;
	int minor;
	int64_t content_length; /* -1: none */
	bool chunked;
	bool close;
	bool upgrade;
};
enum h1_refusal h1_parse_response(const char *p, size_t n,
    const struct h1_limits *limits, struct h1_response *out,
    struct head *head);

#endif
