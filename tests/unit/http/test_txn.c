/*
 * The walk of a request through a plan. Steps are scripted and leave a trace of
 * their letters; site, route and transport are the test's own.
 */
#include "http/generation.h"
#include "http/plan.h"
#include "http/router.h"
#include "http/server.h"
#include "http/site_index.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

/* ---- scripted steps ---------------------------------------------------- */

/* Letters: N next, W wait, S stop with STATUS, G go to another route; after the
 * last, N. */
struct script {
	char letter;
	const char *verdicts;
	int status;
	void *slot_was; /* at the last run */
};

struct world {
	struct arena *arena;
	struct loop_stats loop_stats;
	struct net net;
	struct http_stats stats;
	struct server server;
	struct generation g;
	struct endpoint ep;
	struct conn conn;
	struct http_conf http;
	struct site site;
	struct route route, other;
	const struct site *found;     /* for any host */
	const struct route *taken;    /* for any request */
	struct txn *t;
	char trace[64];
	unsigned sent, resumes, cleanups;
	unsigned flows_closed;
	bool goes_nowhere;   /* G finds no route */
	bool resumes_inline; /* a step that says W was answered before */
};

static struct world *the;

static void
trace(char c)
{
	size_t n = strlen(the->trace);

	assert_true(n + 1 < sizeof the->trace);
	the->trace[n] = c;
	the->trace[n + 1] = '\0';
}

static enum verdict
script_step(struct txn *t, const void *conf)
{
	struct script *s = (struct script *)(uintptr_t)conf;
	char c = s->verdicts != NULL && *s->verdicts != '\0' ?
	    *s->verdicts++ : 'N';

	trace(s->letter);
	s->slot_was = *txn_slot(t);
	*txn_slot(t) = s;
	if (c == 'W' && the->resumes_inline)
		txn_resume(t);
	if (c == 'S')
		txn_reply_error(t, s->status);
	if (c == 'G') {
		the->taken = the->goes_nowhere ? NULL : &the->other;
		return txn_reroute(t, STR("/a b"), STR("q=1"));
	}
	return c == 'W' ? STEP_WAIT : c == 'S' ? STEP_STOP : STEP_NEXT;
}

/* "ab|c|d": request steps, response steps, log steps. */
static struct plan *
plan_of(struct world *w, const char *letters, struct script *scripts)
{
	struct plan *p = arena_zalloc(w->arena,
	    sizeof *p + 16 * sizeof p->steps[0]);
	static const struct module module = { .name = "script" };
	unsigned parts = 0;

	for (; *letters != '\0'; letters++) {
		if (*letters == '|' && parts++ == 0) {
			p->response_at = p->n;
		} else if (*letters == '|') {
			p->log_at = p->n;
		} else {
			scripts[p->n].letter = *letters;
			p->steps[p->n] = (struct step){
				.fn = script_step, .conf = &scripts[p->n],
				.module = &module
			};
			p->n++;
		}
	}
	assert_int_equal(parts, 2);
	return p;
}

/* Features are not part of this: one word of state each. */
const struct module *const modules[] = { NULL, NULL, NULL };
const unsigned module_count = 2;

/* ---- what is below and beside ------------------------------------------ */

const struct route *
router_find(const struct router *r, struct txn *t)
{
	(void)r;
	(void)t;
	return the->taken;
}

const struct site *
site_index_find(const struct site_index *x, struct str host)
{
	(void)x;
	(void)host;
	return the->found;
}

const struct site *
site_index_first(const struct site_index *x)
{
	(void)x;
	return &the->site;
}

static void
on_send(struct txn *t)
{
	assert_ptr_equal(t, the->t);
	the->sent++;
	trace('!');
}

static void
on_resume(struct txn *t)
{
	assert_ptr_equal(t, the->t);
	the->resumes++;
}

static const struct transport transport = {
	.name = "test", .send = on_send, .resume = on_resume
};

static void
closes(struct flow *f)
{
	(void)f;
	the->flows_closed++;
}

static const struct flow_ops flow_ops = { .name = "test", .close = closes };

static struct flow *
some_flow(struct txn *t)
{
	struct flow *f = arena_zalloc(t->arena, sizeof *f);

	f->ops = &flow_ops;
	return f;
}

/* ---- the world --------------------------------------------------------- */

static struct script route_scripts[16], site_scripts[16], other_scripts[16];

static struct txn *
request(struct world *w)
{
	struct txn *t = txn_new(&w->server, &transport, &w->conn, w);

	w->t = t;
	t->req.line = STR("GET /x HTTP/1.1");
	t->req.host = STR("a.example");
	t->req.body = some_flow(t);
	txn_choose_site(t);
	w->trace[0] = '\0';
	return t;
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	the = w;
	log_set_level(LOG_CRIT);
	clock_fake_start(1000000, 1700000000);
	memset(route_scripts, 0, sizeof route_scripts);
	memset(site_scripts, 0, sizeof site_scripts);
	memset(other_scripts, 0, sizeof other_scripts);
	w->arena = arena_new();
	w->net.loop = loop_new(&w->loop_stats, &e);
	w->server.net = &w->net;
	w->server.stats = &w->stats;
	w->server.generation = &w->g;
	w->conn.endpoint = &w->ep;
	w->conn.peer.family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", w->conn.peer.ip), 1);
	w->site.http = &w->http;
	w->site.plan = plan_of(w, "a|h|l", site_scripts);
	w->route.plan = plan_of(w, "ABR|HB|LM", route_scripts);
	w->found = &w->site;
	w->taken = &w->route;
	*state = w;
	request(w);
	return 0;
}

static void
finish(struct world *w, enum close_reason why)
{
	txn_finish(w->t, why);
	txn_end(w->t);
	w->t = NULL;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	if (w->t != NULL)
		finish(w, CLOSE_DONE);
	assert_int_equal(w->stats.in_flight, 0);
	assert_null(w->server.current);
	loop_end(w->net.loop);
	arena_end(w->arena);
	arena_trim();
	clock_fake_end();
	free(w);
	return 0;
}

static void
expect(struct world *w, const char *trace_)
{
	assert_string_equal(w->trace, trace_);
}

/* ---- the walk ---------------------------------------------------------- */

static void
txn_walks_the_plan_in_order(void **state)
{
	struct world *w = *state;

	route_scripts[2] = (struct script){ 'R', "S", 200, NULL };
	txn_begin(w->t);
	expect(w, "ABRHB!");
	assert_int_equal(w->t->state, TXN_SENDING);
	assert_int_equal(w->stats.requests, 1);
	assert_int_equal(w->stats.responses[1], 1);
	txn_finish(w->t, CLOSE_DONE);
	expect(w, "ABRHB!LM");
	assert_null(w->t->reason);
}

static void
txn_skips_to_the_response_steps_at_a_stop(void **state)
{
	struct world *w = *state;

	route_scripts[0] = (struct script){ 'A', "S", 403, NULL };
	txn_begin(w->t);
	expect(w, "AHB!");
	assert_int_equal(w->t->res.status, 403);
}

static void
txn_goes_on_after_a_response_step_that_answers(void **state)
{
	struct world *w = *state;

	route_scripts[2] = (struct script){ 'R', "S", 200, NULL };
	route_scripts[3] = (struct script){ 'H', "S", 500, NULL };
	txn_begin(w->t);
	expect(w, "ABRHB!");
	assert_int_equal(w->t->res.status, 500);
}

static void
txn_answers_404_when_nobody_does(void **state)
{
	struct world *w = *state;

	txn_begin(w->t);
	expect(w, "ABRHB!");
	assert_int_equal(w->t->res.status, 404);
	assert_non_null(w->t->res.body);
}

static void
txn_answers_404_without_response_steps(void **state)
{
	struct world *w = *state;

	w->route.plan = plan_of(w, "A||", route_scripts);
	txn_begin(w->t);
	expect(w, "A!");
	assert_int_equal(w->t->res.status, 404);
}

static void
txn_gives_every_step_a_slot_of_its_own(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "WN", 0, NULL };
	txn_begin(w->t);
	assert_null(route_scripts[0].slot_was);
	assert_null(route_scripts[1].slot_was);
	txn_resume(w->t);
	txn_continue(w->t);
	assert_ptr_equal(route_scripts[1].slot_was, &route_scripts[1]);
	assert_null(route_scripts[2].slot_was);
}

/* ---- who is this ------------------------------------------------------- */

static void
txn_identifies_before_the_route_is_chosen(void **state)
{
	struct world *w = *state;
	struct plan *plan = plan_of(w, "ia|h|l", site_scripts);

	plan->route_at = 1;
	w->site.plan = plan;
	txn_begin(w->t);
	expect(w, "iABRHB!");
}

static void
txn_identifies_what_it_refuses(void **state)
{
	struct world *w = *state;
	struct plan *plan = plan_of(w, "ia|h|l", site_scripts);

	plan->route_at = 1;
	w->site.plan = plan;
	txn_refuse(w->t, REFUSAL_NO_ROUTE);
	expect(w, "ih!");
}

/* ---- internal redirects ------------------------------------------------ */

static void
txn_walks_the_plan_of_where_it_is_rerouted(void **state)
{
	struct world *w = *state;

	w->other.plan = plan_of(w, "X|Y|Z", other_scripts);
	route_scripts[1] = (struct script){ 'B', "G", 0, NULL };
	other_scripts[0] = (struct script){ 'X', "S", 200, NULL };
	txn_begin(w->t);
	txn_finish(w->t, CLOSE_DONE);
	expect(w, "ABXY!Z");
	assert_string_equal(w->t->req.path.p, "/a b");
	assert_true(str_eq(w->t->req.target.raw_path, STR("/a%20b")));
	assert_true(str_eq(w->t->req.target.query, STR("q=1")));
	assert_int_equal(w->t->reroutes, 1);
}

static void
txn_drops_a_response_when_it_is_rerouted(void **state)
{
	struct world *w = *state;

	w->other.plan = plan_of(w, "X|Y|Z", other_scripts);
	route_scripts[2] = (struct script){ 'R', "S", 404, NULL };
	route_scripts[3] = (struct script){ 'H', "G", 0, NULL };
	other_scripts[0] = (struct script){ 'X', "S", 200, NULL };
	txn_begin(w->t);
	expect(w, "ABRHXY!");
	assert_int_equal(w->t->res.status, 200);
}

static void
txn_stops_a_loop_of_internal_redirects(void **state)
{
	struct world *w = *state;

	w->other.plan = plan_of(w, "X|Y|Z", other_scripts);
	route_scripts[0] = (struct script){ 'A', "G", 0, NULL };
	other_scripts[0] = (struct script){ 'X', "GGGGGGGGGGGGGGG", 0, NULL };
	txn_begin(w->t);
	expect(w, "AXXXXXXXXXXY!");
	assert_int_equal(w->t->res.status, 500);
	assert_string_equal(w->t->reason, "redirect_loop");
}

static void
txn_refuses_to_be_rerouted_to_no_route(void **state)
{
	struct world *w = *state;

	route_scripts[0] = (struct script){ 'A', "G", 0, NULL };
	w->goes_nowhere = true;
	txn_begin(w->t);
	expect(w, "Ah!");
	assert_int_equal(w->t->res.status, 404);
}

static void
txn_keeps_a_module_s_word_over_an_internal_redirect(void **state)
{
	struct world *w = *state;

	*txn_word(w->t, 1) = w;
	txn_begin(w->t);
	assert_null(*txn_word(w->t, 0));
	assert_ptr_equal(*txn_word(w->t, 1), w);
}

/* ---- waiting ----------------------------------------------------------- */

static void
txn_runs_the_same_step_again_when_resumed(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "WWN", 0, NULL };
	txn_begin(w->t);
	expect(w, "AB");
	assert_int_equal(w->t->state, TXN_STEPS);
	txn_resume(w->t);
	expect(w, "AB"); /* never inline */
	assert_int_equal(w->resumes, 1);
	txn_continue(w->t);
	expect(w, "ABB");
	txn_resume(w->t);
	txn_continue(w->t);
	expect(w, "ABBBRHB!");
	assert_int_equal(w->resumes, 2);
}

static void
txn_waits_in_response_steps_too(void **state)
{
	struct world *w = *state;

	route_scripts[2] = (struct script){ 'R', "S", 200, NULL };
	route_scripts[4] = (struct script){ 'B', "WN", 0, NULL };
	txn_begin(w->t);
	expect(w, "ABRHB");
	assert_int_equal(w->sent, 0);
	txn_resume(w->t);
	txn_continue(w->t);
	expect(w, "ABRHBB!");
	assert_int_equal(w->t->res.status, 200);
}

static void
txn_is_resumed_once_however_often_it_is_told(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "WN", 0, NULL };
	txn_begin(w->t);
	txn_resume(w->t);
	txn_resume(w->t);
	assert_int_equal(w->resumes, 1);
	txn_continue(w->t);
	txn_continue(w->t);
	expect(w, "ABBRHB!");
	txn_resume(w->t);
	txn_continue(w->t);
	expect(w, "ABBRHB!");
	assert_int_equal(w->resumes, 1);
	assert_int_equal(w->sent, 1);
}

static void
txn_may_be_resumed_before_the_step_returns(void **state)
{
	struct world *w = *state;

	w->resumes_inline = true;
	route_scripts[1] = (struct script){ 'B', "WN", 0, NULL };
	txn_begin(w->t);
	expect(w, "AB");
	assert_int_equal(w->resumes, 1);
	txn_continue(w->t);
	expect(w, "ABBRHB!");
}

static void
txn_does_not_go_on_unless_resumed(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "WN", 0, NULL };
	txn_continue(w->t);
	txn_begin(w->t);
	txn_continue(w->t);
	expect(w, "AB");
}

static void
txn_that_ended_is_not_resumed(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "WN", 0, NULL };
	txn_begin(w->t);
	txn_resume(w->t);
	txn_finish(w->t, CLOSE_PEER);
	txn_continue(w->t);
	txn_resume(w->t);
	txn_continue(w->t);
	expect(w, "ABLM");
	assert_int_equal(w->resumes, 1);
	assert_int_equal(w->sent, 0);
}

/* ---- without a route --------------------------------------------------- */

static void
txn_without_a_route_meets_the_response_steps_of_its_site(void **state)
{
	struct world *w = *state;

	w->taken = NULL;
	txn_begin(w->t);
	expect(w, "h!");
	assert_int_equal(w->t->res.status, 404);
	assert_int_equal(w->stats.refused[REFUSAL_NO_ROUTE], 1);
	txn_finish(w->t, CLOSE_DONE);
	expect(w, "h!l");
	assert_string_equal(w->t->reason, "no_route");
}

static void
txn_without_a_site_meets_those_of_the_first(void **state)
{
	struct world *w = *state;

	w->found = NULL;
	txn_choose_site(w->t);
	txn_begin(w->t);
	expect(w, "h!");
	assert_int_equal(w->t->res.status, 421);
	assert_string_equal(w->t->reason, "no_site");
	assert_int_equal(w->stats.refused[REFUSAL_NO_SITE], 1);
}

static void
txn_refused_meets_the_response_steps(void **state)
{
	struct world *w = *state;

	txn_refuse(w->t, REFUSAL_BAD_FIELD);
	expect(w, "h!");
	txn_finish(w->t, CLOSE_DONE);
	expect(w, "h!l");
	assert_int_equal(w->t->res.status, 400);
	assert_string_equal(w->t->reason, "bad_field");
	assert_int_equal(w->stats.refused[REFUSAL_BAD_FIELD], 1);
	assert_int_equal(w->stats.requests, 1);
	assert_int_equal(w->stats.responses[3], 1);
	assert_int_equal(w->stats.cut, 0);
}

static void
txn_with_a_large_body_meets_no_request_step(void **state)
{
	struct world *w = *state;

	w->http.max_body_size = 10;
	w->t->req.body->length = 11;
	txn_begin(w->t);
	expect(w, "h!");
	assert_int_equal(w->t->res.status, 413);
	assert_true(w->t->res.close);
	assert_string_equal(w->t->reason, "large_body");
	finish(w, CLOSE_DONE);
	request(w)->req.body->length = 10;
	txn_begin(w->t);
	expect(w, "ABRHB!");
	finish(w, CLOSE_DONE);
	w->http.max_body_size = 0;
	request(w)->req.body->length = 11;
	txn_begin(w->t);
	expect(w, "ABRHB!");
}

static void
txn_waits_without_a_route_too(void **state)
{
	struct world *w = *state;

	w->taken = NULL;
	site_scripts[1] = (struct script){ 'h', "WN", 0, NULL };
	txn_begin(w->t);
	expect(w, "h");
	txn_resume(w->t);
	txn_continue(w->t);
	expect(w, "hh!");
}

/* ---- ends -------------------------------------------------------------- */

static void
on_end(void *arg)
{
	the->cleanups++;
	trace(*(const char *)arg);
}

static void
txn_cleans_up_once_before_it_is_logged(void **state)
{
	struct world *w = *state;

	txn_on_end(w->t, on_end, (void *)"1");
	txn_begin(w->t);
	txn_on_end(w->t, on_end, (void *)"2");
	txn_finish(w->t, CLOSE_DONE);
	txn_finish(w->t, CLOSE_PEER);
	/* Last added first, as everywhere. */
	expect(w, "ABRHB!21LM");
	assert_int_equal(w->stats.cut, 0);
}

static void
txn_cut_while_it_waits_is_cleaned_up_and_logged(void **state)
{
	struct world *w = *state;

	route_scripts[1] = (struct script){ 'B', "W", 0, NULL };
	txn_begin(w->t);
	txn_on_end(w->t, on_end, (void *)"1");
	txn_finish(w->t, CLOSE_PEER);
	expect(w, "AB1LM");
	assert_string_equal(w->t->reason, "peer_closed");
	assert_int_equal(w->t->res.status, 0);
	assert_int_equal(w->stats.cut, 1);
}

static void
txn_cut_before_it_began_is_cleaned_up(void **state)
{
	struct world *w = *state;

	txn_on_end(w->t, on_end, (void *)"1");
	txn_finish(w->t, CLOSE_SHUTDOWN);
	expect(w, "1");
	assert_string_equal(w->t->reason, "shutdown");
}

static void
txn_keeps_the_first_reason(void **state)
{
	struct world *w = *state;

	txn_begin(w->t);
	w->t->reason = "client_left";
	txn_finish(w->t, CLOSE_PEER);
	assert_string_equal(w->t->reason, "client_left");
	assert_int_equal(w->stats.cut, 1);
}

static void
txn_closes_both_bodies_at_its_end(void **state)
{
	struct world *w = *state;

	txn_begin(w->t);
	txn_reply(w->t, 200);
	txn_reply_body(w->t, some_flow(w->t));
	assert_int_equal(w->flows_closed, 0);
	txn_finish(w->t, CLOSE_DONE);
	assert_int_equal(w->flows_closed, 2);
}

static void
txn_logs_whatever_a_log_step_answers(void **state)
{
	struct world *w = *state;

	route_scripts[5] = (struct script){ 'L', "S", 500, NULL };
	txn_begin(w->t);
	txn_finish(w->t, CLOSE_DONE);
	expect(w, "ABRHB!LM");
	assert_int_equal(w->sent, 1);
}

/* ---- responses --------------------------------------------------------- */

static void
txn_reply_drops_what_was_begun(void **state)
{
	struct world *w = *state;
	struct txn *t = w->t;

	txn_reply(t, 200);
	txn_reply_field(t, FIELD_CONTENT_TYPE, STR("a/b"));
	txn_reply_body(t, some_flow(t));
	t->res.close = true;
	t->res.trailers = &t->req.head;
	txn_reply(t, 503);
	assert_int_equal(w->flows_closed, 1);
	assert_null(t->res.body);
	assert_null(t->res.trailers);
	assert_false(head_has(&t->res.head, FIELD_CONTENT_TYPE));
	assert_int_equal(t->res.head_length, -1);
	/* What the transport decided is not taken back. */
	assert_true(t->res.close);
}

static void
txn_reply_error_has_a_page_where_one_may_be(void **state)
{
	struct world *w = *state;
	struct span span;

	txn_reply_error(w->t, 404);
	assert_true(str_eq(head_value(&w->t->res.head, FIELD_CONTENT_TYPE),
	    STR("text/html")));
	assert_int_equal(flow_peek(w->t->res.body, &span), FLOW_DATA);
	assert_true(str_contains(str_of(span.p, span.n), STR("404")));
	assert_int_equal(span.n, w->t->res.body->length);
	txn_reply_error(w->t, 304);
	assert_null(w->t->res.body);
}

/* The lines that were logged while FN ran. */
static unsigned
lines_of(void (*fn)(struct world *w), struct world *w, char *text, size_t cap)
{
	int fds[2], old = log_fd();
	unsigned lines = 0;
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	log_set_level(LOG_INFO);
	log_set_fd(fds[1]);
	fn(w);
	log_set_fd(old);
	log_set_level(LOG_CRIT);
	n = read(fds[0], text, cap - 1);
	text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	close(fds[0]);
	close(fds[1]);
	return lines;
}

static void
fail_once(struct world *w)
{
	txn_fail(w->t, 502, "refused", "upstream %s is down", "app");
}

static void
fail_often(struct world *w)
{
	for (int i = 0; i < 100; i++)
		fail_once(w);
}

static void
txn_fail_says_what_and_whose(void **state)
{
	struct world *w = *state;
	char text[4096];

	clock_fake_advance(5000); /* what other tests logged is forgotten */
	assert_int_equal(lines_of(fail_once, w, text, sizeof text), 1);
	assert_non_null(strstr(text, "upstream app is down: 502 (refused), "
	    "\"GET /x HTTP/1.1\" from 192.0.2.7 for a.example"));
	assert_int_equal(w->t->res.status, 502);
	assert_string_equal(w->t->reason, "refused");
}

static void
txn_fail_does_not_flood_the_log(void **state)
{
	struct world *w = *state;
	static char text[65536];

	clock_fake_advance(10000);
	assert_int_equal(lines_of(fail_often, w, text, sizeof text), 20);
}

static void
refuse_often(struct world *w)
{
	for (int i = 0; i < 100; i++) {
		finish(w, CLOSE_DONE);
		request(w);
		txn_refuse(w->t, REFUSAL_BAD_FIELD);
	}
}

static void
txn_refuse_does_not_flood_the_log(void **state)
{
	struct world *w = *state;
	static char text[65536];

	clock_fake_advance(15000);
	assert_int_equal(lines_of(refuse_often, w, text, sizeof text), 10);
	assert_non_null(strstr(text, "a header field is malformed: refused "
	    "with 400 (bad_field), \"GET /x HTTP/1.1\" from 192.0.2.7"));
}

/* ---- what is known of it ----------------------------------------------- */

static void
txn_request_id_is_made_once(void **state)
{
	struct world *w = *state;
	struct str first = txn_request_id(w->t);
	char copy[33];

	assert_int_equal(first.n, 32);
	for (size_t i = 0; i < first.n; i++)
		assert_true(chr_hex(first.p[i]) >= 0);
	assert_ptr_equal(txn_request_id(w->t).p, first.p);
	memcpy(copy, first.p, 32);
	finish(w, CLOSE_DONE);
	request(w);
	assert_memory_not_equal(txn_request_id(w->t).p, copy, 32);
}

static void
txn_describes_what_has_no_line(void **state)
{
	struct world *w = *state;

	w->t->req.line = w->t->req.host = STR("");
	assert_string_equal(txn_describe(w->t), "request from 192.0.2.7");
	assert_string_equal(txn_scheme(w->t), "http");
	w->t->req.is_https = true;
	assert_string_equal(txn_scheme(w->t), "https");
	assert_ptr_equal(txn_peer(w->t), &w->conn.peer);
}

static void
txn_reports_where_it_is(void **state)
{
	struct world *w = *state;
	char text[512];
	int fds[2];
	ssize_t n;

	route_scripts[1] = (struct script){ 'B', "W", 0, NULL };
	txn_begin(w->t);
	assert_int_equal(pipe(fds), 0);
	txn_report(NULL, fds[1]);
	txn_report(w->t, fds[1]);
	n = read(fds[0], text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text,
	    "request in hand: \"GET /x HTTP/1.1\" host a.example, "
	    "in its steps\n  at step 2 of 7: script\n");
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(txn_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(walks_the_plan_in_order),
		T(skips_to_the_response_steps_at_a_stop),
		T(goes_on_after_a_response_step_that_answers),
		T(answers_404_when_nobody_does),
		T(answers_404_without_response_steps),
		T(gives_every_step_a_slot_of_its_own),
		T(identifies_before_the_route_is_chosen),
		T(identifies_what_it_refuses),
		T(walks_the_plan_of_where_it_is_rerouted),
		T(drops_a_response_when_it_is_rerouted),
		T(stops_a_loop_of_internal_redirects),
		T(refuses_to_be_rerouted_to_no_route),
		T(keeps_a_module_s_word_over_an_internal_redirect),
		T(runs_the_same_step_again_when_resumed),
		T(waits_in_response_steps_too),
		T(is_resumed_once_however_often_it_is_told),
		T(may_be_resumed_before_the_step_returns),
		T(does_not_go_on_unless_resumed),
		T(that_ended_is_not_resumed),
		T(without_a_route_meets_the_response_steps_of_its_site),
		T(without_a_site_meets_those_of_the_first),
		T(refused_meets_the_response_steps),
		T(with_a_large_body_meets_no_request_step),
		T(waits_without_a_route_too),
		T(cleans_up_once_before_it_is_logged),
		T(cut_while_it_waits_is_cleaned_up_and_logged),
		T(cut_before_it_began_is_cleaned_up),
		T(keeps_the_first_reason),
		T(closes_both_bodies_at_its_end),
		T(logs_whatever_a_log_step_answers),
		T(reply_drops_what_was_begun),
		T(reply_error_has_a_page_where_one_may_be),
		T(fail_says_what_and_whose),
		T(fail_does_not_flood_the_log),
		T(refuse_does_not_flood_the_log),
		T(request_id_is_made_once),
		T(describes_what_has_no_line),
		T(reports_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
