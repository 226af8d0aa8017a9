/*
 * A YAML text as a tree: no types, only shapes, texts and places. Aliases make
 * it share nodes, so a tree is never changed once it is read; what is merged
 * is copied.
 */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include "conf/schema.h"

#define NODE_DEPTH_MAX 64
#define NODE_COUNT_MAX 2000000 /* with aliases counted as what they repeat */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node_pair {
	struct str key;
	struct conf_pos pos;
	struct node *value;
};

struct node {
	enum node_kind kind;
	bool is_quoted;
	bool is_cut;     /* a syntax error ended it early */
	uint8_t height;  /* levels below it, 0 for a scalar */
	uint32_t weight; /* nodes in it, itself included */
	struct conf_pos pos;
	union {
		struct str text;
		struct {
			struct node **items;
			size_t n;
		} list;
		struct {
			struct node_pair *pairs;
			size_t n;
		} map;
	};
};

/* A key with nothing behind it. */
static inline bool
node_is_empty(const struct node *n)
{
	return n->kind == NODE_SCALAR && !n->is_quoted && n->text.n == 0;
}

#endif
