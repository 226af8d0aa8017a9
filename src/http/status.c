/*
 * What a status is called: its reason, its line, its page. All of it is text
 * that the compiler has put together; nothing is formatted while serving.
 */
#include "http/status.h"

#include "base/compiler.h"

/* No version and no name of the program: who attacks shall not be helped. */
#define PAGE_END "</p>\n</html>\n"
#define PAGE(title, heading, text) \
	"<!doctype html>\n" \
	"<html lang=\"en\">\n" \
	"<meta charset=\"utf-8\">\n" \
	"<meta name=\"viewport\" content=\"width=device-width\">\n" \
	"<title>" title "</title>\n" \
	"<style>\n" \
	":root { color-scheme: light dark }\n" \
	"body { font: 1.2em/1.5 system-ui, sans-serif; margin: 20vh 1em;" \
	" text-align: center }\n" \
	"h1 { font-size: 3em; font-weight: 300; margin: 0 }\n" \
	"p { margin: 0; opacity: .7 }\n" \
	"</style>\n" \
	"<h1>" heading "</h1>\n" \
	"<p>" text PAGE_END

struct status_row {
	struct str reason, line, page;
};

enum status_index {
	STATUS_NOBODY, /* a code that is not registered */
#define STATUS(code, reason) STATUS_##code,
#include "http/status.def"
#undef STATUS
	STATUS_COUNT
};

static const struct status_row rows[STATUS_COUNT] = {
#define STATUS(code, reason) [STATUS_##code] = { \
	STR_INIT(reason), \
	STR_INIT("HTTP/1.1 " #code " " reason "\r\n"), \
	STR_INIT(PAGE(#code " " reason, #code, reason)) \
},
#include "http/status.def"
#undef STATUS
};

/* RFC 9110 section 15: a code that one does not know means what the class
 * means. No line: it would need the number. */
#define CLASS(text) {STR_INIT(text), {NULL, 0}, STR_INIT(PAGE(text, text, ""))}
static const struct status_row classes[] = {
	CLASS("Unknown Status"),
	CLASS("Information"),
	CLASS("Success"),
	CLASS("Redirection"),
	CLASS("Client Error"),
	CLASS("Server Error"),
};

static const uint8_t index_of[600] = {
#define STATUS(code, reason) [code] = STATUS_##code,
#include "http/status.def"
#undef STATUS
};

static const struct status_row *
status_row(int status)
{
	if (status < 100 || status > 599)
		return &classes[0];
	if (index_of[status] != STATUS_NOBODY)
		return &rows[index_of[status]];
	return &classes[status / 100];
}

struct str
status_reason(int status)
{
	return status_row(status)->reason;
}

struct str
status_line(int status)
{
	return status_row(status)->line;
}

struct str
status_page(int status)
{
	return status_row(status)->page;
}

struct str
status_page_saying(struct arena *a, int status, const char *what,
    const char *why)
{
	struct str page = status_page(status);

	return arena_strf(a, "%.*s</p>\n<p>%s: %s" PAGE_END,
	    (int)(page.n - (sizeof PAGE_END - 1)), page.p, what, why);
}

bool
status_has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}
