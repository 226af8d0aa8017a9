/*
 * What is held against a client of HTTP/2: two buckets, what fills them, and
 * how they leak.
 */
#include "base/clock.h"
#include "http/h2_score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct h2_conf conf = { .max_resets = 10, .max_control = 20 };

static int
set_up(void **state)
{
	static struct h2_score score;

	clock_fake_start(1000, 1700000000);
	memset(&score, 0, sizeof score);
	score.as_of = clock_ms();
	*state = &score;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_fake_end();
	return 0;
}

/* How many events of kind A are borne at once, up to MAX. */
static int
borne(struct h2_score *s, enum h2_abuse a, int max)
{
	int n = 0;

	while (n < max && h2_score_add(s, &conf, a))
		n++;
	return n;
}

static void
each_setting_bounds_its_events(void **state)
{
	static const struct {
		enum h2_abuse abuse;
		int max;
	} rows[] = {
		{ H2_ABUSE_CANCEL, 10 }, { H2_ABUSE_BROKEN, 10 },
		{ H2_ABUSE_LARGE_HEAD, 10 }, { H2_ABUSE_STALLED, 10 },
		{ H2_ABUSE_SETTINGS, 20 }, { H2_ABUSE_PING, 20 },
		{ H2_ABUSE_PRIORITY, 20 }, { H2_ABUSE_WINDOW, 20 },
		{ H2_ABUSE_EMPTY, 20 }
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		set_up(state);
		assert_int_equal(borne(*state, rows[i].abuse, 100),
		    rows[i].max);
	}
}

static void
kinds_of_one_setting_add_up(void **state)
{
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 4), 4);
	assert_int_equal(borne(*state, H2_ABUSE_BROKEN, 100), 6);
}

static void
settings_do_not_add_up(void **state)
{
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 100), 10);
	assert_int_equal(borne(*state, H2_ABUSE_PING, 100), 20);
}

static void
it_fades_evenly(void **state)
{
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 10), 10);
	clock_fake_advance(H2_SCORE_WITHIN / 2);
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 100), 5);
}

static void
it_is_forgotten_in_time(void **state)
{
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 10), 10);
	clock_fake_advance(H2_SCORE_WITHIN);
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 100), 10);
}

static void
what_is_allowed_is_allowed_for_ever(void **state)
{
	for (int i = 0; i < 3600; i++) {
		assert_true(h2_score_add(*state, &conf, H2_ABUSE_CANCEL));
		clock_fake_advance(H2_SCORE_WITHIN / 10);
	}
}

static void
small_steps_of_time_fade_as_large_ones_do(void **state)
{
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 10), 10);
	/* Each of these has both buckets fade. */
	for (int i = 0; i < 5; i++) {
		clock_fake_advance(1000);
		assert_true(h2_score_add(*state, &conf, H2_ABUSE_PING));
	}
	assert_int_equal(borne(*state, H2_ABUSE_CANCEL, 100), 5);
}

static void
who_reads_earns_what_reading_costs(void **state)
{
	for (int i = 0; i < 5; i++)
		h2_score_sent(*state);
	assert_int_equal(borne(*state, H2_ABUSE_WINDOW, 100), 15 + 20);
	/* Nothing else is paid with that. */
	h2_score_sent(*state);
	assert_int_equal(borne(*state, H2_ABUSE_SETTINGS, 100), 0);
}

static void
not_more_is_saved_up_than_a_round_asks_for(void **state)
{
	struct h2_score *s = *state;

	for (int i = 0; i < 100000; i++)
		h2_score_sent(s);
	assert_in_range(s->credit, 4096, 4099);
}

static void
words_are_fit_for_a_label(void **state)
{
	(void)state;
	for (int a = 0; a < H2_ABUSE_COUNT; a++) {
		const char *word = h2_abuse_word((enum h2_abuse)a);

		assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_"),
		    strlen(word));
		assert_true(strlen(h2_abuse_text((enum h2_abuse)a)) > 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_setting_bounds_its_events),
		TEST(kinds_of_one_setting_add_up),
		TEST(settings_do_not_add_up),
		TEST(it_fades_evenly),
		TEST(it_is_forgotten_in_time),
		TEST(what_is_allowed_is_allowed_for_ever),
		TEST(small_steps_of_time_fade_as_large_ones_do),
		TEST(who_reads_earns_what_reading_costs),
		TEST(not_more_is_saved_up_than_a_round_asks_for),
		TEST(words_are_fit_for_a_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
