/*
 * files: the request is answered with a file. This file knows names: which ones
 * are tried, what a directory means, and what is said of methods; what is at a
 * name is the open-file cache's knowledge, and how a file becomes a response is
 * http/file_reply. A request whose file is known and fresh is answered without
 * a system call.
 */
#include "http/file_reply.h"
#include "http/listing.h"
#include "http/server.h"
#include "http/template.h"
#include "http/weight.h"
#include "modules/modules.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct files_conf {
	char *root;
	struct conf_list index; /* char * */
	struct conf_list try;   /* struct template * */
	struct conf_map types;  /* char * */
	char *default_type;
	int symlinks; /* enum file_symlinks */
	int listing;  /* enum listing_form */

	/* Made by files_prepare. */
	struct file_root place;
	int fallback; /* the status that ends `try`; 0: none */
};

static const char *const files_symlinks[] = {
	[FILE_SYMLINKS_NEVER] = "never",
	[FILE_SYMLINKS_INSIDE] = "inside",
	[FILE_SYMLINKS_ALWAYS] = "always",
	NULL
};

static const char *const files_listings[] = {
	[LISTING_OFF] = "off", [LISTING_HTML] = "html",
	[LISTING_JSON] = "json", NULL
};

static const struct conf_field files_fields[] = {
	KEY_PATH(files_conf, root, .flags = CONF_REQUIRED,
	    .doc = "The directory that requests are looked up in. It may be a "
	    "symbolic link; when it is switched to a directory beside the one "
	    "it led to, that is noticed within a second. Any other directory "
	    "that takes its place is answered with 503 until a reload: see "
	    "sandbox.",
	    .example = "/srv/www"),
	KEY_LIST(files_conf, index, conf_type_str, .dflt = "[index.html]",
	    .doc = "The names of the file that stands for a directory; the "
	    "first that exists is sent. If there is none, the answer is 403."),
	KEY_LIST(files_conf, try, conf_type_template,
	    .doc = "What is looked up in place of the request's path, in this "
	    "order, until something exists; the last one is taken in any case. "
	    "A name with a slash at its end means a directory with an index. "
	    "The last may be a status, as in =404.",
	    .example = "[$uri, $uri/, /index.html]"),
	KEY_MAP(files_conf, types, conf_type_str,
	    .doc = "Media types by file name extension, over the built-in "
	    "ones. A textual type without parameters gets charset=utf-8.",
	    .example = "{md: text/plain}"),
	KEY_STR(files_conf, default_type, .dflt = "application/octet-stream",
	    .doc = "The media type of files whose extension nobody knows."),
	KEY_CHOICE(files_conf, listing, files_listings, .dflt = "off",
	    .doc = "What a directory without an index file is answered with: "
	    "off is 403; html a page of what is in it, whose columns sort it, "
	    "or JSON for who wants that more (Accept); json always that. Names "
	    "that begin with a dot are not shown, nor links that are not "
	    "followed, nor more than 10000.",
	    .example = "html"),
	KEY_CHOICE(files_conf, symlinks, files_symlinks, .dflt = "inside",
	    .doc = "Which symbolic links below the root are followed: none; "
	    "those with a relative target that stays beneath the root; or all, "
	    "wherever they lead. What is not followed is answered with 403. "
	    "With always, the sandbox lets workers read any file that their "
	    "user may read."),
	KEY_END
};

static const struct conf_schema files_schema = {
	.name = "files",
	.doc = "Sends files, with validators, conditions and ranges. What is "
	    "small is kept in memory; every file is checked once in a second.",
	.size = sizeof(struct files_conf),
	.fields = files_fields,
	.shorthand = "root",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /static/*\n"
	    "        files: /srv/assets\n"
	    "      - files:\n"
	    "          root: /srv/www\n"
	    "          try: [$uri, $uri/, /index.html]\n"
	    "          types: {md: text/plain}\n",
};

/* ---- loading ----------------------------------------------------------- */

static struct conf_pos
files_item_pos(const struct files_conf *c, const struct conf_list *l, size_t i)
{
	return l->pos != NULL ? l->pos[i] : conf_pos_of(c, l);
}

/* Workers may open nothing that was not there when they began. */
static void
files_check_root(struct conf_load *load, const struct files_conf *c)
{
	struct conf_pos pos = conf_pos_of(c, &c->root);
	struct stat st;

	if (stat(c->root, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (access(c->root, X_OK) == 0)
		return;
	if (errno == ENOENT)
		conf_error(load, pos, "missing-root",
		    "the directory %s does not exist", c->root);
	else if (errno == ENOTDIR)
		conf_error(load, pos, "missing-root", "%s is not a directory",
		    c->root);
	else
		conf_error(load, pos, "unreadable-root",
		    "cannot enter the directory %s: %s", c->root,
		    strerror(errno));
}

static bool
path_is_climbing(struct str path)
{
	struct str part;

	while (str_split(&path, '/', &part))
		if (str_eq(part, STR("..")))
			return true;
	return false;
}

static void
files_check_index(struct conf_load *load, const struct files_conf *c)
{
	for (size_t i = 0; i < c->index.n; i++) {
		struct str name = str_from(CONF_ITEM(&c->index, char *, i));

		if (name.n == 0 || name.p[0] == '/' ||
		    str_has_suffix(name, STR("/")) || path_is_climbing(name))
			conf_error(load, files_item_pos(c, &c->index, i),
			    "bad-index", "\"%.*s\" is not the name of a file "
			    "in a directory", STR_ARG(name));
	}
}

static bool
files_read_status(struct str text, int *out)
{
	uint64_t v;

	if (text.n != 4 || !str_to_u64(str_slice(text, 1, text.n), &v) ||
	    v < 400 || v > 599)
		return false;
	*out = (int)v;
	return true;
}

static void
files_check_try(struct conf_load *load, struct files_conf *c)
{
	for (size_t i = 0; i < c->try.n; i++) {
		struct template *tp = CONF_ITEM(&c->try, struct template *, i);
		struct str text = template_text(tp);
		struct conf_pos pos = files_item_pos(c, &c->try, i);

		if (text.n > 0 && text.p[0] == '=') {
			if (i + 1 < c->try.n)
				conf_error(load, pos, "bad-try",
				    "nothing after %.*s would be tried; a "
				    "status is the last", STR_ARG(text));
			else if (!files_read_status(text, &c->fallback))
				conf_error(load, pos, "bad-try",
				    "\"%.*s\" is not a status from =400 to "
				    "=599", STR_ARG(text));
		} else if (text.n == 0 ||
		    (text.p[0] != '/' && text.p[0] != '$')) {
			conf_error(load, pos, "bad-try",
			    "\"%.*s\" does not begin with a slash, with a "
			    "variable as $uri, or with = and a status",
			    STR_ARG(text));
		}
	}
}

static struct mime_types *
files_types(struct conf_load *load, const struct files_conf *c)
{
	struct str dflt = str_from(c->default_type);
	struct mime_types *m = mime_types_new(conf_arena(load), dflt);

	if (!mime_is_valid(dflt))
		conf_error(load, conf_pos_of(c, &c->default_type), "bad-type",
		    "\"%s\" is not a media type such as text/plain",
		    c->default_type);
	for (size_t i = 0; i < c->types.n; i++) {
		const struct conf_entry *e = &c->types.entries[i];
		struct str type = str_from(*(char **)e->value);

		if (e->key.n == 0 || str_index(e->key, '.', 0) != SIZE_MAX ||
		    str_index(e->key, '/', 0) != SIZE_MAX)
			conf_error(load, e->key_pos, "bad-extension",
			    "\"%.*s\" is not an extension: what follows the "
			    "last dot of a name, as md", STR_ARG(e->key));
		else if (!mime_is_valid(type))
			conf_error(load, e->pos, "bad-type",
			    "\"%.*s\" is not a media type such as text/plain",
			    STR_ARG(type));
		else
			mime_types_set(m, e->key, type);
	}
	return m;
}

static void
files_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct files_conf *c = conf;

	files_check_root(load, c);
	/* Where links may lead anywhere, anything may have to be read. */
	generation_reads(g, c->symlinks == FILE_SYMLINKS_ALWAYS ? "/" :
	    c->root);
	files_check_index(load, c);
	files_check_try(load, c);
	c->place = (struct file_root){
		.path = c->root, .symlinks = (enum file_symlinks)c->symlinks,
		.types = files_types(load, c)
	};
}

/* ---- names ------------------------------------------------------------- */

/* A request on its way through the names that it may mean. */
struct walk {
	struct file_waiter waiter;
	struct txn *txn;
	const struct files_conf *conf;
	size_t at;       /* in `try` */
	struct str name; /* what is looked up; of a directory, with its slash */
	size_t index;    /* which of its index files; beyond: itself */
	struct file *file; /* what the response is made of */
	struct listing_job *listing; /* or this */
};

static void
walk_on_end(void *arg)
{
	struct walk *w = arg;

	file_waiter_cancel(&w->waiter);
	file_unref(w->file);
	listing_end(w->listing);
}

static void
walk_on_ready(struct file_waiter *waiter)
{
	txn_resume(CONTAINER_OF(waiter, struct walk, waiter)->txn);
}

static bool
walk_is_last(const struct walk *w)
{
	return w->at + 1 >= w->conf->try.n;
}

static bool
walk_is_directory(const struct walk *w)
{
	return w->name.p[w->name.n - 1] == '/';
}

/* Templates may give anything: what is no path means nothing. */
static struct str
walk_clean(struct txn *t, struct str name)
{
	if (name.n == 0 || path_is_climbing(name) ||
	    str_index(name, '\0', 0) != SIZE_MAX)
		return str_of(NULL, 0);
	while (name.n > 1 && str_has_suffix(name, STR("//")))
		name.n--;
	return name.p[0] == '/' ? name :
	    arena_strf(t->arena, "/%.*s", STR_ARG(name));
}

/* The name at AT; false: it can not be looked up. */
static bool
walk_set_name(struct walk *w)
{
	const struct conf_list *try = &w->conf->try;

	w->index = 0;
	w->name = try->n == 0 ? w->txn->req.path :
	    template_eval(CONF_ITEM(try, struct template *, w->at), w->txn);
	w->name = walk_clean(w->txn, w->name);
	return w->name.n > 0;
}

static struct walk *
walk_new(struct txn *t, const struct files_conf *c)
{
	struct walk *w = arena_zalloc(t->arena, sizeof *w);

	w->txn = t;
	w->conf = c;
	file_waiter_init(&w->waiter, walk_on_ready);
	txn_on_end(t, walk_on_end, w);
	return w;
}

/* What is at the name in hand; false: wait. */
static bool
walk_find(struct walk *w, struct file_cache *cache)
{
	const struct conf_list *index = &w->conf->index;
	struct str name = w->name;

	file_unref(w->file);
	w->file = w->waiter.file;
	w->waiter.file = NULL;
	if (w->file != NULL)
		return true;

	if (walk_is_directory(w) && w->index < index->n) {
		const char *file = CONF_ITEM(index, char *, w->index);

		name = arena_strf(w->txn->arena, "%.*s%s", STR_ARG(name), file);
	}
	w->file = file_cache_find(cache, &w->conf->place, name, &w->waiter);
	return w->file != NULL;
}

/* ---- answers ----------------------------------------------------------- */

static enum verdict
files_reply_error(struct txn *t, const struct files_conf *c,
    const struct file *f)
{
	switch (f->kind) {
	case FILE_CONFINED:
		txn_fail(t, 503, "file_confined", "the kernel keeps this "
		    "process from a file that its user may read: %s is not "
		    "the directory that it was at the last reload; reload",
		    c->root);
		break;
	case FILE_REGULAR:
	case FILE_MISSING:
		txn_reply_error(t, 404);
		break;
	case FILE_DIRECTORY:
	case FILE_FORBIDDEN:
		txn_reply_error(t, 403);
		break;
	case FILE_FAILED:
		txn_fail(t, 503, "file_failed", "cannot open a file: %s",
		    strerror(f->error));
		break;
	}
	return STEP_STOP;
}

/* The client's own path, whatever rewriting made of it, with a slash; what
 * rewriting made of it, if it has one. */
static enum verdict
files_reply_slash(struct txn *t)
{
	struct buf b = buf_in(t->arena);
	struct target target;
	struct str path;

	/* It was read before, so that it can be read again. */
	if (target_parse(t->arena, t->req.raw,
	    (enum encoded_slash)t->site->http->encoded_slash, &target) !=
	    TARGET_OK) {
		txn_reply_error(t, 404);
		return STEP_STOP;
	}
	path = str_has_suffix(target.path, STR("/")) ? t->req.path :
	    target.path;
	while (str_has_prefix(path, STR("/")))
		path = str_slice(path, 1, path.n);
	/* One slash at the front, always: two would begin a host name. */
	buf_chr(&b, '/');
	buf_str(&b, path_encode(t->arena, path));
	buf_chr(&b, '/');
	if (target.has_query) {
		buf_chr(&b, '?');
		buf_str(&b, target.query);
	}
	txn_reply_error(t, 301);
	txn_reply_field(t, FIELD_LOCATION, buf_view(&b));
	return STEP_STOP;
}

/* A method that nobody here knows is not one that this file does not allow (RFC
 * 9110 section 9.1). */
static enum verdict
files_reply_method(struct txn *t)
{
	if (t->req.method == METHOD_OTHER) {
		txn_reply_error(t, 501);
		return STEP_STOP;
	}
	if (t->req.method == METHOD_OPTIONS)
		txn_reply(t, 204);
	else
		txn_reply_error(t, 405);
	txn_reply_field(t, FIELD_ALLOW, STR("GET, HEAD, OPTIONS"));
	return STEP_STOP;
}

/* Whether NAME is the directory that the request named without its slash. */
static bool
walk_lacks_slash(const struct walk *w)
{
	struct str path = w->txn->req.path;

	return w->name.n == path.n + 1 &&
	    str_eq(str_slice(w->name, 0, path.n), path);
}

static enum listing_form
files_listing_form(const struct txn *t, const struct files_conf *c)
{
	return weight_prefers_json(head_joined(&t->req.head, FIELD_ACCEPT)) ?
	    LISTING_JSON : (enum listing_form)c->listing;
}

static enum verdict
walk_reply_listing(struct walk *w)
{
	const struct listing *l = listing_of(w->listing);
	struct txn *t = w->txn;

	if (l->error == EACCES) {
		txn_reply_error(t, 403);
		return STEP_STOP;
	}
	if (l->error != 0) {
		txn_fail(t, 503, "listing_failed",
		    "a directory cannot be read: %s", strerror(l->error));
		return STEP_STOP;
	}
	txn_reply(t, 200);
	txn_reply_bytes(t, l->form == LISTING_JSON ?
	    "application/json" : "text/html; charset=utf-8", l->text);
	if (w->conf->listing == LISTING_HTML)
		txn_reply_field(t, FIELD_VARY, STR("Accept"));
	return STEP_STOP;
}

static void
walk_on_listed(void *arg)
{
	txn_resume(((struct walk *)arg)->txn);
}

static enum verdict
walk_list(struct walk *w)
{
	struct txn *t = w->txn;
	struct listing_wish wish = {
		.path = w->name, .title = t->req.path,
		.form = files_listing_form(t, w->conf),
		.order = listing_order_of(t->req.target.query)
	};

	if (walk_lacks_slash(w))
		return files_reply_slash(t);
	w->listing = listing_read(t->server->net->pool, &w->conf->place, &wish,
	    walk_on_listed, w);
	if (w->listing != NULL)
		return STEP_WAIT;
	txn_fail(t, 503, "pool_full", "no thread is free to read a directory");
	return STEP_STOP;
}

/*
 * Answers with what was found, or goes to the next name: false. A directory
 * counts only with an index, unless nothing else is left to try; what is
 * forbidden or broken is said, not stepped over.
 */
static bool
walk_answer(struct walk *w, enum verdict *out)
{
	struct txn *t = w->txn;
	const struct file *f = w->file;

	if (f->kind == FILE_REGULAR) {
		*out = walk_is_directory(w) && walk_lacks_slash(w) ?
		    files_reply_slash(t) : file_reply(t, w->file,
		        server_stats(t->server, MODULE_files));
		return true;
	}
	if (f->kind == FILE_FORBIDDEN || f->kind == FILE_CONFINED ||
	    f->kind == FILE_FAILED) {
		*out = files_reply_error(t, w->conf, f);
		return true;
	}
	if (walk_is_directory(w) && w->index < w->conf->index.n) {
		w->index++;
		return false;
	}
	if (f->kind == FILE_DIRECTORY && walk_is_directory(w) &&
	    w->conf->listing != LISTING_OFF) {
		*out = walk_list(w);
		return true;
	}
	if (!walk_is_last(w)) {
		w->at++;
		w->name.n = 0;
		return false;
	}
	*out = f->kind == FILE_DIRECTORY && !walk_is_directory(w) &&
	    str_eq(w->name, t->req.path) ? files_reply_slash(t) :
	    files_reply_error(t, w->conf, f);
	return true;
}

static bool
walk_is_at_status(const struct walk *w)
{
	return w->conf->fallback != 0 && walk_is_last(w);
}

static enum verdict
files_step(struct txn *t, const void *conf)
{
	struct file_cache *cache = server_module(t->server, MODULE_files);
	void **slot = txn_slot(t);
	struct walk *w = *slot;
	enum verdict answer;

	if (t->req.method != METHOD_GET && t->req.method != METHOD_HEAD)
		return files_reply_method(t);
	if (w == NULL)
		*slot = w = walk_new(t, conf);
	if (w->listing != NULL)
		return walk_reply_listing(w);

	do {
		while (w->name.n == 0) {
			if (walk_is_at_status(w)) {
				txn_reply_error(t, w->conf->fallback);
				return STEP_STOP;
			}
			if (walk_set_name(w))
				break;
			if (walk_is_last(w)) {
				txn_reply_error(t, 404);
				return STEP_STOP;
			}
			w->at++;
		}
		if (!walk_find(w, cache))
			return STEP_WAIT;
	} while (!walk_answer(w, &answer));
	return answer;
}

static void *
files_start(struct server *s)
{
	return file_cache_new(s->net, server_stats(s, MODULE_files), NULL);
}

static void
files_stop(struct server *s, void *state)
{
	(void)s;
	file_cache_end(state);
}

const struct module files_module = {
	.name = "files",
	.phase = PHASE_RESPOND,
	.levels = LEVEL_ROUTE,
	.schema = &files_schema,
	.doc = "Sends files from a directory.",
	.prepare = files_prepare,
	.step = files_step,
	.start = files_start,
	.stop = files_stop,
	.counters = &file_counters,
};
