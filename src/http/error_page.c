/*
 * Pages of errors. One that another route has is fetched by an internal
 * redirect, for which the request becomes another: a GET without a body, a
 * condition or a range, so that nothing of what failed can fail again or apply
 * to the page. When the page stands the request is what it was, for the log.
 */
#include "http/error_page.h"

#include "base/panic.h"
#include "http/server.h"
#include "http/status.h"

struct error_page {
	int status;
	bool settled;
	struct head kept; /* fields of the error's response */
	/* Of the request, and why it failed. */
	enum method method;
	struct str method_name;
	struct head head;
	const char *reason;
	enum refusal refusal;
	struct upstream_report *upstream;
};

/* Of a response that an upstream made, the fields without which its status says
 * nothing (RFC 9110 sections 11.6.1, 10.2.1, 10.2.3, 14.4, 7.8, 12.5); the
 * others are of its own page or of another resource. */
static const struct str error_page_stays[] = {
	STR_INIT("WWW-Authenticate"), STR_INIT("Allow"),
	STR_INIT("Retry-After"), STR_INIT("Content-Range"),
	STR_INIT("Upgrade"), STR_INIT("Accept"), STR_INIT("Accept-Encoding"),
	STR_INIT("Accept-Patch"), STR_INIT("Proxy-Status"),
};

/* Of a response that we made: what is of the built-in page. */
static const struct str error_page_goes[] = {
	STR_INIT("Content-Type"), STR_INIT("Vary"),
};

/* Of the request, what would make of the page something else than all of it
 * (RFC 9110 sections 13.1 and 14.2), or speaks of a body. */
static const struct str error_page_unasked[] = {
	STR_INIT("If-Match"), STR_INIT("If-None-Match"),
	STR_INIT("If-Modified-Since"), STR_INIT("If-Unmodified-Since"),
	STR_INIT("If-Range"), STR_INIT("Range"), STR_INIT("Content-Type"),
	STR_INIT("Content-Length"), STR_INIT("Content-Encoding"),
	STR_INIT("Transfer-Encoding"), STR_INIT("Trailer"), STR_INIT("Expect"),
	STR_INIT("Connection"), STR_INIT("Upgrade"),
};

/* Of the page's own response: with the error's status nobody can ask again by
 * them. */
static const struct str error_page_drops[] = {
	STR_INIT("ETag"), STR_INIT("Last-Modified"), STR_INIT("Accept-Ranges"),
};

static bool
error_page_names(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_case_eq(names[i], name))
			return true;
	return false;
}
#define NAMES(table, name) error_page_names(table, COUNT_OF(table), name)

static struct head
error_page_keep(struct txn *t)
{
	struct head kept;

	head_init(&kept, t->arena, 4);
	HEAD_EACH(f, &t->res.head)
		if (t->res.is_builtin ? !NAMES(error_page_goes, f->name) :
		    NAMES(error_page_stays, f->name))
			head_add(&kept, f->id, f->name, f->value);
	return kept;
}

/* Whatever the page says under the same name is said of the page. */
static void
error_page_restore(struct txn *t, const struct head *kept)
{
	HEAD_EACH(f, kept)
		head_remove(&t->res.head, f->name);
	HEAD_EACH(f, kept)
		head_add(&t->res.head, f->id, f->name, f->value);
}

void
error_page_put(struct txn *t, struct str type, struct str bytes)
{
	struct head kept = error_page_keep(t);

	txn_reply(t, t->res.status);
	txn_reply_field(t, FIELD_CONTENT_TYPE, type);
	txn_reply_body(t, flow_bytes(t->arena, bytes));
	error_page_restore(t, &kept);
}

static void
error_page_close_body(void *arg)
{
	flow_close(arg);
}

/* What upstreams are not to see stays so, and what Connection names ends with
 * it (RFC 9110 section 7.6.1). */
static void
error_page_copy(struct head *asked, struct head *from)
{
	struct str named = head_joined(from, FIELD_CONNECTION);

	HEAD_EACH(f, from) {
		if (NAMES(error_page_unasked, f->name) ||
		    (named.p != NULL && field_has_token(named, f->name)))
			continue;
		head_add(asked, f->id, f->name, f->value);
		if (f->withheld)
			head_withhold(asked, f->name, true);
	}
}

/* The page's request. A head that was refused is not passed on to anybody. */
static void
error_page_ask(struct txn *t)
{
	struct head asked;

	head_init(&asked, t->arena, 8);
	if (t->refusal == REFUSAL_NONE || t->route != NULL ||
	    t->refusal == REFUSAL_NO_ROUTE)
		error_page_copy(&asked, &t->req.head);
	if (!head_has(&asked, FIELD_HOST) && t->req.host.n > 0)
		head_add_known(&asked, FIELD_HOST, t->req.host);
	t->req.head = asked;
	if (t->req.target.form == TARGET_ASTERISK)
		t->req.target.form = TARGET_ORIGIN;
	if (t->req.method != METHOD_HEAD) {
		t->req.method = METHOD_GET;
		t->req.method_name = STR("GET");
	}
	t->req.wants_upgrade = false;
	/* Whoever reads it may be still at it: it ends with the request. */
	txn_on_end(t, error_page_close_body, t->req.body);
	t->req.body = flow_bytes(t->arena, STR(""));
}

enum verdict
error_page_fetch(struct txn *t, struct str path, struct str query)
{
	struct error_page *p = arena_zalloc(t->arena, sizeof *p);

	ASSERT(t->page == NULL);
	*p = (struct error_page){
		.status = t->res.status, .kept = error_page_keep(t),
		.method = t->req.method, .method_name = t->req.method_name,
		.head = t->req.head, .reason = t->reason,
		.refusal = t->refusal, .upstream = t->upstream
	};
	t->page = p;
	error_page_ask(t);
	t->reason = NULL;
	return txn_reroute(t, path, query);
}

void
error_page_settle(struct txn *t)
{
	struct error_page *p = t->page;

	if (p->settled)
		return;
	p->settled = true;
	t->req.method = p->method;
	t->req.method_name = p->method_name;
	t->req.head = p->head;
	t->reason = p->reason;
	t->refusal = p->refusal;
	if (p->upstream != NULL)
		t->upstream = p->upstream;
	if (t->res.status / 100 == 2) {
		t->res.status = p->status;
		for (size_t i = 0; i < COUNT_OF(error_page_drops); i++)
			head_remove(&t->res.head, error_page_drops[i]);
	} else {
		txn_reply_error(t, p->status);
	}
	error_page_restore(t, &p->kept);
}
