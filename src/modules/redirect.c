/*
 * redirect: the client is told another place. The Location is what the template
 * gives, relative or not (RFC 9110 section 10.2.2); bytes that no URI has are
 * encoded, and a value with control characters is refused, so a request cannot
 * write fields of the response. A constant is made ready when it is loaded.
 */
#include "http/status.h"
#include "http/template.h"
#include "modules/modules.h"

struct redirect_conf {
	struct template *to;
	int status; /* index into redirect_codes */

	/* Made by redirect_prepare; p == NULL: not constant. */
	struct str location, page;
};

#define REDIRECT_CODES \
	CODE(301) CODE(302) CODE(303) CODE(307) CODE(308)

static const char *const redirect_words[] = {
#define CODE(n) #n,
	REDIRECT_CODES
#undef CODE
	NULL
};
static const int redirect_codes[] = {
#define CODE(n) n,
	REDIRECT_CODES
#undef CODE
};

static const struct conf_field redirect_fields[] = {
	KEY_TEMPLATE(redirect_conf, to, .flags = CONF_REQUIRED,
	    .doc = "Where to: a URL, or a path on the same host.",
	    .example = "https://$host$request_uri"),
	KEY_CHOICE(redirect_conf, status, redirect_words, .dflt = "301",
	    .doc = "301 and 308 are for good, 302 and 307 for now; with 307 "
	    "and 308 the client keeps its method, with 303 it uses GET."),
	KEY_END
};

static const struct conf_schema redirect_schema = {
	.name = "redirect",
	.doc = "Sends clients to another place.",
	.size = sizeof(struct redirect_conf),
	.fields = redirect_fields,
	.shorthand = "to",
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /old\n"
	    "        redirect: {to: /new, status: 308}\n"
	    "      - redirect: https://$host$request_uri\n",
};

/* ---- the location ------------------------------------------------------ */

static bool
location_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

/* What no URI holds as it is (RFC 3986 appendix A). The backslash matters:
 * browsers take it for a slash, and two at the front begin a host name. */
static bool
location_is_encoded(char c)
{
	return (unsigned char)c >= 0x80 || strchr(" \"<>\\^`{|}", c) != NULL;
}

/* Without control characters; S itself when there is nothing to encode. */
static struct str
location_encode(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	struct buf b = buf_in(a);
	size_t plain = 0;

	while (plain < s.n && !location_is_encoded(s.p[plain]))
		plain++;
	if (plain == s.n)
		return s;

	buf_put(&b, s.p, plain);
	for (size_t i = plain; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (location_is_encoded(s.p[i]))
			buf_put(&b, (char[3]){ '%', digits[c >> 4],
			    digits[c & 15] }, 3);
		else
			buf_chr(&b, s.p[i]);
	}
	return buf_view(&b);
}

/* A short note for who does not follow by himself (RFC 9110 section 15.4). */
static struct str
redirect_page(struct arena *a, int status, struct str location)
{
	struct str reason = status_reason(status);
	struct buf b = buf_in(a);

	buf_printf(&b, "<!DOCTYPE html>\n<html><head><title>%d %.*s</title>"
	    "</head>\n<body><h1>%d %.*s</h1>\n<p><a href=\"", status,
	    STR_ARG(reason), status, STR_ARG(reason));
	/* Quotes and angles were encoded with the rest; see above. */
	for (size_t i = 0; i < location.n; i++) {
		if (location.p[i] == '&')
			buf_str(&b, STR("&amp;"));
		else
			buf_chr(&b, location.p[i]);
	}
	buf_str(&b, STR("\">Moved here</a></p></body></html>\n"));
	return buf_view(&b);
}

/* ---- loading ----------------------------------------------------------- */

static bool
redirect_has_scheme(struct str text)
{
	size_t colon = str_index(text, ':', 0);

	return colon != SIZE_MAX && colon > 0 &&
	    str_has_prefix(str_slice(text, colon, text.n), STR("://"));
}

/* "301 https://x", as nginx's return has it. */
static bool
redirect_has_status(struct str text)
{
	return text.n > 4 && text.p[3] == ' ' &&
	    str_to_u64(str_slice(text, 0, 3), &(uint64_t){ 0 });
}

static void
redirect_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct redirect_conf *c = conf;
	struct arena *a = conf_arena(load);
	struct str text = template_text(c->to);

	(void)g;
	if (redirect_has_status(text)) {
		conf_error(load, conf_pos_of(c, &c->to), "bad-target",
		    "the status has a key of its own; did you mean {to: "
		    "%.*s, status: %.3s}?",
		    STR_ARG(str_trim(str_slice(text, 4, text.n))), text.p);
		return;
	}
	if (text.n == 0 || (strchr("/$?#", text.p[0]) == NULL &&
	    !redirect_has_scheme(text))) {
		conf_error(load, conf_pos_of(c, &c->to), "bad-target",
		    "\"%.*s\" is no place to send clients to; a URL begins "
		    "with https:// or http://, a path with a slash",
		    STR_ARG(text));
		return;
	}
	if (location_has_control(text)) {
		conf_error(load, conf_pos_of(c, &c->to), "bad-target",
		    "a URL cannot hold control characters");
		return;
	}
	if (!template_is_constant(c->to))
		return;
	c->location = location_encode(a, template_eval(c->to, NULL));
	c->page = redirect_page(a, redirect_codes[c->status], c->location);
}

/* ---- requests ---------------------------------------------------------- */

static enum verdict
redirect_step(struct txn *t, const void *conf)
{
	const struct redirect_conf *c = conf;
	int status = redirect_codes[c->status];
	struct str location = c->location, page = c->page;

	if (location.p == NULL) {
		location = template_eval(c->to, t);
		if (location.n == 0) {
			txn_fail(t, 500, "empty_redirect",
			    "the target of a redirect is empty");
			return STEP_STOP;
		}
		if (location_has_control(location)) {
			txn_fail(t, 400, "bad_redirect", "the target of a "
			    "redirect would hold control characters");
			return STEP_STOP;
		}
		location = location_encode(t->arena, location);
		page = redirect_page(t->arena, status, location);
	}
	txn_reply(t, status);
	txn_reply_field(t, FIELD_LOCATION, location);
	txn_reply_bytes(t, "text/html", page);
	return STEP_STOP;
}

const struct module redirect_module = {
	.name = "redirect",
	.phase = PHASE_RESPOND,
	.levels = LEVEL_ROUTE,
	.schema = &redirect_schema,
	.doc = "Sends clients to another place: a URL, or a path.",
	.prepare = redirect_prepare,
	.step = redirect_step,
};
