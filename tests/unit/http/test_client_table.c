/* Clients by address: who is one, and that nobody stays who has left. */
#include "http/client_table.c"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct peer
peer_of(const char *ip)
{
	struct peer p = { .family = AF_INET, .port = 4711 };

	if (inet_pton(AF_INET, ip, p.ip) == 1)
		return p;
	p.family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, ip, p.ip), 1);
	return p;
}

static uint32_t
enter(struct client_table *t, const char *ip)
{
	struct peer p = peer_of(ip);

	return client_table_enter(t, &p);
}

/* N is not 0 and below 2^24. */
static struct peer
peer_number(uint32_t n)
{
	struct peer p = { .family = AF_INET, .ip = { 10 } };

	p.ip[1] = (uint8_t)(n >> 16);
	p.ip[2] = (uint8_t)(n >> 8);
	p.ip[3] = (uint8_t)n;
	return p;
}

static int
table_setup(void **state)
{
	str_hash_seed(1, 2);
	*state = mem_zalloc(sizeof(struct client_table));
	return 0;
}

static int
table_teardown(void **state)
{
	client_table_clear(*state);
	mem_free(*state);
	return 0;
}

/* ---- who is one client -------------------------------------------------- */

static void
client_table_counts_the_connections_of_an_address(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "192.0.2.1");

	assert_int_not_equal(a, 0);
	assert_int_equal(enter(t, "192.0.2.1"), a);
	assert_int_equal(client_table_conns(t, a), 2);
	assert_int_not_equal(enter(t, "192.0.2.2"), a);
	assert_int_equal(t->n, 2);
}

static void
client_table_takes_64_bits_of_ipv6_for_one_client(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "2001:db8:1:2::1");

	assert_int_equal(enter(t, "2001:db8:1:2:ffff:ffff:ffff:ffff"), a);
	assert_int_not_equal(enter(t, "2001:db8:1:3::1"), a);
}

static void
client_table_takes_a_mapped_address_for_ipv4(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "192.0.2.1");

	assert_int_equal(enter(t, "::ffff:192.0.2.1"), a);
	assert_int_not_equal(enter(t, "::ffff:192.0.2.2"), a);
	/* All of IPv4 would be one client, if it were of IPv6. */
	assert_int_not_equal(enter(t, "::1"), a);
}

static void
client_table_leaves_unix_peers_alone(void **state)
{
	struct client_table *t = *state;
	struct peer p = { .family = AF_UNIX };

	assert_int_equal(client_table_enter(t, &p), 0);
	client_table_leave(t, 0);
	assert_int_equal(t->n, 0);
	assert_null(t->entries);
}

/* ---- what it holds ------------------------------------------------------ */

static void
client_table_sums_memory_by_client(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "192.0.2.1"), b = enter(t, "192.0.2.2");

	client_table_hold(t, a, 4096);
	client_table_hold(t, enter(t, "192.0.2.1"), 16384);
	client_table_hold(t, b, 1);
	assert_int_equal(client_table_memory(t, a), 20480);
	client_table_hold(t, a, -16384);
	assert_int_equal(client_table_memory(t, a), 4096);
	assert_int_equal(client_table_memory(t, b), 1);
}

static void
client_table_forgets_who_has_left(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "192.0.2.1"), b = enter(t, "192.0.2.2");

	assert_int_equal(enter(t, "192.0.2.1"), a);
	client_table_leave(t, a);
	assert_int_equal(client_table_conns(t, a), 1);
	client_table_leave(t, a);
	assert_int_equal(t->n, 1);
	/* Its place is taken by the next, who begins at one. */
	assert_int_equal(enter(t, "192.0.2.3"), a);
	assert_int_equal(client_table_conns(t, a), 1);
	assert_int_equal(client_table_conns(t, b), 1);
}

static void
client_table_holds_nothing_when_everybody_has_left(void **state)
{
	struct client_table *t = *state;
	uint32_t a = enter(t, "192.0.2.1");

	assert_non_null(t->entries);
	client_table_leave(t, a);
	assert_null(t->entries);
	assert_null(t->heads);
	assert_int_equal(enter(t, "192.0.2.1"), a);
}

/* ---- many --------------------------------------------------------------- */

#define MANY 20000

static void
client_table_keeps_apart_as_many_as_there_are(void **state)
{
	struct client_table *t = *state;
	static uint32_t names[MANY + 1];

	for (uint32_t round = 1; round <= 2; round++)
		for (uint32_t i = 1; i <= MANY; i++) {
			struct peer p = peer_number(i);
			uint32_t name = client_table_enter(t, &p);

			assert_true(round == 1 || name == names[i]);
			names[i] = name;
			assert_int_equal(client_table_conns(t, name), round);
		}
	assert_int_equal(t->n, MANY);
	for (uint32_t round = 1; round <= 2; round++)
		for (uint32_t i = 1; i <= MANY; i++)
			client_table_leave(t, names[i]);
	assert_int_equal(t->n, 0);
}

/* Clients that come and go, against a plain array of counts. */
static void
client_table_is_right_whatever_comes_and_goes(void **state)
{
	struct client_table *t = *state;
	static uint32_t names[512], conns[512];
	uint32_t seed = 1;

	for (int i = 0; i < 200000; i++) {
		uint32_t k;
		struct peer p;

		seed = seed * 1664525 + 1013904223;
		k = (seed >> 16) % 512;
		p = peer_number(k + 1);
		if ((seed >> 8) % 2 != 0) {
			names[k] = client_table_enter(t, &p);
			conns[k]++;
		} else if (conns[k] > 0) {
			client_table_leave(t, names[k]);
			conns[k]--;
		}
		if (conns[k] > 0)
			assert_int_equal(client_table_conns(t, names[k]),
			    conns[k]);
	}
	assert_true(t->cap <= 1024);
}

/* Addresses in a row are what a botnet of one provider looks like. */
static void
client_table_has_short_chains(void **state)
{
	struct client_table *t = *state;
	unsigned longest = 0;

	for (uint32_t i = 1; i <= MANY; i++) {
		struct peer p = peer_number(i);

		client_table_enter(t, &p);
	}
	for (uint32_t i = 0; i < t->cap; i++) {
		unsigned n = 0;

		for (uint32_t k = t->heads[i]; k != 0; k = t->entries[k].next)
			n++;
		if (n > longest)
			longest = n;
	}
	assert_true(longest <= 12);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, table_setup, table_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_table_counts_the_connections_of_an_address),
		TEST(client_table_takes_64_bits_of_ipv6_for_one_client),
		TEST(client_table_takes_a_mapped_address_for_ipv4),
		TEST(client_table_leaves_unix_peers_alone),
		TEST(client_table_sums_memory_by_client),
		TEST(client_table_forgets_who_has_left),
		TEST(client_table_holds_nothing_when_everybody_has_left),
		TEST(client_table_keeps_apart_as_many_as_there_are),
		TEST(client_table_is_right_whatever_comes_and_goes),
		TEST(client_table_has_short_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
