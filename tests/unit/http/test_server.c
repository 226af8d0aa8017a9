/* The server: from accept to close, and how it drains. */
#include "h1_world.h"

#define WITHIN 10000 /* ms that draining is spread over */

static unsigned drained;

static void
on_drained(void *arg)
{
	assert_ptr_equal(arg, the);
	drained++;
}

/* Moves time in steps that timers notice. */
static void
wait_for(struct world *w, unsigned ms)
{
	for (unsigned t = 0; t < ms; t += 50)
		pass(w, 50);
}

static void
drain(struct world *w, uint64_t within_ms)
{
	drained = 0;
	server_drain(w->server, within_ms, on_drained, w);
}

/* ---- accepting --------------------------------------------------------- */

static uint16_t
listen_here(struct world *w)
{
	static int fd;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	struct err e;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	w->ep->fds = &fd;
	w->ep->n_fds = 1;
	/* The third worker of one socket shares it. */
	assert_true(server_listen(w->server, w->g->endpoints,
	    w->g->n_endpoints, 2, &e));
	return ntohs(in.sin_port);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
	return fd;
}

static void
server_serves_from_accept_to_close(void **state)
{
	struct world *w = world_new("");

	(void)state;
	w->fd = connect_to(listen_here(w));
	run(w);
	assert_int_equal(w->server->n_conns, 1);
	say(w, GET("/now"));
	expect(w, HELLO);
	close(w->fd);
	w->fd = -1;
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(w->net_stats.accepted, 1);
	assert_int_equal(w->stats.idle, 0);
	close(w->ep->fds[0]);
	world_end(w);
}

static void
server_that_drains_accepts_nothing(void **state)
{
	struct world *w = world_new("");
	uint16_t port = listen_here(w);
	int fd;

	(void)state;
	drain(w, WITHIN);
	run(w);
	/* The socket is the master's: connections wait in its queue. */
	fd = connect_to(port);
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	close(fd);
	close(w->ep->fds[0]);
	world_end(w);
}

/* ---- draining ---------------------------------------------------------- */

static void
server_without_connections_is_drained_soon_and_once(void **state)
{
	struct world *w = world_new("");

	(void)state;
	drain(w, WITHIN);
	assert_int_equal(drained, 0); /* never from within */
	wait_for(w, 200);
	assert_int_equal(drained, 1);
	drain(w, WITHIN);
	wait_for(w, 200);
	assert_int_equal(drained, 0);
	world_end(w);
}

enum { CROWD = 40 };

static void
crowd_open(struct world *w, int fds[CROWD])
{
	struct peer peer = { .family = AF_UNIX };
	int pair[2];

	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(socketpair(AF_UNIX,
		    SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		fds[i] = pair[0];
		h1_accept(w->server, w->ep, pair[1], &peer);
	}
	run(w);
}

static void
crowd_close(int fds[CROWD])
{
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}

static void
server_spreads_the_end_of_idle_connections(void **state)
{
	struct world *w = world_new("");
	int fds[CROWD];
	unsigned left = CROWD;

	(void)state;
	crowd_open(w, fds);
	pass(w, 5000);
	drain(w, WITHIN);
	for (int i = 0; i < 10; i++) {
		wait_for(w, WITHIN / 10);
		assert_in_range(w->server->n_conns, 0, left);
		/* At no time more than a fifth of all. */
		assert_in_range(left - w->server->n_conns, 0, CROWD / 5);
		left = w->server->n_conns;
	}
	wait_for(w, 300);
	assert_int_equal(w->server->n_conns, 0);
	assert_int_equal(drained, 1);
	assert_int_equal(w->net_stats.closed[CLOSE_SHUTDOWN], CROWD);
	crowd_close(fds);
	world_end(w);
}

static void
server_that_drains_answers_and_then_closes(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	drain(w, WITHIN);
	wait_for(w, 500);
	say(w, GET("/now"));
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	world_end(w);
}

static void
server_does_not_close_who_was_just_heard(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	pass(w, 30000);
	say(w, GET("/now"));
	expect(w, HELLO);
	drain(w, 500);
	wait_for(w, 400);
	expect_open(w);
	wait_for(w, 200);
	expect_closed(w);
	wait_for(w, 100);
	assert_int_equal(drained, 1);
	world_end(w);
}

static void
server_does_not_close_who_has_just_come(void **state)
{
	struct world *w = world_new("header_timeout: 100ms");

	(void)state;
	client(w);
	drain(w, 500);
	wait_for(w, 400);
	expect_open(w);
	wait_for(w, 200);
	expect_closed(w);
	world_end(w);
}

/* Until its first request, its deadline is that of the handshake. */
static void
server_does_not_close_who_has_just_come_with_tls(void **state)
{
	struct world *w = world_of("http: {header_timeout: 20s}\n" TLS_SITE);
	SSL *ssl = tls_client(w, 0);
	char c;

	(void)state;
	drain(w, 500);
	wait_for(w, 400);
	assert_int_equal(w->server->n_conns, 1);
	assert_true(SSL_read(ssl, &c, 1) < 0);
	wait_for(w, 200);
	assert_int_equal(w->server->n_conns, 0);
	SSL_free(ssl);
	world_end(w);
}

static void
server_lets_a_head_arrive_until_time_is_over(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, "GET /now HTTP/1.1\r\n");
	drain(w, 5000);
	wait_for(w, 4500);
	say(w, H "\r\n");
	expect(w, HELLO_CLOSE);
	client(w);
	say(w, "GET /now HTTP/1.1\r\n");
	wait_for(w, 1000);
	expect_closed(w);
	world_end(w);
}

static void
server_waits_for_requests_that_are_worked_on(void **state)
{
	struct world *w = world_new("");

	(void)state;
	client(w);
	say(w, GET("/wait"));
	drain(w, 1000);
	wait_for(w, 5000);
	assert_int_equal(drained, 0);
	txn_resume(w->t);
	expect(w, HELLO_CLOSE);
	expect_closed(w);
	close(w->fd);
	w->fd = -1;
	wait_for(w, 200);
	assert_int_equal(drained, 1);
	world_end(w);
}

/* Its request is over, its response is not. */
static void
server_does_not_close_who_still_reads(void **state)
{
	struct world *w = world_new("");
	static char page[10000];

	(void)state;
	client_with(w, 4096);
	for (int i = 0; i < 3; i++)
		feed_bytes(w, page, sizeof page);
	feed_end(w);
	say(w, GET("/fed"));
	assert_int_equal(h1_only(w)->state, H1_IDLE);
	pass(w, 5000);
	drain(w, 1000);
	wait_for(w, 3000);
	assert_int_equal(w->server->n_conns, 1);
	listen_all(w);
	assert_in_range(w->in.n, 30000, 31000);
	wait_for(w, 300);
	expect_closed(w);
	assert_int_equal(drained, 1);
	world_end(w);
}

static void
server_cuts_whatever_there_is(void **state)
{
	struct world *w = world_new("");
	int idle;

	(void)state;
	client(w);
	idle = w->fd;
	w->fd = -1;
	client(w);
	say(w, GET("/wait"));
	drain(w, WITHIN);
	server_cut(w->server);
	run(w);
	assert_int_equal(w->server->n_conns, 0);
	wait_for(w, 200);
	assert_int_equal(drained, 1);
	expect_log(w, "GET /wait HTTP/1.1 0 shutdown;");
	close(idle);
	world_end(w);
}

/* ---- modules ----------------------------------------------------------- */

static void
server_finds_what_modules_count(void **state)
{
	struct world *w = world_new("");
	static uint64_t count;

	(void)state;
	w->server->module_stats[1] = &count;
	assert_ptr_equal(server_stats(w->server, 1), &count);
	assert_null(server_module(w->server, 0));
	world_end(w);
}

int
main(void)
{
#define T(name) cmocka_unit_test(server_##name)
	const struct CMUnitTest tests[] = {
		T(serves_from_accept_to_close),
		T(that_drains_accepts_nothing),
		T(without_connections_is_drained_soon_and_once),
		T(spreads_the_end_of_idle_connections),
		T(that_drains_answers_and_then_closes),
		T(does_not_close_who_was_just_heard),
		T(does_not_close_who_has_just_come),
		T(does_not_close_who_has_just_come_with_tls),
		T(lets_a_head_arrive_until_time_is_over),
		T(waits_for_requests_that_are_worked_on),
		T(does_not_close_who_still_reads),
		T(cuts_whatever_there_is),
		T(finds_what_modules_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
