/* A worker's side of the groups: one for each, apart from each other, gone
 * with all that is idle. */
#include "world.h"

static void
every_group_has_a_backend_of_its_own(void **state)
{
	struct world *w = *state;
	struct upstream_group *second = upstreams_literal(&w->g, w->load,
	    (struct conf_text){.s = STR("http://127.0.0.1:9")});

	world_use(w, second);
	for (unsigned i = 0; i < upstreams_count(&w->g); i++) {
		struct backend *b = backends_at(w->all, i);

		assert_ptr_equal(b->group, upstreams_at(&w->g, i));
		assert_ptr_equal(b->net, w->server.net);
		assert_ptr_equal(b->stats, &w->stats);
		assert_int_equal(b->n_idle, 0);
		assert_true(list_is_empty(&b->servers[0].idle));
	}
	assert_int_equal(second->index, 1);
}

static void
addresses_are_written_for_logs(void **state)
{
	struct world *w = *state;
	char want[32];

	snprintf(want, sizeof want, "127.0.0.1:%u", w->port);
	assert_true(str_eq(w->backend->servers[0].addr_text[0],
	    str_from(want)));
	world_use(w, upstreams_literal(&w->g, w->load,
	    (struct conf_text){.s = STR("unix:/tmp/app.sock")}));
	assert_true(str_eq(w->backend->servers[0].addr_text[0],
	    STR("unix:/tmp/app.sock")));
}

static void
a_group_of_many_servers_has_room_for_all(void **state)
{
	struct world *w = *state;
	struct upstream_group *g = upstreams_literal(&w->g, w->load,
	    (struct conf_text){.s = STR("http://127.0.0.1:9")});

	g->n_servers = 50;
	g->servers = arena_zalloc(w->arena, 50 * sizeof *g->servers);
	for (unsigned i = 0; i < 50; i++) {
		g->servers[i].weight = 1;
		g->servers[i].n_addrs = i % 2;
		g->servers[i].addrs[0].sa.sa_family = AF_INET;
		g->servers[i].addrs[0].len = sizeof(struct sockaddr_in);
	}
	world_use(w, g);
	for (unsigned i = 0; i < 50; i++) {
		assert_true(list_is_empty(&w->backend->servers[i].idle));
		assert_int_equal(w->backend->servers[i].addr_text[0].n > 0,
		    i % 2);
	}
}

static void
idle_connections_end_with_their_backends(void **state)
{
	struct world *w = *state;
	int server = warm_up(w);

	backends_end(w->all);
	assert_int_equal(w->stats.idle, 0);
	assert_true(is_closed(w, server));
	close(server);
	w->all = backends_new(w->server.net, &w->g, &w->stats);
	w->backend = backends_at(w->all, w->group->index);
}

static void
draining_twice_is_harmless(void **state)
{
	struct world *w = *state;
	int server = warm_up(w);

	backends_drain(w->all);
	backends_drain(w->all);
	assert_true(w->backend->draining);
	assert_int_equal(w->backend->n_idle, 0);
	close(server);
}

static void
what_is_in_flight_while_it_drains_goes_on_and_is_not_kept(void **state)
{
	struct world *w = *state;
	int server;

	assert_int_equal(begin(w, GET), STEP_WAIT);
	server = accept_one(w);
	receive(w, server, "\r\n\r\n");
	backends_drain(w->all);
	say(server, OK_2);
	assert_int_equal(finish(w), 200);
	expect_body(w, "hi");
	assert_int_equal(w->backend->n_idle, 0);
	assert_true(is_closed(w, server));
	close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_group_has_a_backend_of_its_own),
		TEST(addresses_are_written_for_logs),
		TEST(a_group_of_many_servers_has_room_for_all),
		TEST(idle_connections_end_with_their_backends),
		TEST(draining_twice_is_harmless),
		TEST(what_is_in_flight_while_it_drains_goes_on_and_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
