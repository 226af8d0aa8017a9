/*
 * compress: responses are encoded on their way to clients that ask for it. Here
 * is which ones, and what their heads then say; who encodes is http/coder_flow.
 */
#include "http/coder_flow.h"
#include "http/server.h"
#include "modules/modules.h"

struct compress_conf {
	struct conf_list encodings; /* int, enum coding */
	struct conf_list types;     /* char * */
	struct conf_map levels;     /* int64_t, by encoding */
	uint64_t min_length;        /* bytes */
	uint64_t max_memory;        /* bytes; 0: any */

	/* Made by compress_prepare. */
	int offered[CODING_COUNT];
	size_t n_offered;
	int level[CODING_COUNT];
};

static const struct conf_field compress_fields[] = {
	KEY_LIST(compress_conf, encodings, conf_type_coding,
	    .dflt = "[zstd, br, gzip]",
	    .doc = "What is offered, best first: of those that a client wants "
	    "alike (Accept-Encoding), the first is taken. By itself, those "
	    "that this weir was built with."),
	KEY_MAP(compress_conf, levels, conf_type_int,
	    .doc = "How hard each encoding tries: gzip 1 to 9 (5 by itself), "
	    "br 0 to 6 (4), zstd 1 to 6 (3). Higher ones take longer than "
	    "other connections may wait; files can be encoded beforehand.",
	    .example = "{br: 5}"),
	KEY_LIST(compress_conf, types, conf_type_str,
	    .dflt = "[text/*, application/json, application/*+json, "
	    "application/javascript, application/xml, application/*+xml, "
	    "image/svg+xml, application/wasm, font/ttf, font/otf]",
	    .doc = "The media types that are encoded; a * stands for anything. "
	    "What is compressed in itself, as most images are, only becomes "
	    "slower by it.",
	    .example = "[text/*, application/json]"),
	KEY_SIZE(compress_conf, min_length, .dflt = "1k", .max = "1g",
	    .doc = "Responses that are known to be shorter are left as they "
	    "are."),
	KEY_SIZE(compress_conf, max_memory, .dflt = "256m", .max = "64g",
	    .doc = "How much memory the encoders of a worker may hold together "
	    "(about 270k for gzip, 4m for br, 2m for zstd each); 0: any. "
	    "Beyond that responses are left as they are."),
	KEY_END
};

static void
compress_check_level(struct conf_load *load, const struct conf_entry *e)
{
	int64_t level = *(const int64_t *)e->value;
	const struct coder *coder;
	enum coding coding;

	if (!coding_find(e->key, &coding) || coding == CODING_IDENTITY) {
		conf_error(load, e->key_pos, "bad-encoding",
		    "expected one of zstd, br, gzip, found \"%.*s\"",
		    STR_ARG(e->key));
		return;
	}
	coder = coder_of(coding);
	if (coder != NULL &&
	    (level < coder->level_min || level > coder->level_max))
		conf_error(load, e->key_pos, "out-of-bounds",
		    "levels of %.*s go from %d to %d; what takes longer would "
		    "hold up other connections", STR_ARG(e->key),
		    coder->level_min, coder->level_max);
}

static void
compress_check(struct conf_load *load, void *block)
{
	const struct compress_conf *c = block;

	for (size_t i = 0; i < c->levels.n; i++)
		compress_check_level(load, &c->levels.entries[i]);
}

static const struct conf_schema compress_schema = {
	.name = "compress",
	.doc = "Encodes responses for clients that accept it. Never what has "
	    "an encoding already, is a part (206), or says no-transform. "
	    "Streams are flushed whenever there is nothing more to send. "
	    "Beware of pages over TLS that hold a secret next to what a "
	    "request can choose: their lengths tell of the secret (BREACH).",
	.size = sizeof(struct compress_conf),
	.fields = compress_fields,
	.check = compress_check,
	.example =
	    "compress: {encodings: [br, gzip], min_length: 512}\n"
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    routes:\n"
	    "      - path: /download/*\n"
	    "        compress: off\n"
	    "        files: /srv/download\n"
	    "      - files: /srv/www\n",
};

/* ---- loading ----------------------------------------------------------- */

static void
compress_offer(struct conf_load *load, struct compress_conf *c)
{
	struct conf_pos given = conf_pos_of(c, &c->encodings);

	for (CONF_EACH(int, coding, &c->encodings)) {
		if (coder_of((enum coding)*coding) != NULL &&
		    c->n_offered < CODING_COUNT)
			c->offered[c->n_offered++] = *coding;
		else if (given.line != 0)
			conf_error(load, given, "not-built", "this weir was "
			    "built without %.*s",
			    STR_ARG(coding_name((enum coding)*coding)));
	}
}

static void
compress_prepare(struct conf_load *load, struct generation *g, void *conf)
{
	struct compress_conf *c = conf;
	enum coding coding;

	(void)g;
	compress_offer(load, c);
	for (size_t i = 0; i < c->n_offered; i++)
		c->level[c->offered[i]] =
		    coder_of((enum coding)c->offered[i])->level;
	for (size_t i = 0; i < c->levels.n; i++)
		if (coding_find(c->levels.entries[i].key, &coding))
			c->level[coding] = (int)*(const int64_t *)
			    c->levels.entries[i].value;
}

/* ---- which ------------------------------------------------------------- */

/* Whether TYPE, without parameters, is PATTERN, in which one * is anything. */
static bool
compress_type_is(struct str type, struct str pattern)
{
	size_t star = str_index(pattern, '*', 0);
	struct str before, after;

	if (star == SIZE_MAX)
		return str_case_eq(type, pattern);
	before = str_slice(pattern, 0, star);
	after = str_slice(pattern, star + 1, pattern.n);
	return type.n >= before.n + after.n &&
	    str_case_eq(str_slice(type, 0, before.n), before) &&
	    str_case_eq(str_slice(type, type.n - after.n, type.n), after);
}

static bool
compress_has_type(const struct compress_conf *c, const struct head *h)
{
	struct str rest = head_value(h, FIELD_CONTENT_TYPE), type;

	if (rest.n == 0 || !str_split(&rest, ';', &type))
		return false;
	type = str_trim(type);
	for (CONF_EACH(char *, pattern, &c->types))
		if (compress_type_is(type, str_from(*pattern)))
			return true;
	return false;
}

static bool
compress_is_part(const struct response *res)
{
	return res->status == 206 ||
	    head_has(&res->head, FIELD_CONTENT_RANGE);
}

/* The length of a part is not that of the whole. */
static bool
compress_is_long(const struct compress_conf *c, const struct txn *t)
{
	int64_t length = txn_content_length(t);

	return length < 0 || (uint64_t)length >= c->min_length ||
	    compress_is_part(&t->res);
}

/* Whether the response is of a kind that is encoded, for whoever asks. */
static bool
compress_is_for(const struct compress_conf *c, const struct txn *t)
{
	const struct response *res = &t->res;

	return res->body != NULL && res->status >= 200 && !res->upgraded &&
	    compress_is_long(c, t) &&
	    !head_has(&res->head, FIELD_CONTENT_ENCODING) &&
	    compress_has_type(c, &res->head) &&
	    coding_may_change(&res->head);
}

static enum verdict
compress_step(struct txn *t, const void *conf)
{
	const struct compress_conf *c = conf;
	enum coding coding;

	/* What a 304 is about is not said in it; what varies in the 200 has to
	 * be (RFC 9110 section 15.4.5). */
	if (t->res.status == 304 && c->n_offered > 0)
		coding_vary(&t->res.head);
	if (c->n_offered == 0 || !compress_is_for(c, t))
		return STEP_NEXT;
	coding_vary(&t->res.head);
	if (compress_is_part(&t->res))
		return STEP_NEXT;
	coding = coding_choose(&t->req.head, c->offered, c->n_offered);
	if (coding == CODING_IDENTITY)
		return STEP_NEXT;
	if (coder_flow_insert(server_module(t->server, MODULE_compress), t,
	    &(struct coder_order){
		.coding = coding, .ops = coder_of(coding)->encode,
		.level = c->level[coding],
		.memory = coder_of(coding)->encode_memory,
		.memory_max = c->max_memory
	    })) {
		coding_changes(&t->res.head);
		txn_reply_field(t, FIELD_CONTENT_ENCODING,
		    coding_name(coding));
	}
	return STEP_NEXT;
}

/* ---- per process ------------------------------------------------------- */

static void *
compress_start(struct server *s)
{
	return coder_bench_new(s->net->loop, server_stats(s, MODULE_compress));
}

static void
compress_stop(struct server *s, void *state)
{
	(void)s;
	coder_bench_end(state);
}

#define BODIES(coding_, name_) \
	COUNTER_LABEL(coder_stats, bodies[coding_], COUNTER_TOTAL, \
	    "weir_compress_responses_total", "encoding=\"" name_ "\"", \
	    "Responses that were encoded.")
static const struct counter_row compress_rows[] = {
	BODIES(CODING_GZIP, "gzip"),
	BODIES(CODING_BR, "br"),
	BODIES(CODING_ZSTD, "zstd"),
	COUNTER(coder_stats, bytes_in, COUNTER_TOTAL,
	    "weir_compress_in_bytes_total", "What was to be encoded."),
	COUNTER(coder_stats, bytes_out, COUNTER_TOTAL,
	    "weir_compress_out_bytes_total", "What it became."),
	COUNTER(coder_stats, broken, COUNTER_TOTAL,
	    "weir_compress_failures_total", "Encoders that gave up."),
	COUNTER(coder_stats, no_memory, COUNTER_TOTAL,
	    "weir_compress_skipped_total",
	    "Responses left as they were since max_memory was reached."),
	COUNTER(coder_stats, memory, COUNTER_GAUGE,
	    "weir_compress_memory_bytes", "What encoders at work may hold."),
	COUNTER(coder_stats, pauses, COUNTER_TOTAL,
	    "weir_compress_pauses_total",
	    "Times that an encoder waited so that others could go on."),
	COUNTER_END
};
static const struct counter_set compress_counters = {
	.name = "compress", .size = sizeof(struct coder_stats),
	.rows = compress_rows
};

const struct module compress_module = {
	.name = "compress",
	.phase = PHASE_BODY,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &compress_schema,
	.flags = CONF_CAN_BE_OFF | CONF_CAN_BE_ON,
	.doc = "Encodes responses for clients that accept it.",
	.prepare = compress_prepare,
	.step = compress_step,
	.start = compress_start,
	.stop = compress_stop,
	.counters = &compress_counters,
};
