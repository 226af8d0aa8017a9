/*
 * Users files. Read whole when the configuration is loaded, like every file
 * that it names: what is wrong stops -t or a reload, not a request, and nothing
 * is read while requests are answered. Lives in the generation.
 */
#include "http/user_file.h"

#include "base/map.h"
#include "http/credentials.h"
#include "http/password.h"

struct user_file {
	struct map *hashes; /* by name */
	const char **all;
	size_t n;
};

/* Where in the file: what the messages begin with. */
struct user_file_line {
	struct conf_load *load;
	struct conf_pos pos; /* of the key */
	const char *path;
	unsigned number;
};

static void
user_file_refuse(const struct user_file_line *at, const char *why)
{
	conf_error(at->load, at->pos, "bad-users-file", "%s:%u: %s", at->path,
	    at->number, why);
}

static void
user_file_add(struct user_file *f, const struct user_file_line *at,
    struct str line)
{
	size_t colon = str_index(line, ':', 0);
	struct arena *a = conf_arena(at->load);
	struct str name = str_slice(line, 0, colon), hash;
	struct err e;
	char *copy;

	if (colon == SIZE_MAX || colon == 0 ||
	    colon > CREDENTIALS_MAX_USER) {
		user_file_refuse(at, "expected NAME:HASH");
		return;
	}
	/* What follows another colon is a comment, as in nginx. */
	hash = str_slice(line, colon + 1, str_index(line, ':', colon + 1));
	if (!password_hash_is_fine(hash, &e)) {
		user_file_refuse(at, e.text);
		return;
	}
	if (map_get(f->hashes, name) != NULL) {
		user_file_refuse(at, "this user stands in the file twice");
		return;
	}
	copy = arena_memdup(a, hash.p, hash.n);
	map_put(f->hashes, arena_str(a, name), copy);
	f->all[f->n++] = copy;
}

struct user_file *
user_file_read(struct conf_load *load, struct conf_pos pos, const char *path)
{
	struct user_file_line at = { .load = load, .pos = pos, .path = path };
	struct arena *a = conf_arena(load);
	struct user_file *f;
	struct str text, line;
	size_t lines = 1, errors = conf_errors(load);

	if (!conf_read(load, pos, path, &text))
		return NULL;
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	f = arena_zalloc(a, sizeof *f);
	f->hashes = map_new(a, lines);
	f->all = arena_alloc(a, lines * sizeof *f->all);
	while (str_split(&text, '\n', &line)) {
		at.number++;
		line = str_trim(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line = str_trim(str_slice(line, 0, line.n - 1));
		if (line.n > 0 && line.p[0] != '#')
			user_file_add(f, &at, line);
	}
	if (conf_errors(load) > errors)
		return NULL;
	if (f->n == 0) {
		conf_error(load, pos, "bad-users-file", "%s has no users: "
		    "nobody could get in", path);
		return NULL;
	}
	return f;
}

const char *
user_file_hash(const struct user_file *f, struct str name, bool *is_known)
{
	const char *hash = map_get(f->hashes, name);

	*is_known = hash != NULL;
	return *is_known ? hash : f->all[str_hash(name) % f->n];
}
