/*
 * Heads: the fields of a request or response, in order. Names and values point
 * into memory of the transaction's arena (or of something that outlives it).
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/arena.h"
#include "http/field.h"

struct field {
	struct str name;  /* as it was written */
	struct str value; /* without surrounding blanks; n == 0 is a value */
	enum field_id id;
	bool removed; /* skipped by everything; use the functions */
	bool is_secret; /* no table of HPACK may hold it (RFC 7541 section 7.1.3) */
	bool withheld; /* seen here, but not passed on to upstreams */
};

struct head {
	struct arena *arena;
	struct field *fields;
	uint16_t n, cap;
	/* Index + 1 of the first field of each known id, 0: none. */
	uint8_t first[FIELD_COUNT];
};

/* Room for CAP fields is taken at once; it grows. At most 65,000 fields. */
void head_init(struct head *h, struct arena *a, unsigned cap);
void head_add(struct head *h, enum field_id id, struct str name,
    struct str value);
/* Known names, as the world writes them ("Content-Type"). */
void head_add_known(struct head *h, enum field_id id, struct str value);
/* F of another head as it is. */
void head_add_field(struct head *h, const struct field *f);
/* That is said of the field which was added last. */
void head_mark_secret(struct head *h);
/* Removes all of that name, then adds one. */
void head_set(struct head *h, struct str name, struct str value);
void head_set_known(struct head *h, enum field_id id, struct str value);
unsigned head_remove(struct head *h, struct str name); /* how many */
unsigned head_remove_id(struct head *h, enum field_id id);

/* All of that name: for what is meant for us, or not to be believed. */
void head_withhold(struct head *h, struct str name, bool is_withheld);

bool head_has(const struct head *h, enum field_id id);
/* The first; NULL: none. */
const struct field *head_find(const struct head *h, enum field_id id);
const struct field *head_find_name(const struct head *h, struct str name);
/* The value of the first, or a str with p == NULL. */
struct str head_value(const struct head *h, enum field_id id);
struct str head_value_name(const struct head *h, struct str name);
unsigned head_count(const struct head *h, enum field_id id);
/* All values of a list field joined by ", " (RFC 9110 section 5.3); in the
 * head's arena when there is more than one. p == NULL: none. */
struct str head_joined(const struct head *h, enum field_id id);

/* A head that never had a field has no memory for them, either. */
#define HEAD_EACH(f, h) \
	for (const struct field *f = (h)->fields; \
	     f != NULL && f < (h)->fields + (h)->n; f++) \
		if (!f->removed)

#endif
