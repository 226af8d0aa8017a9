/* The gate of the PROXY protocol, over socket pairs. */
#include "net/listener.h"
#include "owner.h"

#define LINE "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n"

static struct cidr trusted[] = {
	{ .family = AF_UNIX },
	{ .family = AF_INET, .bits = 24, .ip = { 198, 51, 100, 0 } },
};
static struct listen_conf gated = {
	.proxy_protocol = true, .trusted = { .n = 2, .items = trusted }
};
static struct listen_conf open_to_all = {
	.trusted = { .n = 2, .items = trusted }
};
static struct endpoint gate = { .text = "here", .conf = &gated };
static struct endpoint no_gate = { .text = "there", .conf = &open_to_all };

static void
start_at(struct world *w, struct owner *o, struct endpoint *ep,
    const struct peer *peer)
{
	conn_open_accepted(&o->conn, w->net, o->conn.io.fd, peer, ep, NULL,
	    5000, &ops);
}

static void
start_gated(struct world *w, struct owner *o)
{
	static const struct peer peer = { .family = AF_UNIX };

	start_at(w, o, &gate, &peer);
}

static void
expect_peer(const struct peer *p, const char *ip, uint16_t port)
{
	char text[PEER_TEXT] = "";
	struct buf b = buf_fixed(text, sizeof text - 1);

	peer_format_ip(&b, p);
	assert_string_equal(text, ip);
	assert_int_equal(p->port, port);
}

static void
the_owner_is_told_nothing_before_the_header(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start_gated(w, &o);
	assert_true(o.conn.connecting);
	tick(w);
	say(far, LINE);
	assert_int_equal(o.ready, 0);
	tick(w);
	assert_int_equal(o.ready, 1);
	assert_false(o.conn.connecting);
	/* The header alone has come: to ask the socket again is not needed. */
	assert_false(o.conn.can_read);
	assert_true(o.conn.can_write);
	expect_peer(&o.conn.peer, "192.0.2.7", 56324);
	expect_peer(&o.conn.via->proxy, "unix:", 0);
	expect_peer(&o.conn.via->destination, "192.0.2.1", 443);
	say(far, "GET");
	tick(w);
	expect_read(&o, 100, "GET");
	end(w, &o, far);
}

static void
what_follows_is_left_wherever_it_is_cut(void **state)
{
	static const char all[] = LINE "GET / HTTP/1.1";
	struct world *w = *state;

	for (size_t cut = 1; cut < sizeof all - 1; cut++) {
		int far;
		struct owner o = open_pair(&far);

		start_gated(w, &o);
		assert_int_equal(write(far, all, cut), (ssize_t)cut);
		loop_tick(w->loop, 0);
		assert_int_equal(o.ready, cut >= strlen(LINE));
		assert_int_equal(w->stats.pages_leased, 0);
		say(far, all + cut);
		loop_tick(w->loop, 0);
		assert_false(o.conn.connecting);
		assert_true(o.conn.can_read);
		expect_peer(&o.conn.peer, "192.0.2.7", 56324);
		expect_read(&o, 100, "GET / HTTP/1.1");
		end(w, &o, far);
	}
}

static void
an_end_behind_the_header_is_met(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);
	char c;
	size_t n;

	start_gated(w, &o);
	say(far, LINE "bye");
	shutdown(far, SHUT_WR);
	tick(w);
	expect_read(&o, 100, "bye");
	assert_int_equal(conn_read(&o.conn, &c, 1, &n), CONN_EOF);
	end(w, &o, far);
}

static void
who_is_not_trusted_is_closed_unread(void **state)
{
	static const struct peer peer = {
		.family = AF_INET, .ip = { 203, 0, 113, 9 }
	};
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	say(far, LINE);
	start_at(w, &o, &gate, &peer);
	assert_true(o.conn.closing);
	assert_int_equal(w->stats.closed[CLOSE_PROXY_UNTRUSTED], 1);
	assert_int_equal(w->stats.bytes_in, 0);
	tick(w);
	assert_int_equal(o.closed, 1);
	assert_int_equal(o.ready, 0);
	close(far);
}

static void
what_is_no_header_closes(void **state)
{
	static const struct {
		const char *said;
		bool ends;
		enum close_reason why;
	} rows[] = {
		{ "GET /", false, CLOSE_PROXY_FAILED },
		{ "PROXY TCP5 ", false, CLOSE_COUNT }, /* the line goes on */
		{ "PROXY TCP5 x\r\n", false, CLOSE_PROXY_FAILED },
		{ "PROXY", true, CLOSE_PROXY_FAILED },
		{ "", true, CLOSE_PEER },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int far;
		struct owner o = open_pair(&far);

		memset(w->stats.closed, 0, sizeof w->stats.closed);
		start_gated(w, &o);
		say(far, rows[i].said);
		if (rows[i].ends)
			shutdown(far, SHUT_WR);
		tick(w);
		assert_int_equal(o.ready, 0);
		if (rows[i].why == CLOSE_COUNT) {
			assert_false(o.conn.closing);
			end(w, &o, far);
			continue;
		}
		assert_int_equal(o.closed, 1);
		assert_int_equal(w->stats.closed[rows[i].why], 1);
		close(far);
	}
}

static void
a_header_has_its_time_which_single_bytes_do_not_move(void **state)
{
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	start_gated(w, &o);
	for (int i = 0; i < 4; i++) {
		clock_fake_advance(1000);
		say(far, i == 0 ? "PROXY " : "UNKN");
		tick(w);
		assert_int_equal(o.closed, 0);
	}
	clock_fake_advance(1100);
	tick(w);
	assert_int_equal(o.closed, 1);
	assert_int_equal(o.timeouts, 0);
	assert_int_equal(w->stats.closed[CLOSE_PROXY_TIMEOUT], 1);
	close(far);
}

/* Behind a gate it is the client that the header names who is trusted or not,
 * and never the proxy, which says nothing in fields. */
static void
whose_fields_are_believed(void **state)
{
	static const struct {
		const char *header; /* NULL: no gate */
		bool is_trusted;
	} rows[] = {
		{ NULL, true },
		{ "PROXY UNKNOWN\r\n", false },
		{ LINE, false },
		{ "PROXY TCP4 198.51.100.3 192.0.2.1 1 2\r\n", true },
		{ "PROXY TCP6 ::ffff:198.51.100.3 ::1 1 2\r\n", true },
		{ "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", false },
	};
	static const struct peer unix_peer = { .family = AF_UNIX };
	struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int far;
		struct owner o = open_pair(&far);

		start_at(w, &o, rows[i].header != NULL ? &gate : &no_gate,
		    &unix_peer);
		if (rows[i].header != NULL)
			say(far, rows[i].header);
		tick(w);
		assert_int_equal(conn_is_trusted(&o.conn),
		    rows[i].is_trusted);
		end(w, &o, far);
	}
}

/* The access log is written there. */
static void
on_closed_with_header(struct conn *c)
{
	expect_peer(&c->via->proxy, "unix:", 0);
	expect_peer(&c->peer, "192.0.2.7", 56324);
	on_closed(c);
}

static void
what_the_header_said_is_known_to_the_end(void **state)
{
	static const struct conn_ops own = {
		.name = "test", .ready = on_ready, .timeout = on_timeout,
		.closed = on_closed_with_header
	};
	static const struct peer peer = { .family = AF_UNIX };
	struct world *w = *state;
	int far;
	struct owner o = open_pair(&far);

	conn_open_accepted(&o.conn, w->net, o.conn.io.fd, &peer, &gate, NULL,
	    5000, &own);
	say(far, LINE);
	tick(w);
	end(w, &o, far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_owner_is_told_nothing_before_the_header),
		TEST(what_follows_is_left_wherever_it_is_cut),
		TEST(an_end_behind_the_header_is_met),
		TEST(who_is_not_trusted_is_closed_unread),
		TEST(what_is_no_header_closes),
		TEST(a_header_has_its_time_which_single_bytes_do_not_move),
		TEST(whose_fields_are_believed),
		TEST(what_the_header_said_is_known_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
