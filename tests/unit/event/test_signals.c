/* Signals as events of the loop: which arrive, and what ending them leaves. */
#include "event/loop.c"
#include "event/signals.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const int listened[] = {SIGUSR1, SIGUSR2};
static struct loop_stats stats;

struct heard {
	unsigned usr1, usr2;
	struct signals *to_end; /* by the first callback */
};

static void
heard_on_signal(void *arg, int signo)
{
	struct heard *h = arg;

	if (signo == SIGUSR1)
		h->usr1++;
	else
		h->usr2++;
	if (h->to_end != NULL)
		signals_end(h->to_end);
	h->to_end = NULL;
}

static bool
is_blocked(int signo)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, signo);
}

static void
signals_arrive_in_the_loop(void **state)
{
	struct loop *l = loop_new(&stats, NULL);
	struct heard h = {0};
	struct signals *s = signals_new(l, listened, 2, heard_on_signal, &h,
	    NULL);

	(void)state;
	assert_non_null(s);
	for (unsigned i = 1; i <= 3; i++) {
		raise(SIGUSR1);
		raise(SIGUSR2);
		assert_int_equal(h.usr1, i - 1); /* not before the poll */
		loop_tick(l, 1000);
		assert_int_equal(h.usr1, i);
		assert_int_equal(h.usr2, i);
	}
	signals_end(s);
	loop_end(l);
}

static void
signals_are_blocked_until_the_end(void **state)
{
	struct loop *l = loop_new(&stats, NULL);
	struct heard h = {0};
	struct signals *s;

	(void)state;
	assert_false(is_blocked(SIGUSR1));
	s = signals_new(l, listened, 2, heard_on_signal, &h, NULL);
	assert_true(is_blocked(SIGUSR1));
	assert_true(is_blocked(SIGUSR2));
	assert_false(is_blocked(SIGTERM));
	signals_end(s);
	assert_false(is_blocked(SIGUSR1));
	assert_false(is_blocked(SIGUSR2));
	loop_end(l);
}

static void
a_callback_may_end_them(void **state)
{
	struct loop *l = loop_new(&stats, NULL);
	struct heard h = {0};
	struct signals *s = signals_new(l, listened, 2, heard_on_signal, &h,
	    NULL);

	(void)state;
	/* The second is still pending when the first ends the listening. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	h.to_end = s;
	raise(SIGUSR1);
	raise(SIGUSR2);
	loop_tick(l, 1000);
	loop_tick(l, 0);
	assert_int_equal(h.usr1 + h.usr2, 1);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	loop_end(l);
}

static void
failing_leaves_the_mask_as_it_was(void **state)
{
	struct loop *l = loop_new(&stats, NULL);
	struct heard h = {0};
	struct err e = {""};
	int epoll = l->epoll;

	(void)state;
	l->epoll = -1;
	assert_null(signals_new(l, listened, 2, heard_on_signal, &h, &e));
	assert_string_equal(e.text,
	    "cannot watch a descriptor: bad file descriptor");
	assert_false(is_blocked(SIGUSR1));
	l->epoll = epoll;
	loop_end(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_arrive_in_the_loop),
		cmocka_unit_test(signals_are_blocked_until_the_end),
		cmocka_unit_test(a_callback_may_end_them),
		cmocka_unit_test(failing_leaves_the_mask_as_it_was)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
