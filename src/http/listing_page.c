/*
 * Listings as documents. The page needs no script: its columns are links that
 * ask for another order. Names are bytes that somebody else chose: percent-
 * encoded in links, escaped in text, and what is no UTF-8 is shown as such.
 */
#include "http/listing.h"

#include "base/utf8.h"
#include "http/date.h"
#include "http/target.h"

#include <inttypes.h>
#include <time.h>

static const char page_style[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:1rem auto;"
    "max-width:60rem;padding:0 1rem}\n"
    "h1{font-size:1.25rem;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;padding:.375rem .5rem;"
    "border-bottom:1px solid #8884}\n"
    "td:first-child{overflow-wrap:anywhere}\n"
    "th:nth-child(2),td:nth-child(2){text-align:right}\n"
    "td:nth-child(n+2){white-space:nowrap;font-variant-numeric:"
    "tabular-nums}\n"
    "@media(max-width:30rem){th:nth-child(3),td:nth-child(3)"
    "{display:none}}\n"
    "</style>\n";

static void
page_escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		switch (c) {
		case '<':	buf_z(out, "&lt;"); break;
		case '>':	buf_z(out, "&gt;"); break;
		case '&':	buf_z(out, "&amp;"); break;
		case '"':	buf_z(out, "&quot;"); break;
		case '\'':	buf_z(out, "&#39;"); break;
		default:
			if (c < 0x20 || c == 0x7f)
				buf_z(out, "&#xfffd;");
			else
				buf_chr(out, (char)c);
		}
	}
}

/* The text of a name that may be any bytes. */
static void
page_name(struct buf *out, struct str name)
{
	if (utf8_is_valid(name)) {
		page_escape(out, name);
		return;
	}
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x80)
			page_escape(out, str_slice(name, i, i + 1));
		else
			buf_z(out, "&#xfffd;");
}

/* "./" keeps a name with a colon from being a scheme. */
static void
page_link(struct buf *out, struct arena *a, const struct listing_entry *e)
{
	struct str encoded = path_encode(a, e->name);
	const char *slash = e->is_directory ? "/" : "";

	buf_z(out, "<tr><td><a href=\"./");
	page_escape(out, encoded);
	buf_printf(out, "%s\">", slash);
	page_name(out, e->name);
	buf_printf(out, "%s</a>", slash);
}

static void
page_size(struct buf *out, uint64_t size)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;
	uint64_t tenths;

	if (size < 1024) {
		buf_u64(out, size);
		buf_z(out, " B");
		return;
	}
	for (; size >= UINT64_C(1) << 20; unit++)
		size >>= 10;
	tenths = (size * 10 + 512) / 1024;
	buf_printf(out, "%" PRIu64 ".%" PRIu64 " %ciB", tenths / 10,
	    tenths % 10, units[unit]);
}

/* As ISO 8601 has it; to the second for programs. */
static void
page_time(struct buf *out, int64_t seconds, bool is_exact)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[40];
	size_t n = 0;

	if (gmtime_r(&t, &tm) == NULL)
		return;
	if (is_exact)
		n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		n = strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
	buf_put(out, text, n);
}

static void
page_head(struct buf *out, enum listing_key key, const char *word,
    const char *title, struct listing_order order)
{
	bool is_this = key == order.key;
	bool down = is_this && !order.descending;

	buf_printf(out, "<th%s><a href=\"?sort=%s%s\">%s</a>%s</th>",
	    !is_this ? "" : order.descending ? " aria-sort=\"descending\"" :
	    " aria-sort=\"ascending\"", word, down ? "&amp;order=desc" : "",
	    title, !is_this ? "" : order.descending ? " ↓" : " ↑");
}

void
listing_html(struct buf *out, const struct listing *l, struct str title,
    struct listing_order order)
{
	buf_z(out, page_style);
	buf_z(out, "<title>");
	page_name(out, title);
	buf_z(out, "</title>\n<h1>");
	page_name(out, title);
	buf_z(out, "</h1>\n<table>\n<tr>");
	page_head(out, LISTING_BY_NAME, "name", "Name", order);
	page_head(out, LISTING_BY_SIZE, "size", "Size", order);
	page_head(out, LISTING_BY_TIME, "time", "Modified (UTC)", order);
	buf_z(out, "</tr>\n");
	if (title.n > 1)
		buf_z(out, "<tr><td><a href=\"../\">../</a><td><td></tr>\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct listing_entry *e = &l->entries[i];

		page_link(out, l->arena, e);
		buf_z(out, "<td>");
		if (!e->is_directory)
			page_size(out, e->size);
		buf_z(out, "<td>");
		page_time(out, e->modified, false);
		buf_z(out, "</tr>\n");
	}
	buf_z(out, "</table>\n");
	if (l->is_cut)
		buf_printf(out, "<p>These are the first %d that were found."
		    "</p>\n", LISTING_MAX);
}

/* A name that is no UTF-8 has no text in JSON: each byte of it that is none is
 * U+FFFD, and its link is as it has to be asked for. */
static void
page_json_name(struct buf *out, struct str name)
{
	if (utf8_is_valid(name)) {
		buf_json(out, name);
		return;
	}
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x80)
			buf_json(out, str_slice(name, i, i + 1));
		else
			buf_z(out, "\\ufffd");
}

void
listing_json(struct buf *out, const struct listing *l)
{
	buf_chr(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct listing_entry *e = &l->entries[i];

		buf_z(out, i > 0 ? ",\n{\"name\":\"" : "\n{\"name\":\"");
		page_json_name(out, e->name);
		buf_z(out, "\",\"url\":\"./");
		buf_json(out, path_encode(l->arena, e->name));
		buf_printf(out, "%s\",\"type\":\"%s\"",
		    e->is_directory ? "/" : "",
		    e->is_directory ? "directory" : "file");
		if (!e->is_directory)
			buf_printf(out, ",\"size\":%" PRIu64, e->size);
		buf_z(out, ",\"modified\":\"");
		page_time(out, e->modified, true);
		buf_z(out, "\"}");
	}
	buf_z(out, "\n]\n");
}
