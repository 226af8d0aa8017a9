/* Flows: the common half, and the ready-made sources. */
#include "world.h"

#include "net/flow.h"

/* A source that the test steers, and counts what is done to it. */
struct source {
	struct flow flow;
	enum flow_status status;
	struct str data;
	unsigned closed;
};

static enum flow_status
source_peek(struct flow *f, struct span *out)
{
	struct source *s = (struct source *)f;

	if (s->data.n == 0)
		return s->status;
	*out = (struct span){ .p = s->data.p, .n = s->data.n };
	return FLOW_DATA;
}

static void
source_take(struct flow *f, size_t n)
{
	struct source *s = (struct source *)f;

	s->data = str_slice(s->data, n, s->data.n);
}

static void
source_close(struct flow *f)
{
	((struct source *)f)->closed++;
}

static const struct flow_ops source_ops = {
	.name = "source", .peek = source_peek, .take = source_take,
	.close = source_close
};

static struct source
source(const char *text, enum flow_status then, int64_t length)
{
	return (struct source){
		.flow = { .ops = &source_ops, .length = length },
		.status = then, .data = str_from(text)
	};
}

static void
count_wake(void *arg)
{
	++*(unsigned *)arg;
}

/* All bytes of F, taking at most STEP of each span. */
static struct str
drain(struct world *w, struct flow *f, size_t step, enum flow_status *st)
{
	struct buf b = buf_in(w->arena);
	struct span span;

	while ((*st = flow_peek(f, &span)) == FLOW_DATA) {
		size_t n = span.n < step ? span.n : step;

		assert_non_null(span.p);
		assert_true(n > 0);
		buf_put(&b, span.p, n);
		flow_take(f, n);
	}
	return buf_view(&b);
}

static void
bytes_come_whole_and_in_any_steps(void **state)
{
	struct world *w = *state;
	struct str text = STR("the quick brown fox");

	for (size_t step = 1; step <= text.n; step++) {
		struct flow *f = flow_bytes(w->arena, text);
		enum flow_status st;

		assert_int_equal(f->length, text.n);
		assert_true(str_eq(drain(w, f, step, &st), text));
		assert_int_equal(st, FLOW_END);
		assert_int_equal(f->length, 0);
		flow_close(f);
	}
}

static void
taking_nothing_changes_nothing(void **state)
{
	struct world *w = *state;
	struct flow *f = flow_bytes(w->arena, STR("abc"));
	struct span span;

	assert_int_equal(flow_peek(f, &span), FLOW_DATA);
	flow_take(f, 0);
	assert_int_equal(flow_peek(f, &span), FLOW_DATA);
	assert_int_equal(span.n, 3);
	flow_take(f, 3);
	assert_int_equal(flow_peek(f, &span), FLOW_END);
	flow_close(f);
}

static void
no_bytes_are_the_end_at_once(void **state)
{
	struct world *w = *state;
	struct flow *f = flow_bytes(w->arena, STR(""));
	struct span span;

	assert_int_equal(f->length, 0);
	assert_int_equal(flow_peek(f, &span), FLOW_END);
	flow_close(f);
}

static void
a_file_offers_its_range(void **state)
{
	struct world *w = *state;
	struct flow *f = flow_file(w->arena, 7, 100, 50);
	struct span span;

	assert_int_equal(f->length, 50);
	assert_int_equal(flow_peek(f, &span), FLOW_DATA);
	assert_null(span.p);
	assert_int_equal(span.fd, 7);
	assert_int_equal(span.off, 100);
	assert_int_equal(span.n, 50);
	flow_take(f, 20);
	assert_int_equal(flow_peek(f, &span), FLOW_DATA);
	assert_int_equal(span.off, 120);
	assert_int_equal(span.n, 30);
	flow_take(f, 30);
	assert_int_equal(flow_peek(f, &span), FLOW_END);
	assert_int_equal(f->length, 0);
	flow_close(f);
}

static void
a_chain_gives_its_parts_one_after_the_other(void **state)
{
	struct world *w = *state;
	struct flow *parts[4] = {
		flow_bytes(w->arena, STR("one")),
		flow_bytes(w->arena, STR("")),
		flow_bytes(w->arena, STR("two")),
		flow_bytes(w->arena, STR("three"))
	};
	struct flow *f = flow_concat(w->arena, parts, 4);
	enum flow_status st;

	assert_int_equal(f->length, 11);
	assert_true(str_eq(drain(w, f, 2, &st), STR("onetwothree")));
	assert_int_equal(st, FLOW_END);
	assert_int_equal(f->length, 0);
	flow_close(f);
}

static void
a_chain_of_nothing_ends(void **state)
{
	struct world *w = *state;
	struct flow *f = flow_concat(w->arena, NULL, 0);
	struct span span;

	assert_int_equal(f->length, 0);
	assert_int_equal(flow_peek(f, &span), FLOW_END);
	flow_close(f);
}

static void
one_part_of_unknown_length_makes_the_chain_unknown(void **state)
{
	struct world *w = *state;
	struct source s = source("x", FLOW_END, -1);
	struct flow *first[2] = { &s.flow, flow_bytes(w->arena, STR("y")) };
	struct flow *last[2] = { flow_bytes(w->arena, STR("y")), &s.flow };
	struct flow *f = flow_concat(w->arena, first, 2);
	enum flow_status st;

	assert_int_equal(f->length, -1);
	assert_int_equal(flow_concat(w->arena, last, 2)->length, -1);
	drain(w, f, 8, &st);
	assert_int_equal(f->length, -1);
	flow_close(f);
}

static void
a_chain_waits_and_fails_with_its_part(void **state)
{
	struct world *w = *state;
	struct source s = source("ab", FLOW_WAIT, -1);
	struct flow *parts[2] = { &s.flow, flow_bytes(w->arena, STR("c")) };
	struct flow *f = flow_concat(w->arena, parts, 2);
	enum flow_status st;
	unsigned wakes = 0;

	flow_on_wake(f, count_wake, &wakes);
	assert_true(str_eq(drain(w, f, 8, &st), STR("ab")));
	assert_int_equal(st, FLOW_WAIT);
	flow_wake(&s.flow);
	assert_int_equal(wakes, 1);
	s.status = FLOW_FAIL;
	assert_true(str_eq(drain(w, f, 8, &st), STR("")));
	assert_int_equal(st, FLOW_FAIL);
	flow_close(f);
	assert_int_equal(s.closed, 1);
}

static void
closing_a_chain_closes_every_part_once(void **state)
{
	struct world *w = *state;
	struct source a = source("x", FLOW_END, 1);
	struct source b = source("y", FLOW_END, 1);
	struct flow *parts[2] = { &a.flow, &b.flow };
	struct flow *f = flow_concat(w->arena, parts, 2);

	flow_close(f);
	flow_close(f);
	assert_int_equal(a.closed, 1);
	assert_int_equal(b.closed, 1);
	flow_close(NULL);
}

static void
a_filter_passes_wakes_on_and_closes_its_source(void **state)
{
	struct source filter = source("", FLOW_END, -1);
	struct source src = source("", FLOW_WAIT, -1);
	unsigned wakes = 0;

	(void)state;
	flow_set_source(&filter.flow, &src.flow);
	flow_on_wake(&filter.flow, count_wake, &wakes);
	flow_wake(&src.flow);
	assert_int_equal(wakes, 1);
	flow_close(&filter.flow);
	assert_int_equal(filter.closed, 1);
	assert_int_equal(src.closed, 1);
}

static void
who_is_closed_wakes_nobody(void **state)
{
	struct source s = source("", FLOW_WAIT, -1);
	unsigned wakes = 0;

	(void)state;
	flow_wake(&s.flow); /* nobody yet */
	flow_on_wake(&s.flow, count_wake, &wakes);
	flow_close(&s.flow);
	flow_wake(&s.flow);
	assert_int_equal(wakes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_come_whole_and_in_any_steps),
		TEST(taking_nothing_changes_nothing),
		TEST(no_bytes_are_the_end_at_once),
		TEST(a_file_offers_its_range),
		TEST(a_chain_gives_its_parts_one_after_the_other),
		TEST(a_chain_of_nothing_ends),
		TEST(one_part_of_unknown_length_makes_the_chain_unknown),
		TEST(a_chain_waits_and_fails_with_its_part),
		TEST(closing_a_chain_closes_every_part_once),
		TEST(a_filter_passes_wakes_on_and_closes_its_source),
		TEST(who_is_closed_wakes_nobody)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
