/*
 * Sums the workers' counter pages and prints them: Prometheus text for
 * /metrics, JSON for /status. It only reads; the pages belong to others. The
 * scout's own page stays out of the sums, so that scraping counts no request.
 */
#include "process/admin.h"

#include "base/clock.h"
#include "base/log.h"

#include <config.h>

#include <stdatomic.h>
#include <string.h>

static struct pages *admin_pages;

void
admin_init(struct pages *pages)
{
	admin_pages = pages;
}

/* ---- sums -------------------------------------------------------------- */

struct totals {
	struct page_board board;
	char *sums; /* laid out as a page */
};

static void
totals_add(char *sums, const char *page)
{
	const struct counter_set *set;
	size_t at;

	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++) {
		uint64_t *to = (uint64_t *)(void *)(sums + at);
		const uint64_t *from =
		    (const uint64_t *)(const void *)(page + at);

		for (size_t k = 0; k < set->size / sizeof *to; k++)
			to[k] += from[k];
	}
}

static size_t
totals_size(void)
{
	const struct counter_set *set, *last = NULL;
	size_t at = 0, last_at = 0;

	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++) {
		last = set;
		last_at = at;
	}
	return last_at + (last != NULL ? last->size : 0);
}

/*
 * The master may retire a page while we add: its sequence number tells, and we
 * begin again. After a few rounds we take what we have.
 */
static void
totals_read(struct totals *t, struct arena *a)
{
	struct page_board *board = pages_board(admin_pages);
	_Atomic uint32_t *sequence = (_Atomic uint32_t *)&board->sequence;
	size_t size = totals_size();

	t->sums = arena_alloc(a, size);
	for (int round = 0; round < 8; round++) {
		uint32_t before = atomic_load(sequence);

		memset(t->sums, 0, size);
		t->board = *board;
		totals_add(t->sums, pages_base(admin_pages, -1));
		for (int i = 0; i < PAGE_SLOTS; i++)
			if (t->board.slots[i].role == ROLE_WORKER)
				totals_add(t->sums,
				    pages_base(admin_pages, i));
		if (before % 2 == 0 && before == atomic_load(sequence))
			return;
	}
}

/* ---- Prometheus text --------------------------------------------------- */

static void
metrics_head(struct buf *b, const char *name, const char *help,
    const char *type)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
metrics_histogram(struct buf *b, const struct counter_row *r,
    const uint64_t *values)
{
	uint64_t count = 0;

	metrics_head(b, r->name, r->help, "histogram");
	for (size_t i = 0; i < r->buckets; i++) {
		count += values[i];
		buf_printf(b, "%s_bucket{le=\"%llu\"} %llu\n", r->name,
		    (unsigned long long)r->bounds[i],
		    (unsigned long long)count);
	}
	count += values[r->buckets];
	buf_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_count %llu\n", r->name,
	    (unsigned long long)count, r->name, (unsigned long long)count);
}

static void
metrics_set(struct buf *b, const struct counter_set *set, const char *sums)
{
	const char *last = "";

	for (const struct counter_row *r = set->rows; r->name != NULL; r++) {
		const uint64_t *v =
		    (const uint64_t *)(const void *)(sums + r->offset);

		if (r->kind == COUNTER_BUCKETS) {
			metrics_histogram(b, r, v);
			continue;
		}
		if (strcmp(last, r->name) != 0)
			metrics_head(b, r->name, r->help,
			    r->kind == COUNTER_GAUGE ? "gauge" : "counter");
		last = r->name;
		if (r->labels != NULL)
			buf_printf(b, "%s{%s} %llu\n", r->name, r->labels,
			    (unsigned long long)*v);
		else
			buf_printf(b, "%s %llu\n", r->name,
			    (unsigned long long)*v);
	}
}

static void
metrics_value(struct buf *b, const char *name, const char *type,
    const char *help, uint64_t value)
{
	metrics_head(b, name, help, type);
	buf_printf(b, "%s %llu\n", name, (unsigned long long)value);
}

static unsigned
board_count(const struct page_board *board, bool draining)
{
	unsigned n = 0;

	for (int i = 0; i < PAGE_SLOTS; i++)
		n += board->slots[i].role == ROLE_WORKER &&
		    (board->slots[i].is_draining != 0) == draining;
	return n;
}

/* A label's value, escaped as the text format wants it; a path that was cut
 * may end in half a character, which is for its reader to bear. */
static void
metrics_label(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buf_z(b, "\\n");
			continue;
		}
		if (*text == '"' || *text == '\\')
			buf_chr(b, '\\');
		buf_chr(b, *text);
	}
}

/* Counted at each scrape: days go by without anybody's doing. */
static void
metrics_certificates(struct buf *b, const struct page_board *board)
{
	metrics_value(b, "weir_tls_certificates", "gauge",
	    "Certificates that were read from files.", board->n_certificates);
	metrics_value(b, "weir_tls_certificates_replaced_total", "counter",
	    "Certificates whose files changed and that are used since.",
	    board->renewals);
	metrics_value(b, "weir_tls_certificates_refused_total", "counter",
	    "Changes of certificate files that were no good.",
	    board->renewals_failed);
	if (board->n_certificates_shown == 0)
		return;
	metrics_head(b, "weir_tls_certificate_days_left",
	    "Whole days until a certificate expires, below 0 once it has; of "
	    "at most 64 files, those that end first.", "gauge");
	for (size_t i = 0; i < board->n_certificates_shown &&
	     i < PAGE_CERTIFICATES; i++) {
		const struct page_certificate *c = &board->certificates[i];
		int64_t left = c->ends - clock_wall();

		buf_z(b, "weir_tls_certificate_days_left{certificate=\"");
		metrics_label(b, c->path);
		buf_printf(b, "\"} %lld\n", (long long)(left >= 0 ?
		    left / 86400 : -((86399 - left) / 86400)));
	}
}

static void
metrics_staples(struct buf *b, const struct page_board *board)
{
	metrics_value(b, "weir_tls_ocsp_fetched_total", "counter",
	    "Answers about certificates that their responders gave.",
	    board->staples);
	metrics_value(b, "weir_tls_ocsp_failed_total", "counter",
	    "Times that a responder gave none, or none that is good.",
	    board->staples_failed);
	metrics_value(b, "weir_tls_ocsp_staples", "gauge",
	    "Certificates that have an answer to be shown with them.",
	    board->n_staples);
	if (board->n_staples == 0)
		return;
	metrics_head(b, "weir_tls_ocsp_seconds_left",
	    "Until the first of these answers ends; below 0 once it has, and "
	    "is not shown any more.", "gauge");
	buf_printf(b, "weir_tls_ocsp_seconds_left %lld\n",
	    (long long)(board->staple_ends - clock_wall()));
}

static void
metrics_board(struct buf *b, const struct page_board *board)
{
	metrics_head(b, "weir_build_info", "The version that runs.", "gauge");
	buf_z(b, "weir_build_info{version=\"" WEIR_VERSION "\"} 1\n");
	metrics_value(b, "weir_start_time_seconds", "gauge",
	    "When the master started, seconds since 1970.",
	    (uint64_t)board->started);
	metrics_value(b, "weir_config_generation", "gauge",
	    "Number of the configuration that is served.", board->generation);
	metrics_value(b, "weir_config_last_reload_time_seconds", "gauge",
	    "When that configuration was loaded, seconds since 1970.",
	    (uint64_t)board->reloaded);
	metrics_value(b, "weir_config_reloads_total", "counter",
	    "Reloads that succeeded.", board->reloads);
	metrics_value(b, "weir_config_reloads_failed_total", "counter",
	    "Reloads that failed and left the old configuration serving.",
	    board->reloads_failed);
	metrics_value(b, "weir_worker_respawns_total", "counter",
	    "Children that died and were replaced.", board->respawns);
	metrics_value(b, "weir_worker_stuck_total", "counter",
	    "Children whose loop stood still for longer than watchdog.",
	    board->stuck);
	metrics_value(b, "weir_error_log_lost_lines_total", "counter",
	    "Lines that the error log did not take.", board->log_lost);
	metrics_value(b, "weir_workers", "gauge", "Workers that accept.",
	    board_count(board, false));
	metrics_value(b, "weir_workers_draining", "gauge",
	    "Old workers that finish what they have.",
	    board_count(board, true));
}

static struct str
metrics_text(struct arena *a)
{
	struct buf b = buf_in(a);
	const struct counter_set *set;
	struct totals t;
	size_t at;

	totals_read(&t, a);
	metrics_board(&b, &t.board);
	metrics_certificates(&b, &t.board);
	metrics_staples(&b, &t.board);
	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++)
		metrics_set(&b, set, t.sums + at);
	return buf_view(&b);
}

/* ---- JSON -------------------------------------------------------------- */

/* A set as an object; rows with labels become "name{labels}". */
static void
status_set(struct buf *b, const struct counter_set *set, const char *sums)
{
	const char *comma = "";

	buf_printf(b, "\"%s\":{", set->name);
	for (const struct counter_row *r = set->rows; r->name != NULL; r++) {
		const uint64_t *v =
		    (const uint64_t *)(const void *)(sums + r->offset);

		if (r->kind == COUNTER_BUCKETS)
			continue;
		buf_printf(b, "%s\"%s", comma, r->name);
		if (r->labels != NULL) {
			buf_chr(b, '{');
			buf_json(b, str_from(r->labels));
			buf_chr(b, '}');
		}
		buf_printf(b, "\":%llu", (unsigned long long)*v);
		comma = ",";
	}
	buf_chr(b, '}');
}

static void
status_sets(struct buf *b, const char *page)
{
	const struct counter_set *set;
	size_t at;

	for (unsigned i = 0; (set = pages_set(i, &at)) != NULL; i++) {
		if (i > 0)
			buf_chr(b, ',');
		status_set(b, set, page + at);
	}
}

static void
status_workers(struct buf *b, const struct page_board *board)
{
	const char *comma = "";

	for (int i = 0; i < PAGE_SLOTS; i++) {
		const struct page_slot *s = &board->slots[i];

		if (s->role == ROLE_NONE)
			continue;
		buf_printf(b,
		    "%s{\"role\":\"%s\",\"index\":%u,\"pid\":%d,"
		    "\"generation\":%llu,\"started\":%lld,\"draining\":%s,"
		    "\"counters\":{",
		    comma, s->role == ROLE_WORKER ? "worker" : "scout",
		    s->index, s->pid, (unsigned long long)s->generation,
		    (long long)s->started, s->is_draining ? "true" : "false");
		status_sets(b, pages_base(admin_pages, i));
		buf_z(b, "}}");
		comma = ",";
	}
}

static struct str
status_text(struct arena *a)
{
	struct buf b = buf_in(a);
	struct totals t;

	totals_read(&t, a);
	buf_printf(&b,
	    "{\"version\":\"%s\",\"pid\":%d,\"started\":%lld,"
	    "\"uptime\":%lld,\"generation\":%llu,\"reloaded\":%lld,"
	    "\"reloads\":%llu,\"reloads_failed\":%llu,\"respawns\":%llu,"
	    "\"stuck\":%llu,"
	    "\"processes\":[",
	    WEIR_VERSION, t.board.master_pid, (long long)t.board.started,
	    (long long)(clock_wall() - t.board.started),
	    (unsigned long long)t.board.generation,
	    (long long)t.board.reloaded,
	    (unsigned long long)t.board.reloads,
	    (unsigned long long)t.board.reloads_failed,
	    (unsigned long long)t.board.respawns,
	    (unsigned long long)t.board.stuck);
	status_workers(&b, &t.board);
	buf_z(&b, "],\"totals\":{");
	status_sets(&b, t.sums);
	buf_z(&b, "}}\n");
	return buf_view(&b);
}

/* ---- the step ---------------------------------------------------------- */

enum verdict
admin_step(struct txn *t, const void *conf)
{
	(void)conf;
	if (t->req.method != METHOD_GET && t->req.method != METHOD_HEAD) {
		txn_reply_error(t, 405);
		txn_reply_field(t, FIELD_ALLOW, STR("GET, HEAD"));
		return STEP_STOP;
	}
	if (str_eq(t->req.path, STR("/metrics"))) {
		txn_reply(t, 200);
		txn_reply_bytes(t, "text/plain; version=0.0.4; charset=utf-8",
		    metrics_text(t->arena));
	} else if (str_eq(t->req.path, STR("/status"))) {
		txn_reply(t, 200);
		txn_reply_bytes(t, "application/json", status_text(t->arena));
	} else {
		txn_reply_error(t, 404);
	}
	return STEP_STOP;
}

const struct module admin_module = {
	.name = "admin", .phase = PHASE_RESPOND, .step = admin_step
};
