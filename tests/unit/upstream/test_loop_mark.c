/*
 * Loops: which servers are ourselves, what is marked, and when it is enough.
 */
#include "upstream/loop_mark.c"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct addr
listening(const char *text)
{
	struct addr a;
	struct err e;

	assert_true(addr_parse_listen(str_from(text), &a, &e));
	return a;
}

/* [::]:80 whatever the machine has. */
static struct addr
listening_any6(void)
{
	struct addr a = listening("[::1]:80");

	a.in6.sin6_addr = in6addr_any;
	return a;
}

static struct addr
server(const char *text)
{
	struct addr a;
	struct str name;
	struct err e;
	uint16_t port;

	assert_true(addr_parse_server(str_from(text), 80, &a, &name, &port,
	    &e));
	assert_int_equal(name.n, 0);
	return a;
}

static void
expect(const char *listen, const char *to, bool is_met)
{
	struct addr l = listening(listen), t = server(to);

	if (loop_mark_meets(&l, &t, false) != is_met)
		fail_msg("%s and %s", listen, to);
}

static void
addresses_meet_where_connections_arrive(void **state)
{
	struct addr any6 = listening_any6(), to;

	(void)state;
	expect("127.0.0.1:80", "127.0.0.1:80", true);
	expect("127.0.0.1:80", "127.0.0.1:81", false);
	expect("127.0.0.1:80", "127.0.0.2:80", false);
	expect("127.0.0.1:80", "[::1]:80", false);
	expect("127.0.0.1:80", "[::ffff:127.0.0.1]:80", true);
	expect("127.0.0.1:80", "0.0.0.0:80", true);
	expect("192.0.2.1:80", "0.0.0.0:80", false);
	expect("192.0.2.1:80", "192.0.2.1:80", true);
	expect("0.0.0.0:80", "127.9.9.9:80", true);
	expect("0.0.0.0:80", "0.0.0.0:80", true);
	expect("0.0.0.0:80", "192.0.2.1:80", false);
	expect("0.0.0.0:80", "[::1]:80", false);
	expect("[::1]:80", "[::1]:80", true);
	expect("unix:/a", "unix:/a", true);
	expect("unix:/a", "unix:/b", false);
	expect("unix:/a", "127.0.0.1:80", false);
	to = server("127.0.0.1:80");
	assert_true(loop_mark_meets(&any6, &to, false));
	to = server("[::1]:80");
	assert_true(loop_mark_meets(&any6, &to, false));
	to = server("[2001:db8::1]:80");
	assert_false(loop_mark_meets(&any6, &to, false));
	assert_true(loop_mark_meets(&any6, &to, true));
}

static void
the_loopback_is_here_and_a_documented_address_is_not(void **state)
{
	struct addr a = server("127.0.0.1:1"), b = server("[::1]:1");
	struct addr c = server("198.51.100.1:1"), d = server("unix:/a");

	(void)state;
	assert_true(loop_mark_is_here(&a));
	/* Where IPv6 is not to be had, nobody is there. */
	(void)loop_mark_is_here(&b);
	assert_false(loop_mark_is_here(&c));
	assert_false(loop_mark_is_here(&d));
}

/* A transaction whose request says VALUE; NULL: no mark. */
static struct txn *
txn_with(struct arena *a, const char *value)
{
	struct txn *t = arena_zalloc(a, sizeof *t);

	t->arena = a;
	head_init(&t->req.head, a, 2);
	if (value != NULL)
		head_add_known(&t->req.head, FIELD_WEIR_LOOP, str_from(value));
	return t;
}

static void
a_mark_counts_up_and_is_enough_at_last(void **state)
{
	struct upstream_server servers[2] = {{.is_own = true}};
	struct upstream_group g = {.servers = servers, .n_servers = 2,
		.loop_word = STR("abc")};
	static const struct {
		const char *value;
		unsigned count;
	} cases[] = {
		{NULL, 0}, {"", 0}, {"abc", 0}, {"abc ", 0}, {"abc x", 0},
		{"abd 3", 0}, {"abc3", 0}, {"abc 1", 1}, {"abc 3", 3},
		{"abc 4", 4}, {"abc 99999999999", 4}
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct txn *t = txn_with(a, cases[i].value);
		struct str next = loop_mark_value(t, &g, 0);

		assert_int_equal(loop_mark_count(t, g.loop_word),
		    cases[i].count);
		assert_int_equal(loop_mark_allows(t, &g), cases[i].count < 4);
		assert_int_equal(next.p[next.n - 1], '1' + cases[i].count);
		/* Nobody else sees it. */
		assert_int_equal(loop_mark_value(t, &g, 1).n, 0);
	}
	g.loop_word.n = 0;
	assert_true(loop_mark_allows(txn_with(a, "abc 4"), &g));
	arena_end(a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_meet_where_connections_arrive),
		cmocka_unit_test(
		    the_loopback_is_here_and_a_documented_address_is_not),
		cmocka_unit_test(a_mark_counts_up_and_is_enough_at_last),
	};

	return cmocka_run_group_tests_name("loop_mark", tests, NULL, NULL);
}
