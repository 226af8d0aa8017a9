/*
 * The two directions of heads in HTTP/2. A request is turned into what the
 * same request would be in HTTP/1.1, so that no step sees a difference: the
 * authority becomes Host, the crumbs of cookies are joined, the line of the
 * log is made up.
 */
#include "http/h2_head.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

/* What a field is said to cost beside its bytes (RFC 9113 section 6.5.2). */
#define FIELD_COST 32

void
h2_head_init(struct h2_head *x, struct head *fields, struct arena *a,
    const struct http_conf *conf)
{
	*x = (struct h2_head){
		.bounds = policy_bounds(conf), .cookie = buf_in(a)
	};
	head_init(fields, a, 16);
}

void
h2_head_add(struct head *head, struct str name, struct str value,
    uint8_t flags)
{
	enum field_id id = field_lookup(name);

	/* Upstreams of HTTP/1 get known names as the world writes them. */
	head_add(head, id, id != FIELD_OTHER ? field_written(id) :
	    arena_str(head->arena, name), arena_str(head->arena, value));
	if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
		head_mark_secret(head);
}

static struct str *
h2_head_pseudo(struct h2_head *x, struct str name)
{
	if (str_eq(name, STR(":method")))
		return &x->method;
	if (str_eq(name, STR(":scheme")))
		return &x->scheme;
	if (str_eq(name, STR(":authority")))
		return &x->authority;
	if (str_eq(name, STR(":path")))
		return &x->path;
	return str_eq(name, STR(":protocol")) ? &x->protocol : NULL;
}

enum refusal
h2_head_take(struct h2_head *x, struct head *fields, struct str name,
    struct str value, uint8_t flags)
{
	struct str *pseudo;

	x->size += name.n + value.n + FIELD_COST;
	if (name.n > 0 && name.p[0] == ':') {
		pseudo = h2_head_pseudo(x, name);
		if (pseudo == &x->path && value.n > x->bounds.max_target_size)
			return REFUSAL_LONG_TARGET;
		if (x->size > x->bounds.max_header_size)
			return REFUSAL_LARGE_HEAD;
		if (pseudo != NULL)
			*pseudo = arena_str(fields->arena, value);
		return REFUSAL_NONE;
	}
	if (x->size > x->bounds.max_header_size)
		return REFUSAL_LARGE_HEAD;
	/* Clients split them for the sake of compression (RFC 9113 section
	 * 8.2.3); together they are one field. */
	if (str_eq(name, STR("cookie"))) {
		if (x->cookie.n > 0)
			buf_str(&x->cookie, STR("; "));
		buf_str(&x->cookie, value);
		if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
			x->hides_cookie = true;
		return REFUSAL_NONE;
	}
	if (++x->n > x->bounds.max_headers)
		return REFUSAL_MANY_FIELDS;
	h2_head_add(fields, name, value, flags);
	return REFUSAL_NONE;
}

/* ---- requests ---------------------------------------------------------- */

/* Both may be there, and must say the same (RFC 9113 section 8.3.1). */
static enum refusal
h2_head_set_host(struct h2_head *x, struct head *fields)
{
	struct str host = head_value(fields, FIELD_HOST);

	if (head_count(fields, FIELD_HOST) > 1)
		return REFUSAL_MANY_HOSTS;
	if (x->authority.n == 0)
		return host.n > 0 ? REFUSAL_NONE : REFUSAL_NO_HOST;
	if (host.p != NULL && !str_case_eq(host, x->authority))
		return REFUSAL_BAD_HOST;
	head_remove_id(fields, FIELD_HOST);
	head_add_known(fields, FIELD_HOST, x->authority);
	return REFUSAL_NONE;
}

/* A key that nobody will look at: HTTP/2 has no use for one, and the answer to
 * it ends here (RFC 8441 section 5). */
static void
h2_head_add_key(struct head *fields)
{
	unsigned char raw[16] = { 0 };
	char *text = arena_alloc(fields->arena, 28);

	(void)RAND_bytes(raw, sizeof raw);
	EVP_EncodeBlock((unsigned char *)text, raw, sizeof raw);
	head_set(fields, STR("Sec-WebSocket-Key"), str_of(text, 24));
}

static enum refusal
h2_head_become_upgrade(struct h2_head *x, struct txn *t)
{
	struct head *fields = &t->req.head;

	if (!str_eq(x->protocol, STR("websocket")))
		return REFUSAL_METHOD_UNKNOWN;
	t->req.method = METHOD_GET;
	t->req.method_name = STR("GET");
	t->req.wants_upgrade = true;
	head_add_known(fields, FIELD_CONNECTION, STR("upgrade"));
	head_add_known(fields, FIELD_UPGRADE, x->protocol);
	h2_head_add_key(fields);
	return REFUSAL_NONE;
}

static enum refusal
h2_head_read_expect(struct txn *t)
{
	HEAD_EACH(f, &t->req.head) {
		if (f->id != FIELD_EXPECT)
			continue;
		if (!str_case_eq(f->value, STR("100-continue")))
			return REFUSAL_BAD_EXPECT;
		t->req.expects_continue = true;
	}
	return REFUSAL_NONE;
}

int64_t
h2_head_length(const struct head *head)
{
	uint64_t n;

	if (!str_to_u64(head_value(head, FIELD_CONTENT_LENGTH), &n) ||
	    n > INT64_MAX)
		return -1;
	return (int64_t)n;
}

/* As HTTP/1 would have it. */
static struct str
h2_head_line(struct arena *a, struct str method, struct str target)
{
	struct str version = STR(" HTTP/2.0");
	char *line = arena_alloc(a, method.n + 1 + target.n + version.n + 1);
	struct buf b = buf_fixed(line, method.n + 1 + target.n + version.n);

	buf_str(&b, method);
	buf_chr(&b, ' ');
	buf_str(&b, target);
	buf_str(&b, version);
	line[b.n] = '\0';
	return buf_view(&b);
}

enum refusal
h2_head_finish(struct h2_head *x, struct txn *t, struct str *target)
{
	struct head *fields = &t->req.head;
	enum refusal refusal;

	if (x->cookie.n > 0)
		head_add_known(fields, FIELD_COOKIE, buf_view(&x->cookie));
	if (x->hides_cookie && x->cookie.n > 0)
		head_mark_secret(fields);
	t->req.major = 2;
	t->req.method_name = x->method;
	t->req.method = method_lookup(x->method);
	*target = x->path.p != NULL ? x->path : x->authority;
	t->req.line = h2_head_line(t->arena, x->method, *target);
	if (x->method.n > METHOD_MAX)
		return REFUSAL_METHOD_UNKNOWN;

	refusal = h2_head_set_host(x, fields);
	if (refusal != REFUSAL_NONE)
		return refusal;
	if (x->protocol.p != NULL)
		return h2_head_become_upgrade(x, t);
	if (t->req.method != METHOD_CONNECT &&
	    !str_case_eq(x->scheme, STR("http")) &&
	    !str_case_eq(x->scheme, STR("https")))
		return REFUSAL_BAD_TARGET;
	return h2_head_read_expect(t);
}

/* ---- responses --------------------------------------------------------- */

void
h2_head_put(nghttp2_nv *nv, struct str name, struct str value)
{
	*nv = (nghttp2_nv){
		.name = (uint8_t *)name.p, .namelen = name.n,
		.value = (uint8_t *)value.p, .valuelen = value.n,
		.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME |
		    NGHTTP2_NV_FLAG_NO_COPY_VALUE
	};
}

static struct str
h2_head_lower(struct arena *a, const struct field *f)
{
	char *p;

	if (f->id != FIELD_OTHER)
		return field_name(f->id);
	p = arena_alloc(a, f->name.n);
	for (size_t i = 0; i < f->name.n; i++)
		p[i] = chr_lower(f->name.p[i]);
	return str_of(p, f->name.n);
}

/* Fields of a connection have no place in HTTP/2 (RFC 9113 section 8.2.2), and
 * framing is its own. */
static size_t
h2_head_put_fields(nghttp2_nv *nv, struct arena *a,
    const struct head *head)
{
	size_t n = 0;

	HEAD_EACH(f, head) {
		if ((field_flags(f->id) & (FIELD_HOP | FIELD_FRAMING)) != 0 &&
		    f->id != FIELD_TRAILER &&
		    f->id != FIELD_PROXY_AUTHENTICATE)
			continue;
		h2_head_put(&nv[n], h2_head_lower(a, f), f->value);
		if (f->is_secret)
			nv[n].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
		n++;
	}
	return n;
}

nghttp2_nv *
h2_head_compose(struct arena *a, int status, const struct head *head,
    size_t extra, size_t *n)
{
	size_t fields = head != NULL ? head->n : 0;
	nghttp2_nv *nv = arena_alloc(a,
	    (1 + fields + extra) * sizeof *nv);
	char *text = arena_alloc(a, 3);

	for (int i = 2; i >= 0; i--, status /= 10)
		text[i] = (char)('0' + status % 10);
	h2_head_put(&nv[0], STR(":status"), str_of(text, 3));
	*n = 1;
	if (head != NULL)
		*n += h2_head_put_fields(nv + 1, a, head);
	return nv;
}

nghttp2_nv *
h2_head_compose_trailers(struct arena *a, const struct head *head, size_t *n)
{
	nghttp2_nv *nv = arena_alloc(a, (1u + head->n) * sizeof *nv);

	*n = h2_head_put_fields(nv, a, head);
	return nv;
}
