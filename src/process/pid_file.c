/*
 * Two small files beside each other, always replaced whole by rename(2), so
 * that a reader never sees half of one.
 */
#include "process/pid_file.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
pid_file_write(const char *path, pid_t pid, struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%d\n", (int)pid);

	return fd_replace_file(path, str_of(text, (size_t)n), 0644, e);
}

static pid_t
pid_file_parse(const char *path, struct err *e)
{
	struct arena *a = arena_new();
	struct str text;
	uint64_t pid = 0;

	if (fd_read_file(path, 64, a, &text, e) &&
	    (!str_to_u64(str_trim(str_slice(text, 0,
	         str_index(text, '\n', 0))), &pid) || pid == 0 ||
	        pid > INT32_MAX)) {
		err_set(e, "%s does not hold a process id", path);
		pid = 0;
	}
	arena_end(a);
	return (pid_t)pid;
}

pid_t
pid_file_read(const char *path, struct err *e)
{
	pid_t pid = pid_file_parse(path, e);

	if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH) {
		err_set(e, "%s names process %d, which is not running", path,
		    (int)pid);
		return 0;
	}
	return pid;
}

void
pid_file_remove(const char *path, pid_t pid)
{
	if (pid_file_parse(path, NULL) == pid)
		(void)unlink(path);
}

static void
verdict_path(char *out, size_t size, const char *path)
{
	snprintf(out, size, "%s.verdict", path);
}

void
verdict_write(const char *path, const struct verdict_line *v)
{
	struct arena *a = arena_new();
	struct str text = arena_strf(a, "%d %llu %s\n%s", (int)v->pid,
	    (unsigned long long)v->sequence, v->ok ? "ok" : "failed", v->text);
	char name[4200];
	struct err e;

	verdict_path(name, sizeof name, path);
	if (!fd_replace_file(name, text, 0644, &e))
		log_warn("%s", e.text);
	arena_end(a);
}

bool
verdict_read(const char *path, struct verdict_line *v)
{
	struct arena *a = arena_new();
	char name[4200], word[8];
	unsigned long long sequence;
	struct str text;
	int pid, at = 0;
	bool ok = false;

	verdict_path(name, sizeof name, path);
	if (fd_read_file(name, sizeof v->text + 64, a, &text, NULL) &&
	    sscanf(text.p, "%d %llu %7s%n", &pid, &sequence, word,
	        &at) == 3 && text.p[at] == '\n') {
		v->pid = pid;
		v->sequence = sequence;
		v->ok = strcmp(word, "ok") == 0;
		snprintf(v->text, sizeof v->text, "%s", text.p + at + 1);
		ok = true;
	}
	arena_end(a);
	return ok;
}
