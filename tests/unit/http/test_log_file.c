/* Log files: how they are opened, replaced, and written to without waiting. */
#include "http/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
	struct arena *a;
	struct conf_load *load;
	struct generation g;
	char dir[64];
};

static int
place_open(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	p->a = arena_new();
	p->load = conf_load_new(p->a, &conf_source_disk);
	p->g.arena = p->a;
	snprintf(p->dir, sizeof p->dir, "/tmp/test_log_file.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	umask(022);
	*state = p;
	return 0;
}

static int
place_close(void **state)
{
	struct place *p = *state;
	char command[96];

	log_files_close(&p->g);
	snprintf(command, sizeof command, "rm -r %s", p->dir);
	assert_int_equal(system(command), 0);
	arena_end(p->a);
	arena_trim();
	free(p);
	return 0;
}

static const char *
path_of(struct place *p, const char *name)
{
	return arena_printf(p->a, "%s/%s", p->dir, name);
}

static struct log_file *
file_of(struct place *p, const char *name)
{
	const char *path = strcmp(name, "stderr") == 0 ? name :
	    path_of(p, name);

	return log_file_get(p->load, &p->g, path, (struct conf_pos){0});
}

static bool
opens(struct place *p, struct err *e)
{
	return log_files_open(&p->g, 65534, 65534, e);
}

static struct log_file *
opened(struct place *p, const char *name)
{
	struct log_file *f = file_of(p, name);
	struct err e = {""};

	if (!opens(p, &e))
		fail_msg("%s", e.text);
	return f;
}

static void
expect_refusal(struct place *p, const char *name, const char *why)
{
	struct log_file *f = file_of(p, name);
	struct err e = {""};
	char want[512];

	snprintf(want, sizeof want, "cannot open the log %s/%s: %s", p->dir,
	    name, why);
	assert_false(opens(p, &e));
	assert_string_equal(e.text, want);
	assert_int_equal(f->fd, -1);
}

static const char *
content(struct place *p, const char *name)
{
	static char text[4096];
	FILE *file = fopen(path_of(p, name), "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
put(const struct log_file *f, const char *lines)
{
	assert_int_equal(log_file_write(f, lines, strlen(lines)),
	    strlen(lines));
}

/* ---- the list ---------------------------------------------------------- */

static void
a_path_is_one_file(void **state)
{
	struct place *p = *state;
	struct log_file *files[20];

	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof name, "%u.log", i);
		files[i] = file_of(p, name);
		assert_int_equal(files[i]->index, i);
		assert_int_equal(files[i]->fd, -1);
	}
	assert_ptr_equal(file_of(p, "7.log"), files[7]);
	assert_int_equal(log_file_count(&p->g), 20);
	for (unsigned i = 0; i < 20; i++)
		assert_ptr_equal(log_file_at(&p->g, i), files[i]);
}

/* ---- opening ----------------------------------------------------------- */

static void
a_new_file_is_private_and_the_workers_own(void **state)
{
	struct place *p = *state;
	struct log_file *f = opened(p, "a.log");
	struct stat st;

	assert_int_equal(fstat(f->fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 65534 : geteuid());
	assert_true((fcntl(f->fd, F_GETFL) & O_APPEND) != 0);
	assert_true((fcntl(f->fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
a_file_that_exists_keeps_owner_and_content(void **state)
{
	struct place *p = *state;
	struct stat st;
	FILE *file = fopen(path_of(p, "a.log"), "w");

	fputs("before\n", file);
	fclose(file);
	put(opened(p, "a.log"), "after\n");
	assert_string_equal(content(p, "a.log"), "before\nafter\n");
	assert_int_equal(stat(path_of(p, "a.log"), &st), 0);
	assert_int_equal(st.st_uid, geteuid());
}

static void
links_are_followed_but_make_no_file(void **state)
{
	struct place *p = *state;

	fclose(fopen(path_of(p, "real"), "w"));
	assert_int_equal(symlink("real", path_of(p, "link")), 0);
	put(opened(p, "link"), "x\n");
	assert_string_equal(content(p, "real"), "x\n");

	assert_int_equal(symlink("elsewhere", path_of(p, "dangling")), 0);
	expect_refusal(p, "dangling", "it is a symbolic link to nothing");
	assert_int_not_equal(access(path_of(p, "elsewhere"), F_OK), 0);
}

static void
what_cannot_be_opened_says_why(void **state)
{
	struct place *p = *state;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char why[128];

	snprintf(why, sizeof why, "the directory %s/none does not exist",
	    p->dir);
	expect_refusal(p, "none/a.log", why);
	p->g.n_log_files = 0;
	expect_refusal(p, ".", "is a directory");
	p->g.n_log_files = 0;
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path_of(p, "sock"));
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
	expect_refusal(p, "sock", "it is a socket");
}

static void
opening_is_all_or_nothing(void **state)
{
	struct place *p = *state;
	struct log_file *old = opened(p, "old.log");
	struct log_file *first = file_of(p, "first.log");
	struct err e;

	file_of(p, "none/second.log");
	assert_false(opens(p, &e));
	assert_int_equal(first->fd, -1);
	assert_true(old->fd >= 0);
	put(old, "x\n");
}

/* ---- replacing --------------------------------------------------------- */

static void
a_replaced_file_keeps_its_number(void **state)
{
	struct place *p = *state;
	struct log_file *f = opened(p, "a.log");
	int fd = f->fd, new_fd;
	struct err e;

	put(f, "one\n");
	assert_int_equal(rename(path_of(p, "a.log"), path_of(p, "a.1")), 0);
	new_fd = log_file_reopen(f, 65534, 65534, &e);
	assert_true(new_fd >= 0);
	log_file_replace(f, new_fd);
	assert_int_equal(f->fd, fd);
	assert_int_equal(f->turns, 1);
	assert_int_equal(fcntl(new_fd, F_GETFD), -1);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	put(f, "two\n");
	assert_string_equal(content(p, "a.1"), "one\n");
	assert_string_equal(content(p, "a.log"), "two\n");

	/* A message whose descriptor got lost changes nothing. */
	log_file_replace(f, -1);
	put(f, "three\n");
	assert_string_equal(content(p, "a.log"), "two\nthree\n");
}

/* ---- writing ----------------------------------------------------------- */

static void
a_fifo_without_a_reader_is_not_waited_for(void **state)
{
	struct place *p = *state;
	char got[16] = "";
	struct log_file *f;
	int reader;

	assert_int_equal(mkfifo(path_of(p, "fifo"), 0600), 0);
	f = opened(p, "fifo");
	assert_int_equal(f->kind, LOG_FILE_PIPE);
	put(f, "early\n");
	reader = open(path_of(p, "fifo"), O_RDONLY | O_NONBLOCK);
	assert_int_equal(read(reader, got, sizeof got), 6);
	assert_string_equal(got, "early\n");
	close(reader);
}

static void
a_full_pipe_takes_whole_lines_and_no_time(void **state)
{
	struct place *p = *state;
	static char lines[200000], got[200000];
	struct log_file *f;
	size_t done, n = 0;
	ssize_t part;
	int reader;

	/* 300 does not divide PIPE_BUF, nor that what a pipe holds. */
	memset(lines, 'x', sizeof lines);
	for (size_t i = 299; i < sizeof lines; i += 300)
		lines[i] = '\n';
	assert_int_equal(mkfifo(path_of(p, "fifo"), 0600), 0);
	f = opened(p, "fifo");
	done = log_file_write(f, lines, 300 * 600);
	assert_int_equal(errno, EAGAIN);
	assert_true(done > 0 && done < 300 * 600);
	assert_int_equal(done % 300, 0);

	reader = open(path_of(p, "fifo"), O_RDONLY | O_NONBLOCK);
	while ((part = read(reader, got + n, sizeof got - n)) > 0)
		n += (size_t)part;
	assert_int_equal(n, done);
	assert_memory_equal(got, lines, done);
	close(reader);
}

static void
a_line_longer_than_a_pipe_takes_at_once_goes_too(void **state)
{
	struct place *p = *state;
	static char line[3 * PIPE_BUF];
	struct log_file *f;

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	assert_int_equal(mkfifo(path_of(p, "fifo"), 0600), 0);
	f = opened(p, "fifo");
	assert_int_equal(log_file_write(f, line, sizeof line), sizeof line);
}

static void
a_full_disk_takes_nothing(void **state)
{
	struct place *p = *state;
	struct err e;
	struct log_file *f = log_file_get(p->load, &p->g, "/dev/full",
	    (struct conf_pos){0});

	assert_true(opens(p, &e));
	assert_int_equal(log_file_write(f, "x\n", 2), 0);
	assert_int_equal(errno, ENOSPC);
}

/* Runs FN with stderr being FD. */
static void
with_stderr(int fd, void (*fn)(struct place *p), struct place *p)
{
	int saved = dup(STDERR_FILENO);

	dup2(fd, STDERR_FILENO);
	fn(p);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void
log_to_stderr(struct place *p)
{
	struct log_file *f = opened(p, "stderr");
	int again = log_file_reopen(f, 0, 0, NULL);

	assert_true(f->fd > STDERR_FILENO);
	put(f, "x\n");
	assert_true(again > STDERR_FILENO);
	close(again);
}

static void
a_standard_stream_stays_as_others_know_it(void **state)
{
	struct place *p = *state;
	char got[8] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	with_stderr(fds[1], log_to_stderr, p);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	assert_true((fcntl(log_file_at(&p->g, 0)->fd, F_GETFL) & O_NONBLOCK)
	    != 0);
	assert_int_equal(read(fds[0], got, sizeof got), 2);
	assert_string_equal(got, "x\n");
	close(fds[0]);
	close(fds[1]);
}

static void
a_socket_as_stream_is_not_waited_for(void **state)
{
	static char line[100000];
	struct place *p = *state;
	struct log_file *f;
	int fds[2], rounds = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	with_stderr(fds[1], log_to_stderr, p);
	f = log_file_at(&p->g, 0);
	assert_int_equal(f->kind, LOG_FILE_SOCKET);
	while (log_file_write(f, line, sizeof line) == sizeof line)
		assert_true(++rounds < 1000);
	assert_int_equal(errno, EAGAIN);
	close(fds[0]);
	/* A reader that is gone costs no signal. */
	assert_int_equal(log_file_write(f, line, 1), 0);
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, place_open, place_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_path_is_one_file),
		TEST(a_new_file_is_private_and_the_workers_own),
		TEST(a_file_that_exists_keeps_owner_and_content),
		TEST(links_are_followed_but_make_no_file),
		TEST(what_cannot_be_opened_says_why),
		TEST(opening_is_all_or_nothing),
		TEST(a_replaced_file_keeps_its_number),
		TEST(a_fifo_without_a_reader_is_not_waited_for),
		TEST(a_full_pipe_takes_whole_lines_and_no_time),
		TEST(a_line_longer_than_a_pipe_takes_at_once_goes_too),
		TEST(a_full_disk_takes_nothing),
		TEST(a_standard_stream_stays_as_others_know_it),
		TEST(a_socket_as_stream_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
