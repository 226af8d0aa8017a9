/* The family, with children that do nothing: who is replaced, who is made to
 * die, and what a start that fails leaves behind. What children would say is
 * said for them, and time is the test's. */
#include "process/family.c"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <cmocka.h>

#define WORKERS 2

static struct loop_stats loop_stats;
static struct root_conf root = { .workers = WORKERS, .watchdog = 10000 };
static struct generation generations[3] = {
	{ .number = 0 }, { .number = 1 }, { .number = 2 }
};
static struct config configs[3];
static struct identity identity;
static struct family f;
static unsigned n_ready, n_failed;

int
worker_main(const struct child_setup *setup)
{
	(void)setup;
	/* No test leaves one behind, however it ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

int
scout_main(const struct child_setup *setup)
{
	return worker_main(setup);
}

static void
on_ready(void *arg, uint64_t generation)
{
	(void)arg;
	n_ready++;
	family_adopt(&f, &configs[generation], &identity);
}

static void
on_failed(void *arg, uint64_t generation, const char *why)
{
	(void)arg;
	(void)generation;
	(void)why;
	n_failed++;
}

static void
on_empty(void *arg)
{
	(void)arg;
}

static const struct family_ops ops = {
	.ready = on_ready, .failed = on_failed, .empty = on_empty
};

static int
setup(void **state)
{
	struct loop *l;
	struct err e;

	(void)state;
	clock_fake_start(1000, 784111777);
	log_set_level(LOG_LEVEL_COUNT);
	n_ready = n_failed = 0;
	for (int i = 0; i < 3; i++)
		configs[i] = (struct config){
			.root = &root, .generation = &generations[i]
		};
	l = loop_new(&loop_stats, &e);
	if (l == NULL)
		return 1;
	family_init(&f, l, pages_new(&e), &ops, NULL);
	return f.pages == NULL;
}

static struct child_process *
child(uint64_t generation, enum page_role role, unsigned index)
{
	LIST_EACH(link, &f.children) {
		struct child_process *c = LIST_ITEM(link,
		    struct child_process, link);

		if (c->generation == generation && c->role == role &&
		    c->index == index && !c->leaving && !c->lost)
			return c;
	}
	return NULL;
}

/* Of SIGNO; 0: of whichever. */
static void
reap(struct child_process *c, int signo)
{
	pid_t pid = c->pid;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(signo == 0 || WTERMSIG(status) == signo);
	assert_true(family_reaped(&f, pid, status));
}

static void
die(struct child_process *c)
{
	kill(c->pid, SIGKILL);
	reap(c, 0);
}

static int
teardown(void **state)
{
	(void)state;
	f.config = NULL;
	LIST_EACH(link, &f.children)
		die(LIST_ITEM(link, struct child_process, link));
	timer_stop(f.loop, &f.look);
	timer_stop(f.loop, &f.respawn);
	timer_stop(f.loop, &f.start_deadline);
	loop_end(f.loop);
	mem_free(f.pages);
	clock_fake_end();
	return 0;
}

static void
say(struct child_process *c, enum message_type type)
{
	struct message m = { .type = type };

	child_on_message(&c->channel, &m, -1);
}

/* MS go by, in which all but SILENT beat. */
static void
pass(uint64_t ms, const struct child_process *silent)
{
	for (uint64_t t = 0; t < ms; t += 500) {
		clock_fake_advance(500);
		loop_tick(f.loop, 0);
		LIST_EACH(link, &f.children) {
			struct child_process *c = LIST_ITEM(link,
			    struct child_process, link);

			if (c != silent)
				say(c, MESSAGE_BEAT);
		}
	}
}

static void
start(uint64_t generation)
{
	struct err e;

	assert_true(family_start(&f, &configs[generation], &identity, &e));
}

static void
ready(uint64_t generation, enum page_role role, unsigned index)
{
	say(child(generation, role, index), MESSAGE_READY);
}

/* Generation 1 serves. */
static void
serve(void)
{
	start(1);
	ready(1, ROLE_WORKER, 0);
	ready(1, ROLE_WORKER, 1);
	ready(1, ROLE_SCOUT, 0);
	assert_int_equal(n_ready, 1);
	pass(500, NULL);
	assert_int_equal(f.n, WORKERS + 1);
}

static void
who_dies_is_replaced(void **state)
{
	(void)state;
	serve();
	pass(6000, NULL);
	die(child(1, ROLE_WORKER, 1));
	assert_null(child(1, ROLE_WORKER, 1));
	pass(500, NULL);
	assert_non_null(child(1, ROLE_WORKER, 1));
	assert_int_equal(pages_board(f.pages)->respawns, 1);
}

static void
who_is_silent_is_made_to_die_and_replaced(void **state)
{
	struct child_process *c;
	pid_t pid;

	(void)state;
	serve();
	c = child(1, ROLE_WORKER, 0);
	pid = c->pid;
	pass(9000, c);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	pass(2000, c);
	assert_int_equal(pages_board(f.pages)->stuck, 1);
	reap(c, SIGABRT);
	pass(500, NULL);
	assert_non_null(child(1, ROLE_WORKER, 0));
	assert_int_not_equal(child(1, ROLE_WORKER, 0)->pid, pid);
}

static void
who_cannot_report_is_killed(void **state)
{
	struct child_process *c;

	(void)state;
	serve();
	c = child(1, ROLE_WORKER, 0);
	kill(c->pid, SIGSTOP);
	pass(13000, c);
	reap(c, SIGKILL);
}

static void
who_cannot_be_killed_is_replaced_all_the_same(void **state)
{
	struct child_process *c, *next;

	(void)state;
	serve();
	c = child(1, ROLE_WORKER, 0);
	pass(16000, c); /* nobody reaps it */
	next = child(1, ROLE_WORKER, 0);
	assert_non_null(next);
	assert_ptr_not_equal(c, next);
	/* When it goes at last, there is nothing to replace. */
	reap(c, 0);
	pass(500, NULL);
	assert_int_equal(f.n, WORKERS + 1);
}

static void
who_drains_is_watched_too(void **state)
{
	struct child_process *c;

	(void)state;
	serve();
	c = child(1, ROLE_WORKER, 0);
	child_leave(c, MESSAGE_DRAIN, 0);
	pass(60000, NULL);
	assert_int_equal(waitpid(c->pid, NULL, WNOHANG), 0);
	pass(11000, c);
	reap(c, SIGABRT);
}

static void
a_start_may_take_longer_than_the_patience(void **state)
{
	struct child_process *c;

	(void)state;
	serve();
	die(child(1, ROLE_WORKER, 0));
	pass(500, NULL);
	c = child(1, ROLE_WORKER, 0);
	pass(28000, c);
	assert_int_equal(pages_board(f.pages)->stuck, 0);
	pass(3000, c);
	assert_int_equal(pages_board(f.pages)->stuck, 1);
}

static void
who_dies_during_a_start_is_replaced_when_all_serve(void **state)
{
	(void)state;
	serve();
	start(2);
	ready(2, ROLE_WORKER, 0);
	die(child(2, ROLE_WORKER, 0));
	pass(500, NULL);
	ready(2, ROLE_WORKER, 1);
	ready(2, ROLE_SCOUT, 0);
	assert_int_equal(n_ready, 2);
	assert_int_equal(n_failed, 0);
	pass(500, NULL);
	assert_non_null(child(2, ROLE_WORKER, 0));
}

/* At the first start it is replaced at once; its successor is not one of
 * those that are waited for. */
static void
a_replacement_does_not_count_twice(void **state)
{
	(void)state;
	start(1);
	ready(1, ROLE_WORKER, 0);
	die(child(1, ROLE_WORKER, 0));
	pass(500, NULL);
	ready(1, ROLE_WORKER, 0);
	ready(1, ROLE_SCOUT, 0);
	assert_int_equal(n_ready, 0);
	ready(1, ROLE_WORKER, 1);
	assert_int_equal(n_ready, 1);
}

static void
after_a_drain_a_failed_start_leaves_nobody_to_replace(void **state)
{
	(void)state;
	serve();
	family_drain(&f);
	start(2);
	die(child(2, ROLE_WORKER, 0));
	assert_int_equal(n_failed, 1);
	/* Its configuration is freed by whoever hears of it. */
	assert_null(f.config);
}

/* The test in the place of C: what C is told from now on. */
static int
listen_for(struct child_process *c)
{
	struct err e;
	int fds[2];

	assert_true(channel_pair(fds, &e));
	assert_true(dup2(fds[0], c->channel.io.fd) >= 0);
	close(fds[0]);
	return fds[1];
}

static void
keys_are_for_the_workers_of_their_generation(void **state)
{
	int fds[4];
	struct message m;

	(void)state;
	serve();
	start(2);
	fds[0] = listen_for(child(1, ROLE_WORKER, 0));
	fds[1] = listen_for(child(1, ROLE_WORKER, 1));
	fds[2] = listen_for(child(1, ROLE_SCOUT, 0));
	fds[3] = listen_for(child(2, ROLE_WORKER, 0));
	family_tell_workers(&f, 1, MESSAGE_CERTIFICATE, 7, NULL, 0, -1);
	for (int i = 0; i < 4; i++) {
		ssize_t n = recv(fds[i], &m, sizeof m, MSG_DONTWAIT);

		assert_int_equal(n > 0, i < 2);
		if (i < 2)
			assert_int_equal(m.value, 7);
		close(fds[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(who_dies_is_replaced),
		TEST(who_is_silent_is_made_to_die_and_replaced),
		TEST(who_cannot_report_is_killed),
		TEST(who_cannot_be_killed_is_replaced_all_the_same),
		TEST(who_drains_is_watched_too),
		TEST(a_start_may_take_longer_than_the_patience),
		TEST(who_dies_during_a_start_is_replaced_when_all_serve),
		TEST(a_replacement_does_not_count_twice),
		TEST(after_a_drain_a_failed_start_leaves_nobody_to_replace),
		TEST(keys_are_for_the_workers_of_their_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
