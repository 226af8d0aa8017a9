/*
 * The fields of one head, in order, in the arena of its transaction. What is
 * removed stays in its place and is skipped, so that nobody who walks through
 * a head has the ground moved.
 */
#include "http/head.h"

#include "base/panic.h"

#define HEAD_MAX 65000
/* The index of a first field is kept in a byte; beyond that it is searched. */
#define FIRST_MAX 254

void
head_init(struct head *h, struct arena *a, unsigned cap)
{
	ASSERT(cap <= HEAD_MAX);
	memset(h, 0, sizeof *h);
	h->arena = a;
	h->cap = (uint16_t)cap;
	if (cap > 0)
		h->fields = arena_alloc(a, cap * sizeof *h->fields);
}

static void
head_grow(struct head *h)
{
	unsigned cap = h->cap > 0 ? h->cap * 2u : 8;
	struct field *fields;

	/* Whoever reads from a peer counts before it adds. */
	ASSERT(h->n < HEAD_MAX);
	if (cap > HEAD_MAX)
		cap = HEAD_MAX;
	fields = arena_alloc(h->arena, cap * sizeof *fields);
	if (h->n > 0)
		memcpy(fields, h->fields, h->n * sizeof *fields);
	h->fields = fields;
	h->cap = (uint16_t)cap;
}

void
head_add(struct head *h, enum field_id id, struct str name, struct str value)
{
	if (h->n == h->cap)
		head_grow(h);
	h->fields[h->n] = (struct field){
		.name = name, .value = value, .id = id};
	if (id != FIELD_OTHER && h->first[id] == 0)
		h->first[id] = (uint8_t)
		    ((h->n < FIRST_MAX ? h->n : FIRST_MAX) + 1);
	h->n++;
}

void
head_add_known(struct head *h, enum field_id id, struct str value)
{
	ASSERT(id != FIELD_OTHER);
	head_add(h, id, field_written(id), value);
}

void
head_add_field(struct head *h, const struct field *f)
{
	head_add(h, f->id, f->name, f->value);
	h->fields[h->n - 1].is_secret = f->is_secret;
}

void
head_mark_secret(struct head *h)
{
	ASSERT(h->n > 0);
	h->fields[h->n - 1].is_secret = true;
}

void
head_withhold(struct head *h, struct str name, bool is_withheld)
{
	enum field_id id = field_lookup(name);

	if (id != FIELD_OTHER && h->first[id] == 0)
		return;
	for (unsigned i = 0; i < h->n; i++) {
		struct field *f = &h->fields[i];

		if (f->id == id &&
		    (id != FIELD_OTHER || str_case_eq(f->name, name)))
			f->withheld = is_withheld;
	}
}

/* ---- looking ----------------------------------------------------------- */

/* The first field of a known ID at or after FROM. */
static struct field *
head_next(const struct head *h, enum field_id id, unsigned from)
{
	for (unsigned i = from; i < h->n; i++)
		if (h->fields[i].id == id && !h->fields[i].removed)
			return &h->fields[i];
	return NULL;
}

static struct field *
head_first(const struct head *h, enum field_id id)
{
	if (id == FIELD_OTHER || h->first[id] == 0)
		return NULL;
	return head_next(h, id, h->first[id] - 1u);
}

static struct field *
head_after(const struct head *h, const struct field *f)
{
	return head_next(h, f->id, (unsigned)(f - h->fields) + 1);
}

bool
head_has(const struct head *h, enum field_id id)
{
	return head_first(h, id) != NULL;
}

const struct field *
head_find(const struct head *h, enum field_id id)
{
	return head_first(h, id);
}

const struct field *
head_find_name(const struct head *h, struct str name)
{
	enum field_id id = field_lookup(name);

	if (id != FIELD_OTHER)
		return head_first(h, id);
	HEAD_EACH(f, h)
		if (f->id == FIELD_OTHER && str_case_eq(f->name, name))
			return f;
	return NULL;
}

static struct str
head_value_of(const struct field *f)
{
	if (f == NULL)
		return str_of(NULL, 0);
	/* An empty value may come from anywhere, but is no NULL. */
	return f->value.p != NULL ? f->value : STR("");
}

struct str
head_value(const struct head *h, enum field_id id)
{
	return head_value_of(head_first(h, id));
}

struct str
head_value_name(const struct head *h, struct str name)
{
	return head_value_of(head_find_name(h, name));
}

unsigned
head_count(const struct head *h, enum field_id id)
{
	const struct field *f = head_first(h, id);
	unsigned n = 0;

	for (; f != NULL; f = head_after(h, f))
		n++;
	return n;
}

struct str
head_joined(const struct head *h, enum field_id id)
{
	const struct field *first = head_first(h, id), *f;
	size_t n = 0;
	char *p, *at;

	if (first == NULL || head_after(h, first) == NULL)
		return head_value_of(first);
	for (f = first; f != NULL; f = head_after(h, f))
		n += f->value.n + 2;
	p = at = arena_alloc(h->arena, n);
	for (f = first; f != NULL; f = head_after(h, f)) {
		if (f->value.n > 0)
			memcpy(at, f->value.p, f->value.n);
		at += f->value.n;
		memcpy(at, ", ", 2);
		at += 2;
	}
	return str_of(p, n - 2);
}

/* ---- changing ---------------------------------------------------------- */

unsigned
head_remove_id(struct head *h, enum field_id id)
{
	struct field *f = head_first(h, id);
	unsigned n = 0;

	if (f == NULL)
		return 0;
	for (; f != NULL; f = head_after(h, f)) {
		f->removed = true;
		n++;
	}
	h->first[id] = 0;
	return n;
}

unsigned
head_remove(struct head *h, struct str name)
{
	enum field_id id = field_lookup(name);
	unsigned n = 0;

	if (id != FIELD_OTHER)
		return head_remove_id(h, id);
	for (unsigned i = 0; i < h->n; i++) {
		struct field *f = &h->fields[i];

		if (f->id != FIELD_OTHER || f->removed ||
		    !str_case_eq(f->name, name))
			continue;
		f->removed = true;
		n++;
	}
	return n;
}

void
head_set(struct head *h, struct str name, struct str value)
{
	head_remove(h, name);
	head_add(h, field_lookup(name), name, value);
}

void
head_set_known(struct head *h, enum field_id id, struct str value)
{
	head_remove_id(h, id);
	head_add_known(h, id, value);
}
