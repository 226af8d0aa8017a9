/*
 * access_log: one line for every request that ended. Lines are put together in
 * a buffer that a worker has for each file of its generation, and leave with
 * one write when it is full, when they have waited for `flush`, or when the
 * worker goes. A place that takes nothing (a full disk, a pipe that nobody
 * reads) costs lines, which are counted, and never time or memory. The
 * descriptor may change between any two writes: only struct log_file knows it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "http/log_file.h"
#include "http/server.h"
#include "http/template.h"
#include "modules/modules.h"

#include <errno.h>

struct access_log_conf {
	struct conf_text to, format;
	uint64_t buffer; /* bytes; 0: every line is written at once */
	uint64_t flush;  /* ms */

	/* Made by access_log_prepare. */
	struct log_file *file;       /* NULL: off */
	const struct template *line; /* NULL: json */
};

static const struct conf_field access_log_fields[] = {
	KEY_TEXT(access_log_conf, to, .flags = CONF_REQUIRED,
	    .doc = "Where lines go: a path, stderr, stdout, or off. A fifo is "
	    "never waited for.",
	    .example = "/var/log/weir/access.log"),
	KEY_TEXT(access_log_conf, format, .dflt = "combined",
	    .doc = "The form of a line: combined, common, json, the name of "
	    "one in log_formats, or itself a string with variables. Numbers of "
	    "json are numbers, times are in seconds, and what a request does "
	    "not have is left out.",
	    .example = "json"),
	KEY_SIZE(access_log_conf, buffer, .dflt = "64k", .max = "16m",
	    .doc = "How much a worker gathers before it writes; 0 writes every "
	    "line at once. What does not fit while the file takes nothing is "
	    "lost, and counted."),
	KEY_DURATION(access_log_conf, flush, .dflt = "1s", .min = "10ms",
	    .max = "1h",
	    .doc = "How long a line may wait in the buffer."),
	KEY_END
};

static const struct conf_schema access_log_schema = {
	.name = "access_log",
	.doc = "A line for every request. On a reopen signal the files are "
	    "opened anew, so that they can be moved away.",
	.size = sizeof(struct access_log_conf),
	.fields = access_log_fields,
	.shorthand = "to",
	.example =
	    "log_formats:\n"
	    "  brief: '$remote_addr \"$request\" $status $request_time'\n"
	    "access_log: /var/log/weir/access.log\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    access_log: {format: json, to: /var/log/weir/site.json}\n"
	    "    routes:\n"
	    "      - path: /health\n"
	    "        access_log: off\n"
	    "        respond: 204\n"
	    "      - path: /api/*\n"
	    "        access_log: {format: brief, to: stdout}\n"
	    "        proxy: http://127.0.0.1:8081\n"
	    "      - files: /srv/www\n",
};

struct access_log_stats {
	uint64_t lines, bytes, lost, writes;
};

static const struct counter_row access_log_rows[] = {
	COUNTER(access_log_stats, lines, COUNTER_TOTAL,
	    "weir_access_log_lines_total",
	    "Lines for requests that ended, lost ones included."),
	COUNTER(access_log_stats, bytes, COUNTER_TOTAL,
	    "weir_access_log_written_bytes_total",
	    "Bytes written to access logs."),
	COUNTER(access_log_stats, lost, COUNTER_TOTAL,
	    "weir_access_log_lost_lines_total",
	    "Lines that could not be written, or not as a whole."),
	COUNTER(access_log_stats, writes, COUNTER_TOTAL,
	    "weir_access_log_writes_total",
	    "Times that gathered lines were given to a file."),
	COUNTER_END
};

static const struct counter_set access_log_counters = {
	.name = "access_log",
	.size = sizeof(struct access_log_stats),
	.rows = access_log_rows,
};

/* ---- loading ----------------------------------------------------------- */

#define COMMON \
	"$remote_addr - $remote_user [$time_local] \"$request\" $status " \
	"$body_bytes_sent"

static const struct access_log_format {
	const char *name, *text;
} access_log_formats[] = {
	{ "combined", COMMON " \"$http_referer\" \"$http_user_agent\"" },
	{ "common", COMMON },
	{ "json", NULL },
};
#undef COMMON

static const struct access_log_format *
access_log_find_builtin(struct str name)
{
	for (size_t i = 0; i < COUNT_OF(access_log_formats); i++)
		if (str_eq(name, str_from(access_log_formats[i].name)))
			return &access_log_formats[i];
	return NULL;
}

static const struct conf_entry *
access_log_find_own(const struct conf_map *formats, struct str name)
{
	for (size_t i = 0; formats != NULL && i < formats->n; i++)
		if (str_eq(formats->entries[i].key, name))
			return &formats->entries[i];
	return NULL;
}

static void
access_log_report_unknown(struct conf_load *load,
    const struct conf_map *formats, const struct access_log_conf *c)
{
	size_t n = 0, own = formats != NULL ? formats->n : 0;
	const char **names = arena_alloc(conf_arena(load),
	    (COUNT_OF(access_log_formats) + own) * sizeof *names);

	for (size_t i = 0; i < COUNT_OF(access_log_formats); i++)
		names[n++] = access_log_formats[i].name;
	for (size_t i = 0; i < own; i++)
		names[n++] = formats->entries[i].key.p;
	conf_error(load, conf_pos_of(c, &c->format), "unknown-format",
	    "\"%.*s\" is neither combined, common or json nor one of "
	    "log_formats%s", STR_ARG(c->format.s),
	    conf_suggest(load, c->format.s, names, n));
}

/* A text that is known to be right, or one of the operator's. */
static void
access_log_compile(struct conf_load *load, struct access_log_conf *c,
    struct str text)
{
	struct err e;

	c->line = template_load(load, text, &e);
	if (c->line == NULL)
		conf_error(load, conf_pos_of(c, &c->format), "bad-variable",
		    "%s", e.text);
}

static void
access_log_prepare_format(struct conf_load *load, struct generation *g,
    struct access_log_conf *c)
{
	const struct conf_map *formats = g->shared[MODULE_access_log];
	const struct access_log_format *builtin =
	    access_log_find_builtin(c->format.s);
	const struct conf_entry *own = access_log_find_own(formats,
	    c->format.s);

	if (builtin != NULL && own != NULL) {
		conf_error(load, own->key_pos, "duplicate-name",
		    "the format %s is built in; give yours another name",
		    builtin->name);
	} else if (own != NULL) {
		c->line = *(struct template *const *)own->value;
	} else if (builtin != NULL) {
		if (builtin->text != NULL)
			access_log_compile(load, c, str_from(builtin->text));
	} else if (str_index(c->format.s, '$', 0) != SIZE_MAX) {
		access_log_compile(load, c, c->format.s);
	} else {
		access_log_report_unknown(load, formats, c);
	}
}

/* Workers have one buffer per file, whoever writes to it. */
static void
access_log_prepare_file(struct conf_load *load, struct generation *g,
    struct access_log_conf *c)
{
	struct conf_pos pos = conf_pos_of(c, &c->to);
	size_t known = log_file_count(g);
	struct log_file *f = log_file_get(load, g, c->to.s.p, pos);

	c->file = f;
	if (f->index == known) {
		f->buffer = c->buffer;
		f->flush = c->flush;
	} else if (f->buffer != c->buffer || f->flush != c->flush) {
		if (conf_is_set(c, &c->buffer))
			pos = conf_pos_of(c, &c->buffer);
		else if (conf_is_set(c, &c->flush))
			pos = conf_pos_of(c, &c->flush);
		conf_error(load, pos, "log-conflict",
		    "%s is logged to with another buffer or flush at %s; a "
		    "file has one of each", f->path,
		    conf_pos_text(load, f->pos));
	}
}

static void
access_log_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct access_log_conf *c = conf;
	struct str to = c->to.s;

	if (str_eq(to, STR("off")))
		return;
	if (to.n == 0 || str_has_prefix(to, STR("syslog"))) {
		conf_error(load, conf_pos_of(c, &c->to), "bad-value",
		    "\"to\": expected a path, stderr, stdout or off, found "
		    "\"%.*s\"", STR_ARG(to));
		return;
	}
	/* Kept as it was resolved, so that -T shows which file is meant. */
	if (!str_eq(to, STR("stderr")) && !str_eq(to, STR("stdout")))
		c->to.s = str_from(conf_path(load, c->to.pos, to));
	access_log_prepare_format(load, g, c);
	access_log_prepare_file(load, g, c);
}

/* ---- json -------------------------------------------------------------- */

static void
json_key(struct buf *b, const char *key)
{
	buf_put(b, ",\"", 2);
	buf_z(b, key);
	buf_put(b, "\":", 2);
}

/* An empty text is one that the request does not have. */
static void
json_text(struct buf *b, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	json_key(b, key);
	buf_chr(b, '"');
	buf_json(b, value);
	buf_chr(b, '"');
}

static void
json_number(struct buf *b, const char *key, uint64_t value)
{
	json_key(b, key);
	buf_u64(b, value);
}

static void
json_seconds(struct buf *b, const char *key, uint64_t us)
{
	unsigned ms = (unsigned)(us / 1000 % 1000);

	json_key(b, key);
	buf_u64(b, us / 1000000);
	buf_put(b, (char[4]){ '.', (char)('0' + ms / 100),
	    (char)('0' + ms / 10 % 10), (char)('0' + ms % 10) }, 4);
}

/* The clock's text with the milliseconds between seconds and zone. */
static void
json_time(struct buf *b)
{
	struct str date = clock_iso_date();

	buf_str(b, STR("{\"time\":\""));
	buf_str(b, str_slice(date, 0, 19));
	buf_printf(b, ".%03d", (int)(clock_wall_ms() % 1000));
	buf_str(b, str_slice(date, 19, date.n));
	buf_chr(b, '"');
}

static void
json_client(struct buf *b, const struct txn *t)
{
	char text[PEER_TEXT];
	struct buf ip = buf_fixed(text, sizeof text);

	peer_format_ip(&ip, txn_peer(t));
	json_text(b, "remote_addr", buf_view(&ip));
}

static void
json_request(struct buf *b, const struct txn *t)
{
	const struct request *r = &t->req;

	/* Of what could not be read only the line is known. */
	if (r->method_name.n == 0) {
		json_text(b, "request", r->line);
		return;
	}
	json_text(b, "method", r->method_name);
	json_text(b, "scheme", str_from(txn_scheme(t)));
	json_text(b, "host", r->host);
	json_text(b, "uri", r->raw);
	json_key(b, "protocol");
	buf_printf(b, "\"HTTP/%u.%u\"", r->major, r->minor);
	json_text(b, "referer", head_value(&r->head, FIELD_REFERER));
	json_text(b, "user_agent", head_value(&r->head, FIELD_USER_AGENT));
}

/* Of all attempts the last one's, as a number; "-" is none. */
static void
json_upstream_status(struct buf *b, struct str list)
{
	struct str last = list;
	uint64_t status;

	for (size_t at = 0; (at = str_index(list, ',', at)) != SIZE_MAX;)
		last = str_trim(str_slice(list, ++at, list.n));
	if (str_to_u64(last, &status))
		json_number(b, "upstream_status", status);
}

static void
json_upstream(struct buf *b, const struct upstream_report *u)
{
	json_text(b, "upstream_name", str_from(u->name));
	json_text(b, "upstream_addr", u->addr);
	json_upstream_status(b, u->status);
	json_number(b, "upstream_attempts", u->attempts);
	json_seconds(b, "upstream_connect_time", u->connect_us);
	json_seconds(b, "upstream_header_time", u->header_us);
	json_seconds(b, "upstream_response_time", u->response_us);
	json_text(b, "upstream_phase", str_from(u->phase));
	json_text(b, "upstream_cause", str_from(u->cause));
}

static void
json_line(struct buf *b, const struct txn *t)
{
	json_time(b);
	json_client(b, t);
	json_request(b, t);
	json_number(b, "status", (uint64_t)t->res.status);
	json_number(b, "bytes", t->bytes_sent);
	json_number(b, "body_bytes", t->body_sent);
	json_seconds(b, "request_time", clock_us() - t->began_us);
	/* One that nobody asked for so far is known to nobody else. */
	json_text(b, "request_id", t->request_id);
	json_text(b, "reason", str_from(t->reason));
	json_text(b, "reported", txn_reported(t));
	if (t->reroutes > 0)
		json_number(b, "internal_redirects", t->reroutes);
	if (t->upstream != NULL)
		json_upstream(b, t->upstream);
	buf_chr(b, '}');
}

/* ---- lines of one file ------------------------------------------------- */

/* A buffer is not smaller: even when lines are written at once, the rest of
 * one that was cut needs its place. */
#define LINES_MIN 4096
/* When a file that took nothing is tried again: soon if its reader is only
 * slow, seldom if there is no room. */
#define LINES_RETRY_PIPE 10   /* ms */
#define LINES_RETRY_DISK 1000 /* ms */
#define LINES_REPORT_EVERY 60000 /* ms */

struct lines {
	struct log_file *file;
	struct access_log_stats *stats;
	struct loop *loop;
	struct arena *arena;
	struct timer timer;
	char *p; /* NULL until there was a line */
	size_t n, cap;
	bool is_stuck;  /* the last write did not take all */
	bool is_cut;    /* P begins within a line, which began in the file */
	unsigned turns; /* that the file had when it was cut */
	int error;
	uint64_t unreported; /* lost lines */
	uint64_t reported_at;
};

struct access_log {
	struct arena *arena;
	size_t n;
	struct lines *files; /* by log_file's index */
};

static void
lines_report(struct lines *l)
{
	log_error("lines lost from the access log %s: %llu (%s)",
	    l->file->path, (unsigned long long)l->unreported,
	    strerror(l->error));
	l->unreported = 0;
	l->reported_at = clock_ms();
}

static bool
lines_may_report(const struct lines *l)
{
	return l->unreported > 0 && (l->reported_at == 0 ||
	    clock_ms() - l->reported_at >= LINES_REPORT_EVERY);
}

static void
lines_lose(struct lines *l, uint64_t n)
{
	l->stats->lost += n;
	l->unreported += n;
	if (lines_may_report(l))
		lines_report(l);
}

static void
lines_drop_front(struct lines *l, size_t n)
{
	memmove(l->p, l->p + n, l->n - n);
	l->n -= n;
}

/* The rest of a line whose begin is in a file that was moved away means
 * nothing in the new one. */
static void
lines_drop_rest(struct lines *l)
{
	const char *end;

	if (!l->is_cut || l->turns == l->file->turns)
		return;
	end = memchr(l->p, '\n', l->n);
	ASSERT(end != NULL);
	/* What ends at once was whole, or is counted. */
	if (end > l->p)
		lines_lose(l, 1);
	lines_drop_front(l, (size_t)(end - l->p) + 1);
	l->is_cut = false;
}

static void
lines_note(struct lines *l, const char *p, size_t n, size_t done)
{
	l->stats->writes++;
	l->stats->bytes += done;
	l->is_stuck = done < n;
	if (l->is_stuck)
		l->error = errno;
	if (done > 0) {
		l->is_cut = p[done - 1] != '\n';
		l->turns = l->file->turns;
	}
}

static void
lines_wait(struct lines *l)
{
	uint64_t ms = l->file->flush;

	if (l->is_stuck)
		ms = l->error == EAGAIN ? LINES_RETRY_PIPE : LINES_RETRY_DISK;
	if (l->is_stuck || l->n > 0 || l->unreported > 0)
		timer_start(l->loop, &l->timer, ms);
}

static void
lines_write(struct lines *l)
{
	size_t done;

	lines_drop_rest(l);
	if (l->n == 0)
		return;
	done = log_file_write(l->file, l->p, l->n);
	lines_note(l, l->p, l->n, done);
	lines_drop_front(l, done);
	if (l->is_stuck)
		lines_wait(l);
}

static void
lines_on_timer(struct timer *timer)
{
	struct lines *l = CONTAINER_OF(timer, struct lines, timer);

	l->is_stuck = false;
	lines_write(l);
	if (lines_may_report(l))
		lines_report(l);
	lines_wait(l);
}

static void
lines_compose(struct buf *b, struct txn *t, const struct access_log_conf *c)
{
	if (c->line != NULL)
		template_write(c->line, t, b, ESCAPE_LOG);
	else
		json_line(b, t);
	buf_chr(b, '\n');
}

/* Puts the line behind the others; false: there is no room. */
static bool
lines_gather(struct lines *l, struct txn *t, const struct access_log_conf *c)
{
	struct buf b = buf_fixed(l->p + l->n, l->cap - l->n);

	lines_compose(&b, t, c);
	if (b.overflow)
		return false;
	l->n += b.n;
	return true;
}

/* A line that is larger than the buffer. If the file takes only a part of it,
 * and the rest is too large to keep, the line ends there. */
static void
lines_write_alone(struct lines *l, struct txn *t,
    const struct access_log_conf *c)
{
	struct buf b = buf_in(t->arena);
	struct str rest;
	size_t done;

	lines_compose(&b, t, c);
	done = log_file_write(l->file, b.p, b.n);
	lines_note(l, b.p, b.n, done);
	if (!l->is_stuck)
		return;
	rest = str_slice(buf_view(&b), done, b.n);
	if (rest.n > l->cap) {
		lines_lose(l, 1);
		rest = done > 0 ? STR("\n") : STR("");
	}
	memcpy(l->p, rest.p, rest.n);
	l->n = rest.n;
	lines_wait(l);
}

/* Writes what there is and tries again. False: the line is not in the buffer,
 * but has been written or is lost. */
static bool
lines_make_room(struct lines *l, struct txn *t,
    const struct access_log_conf *c)
{
	if (!l->is_stuck) {
		lines_write(l);
		if (lines_gather(l, t, c))
			return true;
	}
	if (l->is_stuck)
		lines_lose(l, 1);
	else
		lines_write_alone(l, t, c);
	return false;
}

static void
lines_add(struct lines *l, struct txn *t, const struct access_log_conf *c)
{
	if (l->p == NULL)
		l->p = arena_alloc(l->arena, l->cap);
	l->stats->lines++;
	if (!lines_gather(l, t, c) && !lines_make_room(l, t, c))
		return;
	if (l->file->buffer == 0 && !l->is_stuck)
		lines_write(l);
	else if (!timer_is_running(&l->timer))
		lines_wait(l);
}

/* ---- the module -------------------------------------------------------- */

static enum verdict
access_log_step(struct txn *t, const void *conf)
{
	const struct access_log_conf *c = conf;
	struct access_log *log = server_module(t->server, MODULE_access_log);

	if (c->file != NULL)
		lines_add(&log->files[c->file->index], t, c);
	return STEP_NEXT;
}

static void *
access_log_start(struct server *s)
{
	struct generation *g = s->generation;
	struct arena *a = arena_new();
	struct access_log *log = arena_alloc(a, sizeof *log);

	log->arena = a;
	log->n = log_file_count(g);
	log->files = arena_zalloc(a, (log->n + 1) * sizeof *log->files);
	for (size_t i = 0; i < log->n; i++) {
		struct log_file *f = log_file_at(g, i);

		log->files[i] = (struct lines){
			.file = f,
			.stats = server_stats(s, MODULE_access_log),
			.loop = s->net->loop,
			.arena = a,
			.timer = { .name = "access_log",
			           .expired = lines_on_timer },
			.cap = f->buffer > LINES_MIN ? f->buffer : LINES_MIN
		};
	}
	return log;
}

static void
access_log_drain(struct server *s, void *state)
{
	struct access_log *log = state;

	(void)s;
	for (size_t i = 0; i < log->n; i++)
		lines_write(&log->files[i]);
}

static void
access_log_stop(struct server *s, void *state)
{
	struct access_log *log = state;

	access_log_drain(s, state);
	for (size_t i = 0; i < log->n; i++) {
		struct lines *l = &log->files[i];

		timer_stop(l->loop, &l->timer);
		for (size_t k = 0; k < l->n; k++)
			if (l->p[k] == '\n')
				lines_lose(l, 1);
		if (l->unreported > 0)
			lines_report(l);
	}
	arena_end(log->arena);
}

const struct module access_log_module = {
	.name = "access_log",
	.phase = PHASE_LOG,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &access_log_schema,
	.flags = CONF_CAN_BE_OFF,
	.doc = "A line for every request: where to, or more.",
	.prepare = access_log_prepare,
	.step = access_log_step,
	.start = access_log_start,
	.stop = access_log_stop,
	.drain = access_log_drain,
	.counters = &access_log_counters,
};
