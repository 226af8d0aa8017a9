/* Pages, leftovers, and the tables of reasons and counters. */
#include "world.h"

static void
pages_are_leased_counted_and_kept(void **state)
{
	struct world *w = *state;
	char *a = page_lease(w->net), *b = page_lease(w->net);

	assert_ptr_not_equal(a, b);
	assert_int_equal(w->stats.pages_leased, 2);
	memset(a, 1, NET_PAGE);
	page_return(w->net, a);
	page_return(w->net, NULL);
	assert_int_equal(w->stats.pages_leased, 1);
	assert_ptr_equal(page_lease(w->net), a);
	page_return(w->net, a);
	page_return(w->net, b);
	assert_int_equal(w->stats.pages_leased, 0);
}

static void
a_crowd_of_pages_is_given_back(void **state)
{
	struct world *w = *state;
	char *pages[200];

	for (size_t i = 0; i < COUNT_OF(pages); i++)
		pages[i] = page_lease(w->net);
	for (size_t i = 0; i < COUNT_OF(pages); i++)
		page_return(w->net, pages[i]);
	assert_int_equal(w->stats.pages_leased, 0);
	assert_int_equal(w->net->n_free_pages, 64); /* 1 MiB is kept */
}

/* ---- leftovers --------------------------------------------------------- */

static void
expect(const struct leftover *l, const char *text)
{
	assert_int_equal(leftover_len(l), strlen(text));
	assert_memory_equal(l->p + l->at, text, strlen(text));
}

static void
an_empty_leftover_holds_nothing(void **state)
{
	struct world *w = *state;
	struct leftover l = { .p = NULL };

	assert_int_equal(leftover_len(&l), 0);
	leftover_put(w->net, &l, "", 0);
	assert_null(l.p);
	leftover_take(w->net, &l, 0);
	leftover_free(w->net, &l);

	leftover_put(w->net, &l, "abc", 3);
	assert_int_equal(w->stats.pages_leased, 1);
	leftover_take(w->net, &l, 3);
	assert_null(l.p);
	assert_int_equal(w->stats.pages_leased, 0);
}

static void
what_is_put_is_taken_in_order(void **state)
{
	struct world *w = *state;
	struct leftover l = { .p = NULL };

	leftover_put(w->net, &l, "abc", 3);
	leftover_put(w->net, &l, "def", 3);
	expect(&l, "abcdef");
	leftover_take(w->net, &l, 4);
	expect(&l, "ef");
	leftover_put(w->net, &l, "g", 1);
	expect(&l, "efg");
	leftover_free(w->net, &l);
	assert_int_equal(leftover_len(&l), 0);
	assert_int_equal(w->stats.pages_leased, 0);
}

static void
a_page_is_used_again_from_its_start(void **state)
{
	struct world *w = *state;
	struct leftover l = { .p = NULL };
	static char big[NET_PAGE];

	memset(big, 'x', sizeof big);
	leftover_put(w->net, &l, big, sizeof big - 2);
	leftover_take(w->net, &l, sizeof big - 5);
	/* There is room only before what is left. */
	leftover_put(w->net, &l, "abcdef", 6);
	expect(&l, "xxxabcdef");
	assert_int_equal(l.cap, NET_PAGE);
	leftover_free(w->net, &l);
}

static void
more_than_a_page_is_memory_of_its_own(void **state)
{
	struct world *w = *state;
	struct leftover l = { .p = NULL };
	static char big[3 * NET_PAGE];

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i % 251);
	leftover_put(w->net, &l, big, 10);
	leftover_put(w->net, &l, big + 10, sizeof big - 10);
	assert_int_equal(leftover_len(&l), sizeof big);
	assert_int_equal(w->stats.pages_leased, 0);
	for (size_t at = 0; at < sizeof big; at += 7) {
		size_t n = sizeof big - at < 7 ? sizeof big - at : 7;

		assert_memory_equal(l.p + l.at, big + at, n);
		leftover_take(w->net, &l, n);
	}
	assert_null(l.p);
}

/* Random puts and takes against a queue that is plain to see. */
static void
a_leftover_is_a_queue(void **state)
{
	struct world *w = *state;
	struct leftover l = { .p = NULL };
	unsigned seed = 1, put = 0, taken = 0;

	for (int i = 0; i < 3000; i++) {
		char piece[3000];
		size_t n;

		seed = seed * 1103515245 + 12345;
		n = (seed >> 8) % sizeof piece;
		if (seed >> 31 || leftover_len(&l) > 100000) {
			if (n > leftover_len(&l))
				n = leftover_len(&l);
			for (size_t k = 0; k < n; k++)
				if (l.p[l.at + k] != (char)(taken + k))
					fail_msg("byte %zu", k);
			leftover_take(w->net, &l, n);
			taken += (unsigned)n;
			continue;
		}
		for (size_t k = 0; k < n; k++)
			piece[k] = (char)(put + k);
		leftover_put(w->net, &l, piece, n);
		put += (unsigned)n;
		assert_int_equal(leftover_len(&l), put - taken);
	}
	leftover_free(w->net, &l);
	assert_int_equal(w->stats.pages_leased, 0);
}

/* ---- tables ------------------------------------------------------------ */

static void
every_reason_has_its_word_and_its_counter(void **state)
{
	unsigned rows = 0;

	(void)state;
	assert_string_equal(close_reason_word(CLOSE_DONE), "done");
	assert_string_equal(close_reason_text(CLOSE_OVERLOAD),
	    "too many connections");
	for (const struct counter_row *r = net_counters.rows; r->name != NULL;
	     r++) {
		char want[64];

		if (r->labels == NULL)
			continue;
		snprintf(want, sizeof want, "reason=\"%s\"",
		    close_reason_word((enum close_reason)rows));
		assert_string_equal(r->labels, want);
		assert_int_equal(r->offset, offsetof(struct net_stats, closed) +
		    rows * sizeof(uint64_t));
		rows++;
	}
	assert_int_equal(rows, CLOSE_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_leased_counted_and_kept),
		TEST(a_crowd_of_pages_is_given_back),
		TEST(an_empty_leftover_holds_nothing),
		TEST(what_is_put_is_taken_in_order),
		TEST(a_page_is_used_again_from_its_start),
		TEST(more_than_a_page_is_memory_of_its_own),
		TEST(a_leftover_is_a_queue),
		TEST(every_reason_has_its_word_and_its_counter)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
