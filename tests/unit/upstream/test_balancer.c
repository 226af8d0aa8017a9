/*
 * Whose turn it is: shares by weight, spread evenly, whoever has no address or
 * was tried is passed over.
 */
#include "upstream/balancer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct upstream_group *
group_of(struct arena *a, const unsigned *weights, unsigned n)
{
	struct upstream_group *g = arena_zalloc(a, sizeof *g);

	g->servers = arena_zalloc(a, n * sizeof *g->servers);
	g->n_servers = n;
	for (unsigned i = 0; i < n; i++) {
		g->servers[i].weight = weights[i];
		g->servers[i].n_addrs = 1;
	}
	return g;
}

static void
picks_are_proportional_in_every_cycle(void **state)
{
	static const unsigned weights[] = {5, 1, 1, 3};
	struct arena *a = arena_new();
	struct upstream_group *g = group_of(a, weights, 4);

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct balancer *b = balancer_new(a, g, seed);
		unsigned seen[4] = {0};

		for (int i = 0; i < 10; i++)
			seen[balancer_pick(b, NULL)]++;
		for (int i = 0; i < 4; i++)
			assert_int_equal(seen[i], weights[i]);
	}
	arena_end(a);
}

static void
a_heavy_server_is_not_picked_in_a_row(void **state)
{
	static const unsigned weights[] = {3, 1, 1};
	static const unsigned want[] = {0, 1, 0, 2, 0};
	struct arena *a = arena_new();
	struct balancer *b = balancer_new(a, group_of(a, weights, 3), 0);

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(balancer_pick(b, NULL), want[i % 5]);
	arena_end(a);
}

static void
seeds_start_at_different_servers(void **state)
{
	static const unsigned weights[] = {1, 1, 1, 1};
	struct arena *a = arena_new();
	struct upstream_group *g = group_of(a, weights, 4);
	bool first[4] = {false};

	(void)state;
	for (uint64_t seed = 0; seed < 4; seed++)
		first[balancer_pick(balancer_new(a, g, seed), NULL)] = true;
	for (int i = 0; i < 4; i++)
		assert_true(first[i]);
	arena_end(a);
}

static void
servers_without_address_are_passed_over(void **state)
{
	static const unsigned weights[] = {1, 1, 1};
	struct arena *a = arena_new();
	struct upstream_group *g = group_of(a, weights, 3);
	struct balancer *b;

	(void)state;
	g->servers[1].n_addrs = 0;
	b = balancer_new(a, g, 7);
	for (int i = 0; i < 30; i++)
		assert_int_not_equal(balancer_pick(b, NULL), 1);
	g->servers[0].n_addrs = g->servers[2].n_addrs = 0;
	assert_int_equal(balancer_pick(b, NULL), BALANCER_NONE);
	arena_end(a);
}

static void
tried_servers_are_passed_over_until_none_is_left(void **state)
{
	static const unsigned weights[] = {2, 1, 1};
	struct arena *a = arena_new();
	struct balancer *b = balancer_new(a, group_of(a, weights, 3), 1);
	bool tried[3] = {false};

	(void)state;
	for (int i = 0; i < 3; i++) {
		unsigned at = balancer_pick(b, tried);

		assert_true(at < 3 && !tried[at]);
		tried[at] = true;
	}
	assert_int_equal(balancer_pick(b, tried), BALANCER_NONE);
	arena_end(a);
}

static void
a_huge_group_starts_in_bounded_time(void **state)
{
	struct arena *a = arena_new();
	unsigned weights[2000];
	struct balancer *b;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		weights[i] = 1000;
	b = balancer_new(a, group_of(a, weights, 2000), UINT64_MAX);
	assert_true(balancer_pick(b, NULL) < 2000);
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(picks_are_proportional_in_every_cycle),
		cmocka_unit_test(a_heavy_server_is_not_picked_in_a_row),
		cmocka_unit_test(seeds_start_at_different_servers),
		cmocka_unit_test(servers_without_address_are_passed_over),
		cmocka_unit_test(
		    tried_servers_are_passed_over_until_none_is_left),
		cmocka_unit_test(a_huge_group_starts_in_bounded_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
