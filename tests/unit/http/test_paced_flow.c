/* Paced flows: how much passes by when, of one body and of several. */
#include "http/paced_flow.c"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static char bytes[1 << 20];

struct world {
	struct arena *arena;
	struct loop_stats stats;
	struct loop *loop;
	uint64_t waits, lost;
};

static struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	clock_fake_start(1000000, 1700000000);
	w->arena = arena_new();
	w->loop = loop_new(&w->stats, &e);
	assert_non_null(w->loop);
	loop_set_slow_limit(w->loop, 0);
	return w;
}

static void
world_end(struct world *w)
{
	loop_end(w->loop);
	arena_end(w->arena);
	clock_fake_end();
	free(w);
}

struct reader {
	struct flow *flow;
	size_t got;
	unsigned wakes;
};

static void
reader_on_wake(void *arg)
{
	((struct reader *)arg)->wakes++;
}

static struct reader *
reader_of(struct world *w, struct flow *src, struct paced_rate own,
    struct paced_rate shared)
{
	struct paced_rate rates[PACED_RATES] = { own, shared };
	struct reader *r = arena_zalloc(w->arena, sizeof *r);

	r->flow = paced_flow(w->arena, w->loop, src, rates, &w->waits);
	flow_on_wake(r->flow, reader_on_wake, r);
	return r;
}

static enum flow_status
reader_pull(struct reader *r)
{
	enum flow_status st;
	struct span span;

	while ((st = flow_peek(r->flow, &span)) == FLOW_DATA) {
		assert_true(span.n > 0);
		flow_take(r->flow, span.n);
		r->got += span.n;
	}
	return st;
}

/* As a transport: pulls, and again whenever it is woken. */
static void
pass(struct world *w, uint64_t ms, struct reader *a, struct reader *b)
{
	struct reader *all[] = { a, b };

	for (uint64_t i = 0; i <= ms; i++) {
		for (int k = 0; k < 2; k++) {
			if (all[k] == NULL || (i > 0 && all[k]->wakes == 0))
				continue;
			all[k]->wakes = 0;
			(void)reader_pull(all[k]);
		}
		if (i < ms)
			clock_fake_advance(1);
		loop_tick(w->loop, 0);
	}
}

static struct flow *
source(struct world *w)
{
	return flow_bytes(w->arena, str_of(bytes, sizeof bytes));
}

static void
a_body_leaves_at_its_rate(void **state)
{
	struct world *w = world_new();
	struct paced_rate rate = { .bytes = 100000 }, none = { .bytes = 0 };
	struct reader *r = reader_of(w, source(w), rate, none);

	(void)state;
	pass(w, 0, r, NULL);
	assert_in_range(r->got, 10000, 15000); /* of 100 ms, and what is due */
	pass(w, 1000, r, NULL);
	assert_in_range(r->got, 109000, 116000);
	pass(w, 4000, r, NULL);
	assert_in_range(r->got, 505000, 520000);
	assert_true(w->waits > 50);
	flow_close(r->flow);
	world_end(w);
}

static void
the_burst_leaves_at_once_and_again_after_a_pause(void **state)
{
	struct world *w = world_new();
	struct paced_rate rate = { .bytes = 100000, .burst = 50000 };
	struct reader *r = reader_of(w, source(w), rate,
	    (struct paced_rate){ .bytes = 0 });

	(void)state;
	pass(w, 0, r, NULL);
	assert_in_range(r->got, 50000, 55000);
	clock_fake_advance(10000);
	loop_tick(w->loop, 0);
	r->got = 0;
	(void)reader_pull(r);
	assert_in_range(r->got, 50000, 60000);
	flow_close(r->flow);
	world_end(w);
}

static void
those_that_share_a_rate_have_equal_parts(void **state)
{
	struct world *w = world_new();
	struct keyed_table *t = keyed_table_new(10, &w->lost);
	struct paced_rate none = { .bytes = 0 };
	struct paced_rate shared = { .bytes = 100000, .table = t, .hash = 5 };
	struct reader *a = reader_of(w, source(w), none, shared);
	struct reader *b = reader_of(w, source(w), none, shared);

	(void)state;
	pass(w, 5000, a, b);
	assert_in_range(a->got + b->got, 500000, 525000);
	assert_in_range(b->got, 240000, 260000);
	flow_close(a->flow);
	flow_close(b->flow);
	keyed_table_end(t);
	world_end(w);
}

static void
the_lower_of_two_rates_holds(void **state)
{
	struct world *w = world_new();
	struct keyed_table *t = keyed_table_new(10, &w->lost);
	struct paced_rate own = { .bytes = 20000 };
	struct paced_rate shared = { .bytes = 100000, .table = t, .hash = 5 };
	struct reader *r = reader_of(w, source(w), own, shared);

	(void)state;
	pass(w, 5000, r, NULL);
	assert_in_range(r->got, 100000, 105000);
	flow_close(r->flow);
	keyed_table_end(t);
	world_end(w);
}

static void
a_file_stays_a_file_and_the_length_is_true(void **state)
{
	struct world *w = world_new();
	struct paced_rate rate = { .bytes = 100000 }, none = { .bytes = 0 };
	struct reader *r = reader_of(w, flow_file(w->arena, 17, 5, 30000),
	    rate, none);
	struct span span;

	(void)state;
	assert_int_equal(r->flow->length, 30000);
	assert_int_equal(flow_peek(r->flow, &span), FLOW_DATA);
	assert_null(span.p);
	assert_int_equal(span.fd, 17);
	assert_int_equal(span.off, 5);
	assert_int_equal(span.n, 5000); /* what is due in 50 ms */
	flow_take(r->flow, 1000);
	assert_int_equal(r->flow->length, 29000);
	assert_int_equal(flow_peek(r->flow, &span), FLOW_DATA);
	assert_int_equal(span.n, 4000);
	flow_take(r->flow, 0);
	pass(w, 1000, r, NULL);
	assert_int_equal(r->got, 29000);
	assert_int_equal(r->flow->length, 0);
	assert_int_equal(reader_pull(r), FLOW_END);
	flow_close(r->flow);
	world_end(w);
}

static void
one_wake_for_each_wait_and_none_after_the_end(void **state)
{
	struct world *w = world_new();
	struct paced_rate rate = { .bytes = 1000 }, none = { .bytes = 0 };
	struct reader *r = reader_of(w, source(w), rate, none);

	(void)state;
	assert_int_equal(reader_pull(r), FLOW_WAIT);
	assert_int_equal(reader_pull(r), FLOW_WAIT);
	clock_fake_advance(5000);
	loop_tick(w->loop, 0);
	assert_int_equal(r->wakes, 1);
	assert_int_equal(reader_pull(r), FLOW_WAIT);
	flow_close(r->flow);
	clock_fake_advance(5000);
	loop_tick(w->loop, 0);
	assert_int_equal(r->wakes, 1);
	world_end(w);
}

static void
an_end_waits_for_nothing(void **state)
{
	struct world *w = world_new();
	struct paced_rate rate = { .bytes = 1 }, none = { .bytes = 0 };
	struct reader *r = reader_of(w, flow_bytes(w->arena, STR("x")), rate,
	    none);

	(void)state;
	assert_int_equal(reader_pull(r), FLOW_END);
	assert_int_equal(r->got, 1);
	assert_int_equal(w->waits, 0);
	flow_close(r->flow);
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_leaves_at_its_rate),
		cmocka_unit_test(
		    the_burst_leaves_at_once_and_again_after_a_pause),
		cmocka_unit_test(those_that_share_a_rate_have_equal_parts),
		cmocka_unit_test(the_lower_of_two_rates_holds),
		cmocka_unit_test(a_file_stays_a_file_and_the_length_is_true),
		cmocka_unit_test(one_wake_for_each_wait_and_none_after_the_end),
		cmocka_unit_test(an_end_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
