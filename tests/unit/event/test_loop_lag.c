/* What a loop measures of itself, and tells of slow callbacks. */
#include "event/loop_world.h"

/* ---- what is measured -------------------------------------------------- */

static uint64_t to_take_ms;
static char *to_tell;

static void
task_take_long(struct task *t)
{
	char line[] = "GET /slow HTTP/1.1";

	(void)t;
	if (to_tell != NULL)
		loop_note(loop, to_tell, strlen(to_tell));
	else
		loop_note(loop, line, strlen(line));
	clock_fake_advance(to_take_ms);
	/* Whose words they were may be gone when the callback returns. */
	memset(line, '!', sizeof line - 1);
}

static void
task_advance(struct task *t)
{
	(void)t;
	clock_fake_advance(to_take_ms);
}

static void
lag_is_counted_in_its_bucket(void **state)
{
	/* Milliseconds that a callback takes, and the bucket of it: bounds are
	 * inclusive. */
	static const struct {
		uint64_t ms;
		unsigned bucket;
	} rows[] = {
		{0, 0}, {1, 4}, {2, 5}, {3, 6}, {5, 6}, {10, 7}, {25, 8},
		{26, 9}, {100, 10}, {101, 11}, {500, 11}, {501, 12}, {9000, 12}
	};
	struct task t = {.name = "t", .run = task_advance};
	uint64_t sum = 0;

	(void)state;
	loop_set_slow_limit(loop, 0);
	loop_tick(loop, 0); /* before the first poll there is no lag */
	for (size_t i = 0; i < LOOP_LAG_BUCKETS + 1; i++)
		assert_int_equal(stats.lag[i], 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		memset(stats.lag, 0, sizeof stats.lag);
		to_take_ms = rows[i].ms;
		loop_next(loop, &t);
		loop_tick(loop, 0);
		assert_int_equal(stats.lag[rows[i].bucket], 1);
		sum += rows[i].ms * 1000;
		assert_int_equal(stats.lag_us, sum);
	}
}

/* What the log says during a tick with T in stage `pending`. */
static const char *
log_of_tick(struct task *t)
{
	static char text[1024];
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	log_set_fd(fds[1]);
	loop_next(loop, t);
	loop_tick(loop, 0);
	log_set_fd(STDERR_FILENO);
	n = read(fds[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
	return text;
}

static void
a_slow_callback_is_told_with_name_and_note(void **state)
{
	struct task noted = {.name = "h1", .run = task_take_long};
	struct task plain = {.name = "plain", .run = task_advance};

	(void)state;
	to_tell = NULL;
	to_take_ms = 50;
	assert_string_equal(log_of_tick(&noted), ""); /* the limit itself */
	to_take_ms = 51;
	assert_non_null(strstr(log_of_tick(&noted), "warn weir["));
	assert_non_null(strstr(log_of_tick(&noted),
	    ": slow callback \"h1\" took 51 ms: GET /slow HTTP/1.1\n"));
	/* The note of one callback is not that of the next. */
	assert_non_null(strstr(log_of_tick(&plain),
	    ": slow callback \"plain\" took 51 ms\n"));
	assert_int_equal(stats.slow_callbacks, 3);
}

static void
a_long_note_is_cut(void **state)
{
	struct task t = {.name = "t", .run = task_take_long};
	char line[1000];
	const char *told;

	(void)state;
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	to_tell = line;
	to_take_ms = 60;
	told = strstr(log_of_tick(&t), "ms: ");
	assert_int_equal(strspn(told + 4, "x"), NOTE_MAX);
	to_tell = NULL;
}

static void
each_callback_answers_for_its_own_time(void **state)
{
	struct task slow = {.name = "slow", .run = task_advance};
	struct task quick = {.name = "quick", .run = task_note};
	struct timer timer = {.name = "timer", .expired = timer_note};
	const char *told;

	(void)state;
	to_take_ms = 80;
	timer_start(loop, &timer, 10);
	/* Time between two ticks is nobody's. */
	clock_fake_advance(500);
	loop_next(loop, &quick);
	loop_defer(loop, &quick);
	told = log_of_tick(&slow);
	assert_non_null(strstr(told, "\"slow\" took 80 ms"));
	assert_null(strstr(told, "quick"));
	assert_null(strstr(told, "timer"));
	assert_int_equal(stats.slow_callbacks, 1);
}

static void
the_slow_limit_can_be_set_and_switched_off(void **state)
{
	struct task t = {.name = "t", .run = task_advance};

	(void)state;
	to_take_ms = 5;
	loop_set_slow_limit(loop, 2000);
	assert_non_null(strstr(log_of_tick(&t), "took 5 ms"));
	to_take_ms = 5000;
	loop_set_slow_limit(loop, 0);
	assert_string_equal(log_of_tick(&t), "");
	assert_int_equal(stats.slow_callbacks, 1);
}

static char reported[512];

static void
task_report(struct task *t)
{
	int fds[2];
	ssize_t n;

	(void)t;
	loop_note(loop, "GET /\x1b[2J\n HTTP/1.1", 19);
	assert_int_equal(pipe(fds), 0);
	loop_report(loop, fds[1]);
	n = read(fds[0], reported, sizeof reported - 1);
	reported[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
}

static void
a_panic_report_tells_what_is_in_hand(void **state)
{
	struct task t = {.name = "h1", .run = task_report};

	(void)state;
	loop_next(loop, &t);
	loop_tick(loop, 0);
	assert_string_equal(reported, "callback in hand: h1\n"
	    "working on: GET /?[2J? HTTP/1.1\n");
	/* Between callbacks nothing is; -1 would fail to be written to. */
	assert_null(loop->running);
	loop_report(loop, -1);
}

static void
counters_are_where_their_rows_say(void **state)
{
	const struct counter_row *row = loop_counters.rows;
	size_t n = 0;

	(void)state;
	for (; row->name != NULL; row++) {
		assert_non_null(row->help);
		n += row->kind == COUNTER_BUCKETS ? row->buckets + 1 : 1;
		assert_true(row->offset < loop_counters.size);
	}
	/* Every member has its row. */
	assert_int_equal(n * sizeof(uint64_t), loop_counters.size);
	for (unsigned i = 1; i < LOOP_LAG_BUCKETS; i++)
		assert_true(loop_lag_bounds[i] > loop_lag_bounds[i - 1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lag_is_counted_in_its_bucket),
		TEST(a_slow_callback_is_told_with_name_and_note),
		TEST(a_long_note_is_cut),
		TEST(each_callback_answers_for_its_own_time),
		TEST(the_slow_limit_can_be_set_and_switched_off),
		TEST(a_panic_report_tells_what_is_in_hand),
		TEST(counters_are_where_their_rows_say)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
