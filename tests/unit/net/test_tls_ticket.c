/* Ticket keys as the master turns them; what tickets do is test_tls_front's. */
#include "tls_world.h"

static void
a_new_key_goes_in_front(void **state)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_key seen[5];

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(seen); i++) {
		assert_true(tls_ticket_keys_rotate(&keys, NULL));
		seen[i] = keys.key[0];
		assert_int_equal(keys.key[0].made, clock_wall());
		assert_int_equal(keys.n, i < TLS_TICKET_TURNS ? i + 1 :
		    TLS_TICKET_TURNS);
		for (uint32_t k = 0; k < keys.n; k++)
			assert_memory_equal(&keys.key[k], &seen[i - k],
			    sizeof seen[0]);
		clock_fake_advance(1000);
	}
}

static void
keys_differ_in_every_part(void **state)
{
	struct tls_ticket_keys keys = {0};
	const struct tls_ticket_key *k = keys.key;

	(void)state;
	assert_true(tls_ticket_keys_rotate(&keys, NULL));
	assert_true(tls_ticket_keys_rotate(&keys, NULL));
	assert_memory_not_equal(k[0].name, k[1].name, sizeof k->name);
	assert_memory_not_equal(k[0].aes, k[1].aes, sizeof k->aes);
	assert_memory_not_equal(k[0].hmac, k[1].hmac, sizeof k->hmac);
	assert_memory_not_equal(k[0].aes, k[0].hmac, sizeof k->aes);
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake_start(1000, 1800000000);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_fake_end();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_key_goes_in_front,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_differ_in_every_part,
		    set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
