/*
 * ${env:NAME}, ${env:NAME:-default} and ${file:PATH}: put in once, after the
 * YAML is parsed, so that a value can never change the structure. Every other
 * $name belongs to whoever compiles the string, and `$$` is left for them.
 */
#include "conf/run.h"

#include <ctype.h>

#define INTERPOLATE_MAX (1u << 20) /* bytes that one value can bring */

struct interpolation {
	struct conf_load *load;
	const struct node *node;
	unsigned depth;
	struct buf out;
};

static bool interpolate_text(struct conf_load *load, const struct node *node,
    struct str text, unsigned depth, struct str *out);

static bool
interpolate_put(struct interpolation *in, const char *what, struct str name,
    struct str value)
{
	if (value.n > INTERPOLATE_MAX || in->out.n > INTERPOLATE_MAX) {
		conf_error(in->load, in->node->pos, "bad-variable",
		    "the value of ${%s:%.*s} is too long for a value",
		    what, STR_ARG(name));
		return false;
	}
	if (!utf8_is_valid(value)) {
		conf_error(in->load, in->node->pos, "bad-variable",
		    "the value of ${%s:%.*s} is not UTF-8 text", what,
		    STR_ARG(name));
		return false;
	}
	buf_str(&in->out, value);
	return true;
}

static bool
interpolate_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_')
			return false;
	return s.n > 0 && !isdigit((unsigned char)s.p[0]);
}

static bool
interpolate_env(struct interpolation *in, struct str inner)
{
	struct conf_source *source = in->load->source;
	struct str name = inner, other = {NULL, 0};
	bool has_other = false;
	const char *value;
	size_t colon = str_index(inner, ':', 0);

	if (colon != SIZE_MAX && colon + 1 < inner.n &&
	    inner.p[colon + 1] == '-') {
		name = str_slice(inner, 0, colon);
		other = str_slice(inner, colon + 2, inner.n);
		has_other = true;
	}
	if (!interpolate_is_name(name)) {
		conf_error(in->load, in->node->pos, "bad-variable",
		    "\"%.*s\" cannot name an environment variable; write "
		    "${env:NAME} or ${env:NAME:-default}", STR_ARG(name));
		return false;
	}
	value = source->env(source, arena_str(in->load->arena, name).p);
	/* As in the shell, ":-" also stands in for what is set but empty. */
	if (has_other && (value == NULL || value[0] == '\0'))
		return interpolate_put(in, "env", name, other);
	if (value != NULL)
		return interpolate_put(in, "env", name, str_from(value));
	conf_error(in->load, in->node->pos, "unset-variable",
	    "the environment variable %.*s is not set; "
	    "${env:%.*s:-...} would give it a default", STR_ARG(name),
	    STR_ARG(name));
	return false;
}

static bool
interpolate_file(struct interpolation *in, struct str inner)
{
	struct conf_load *load = in->load;
	struct str text;
	char *path;

	/* The path itself may come from the environment:
	 * ${file:${env:CREDENTIALS_DIRECTORY}/token}. */
	if (!interpolate_text(load, in->node, inner, in->depth + 1, &inner))
		return false;
	if (inner.n == 0 || memchr(inner.p, '\0', inner.n) != NULL) {
		conf_error(load, in->node->pos, "bad-variable",
		    "${file:} needs a path");
		return false;
	}
	path = conf_path(load, in->node->pos, inner);
	if (!conf_read(load, in->node->pos, path, &text))
		return false;
	if (str_has_suffix(text, STR("\n")))
		text.n--;
	if (str_has_suffix(text, STR("\r")))
		text.n--;
	secret_note(load, path, text);
	return interpolate_put(in, "file", inner, text);
}

/* The index of the brace that closes the one before FROM, or SIZE_MAX. */
static size_t
interpolate_close(struct str s, size_t from)
{
	size_t depth = 1;

	for (size_t i = from; i < s.n; i++) {
		if (s.p[i] == '{' && s.p[i - 1] == '$')
			depth++;
		else if (s.p[i] == '}' && --depth == 0)
			return i;
	}
	return SIZE_MAX;
}

static bool
interpolate_one(struct interpolation *in, struct str rest, size_t *used)
{
	enum { OPEN = 2, WORD = 4 }; /* "${", "env:" */
	bool is_env = str_has_prefix(rest, STR("${env:"));
	size_t skip = is_env ? OPEN + WORD : OPEN + WORD + 1;
	size_t end = interpolate_close(rest, skip);
	struct str inner;

	if (end == SIZE_MAX) {
		conf_error(in->load, in->node->pos, "bad-variable",
		    "this ${%s: is never closed by \"}\"",
		    is_env ? "env" : "file");
		return false;
	}
	*used = end + 1;
	inner = str_slice(rest, skip, end);
	return is_env ? interpolate_env(in, inner) :
	    interpolate_file(in, inner);
}

static bool
interpolate_is_start(struct str rest)
{
	return str_has_prefix(rest, STR("${env:")) ||
	    str_has_prefix(rest, STR("${file:"));
}

bool
interpolate_wants(struct str text)
{
	for (size_t i = 0; i + 6 <= text.n; i++) {
		const char *p = memchr(text.p + i, '$', text.n - i);

		if (p == NULL)
			return false;
		i = (size_t)(p - text.p);
		if (interpolate_is_start(str_slice(text, i, text.n)))
			return true;
		/* A doubled dollar is one that was meant. */
		if (i + 1 < text.n && text.p[i + 1] == '$')
			i++;
	}
	return false;
}

static bool
interpolate_text(struct conf_load *load, const struct node *node,
    struct str text, unsigned depth, struct str *out)
{
	enum { DEPTH_MAX = 4 };
	struct interpolation in = {
		.load = load, .node = node, .depth = depth
	};
	size_t used;

	if (depth > DEPTH_MAX) {
		conf_error(load, node->pos, "bad-variable",
		    "${file:} is nested too deeply");
		return false;
	}
	if (!interpolate_wants(text)) {
		*out = arena_str(load->arena, text);
		return true;
	}
	in.out = buf_in(load->arena);
	for (size_t i = 0; i < text.n; i += used) {
		struct str rest = str_slice(text, i, text.n);

		used = 1;
		if (interpolate_is_start(rest)) {
			if (!interpolate_one(&in, rest, &used))
				return false;
			continue;
		}
		if (str_has_prefix(rest, STR("$$")))
			used = 2;
		buf_put(&in.out, rest.p, used);
	}
	*out = buf_view(&in.out);
	buf_chr(&in.out, '\0');
	out->p = in.out.p;
	return true;
}

bool
interpolate(struct conf_load *load, const struct node *node, struct str *out)
{
	return interpolate_text(load, node, node->text, 0, out);
}
