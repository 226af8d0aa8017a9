/*
 * access_log: what a line says, and what becomes of lines when the place that
 * they go to is slow, full or moved away. Files are real; time is not.
 */
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A world whose log is DIR/a.log, opened as the master would. */
struct desk {
	struct world *w;
	char dir[64], path[96];
	int error_log; /* what the error log says goes here */
};

static const char *
read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	static char all[1 << 20];
	size_t n = 0;
	ssize_t got;

	assert_true(fd >= 0);
	while ((got = read(fd, all + n, sizeof all - 1 - n)) > 0)
		n += (size_t)got;
	all[n] = '\0';
	close(fd);
	return all;
}

static const char *
written(struct desk *d)
{
	return read_file(d->path);
}

static const char *
error_lines(struct desk *d)
{
	static char text[4096];
	ssize_t n = pread(d->error_log, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
desk_start(struct desk *d)
{
	struct err e = {""};

	if (!log_files_open(&d->w->g, 65534, 65534, &e))
		fail_msg("%s", e.text);
	d->w->server.module_state[MODULE_access_log] =
	    access_log_module.start(&d->w->server);
}

static struct desk *
desk_new(void)
{
	static struct desk d;

	d = (struct desk){ .w = world_new(&access_log_module) };
	snprintf(d.dir, sizeof d.dir, "/tmp/test_access_log.XXXXXX");
	assert_non_null(mkdtemp(d.dir));
	snprintf(d.path, sizeof d.path, "%s/a.log", d.dir);
	d.error_log = open(d.dir, O_TMPFILE | O_RDWR | O_APPEND, 0600);
	assert_true(d.error_log >= 0);
	log_set_fd(d.error_log);
	return &d;
}

/* In YAML, PATH stands for that of the log. */
static struct desk *
desk_of(const char *yaml)
{
	struct desk *d = desk_new();
	const char *at = strstr(yaml, "PATH");

	world_load(d->w, arena_printf(d->w->arena, "%.*s%s%s",
	    (int)(at - yaml), yaml, d->path, at + 4));
	assert_string_equal(world_messages(d->w), "");
	desk_start(d);
	return d;
}

static void
desk_stop(struct desk *d)
{
	struct server *s = &d->w->server;

	if (s->module_state[MODULE_access_log] != NULL)
		access_log_module.stop(s, s->module_state[MODULE_access_log]);
	s->module_state[MODULE_access_log] = NULL;
}

static void
desk_end(struct desk *d)
{
	char command[96];

	desk_stop(d);
	log_files_close(&d->w->g);
	world_end(d->w);
	log_set_fd(STDERR_FILENO);
	close(d->error_log);
	snprintf(command, sizeof command, "rm -r %s", d->dir);
	assert_int_equal(system(command), 0);
}

static uint64_t
count(struct desk *d, const char *name)
{
	const struct counter_row *row = access_log_module.counters->rows;
	uint64_t v;

	while (strcmp(row->name, name) != 0)
		assert_non_null((++row)->name);
	memcpy(&v, (char *)d->w->stats + row->offset, sizeof v);
	return v;
}
#define LINES(d) count(d, "weir_access_log_lines_total")
#define LOST(d) count(d, "weir_access_log_lost_lines_total")
#define BYTES(d) count(d, "weir_access_log_written_bytes_total")
#define WRITES(d) count(d, "weir_access_log_writes_total")

static void
pass(struct desk *d, uint64_t ms)
{
	clock_fake_advance(ms);
	loop_tick(d->w->loop, 0);
}

static void
log_at(const struct level *l, struct txn *t)
{
	t->state = TXN_FINISHED;
	if (!conf_is_off(l->conf))
		assert_int_equal(access_log_module.step(t, l->conf),
		    STEP_NEXT);
}

static struct txn *
answered(struct desk *d, const char *target)
{
	struct txn *t = request(d->w, "GET", target);

	txn_reply(t, 200);
	t->bytes_sent = 180;
	t->body_sent = 42;
	return t;
}

static void
log_one(struct desk *d, const char *target)
{
	log_at(d->w->top, answered(d, target));
}

/* Under "log_formats: {uri: $request_uri}" a line is the target. */
#define URIS "log_formats: {uri: $request_uri}\n"

static void
expect_line(const char *format, struct txn *(*make)(struct desk *d),
    const char *want)
{
	char yaml[512];
	struct desk *d;

	snprintf(yaml, sizeof yaml,
	    "log_formats: {brief: '$remote_addr \"$request\" $status'}\n"
	    "access_log: {to: PATH, format: %s}\n", format);
	d = desk_of(yaml);
	log_at(d->w->top, make(d));
	desk_stop(d);
	assert_string_equal(written(d), want);
	desk_end(d);
}

/* ---- what a line says -------------------------------------------------- */

static struct txn *
make_plain(struct desk *d)
{
	struct txn *t = answered(d, "/x?y");

	field(t, "Referer", "http://b.example/");
	field(t, "User-Agent", "test/1");
	clock_fake_advance(12);
	return t;
}

static struct txn *
make_hostile(struct desk *d)
{
	struct txn *t = answered(d, "/x");

	field(t, "User-Agent", "a\"b\\c\xff\x1b[31m");
	return t;
}

static struct txn *
make_malformed(struct desk *d)
{
	struct txn *t = answered(d, "/x");

	t->req = (struct request){ .line = STR("\x16\x03\x01"),
		.body = t->req.body };
	t->res.status = 400;
	t->reason = "bad_request";
	return t;
}

static struct txn *
make_proxied(struct desk *d)
{
	static struct upstream_report report = {
		.name = "app", .addr = STR_INIT("10.0.0.1:80, 10.0.0.2:80"),
		.status = STR_INIT("-, 502"), .attempts = 2,
		.connect_us = 1500, .header_us = 2500000, .response_us = 999,
		.phase = "head", .cause = "timeout"
	};
	struct txn *t = answered(d, "/x");

	t->upstream = &report;
	t->res.status = 502;
	t->request_id = STR("00ff");
	return t;
}

static void
combined_and_common_are_as_everybody_knows_them(void **state)
{
	(void)state;
	expect_line("combined", make_plain,
	    "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /x?y HTTP/1.1\" "
	    "200 42 \"http://b.example/\" \"test/1\"\n");
	expect_line("common", make_plain,
	    "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /x?y HTTP/1.1\" "
	    "200 42\n");
}

static void
formats_of_the_operator_have_names(void **state)
{
	(void)state;
	expect_line("brief", make_plain,
	    "192.0.2.7 \"GET /x?y HTTP/1.1\" 200\n");
}

static void
a_request_cannot_write_lines(void **state)
{
	(void)state;
	expect_line("combined", make_hostile,
	    "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /x HTTP/1.1\" "
	    "200 42 \"-\" \"a\\x22b\\x5Cc\\xFF\\x1B[31m\"\n");
	expect_line("json", make_hostile,
	    "{\"time\":\"2023-11-14T22:13:20.000+00:00\","
	    "\"remote_addr\":\"192.0.2.7\",\"method\":\"GET\","
	    "\"scheme\":\"http\",\"host\":\"a.example\",\"uri\":\"/x\","
	    "\"protocol\":\"HTTP/1.1\","
	    "\"user_agent\":\"a\\\"b\\\\c\\u00ff\\u001b[31m\","
	    "\"status\":200,\"bytes\":180,\"body_bytes\":42,"
	    "\"request_time\":0.000}\n");
}

static void
json_has_numbers_and_leaves_out_what_is_not(void **state)
{
	(void)state;
	expect_line("json", make_plain,
	    "{\"time\":\"2023-11-14T22:13:20.012+00:00\","
	    "\"remote_addr\":\"192.0.2.7\",\"method\":\"GET\","
	    "\"scheme\":\"http\",\"host\":\"a.example\",\"uri\":\"/x?y\","
	    "\"protocol\":\"HTTP/1.1\",\"referer\":\"http://b.example/\","
	    "\"user_agent\":\"test/1\",\"status\":200,\"bytes\":180,"
	    "\"body_bytes\":42,\"request_time\":0.012}\n");
	expect_line("json", make_malformed,
	    "{\"time\":\"2023-11-14T22:13:20.000+00:00\","
	    "\"remote_addr\":\"192.0.2.7\","
	    "\"request\":\"\\u0016\\u0003\\u0001\",\"status\":400,"
	    "\"bytes\":180,\"body_bytes\":42,\"request_time\":0.000,"
	    "\"reason\":\"bad_request\"}\n");
}

static void
json_tells_of_the_upstream(void **state)
{
	(void)state;
	expect_line("json", make_proxied,
	    "{\"time\":\"2023-11-14T22:13:20.000+00:00\","
	    "\"remote_addr\":\"192.0.2.7\",\"method\":\"GET\","
	    "\"scheme\":\"http\",\"host\":\"a.example\",\"uri\":\"/x\","
	    "\"protocol\":\"HTTP/1.1\",\"status\":502,\"bytes\":180,"
	    "\"body_bytes\":42,\"request_time\":0.000,"
	    "\"request_id\":\"00ff\",\"upstream_name\":\"app\","
	    "\"upstream_addr\":\"10.0.0.1:80, 10.0.0.2:80\","
	    "\"upstream_status\":502,\"upstream_attempts\":2,"
	    "\"upstream_connect_time\":0.001,"
	    "\"upstream_header_time\":2.500,"
	    "\"upstream_response_time\":0.000,\"upstream_phase\":\"head\","
	    "\"upstream_cause\":\"timeout\"}\n");
}

/* ---- gathering --------------------------------------------------------- */

static void
lines_wait_for_flush_and_leave_together(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri, flush: 2s}\n");

	(void)state;
	pass(d, 5000);
	log_one(d, "/1");
	pass(d, 1000);
	log_one(d, "/2");
	pass(d, 900);
	assert_string_equal(written(d), "");
	pass(d, 200);
	assert_string_equal(written(d), "/1\n/2\n");
	assert_int_equal(WRITES(d), 1);
	assert_int_equal(LINES(d), 2);
	assert_int_equal(BYTES(d), 6);

	/* Nothing is written when there is nothing. */
	pass(d, 10000);
	assert_int_equal(WRITES(d), 1);
	log_one(d, "/3");
	pass(d, 2100);
	assert_string_equal(written(d), "/1\n/2\n/3\n");
	desk_end(d);
}

static void
a_full_buffer_is_written_at_once(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri, buffer: 8k, flush: 1h}\n");
	char target[1000];

	(void)state;
	memset(target, 'x', sizeof target - 1);
	target[sizeof target - 1] = '\0';
	for (int i = 0; i < 8; i++)
		log_one(d, target);
	assert_int_equal(WRITES(d), 0);
	log_one(d, target);
	assert_int_equal(WRITES(d), 1);
	assert_int_equal(strlen(written(d)), 8000);
	desk_stop(d);
	assert_int_equal(strlen(written(d)), 9000);
	desk_end(d);
}

static void
a_line_larger_than_the_buffer_is_written_by_itself(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri, buffer: 4k, flush: 1h}\n");
	static char target[20000];
	const char *text;

	(void)state;
	memset(target, 'x', sizeof target - 1);
	log_one(d, "/1");
	log_one(d, target);
	text = written(d);
	assert_int_equal(strlen(text), 3 + 20000);
	assert_memory_equal(text, "/1\nxx", 5);
	assert_int_equal(text[3 + 19999], '\n');
	log_one(d, "/2");
	desk_stop(d);
	assert_int_equal(strlen(written(d)), 3 + 20000 + 3);
	assert_int_equal(LINES(d), 3);
	assert_int_equal(LOST(d), 0);
	desk_end(d);
}

static void
without_a_buffer_every_line_is_written_at_once(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri, buffer: 0}\n");

	(void)state;
	log_one(d, "/1");
	assert_string_equal(written(d), "/1\n");
	log_one(d, "/2");
	assert_string_equal(written(d), "/1\n/2\n");
	desk_end(d);
}

static void
draining_and_stopping_write_what_is_there(void **state)
{
	struct desk *d = desk_of(URIS "access_log: {to: PATH, format: uri}\n");
	struct server *s = &d->w->server;

	(void)state;
	log_one(d, "/1");
	access_log_module.drain(s, s->module_state[MODULE_access_log]);
	assert_string_equal(written(d), "/1\n");
	log_one(d, "/2");
	desk_stop(d);
	assert_string_equal(written(d), "/1\n/2\n");
	desk_end(d);
}

static void
levels_share_the_buffer_of_a_file(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri}\n"
	    "inner:\n"
	    "  access_log: {format: json}\n"
	    "  inner: {access_log: off}\n");
	struct level *inner = d->w->top->inner;

	(void)state;
	assert_int_equal(log_file_count(&d->w->g), 1);
	log_one(d, "/1");
	log_at(inner, answered(d, "/2"));
	log_at(inner->inner, answered(d, "/3"));
	log_one(d, "/4");
	desk_stop(d);
	assert_memory_equal(written(d), "/1\n{\"time\"", 10);
	assert_non_null(strstr(written(d), "}\n/4\n"));
	assert_null(strstr(written(d), "/3"));
	assert_int_equal(WRITES(d), 1);
	desk_end(d);
}

static void
off_as_a_place_opens_nothing(void **state)
{
	struct world *w = world_of(&access_log_module,
	    "access_log: {to: off, format: json}\n");
	struct txn *t = request(w, "GET", "/");

	(void)state;
	assert_int_equal(log_file_count(&w->g), 0);
	assert_int_equal(access_log_module.step(t, w->top->conf), STEP_NEXT);
	world_end(w);
}

/* ---- places that take nothing ------------------------------------------ */

static void
a_full_disk_costs_lines_not_memory(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	world_load(d->w, URIS
	    "access_log: {to: /dev/full, format: uri, buffer: 4k}\n");
	assert_string_equal(world_messages(d->w), "");
	desk_start(d);
	for (int i = 0; i < 100000; i++)
		log_one(d, "/123456");
	assert_int_equal(LINES(d), 100000);
	assert_int_equal(LOST(d), 100000 - 4096 / 8);
	assert_int_equal(BYTES(d), 0);
	/* It is not tried again for every line. */
	assert_int_equal(WRITES(d), 1);
	pass(d, 1100);
	assert_int_equal(WRITES(d), 2);
	desk_stop(d);
	assert_int_equal(LOST(d), 100000);
	desk_end(d);
}

static void
lost_lines_are_reported_once_a_minute(void **state)
{
	struct desk *d = desk_new();
	const char *text, *second;
	size_t before;

	(void)state;
	world_load(d->w, URIS
	    "access_log: {to: /dev/full, format: uri, buffer: 4k}\n");
	desk_start(d);
	for (int i = 0; i < 513; i++)
		log_one(d, "/123456");
	text = error_lines(d);
	assert_non_null(strstr(text, "lines lost from the access log "
	    "/dev/full: 1 (No space left on device)"));
	before = strlen(text);
	for (int i = 0; i < 50; i++) {
		log_one(d, "/123456");
		pass(d, 1000);
	}
	assert_int_equal(strlen(error_lines(d)), before);
	for (int i = 0; i < 12; i++)
		pass(d, 1000);
	second = strstr(error_lines(d), "/dev/full: 50 (No space");
	assert_non_null(second);
	/* All is told: there is no third. */
	for (int i = 0; i < 100; i++)
		pass(d, 1000);
	assert_non_null(second = strstr(error_lines(d), "/dev/full: 50"));
	assert_null(strstr(second + 1, "/dev/full:"));
	desk_end(d);
}

/* Reads what a pipe holds. */
static size_t
drink(int fd, char *to, size_t cap)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, to + n, cap - n)) > 0)
		n += (size_t)got;
	return n;
}

static void
a_slow_reader_gets_whole_lines_in_order(void **state)
{
	struct desk *d = desk_new();
	static char got[1 << 20];
	char target[16];
	unsigned last = 0, seen = 0;
	size_t n = 0;
	int reader;

	(void)state;
	assert_int_equal(mkfifo(d->path, 0600), 0);
	world_load(d->w, arena_printf(d->w->arena,
	    URIS "access_log: {to: %s, format: uri, buffer: 4k}\n", d->path));
	desk_start(d);
	reader = open(d->path, O_RDONLY | O_NONBLOCK);
	for (unsigned i = 1; i <= 60000; i++) {
		snprintf(target, sizeof target, "/%u", i);
		log_one(d, target);
		if (i % 20000 == 0) {
			n += drink(reader, got + n, sizeof got - n);
			pass(d, 20);
		}
	}
	pass(d, 1100);
	n += drink(reader, got + n, sizeof got - n);
	desk_stop(d);
	n += drink(reader, got + n, sizeof got - n);
	close(reader);

	for (char *p = got; p < got + n; seen++) {
		char *end = NULL;
		unsigned i = (unsigned)strtoul(p + 1, &end, 10);

		assert_int_equal(*p, '/');
		assert_int_equal(*end, '\n');
		assert_true(i > last);
		last = i;
		p = end + 1;
	}
	assert_int_equal(seen, LINES(d) - LOST(d));
	assert_true(LOST(d) > 0);
	desk_end(d);
}

/* The size that a file may grow to; what is beyond is written in part. */
static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_line_that_was_cut_is_finished_later(void **state)
{
	struct desk *d = desk_of(URIS "access_log: {to: PATH, format: uri}\n");

	(void)state;
	log_one(d, "/first");
	log_one(d, "/second");
	limit_files(10);
	pass(d, 1100);
	limit_files(RLIM_INFINITY);
	assert_string_equal(written(d), "/first\n/se");
	log_one(d, "/third");
	pass(d, 1100);
	assert_string_equal(written(d), "/first\n/second\n/third\n");
	assert_int_equal(LOST(d), 0);
	desk_end(d);
}

static void
a_long_line_that_was_cut_ends_where_it_is(void **state)
{
	struct desk *d = desk_of(URIS
	    "access_log: {to: PATH, format: uri, buffer: 4k}\n");
	static char target[20000];

	(void)state;
	memset(target, 'x', sizeof target - 1);
	limit_files(5000);
	log_one(d, target);
	limit_files(RLIM_INFINITY);
	assert_int_equal(LOST(d), 1);
	log_one(d, "/next");
	pass(d, 1100);
	assert_int_equal(strlen(written(d)), 5000 + 7);
	assert_string_equal(written(d) + 4999, "x\n/next\n");
	assert_int_equal(LOST(d), 1);
	desk_end(d);
}

/* ---- reopening --------------------------------------------------------- */

static void
move_away(struct desk *d, char *old, size_t size)
{
	struct log_file *f = log_file_at(&d->w->g, 0);
	struct err e;

	snprintf(old, size, "%s.1", d->path);
	assert_int_equal(rename(d->path, old), 0);
	log_file_replace(f, log_file_reopen(f, 65534, 65534, &e));
}

static void
a_reopened_file_gets_the_lines_that_wait(void **state)
{
	struct desk *d = desk_of(URIS "access_log: {to: PATH, format: uri}\n");
	char old[128];

	(void)state;
	log_one(d, "/1");
	pass(d, 1100);
	log_one(d, "/2");
	move_away(d, old, sizeof old);
	pass(d, 1100);
	assert_string_equal(read_file(old), "/1\n");
	assert_string_equal(written(d), "/2\n");
	desk_end(d);
}

static void
half_a_line_does_not_begin_a_new_file(void **state)
{
	struct desk *d = desk_of(URIS "access_log: {to: PATH, format: uri}\n");
	char old[128];

	(void)state;
	log_one(d, "/first");
	log_one(d, "/second");
	limit_files(10);
	pass(d, 1100);
	limit_files(RLIM_INFINITY);
	move_away(d, old, sizeof old);
	log_one(d, "/third");
	pass(d, 1100);
	assert_string_equal(read_file(old), "/first\n/se");
	assert_string_equal(written(d), "/third\n");
	assert_int_equal(LOST(d), 1);
	desk_end(d);
}

/* ---- loading ----------------------------------------------------------- */

static void
paths_are_relative_to_the_file_that_names_them(void **state)
{
	struct world *w = world_of(&access_log_module,
	    "access_log: log/a.log\n"
	    "inner: {access_log: {to: /etc/log/a.log, format: json}, "
	    "inner: {access_log: stderr}}\n");

	(void)state;
	assert_int_equal(log_file_count(&w->g), 2);
	assert_string_equal(log_file_at(&w->g, 0)->path, "/etc/log/a.log");
	assert_string_equal(log_file_at(&w->g, 1)->path, "stderr");
	world_end(w);
}

static void
mistakes_are_found_when_loading(void **state)
{
	static const struct {
		const char *yaml, *part;
	} rows[] = {
		{"access_log: {format: json}\n", "lacks the key \"to\""},
		{"access_log: {to: /x, format: combinde}\n",
		    "weir.yaml:1:30: \"combinde\" is neither combined, common "
		    "or json nor one of log_formats; did you mean "
		    "\"combined\"?"},
		{"log_formats: {brief: $host}\n"
		 "access_log: {to: /x, format: breif}\n",
		    "did you mean \"brief\"?"},
		{"log_formats: {json: $host}\n"
		 "access_log: {to: /x, format: json}\n",
		    "weir.yaml:1:15: the format json is built in"},
		{"access_log: syslog:daemon\n",
		    "expected a path, stderr, stdout or off, found \"syslog"},
		{"access_log: {to: /x, buffer: 17m}\n", "at most 16m"},
		{"access_log: {to: /x, flush: 1ms}\n",
		    "between 10ms and 1h"},
		{"access_log: /x\n"
		 "inner: {access_log: {buffer: 1m}}\n",
		    "weir.yaml:2:30: /x is logged to with another buffer or "
		    "flush at /etc/weir.yaml:1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		expect_error(&access_log_module, rows[i].yaml, rows[i].part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    combined_and_common_are_as_everybody_knows_them),
		cmocka_unit_test(formats_of_the_operator_have_names),
		cmocka_unit_test(a_request_cannot_write_lines),
		cmocka_unit_test(json_has_numbers_and_leaves_out_what_is_not),
		cmocka_unit_test(json_tells_of_the_upstream),
		cmocka_unit_test(lines_wait_for_flush_and_leave_together),
		cmocka_unit_test(a_full_buffer_is_written_at_once),
		cmocka_unit_test(
		    a_line_larger_than_the_buffer_is_written_by_itself),
		cmocka_unit_test(
		    without_a_buffer_every_line_is_written_at_once),
		cmocka_unit_test(draining_and_stopping_write_what_is_there),
		cmocka_unit_test(levels_share_the_buffer_of_a_file),
		cmocka_unit_test(off_as_a_place_opens_nothing),
		cmocka_unit_test(a_full_disk_costs_lines_not_memory),
		cmocka_unit_test(lost_lines_are_reported_once_a_minute),
		cmocka_unit_test(a_slow_reader_gets_whole_lines_in_order),
		cmocka_unit_test(a_line_that_was_cut_is_finished_later),
		cmocka_unit_test(a_long_line_that_was_cut_ends_where_it_is),
		cmocka_unit_test(a_reopened_file_gets_the_lines_that_wait),
		cmocka_unit_test(half_a_line_does_not_begin_a_new_file),
		cmocka_unit_test(
		    paths_are_relative_to_the_file_that_names_them),
		cmocka_unit_test(mistakes_are_found_when_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
