/*
 * gRPC's own words: timeouts, the codes for HTTP statuses, and who reads them.
 */
#include "http/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
timeouts_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{"1H", 3600000}, {"2M", 120000}, {"30S", 30000}, {"250m", 250},
		{"1500u", 2}, {"1n", 1}, {"0S", 0},
		{"99999999H", UINT64_C(359999996400000)}, {"00000001S", 1000},
	};
	static const char *const bad[] = {
		"", "1", "S", "1s", "1 S", " 1S", "1S ", "-1S", "+1S", "1.5S",
		"123456789S", "0x1S", "1HH",
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_true(grpc_parse_timeout(str_from(good[i].text), &ms));
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(grpc_parse_timeout(str_from(bad[i]), &ms));
}

static void
statuses_have_the_codes_that_clients_would_give_them(void **state)
{
	(void)state;
	assert_int_equal(grpc_code(400), 13);
	assert_int_equal(grpc_code(401), 16);
	assert_int_equal(grpc_code(403), 7);
	assert_int_equal(grpc_code(404), 12);
	assert_int_equal(grpc_code(429), 14);
	assert_int_equal(grpc_code(502), 14);
	assert_int_equal(grpc_code(503), 14);
	assert_int_equal(grpc_code(504), 14);
	assert_int_equal(grpc_code(500), 2);
}

static void
only_grpc_reads_grpc_status(void **state)
{
	static const struct {
		const char *type;
		bool is_grpc;
	} types[] = {
		{"application/grpc", true}, {"Application/GRPC", true},
		{"application/grpc+proto", true},
		{"application/grpc; a=b", true},
		{"application/grpc-web", false},
		{"application/grpcx", false}, {"application/grp", false},
		{"", false},
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct txn t = {.arena = a, .req.method = METHOD_POST};

		head_init(&t.req.head, a, 1);
		head_add_known(&t.req.head, FIELD_CONTENT_TYPE,
		    str_from(types[i].type));
		assert_int_equal(grpc_is_request(&t), types[i].is_grpc);
		t.req.method = METHOD_GET;
		assert_false(grpc_is_request(&t));
	}
	arena_end(a);
}

static void
failures_are_said_in_printable_ascii(void **state)
{
	struct arena *a = arena_new();
	struct head h;

	(void)state;
	head_init(&h, a, 2);
	grpc_say(&h, 14, STR("50% of \xc3\xa4, ~"));
	assert_true(str_eq(head_value_name(&h, STR("grpc-status")),
	    STR("14")));
	assert_true(str_eq(head_value_name(&h, STR("grpc-message")),
	    STR("50%25 of %C3%A4, ~")));
	arena_end(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts_are_read_strictly),
		cmocka_unit_test(
		    statuses_have_the_codes_that_clients_would_give_them),
		cmocka_unit_test(only_grpc_reads_grpc_status),
		cmocka_unit_test(failures_are_said_in_printable_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
