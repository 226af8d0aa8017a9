/* A file becomes a configuration with a generation and, if it asks for one, an
 * admin endpoint; or diagnostics and nothing that leaks. */
#include "process/config.c"

#include "base/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static char path[64];

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/weir-config-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	arena_trim();
	return 0;
}

#define SITES "sites: [{listen: 127.0.0.1:80, routes: [{respond: 204}]}]\n"

static bool
load_with(struct config *c, const char *text, const char *const *overrides,
    size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, text, strlen(text)),
	    (ssize_t)strlen(text));
	close(fd);
	return config_load(c, path, overrides, n, 7);
}

static bool
load(struct config *c, const char *text)
{
	return load_with(c, text, NULL, 0);
}

/* TEXT is refused with all of the words WANT. */
static void
refuse(const char *text, const char *want)
{
	struct config c;
	struct buf b;

	assert_false(load(&c, text));
	b = buf_in(c.arena);
	conf_print_diagnostics(c.load, &b);
	buf_chr(&b, '\0');
	if (strstr(b.p, want) == NULL)
		fail_msg("\"%s\" is not in\n%s", want, b.p);
	assert_null(c.admin);
	config_end(&c);
}

static void
a_small_file_serves(void **state)
{
	struct config c;

	(void)state;
	assert_true(load(&c, SITES));
	assert_int_equal(c.generation->number, 7);
	assert_int_equal(c.generation->n_endpoints, 1);
	assert_string_equal(c.generation->endpoints[0]->text, "127.0.0.1:80");
	assert_null(c.admin);
	config_end(&c);
	assert_null(c.arena);
}

static void
defaults_are_those_of_the_manual(void **state)
{
	struct config c;

	(void)state;
	assert_true(load(&c, SITES));
	assert_int_equal(c.root->version, 1);
	assert_string_equal(c.root->user, "nobody");
	assert_null(c.root->group);
	assert_int_equal(c.root->workers, 0);
	assert_int_equal(c.root->threads, 4);
	assert_null(c.root->pid_file);
	assert_int_equal(c.root->shutdown_timeout, 60000);
	assert_string_equal(c.root->error_log->to, "stderr");
	assert_int_equal(c.root->error_log->level, LOG_NOTICE);
	config_end(&c);
}

static void
workers_are_counted(void **state)
{
	cpu_set_t cpus;
	struct config c;

	(void)state;
	assert_true(load(&c, "workers: 3\n" SITES));
	assert_int_equal(config_workers(c.root), 3);
	config_end(&c);

	assert_true(load(&c, "workers: auto\n" SITES));
	assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
	assert_int_equal(config_workers(c.root), CPU_COUNT(&cpus));
	config_end(&c);

	refuse("workers: 0\n" SITES, "expected auto or a number from 1 to 256");
	refuse("workers: 257\n" SITES, "from 1 to 256");
	refuse("workers: many\n" SITES, "expected auto");
}

static void
overrides_win_over_the_file(void **state)
{
	static const char *const overrides[] = {"workers: 5", "threads: 2"};
	struct config c;

	(void)state;
	assert_true(load_with(&c, "workers: 3\n" SITES, overrides, 2));
	assert_int_equal(c.root->workers, 5);
	assert_int_equal(c.root->threads, 2);
	config_end(&c);
}

/* ---- the admin endpoint ------------------------------------------------- */

static void
check_admin(const char *key, const char *text)
{
	char file[512];
	struct config c;

	snprintf(file, sizeof file, "%s\n" SITES, key);
	assert_true(load(&c, file));
	assert_non_null(c.admin);
	assert_string_equal(c.admin->text, text);
	/* Workers know nothing of it. */
	assert_int_equal(c.generation->n_endpoints, 1);
	assert_ptr_not_equal(c.generation->endpoints[0], c.admin);
	config_end(&c);
}

static void
the_admin_endpoint_is_beside_those_of_the_sites(void **state)
{
	(void)state;
	check_admin("admin: 127.0.0.1:9180", "127.0.0.1:9180");
	check_admin("admin: {listen: \"[::1]:9180\"}", "[::1]:9180");
	check_admin("admin: unix:/tmp/admin.sock", "unix:/tmp/admin.sock");
}

static void
the_admin_endpoint_answers_any_host_with_its_step(void **state)
{
	const struct site_index *index;
	const struct site *site;
	struct config c;

	(void)state;
	assert_true(load(&c, "admin: 127.0.0.1:9180\n" SITES));
	index = c.admin->owner;
	site = site_index_first(index);
	assert_true(str_eq(site->name, STR("admin")));
	assert_ptr_equal(site_index_find(index, STR("any.example")), site);
	config_end(&c);
}

static void
an_admin_endpoint_without_an_address_is_none(void **state)
{
	(void)state;
	refuse("admin: {}\n" SITES, "listen");
	refuse("admin: nowhere\n" SITES, "admin");
}

/* ---- mistakes ----------------------------------------------------------- */

static void
a_mistake_names_its_place(void **state)
{
	char where[128];

	(void)state;
	snprintf(where, sizeof where, "%s:1:1: unknown key \"wrkers\"", path);
	refuse("wrkers: 1\n" SITES, where);
	refuse("workers: 1\n", "sites");
	refuse("", "sites");
	refuse("sites: [\n", path);
	refuse("version: 2\n" SITES, "version");
	refuse("shutdown_timeout: 10\n" SITES, "shutdown_timeout");
}

static void
all_mistakes_are_told_at_once(void **state)
{
	struct config c;

	(void)state;
	assert_false(load(&c, "threads: 0\nworkers: x\nuser: [a]\n" SITES));
	assert_int_equal(conf_errors(c.load), 3);
	config_end(&c);
}

static void
a_file_that_is_not_there_is_a_mistake_too(void **state)
{
	struct config c;

	(void)state;
	assert_false(config_load(&c, "/none/weir.yaml", NULL, 0, 1));
	assert_int_equal(conf_errors(c.load), 1);
	config_end(&c);
	config_end(&(struct config){.arena = NULL});
}

static void
only_root_needs_its_users_to_exist(void **state)
{
	static const char text[] = "user: no-such-user\n"
	                           "group: no-such-group\n" SITES;
	struct config c;

	(void)state;
	if (geteuid() == 0) {
		refuse(text, "there is no user \"no-such-user\"");
		refuse(text, "there is no group \"no-such-group\"");
		return;
	}
	assert_true(load(&c, text));
	config_end(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_small_file_serves),
		TEST(defaults_are_those_of_the_manual),
		TEST(workers_are_counted),
		TEST(overrides_win_over_the_file),
		TEST(the_admin_endpoint_is_beside_those_of_the_sites),
		TEST(the_admin_endpoint_answers_any_host_with_its_step),
		TEST(an_admin_endpoint_without_an_address_is_none),
		TEST(a_mistake_names_its_place),
		TEST(all_mistakes_are_told_at_once),
		TEST(a_file_that_is_not_there_is_a_mistake_too),
		TEST(only_root_needs_its_users_to_exist)
	};

	clock_update();
	config_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
