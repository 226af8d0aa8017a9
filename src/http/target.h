/*
 * Request targets (RFC 9112 section 3.2) and the one reading of a path:
 * decoded once, dot segments removed, and that string is matched and opened.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/arena.h"
#include "base/str.h"

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK };

struct target {
	enum target_form form;
	struct str scheme;    /* absolute form only */
	struct str authority; /* absolute form only; "host[:port]" */
	struct str raw_path;  /* as sent, without the query; "/" when empty */
	struct str query;     /* without "?" */
	bool has_query;
	struct str path;      /* decoded and normalised; starts with "/" */
};

/* What to do with an encoded slash. */
enum encoded_slash { SLASH_REFUSE, SLASH_KEEP, SLASH_DECODE };

enum target_status {
	TARGET_OK,
	TARGET_BAD,         /* 400 */
	TARGET_ABOVE_ROOT,  /* 400: ".." leaves the root */
	TARGET_BAD_ESCAPE,  /* 400: % without two hex digits, %00, a control */
	TARGET_SLASH        /* 400: %2F while refused */
};

/*
 * Parses TARGET as a request line has it. Characters outside of what RFC 3986
 * allows (controls, space, DEL, bytes >= 0x80, a fragment) are refused, with
 * browsers' habit of sending "|", "{", "}", "^", "`", "\"", "<", ">", "[", "]"
 * unencoded in queries and paths tolerated. Runs of "/" are merged in path; a
 * backslash (also %5C) is refused. SLASH_KEEP leaves "%2F" as these three
 * characters in path. Escapes of bytes >= 0x80 are decoded to whatever they
 * are, UTF-8 or not; those of the query are not looked at. A path that needs no
 * decoding points into TARGET. The path of "*" is "/".
 */
enum target_status target_parse(struct arena *a, struct str target,
    enum encoded_slash slash, struct target *out);
/* The two halves of it: what to do with an encoded slash may depend on the
 * authority. After the first, path is known only if it needs no decoding. */
enum target_status target_split(struct str target, struct target *out);
enum target_status target_decode(struct arena *a, enum encoded_slash slash,
    struct target *t);

/* "host[:port]" (RFC 3986 section 3.2.2, without userinfo and escapes): *HOST
 * is lower case, an IPv6 address with its brackets, a trailing dot removed;
 * *PORT 0 when absent. */
bool authority_parse(struct arena *a, struct str authority, struct str *host,
    uint16_t *port);

/* Percent-encodes what may not stand in a path. */
struct str path_encode(struct arena *a, struct str path);
/* Likewise; but with SLASH_KEEP, "%2F" in PATH is a slash that was kept. */
struct str path_encode_as(struct arena *a, struct str path,
    enum encoded_slash slash);
/*
 * Makes *PATH, which was put together here (decoded), one as target_decode
 * gives: runs of slashes are merged. False: it does not begin with a slash, has
 * "." or ".." for a segment, or a control or a backslash.
 */
bool path_settle(struct arena *a, struct str *path);

#endif
