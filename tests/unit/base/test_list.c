/* Intrusive lists. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct bead {
	char letter;
	struct list link;
};

static struct bead beads[] = {
	{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}
};

/* Forwards and backwards must tell the same. */
static void
assert_letters(struct list *l, const char *want)
{
	const char *at = want;

	for (struct list *n = l->next; n != l; n = n->next)
		assert_int_equal(LIST_ITEM(n, struct bead, link)->letter,
		    *at++);
	assert_int_equal(*at, '\0');
	for (struct list *n = l->prev; n != l; n = n->prev)
		assert_int_equal(LIST_ITEM(n, struct bead, link)->letter,
		    *--at);
	assert_ptr_equal(at, want);
}

static void
list_of(struct list *l, size_t from, size_t to)
{
	list_init(l);
	for (; from < to; from++)
		list_push_back(l, &beads[from].link);
}

static void
nodes_stand_where_they_were_pushed(void **state)
{
	struct list l;

	(void)state;
	list_init(&l);
	assert_true(list_is_empty(&l));
	assert_letters(&l, "");
	list_push_back(&l, &beads[1].link);
	list_push_front(&l, &beads[0].link);
	list_push_back(&l, &beads[3].link);
	list_insert_before(&beads[3].link, &beads[2].link);
	assert_false(list_is_empty(&l));
	assert_letters(&l, "abcd");
}

static void
removing_twice_is_harmless(void **state)
{
	struct list l;

	(void)state;
	list_of(&l, 0, 3);
	assert_true(list_is_linked(&beads[1].link));
	list_remove(&beads[1].link);
	assert_false(list_is_linked(&beads[1].link));
	list_remove(&beads[1].link);
	assert_letters(&l, "ac");
}

static void
pop_takes_from_the_front_until_empty(void **state)
{
	struct list l;

	(void)state;
	list_of(&l, 0, 2);
	assert_ptr_equal(list_pop_front(&l), &beads[0].link);
	assert_false(list_is_linked(&beads[0].link));
	assert_ptr_equal(list_pop_front(&l), &beads[1].link);
	assert_null(list_pop_front(&l));
	assert_letters(&l, "");
}

static void
splice_moves_all_to_the_end(void **state)
{
	struct list to, from;

	(void)state;
	list_of(&to, 0, 2);
	list_of(&from, 2, 4);
	list_splice(&to, &from);
	assert_letters(&to, "abcd");
	assert_true(list_is_empty(&from));
	list_splice(&to, &from);
	assert_letters(&to, "abcd");
	list_splice(&from, &to);
	assert_letters(&from, "abcd");
	assert_letters(&to, "");
}

static void
each_allows_removing_the_node_in_hand(void **state)
{
	struct list l;
	unsigned n_seen = 0;

	(void)state;
	list_of(&l, 0, 4);
	LIST_EACH(n, &l) {
		if (n_seen++ % 2 == 0)
			list_remove(n);
	}
	assert_int_equal(n_seen, 4);
	assert_letters(&l, "bd");
	LIST_EACH(n, &l)
		list_remove(n);
	LIST_EACH(n, &l)
		fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_stand_where_they_were_pushed),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(pop_takes_from_the_front_until_empty),
		cmocka_unit_test(splice_moves_all_to_the_end),
		cmocka_unit_test(each_allows_removing_the_node_in_hand)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
