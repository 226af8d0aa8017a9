/*
 * A file as a response: validators, preconditions (RFC 9110 section 13) and
 * ranges (section 14). The common case, a whole file, adds ready-made texts and
 * a flow. It finds no files and opens none.
 */
#include "http/file_reply.h"

#include "base/clock.h"
#include "http/condition.h"
#include "http/file_flow.h"
#include "http/range.h"
#include "http/server.h"

#include <inttypes.h>
#include <stdio.h>

static struct flow *
reply_flow(struct txn *t, struct file *f, struct file_stats *stats,
    struct range r)
{
	return file_flow(t->arena, t->server->net, stats, f, r.from,
	    r.to - r.from + 1);
}

/* What a 304 repeats of the 200 (RFC 9110 section 15.4.5). */
static void
reply_validators(struct txn *t, const struct file *f)
{
	txn_reply_field(t, FIELD_LAST_MODIFIED, f->modified_text);
	txn_reply_field(t, FIELD_ETAG, f->etag);
}

static void
reply_begin(struct txn *t, int status, const struct file *f, struct str type)
{
	txn_reply(t, status);
	txn_reply_field(t, FIELD_CONTENT_TYPE, type);
	reply_validators(t, f);
	txn_reply_field(t, FIELD_ACCEPT_RANGES, STR("bytes"));
}

static struct str
content_range(struct txn *t, const struct file *f, struct range r)
{
	return arena_strf(t->arena, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
	    r.from, r.to, f->size);
}

static void
reply_part(struct txn *t, struct file *f, struct file_stats *stats,
    struct range r)
{
	reply_begin(t, 206, f, f->type);
	txn_reply_field(t, FIELD_CONTENT_RANGE, content_range(t, f, r));
	txn_reply_body(t, reply_flow(t, f, stats, r));
}

/* Several ranges in one body (RFC 9110 section 14.6). */
static void
reply_parts(struct txn *t, struct file *f, struct file_stats *stats,
    const struct range *ranges, unsigned n)
{
	struct flow **parts = arena_alloc(t->arena,
	    (2 * (size_t)n + 1) * sizeof(struct flow *));
	size_t at = 0;
	char mark[17];

	/* Keyed with a secret: a file can not be made to contain it. */
	snprintf(mark, sizeof mark, "%016" PRIx64,
	    str_hash(arena_strf(t->arena, "%.*s%" PRIu64, STR_ARG(f->etag),
	    clock_us())));
	for (unsigned i = 0; i < n; i++) {
		parts[at++] = flow_bytes(t->arena, arena_strf(t->arena,
		    "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: %.*s"
		    "\r\n\r\n", i == 0 ? "" : "\r\n", mark, STR_ARG(f->type),
		    STR_ARG(content_range(t, f, ranges[i]))));
		parts[at++] = reply_flow(t, f, stats, ranges[i]);
	}
	parts[at++] = flow_bytes(t->arena,
	    arena_strf(t->arena, "\r\n--%s--\r\n", mark));

	reply_begin(t, 206, f, arena_strf(t->arena,
	    "multipart/byteranges; boundary=%s", mark));
	txn_reply_body(t, flow_concat(t->arena, parts, at));
}

static void
reply_whole(struct txn *t, struct file *f, struct file_stats *stats)
{
	reply_begin(t, 200, f, f->type);
	txn_reply_body(t, file_flow(t->arena, t->server->net, stats, f, 0,
	    f->size));
}

static void
reply_unsatisfiable(struct txn *t, const struct file *f)
{
	txn_reply_error(t, 416);
	txn_reply_field(t, FIELD_CONTENT_RANGE,
	    arena_strf(t->arena, "bytes */%" PRIu64, f->size));
	txn_reply_field(t, FIELD_ACCEPT_RANGES, STR("bytes"));
}

/* Only GET has ranges (RFC 9110 section 14.2). Two lines of a field that is no
 * list are malformed, and no set of ranges either. */
static bool
reply_wants_range(const struct txn *t)
{
	return t->req.method == METHOD_GET &&
	    head_count(&t->req.head, FIELD_RANGE) == 1;
}

static void
reply_ranges(struct txn *t, struct file *f, struct file_stats *stats)
{
	struct range ranges[RANGE_MAX];
	unsigned n = 0;

	switch (range_parse(head_value(&t->req.head, FIELD_RANGE), f->size,
	    ranges, &n)) {
	case RANGE_NONE:
		reply_whole(t, f, stats);
		return;
	case RANGE_BAD:
		reply_unsatisfiable(t, f);
		return;
	case RANGE_OK:
		break;
	}
	if (n == 1)
		reply_part(t, f, stats, ranges[0]);
	else
		reply_parts(t, f, stats, ranges, n);
}

enum verdict
file_reply(struct txn *t, struct file *f, struct file_stats *stats)
{
	switch (condition_check(&t->req.head, t->req.method, f->etag,
	    f->modified)) {
	case CONDITION_NOT_MODIFIED:
		txn_reply(t, 304);
		reply_validators(t, f);
		break;
	case CONDITION_FAILED:
		txn_reply_error(t, 412);
		break;
	case CONDITION_WHOLE:
		reply_whole(t, f, stats);
		break;
	case CONDITION_PASS:
		if (reply_wants_range(t))
			reply_ranges(t, f, stats);
		else
			reply_whole(t, f, stats);
		break;
	}
	return STEP_STOP;
}
