/* What paths, values and hosts are compared with, as operators write it. */
#ifndef HTTP_PATTERN_H
#define HTTP_PATTERN_H

#include "conf/schema.h"
#include "http/regex.h"

/*
 * A path as operators write it: "/x", "/x/" "*" (everything below), "/x*",
 * "*.php", "~ REGEX". The regular expression is compiled by PCRE2 with its JIT
 * and with match limits, on the decoded, normalised path.
 */
enum path_kind { PATH_EXACT, PATH_BELOW, PATH_PREFIX, PATH_SUFFIX, PATH_REGEX };
struct path_pattern {
	enum path_kind kind;
	struct str text; /* without the star; PATH_BELOW keeps its last "/" */
	struct str written;
	struct regex *regex;
};
extern const struct conf_type conf_type_path_pattern;
bool path_pattern_matches(const struct path_pattern *p, struct str path);

/* The front of paths, whole segments of it: "/x", "/x/y"; a struct str, without
 * a slash at its end. */
extern const struct conf_type conf_type_path_front;
/* Cuts TEXT to such a one; false: it cannot be. */
bool path_front_parse(struct arena *a, struct str text, struct str *out,
    struct err *e);

/* Whether it was written encoded: an escape other than that of a slash. */
bool path_has_escape(struct str text);

/* A regular expression alone, a `struct regex *`; "~" before it is no part. */
extern const struct conf_type conf_type_regex;

/* A value that must be equal, or "~REGEX" that must be found in it. */
struct value_pattern {
	struct str text;
	struct regex *regex; /* NULL: equal */
};
extern const struct conf_type conf_type_value_pattern;
bool value_pattern_matches(const struct value_pattern *v, struct str value);

/* A host as written: "example.com", "*.example.com", "~REGEX". */
enum host_kind { HOST_EXACT, HOST_WILDCARD, HOST_REGEX };
struct host_pattern {
	enum host_kind kind;
	struct str text; /* lower case; a wildcard without "*", with its dot */
	struct str written;
	struct regex *regex;
};
extern const struct conf_type conf_type_host;

#endif
