/*
 * Any bytes as a configuration file: it must be loaded or refused with words,
 * and what was loaded must come out of a dump as it went in. A byte 0x1e cuts
 * the input: main file, included file, -g text.
 */
#include "../unit/conf/shop.c"

#include "base/panic.h"

static const char *
fuzz_part(struct arena *a, struct str *rest)
{
	struct str part = {"", 0};

	if (rest->n == 0 || !str_split(rest, '\x1e', &part))
		return "";
	return arena_memdup(a, part.p, part.n);
}

static struct run
fuzz_load(const char *yaml, const char *included, const char *override)
{
	const char *files[] = {
		"shop.yaml", yaml, "more.yaml", included,
		"conf.d/a.yaml", "shelves: [bread]\n", NULL
	};

	return run_new(files, &override, override[0] != '\0');
}

/* Settings of the shop hold on its shelves, and those on the shelves upon
 * them. */
static void
fuzz_inherit(struct conf_load *load, struct fittings *outer,
    struct conf_list *shelves)
{
	for (CONF_EACH(struct shelf_conf *, s, shelves)) {
		conf_inherit_fields(load, fitting_fields, outer,
		    &(*s)->fittings);
		fuzz_inherit(load, &(*s)->fittings, &(*s)->shelves);
	}
}

/* The value without what a second load cannot know: the origins. */
static const char *
fuzz_strip(struct arena *a, const char *dump)
{
	struct str rest = str_from(dump), line;
	struct buf b = buf_in(a);

	while (str_split(&rest, '\n', &line)) {
		size_t end = line.n;

		for (size_t i = 0; i + 3 < line.n; i++)
			if (memcmp(line.p + i, "  # ", 4) == 0 ||
			    (i > 40 && memcmp(line.p + i, " # ", 3) == 0))
				end = i;
		buf_str(&b, str_slice(line, 0, end));
		while (b.n > 0 && b.p[b.n - 1] == ' ')
			b.n--;
		buf_chr(&b, '\n');
	}
	buf_chr(&b, '\0');
	return b.p;
}

/* Texts whose dump says less or other than they do: secrets, and what would
 * be put in a second time. */
static bool
fuzz_is_plain(const char *text)
{
	return strstr(text, "${") == NULL && strstr(text, "include") == NULL &&
	    strchr(text, '#') == NULL;
}

static void
fuzz_check_dump(struct run *r, bool is_plain)
{
	const char *dump, *again;
	struct run second;

	fuzz_inherit(r->load, &r->shop->fittings, &r->shop->shelves);
	dump = run_dump(r);
	if (!is_plain)
		return;
	second = run_text(dump);
	ASSERT(conf_errors(second.load) == 0);
	fuzz_inherit(second.load, &second.shop->fittings,
	    &second.shop->shelves);
	again = run_dump(&second);
	ASSERT(strcmp(fuzz_strip(r->a, dump), fuzz_strip(r->a, again)) == 0);
	run_end(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct str rest = str_of((const char *)data, size);
	const char *yaml = fuzz_part(a, &rest);
	const char *included = fuzz_part(a, &rest);
	const char *override = fuzz_part(a, &rest);
	struct run r = fuzz_load(yaml, included, override);
	struct buf json = buf_in(a);

	run_messages(&r);
	conf_print_diagnostics_json(r.load, &json);
	if (conf_errors(r.load) == 0)
		fuzz_check_dump(&r, fuzz_is_plain(yaml) &&
		    fuzz_is_plain(override));
	run_end(&r);
	arena_end(a);
	return 0;
}
