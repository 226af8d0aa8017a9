/* What the service manager hears: datagrams to $NOTIFY_SOCKET, by path or
 * abstract name, and the watchdog's interval. */
#include "process/notify.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int manager = -1; /* its socket */
static char text[4096];

static void
forget(void)
{
	memset(&notify_address, 0, sizeof notify_address);
	notify_length = 0;
	notify_watchdog = 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static int
setup(void **state)
{
	(void)state;
	forget();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (manager >= 0)
		close(manager);
	manager = -1;
	forget();
	return 0;
}

/* NAME as it stands in the environment. */
static void
listen_at(const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = strlen(name);

	memcpy(un.sun_path, name, n);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	else
		unlink(name);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *
heard(void)
{
	ssize_t n = recv(manager, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n >= 0 ? text : NULL;
}

static void
a_word_reaches_a_socket_by_path(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "/tmp/weir-notify-%d", (int)getpid());
	listen_at(name);
	notify_init();
	notify_send("READY=1\nSTATUS=%s", "serving");
	assert_string_equal(heard(), "READY=1\nSTATUS=serving");
	assert_null(heard());
	unlink(name);
}

static void
a_word_reaches_an_abstract_socket(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "@weir-notify-%d", (int)getpid());
	listen_at(name);
	notify_init();
	notify_send("WATCHDOG=1");
	assert_string_equal(heard(), "WATCHDOG=1");
}

static void
nobody_listening_is_no_failure(void **state)
{
	(void)state;
	notify_init();
	notify_send("READY=1"); /* no variable */
	setenv("NOTIFY_SOCKET", "/none/at/all", 1);
	notify_init();
	notify_send("READY=1");
}

static void
what_is_no_address_is_ignored(void **state)
{
	char endless[200];

	(void)state;
	memset(endless, 'a', sizeof endless - 1);
	endless[0] = '/';
	endless[sizeof endless - 1] = '\0';
	for (const char *const *p = (const char *const[]){
	         "", "/", "@", "relative/path", "vsock:2:3", endless, NULL};
	     *p != NULL; p++) {
		setenv("NOTIFY_SOCKET", *p, 1);
		notify_init();
		assert_int_equal(notify_length, 0);
	}
}

static void
what_does_not_fit_is_not_sent_in_part(void **state)
{
	char name[64], much[1000];

	(void)state;
	snprintf(name, sizeof name, "@weir-notify-%d", (int)getpid());
	listen_at(name);
	notify_init();
	memset(much, 'x', sizeof much);
	notify_send("STATUS=%.*s", (int)sizeof much, much);
	assert_null(heard());
}

static uint64_t
watchdog_ms(const char *usec, const char *pid)
{
	forget();
	setenv("NOTIFY_SOCKET", "/some/where", 1);
	if (usec != NULL)
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid != NULL)
		setenv("WATCHDOG_PID", pid, 1);
	notify_init();
	return notify_watchdog_ms();
}

static void
the_watchdog_is_fed_twice_as_often_as_it_asks(void **state)
{
	char pid[32];

	(void)state;
	assert_int_equal(watchdog_ms("30000000", NULL), 15000);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_int_equal(watchdog_ms("400000", pid), 200);
}

static void
a_watchdog_of_others_is_not_ours(void **state)
{
	(void)state;
	assert_int_equal(watchdog_ms(NULL, NULL), 0);
	assert_int_equal(watchdog_ms("30000000", "1"), 0);
	assert_int_equal(watchdog_ms("30000000", "me"), 0);
	assert_int_equal(watchdog_ms("soon", NULL), 0);
	assert_int_equal(watchdog_ms("", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_word_reaches_a_socket_by_path),
		TEST(a_word_reaches_an_abstract_socket),
		TEST(nobody_listening_is_no_failure),
		TEST(what_is_no_address_is_ignored),
		TEST(what_does_not_fit_is_not_sent_in_part),
		TEST(the_watchdog_is_fed_twice_as_often_as_it_asks),
		TEST(a_watchdog_of_others_is_not_ours)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
