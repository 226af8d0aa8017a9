/*
 * Descriptors and whole files. What the kernel seldom does (short writes,
 * interruptions, a full disk) is done by a write(2) of the test's own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

/* The most that the next writes take, or minus errno; 0: as the kernel. */
static ssize_t script[8];
static size_t script_at;

static ssize_t
scripted_write(int fd, const void *p, size_t n)
{
	ssize_t most = script_at < 8 ? script[script_at++] : 0;

	if (most < 0) {
		errno = (int)-most;
		return -1;
	}
	return write(fd, p, most > 0 && (size_t)most < n ? (size_t)most : n);
}

#define write scripted_write
#include "base/fd.c"
#undef write

#include <dirent.h>

static char dir[] = "/tmp/weir-test-fd-XXXXXX";

static void
set_script(const ssize_t *steps, size_t n)
{
	memset(script, 0, sizeof script);
	if (n > 0)
		memcpy(script, steps, n * sizeof *steps);
	script_at = 0;
}

static const char *
path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static unsigned
files_in_dir(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2; /* . and .. */
}

static void
assert_holds(const char *path, const char *want)
{
	struct arena *a = arena_new();
	struct str got;

	assert_true(fd_read_file(path, 1000, a, &got, NULL));
	assert_string_equal(got.p, want);
	arena_end(a);
}

static void
close_closes_once(void **state)
{
	int fd = dup(1), none = -1;

	(void)state;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	fd_close(&none);
	assert_int_equal(none, -1);
}

static void
flags_go_on_and_off_alone(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_true(fd_set_nonblocking(p[1], true));
	assert_true(fd_set_cloexec(p[1], true));
	assert_int_equal(fcntl(p[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	assert_int_equal(fcntl(p[1], F_GETFD), FD_CLOEXEC);
	assert_true(fd_set_nonblocking(p[1], false));
	assert_true(fd_set_cloexec(p[1], false));
	assert_int_equal(fcntl(p[1], F_GETFL), O_WRONLY);
	assert_int_equal(fcntl(p[1], F_GETFD), 0);
	close(p[0]);
	close(p[1]);
	assert_false(fd_set_nonblocking(-1, true));
	assert_int_equal(errno, EBADF);
}

static void
write_all_goes_on_after_short_writes_and_interruptions(void **state)
{
	static const ssize_t steps[] = {3, -EINTR, 1, -EINTR, -EINTR, 2};
	char got[16] = "";
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	set_script(steps, 6);
	assert_true(fd_write_all(p[1], "0123456789", 10));
	assert_int_equal(script_at, 7);
	assert_int_equal(read(p[0], got, sizeof got), 10);
	assert_string_equal(got, "0123456789");
	assert_true(fd_write_all(p[1], NULL, 0));
	close(p[0]);
	close(p[1]);
}

static void
write_all_fails_with_errno(void **state)
{
	static const ssize_t steps[] = {3, -ENOSPC};
	int fd = open("/dev/null", O_WRONLY);

	(void)state;
	set_script(steps, 2);
	assert_false(fd_write_all(fd, "0123456789", 10));
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void
read_file_gives_all_with_a_nul(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	struct arena *a = arena_new();
	char *text = arena_alloc(a, 100000);
	const char *path = path_of("read");
	struct str got;

	(void)state;
	memset(text, 'x', 100000);
	set_script(NULL, 0);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		assert_true(fd_replace_file(path, str_of(text, sizes[i]), 0600,
		    NULL));
		assert_true(fd_read_file(path, sizes[i], a, &got, NULL));
		assert_true(str_eq(got, str_of(text, sizes[i])));
		assert_int_equal(got.p[got.n], '\0');
	}
	unlink(path);
	arena_end(a);
}

static void
read_file_refuses_what_is_too_large(void **state)
{
	struct arena *a = arena_new();
	const char *path = path_of("large");
	struct err e = {""};
	struct str got;
	char want[160];
	size_t before;

	(void)state;
	set_script(NULL, 0);
	assert_true(fd_replace_file(path, STR("12345"), 0600, NULL));
	assert_false(fd_read_file(path, 4, a, &got, &e));
	snprintf(want, sizeof want, "%s is larger than 4 bytes", path);
	assert_string_equal(e.text, want);
	assert_false(fd_read_file(path, 0, a, &got, &e));
	/* Of those that do not tell their size, either. */
	assert_false(fd_read_file("/dev/zero", 100000, a, &got, &e));
	assert_string_equal(e.text, "/dev/zero is larger than 100000 bytes");
	/* A huge one takes no memory to be refused. */
	assert_int_equal(truncate(path, (off_t)1 << 33), 0);
	before = arena_size(a);
	assert_false(fd_read_file(path, (size_t)1 << 30, a, &got, &e));
	assert_true(arena_size(a) - before < 100000);
	unlink(path);
	arena_end(a);
}

static void
read_file_reads_what_has_no_size(void **state)
{
	struct arena *a = arena_new();
	struct str got;

	(void)state;
	assert_true(fd_read_file("/proc/self/stat", 100000, a, &got, NULL));
	assert_true(got.n > 10);
	assert_true(fd_read_file("/dev/null", 10, a, &got, NULL));
	assert_int_equal(got.n, 0);
	arena_end(a);
}

static void
read_file_says_what_is_wrong(void **state)
{
	struct arena *a = arena_new();
	struct err e = {""};
	struct str got;

	(void)state;
	assert_false(fd_read_file("/nowhere/at all", 10, a, &got, &e));
	assert_string_equal(e.text,
	    "cannot open /nowhere/at all: no such file or directory");
	assert_false(fd_read_file("/", 10, a, &got, &e));
	assert_string_equal(e.text, "cannot read /: it is a directory");
	/* Nobody writes to it: it must not be waited for. */
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_true(fd_read_file(path_of("fifo"), 10, a, &got, &e));
	assert_int_equal(got.n, 0);
	unlink(path_of("fifo"));
	arena_end(a);
}

static void
replacing_is_seen_whole_or_not_at_all(void **state)
{
	const char *path = path_of("state");
	char got[8] = "";
	struct stat st;
	int old;

	(void)state;
	set_script(NULL, 0);
	assert_true(fd_replace_file(path, STR("first"), 0600, NULL));
	old = open(path, O_RDONLY);
	assert_true(fd_replace_file(path, STR("2nd"), 0644, NULL));
	/* Who has it open keeps what he opened. */
	assert_int_equal(read(old, got, sizeof got), 5);
	assert_string_equal(got, "first");
	assert_holds(path, "2nd");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(files_in_dir(), 1);
	close(old);
	unlink(path);
}

static void
mode_is_what_was_said_whatever_the_umask(void **state)
{
	mode_t before = umask(077);
	struct stat st;

	(void)state;
	assert_true(fd_replace_file(path_of("m"), STR("x"), 0644, NULL));
	umask(before);
	assert_int_equal(stat(path_of("m"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	unlink(path_of("m"));
}

static void
a_failed_replacement_leaves_the_old_file(void **state)
{
	static const ssize_t full[] = {2, -ENOSPC};
	const char *path = path_of("state");
	struct err e = {""};
	char want[160];

	(void)state;
	set_script(NULL, 0);
	assert_true(fd_replace_file(path, STR("first"), 0600, NULL));
	set_script(full, 2);
	assert_false(fd_replace_file(path, STR("second"), 0600, &e));
	snprintf(want, sizeof want,
	    "cannot write %s: no space left on device", path);
	assert_string_equal(e.text, want);
	assert_holds(path, "first");
	assert_int_equal(files_in_dir(), 1);
	unlink(path);
}

static void
replacing_says_what_is_wrong(void **state)
{
	char path[5000];
	struct err e = {""};

	(void)state;
	assert_false(fd_replace_file("/nowhere/x", STR("x"), 0600, &e));
	assert_string_equal(e.text,
	    "cannot write /nowhere/x: no such file or directory");
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_false(fd_replace_file(path, STR("x"), 0600, &e));
	/* A directory cannot be replaced by a file. */
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	assert_false(fd_replace_file(path_of("d"), STR("x"), 0600, &e));
	assert_int_equal(files_in_dir(), 1);
	rmdir(path_of("d"));
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_closes_once),
		cmocka_unit_test(flags_go_on_and_off_alone),
		cmocka_unit_test(
		    write_all_goes_on_after_short_writes_and_interruptions),
		cmocka_unit_test(write_all_fails_with_errno),
		cmocka_unit_test(read_file_gives_all_with_a_nul),
		cmocka_unit_test(read_file_refuses_what_is_too_large),
		cmocka_unit_test(read_file_reads_what_has_no_size),
		cmocka_unit_test(read_file_says_what_is_wrong),
		cmocka_unit_test(replacing_is_seen_whole_or_not_at_all),
		cmocka_unit_test(mode_is_what_was_said_whatever_the_umask),
		cmocka_unit_test(a_failed_replacement_leaves_the_old_file),
		cmocka_unit_test(replacing_says_what_is_wrong)
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
