/*
 * Containment: over one table of tricky names, what the kernel answers and what
 * the walk by hand answers are the same, and both are what the table says.
 */
#include "http/file_open.c"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static char base[] = "/tmp/weir-test-open-XXXXXX";
static int root = -1;

/*
 * base/
 *   outside.txt
 *   out/secret.txt
 *   root/
 *     file.txt, empty/, dir/inner.txt, dir/deep/er.txt, fifo, closed/x
 *     and links
 */
static const struct {
	const char *name, *target;
} links[] = {
	{"to-file", "file.txt"}, {"to-dir", "dir"}, {"to-dir-slash", "dir/"},
	{"to-link", "to-file"}, {"to-inner", "dir/inner.txt"},
	{"to-dot", "."}, {"file-slash", "file.txt/"},
	{"dir/up", "../file.txt"}, {"dir/deep/up", "../../dir/inner.txt"},
	{"dir/round", "../dir/../dir/deep"},
	{"gone", "nowhere"}, {"gone-deep", "nowhere/at/all"},
	{"loop", "loop"}, {"ping", "pong"}, {"pong", "ping"},
	{"out", "../outside.txt"}, {"out-dir", "../out"},
	{"dir/out", "../../outside.txt"}, {"up", ".."},
	{"there-and-back", "../root/file.txt"},
	{"slash", "/"},
	{"to-out", "out"}, {"long", "dir/deep/../../to-dir/./deep/er.txt"}
};

enum { OK = 0 };

/* What O_RDONLY gives: 0 or errno, where links are followed never, inside,
 * always; and the path below base that it is. */
static const struct row {
	const char *path;
	int never, inside, always;
	const char *is;
} rows[] = {
	{"", OK, OK, OK, "root"},
	{"/", OK, OK, OK, "root"},
	{".", OK, OK, OK, "root"},
	{"file.txt", OK, OK, OK, "root/file.txt"},
	{"/file.txt", OK, OK, OK, "root/file.txt"},
	{"///file.txt", OK, OK, OK, "root/file.txt"},
	{"./file.txt", OK, OK, OK, "root/file.txt"},
	{"file.txt/", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	{"file.txt/.", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	{"file.txt/x", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	{"file.txt/..", ENOTDIR, ENOTDIR, EXDEV, NULL},
	{"dir", OK, OK, OK, "root/dir"},
	{"dir/", OK, OK, OK, "root/dir"},
	{"dir//", OK, OK, OK, "root/dir"},
	{"dir/.", OK, OK, OK, "root/dir"},
	{"dir//inner.txt", OK, OK, OK, "root/dir/inner.txt"},
	{"dir/./inner.txt", OK, OK, OK, "root/dir/inner.txt"},
	{"dir/inner.txt/", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	{"dir/deep/er.txt", OK, OK, OK, "root/dir/deep/er.txt"},
	{"empty/x", ENOENT, ENOENT, ENOENT, NULL},
	{"nowhere", ENOENT, ENOENT, ENOENT, NULL},
	{"nowhere/", ENOENT, ENOENT, ENOENT, NULL},
	{"nowhere/x", ENOENT, ENOENT, ENOENT, NULL},
	{"fifo", OK, OK, OK, "root/fifo"},
	{"fifo/", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	{"fifo/x", ENOTDIR, ENOTDIR, ENOTDIR, NULL},
	/* Up: within the root by the request itself, and out of it. */
	{"dir/..", OK, OK, EXDEV, "root"},
	{"dir/../file.txt", OK, OK, EXDEV, "root/file.txt"},
	{"dir/deep/../..", OK, OK, EXDEV, "root"},
	{"nowhere/../file.txt", ENOENT, ENOENT, EXDEV, NULL},
	{"..", EXDEV, EXDEV, EXDEV, NULL},
	{"../", EXDEV, EXDEV, EXDEV, NULL},
	{"/..", EXDEV, EXDEV, EXDEV, NULL},
	{"./..", EXDEV, EXDEV, EXDEV, NULL},
	{"../root/file.txt", EXDEV, EXDEV, EXDEV, NULL},
	{"../outside.txt", EXDEV, EXDEV, EXDEV, NULL},
	{"dir/../../outside.txt", EXDEV, EXDEV, EXDEV, NULL},
	{"dir/deep/../../../out/secret.txt", EXDEV, EXDEV, EXDEV, NULL},
	{"...", ENOENT, ENOENT, ENOENT, NULL},
	{"..x", ENOENT, ENOENT, ENOENT, NULL},
	/* Links that stay. */
	{"to-file", ELOOP, OK, OK, "root/file.txt"},
	{"to-file/", ELOOP, ENOTDIR, ENOTDIR, NULL},
	{"file-slash", ELOOP, ENOTDIR, ENOTDIR, NULL},
	{"to-link", ELOOP, OK, OK, "root/file.txt"},
	{"to-inner", ELOOP, OK, OK, "root/dir/inner.txt"},
	{"to-dir", ELOOP, OK, OK, "root/dir"},
	{"to-dir/", ELOOP, OK, OK, "root/dir"},
	{"to-dir/inner.txt", ELOOP, OK, OK, "root/dir/inner.txt"},
	{"to-dir-slash", ELOOP, OK, OK, "root/dir"},
	{"to-dir-slash/inner.txt", ELOOP, OK, OK, "root/dir/inner.txt"},
	{"to-dot", ELOOP, OK, OK, "root"},
	{"to-dot/to-dot/file.txt", ELOOP, OK, OK, "root/file.txt"},
	{"dir/up", ELOOP, OK, OK, "root/file.txt"},
	{"dir/deep/up", ELOOP, OK, OK, "root/dir/inner.txt"},
	{"dir/round/er.txt", ELOOP, OK, OK, "root/dir/deep/er.txt"},
	{"to-dir/..", ELOOP, OK, EXDEV, "root"},
	{"long", ELOOP, OK, OK, "root/dir/deep/er.txt"},
	{"dir/to-file", ENOENT, ENOENT, ENOENT, NULL},
	/* Links to nowhere, and without an end. */
	{"gone", ELOOP, ENOENT, ENOENT, NULL},
	{"gone/x", ELOOP, ENOENT, ENOENT, NULL},
	{"gone-deep", ELOOP, ENOENT, ENOENT, NULL},
	{"loop", ELOOP, ELOOP, ELOOP, NULL},
	{"ping/x", ELOOP, ELOOP, ELOOP, NULL},
	/* Links that leave. */
	{"out", ELOOP, EXDEV, OK, "outside.txt"},
	{"to-out", ELOOP, EXDEV, OK, "outside.txt"},
	{"out-dir", ELOOP, EXDEV, OK, "out"},
	{"out-dir/secret.txt", ELOOP, EXDEV, OK, "out/secret.txt"},
	{"dir/out", ELOOP, EXDEV, OK, "outside.txt"},
	{"to-dir/out", ELOOP, EXDEV, OK, "outside.txt"},
	{"up", ELOOP, EXDEV, OK, ""},
	{"up/outside.txt", ELOOP, EXDEV, OK, "outside.txt"},
	{"there-and-back", ELOOP, EXDEV, OK, "root/file.txt"},
	{"slash", ELOOP, EXDEV, OK, "/"},
	{"slash/etc", ELOOP, EXDEV, OK, "/etc"}
};

static void
make(const char *name, mode_t kind)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/%s", base, name);
	if (kind == S_IFDIR) {
		assert_int_equal(mkdir(path, 0755), 0);
	} else if (kind == S_IFIFO) {
		assert_int_equal(mkfifo(path, 0644), 0);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		assert_true(fd >= 0);
		close(fd);
	}
}

static int
set_up(void **state)
{
	char path[256];

	(void)state;
	if (mkdtemp(base) == NULL)
		return -1;
	make("outside.txt", S_IFREG);
	make("out", S_IFDIR);
	make("out/secret.txt", S_IFREG);
	make("root", S_IFDIR);
	make("root/file.txt", S_IFREG);
	make("root/empty", S_IFDIR);
	make("root/dir", S_IFDIR);
	make("root/dir/inner.txt", S_IFREG);
	make("root/dir/deep", S_IFDIR);
	make("root/dir/deep/er.txt", S_IFREG);
	make("root/fifo", S_IFIFO);
	for (size_t i = 0; i < COUNT_OF(links); i++) {
		snprintf(path, sizeof path, "%s/root/%s", base,
		    links[i].name);
		assert_int_equal(symlink(links[i].target, path), 0);
	}
	snprintf(path, sizeof path, "%s/root", base);
	root = file_open_root(path, FILE_OPEN_ANY);
	return root >= 0 ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	close(root);
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool
is_same_place(int fd, const char *is)
{
	char path[256];
	struct stat got, want;

	if (is[0] == '/')
		snprintf(path, sizeof path, "%s", is);
	else
		snprintf(path, sizeof path, "%s/%s", base, is);
	return fstat(fd, &got) == 0 && stat(path, &want) == 0 &&
	    got.st_dev == want.st_dev && got.st_ino == want.st_ino;
}

static void
check(const struct row *r, int flags, enum file_symlinks symlinks,
    enum file_open_mode mode)
{
	int want = symlinks == FILE_SYMLINKS_NEVER ? r->never :
	    symlinks == FILE_SYMLINKS_INSIDE ? r->inside : r->always;
	int fd = file_open_beneath(root, r->path, flags, symlinks, mode);
	int got = fd >= 0 ? OK : errno;

	if (got != want)
		fail_msg("\"%s\", links %d, mode %d: %s instead of %s",
		    r->path, symlinks, mode, strerror(got), strerror(want));
	if (fd < 0)
		return;
	if (!is_same_place(fd, r->is))
		fail_msg("\"%s\", links %d, mode %d: not %s", r->path,
		    symlinks, mode, r->is);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void
check_all(enum file_open_mode mode, int flags)
{
	int before = dup(0), after;

	close(before);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check(&rows[i], flags, FILE_SYMLINKS_NEVER, mode);
		check(&rows[i], flags, FILE_SYMLINKS_INSIDE, mode);
		check(&rows[i], flags, FILE_SYMLINKS_ALWAYS, mode);
	}
	/* No way through leaves a descriptor behind. */
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void
the_kernel_answers_as_the_table_says(void **state)
{
	(void)state;
	check_all(FILE_OPEN_ANY, O_RDONLY);
	check_all(FILE_OPEN_ANY, O_PATH);
}

static void
the_walk_by_hand_answers_the_same(void **state)
{
	(void)state;
	check_all(FILE_OPEN_WALK, O_RDONLY);
	check_all(FILE_OPEN_WALK, O_PATH);
}

/* What the cached mode can tell it tells right; it may always say EAGAIN. */
static void
the_cached_mode_answers_the_same_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (int links_mode = 0; links_mode < 3; links_mode++) {
			int fd = file_open_beneath(root, rows[i].path, O_PATH,
			    (enum file_symlinks)links_mode,
			    FILE_OPEN_CACHED);

			if (fd < 0 && errno == EAGAIN)
				continue;
			if (fd >= 0)
				close(fd);
			check(&rows[i], O_PATH,
			    (enum file_symlinks)links_mode,
			    FILE_OPEN_CACHED);
		}
}

static void
long_names_and_paths_are_refused_alike(void **state)
{
	char path[PATH_MAX + 100];

	(void)state;
	for (int links_mode = 0; links_mode < 3; links_mode++)
		for (size_t n = NAME_MAX; n < PATH_MAX + 2; n += n == NAME_MAX ?
		    1 : n == NAME_MAX + 1 ? PATH_MAX - n : 1) {
			int error[2];

			memset(path, 'x', n);
			path[n] = '\0';
			for (int by_hand = 0; by_hand < 2; by_hand++) {
				assert_int_equal(file_open_beneath(root, path,
				    O_PATH, (enum file_symlinks)links_mode,
				    by_hand ? FILE_OPEN_WALK : FILE_OPEN_ANY),
				    -1);
				error[by_hand] = errno;
			}
			assert_int_equal(error[0], error[1]);
			assert_int_equal(error[0], n == NAME_MAX ? ENOENT :
			    ENAMETOOLONG);
		}
}

static void
what_may_not_be_read_is_refused_alike(void **state)
{
	struct row r = {"locked.txt", EACCES, EACCES, EACCES, NULL};
	char path[256];

	(void)state;
	make("root/locked.txt", S_IFREG);
	snprintf(path, sizeof path, "%s/root/locked.txt", base);
	assert_int_equal(chmod(path, 0), 0);
	/* Root may read everything; be nobody for a moment. */
	if (geteuid() == 0) {
		assert_int_equal(chmod(base, 0755), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	check(&r, O_RDONLY, FILE_SYMLINKS_NEVER, FILE_OPEN_ANY);
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_ANY);
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_WALK);
	check(&r, O_RDONLY, FILE_SYMLINKS_ALWAYS, FILE_OPEN_WALK);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	/* As a place it may be named. */
	r.never = r.inside = r.always = OK;
	r.is = "root/locked.txt";
	check(&r, O_PATH, FILE_SYMLINKS_INSIDE, FILE_OPEN_ANY);
	check(&r, O_PATH, FILE_SYMLINKS_INSIDE, FILE_OPEN_WALK);
}

/* As many links in a row as the kernel follows, and one more. */
static void
forty_links_are_followed_by_both(void **state)
{
	struct row r = {"n40", ELOOP, OK, OK, "root/file.txt"};
	char path[256], target[32];

	(void)state;
	for (int i = 1; i <= 41; i++) {
		snprintf(path, sizeof path, "%s/root/n%d", base, i);
		if (i == 1)
			strcpy(target, "file.txt");
		else
			snprintf(target, sizeof target, "n%d", i - 1);
		assert_int_equal(symlink(target, path), 0);
	}
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_ANY);
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_WALK);
	r.path = "n41";
	r.inside = ELOOP;
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_ANY);
	check(&r, O_RDONLY, FILE_SYMLINKS_INSIDE, FILE_OPEN_WALK);
}

static void
the_root_may_be_a_link_but_must_be_a_directory(void **state)
{
	char path[256];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/root/to-dir", base);
	fd = file_open_root(path, FILE_OPEN_ANY);
	assert_true(is_same_place(fd, "root/dir"));
	close(fd);
	snprintf(path, sizeof path, "%s/outside.txt", base);
	assert_int_equal(file_open_root(path, FILE_OPEN_ANY), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(file_open_root("/nowhere", FILE_OPEN_ANY), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_answers_as_the_table_says),
		cmocka_unit_test(the_walk_by_hand_answers_the_same),
		cmocka_unit_test(
		    the_cached_mode_answers_the_same_or_not_at_all),
		cmocka_unit_test(long_names_and_paths_are_refused_alike),
		cmocka_unit_test(what_may_not_be_read_is_refused_alike),
		cmocka_unit_test(forty_links_are_followed_by_both),
		cmocka_unit_test(
		    the_root_may_be_a_link_but_must_be_a_directory)
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
