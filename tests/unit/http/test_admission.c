/* Admission: which refusal stands, and when it does. */
#include "http/admission.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct conn conn;

static struct txn *
txn(void)
{
	struct arena *a = arena_new();
	struct txn *t = arena_zalloc(a, sizeof *t);

	clock_fake_start(1000000, 1700000000);
	conn.peer.family = AF_UNIX;
	t->magic = TXN_MAGIC;
	t->arena = a;
	t->conn = &conn;
	t->peer = &conn.peer;
	t->slots = arena_zalloc(a, 4 * sizeof *t->slots);
	t->res.head_length = -1;
	return t;
}

static void
end(struct txn *t)
{
	flow_close(t->res.body);
	arena_end(t->arena);
	clock_fake_end();
}

static enum verdict
refuse(struct txn *t, int status, const char *challenge)
{
	txn_reply_error(t, status);
	if (challenge != NULL)
		txn_reply_field(t, FIELD_WWW_AUTHENTICATE,
		    str_from(challenge));
	return admission_refuse(t, "word", "%d", status);
}

static void
by_itself_a_refusal_is_the_last_word(void **state)
{
	struct txn *t = txn();

	(void)state;
	assert_int_equal(admission_allow(t), STEP_NEXT);
	assert_false(admission_is_granted(t));
	assert_int_equal(refuse(t, 403, NULL), STEP_STOP);
	assert_string_equal(t->reason, "word");
	assert_int_equal(t->res.status, 403);
	end(t);
}

static void
with_any_one_that_allows_is_enough(void **state)
{
	(void)state;
	for (int allowed_first = 0; allowed_first < 2; allowed_first++) {
		struct txn *t = txn();

		admission_begin(t);
		if (allowed_first)
			assert_int_equal(admission_allow(t), STEP_NEXT);
		assert_int_equal(refuse(t, 403, NULL), STEP_NEXT);
		assert_int_equal(t->res.status, 0);
		if (!allowed_first)
			assert_int_equal(admission_allow(t), STEP_NEXT);
		assert_true(admission_is_granted(t));
		assert_int_equal(admission_end(t), STEP_NEXT);
		assert_int_equal(t->res.status, 0);
		assert_null(t->reason);
		end(t);
	}
}

static void
with_any_and_nobody_to_say_anything_it_goes_on(void **state)
{
	struct txn *t = txn();

	(void)state;
	admission_begin(t);
	assert_int_equal(admission_end(t), STEP_NEXT);
	end(t);
}

static int
status_of(int first, int second, int third)
{
	struct txn *t = txn();
	int status;

	admission_begin(t);
	assert_int_equal(refuse(t, first, NULL), STEP_NEXT);
	assert_int_equal(refuse(t, second, NULL), STEP_NEXT);
	assert_int_equal(refuse(t, third, NULL), STEP_NEXT);
	assert_int_equal(admission_end(t), STEP_STOP);
	status = t->res.status;
	assert_string_equal(t->reason, "word");
	end(t);
	return status;
}

static void
the_client_gets_what_it_can_do_most_about(void **state)
{
	(void)state;
	assert_int_equal(status_of(403, 401, 403), 401);
	assert_int_equal(status_of(401, 403, 403), 401);
	assert_int_equal(status_of(403, 403, 403), 403);
	assert_int_equal(status_of(401, 302, 403), 302);
	assert_int_equal(status_of(302, 401, 403), 302);
}

static void
challenges_of_several_are_all_told(void **state)
{
	struct txn *t = txn();

	(void)state;
	admission_begin(t);
	refuse(t, 401, "Basic realm=\"a\"");
	refuse(t, 401, "Bearer");
	assert_int_equal(admission_end(t), STEP_STOP);
	assert_int_equal(head_count(&t->res.head, FIELD_WWW_AUTHENTICATE), 2);
	end(t);
}

static void
close_survives(void **state)
{
	struct txn *t = txn();

	(void)state;
	admission_begin(t);
	t->res.close = true;
	refuse(t, 403, NULL);
	assert_true(t->res.close);
	assert_int_equal(admission_end(t), STEP_STOP);
	assert_true(t->res.close);
	end(t);
}

/* What would let a refused request into a route that asks for everything. */
static void
it_does_not_outlive_its_walk_of_the_plan(void **state)
{
	struct txn *t = txn();

	(void)state;
	admission_begin(t);
	admission_allow(t);
	t->slots = arena_zalloc(t->arena, 4 * sizeof *t->slots);
	assert_false(admission_is_granted(t));
	assert_int_equal(refuse(t, 403, NULL), STEP_STOP);
	assert_int_equal(admission_end(t), STEP_NEXT);
	end(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_itself_a_refusal_is_the_last_word),
		cmocka_unit_test(with_any_one_that_allows_is_enough),
		cmocka_unit_test(
		    with_any_and_nobody_to_say_anything_it_goes_on),
		cmocka_unit_test(the_client_gets_what_it_can_do_most_about),
		cmocka_unit_test(challenges_of_several_are_all_told),
		cmocka_unit_test(close_survives),
		cmocka_unit_test(it_does_not_outlive_its_walk_of_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
