/*
 * Built-in answers. JSON is for who names it in Accept: what browsers send
 * never does, and what takes anything gets HTML, as ever. No form names a
 * program or a version.
 */
#include "http/problem.h"

#include "http/grpc.h"
#include "http/status.h"
#include "http/weight.h"

static void
problem_grpc(struct txn *t, int status, const char *what, const char *why)
{
	struct str message = status_reason(status);

	if (what != NULL)
		message = arena_strf(t->arena, "%s%s%s", what,
		    why != NULL ? ": " : "", why != NULL ? why : "");
	grpc_reply(t, grpc_code(status), message);
}

static struct str
problem_json(struct txn *t, const char *what, const char *why)
{
	struct buf b = buf_in(t->arena);

	buf_z(&b, "{\"type\": \"about:blank\", \"title\": \"");
	buf_json(&b, status_reason(t->res.status));
	buf_printf(&b, "\", \"status\": %d", t->res.status);
	if (why != NULL) {
		buf_z(&b, ", \"detail\": \"");
		buf_json(&b, str_from(what));
		buf_z(&b, ": ");
		buf_json(&b, str_from(why));
		buf_chr(&b, '"');
	}
	buf_z(&b, "}\n");
	return buf_view(&b);
}

/* The body of a response that has its status. */
static void
problem_page(struct txn *t, const char *what, const char *why)
{
	int status = t->res.status;
	bool chosen = status >= 400 && head_has(&t->req.head, FIELD_ACCEPT);

	t->res.is_builtin = true;
	if (chosen &&
	    weight_prefers_json(head_joined(&t->req.head, FIELD_ACCEPT)))
		txn_reply_bytes(t, "application/problem+json",
		    problem_json(t, what, why));
	else
		txn_reply_bytes(t, "text/html", why == NULL ?
		    status_page(status) :
		    status_page_saying(t->arena, status, what, why));
	/* A cache must not give one client what the other wanted (RFC 9110
	 * section 12.5.5). */
	if (chosen)
		txn_reply_field(t, FIELD_VARY, STR("Accept"));
}

void
problem_reply(struct txn *t, int status, const char *what, const char *why)
{
	if (status >= 400 && grpc_is_request(t)) {
		problem_grpc(t, status, what, why);
		return;
	}
	txn_reply(t, status);
	if (!status_has_no_body(status))
		problem_page(t, what, why);
}
