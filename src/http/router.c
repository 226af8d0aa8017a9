/*
 * Routers: the routes of a site, compiled to leaves and an index over their
 * paths. The index only proposes: for a path it gives lists of leaves in the
 * order of the file, and the first leaf of all lists whose other conditions
 * hold is the answer. It lives in the load's arena and never changes.
 *
 * A leaf is found by the paths of one level of its nesting, the innermost that
 * needs no regular expression; what other levels say is checked when the leaf
 * is proposed, unless it follows from those paths.
 */
#include "http/router.h"

#include "base/map.h"
#include "http/affix.h"
#include "http/match.h"

/* Leaves in the order of the file. */
struct bucket {
	const struct route **routes;
	size_t n, cap;
	/* The first that asks for nothing but the path: none after it is ever
	 * taken from here. */
	const struct route *plain;
};

/* Of a leaf: what the index leaves to be checked, of all its levels. */
struct conditions {
	const struct conf_list *indexed; /* paths; NULL: it has none */
	const struct conf_list **paths;
	const struct match_conf **matches;
	unsigned n_paths, n_matches;
	bool has_regex; /* on some level, so that there may be captures */
};

struct router {
	const struct route **leaves;
	size_t n, cap;
	struct map *exact; /* text -> struct bucket, likewise the others */
	struct affix_set *prefixes, *suffixes;
	struct bucket regexes, pathless;
};

struct router_compile {
	struct conf_load *load;
	struct arena *arena;
	struct router *router;
	struct map *prefixes, *suffixes, *regexes;
	const struct plan *(*plan_of)(void *arg, struct route_conf *leaf);
	void *arg;
};

/* ---- patterns among themselves ----------------------------------------- */

static bool
path_is_prefix(const struct path_pattern *p)
{
	return p->kind == PATH_PREFIX || p->kind == PATH_BELOW;
}

/* Whether every path that INNER means is meant by OUTER. False when that is
 * not easy to say. */
static bool
path_covers(const struct path_pattern *outer, const struct path_pattern *inner)
{
	if (path_is_prefix(outer) && outer->text.n == 1)
		return true;
	if (inner->kind == PATH_REGEX)
		return outer->kind == PATH_REGEX &&
		    str_eq(outer->written, inner->written);
	if (inner->kind == PATH_EXACT)
		return path_pattern_matches(outer, inner->text);
	return outer->kind != PATH_EXACT && outer->kind != PATH_REGEX &&
	    path_is_prefix(outer) == path_is_prefix(inner) &&
	    path_pattern_matches(outer, inner->text);
}

static bool
paths_cover(const struct conf_list *outer, const struct conf_list *inner)
{
	for (CONF_EACH(struct path_pattern, i, inner)) {
		bool is_covered = false;

		for (CONF_EACH(struct path_pattern, o, outer))
			is_covered |= path_covers(o, i);
		if (!is_covered)
			return false;
	}
	return true;
}

/* Whether there may be a path that both mean. */
static bool
path_meets(const struct path_pattern *a, const struct path_pattern *b)
{
	if (a->kind == PATH_EXACT)
		return path_pattern_matches(b, a->text);
	if (b->kind == PATH_EXACT)
		return path_pattern_matches(a, b->text);
	if (path_is_prefix(a) && path_is_prefix(b))
		return str_has_prefix(a->text, b->text) ||
		    str_has_prefix(b->text, a->text);
	return true;
}

static bool
paths_have_regex(const struct conf_list *paths)
{
	for (CONF_EACH(struct path_pattern, p, paths))
		if (p->kind == PATH_REGEX)
			return true;
	return false;
}

static bool
paths_match(const struct conf_list *paths, struct str path)
{
	for (CONF_EACH(struct path_pattern, p, paths))
		if (path_pattern_matches(p, path))
			return true;
	return false;
}

/* ---- the index --------------------------------------------------------- */

static void *
router_grow(struct arena *a, const struct route **items, size_t n, size_t *cap)
{
	const struct route **more;

	if (n < *cap)
		return items;
	*cap = *cap == 0 ? 1 : *cap * 2;
	more = arena_alloc(a, *cap * sizeof *more);
	if (n > 0)
		memcpy(more, items, n * sizeof *more);
	return more;
}

static bool
route_is_plain(const struct route *leaf)
{
	const struct conditions *c = leaf->conditions;

	return c->n_paths + c->n_matches == 0;
}

static void
bucket_add(struct arena *a, struct bucket *b, const struct route *leaf)
{
	if (b->n > 0 && b->routes[b->n - 1] == leaf)
		return;
	b->routes = router_grow(a, b->routes, b->n, &b->cap);
	b->routes[b->n++] = leaf;
	if (b->plain == NULL && route_is_plain(leaf))
		b->plain = leaf;
}

static struct bucket *
bucket_of(struct arena *a, struct map *map, struct str key)
{
	struct bucket *b = map_get(map, key);

	if (b == NULL) {
		b = arena_zalloc(a, sizeof *b);
		map_put(map, key, b);
	}
	return b;
}

static void
router_index_path(struct router_compile *c, const struct path_pattern *p,
    const struct route *leaf)
{
	struct map *map = NULL;

	switch (p->kind) {
	case PATH_EXACT:
		map = c->router->exact;
		break;
	case PATH_BELOW:
	case PATH_PREFIX:
		map = c->prefixes;
		break;
	case PATH_SUFFIX:
		map = c->suffixes;
		break;
	case PATH_REGEX:
		/* By its text only to find those that are there twice. */
		map = c->regexes;
		bucket_add(c->arena, &c->router->regexes, leaf);
		break;
	}
	bucket_add(c->arena, bucket_of(c->arena, map, p->text), leaf);
}

static void
router_index(struct router_compile *c, const struct route *leaf)
{
	const struct conditions *cond = leaf->conditions;
	struct router *r = c->router;

	r->leaves = router_grow(c->arena, r->leaves, r->n, &r->cap);
	r->leaves[r->n++] = leaf;
	if (cond->indexed == NULL) {
		bucket_add(c->arena, &r->pathless, leaf);
		return;
	}
	for (CONF_EACH(struct path_pattern, p, cond->indexed))
		router_index_path(c, p, leaf);
}

/* ---- compiling --------------------------------------------------------- */

/* The level whose paths a leaf is found by. */
static const struct conf_list *
router_choose_paths(const struct route *leaf)
{
	const struct conf_list *chosen = NULL;

	for (const struct route *r = leaf; r != NULL; r = r->outer) {
		if (r->conf->path.n == 0)
			continue;
		if (!paths_have_regex(&r->conf->path))
			return &r->conf->path;
		if (chosen == NULL)
			chosen = &r->conf->path;
	}
	return chosen;
}

static struct conditions *
router_conditions(struct router_compile *c, const struct route *leaf)
{
	struct conditions *cond = arena_zalloc(c->arena, sizeof *cond);
	unsigned depth = 0;

	for (const struct route *r = leaf; r != NULL; r = r->outer)
		depth++;
	cond->paths = arena_alloc(c->arena, depth * sizeof(void *));
	cond->matches = arena_alloc(c->arena, depth * sizeof(void *));
	cond->indexed = router_choose_paths(leaf);

	for (const struct route *r = leaf; r != NULL; r = r->outer) {
		const struct conf_list *paths = &r->conf->path;

		cond->has_regex |= paths_have_regex(paths);
		if (paths->n > 0 && paths != cond->indexed &&
		    !paths_cover(paths, cond->indexed))
			cond->paths[cond->n_paths++] = paths;
		if (r->conf->match != NULL)
			cond->matches[cond->n_matches++] = r->conf->match;
	}
	return cond;
}

static bool
router_path_can_be(const struct path_pattern *p, const struct route *outer,
    const struct route **without)
{
	for (; outer != NULL; outer = outer->outer) {
		bool meets = outer->conf->path.n == 0;

		for (CONF_EACH(struct path_pattern, o, &outer->conf->path))
			meets |= path_meets(o, p);
		*without = outer;
		if (!meets)
			return false;
	}
	return true;
}

/* Paths of nested routes that were written as if they began at the outer. */
static void
router_lint_nested(struct router_compile *c, const struct route *r)
{
	const struct conf_list *paths = &r->conf->path;

	for (size_t i = 0; i < paths->n; i++) {
		const struct path_pattern *p =
		    &CONF_ITEM(paths, struct path_pattern, i);
		const struct route *outer;

		if (!router_path_can_be(p, r->outer, &outer))
			conf_warning(c->load, paths->pos[i],
			    "unreachable-path", "no path is \"%.*s\" and also "
			    "what the route around this one says, at %s; "
			    "paths of nested routes are written in full",
			    STR_ARG(p->written), conf_pos_text(c->load,
			    conf_pos_of(outer->conf, &outer->conf->path)));
	}
}

static void
router_add(struct router_compile *c, const struct conf_list *routes,
    const struct route *outer)
{
	for (CONF_EACH(struct route_conf *, conf, routes)) {
		struct route *r = arena_zalloc(c->arena, sizeof *r);

		r->conf = *conf;
		r->outer = outer;
		r->order = (unsigned)c->router->n;
		r->pos = conf_block_pos(*conf);
		router_lint_nested(c, r);
		if ((*conf)->routes.n > 0) {
			router_add(c, &(*conf)->routes, r);
			continue;
		}
		r->plan = c->plan_of(c->arg, *conf);
		r->conditions = router_conditions(c, r);
		router_index(c, r);
	}
}

/* ---- shadows ----------------------------------------------------------- */

static void
shadow_try(const struct route **best, const struct route *leaf,
    const struct bucket *b)
{
	const struct route *before = b != NULL ? b->plain : NULL;

	if (before != NULL && before->order < leaf->order &&
	    (*best == NULL || before->order < (*best)->order))
		*best = before;
}

static void
shadow_try_chain(const struct route **best, const struct route *leaf,
    const struct affix *a)
{
	for (; a != NULL; a = a->outer)
		shadow_try(best, leaf, a->value);
}

/* The first leaf before LEAF that takes every request with a path as P. */
static const struct route *
router_shadow(const struct router_compile *c, const struct route *leaf,
    const struct path_pattern *p)
{
	const struct router *r = c->router;
	const struct route *best = NULL;

	shadow_try(&best, leaf, &r->pathless);
	switch (p->kind) {
	case PATH_EXACT:
		shadow_try(&best, leaf, map_get(r->exact, p->text));
		shadow_try_chain(&best, leaf,
		    affix_find(r->prefixes, p->text));
		shadow_try_chain(&best, leaf,
		    affix_find(r->suffixes, p->text));
		break;
	case PATH_BELOW:
	case PATH_PREFIX:
		shadow_try_chain(&best, leaf,
		    affix_find(r->prefixes, p->text));
		break;
	case PATH_SUFFIX:
		shadow_try(&best, leaf, map_get(c->prefixes, STR("/")));
		shadow_try_chain(&best, leaf,
		    affix_find(r->suffixes, p->text));
		break;
	case PATH_REGEX:
		shadow_try(&best, leaf, map_get(c->prefixes, STR("/")));
		shadow_try(&best, leaf, map_get(c->regexes, p->text));
		break;
	}
	return best;
}

static void
router_lint_whole(struct router_compile *c, const struct route *leaf,
    const struct route *by)
{
	conf_warning(c->load, leaf->pos, "shadowed-route",
	    "no request reaches this route: the one at %s comes first and "
	    "takes them all", conf_pos_text(c->load, by->pos));
}

/* All paths shadowed: the route is; some of its own: these are. */
static void
router_lint_shadows(struct router_compile *c, const struct route *leaf)
{
	const struct conf_list *paths =
	    ((const struct conditions *)leaf->conditions)->indexed;
	const struct route *by = NULL;
	size_t n = 0;

	if (paths == NULL) {
		shadow_try(&by, leaf, &c->router->pathless);
		if (by != NULL)
			router_lint_whole(c, leaf, by);
		return;
	}
	for (CONF_EACH(struct path_pattern, p, paths)) {
		const struct route *s = router_shadow(c, leaf, p);

		n += s != NULL;
		by = s != NULL ? s : by;
	}
	if (n == paths->n) {
		router_lint_whole(c, leaf, by);
		return;
	}
	for (size_t i = 0; n > 0 && paths == &leaf->conf->path &&
	    i < paths->n; i++) {
		const struct path_pattern *p =
		    &CONF_ITEM(paths, struct path_pattern, i);

		by = router_shadow(c, leaf, p);
		if (by != NULL)
			conf_warning(c->load, paths->pos[i], "shadowed-route",
			    "no request reaches this route by \"%.*s\": the "
			    "route at %s comes first and takes them",
			    STR_ARG(p->written),
			    conf_pos_text(c->load, by->pos));
	}
}

struct router *
router_compile(struct conf_load *load, const struct conf_list *routes,
    const struct plan *(*plan_of)(void *arg, struct route_conf *leaf),
    void *arg)
{
	struct arena *a = conf_arena(load);
	struct router_compile c = {
		.load = load, .arena = a,
		.router = arena_zalloc(a, sizeof *c.router),
		.prefixes = map_new(a, routes->n),
		.suffixes = map_new(a, 0), .regexes = map_new(a, 0),
		.plan_of = plan_of, .arg = arg
	};
	struct router *r = c.router;

	r->exact = map_new(a, routes->n);
	router_add(&c, routes, NULL);
	r->prefixes = affix_set_new(a, AFFIX_PREFIX, c.prefixes);
	r->suffixes = affix_set_new(a, AFFIX_SUFFIX, c.suffixes);
	for (size_t i = 0; i < r->n; i++)
		router_lint_shadows(&c, r->leaves[i]);
	return r;
}

/* ---- finding ----------------------------------------------------------- */

static bool
route_holds(const struct route *leaf, struct txn *t)
{
	const struct conditions *c = leaf->conditions;

	for (unsigned i = 0; i < c->n_paths; i++)
		if (!paths_match(c->paths[i], t->req.path))
			return false;
	for (unsigned i = 0; i < c->n_matches; i++)
		if (!match_holds(c->matches[i], t))
			return false;
	return true;
}

/* The first of B that holds, if it comes before BEST. */
static const struct route *
bucket_find(const struct bucket *b, const struct route *best, struct txn *t)
{
	for (size_t i = 0; b != NULL && i < b->n; i++) {
		const struct route *leaf = b->routes[i];

		if (best != NULL && leaf->order >= best->order)
			break;
		if (route_holds(leaf, t))
			return leaf;
	}
	return best;
}

/* Likewise, where the index has not looked at the path yet. */
static const struct route *
bucket_find_regex(const struct bucket *b, const struct route *best,
    struct txn *t)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct route *leaf = b->routes[i];
		const struct conditions *c = leaf->conditions;

		if (best != NULL && leaf->order >= best->order)
			break;
		if (route_holds(leaf, t) &&
		    paths_match(c->indexed, t->req.path))
			return leaf;
	}
	return best;
}

static const struct route *
bucket_find_chain(const struct affix *a, const struct route *best,
    struct txn *t)
{
	for (; a != NULL; a = a->outer)
		best = bucket_find(a->value, best, t);
	return best;
}

/* The captures of the innermost path that is met by a regular expression. */
static void
router_capture(const struct route *leaf, struct txn *t)
{
	size_t found[2 * REGEX_CAPTURES];
	unsigned n;

	for (const struct route *r = leaf; r != NULL; r = r->outer) {
		for (CONF_EACH(struct path_pattern, p, &r->conf->path)) {
			if (p->kind != PATH_REGEX) {
				if (path_pattern_matches(p, t->req.path))
					break;
				continue;
			}
			if (!regex_match(p->regex, t->req.path, found, &n))
				continue;
			t->captured = t->req.path;
			t->n_captures = n;
			t->captures =
			    arena_alloc(t->arena, 2 * n * sizeof found[0]);
			memcpy(t->captures, found, 2 * n * sizeof found[0]);
			t->capture_names = p->regex;
			return;
		}
	}
}

/* Regular expressions come last: the more is known, the fewer must be asked. */
const struct route *
router_find(const struct router *r, struct txn *t)
{
	struct str path = t->req.path;
	const struct route *best = NULL;

	best = bucket_find(map_get(r->exact, path), best, t);
	best = bucket_find_chain(affix_find(r->prefixes, path), best, t);
	best = bucket_find_chain(affix_find(r->suffixes, path), best, t);
	best = bucket_find(&r->pathless, best, t);
	best = bucket_find_regex(&r->regexes, best, t);
	if (best != NULL && ((const struct conditions *)
	        best->conditions)->has_regex)
		router_capture(best, t);
	return best;
}

const struct route *
router_leaf(const struct router *r, size_t i)
{
	return i < r->n ? r->leaves[i] : NULL;
}
