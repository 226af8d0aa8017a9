/* limits: who is due, who waits, who is refused, and what is remembered. */
#include "world.h"

#include "http/site.h"
#include "modules/limits.c"

static unsigned resumed;

static void
on_resume(struct txn *t)
{
	(void)t;
	resumed++;
}

static const struct transport transport = {
	.name = "test", .resume = on_resume
};

static struct http_conf http;
static struct site site = { .http = &http };

static struct world *
limits_world(const char *yaml)
{
	struct world *w = world_of(&limits_module, yaml);

	http = (struct http_conf){ .mode = POLICY_ENFORCE };
	resumed = 0;
	w->server.module_state[MODULE_limits] = limits_start(&w->server);
	return w;
}

static void
finish(struct txn *t)
{
	while (t->cleanups != NULL) {
		struct txn_cleanup *c = t->cleanups;

		t->cleanups = c->next;
		c->fn(c->arg);
	}
}

static void
limits_world_end(struct world *w)
{
	if (w->t != NULL)
		finish(w->t);
	limits_stop(&w->server, w->server.module_state[MODULE_limits]);
	world_end(w);
}

/* A request of its own, of client IP, that the world does not end. */
static struct txn *
come(struct world *w, const char *ip, const char *target)
{
	struct txn *t = request(w, "GET", target);

	w->t = NULL;
	t->transport = &transport;
	t->site = &site;
	t->slots = arena_zalloc(t->arena, sizeof *t->slots);
	assert_true(peer_parse_ip(AF_INET, str_from(ip), 0, &t->conn->peer) ||
	    peer_parse_ip(AF_INET6, str_from(ip), 0, &t->conn->peer));
	return t;
}

static void
leave(struct txn *t)
{
	finish(t);
	flow_close(t->res.body);
	arena_end(t->arena);
}

/* The status with which it is answered; 0: it passes. */
static int
status_at(struct world *w, const struct level *l, const char *ip)
{
	struct txn *t = come(w, ip, "/");
	enum verdict v = limits_step(t, l->conf);
	int status = t->res.status;

	assert_int_equal(v, status != 0 ? STEP_STOP : STEP_NEXT);
	leave(t);
	return status;
}

static int
status_of(struct world *w, const char *ip)
{
	return status_at(w, w->top, ip);
}

/* ---- requests ---------------------------------------------------------- */

static void
a_burst_passes_and_then_one_at_a_time(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 10/s, burst: 2}}\n");

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	assert_int_equal(status_of(w, "192.0.2.2"), 0);
	clock_fake_advance(99);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	clock_fake_advance(1);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	clock_fake_advance(100000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	assert_int_equal(w->http_stats.refused[REFUSAL_REQUEST_RATE], 4);
	limits_world_end(w);
}

static void
exactly_the_rate_passes_in_an_hour(void **state)
{
	struct world *w = limits_world("limits: {requests: 7/s}\n");
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		passed += status_of(w, "192.0.2.1") == 0;
		clock_fake_advance(10);
	}
	/* 1000 s; the clock has steps of 10 ms, one of 15 is wasted. */
	assert_in_range(passed, 6660, 7001);
	limits_world_end(w);
}

static void
a_refusal_says_when_to_come_again(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 6/m, status: 503, headers: on}}\n");
	struct txn *t;

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	clock_fake_advance(500);
	t = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t, w->top->conf), STEP_STOP);
	assert_int_equal(t->res.status, 503);
	assert_string_equal(t->reason, "request_rate");
	assert_true(str_eq(head_value(&t->res.head, FIELD_RETRY_AFTER),
	    STR("10")));
	assert_int_equal(limits_fields_step(t, w->top->conf), STEP_NEXT);
	assert_non_null(strstr(response(t), "|RateLimit-Policy: "
	    "\"requests\";q=1;w=10|RateLimit: \"requests\";r=0;t=10|"));
	leave(t);
	limits_world_end(w);
}

static void
what_is_left_is_told(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 1/s, burst: 9, headers: on}}\n");
	struct txn *t = come(w, "192.0.2.1", "/");

	(void)state;
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	txn_reply(t, 204);
	limits_fields_step(t, w->top->conf);
	assert_string_equal(response(t), "204|RateLimit-Policy: "
	    "\"requests\";q=10;w=10|RateLimit: \"requests\";r=9;t=1|");
	leave(t);
	limits_world_end(w);
}

static void
an_empty_key_is_nobody(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 1/h, key: $arg_k}}\n");

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(status_of(w, "192.0.2.1"), 0);
	limits_world_end(w);
}

static void
a_network_of_ipv6_is_one_client(void **state)
{
	struct world *w = limits_world("limits: {requests: 1/h}\n");

	(void)state;
	assert_int_equal(status_of(w, "2001:db8:0:1::1"), 0);
	assert_int_equal(status_of(w, "2001:db8:0:1:ffff::2"), 429);
	assert_int_equal(status_of(w, "2001:db8:0:2::1"), 0);
	assert_int_equal(status_of(w, "::ffff:192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	limits_world_end(w);
}

static void
who_is_refused_by_one_rule_is_not_counted_by_another(void **state)
{
	struct world *w = limits_world(
	    "limits:\n"
	    "  requests:\n"
	    "    - {key: all, rate: 1/h, burst: 2}\n"
	    "    - {rate: 1/h}\n");

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(status_of(w, "192.0.2.1"), 429);
	assert_int_equal(status_of(w, "192.0.2.2"), 0);
	assert_int_equal(status_of(w, "192.0.2.3"), 0);
	assert_int_equal(status_of(w, "192.0.2.4"), 429);
	limits_world_end(w);
}

static void
levels_share_the_rule_that_they_inherit(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: 1/h}\n"
	    "inner:\n"
	    "  limits: {body: 1k}\n"
	    "  inner:\n"
	    "    limits: {requests: 1/h}\n");

	(void)state;
	assert_int_equal(status_at(w, w->top, "192.0.2.1"), 0);
	assert_int_equal(status_at(w, w->top->inner, "192.0.2.1"), 429);
	assert_int_equal(status_at(w, w->top->inner->inner, "192.0.2.1"), 0);
	limits_world_end(w);
}

static void
a_rule_counts_a_request_once_however_it_is_redirected(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 1/h, burst: 1}}\n");
	struct txn *t = come(w, "192.0.2.1", "/");

	(void)state;
	for (int i = 0; i < 5; i++) {
		*t->slots = NULL; /* another plan */
		assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	}
	leave(t);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	limits_world_end(w);
}

static void
the_page_of_an_error_is_not_limited_again(void **state)
{
	struct world *w = limits_world("limits: {requests: 1/h}\n");
	struct txn *t;

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	t = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t, w->top->conf), STEP_STOP);
	t->page = (void *)w;
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	leave(t);
	/* What had no route was not asked. */
	t = come(w, "192.0.2.1", "/");
	t->page = (void *)w;
	assert_int_equal(limits_step(t, w->top->conf), STEP_STOP);
	leave(t);
	limits_world_end(w);
}

static void
a_full_table_forgets_and_says_so(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 1/h, max_keys: 2}}\n");
	struct limits_stats *stats = w->stats;

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.2"), 0);
	assert_int_equal(stats->forgotten, 0);
	assert_int_equal(status_of(w, "192.0.2.3"), 0);
	assert_int_equal(stats->forgotten, 1);
	assert_int_equal(status_of(w, "192.0.2.3"), 429);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	limits_world_end(w);
}

static void
where_it_is_only_reported_nobody_is_refused_or_delayed(void **state)
{
	struct world *w = limits_world(
	    "limits: {mode: log, requests: {rate: 1/s, burst: 1, "
	    "delay: on}}\n");
	struct txn *t;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(w->http_stats.reported[REFUSAL_REQUEST_RATE], 2);
	assert_int_equal(w->http_stats.refused[REFUSAL_REQUEST_RATE], 0);
	t = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	assert_true(str_eq(txn_reported(t), STR("request_rate")));
	leave(t);
	limits_world_end(w);
}

/* ---- delay ------------------------------------------------------------- */

static void
the_burst_waits_until_it_is_due(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 10/s, burst: 2, delay: on}}\n");
	struct limits_stats *stats = w->stats;
	struct txn *t[3];

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	for (int i = 0; i < 3; i++)
		t[i] = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t[0], w->top->conf), STEP_WAIT);
	assert_int_equal(limits_step(t[1], w->top->conf), STEP_WAIT);
	assert_int_equal(limits_step(t[2], w->top->conf), STEP_STOP);
	assert_int_equal(stats->waiting, 2);
	clock_fake_advance(100);
	loop_tick(w->loop, 0);
	assert_int_equal(resumed, 1);
	assert_true(t[0]->resumed);
	assert_int_equal(limits_step(t[0], w->top->conf), STEP_NEXT);
	clock_fake_advance(100);
	loop_tick(w->loop, 0);
	assert_int_equal(resumed, 2);
	assert_int_equal(stats->waiting, 0);
	assert_int_equal(stats->delayed, 2);
	for (int i = 0; i < 3; i++)
		leave(t[i]);
	limits_world_end(w);
}

static void
who_leaves_while_waiting_is_not_called(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 10/s, burst: 2, delay: on}}\n");
	struct limits_stats *stats = w->stats;
	struct txn *t;

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	t = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t, w->top->conf), STEP_WAIT);
	leave(t);
	assert_int_equal(stats->waiting, 0);
	clock_fake_advance(1000);
	loop_tick(w->loop, 0);
	assert_int_equal(resumed, 0);
	limits_world_end(w);
}

static void
no_more_wait_than_may(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 10/s, burst: 2, delay: on}}\n");
	struct limits_stats *stats = w->stats;

	(void)state;
	stats->waiting = WAITING_MAX;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	stats->waiting = 0;
	limits_world_end(w);
}

static void
the_wait_is_told_in_a_variable(void **state)
{
	struct world *w = limits_world(
	    "limits: {requests: {rate: 2/s, burst: 2, delay: on}}\n");
	struct txn *t;
	struct template *tp;
	struct err e;

	(void)state;
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	t = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(t, w->top->conf), STEP_WAIT);
	tp = template_compile(t->arena, STR("$limits_delay $remote_network"),
	    &e);
	assert_non_null(tp);
	assert_true(str_eq(template_eval(tp, t), STR("0.500 192.0.2.1")));
	leave(t);
	limits_world_end(w);
}

/* ---- connections ------------------------------------------------------- */

static void
requests_in_progress_are_counted_until_they_end(void **state)
{
	struct world *w = limits_world("limits: {connections: 2}\n");
	struct txn *a = come(w, "192.0.2.1", "/");
	struct txn *b = come(w, "192.0.2.1", "/");

	(void)state;
	assert_int_equal(limits_step(a, w->top->conf), STEP_NEXT);
	assert_int_equal(limits_step(b, w->top->conf), STEP_NEXT);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	assert_int_equal(status_of(w, "192.0.2.2"), 0);
	leave(a);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	leave(b);
	assert_int_equal(w->http_stats.refused[REFUSAL_REQUESTS_AT_ONCE], 1);
	limits_world_end(w);
}

static void
a_forgotten_count_is_not_counted_down_for_another(void **state)
{
	struct world *w = limits_world(
	    "limits: {connections: {max: 1, max_keys: 1}}\n");
	struct txn *a = come(w, "192.0.2.1", "/"), *b;

	(void)state;
	assert_int_equal(limits_step(a, w->top->conf), STEP_NEXT);
	assert_int_equal(status_of(w, "192.0.2.2"), 0); /* forgets the first */
	b = come(w, "192.0.2.1", "/");
	assert_int_equal(limits_step(b, w->top->conf), STEP_NEXT);
	leave(a);
	assert_int_equal(status_of(w, "192.0.2.1"), 429);
	leave(b);
	assert_int_equal(status_of(w, "192.0.2.1"), 0);
	limits_world_end(w);
}

static void
what_ends_after_the_worker_has_stopped_is_let_go(void **state)
{
	struct world *w = limits_world("limits: {connections: 1}\n");
	struct txn *t = come(w, "192.0.2.1", "/");

	(void)state;
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	limits_stop(&w->server, w->server.module_state[MODULE_limits]);
	leave(t);
	limits_world_end(w);
}

/* ---- bodies ------------------------------------------------------------ */

static void
a_body_that_says_it_is_too_large_is_refused(void **state)
{
	struct world *w = limits_world("limits: {body: 4}\n");
	struct txn *t = come(w, "192.0.2.1", "/");

	(void)state;
	t->req.body = flow_bytes(t->arena, STR("four"));
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	t->req.body = flow_bytes(t->arena, STR("fiver"));
	assert_int_equal(limits_step(t, w->top->conf), STEP_STOP);
	assert_int_equal(t->res.status, 413);
	assert_true(t->res.close);
	leave(t);
	limits_world_end(w);
}

/* What is read of an unknown length in pieces of two. */
static size_t
read_body(struct txn *t, enum flow_status *end)
{
	size_t got = 0;
	struct span span;

	while ((*end = flow_peek(t->req.body, &span)) == FLOW_DATA) {
		flow_take(t->req.body, span.n < 2 ? span.n : 2);
		got += span.n < 2 ? span.n : 2;
	}
	return got;
}

static struct txn *
sends(struct world *w, const char *body)
{
	struct txn *t = come(w, "192.0.2.1", "/");

	t->req.body = flow_bytes(t->arena, str_from(body));
	t->req.body->length = -1;
	assert_int_equal(limits_step(t, w->top->conf), STEP_NEXT);
	return t;
}

static void
one_of_unknown_length_fails_where_it_becomes_too_large(void **state)
{
	struct world *w = limits_world("limits: {body: 4}\n");
	struct txn *t = sends(w, "four");
	enum flow_status end;

	(void)state;
	assert_int_equal(read_body(t, &end), 4);
	assert_int_equal(end, FLOW_END);
	leave(t);
	t = sends(w, "fiver");
	assert_int_equal(read_body(t, &end), 0);
	assert_int_equal(end, FLOW_FAIL);
	assert_int_equal(t->refusal, REFUSAL_LARGE_BODY);
	assert_true(t->res.close);
	leave(t);
	http.mode = POLICY_LOG;
	t = sends(w, "fiver");
	assert_int_equal(read_body(t, &end), 5);
	assert_int_equal(end, FLOW_END);
	assert_true(str_eq(txn_reported(t), STR("large_body")));
	leave(t);
	limits_world_end(w);
}

static void
after_an_upgrade_there_is_no_body(void **state)
{
	struct world *w = limits_world("limits: {body: 4}\n");
	struct txn *t = sends(w, "raw bytes");
	enum flow_status end;

	(void)state;
	t->res.upgraded = true;
	assert_int_equal(read_body(t, &end), 9);
	assert_int_equal(end, FLOW_END);
	leave(t);
	limits_world_end(w);
}

/* ---- bandwidth --------------------------------------------------------- */

static void
only_what_has_a_body_is_paced(void **state)
{
	struct world *w = limits_world("limits: {bandwidth: 1k}\n");
	struct txn *t = come(w, "192.0.2.1", "/");
	struct flow *body;

	(void)state;
	txn_reply(t, 204);
	assert_int_equal(limits_pace_step(t, w->top->conf), STEP_NEXT);
	assert_null(t->res.body);
	txn_reply(t, 200);
	body = flow_bytes(t->arena, STR("x"));
	txn_reply_body(t, body);
	t->req.method = METHOD_HEAD;
	limits_pace_step(t, w->top->conf);
	assert_ptr_equal(t->res.body, body);
	t->req.method = METHOD_GET;
	limits_pace_step(t, w->top->conf);
	assert_ptr_not_equal(t->res.body, body);
	assert_int_equal(t->res.body->length, 1);
	leave(t);
	limits_world_end(w);
}

/* ---- loading ----------------------------------------------------------- */

static void
what_cannot_work_is_refused(void **state)
{
	(void)state;
	expect_error(&limits_module, "limits: {requests: {rate: 10}}\n",
	    "a rate says in which time: did you mean 10/s or 10/m?");
	expect_error(&limits_module, "limits: {requests: {burst: 10}}\n",
	    "\"rate\"");
	expect_error(&limits_module,
	    "limits: {requests: {rate: 1/s, delay: on}}\n",
	    "\"delay\" is for requests of the \"burst\", which is 0");
	expect_error(&limits_module,
	    "limits: {requests: {rate: 1/m, burst: 2, delay: on}}\n",
	    "the last of 2 requests would wait for 120 seconds");
	expect_error(&limits_module,
	    "limits: {requests: {rate: 1/s, key: $nobody}}\n", "nobody");
	expect_error(&limits_module, "limits: {connections: 0}\n",
	    "must be between 1 and 1000000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_and_then_one_at_a_time),
		cmocka_unit_test(exactly_the_rate_passes_in_an_hour),
		cmocka_unit_test(a_refusal_says_when_to_come_again),
		cmocka_unit_test(what_is_left_is_told),
		cmocka_unit_test(an_empty_key_is_nobody),
		cmocka_unit_test(a_network_of_ipv6_is_one_client),
		cmocka_unit_test(
		    who_is_refused_by_one_rule_is_not_counted_by_another),
		cmocka_unit_test(levels_share_the_rule_that_they_inherit),
		cmocka_unit_test(
		    a_rule_counts_a_request_once_however_it_is_redirected),
		cmocka_unit_test(the_page_of_an_error_is_not_limited_again),
		cmocka_unit_test(a_full_table_forgets_and_says_so),
		cmocka_unit_test(
		    where_it_is_only_reported_nobody_is_refused_or_delayed),
		cmocka_unit_test(the_burst_waits_until_it_is_due),
		cmocka_unit_test(who_leaves_while_waiting_is_not_called),
		cmocka_unit_test(no_more_wait_than_may),
		cmocka_unit_test(the_wait_is_told_in_a_variable),
		cmocka_unit_test(
		    requests_in_progress_are_counted_until_they_end),
		cmocka_unit_test(
		    a_forgotten_count_is_not_counted_down_for_another),
		cmocka_unit_test(
		    what_ends_after_the_worker_has_stopped_is_let_go),
		cmocka_unit_test(a_body_that_says_it_is_too_large_is_refused),
		cmocka_unit_test(
		    one_of_unknown_length_fails_where_it_becomes_too_large),
		cmocka_unit_test(after_an_upgrade_there_is_no_body),
		cmocka_unit_test(only_what_has_a_body_is_paced),
		cmocka_unit_test(what_cannot_work_is_refused),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
