/* Heads: adding, finding, joining and removing fields. */
#include "http/head.c"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int
begin(void **state)
{
	struct arena *a = arena_new();
	struct head *h = arena_alloc(a, sizeof *h);

	head_init(h, a, 2);
	*state = h;
	return 0;
}

static int
end(void **state)
{
	struct head *h = *state;

	arena_end(h->arena);
	arena_trim();
	return 0;
}

static void
add(struct head *h, const char *name, const char *value)
{
	struct str n = str_from(name);

	head_add(h, field_lookup(n), n, str_from(value));
}

static void
expect_head(const struct head *h, const char *expected)
{
	struct buf b = buf_in(h->arena);

	HEAD_EACH(f, h)
		buf_printf(&b, "%.*s=%.*s;", STR_ARG(f->name),
		    STR_ARG(f->value));
	buf_chr(&b, '\0');
	assert_string_equal(b.p, expected);
}

static void
expect_text(struct str got, const char *expected)
{
	if (expected == NULL) {
		assert_null(got.p);
		return;
	}
	assert_non_null(got.p);
	assert_true(str_eq(got, str_from(expected)));
}

static void
fields_keep_their_order_and_writing(void **state)
{
	struct head *h = *state;

	add(h, "hOsT", "a");
	add(h, "X-One", "1");
	head_add_known(h, FIELD_ETAG, STR("\"e\""));
	head_add_known(h, FIELD_CONTENT_TYPE, STR("text/html"));
	expect_head(h, "hOsT=a;X-One=1;ETag=\"e\";Content-Type=text/html;");
}

static void
a_field_is_found_by_id_or_name(void **state)
{
	struct head *h = *state;

	add(h, "x-one", "1");
	add(h, "Accept", "a");
	add(h, "Accept", "b");
	add(h, "X-Empty", "");
	add(h, "ETag", "");
	expect_text(head_value(h, FIELD_ACCEPT), "a");
	expect_text(head_value(h, FIELD_ETAG), "");
	expect_text(head_value(h, FIELD_HOST), NULL);
	expect_text(head_value_name(h, STR("X-ONE")), "1");
	expect_text(head_value_name(h, STR("accept")), "a");
	expect_text(head_value_name(h, STR("x-empty")), "");
	expect_text(head_value_name(h, STR("x-two")), NULL);
	assert_ptr_equal(head_find(h, FIELD_ACCEPT), &h->fields[1]);
	assert_ptr_equal(head_find_name(h, STR("ACCEPT")), &h->fields[1]);
	assert_null(head_find(h, FIELD_OTHER));
	assert_true(head_has(h, FIELD_ACCEPT));
	assert_false(head_has(h, FIELD_HOST));
	assert_int_equal(head_count(h, FIELD_ACCEPT), 2);
	assert_int_equal(head_count(h, FIELD_HOST), 0);
}

static void
an_empty_value_without_memory_is_a_value(void **state)
{
	struct head *h = *state;

	head_add_known(h, FIELD_VIA, str_of(NULL, 0));
	expect_text(head_value(h, FIELD_VIA), "");
	head_add_known(h, FIELD_VIA, STR("x"));
	expect_text(head_joined(h, FIELD_VIA), ", x");
}

static void
lists_are_joined_in_order(void **state)
{
	struct head *h = *state;
	const char *alone = "gzip";

	head_add_known(h, FIELD_ACCEPT_ENCODING, str_from(alone));
	assert_ptr_equal(head_joined(h, FIELD_ACCEPT_ENCODING).p, alone);
	add(h, "x-other", "y");
	add(h, "accept-encoding", "br");
	add(h, "Accept-Encoding", "");
	add(h, "Accept-Encoding", "zstd");
	expect_text(head_joined(h, FIELD_ACCEPT_ENCODING),
	    "gzip, br, , zstd");
	expect_text(head_joined(h, FIELD_VIA), NULL);
}

static void
what_is_removed_is_gone_for_all(void **state)
{
	struct head *h = *state;

	add(h, "Via", "1");
	add(h, "X-A", "2");
	add(h, "Via", "3");
	add(h, "x-a", "4");
	add(h, "X-B", "5");
	assert_int_equal(head_remove_id(h, FIELD_VIA), 2);
	assert_int_equal(head_remove_id(h, FIELD_VIA), 0);
	assert_int_equal(head_remove_id(h, FIELD_HOST), 0);
	assert_int_equal(head_remove(h, STR("x-A")), 2);
	assert_int_equal(head_remove(h, STR("x-A")), 0);
	expect_head(h, "X-B=5;");
	assert_false(head_has(h, FIELD_VIA));
	assert_null(head_find_name(h, STR("X-A")));
	assert_null(head_joined(h, FIELD_VIA).p);
	add(h, "Via", "6");
	expect_text(head_value(h, FIELD_VIA), "6");
	assert_int_equal(head_remove(h, STR("VIA")), 1);
	expect_head(h, "X-B=5;");
}

/* Others mark fields as they walk; the first may be among them. */
static void
a_field_marked_by_hand_is_skipped(void **state)
{
	struct head *h = *state;

	add(h, "Via", "1");
	add(h, "Via", "2");
	h->fields[0].removed = true;
	expect_text(head_value(h, FIELD_VIA), "2");
	expect_text(head_joined(h, FIELD_VIA), "2");
	assert_int_equal(head_count(h, FIELD_VIA), 1);
	h->fields[1].removed = true;
	assert_false(head_has(h, FIELD_VIA));
}

static void
setting_replaces_all(void **state)
{
	struct head *h = *state;

	add(h, "Server", "a");
	add(h, "server", "b");
	add(h, "X-A", "c");
	head_set_known(h, FIELD_SERVER, STR("d"));
	head_set(h, STR("x-a"), STR("e"));
	head_set(h, STR("SERVER"), STR("f"));
	head_set(h, STR("X-New"), STR("g"));
	expect_head(h, "x-a=e;SERVER=f;X-New=g;");
	expect_text(head_value(h, FIELD_SERVER), "f");
}

static void
a_head_grows_and_finds_what_lies_far_behind(void **state)
{
	struct head *h = *state;

	for (int i = 0; i < 1000; i++)
		add(h, "X-Many", "v");
	add(h, "Host", "far");
	add(h, "Host", "farther");
	assert_int_equal(h->n, 1002);
	expect_text(head_value(h, FIELD_HOST), "far");
	assert_int_equal(head_count(h, FIELD_HOST), 2);
	assert_int_equal(head_remove(h, STR("x-many")), 1000);
	expect_head(h, "Host=far;Host=farther;");
}

/* The index of the first is kept in a byte: around its end, too. */
static void
a_first_field_may_have_any_index(void **state)
{
	struct head *h = *state;

	for (unsigned at = 250; at < 260; at++) {
		struct head many;

		head_init(&many, h->arena, 16);
		for (unsigned i = 0; i < at; i++)
			add(&many, "X-Many", "v");
		add(&many, "Host", "a");
		assert_ptr_equal(head_find(&many, FIELD_HOST),
		    &many.fields[at]);
	}
}

static void
a_head_without_room_takes_fields(void **state)
{
	struct head *h = *state, none;

	head_init(&none, h->arena, 0);
	expect_head(&none, "");
	add(&none, "Host", "a");
	expect_head(&none, "Host=a;");
}

static void
a_head_can_be_as_large_as_promised(void **state)
{
	struct head *h = *state;

	for (int i = 0; i < HEAD_MAX; i++)
		add(h, "X", "");
	assert_int_equal(h->n, HEAD_MAX);
	assert_int_equal(h->cap, HEAD_MAX);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(fields_keep_their_order_and_writing),
		TEST(a_field_is_found_by_id_or_name),
		TEST(an_empty_value_without_memory_is_a_value),
		TEST(lists_are_joined_in_order),
		TEST(what_is_removed_is_gone_for_all),
		TEST(a_field_marked_by_hand_is_skipped),
		TEST(setting_replaces_all),
		TEST(a_head_grows_and_finds_what_lies_far_behind),
		TEST(a_first_field_may_have_any_index),
		TEST(a_head_without_room_takes_fields),
		TEST(a_head_can_be_as_large_as_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
