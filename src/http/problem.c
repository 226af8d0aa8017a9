/*
 * Built-in pages. JSON is for who names it in Accept: what browsers send never
 * does, and what takes anything gets HTML, as ever. Neither form names a
 * program or a version.
 */
#include "http/problem.h"

#include "http/status.h"
#include "http/weight.h"

static struct str
problem_json(struct txn *t, const char *what, const char *why)
{
	struct buf b = buf_in(t->arena);

	buf_z(&b, "{\"type\": \"about:blank\", \"title\": \"");
	buf_json(&b, status_reason(t->res.status));
	buf_printf(&b, "\", \"status\": %d", t->res.status);
	if (what != NULL) {
		buf_z(&b, ", \"detail\": \"");
		buf_json(&b, str_from(what));
		buf_z(&b, ": ");
		buf_json(&b, str_from(why));
		buf_chr(&b, '"');
	}
	buf_z(&b, "}\n");
	return buf_view(&b);
}

void
problem_reply(struct txn *t, const char *what, const char *why)
{
	int status = t->res.status;
	bool chosen = head_has(&t->req.head, FIELD_ACCEPT);

	t->res.is_builtin = true;
	if (status >= 400 && chosen &&
	    weight_prefers_json(head_joined(&t->req.head, FIELD_ACCEPT)))
		txn_reply_bytes(t, "application/problem+json",
		    problem_json(t, what, why));
	else if (what != NULL)
		txn_reply_bytes(t, "text/html",
		    status_page_saying(t->arena, status, what, why));
	else
		txn_reply_bytes(t, "text/html", status_page(status));
	/* A cache must not give one client what the other wanted (RFC 9110
	 * section 12.5.5). */
	if (status >= 400 && chosen)
		txn_reply_field(t, FIELD_VARY, STR("Accept"));
}
