/*
 * Rows: walking the tables of a schema. A schema's own rows come first, then
 * those that a floor above adds, whose offsets count from another place.
 */
#include "conf/run.h"

bool
row_next(struct row_walk *w)
{
	if (w->row == NULL)
		w->row = w->schema->fields;
	else
		w->row++;
	if (w->row->name == NULL && !w->in_extra) {
		if (w->schema->extra == NULL)
			return false;
		w->in_extra = true;
		w->row = w->schema->extra;
	}
	if (w->row->name == NULL)
		return false;
	w->offset = w->row->offset;
	if (w->in_extra)
		w->offset += w->schema->extra_offset;
	return true;
}

bool
row_find(const struct conf_schema *schema, struct str name,
    struct row_walk *out)
{
	*out = (struct row_walk){.schema = schema};
	if (name.n == 0)
		return false;
	while (row_next(out)) {
		const char *z = out->row->name;

		if (row_is_numbered(out->row))
			continue;
		if (z[0] == name.p[0] && strncmp(z, name.p, name.n) == 0 &&
		    z[name.n] == '\0')
			return true;
	}
	return false;
}

bool
row_is_numbered(const struct conf_field *row)
{
	return (row->flags & CONF_NUMBERED) != 0;
}

bool
row_find_numbered(const struct conf_schema *schema, struct str name,
    struct row_walk *out)
{
	*out = (struct row_walk){.schema = schema};
	if (name.n == 0 || name.p[0] < '0' || name.p[0] > '9')
		return false;
	while (row_next(out))
		if (row_is_numbered(out->row))
			return true;
	return false;
}

bool
row_is_path(const struct conf_field *row)
{
	return row->type == &conf_type_path || (row->flags & CONF_IS_PATH) != 0;
}

bool
row_has_many_blocks(const struct conf_field *row)
{
	return row->schema != NULL &&
	    (row->shape == CONF_LIST || row->shape == CONF_MAP);
}
