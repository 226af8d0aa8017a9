/*
 * Any bytes as requests on one connection: heads are found alike in whatever
 * pieces they come, and one that is accepted holds no control, has at most one
 * framing, and says the same when it is written and read again. The first two
 * bytes choose the pieces and the limits.
 */
#include "fuzz_head.h"

static enum h1_refusal
fuzz_parse(struct arena *a, struct str text, const struct h1_limits *limits,
    struct h1_request *r, struct head *h)
{
	enum h1_refusal refusal;

	head_init(h, a, 2);
	refusal = h1_parse_request(text.p, text.n, limits, r, h);
	ASSERT(refusal < H1_REFUSAL_COUNT);
	ASSERT(refusal == H1_OK || (h1_refusal_status(refusal) >= 400 &&
	    h1_refusal_word(refusal)[0] != '\0'));
	return refusal;
}

static void
fuzz_check(const struct h1_request *r, const struct head *h, struct str text,
    const struct h1_limits *limits)
{
	fuzz_check_fields(h, text);
	fuzz_check_framing(h, r->content_length, r->chunked, r->minor);
	ASSERT(h->n <= limits->max_fields);
	ASSERT(r->target.n > 0 && r->target.n <= limits->max_target);
	ASSERT(field_token_is_valid(r->method_name));
	ASSERT(!fuzz_has_control(r->target));
	ASSERT(memchr(r->target.p, ' ', r->target.n) == NULL);
	ASSERT(memchr(r->target.p, '\t', r->target.n) == NULL);
	ASSERT(r->minor == 0 || r->minor == 1);
	ASSERT(head_count(h, FIELD_HOST) <= 1);
	ASSERT(r->minor == 0 || head_has(h, FIELD_HOST));
	ASSERT(r->minor == 1 || !(r->expect_continue || r->upgrade));
	ASSERT(!(r->close && r->keep_alive));
	ASSERT(!r->upgrade || head_has(h, FIELD_UPGRADE));
}

static void
fuzz_again(struct arena *a, const struct h1_request *r, const struct head *h,
    const struct h1_limits *limits)
{
	struct buf b = buf_in(a);
	struct h1_request again;
	struct head head;
	size_t scanned = 0;

	buf_str(&b, r->method_name);
	buf_chr(&b, ' ');
	buf_str(&b, r->target);
	buf_printf(&b, " HTTP/1.%d\r\n", r->minor);
	fuzz_write_fields(&b, h);
	ASSERT(h1_scan_head(b.p, b.n, &scanned) == b.n);
	ASSERT(fuzz_parse(a, buf_view(&b), limits, &again, &head) == H1_OK);
	ASSERT(again.method == r->method);
	ASSERT(str_eq(again.method_name, r->method_name));
	ASSERT(str_eq(again.target, r->target));
	ASSERT(again.minor == r->minor);
	ASSERT(again.content_length == r->content_length);
	ASSERT(again.chunked == r->chunked);
	ASSERT(again.close == r->close);
	ASSERT(again.keep_alive == r->keep_alive);
	ASSERT(again.expect_continue == r->expect_continue);
	ASSERT(again.upgrade == r->upgrade);
	fuzz_same_fields(h, &head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h1_limits limits = {.max_target = 1024};
	struct str rest;
	struct arena *a;
	size_t n;

	if (size < 2)
		return 0;
	a = arena_new();
	limits.max_fields = data[1];
	rest = str_of((const char *)data + 2, size - 2);
	for (;;) {
		size_t blank = h1_skip_blank(rest.p, rest.n);
		struct h1_request r;
		struct head h;
		struct str text;

		ASSERT(blank <= 4 && blank <= rest.n);
		rest = str_slice(rest, blank, rest.n);
		n = fuzz_find(rest, data[0]);
		if (n == 0)
			break;
		/* Of its own, so that a read behind it is seen. */
		text = str_of(mem_alloc(n), n);
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
