/*
 * decompress: what an upstream encoded is decoded for clients that do not read
 * the encoding; and compress, which comes after, may then encode it in another.
 */
#include "http/coder_flow.h"
#include "http/server.h"
#include "modules/modules.h"

struct decompress_conf {
	uint64_t max_memory; /* bytes; 0: any */
};

static const struct conf_field decompress_fields[] = {
	KEY_SIZE(decompress_conf, max_memory, .dflt = "128m", .max = "64g",
	    .doc = "How much memory the decoders of a worker may hold together "
	    "(about 48k for gzip, 512k for br, 9m for zstd each); 0: any. "
	    "Beyond that responses are left as they are."),
	KEY_END
};

static const struct conf_schema decompress_schema = {
	.name = "decompress",
	.doc = "Decodes responses (gzip, br, zstd) for clients that do not say "
	    "in Accept-Encoding that they read them. For upstreams that send "
	    "but the one, or where caches hold but the one. A response that "
	    "is not in the encoding that it claims is cut; one that says "
	    "no-transform is left alone.",
	.size = sizeof(struct decompress_conf),
	.fields = decompress_fields,
	.example =
	    "sites:\n"
	    "  - listen: 8000\n"
	    "    decompress: on\n"
	    "    routes:\n"
	    "      - proxy: http://127.0.0.1:8080\n",
};

/* The one coding of the body, one that can be decoded. */
static bool
decompress_coding(const struct head *h, enum coding *out)
{
	return head_count(h, FIELD_CONTENT_ENCODING) == 1 &&
	    coding_find(str_trim(head_value(h, FIELD_CONTENT_ENCODING)), out) &&
	    coder_of(*out) != NULL;
}

static enum verdict
decompress_step(struct txn *t, const void *conf)
{
	const struct decompress_conf *c = conf;
	const struct response *res = &t->res;
	enum coding coding;

	if (res->body == NULL || res->status == 206 ||
	    res->upgraded || !head_has(&res->head, FIELD_CONTENT_ENCODING) ||
	    !decompress_coding(&res->head, &coding) ||
	    !coding_may_change(&res->head))
		return STEP_NEXT;
	coding_vary(&t->res.head);
	if (coding_is_accepted(&t->req.head, coding))
		return STEP_NEXT;
	if (coder_flow_insert(server_module(t->server, MODULE_decompress), t,
	    &(struct coder_order){
		.coding = coding, .ops = coder_of(coding)->decode,
		.memory = coder_of(coding)->decode_memory,
		.memory_max = c->max_memory
	    })) {
		coding_changes(&t->res.head);
		head_remove_id(&t->res.head, FIELD_CONTENT_ENCODING);
	}
	return STEP_NEXT;
}

static void *
decompress_start(struct server *s)
{
	return coder_bench_new(s->net->loop,
	    server_stats(s, MODULE_decompress));
}

static void
decompress_stop(struct server *s, void *state)
{
	(void)s;
	coder_bench_end(state);
}

#define BODIES(coding_, name_) \
	COUNTER_LABEL(coder_stats, bodies[coding_], COUNTER_TOTAL, \
	    "weir_decompress_responses_total", "encoding=\"" name_ "\"", \
	    "Responses that were decoded.")
static const struct counter_row decompress_rows[] = {
	BODIES(CODING_GZIP, "gzip"),
	BODIES(CODING_BR, "br"),
	BODIES(CODING_ZSTD, "zstd"),
	COUNTER(coder_stats, broken, COUNTER_TOTAL,
	    "weir_decompress_failures_total",
	    "Responses cut since they were not in their encoding."),
	COUNTER(coder_stats, no_memory, COUNTER_TOTAL,
	    "weir_decompress_skipped_total",
	    "Responses left as they were since max_memory was reached."),
	COUNTER_END
};
static const struct counter_set decompress_counters = {
	.name = "decompress", .size = sizeof(struct coder_stats),
	.rows = decompress_rows
};

const struct module decompress_module = {
	.name = "decompress",
	.phase = PHASE_BODY,
	.levels = LEVEL_TOP | LEVEL_SITE | LEVEL_ROUTE,
	.schema = &decompress_schema,
	.flags = CONF_CAN_BE_OFF | CONF_CAN_BE_ON,
	.doc = "Decodes responses for clients that cannot.",
	.step = decompress_step,
	.start = decompress_start,
	.stop = decompress_stop,
	.counters = &decompress_counters,
};
