/* What a client may hold, and a worker: connections, memory, requests in a
 * row; who is turned away and how, and that it ends. */
#include "h1_world.h"

#define REFUSED_429 \
	"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n" \
	"Retry-After: 5\r\nConnection: close\r\n\r\n"
#define REFUSED_503 \
	"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n" \
	"Retry-After: 5\r\nConnection: close\r\n\r\n"

#define HALF "GET /now HTTP/1.1\r\nX: " /* of a head, for which a page waits */

static struct peer
peer_at(const char *ip)
{
	struct peer p = { .family = AF_INET, .port = 4711 };

	if (strcmp(ip, "unix") == 0)
		p.family = AF_UNIX;
	else
		assert_int_equal(inet_pton(AF_INET, ip, p.ip), 1);
	return p;
}

/* Accepted from IP, having sent FIRST before; our end. */
static int
come_saying(struct world *w, const char *ip, const char *first)
{
	struct peer peer = peer_at(ip);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    pair), 0);
	assert_int_equal(send(pair[0], first, strlen(first), 0),
	    (ssize_t)strlen(first));
	h1_accept(w->server, w->ep, pair[1], &peer);
	run(w);
	return pair[0];
}

static int
come(struct world *w, const char *ip)
{
	return come_saying(w, ip, "");
}

/* All that FD has, as a string; *END: it was closed. */
static const char *
hear(struct world *w, int fd, bool *end)
{
	struct buf b = buf_in(w->arena);
	char page[4096];
	ssize_t n;

	run(w);
	while ((n = recv(fd, page, sizeof page, 0)) > 0) {
		buf_put(&b, page, (size_t)n);
		run(w);
	}
	/* An end that is a reset may have cost the answer. */
	assert_true(n == 0 || errno == EAGAIN);
	*end = n == 0;
	buf_chr(&b, '\0');
	return b.p;
}

static bool
is_served(struct world *w, int fd)
{
	static const char request[] = GET("/now");
	bool end;

	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
		return false;
	return strstr(hear(w, fd, &end), "200 OK") != NULL && !end;
}

static void
expect_said(struct world *w, int fd, const char *want)
{
	bool end;

	assert_string_equal(hear(w, fd, &end), want);
	assert_true(end);
	close(fd);
}

static uint64_t
refused(const struct world *w, enum refusal why)
{
	return w->stats.refused[why];
}

/* ---- connections of a client -------------------------------------------- */

static void
client_has_as_many_connections_as_it_may(void **state)
{
	struct world *w = world_new("max_connections_per_client: 2");
	int first = come(w, "192.0.2.1"), second = come(w, "192.0.2.1");
	int other;

	(void)state;
	expect_said(w, come(w, "192.0.2.1"), REFUSED_429);
	assert_int_equal(refused(w, REFUSAL_CLIENT_CONNECTIONS), 1);
	assert_int_equal(w->net_stats.closed[CLOSE_CLIENT_LIMIT], 1);
	other = come(w, "192.0.2.2");
	assert_true(is_served(w, other));
	assert_true(is_served(w, first));
	assert_true(is_served(w, second));

	/* And another as soon as one has gone. */
	close(first);
	run(w);
	first = come(w, "192.0.2.1");
	assert_true(is_served(w, first));
	close(first);
	close(second);
	close(other);
	run(w);
	assert_int_equal(w->server->clients.n, 0);
	world_end(w);
}

static void
client_that_asked_too_early_is_told_all_the_same(void **state)
{
	struct world *w = world_new("max_connections_per_client: 1");
	int first = come(w, "192.0.2.1");

	(void)state;
	expect_said(w, come_saying(w, "192.0.2.1", GET("/now")), REFUSED_429);
	close(first);
	world_end(w);
}

static void
client_of_a_unix_socket_is_not_limited(void **state)
{
	struct world *w = world_new("max_connections_per_client: 1, "
	    "max_memory_per_client: 1k");
	int a = come(w, "unix"), b = come(w, "unix");

	(void)state;
	assert_true(is_served(w, a) && is_served(w, b));
	close(a);
	close(b);
	world_end(w);
}

static void
client_that_is_trusted_is_not_limited(void **state)
{
	struct world *w = world_of("http: {max_connections_per_client: 1}\n"
	    "listeners: {80: {trusted: [192.0.2.0/28]}}\n"
	    "sites:\n- listen: 80\n" ROUTES);
	int a = come(w, "192.0.2.1"), b = come(w, "192.0.2.1");
	int c = come(w, "192.0.2.99");

	(void)state;
	assert_true(is_served(w, a) && is_served(w, b) && is_served(w, c));
	expect_said(w, come(w, "192.0.2.99"), REFUSED_429);
	close(a);
	close(b);
	close(c);
	world_end(w);
}

static void
client_is_not_counted_where_nothing_is_limited(void **state)
{
	struct world *w = world_new("");
	int a = come(w, "192.0.2.1");

	(void)state;
	assert_true(is_served(w, a));
	assert_null(w->server->clients.entries);
	close(a);
	world_end(w);
}

static void
client_over_tls_is_closed_without_a_word(void **state)
{
	struct world *w = world_of("http: {max_connections_per_client: 1}\n"
	    TLS_SITE);
	int a = come(w, "192.0.2.1");

	(void)state;
	expect_said(w, come(w, "192.0.2.1"), "");
	assert_int_equal(refused(w, REFUSAL_CLIENT_CONNECTIONS), 1);
	close(a);
	world_end(w);
}

static void
client_that_a_proxy_names_is_limited_and_not_the_proxy(void **state)
{
	struct world *w = world_of("http: {max_connections_per_client: 1}\n"
	    "listeners: {80: {proxy_protocol: on, trusted: [192.0.2.1]}}\n"
	    "sites:\n- listen: 80\n" ROUTES);
	int a = come_saying(w, "192.0.2.1",
	    "PROXY TCP4 198.51.100.1 192.0.2.9 1234 80\r\n");
	int b = come_saying(w, "192.0.2.1",
	    "PROXY TCP4 198.51.100.2 192.0.2.9 1234 80\r\n");
	int health = come_saying(w, "192.0.2.1", "PROXY UNKNOWN\r\n");
	int again = come_saying(w, "192.0.2.1", "PROXY UNKNOWN\r\n");

	(void)state;
	assert_true(is_served(w, a) && is_served(w, b));
	assert_true(is_served(w, health) && is_served(w, again));
	expect_said(w, come_saying(w, "192.0.2.1",
	    "PROXY TCP4 198.51.100.2 192.0.2.9 1235 80\r\n" GET("/now")),
	    REFUSED_429);
	assert_int_equal(w->server->clients.n, 2);
	close(a);
	close(b);
	close(health);
	close(again);
	world_end(w);
}

static void
client_beyond_a_limit_that_is_tried_is_reported(void **state)
{
	struct world *w = world_new("mode: log, max_connections_per_client: 1, "
	    "max_memory_per_client: 20k, max_memory_per_connection: 1");
	int a = come_saying(w, "192.0.2.1", HALF);
	int b = come_saying(w, "192.0.2.1", HALF);

	(void)state;
	assert_int_equal(w->stats.reported[REFUSAL_CLIENT_CONNECTIONS], 1);
	assert_int_equal(w->stats.reported[REFUSAL_CLIENT_MEMORY], 1);
	assert_int_equal(refused(w, REFUSAL_CLIENT_CONNECTIONS), 0);
	assert_int_equal(send(b, "y\r\nHost: a\r\n\r\n", 14, 0), 14);
	run(w);
	assert_true(is_served(w, b));
	/* A request more is nothing new. */
	assert_int_equal(w->stats.reported[REFUSAL_CLIENT_MEMORY], 1);
	close(a);
	close(b);
	world_end(w);
}

/* ---- memory of a client -------------------------------------------------- */

static void
client_holds_as_much_as_it_may(void **state)
{
	struct world *w = world_new("max_memory_per_client: 40k");
	int half[3], other;
	bool end;

	(void)state;
	half[0] = come_saying(w, "192.0.2.1", HALF);
	half[1] = come_saying(w, "192.0.2.1", HALF);
	half[2] = come_saying(w, "192.0.2.1", HALF);
	other = come_saying(w, "192.0.2.2", HALF);
	assert_int_equal(refused(w, REFUSAL_CLIENT_MEMORY), 1);
	expect_log(w, "GET /now HTTP/1.1 503 client_memory;");
	assert_non_null(strstr(hear(w, half[2], &end), "\r\nRetry-After: "));
	assert_true(end);
	/* Those that were there before it go on, and others do. */
	assert_string_equal(hear(w, half[0], &end), "");
	assert_false(end);
	assert_string_equal(hear(w, other, &end), "");
	assert_false(end);
	for (int i = 0; i < 3; i++)
		close(half[i]);
	close(other);
	world_end(w);
}

static void
client_memory_is_counted_down_again(void **state)
{
	struct world *w = world_new("max_memory_per_client: 40k");
	int a = come_saying(w, "192.0.2.1", HALF);
	uint32_t entry = h1_only(w)->client.entry;
	struct client_table *t = &w->server->clients;

	(void)state;
	assert_in_range(client_table_memory(t, entry), NET_PAGE,
	    NET_PAGE + 1024);
	assert_int_equal(send(a, "y\r\nHost: a\r\n\r\n", 14, 0), 14);
	run(w);
	assert_in_range(client_table_memory(t, entry), 1, 1024);
	for (int i = 0; i < 100; i++)
		assert_true(is_served(w, a));
	assert_in_range(client_table_memory(t, entry), 1, 1024);
	close(a);
	world_end(w);
}

static void
client_with_too_much_memory_gets_no_connection_more(void **state)
{
	struct world *w = world_new("max_memory_per_client: 1k");
	int a = come(w, "192.0.2.1"), b = come(w, "192.0.2.1");

	(void)state;
	/* 512 bytes are each connection's. */
	assert_true(is_served(w, a) && is_served(w, b));
	expect_said(w, come(w, "192.0.2.1"), REFUSED_503);
	assert_int_equal(refused(w, REFUSAL_CLIENT_MEMORY), 1);
	close(a);
	close(b);
	world_end(w);
}

/* ---- memory of a connection ---------------------------------------------- */

static void
client_whose_head_takes_too_much_is_refused(void **state)
{
	struct world *w = world_new("max_memory_per_connection: 20k");
	char page[NET_PAGE];

	(void)state;
	memset(page, 'x', sizeof page);
	client(w);
	say(w, HALF);
	say_bytes(w, page, sizeof page);
	expect_log(w, "GET /now HTTP/1.1 503 connection_memory;");
	assert_int_equal(refused(w, REFUSAL_CONNECTION_MEMORY), 1);
	world_end(w);
}

static void
reply_large_head(struct txn *t)
{
	char *value = arena_alloc(t->arena, 40000);

	memset(value, 'v', 40000);
	txn_reply(t, 200);
	head_add(&t->res.head, FIELD_OTHER, STR("X"), str_of(value, 40000));
	txn_reply_bytes(t, NULL, str_of(value, 40000));
}

static void
client_that_takes_nothing_is_cut(void **state)
{
	struct world *w = world_new("max_memory_per_connection: 64k");

	(void)state;
	w->reply = reply_large_head;
	client_with(w, 4096);
	say(w, GET("/now"));
	expect_log(w, "GET /now HTTP/1.1 200 connection_memory;");
	assert_int_equal(w->net_stats.closed[CLOSE_CLIENT_LIMIT], 1);
	assert_int_equal(refused(w, REFUSAL_CONNECTION_MEMORY), 1);
	world_end(w);
}

static void
client_that_takes_it_is_served_the_same(void **state)
{
	struct world *w = world_new("max_memory_per_connection: 0");

	(void)state;
	w->reply = reply_large_head;
	client_with(w, 4096);
	say(w, GET("/now"));
	listen_all(w);
	assert_true(w->in.n > 80000);
	expect_open(w);
	world_end(w);
}

/* ---- memory of the worker ------------------------------------------------ */

static void
client_of_a_starved_server_is_refused_until_it_recovers(void **state)
{
	struct world *w = world_new("");
	int a = come(w, "192.0.2.1");
	bool end;
	const char *said;

	(void)state;
	assert_true(is_served(w, a));
	w->server->is_starved = true;
	assert_int_equal(send(a, GET("/now"), strlen(GET("/now")), 0),
	    (ssize_t)strlen(GET("/now")));
	said = hear(w, a, &end);
	assert_non_null(strstr(said, "HTTP/1.1 503 Service Unavailable\r\n"));
	assert_non_null(strstr(said, "\r\nRetry-After: 5\r\n"));
	assert_non_null(strstr(said, "\r\nConnection: close\r\n"));
	assert_true(end);
	assert_int_equal(refused(w, REFUSAL_LOW_MEMORY), 1);
	close(a);
	run(w);

	w->server->is_starved = false;
	a = come(w, "192.0.2.1");
	assert_true(is_served(w, a));
	close(a);
	world_end(w);
}

static void
client_of_a_starved_server_takes_the_place_of_an_idle_one(void **state)
{
	struct world *w = world_new("");
	int idle = come(w, "192.0.2.1"), late;
	bool end;

	(void)state;
	assert_true(is_served(w, idle));
	w->server->is_starved = true;
	late = come(w, "192.0.2.2");
	assert_string_equal(hear(w, idle, &end), "");
	assert_true(end);
	assert_int_equal(w->net_stats.closed[CLOSE_LOW_MEMORY], 1);
	assert_int_equal(w->server->n_conns, 1);
	close(idle);
	close(late);
	world_end(w);
}

static void
client_of_a_starved_server_that_is_busy_is_turned_away(void **state)
{
	struct world *w = world_new("");
	int busy = come_saying(w, "192.0.2.1", GET("/wait"));
	bool end;

	(void)state;
	w->server->is_starved = true;
	expect_said(w, come(w, "192.0.2.2"), REFUSED_503);
	assert_int_equal(refused(w, REFUSAL_LOW_MEMORY), 1);
	/* What is in hand is finished. */
	txn_resume(w->t);
	assert_non_null(strstr(hear(w, busy, &end), "200 OK"));
	close(busy);
	world_end(w);
}

static void
client_beyond_the_limit_of_a_busy_worker_is_told(void **state)
{
	struct world *w = world_new("");
	int busy = come_saying(w, "192.0.2.1", GET("/wait"));

	(void)state;
	w->server->max_conns = 1;
	expect_said(w, come_saying(w, "192.0.2.2", GET("/now")), REFUSED_503);
	assert_int_equal(refused(w, REFUSAL_OVERLOAD), 1);
	assert_int_equal(w->net_stats.closed[CLOSE_OVERLOAD], 1);
	close(busy);
	world_end(w);
}

/* ---- requests in a row --------------------------------------------------- */

#define IN_A_ROW GET("/now") GET("/now") GET("/now") GET("/now") GET("/now")

static void
client_has_so_many_requests_answered_in_a_row(void **state)
{
	struct world *w = world_new("max_pipelined: 2");

	(void)state;
	client(w);
	assert_int_equal(send(w->fd, IN_A_ROW, strlen(IN_A_ROW), 0),
	    (ssize_t)strlen(IN_A_ROW));
	loop_tick(w->loop, 0);
	assert_int_equal(w->stats.requests, 2);
	assert_int_equal(w->stats.pipeline_pauses, 1);
	loop_tick(w->loop, 0);
	assert_int_equal(w->stats.requests, 4);
	expect(w, HELLO HELLO HELLO HELLO HELLO);
	assert_int_equal(w->stats.pipeline_pauses, 2);
	expect_open(w);
	world_end(w);
}

static void
client_that_waits_for_its_answers_is_never_paused(void **state)
{
	struct world *w = world_new("max_pipelined: 1");

	(void)state;
	client(w);
	for (int i = 0; i < 50; i++) {
		say(w, GET("/now"));
		expect(w, HELLO);
	}
	assert_int_equal(w->stats.pipeline_pauses, 0);
	world_end(w);
}

#define T(name) cmocka_unit_test(client_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(has_as_many_connections_as_it_may),
		T(that_asked_too_early_is_told_all_the_same),
		T(of_a_unix_socket_is_not_limited),
		T(that_is_trusted_is_not_limited),
		T(is_not_counted_where_nothing_is_limited),
		T(over_tls_is_closed_without_a_word),
		T(that_a_proxy_names_is_limited_and_not_the_proxy),
		T(beyond_a_limit_that_is_tried_is_reported),
		T(holds_as_much_as_it_may),
		T(memory_is_counted_down_again),
		T(with_too_much_memory_gets_no_connection_more),
		T(whose_head_takes_too_much_is_refused),
		T(that_takes_nothing_is_cut),
		T(that_takes_it_is_served_the_same),
		T(of_a_starved_server_is_refused_until_it_recovers),
		T(of_a_starved_server_takes_the_place_of_an_idle_one),
		T(of_a_starved_server_that_is_busy_is_turned_away),
		T(beyond_the_limit_of_a_busy_worker_is_told),
		T(has_so_many_requests_answered_in_a_row),
		T(that_waits_for_its_answers_is_never_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
