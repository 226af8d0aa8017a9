/*
 * Any bytes as responses of an upstream, with the properties that
 * fuzz_h1_request.c has for requests.
 */
#include "fuzz_head.h"

static enum h1_refusal
fuzz_parse(struct arena *a, struct str text, const struct h1_limits *limits,
    struct h1_response *r, struct head *h)
{
	enum h1_refusal refusal;

	head_init(h, a, 2);
	refusal = h1_parse_response(text.p, text.n, limits, r, h);
	ASSERT(refusal < H1_REFUSAL_COUNT);
	return refusal;
}

static void
fuzz_check(const struct h1_response *r, const struct head *h,
    struct str text, const struct h1_limits *limits)
{
	fuzz_check_fields(h, text);
	fuzz_check_framing(h, r->content_length, r->chunked, r->minor);
	ASSERT(h->n <= limits->max_fields);
	ASSERT(r->status >= 100 && r->status <= 999);
	ASSERT(r->minor == 0 || r->minor == 1);
	ASSERT(!fuzz_has_control(r->reason));
	ASSERT(!r->upgrade || head_has(h, FIELD_UPGRADE));
}

static void
fuzz_again(struct arena *a, const struct h1_response *r,
    const struct head *h, const struct h1_limits *limits)
{
	struct buf b = buf_in(a);
	struct h1_response again;
	struct head head;
	size_t scanned = 0;

	buf_printf(&b, "HTTP/1.%d %d ", r->minor, r->status);
	buf_str(&b, r->reason);
	buf_str(&b, STR("\r\n"));
	fuzz_write_fields(&b, h);
	ASSERT(h1_scan_head(b.p, b.n, &scanned) == b.n);
	ASSERT(fuzz_parse(a, buf_view(&b), limits, &again, &head) == H1_OK);
	ASSERT(again.status == r->status);
	ASSERT(str_eq(again.reason, r->reason));
	ASSERT(again.minor == r->minor);
	ASSERT(again.content_length == r->content_length);
	ASSERT(again.chunked == r->chunked);
	ASSERT(again.close == r->close);
	ASSERT(again.upgrade == r->upgrade);
	fuzz_same_fields(h, &head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h1_limits limits = {.max_target = 0};
	struct str rest;
	struct arena *a;
	size_t n;

	if (size < 2)
		return 0;
	a = arena_new();
	limits.max_fields = data[1];
	rest = str_of((const char *)data + 2, size - 2);
	while ((n = fuzz_find(rest, data[0])) > 0) {
		struct str text = str_of(mem_alloc(n), n);
		struct h1_response r;
		struct head h;

		memcpy((char *)(uintptr_t)text.p, rest.p, n);
		rest = str_slice(rest, n, rest.n);
		if (fuzz_parse(a, text, &limits, &r, &h) == H1_OK) {
			fuzz_check(&r, &h, text, &limits);
			fuzz_again(a, &r, &h, &limits);
		}
		mem_free((char *)(uintptr_t)text.p);
	}
	arena_end(a);
	return 0;
}
