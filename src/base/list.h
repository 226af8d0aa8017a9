/* Intrusive doubly linked lists: a node is a member, a list is a node. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/compiler.h"

#include <stdbool.h>

struct list {
	struct list *prev, *next;
};

static inline void
list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Whether a node is on a list; only for nodes that were list_init'ed. */
static inline bool
list_is_linked(const struct list *n)
{
	return n->next != n;
}

static inline void
list_insert_before(struct list *at, struct list *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void
list_push_back(struct list *l, struct list *n)
{
	list_insert_before(l, n);
}

static inline void
list_push_front(struct list *l, struct list *n)
{
	list_insert_before(l->next, n);
}

/* Leaves the node linked to itself, so removing twice is harmless. */
static inline void
list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

static inline struct list *
list_pop_front(struct list *l)
{
	struct list *n = l->next;

	if (n == l)
		return NULL;
	list_remove(n);
	return n;
}

/* Moves all nodes of FROM to the end of TO. */
static inline void
list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* N may be removed in the body. */
#define LIST_EACH(n, l) \
	for (struct list *n = (l)->next, *n##_next = n->next; n != (l); \
	     n = n##_next, n##_next = n->next)

#define LIST_ITEM(n, type, member) CONTAINER_OF(n, type, member)

#endif
