/* What nghttp2 holds for a connection, with two sessions that speak to each
 * other: ours has its memory from the store. */
#include "http/h2_store.c"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct world {
	struct h2_store store;
	nghttp2_session *server, *client;
	char heard[1024]; /* fields that the server got, and the client */
};

static int
world_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
    uint8_t flags, void *arg)
{
	struct world *w = arg;
	size_t n = strlen(w->heard);

	(void)session;
	(void)frame;
	(void)flags;
	snprintf(w->heard + n, sizeof w->heard - n, "%.*s=%.*s ", (int)name_n,
	    (const char *)name, (int)value_n, (const char *)value);
	return 0;
}

static struct world *
world_new(size_t max)
{
	struct world *w = mem_zalloc(sizeof *w);
	nghttp2_session_callbacks *c;
	nghttp2_mem mem = h2_store_mem(&w->store);

	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	nghttp2_session_callbacks_set_on_header_callback(c, world_on_header);
	h2_store_open(&w->store, max);
	assert_int_equal(nghttp2_session_server_new3(&w->server, c, w, NULL,
	    &mem), 0);
	h2_store_is_made(&w->store);
	assert_int_equal(nghttp2_session_client_new(&w->client, c, w), 0);
	nghttp2_submit_settings(w->server, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_submit_settings(w->client, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_session_callbacks_del(c);
	return w;
}

static void
world_end(struct world *w)
{
	h2_store_unfold(&w->store);
	nghttp2_session_del(w->server);
	nghttp2_session_del(w->client);
	h2_store_close(&w->store); /* asserts that nothing is left */
	mem_free(w);
}

/* What FROM has to say to TO, N bytes at a time; how many there were. */
static size_t
say(nghttp2_session *from, nghttp2_session *to, size_t n)
{
	const uint8_t *p;
	size_t all = 0;
	ssize_t got;

	while ((got = nghttp2_session_mem_send(from, &p)) > 0) {
		all += (size_t)got;
		for (size_t at = 0, part; at < (size_t)got; at += part) {
			part = n < (size_t)got - at ? n : (size_t)got - at;
			assert_int_equal(nghttp2_session_mem_recv(to, p + at,
			    part), part);
		}
	}
	assert_int_equal(got, 0);
	return all;
}

static nghttp2_nv
field(const char *name, const char *value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name, .namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value)
	};
}

static int32_t
ask(struct world *w)
{
	const nghttp2_nv fields[] = {
		field(":method", "GET"), field(":scheme", "https"),
		field(":authority", "a.example"), field(":path", "/"),
		field("user-agent", "some client/1.0")
	};

	return nghttp2_submit_request(w->client, NULL, fields,
	    COUNT_OF(fields), NULL, NULL);
}

static void
answer(struct world *w, int32_t id)
{
	const nghttp2_nv fields[] = {
		field(":status", "200"), field("etag", "\"abcdef\"")
	};

	assert_int_equal(nghttp2_submit_response(w->server, id, fields,
	    COUNT_OF(fields), NULL), 0);
}

#define HEARD \
	":method=GET :scheme=https :authority=a.example :path=/ " \
	"user-agent=some client/1.0 :status=200 etag=\"abcdef\" "

/* A request and its response; bytes that it took. */
static size_t
exchange(struct world *w)
{
	int32_t id = ask(w);
	size_t n = say(w->client, w->server, SIZE_MAX);

	answer(w, id);
	n += say(w->server, w->client, SIZE_MAX);
	n += say(w->client, w->server, SIZE_MAX);
	assert_string_equal(w->heard, HEARD);
	w->heard[0] = '\0';
	return n;
}

/* ---- tests ------------------------------------------------------------- */

static void
a_session_goes_on_after_it_was_folded(void **state)
{
	struct world *w = world_new(SIZE_MAX);
	size_t first = exchange(w), second = exchange(w);

	(void)state;
	/* Both tables know the fields. */
	assert_true(second < first / 3);
	for (int i = 0; i < 3; i++) {
		h2_store_fold(&w->store);
		assert_true(h2_store_is_folded(&w->store));
		h2_store_unfold(&w->store);
		assert_false(h2_store_is_folded(&w->store));
		assert_int_equal(exchange(w), second);
	}
	world_end(w);
}

static void
it_may_be_folded_within_a_frame(void **state)
{
	struct world *w = world_new(SIZE_MAX);
	const uint8_t *p;
	ssize_t n;
	int32_t id;

	(void)state;
	exchange(w);
	id = ask(w);
	n = nghttp2_session_mem_send(w->client, &p);
	for (ssize_t i = 0; i < n; i++) {
		h2_store_fold(&w->store);
		h2_store_unfold(&w->store);
		assert_int_equal(nghttp2_session_mem_recv(w->server, p + i, 1),
		    1);
	}
	answer(w, id);
	say(w->server, w->client, 1);
	assert_string_equal(w->heard, HEARD);
	world_end(w);
}

static void
folded_it_holds_little(void **state)
{
	struct world *w = world_new(SIZE_MAX);
	size_t before;

	(void)state;
	exchange(w);
	before = h2_store_held(&w->store);
	h2_store_fold(&w->store);
	assert_true(before > 20000);
	assert_in_range(h2_store_held(&w->store), 500, 5000);
	world_end(w);
}

static void
what_came_later_is_counted_and_given_back(void **state)
{
	struct world *w = world_new(SIZE_MAX);
	size_t before;

	(void)state;
	exchange(w);
	before = w->store.heap;
	ask(w);
	say(w->client, w->server, SIZE_MAX);
	assert_true(w->store.heap > before);
	world_end(w);
}

static void
beyond_its_bound_it_gives_nothing(void **state)
{
	struct h2_store s;
	nghttp2_mem mem = h2_store_mem(&s);
	void *p, *q;

	(void)state;
	h2_store_open(&s, 1000);
	h2_store_is_made(&s);
	p = mem.malloc(600, &s);
	assert_non_null(p);
	assert_null(mem.malloc(600, &s));
	assert_null(mem.calloc(6, 100, &s));
	assert_null(mem.realloc(NULL, 600, &s));
	assert_null(mem.realloc(p, 100000, &s));
	q = mem.calloc(2, 100, &s);
	assert_non_null(q);
	mem.free(p, &s);
	mem.free(q, &s);
	mem.free(NULL, &s);
	assert_int_equal(s.heap, 0);
	h2_store_close(&s);
}

static void
things_in_the_block_may_grow_out_of_it(void **state)
{
	struct h2_store s;
	nghttp2_mem mem = h2_store_mem(&s);
	char *p, *q;

	(void)state;
	h2_store_open(&s, SIZE_MAX);
	p = mem.malloc(100, &s);
	assert_true(h2_store_is_in_block(&s, p));
	memset(p, 'x', 100);
	q = mem.malloc(FOLD_BLOCK, &s); /* has no room there */
	assert_false(h2_store_is_in_block(&s, q));
	mem.free(q, &s);
	h2_store_is_made(&s);
	p = mem.realloc(p, 200, &s);
	assert_false(h2_store_is_in_block(&s, p));
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 'x');
	mem.free(p, &s);
	h2_store_close(&s);
}

/* Up to the last byte of the block, and none beyond. */
static void
the_block_is_filled_to_its_end(void **state)
{
	(void)state;
	for (size_t n = 1; n < 2000; n += 13) {
		struct h2_store s;
		nghttp2_mem mem = h2_store_mem(&s);
		size_t count = 0;
		char *p;

		h2_store_open(&s, SIZE_MAX);
		while (h2_store_is_in_block(&s, p = mem.malloc(n, &s))) {
			assert_true(p + n <= s.block + FOLD_BLOCK);
			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, 1, n);
			count++;
		}
		assert_true((count + 2) * (n + 32) > FOLD_BLOCK);
		mem.free(p, &s);
		h2_store_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_goes_on_after_it_was_folded),
		cmocka_unit_test(it_may_be_folded_within_a_frame),
		cmocka_unit_test(folded_it_holds_little),
		cmocka_unit_test(what_came_later_is_counted_and_given_back),
		cmocka_unit_test(beyond_its_bound_it_gives_nothing),
		cmocka_unit_test(things_in_the_block_may_grow_out_of_it),
		cmocka_unit_test(the_block_is_filled_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
