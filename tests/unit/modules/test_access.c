/* access and satisfy: who may, and how many have to say so. */
#include "world.h"

#include "http/admission.h"

struct access_stats {
	uint64_t allowed, denied;
};

static struct txn *
from(struct world *w, const char *ip)
{
	struct txn *t = request(w, "GET", "/");
	struct peer *p = &t->conn->peer;

	*p = (struct peer){ .family = AF_UNIX };
	if (strcmp(ip, "unix:") == 0)
		return t;
	p->family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(p->family, ip, p->ip), 1);
	return t;
}

/* "allowed", "refused" or "open": no rule fits. */
static const char *
verdict(struct world *w, const char *ip)
{
	struct access_stats *stats = w->stats;
	uint64_t allowed = stats->allowed, denied = stats->denied;
	struct txn *t = from(w, ip);

	if (w->module->step(t, w->top->conf) == STEP_STOP) {
		assert_int_equal(t->res.status, 403);
		assert_string_equal(t->reason, "access_denied");
		assert_int_equal(stats->denied, denied + 1);
		return "refused";
	}
	assert_int_equal(t->res.status, 0);
	return stats->allowed > allowed ? "allowed" : "open";
}

static void
expect(const char *yaml, const char *ip, const char *want)
{
	struct world *w = world_of(&access_module, yaml);

	assert_string_equal(verdict(w, ip), want);
	world_end(w);
}

static void
the_first_rule_that_fits_decides(void **state)
{
	static const char yaml[] =
	    "access: [allow 10.1.0.0/16, deny 10.0.0.0/8, allow all]\n";

	(void)state;
	expect(yaml, "10.1.2.3", "allowed");
	expect(yaml, "10.2.2.3", "refused");
	expect(yaml, "192.0.2.1", "allowed");
}

static void
networks_of_both_families_and_unix_sockets_are_told_apart(void **state)
{
	static const char yaml[] = "access: [allow 127.0.0.1, "
	    "allow 2001:db8::/33, \"allow unix:\", deny all]\n";

	(void)state;
	expect(yaml, "127.0.0.1", "allowed");
	expect(yaml, "127.0.0.2", "refused");
	expect(yaml, "2001:db8:7fff::1", "allowed");
	expect(yaml, "2001:db8:8000::1", "refused");
	expect(yaml, "unix:", "allowed");
	expect("access: [allow ::/0, deny 0.0.0.0/0]\n", "unix:", "open");
}

static void
a_list_in_which_nothing_fits_lets_through(void **state)
{
	(void)state;
	expect("access: deny 10.0.0.0/8\n", "192.0.2.1", "open");
}

static void
the_address_is_of_whom_a_proxy_speaks_for(void **state)
{
	struct world *w = world_of(&access_module,
	    "access: [deny 192.0.2.9, allow all]\n");
	struct peer client = { .family = AF_INET, .ip = {192, 0, 2, 9} };
	struct txn *t = from(w, "10.0.0.1");

	(void)state;
	t->peer = &client;
	assert_int_equal(w->module->step(t, w->top->conf), STEP_STOP);
	world_end(w);
}

static void
what_is_no_rule_is_refused(void **state)
{
	static const char expected[] = "\"allow\" or \"deny\" and an address";

	(void)state;
	expect_error(&access_module, "access: [permit all]\n", expected);
	expect_error(&access_module, "access: [10.0.0.0/8]\n", expected);
	expect_error(&access_module, "access: [allow]\n", expected);
	expect_error(&access_module, "access: [allowall]\n", expected);
	expect_error(&access_module, "access: [allow localhost]\n",
	    "expected an address or a network");
	expect_error(&access_module, "access: [allow 10.0.0.1/8]\n",
	    "has bits set beyond its prefix length");
}

static void
rules_that_cannot_match_are_told(void **state)
{
	static const char *const shadowed[] = {
		"[allow all, deny 10.0.0.0/8]", "[deny all, allow all]",
		"[deny 10.0.0.0/8, allow 10.1.0.0/16, deny all]",
		"[\"allow unix:\", deny unix]", "[deny ::/0, allow ::1]",
	};
	static const char *const fine[] = {
		"[allow 10.1.0.0/16, deny 10.0.0.0/8, allow all]",
		"[deny 10.0.0.0/9, allow 10.128.0.0/9]",
		"[deny 0.0.0.0/0, allow ::/0, allow unix]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof shadowed / sizeof *shadowed; i++) {
		char yaml[128];

		snprintf(yaml, sizeof yaml, "access: %s\n", shadowed[i]);
		expect_error(&access_module, yaml,
		    "this rule can never match: the one at");
	}
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		char yaml[128];

		snprintf(yaml, sizeof yaml, "access: %s\n", fine[i]);
		world_end(world_of(&access_module, yaml));
	}
	expect_error(&access_module, "access: [allow 10.0.0.0/8]\n",
	    "this list refuses nobody");
}

/* ---- satisfy ----------------------------------------------------------- */

static void
satisfy_opens_the_question_only_for_any(void **state)
{
	struct world *w = world_of(&satisfy_module,
	    "satisfy: all\ninner: {satisfy: any}\n");
	struct txn *t = request(w, "GET", "/");

	(void)state;
	assert_int_equal(satisfy_module.step(t, w->top->conf), STEP_NEXT);
	assert_null(t->admission);
	assert_int_equal(satisfy_module.step(t, w->top->inner->conf),
	    STEP_NEXT);
	assert_non_null(t->admission);
	txn_reply_error(t, 403);
	assert_int_equal(admission_refuse(t, "a", "a"), STEP_NEXT);
	assert_int_equal(satisfy_module.then[0].fn(t, w->top->inner->conf),
	    STEP_STOP);
	assert_int_equal(t->res.status, 403);
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(
		    networks_of_both_families_and_unix_sockets_are_told_apart),
		cmocka_unit_test(a_list_in_which_nothing_fits_lets_through),
		cmocka_unit_test(the_address_is_of_whom_a_proxy_speaks_for),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(rules_that_cannot_match_are_told),
		cmocka_unit_test(satisfy_opens_the_question_only_for_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
