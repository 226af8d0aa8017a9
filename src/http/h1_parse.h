/*
 * HTTP/1 heads (RFC 9112), strictly: on what two readers
 * could disagree, we refuse. Works on bytes; knows no connection.
 */
#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

#include "http/head.h"
#include "http/method.h"
#include "http/refusal.h"

/*
 * Where a head ends. Call with all bytes since its first and *SCANNED as it
 * was left (0 at first): nothing is looked at twice. Returns the length of the
 * head including its empty line, or 0 when it is not complete. Bare LF line
 * ends are found too, so that the parser can refuse them at once.
 */
size_t h1_scan_head(const char *p, size_t n, size_t *scanned);
/* Likewise where `bare_lf: accept` holds: LF ends a line with or without CR. */
size_t h1_scan_head_lf(const char *p, size_t n, size_t *scanned);
/* Empty lines (CRLF) before a request line, to be skipped (RFC 9112 2.2): how
 * many bytes, at most 2 lines. */
size_t h1_skip_blank(const char *p, size_t n);

/* What is wrong with a head: the first rows of refusal.def, in its order, so
 * that each of them is the enum refusal of the same value. */
enum h1_refusal {
	H1_OK,
#define HEAD(name, status, word, text) H1_##name,
#define REFUSAL(name, status, word, text)
#include "http/refusal.def"
	H1_REFUSAL_COUNT
};
static inline enum refusal
h1_refusal_row(enum h1_refusal r)
{
	return (enum refusal)r;
}
static inline int
h1_refusal_status(enum h1_refusal r)
{
	return refusal_status((enum refusal)r);
}
static inline const char *
h1_refusal_word(enum h1_refusal r)
{
	return refusal_word((enum refusal)r);
}
static inline const char *
h1_refusal_text(enum h1_refusal r)
{
	return refusal_text((enum refusal)r);
}

struct h1_limits {
	uint32_t max_fields;
	uint32_t max_target; /* bytes */
	bool bare_lf; /* ends a line, as CRLF does */
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
