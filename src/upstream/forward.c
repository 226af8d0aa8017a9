/*
 * What of a head travels on, in both directions. Hop-by-hop fields and those
 * that Connection names end here, framing is the connection's own business, and
 * what a client claims about where it comes from is replaced by what we know.
 * Works on the memory of the transaction; knows no connection to the upstream.
 */
#include "upstream/forward.h"

#include "base/panic.h"
#include "http/provenance.h"
#include "http/site.h"
#include "net/listener.h"

/* ---- rows -------------------------------------------------------------- */

static const struct conf_field forward_fields[] = {
	KEY_MAP(forward_conf, set, conf_type_template,
	    .doc = "Fields that the upstream gets instead of the client's of "
	    "that name. A value that is empty is not sent.",
	    .example = "{X-Request-Id: $request_id}"),
	KEY_MAP(forward_conf, add, conf_type_template,
	    .doc = "Fields that the upstream gets besides the client's of that "
	    "name, for lists such as Via. A value that is empty is not sent.",
	    .example = "{Via: $server_protocol edge}"),
	KEY_LIST(forward_conf, remove, conf_type_str,
	    .doc = "Fields of the client that the upstream does not get.",
	    .example = "[Accept-Encoding]"),
	KEY_END
};
const struct conf_schema forward_schema = {
	.name = "request_headers",
	.doc = "Changes to the request's fields on their way to the upstream.",
	.size = sizeof(struct forward_conf),
	.fields = forward_fields,
};

/* ---- compiled edits ---------------------------------------------------- */

struct forward_set {
	struct str name;
	enum field_id id;
	const struct template *value;
};

struct forward_edits {
	struct forward_set *sets;
	struct str *names; /* dropped from the client's, unknown to field.def */
	size_t n_sets, n_names;
	bool drops[FIELD_COUNT]; /* the known ones */
};

static void
forward_drop(struct forward_edits *e, struct str name)
{
	enum field_id id = field_lookup(name);

	if (id == FIELD_OTHER)
		e->names[e->n_names++] = name;
	else
		e->drops[id] = true;
}

static bool
forward_check_name(struct conf_load *load, struct conf_pos pos,
    struct str name)
{
	enum field_id id = field_lookup(name);

	if (!field_token_is_valid(name)) {
		conf_error(load, pos, "bad-value",
		    "\"%.*s\" is not the name of a header: letters, digits and "
		    "\"-\"", STR_ARG(name));
		return false;
	}
	if ((field_flags(id) & (FIELD_HOP | FIELD_FRAMING)) != 0) {
		conf_error(load, pos, "bad-value",
		    "%.*s belongs to the connection and is always written by "
		    "the proxy itself", STR_ARG(name));
		return false;
	}
	if (id == FIELD_EARLY_DATA) {
		conf_error(load, pos, "bad-value",
		    "Early-Data says that a request may be somebody's replay; "
		    "only the proxy knows, and says it");
		return false;
	}
	return true;
}

/* A field to be written; false: it cannot be. */
static bool
forward_compile_field(struct conf_load *load, struct forward_edits *e,
    const struct conf_entry *entry)
{
	if (!forward_check_name(load, entry->key_pos, entry->key))
		return false;
	e->sets[e->n_sets++] = (struct forward_set){
		.name = entry->key,
		.id = field_lookup(entry->key),
		.value = *(struct template *const *)entry->value,
	};
	return true;
}

static void
forward_compile_set(struct conf_load *load, struct forward_edits *e,
    const struct conf_entry *entry)
{
	if (forward_compile_field(load, e, entry))
		forward_drop(e, entry->key);
}

static void
forward_compile_add(struct conf_load *load, struct forward_edits *e,
    const struct conf_entry *entry)
{
	if (field_lookup(entry->key) == FIELD_HOST)
		conf_error(load, entry->key_pos, "bad-value",
		    "a request has one Host; set its value instead of adding "
		    "another");
	else
		(void)forward_compile_field(load, e, entry);
}

const struct forward_edits *
forward_compile(struct conf_load *load, const struct forward_conf *conf)
{
	struct arena *a = conf_arena(load);
	struct forward_edits *e = arena_zalloc(a, sizeof *e);

	if (conf == NULL)
		return e;
	e->sets = arena_zalloc(a,
	    (conf->set.n + conf->add.n + 1) * sizeof *e->sets);
	e->names = arena_zalloc(a,
	    (conf->set.n + conf->remove.n + 1) * sizeof *e->names);
	for (size_t i = 0; i < conf->set.n; i++)
		forward_compile_set(load, e, &conf->set.entries[i]);
	for (size_t i = 0; i < conf->add.n; i++)
		forward_compile_add(load, e, &conf->add.entries[i]);
	for (size_t i = 0; i < conf->remove.n; i++) {
		struct str name = str_from(CONF_ITEM(&conf->remove, char *, i));
		struct conf_pos pos = conf->remove.pos[i];

		if (!forward_check_name(load, pos, name))
			continue;
		if (field_lookup(name) == FIELD_HOST)
			conf_error(load, pos, "bad-value",
			    "a request has a Host; set another value instead "
			    "of removing it");
		forward_drop(e, name);
	}
	return e;
}

bool
forward_sets_host(const struct forward_edits *e)
{
	return e->drops[FIELD_HOST];
}

static bool
forward_is_dropped(const struct forward_edits *e, enum field_id id,
    struct str name)
{
	if (id != FIELD_OTHER)
		return e->drops[id];
	for (size_t i = 0; i < e->n_names; i++)
		if (str_case_eq(e->names[i], name))
			return true;
	return false;
}

/* ---- upgrades ---------------------------------------------------------- */

/* "token" or "token/token" (RFC 9110 section 7.8). */
static bool
forward_is_protocol(struct str s)
{
	size_t slash = str_index(s, '/', 0);

	if (slash == SIZE_MAX)
		return field_token_is_valid(s);
	return field_token_is_valid(str_slice(s, 0, slash)) &&
	    field_token_is_valid(str_slice(s, slash + 1, s.n));
}

void
forward_check_upgrades(struct conf_load *load, const struct conf_list *allowed)
{
	for (size_t i = 0; i < allowed->n; i++) {
		struct str name = str_from(CONF_ITEM(allowed, char *, i));
		struct str base = str_slice(name, 0, str_index(name, '/', 0));

		/* What comes after is requests again, past every rule here:
		 * h2c is known as a way around proxies. */
		if (str_case_eq(base, STR("h2c")) ||
		    str_case_eq(base, STR("h2")) ||
		    str_case_eq(base, STR("http")))
			conf_error(load, allowed->pos[i], "bad-value",
			    "an upgrade to \"%.*s\" never passes: its "
			    "requests would get around every rule",
			    STR_ARG(name));
		else if (!forward_is_protocol(name))
			conf_error(load, allowed->pos[i], "bad-value",
			    "\"%.*s\" is not the name of a protocol such as "
			    "websocket", STR_ARG(name));
	}
}

/* ---- hop by hop -------------------------------------------------------- */

/* What Connection names beyond its own options; p == NULL: nothing, which is
 * nearly always so. */
static struct str
forward_named_fields(const struct head *h)
{
	struct str all = head_joined(h, FIELD_CONNECTION);
	struct str rest = all, token;

	while (field_next(&rest, &token))
		if (!str_case_eq(token, STR("close")) &&
		    !str_case_eq(token, STR("keep-alive")))
			return all;
	return str_of(NULL, 0);
}

static bool
forward_is_hop(const struct field *f, struct str named)
{
	if ((field_flags(f->id) & (FIELD_HOP | FIELD_FRAMING)) != 0)
		return true;
	return named.p != NULL && field_has_token(named, f->name);
}

/* ---- requests ---------------------------------------------------------- */

enum forward_body
forward_body_of(const struct txn *t)
{
	if (t->req.body->length == 0)
		return FORWARD_NO_BODY;
	return t->req.body->length > 0 ? FORWARD_LENGTH : FORWARD_CHUNKED;
}

bool
forward_counts_hops(const struct txn *t, uint64_t *left)
{
	struct str value = head_value(&t->req.head, FIELD_MAX_FORWARDS);

	return t->req.method == METHOD_OPTIONS && str_to_u64(value, left);
}

struct str
forward_upgrade(const struct txn *t, const struct conf_list *allowed)
{
	struct str asked;

	if (!t->req.wants_upgrade || t->req.body->length != 0)
		return str_of("", 0);
	asked = head_joined(&t->req.head, FIELD_UPGRADE);
	for (size_t i = 0; i < allowed->n; i++) {
		struct str name = str_from(CONF_ITEM(allowed, char *, i));

		if (field_has_token(asked, name))
			return name;
	}
	return str_of("", 0);
}

/*
 * Where fields go: lines of a head, or a list for protocols that pack fields in
 * their own way. What is a field's lot is decided once, above both.
 */
struct forward_sink {
	struct buf *lines;   /* NULL: to `fields` */
	struct head *fields;
};

static void
forward_field(struct forward_sink *to, struct str name, struct str value)
{
	char *p;

	if (to->lines == NULL) {
		head_add(to->fields, field_lookup(name), name, value);
		return;
	}
	p = buf_room(to->lines, name.n + value.n + 4);
	if (p == NULL)
		return;
	memcpy(p, name.p, name.n);
	p += name.n;
	memcpy(p, ": ", 2);
	p += 2;
	if (value.n > 0)
		memcpy(p, value.p, value.n);
	p += value.n;
	memcpy(p, "\r\n", 2);
	to->lines->n += name.n + value.n + 4;
}

/* As it came, with what was said of it. */
static void
forward_copy(struct forward_sink *to, const struct field *f)
{
	forward_field(to, f->name, f->value);
	if (f->is_secret && to->lines == NULL)
		head_mark_secret(to->fields);
}

static void
forward_number(struct forward_sink *to, struct str name, uint64_t value)
{
	struct buf text;

	if (to->lines == NULL) {
		text = buf_in(to->fields->arena);
		buf_u64(&text, value);
		forward_field(to, name, buf_view(&text));
		return;
	}
	buf_str(to->lines, name);
	buf_put(to->lines, ": ", 2);
	buf_u64(to->lines, value);
	buf_put(to->lines, "\r\n", 2);
}

/* OPTIONS of a whole server, as it is said to a proxy: "http://host". */
static bool
forward_means_asterisk(const struct txn *t)
{
	const struct target *target = &t->req.target;
	const struct str *authority = &target->authority;

	return t->req.method == METHOD_OPTIONS &&
	    target->form == TARGET_ABSOLUTE && target->raw_path.n == 1 &&
	    authority->p + authority->n == t->req.raw.p + t->req.raw.n;
}

/* Whether path and query still lie side by side in what the client sent, so
 * that they need not be put together: nearly always. */
static bool
forward_query_follows(const struct txn *t)
{
	const struct target *target = &t->req.target;
	const char *end = t->req.raw.p + t->req.raw.n;
	const char *path_end = target->raw_path.p + target->raw_path.n;

	return target->query.p + target->query.n == end &&
	    path_end + 1 == target->query.p;
}

struct str
forward_target(const struct txn *t)
{
	const struct target *target = &t->req.target;
	struct str path = target->raw_path;

	/* The upstream is an origin server to us, whatever the client took us
	 * for (RFC 9112 sections 3.2.1 and 3.2.4). */
	if (t->page == NULL &&
	    (target->form == TARGET_ASTERISK || forward_means_asterisk(t)))
		return STR("*");
	if (!target->has_query)
		return path;
	if (forward_query_follows(t))
		return str_of(path.p, path.n + 1 + target->query.n);
	return arena_strf(t->arena, "%.*s?%.*s", STR_ARG(path),
	    STR_ARG(target->query));
}

static struct str
forward_host(const struct txn *t)
{
	if (t->req.target.form == TARGET_ABSOLUTE)
		return t->req.target.authority;
	return head_value(&t->req.head, FIELD_HOST);
}

/* What says where a request comes from is ours to say: a client could lie. What
 * a proxy before us says in fields that we do not write is kept. */
static bool
forward_is_ours(enum field_id id, bool is_trusted)
{
	switch ((int)id) {
	case FIELD_HOST:
	case FIELD_EARLY_DATA:
	case FIELD_EXPECT:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PROTO:
		return true;
	case FIELD_FORWARDED:
	case FIELD_X_FORWARDED_PORT:
	case FIELD_X_REAL_IP:
		return !is_trusted;
	default:
		return false;
	}
}

/*
 * CGI-like upstreams cannot tell "_" from "-", so such a name could pose as a
 * field that we set or check. Where they pass, those still do not.
 */
static bool
forward_drops_underscore(const struct txn *t, const struct forward_edits *e,
    struct str name)
{
	char text[64];
	enum field_id id;

	if (memchr(name.p, '_', name.n) == NULL)
		return false;
	if (t->site->http->underscores != UNDERSCORES_PASS ||
	    name.n > sizeof text)
		return true;
	for (size_t i = 0; i < name.n; i++)
		text[i] = name.p[i] == '_' ? '-' : name.p[i];
	id = field_lookup(str_of(text, name.n));
	return (field_flags(id) & (FIELD_HOP | FIELD_FRAMING)) != 0 ||
	    forward_is_ours(id, false) ||
	    forward_is_dropped(e, id, str_of(text, name.n));
}

static void
forward_client_fields(const struct txn *t, const struct forward_edits *e,
    bool is_trusted, struct forward_sink *out)
{
	struct str named = forward_named_fields(&t->req.head);
	uint64_t hops;
	bool is_counted = forward_counts_hops(t, &hops);

	HEAD_EACH(f, &t->req.head) {
		if (f->withheld || forward_is_ours(f->id, is_trusted) ||
		    (is_counted && f->id == FIELD_MAX_FORWARDS) ||
		    forward_is_hop(f, named) ||
		    forward_is_dropped(e, f->id, f->name))
			continue;
		if (f->id == FIELD_OTHER &&
		    forward_drops_underscore(t, e, f->name))
			continue;
		forward_copy(out, f);
	}
	if (!is_counted || e->drops[FIELD_MAX_FORWARDS] ||
	    (named.p != NULL && field_has_token(named, STR("Max-Forwards"))))
		return;
	forward_number(out, STR("Max-Forwards"), hops - 1);
}

/* The addresses that CHAIN names, and before us that of who connected, even
 * where another one is known to ask. */
static void
forward_chain(const struct txn *t, struct str chain, struct forward_sink *to)
{
	char text[PEER_TEXT];
	struct buf ip = buf_fixed(text, sizeof text);
	struct buf *out = to->lines, joined;

	peer_format_ip(&ip, &t->conn->peer);
	if (out == NULL) {
		joined = buf_in(to->fields->arena);
		out = &joined;
	} else
		buf_str(out, STR("X-Forwarded-For: "));
	if (chain.n > 0) {
		buf_str(out, chain);
		buf_put(out, ", ", 2);
	}
	buf_str(out, buf_view(&ip));
	if (to->lines != NULL)
		buf_put(out, "\r\n", 2);
	else
		forward_field(to, STR("X-Forwarded-For"), buf_view(&joined));
}

static void
forward_origin(const struct txn *t, const struct forward_edits *e,
    bool is_trusted, struct str host, struct forward_sink *out)
{
	static const struct head nothing;
	const struct head *said = is_trusted ? &t->req.head : &nothing;
	struct str proto = head_value(said, FIELD_X_FORWARDED_PROTO);
	struct str said_host = head_value(said, FIELD_X_FORWARDED_HOST);

	if (!e->drops[FIELD_X_FORWARDED_FOR])
		forward_chain(t, t->provenance != NULL ? t->provenance->via :
		    head_joined(said, FIELD_X_FORWARDED_FOR), out);
	if (!e->drops[FIELD_X_FORWARDED_PROTO])
		forward_field(out, STR("X-Forwarded-Proto"), proto.n > 0 ?
		    proto : str_from(txn_scheme(t)));
	if (!e->drops[FIELD_X_FORWARDED_HOST] && said_host.n + host.n > 0)
		forward_field(out, STR("X-Forwarded-Host"),
		    said_host.n > 0 ? said_host : host);
}

static bool
forward_sets(struct txn *t, const struct forward_request *r,
    struct forward_sink *out)
{
	for (size_t i = 0; i < r->edits->n_sets; i++) {
		const struct forward_set *s = &r->edits->sets[i];
		struct str value = template_eval(s->value, t);

		/* A decoded path may hold line ends. */
		if (!field_value_is_valid(value))
			return false;
		if (value.n == 0 && s->id == FIELD_HOST)
			value = r->host;
		if (value.n > 0)
			forward_field(out, s->name, value);
	}
	return true;
}

static void
forward_length(const struct txn *t, const struct forward_request *r,
    struct forward_sink *out)
{
	enum method m = t->req.method;

	if (r->body == FORWARD_LENGTH)
		forward_number(out, STR("Content-Length"),
		    (uint64_t)t->req.body->length);
	/* These methods anticipate content (RFC 9110 section 8.6). */
	else if (r->body == FORWARD_NO_BODY &&
	    (m == METHOD_POST || m == METHOD_PUT || m == METHOD_PATCH))
		forward_field(out, STR("Content-Length"), STR("0"));
}

/* What a connection of HTTP/1 needs besides. */
static void
forward_framing(const struct forward_request *r, struct forward_sink *to)
{
	if (r->body == FORWARD_CHUNKED)
		forward_field(to, STR("Transfer-Encoding"), STR("chunked"));
	if (r->upgrade.n > 0) {
		forward_field(to, STR("Connection"), STR("upgrade"));
		forward_field(to, STR("Upgrade"), r->upgrade);
	} else if (r->close)
		forward_field(to, STR("Connection"), STR("close"));
}

/*
 * What another proxy says of its client is believed of anybody: it asks for
 * more care. Whatever it says means "1", and it does not end here (RFC 8470
 * section 5.1).
 */
static bool
forward_is_early(const struct txn *t)
{
	return t->req.is_early ||
	    head_value(&t->req.head, FIELD_EARLY_DATA).p != NULL;
}

static bool
forward_put(struct txn *t, const struct forward_request *r,
    struct forward_sink *to)
{
	struct str host = forward_host(t);
	bool is_trusted = provenance_is_trusted(t);

	if (!r->edits->drops[FIELD_HOST])
		forward_field(to, STR("Host"), host.n > 0 ? host : r->host);
	if (r->loop_mark.n > 0)
		forward_field(to, field_written(FIELD_WEIR_LOOP), r->loop_mark);
	forward_client_fields(t, r->edits, is_trusted, to);
	forward_origin(t, r->edits, is_trusted, host, to);
	if (forward_is_early(t))
		forward_field(to, STR("Early-Data"), STR("1"));
	if (!forward_sets(t, r, to))
		return false;
	forward_length(t, r, to);
	return true;
}

bool
forward_request(struct txn *t, const struct forward_request *r,
    struct buf *out)
{
	struct forward_sink to = {.lines = out};

	buf_str(out, t->req.method_name);
	buf_chr(out, ' ');
	buf_str(out, forward_target(t));
	buf_str(out, STR(" HTTP/1.1\r\n"));
	if (!forward_put(t, r, &to))
		return false;
	forward_framing(r, &to);
	buf_str(out, STR("\r\n"));
	return true;
}

bool
forward_request_fields(struct txn *t, const struct forward_request *r,
    struct head *out)
{
	struct forward_sink to = {.fields = out};

	return forward_put(t, r, &to);
}

/* ---- trailers ---------------------------------------------------------- */

/* Fields that steer framing, routing, access or what content means must not
 * come after it (RFC 9110 section 6.5.1). */
static bool
forward_may_trail(enum field_id id)
{
	if ((field_flags(id) & (FIELD_HOP | FIELD_FRAMING)) != 0)
		return false;
	return !forward_is_ours(id, false) && id != FIELD_AUTHORIZATION &&
	    id != FIELD_COOKIE && id != FIELD_SET_COOKIE &&
	    id != FIELD_CACHE_CONTROL && id != FIELD_CONTENT_TYPE &&
	    id != FIELD_CONTENT_ENCODING && id != FIELD_CONTENT_RANGE &&
	    id != FIELD_LOCATION && id != FIELD_RANGE;
}

void
forward_clean_trailers(struct head *trailers)
{
	for (unsigned i = 0; i < trailers->n; i++)
		if (!forward_may_trail(trailers->fields[i].id))
			trailers->fields[i].removed = true;
}

static void
forward_put_trailers(const struct txn *t, struct forward_sink *to)
{
	if (t->req.trailers == NULL)
		return;
	HEAD_EACH(f, t->req.trailers)
		if (forward_may_trail(f->id) &&
		    memchr(f->name.p, '_', f->name.n) == NULL)
			forward_copy(to, f);
}

void
forward_trailers(const struct txn *t, struct buf *out)
{
	struct forward_sink to = {.lines = out};

	forward_put_trailers(t, &to);
	buf_str(out, STR("\r\n"));
}

void
forward_trailer_fields(const struct txn *t, struct head *out)
{
	struct forward_sink to = {.fields = out};

	forward_put_trailers(t, &to);
}

/* ---- responses --------------------------------------------------------- */

void
forward_response(struct head *to, const struct head *from)
{
	struct str named = forward_named_fields(from);

	HEAD_EACH(f, from)
		if (!forward_is_hop(f, named))
			head_add_field(to, f);
}
