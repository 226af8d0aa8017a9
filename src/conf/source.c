/*
 * Sources: where the loader's texts come from. The disk for real runs, an
 * array in memory for tests and for workers that were handed the texts.
 */
#include "base/fd.h"
#include "conf/load.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

/* A configuration, a certificate chain, a users file: none is larger. */
#define SOURCE_FILE_MAX (64u << 20)

static bool
source_disk_read(struct conf_source *s, const char *path, struct arena *a,
    struct str *out, struct err *e)
{
	(void)s;
	return fd_read_file(path, SOURCE_FILE_MAX, a, out, e);
}

static bool
source_disk_glob(struct conf_source *s, const char *pattern, struct arena *a,
    struct conf_list *paths, struct err *e)
{
	glob_t g;
	char **items;
	int rc = glob(pattern, GLOB_ERR, NULL, &g);

	(void)s;
	*paths = (struct conf_list){0};
	if (rc == GLOB_NOMATCH)
		return true;
	if (rc != 0)
		return err_sys(e, "cannot search %s", pattern);

	items = arena_alloc(a, (g.gl_pathc + 1) * sizeof *items);
	for (size_t i = 0; i < g.gl_pathc; i++)
		items[i] = arena_strdup(a, g.gl_pathv[i]);
	paths->items = items;
	paths->n = g.gl_pathc;
	globfree(&g);
	return true;
}

static const char *
source_disk_env(struct conf_source *s, const char *name)
{
	(void)s;
	return getenv(name);
}

static char *
source_disk_cwd(struct conf_source *s, struct arena *a)
{
	char path[4096];

	(void)s;
	return getcwd(path, sizeof path) != NULL ? arena_strdup(a, path) : NULL;
}

struct conf_source conf_source_disk = {
	.read = source_disk_read,
	.glob = source_disk_glob,
	.env = source_disk_env,
	.cwd = source_disk_cwd
};

/* ---- memory ------------------------------------------------------------ */

struct source_memory {
	size_t n;
	struct str *paths, *texts;
};

static bool
source_memory_read(struct conf_source *s, const char *path, struct arena *a,
    struct str *out, struct err *e)
{
	const struct source_memory *m = s->arg;

	for (size_t i = 0; i < m->n; i++) {
		if (!str_eq(m->paths[i], str_from(path)))
			continue;
		out->p = arena_memdup(a, m->texts[i].p, m->texts[i].n);
		out->n = m->texts[i].n;
		return true;
	}
	errno = ENOENT;
	return err_sys(e, "cannot open %s", path);
}

static int
source_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
source_memory_glob(struct conf_source *s, const char *pattern, struct arena *a,
    struct conf_list *paths, struct err *e)
{
	const struct source_memory *m = s->arg;
	char **items = arena_alloc(a, (m->n + 1) * sizeof *items);
	size_t n = 0;

	(void)e;
	for (size_t i = 0; i < m->n; i++)
		if (fnmatch(pattern, m->paths[i].p,
		    FNM_PATHNAME | FNM_PERIOD) == 0)
			items[n++] = arena_strdup(a, m->paths[i].p);
	qsort(items, n, sizeof *items, source_compare);
	*paths = (struct conf_list){.n = n, .items = items};
	return true;
}

static const char *
source_memory_env(struct conf_source *s, const char *name)
{
	(void)s;
	(void)name;
	return NULL;
}

struct conf_source
conf_source_memory(struct arena *a, const char *const *files)
{
	struct source_memory *m = arena_zalloc(a, sizeof *m);

	while (files[m->n * 2] != NULL)
		m->n++;
	m->paths = arena_alloc(a, (m->n + 1) * sizeof(struct str));
	m->texts = arena_alloc(a, (m->n + 1) * sizeof(struct str));
	for (size_t i = 0; i < m->n; i++) {
		m->paths[i] = arena_str(a, str_from(files[2 * i]));
		m->texts[i] = arena_str(a, str_from(files[2 * i + 1]));
	}
	return (struct conf_source){
		.read = source_memory_read,
		.glob = source_memory_glob,
		.env = source_memory_env,
		.arg = m
	};
}
