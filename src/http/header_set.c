/*
 * Fields that an operator writes into responses. What can be wrong about a name
 * or a constant is found when the configuration is loaded; what a variable
 * brings in is looked at for every response. Lives in the generation's arena.
 */
#include "http/header_set.h"

#include "base/map.h"

bool
header_set_check_name(struct conf_load *load, struct conf_pos pos,
    struct str name)
{
	if (!field_token_is_valid(name)) {
		conf_error(load, pos, "bad-field",
		    "\"%.*s\" is not the name of a header: letters, digits and "
		    "\"-\"", STR_ARG(name));
		return false;
	}
	if ((field_flags(field_lookup(name)) & (FIELD_HOP | FIELD_FRAMING)) !=
	    0) {
		conf_error(load, pos, "bad-field",
		    "%.*s concerns the connection or where a message ends, and "
		    "is always written by the server itself", STR_ARG(name));
		return false;
	}
	return true;
}

static bool
header_set_check_value(struct conf_load *load, const struct conf_entry *entry,
    const struct template *value)
{
	if (!template_is_constant(value) ||
	    field_value_is_valid(template_text(value)))
		return true;
	conf_error(load, entry->pos, "bad-field",
	    "the value of %.*s holds what no field can: a control character, "
	    "or blanks at its ends", STR_ARG(entry->key));
	return false;
}

static bool
header_set_check(struct conf_load *load, struct map *seen,
    const struct conf_entry *entry, const struct template *value)
{
	const struct conf_entry *before;

	if (!header_set_check_name(load, entry->key_pos, entry->key) ||
	    !header_set_check_value(load, entry, value))
		return false;
	before = map_get(seen, entry->key);
	if (before == NULL) {
		map_put(seen, entry->key, (void *)entry);
		return true;
	}
	conf_error(load, entry->key_pos, "duplicate-field",
	    "%.*s stands here twice, first as %.*s at %s; case does not count",
	    STR_ARG(entry->key), STR_ARG(before->key),
	    conf_pos_text(load, before->key_pos));
	return false;
}

struct header_set
header_set_compile(struct conf_load *load, const struct conf_map *map)
{
	struct arena *a = conf_arena(load);
	struct map *seen = map_new_caseless(a, map->n);
	struct header_set set = {
		.values = arena_alloc(a, (map->n + 1) * sizeof *set.values)
	};

	for (size_t i = 0; i < map->n; i++) {
		const struct conf_entry *entry = &map->entries[i];
		const struct template *value =
		    *(struct template *const *)entry->value;

		if (header_set_check(load, seen, entry, value))
			set.values[set.n++] = (struct header_value){
				.name = entry->key,
				.id = field_lookup(entry->key),
				.value = value
			};
	}
	return set;
}

bool
header_set_eval(const struct header_value *v, struct txn *t, struct str *out)
{
	*out = template_eval(v->value, t);
	/* A decoded path may hold line ends. */
	return template_is_constant(v->value) || field_value_is_valid(*out);
}
