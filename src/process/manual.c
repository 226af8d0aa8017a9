/*
 * Prints weir.yaml(5) in mdoc: what holds for every key is written here, the
 * keys and the variables come from their tables. `make docs` keeps the result
 * in man/, and a check fails when that is not what the binary prints.
 */
#include "process/manual.h"

#include "conf/load.h"
#include "http/refusal.h"
#include "http/template.h"
#include "process/config.h"

static const char manual_head[] =
    ".Dd November 24, 2026\n"
    ".Dt WEIR.YAML 5\n"
    ".Os Weir\n"
    ".Sh NAME\n"
    ".Nm weir.yaml\n"
    ".Nd configuration of the reverse proxy weir\n"
    ".Sh DESCRIPTION\n"
    ".Xr weir 8\n"
    "is configured by one YAML file and those that it includes.\n"
    ".Ql weir -t\n"
    "tests it and lists every mistake with its place;\n"
    ".Ql weir -T\n"
    "prints what holds in the end, defaults and inheritance filled in, and\n"
    "where each value comes from.\n"
    ".Ss Values\n"
    "Types come from the key, not from YAML:\n"
    ".Ql hosts: [no]\n"
    "is the string \"no\".\n"
    "A single value stands for a list of one.\n"
    "Anchors, aliases and merge keys work; tags are refused.\n"
    ".Bl -tag -width duration\n"
    ".It on/off\n"
    "on, off, true, false, yes or no\n"
    ".It size\n"
    "512, 8k, 1m, 2g: bytes, or powers of 1024\n"
    ".It duration\n"
    "500ms, 30s, 5m, 12h, 7d, or a sum such as 1h30m; always with a unit\n"
    ".It path\n"
    "relative to the file that names it\n"
    ".El\n"
    ".Pp\n"
    "In any value,\n"
    ".Ql ${env:NAME} ,\n"
    ".Ql ${env:NAME:-default}\n"
    "and\n"
    ".Ql ${file:PATH}\n"
    "are replaced by an environment variable and by the content of a file,\n"
    "once, after the YAML has been read: they never change its structure.\n"
    "What came from a file is a secret:\n"
    ".Ql weir -T\n"
    "and messages show where it came from instead.\n"
    ".Ss Inheritance\n"
    "A setting of the top level holds for every site, one of a site for its\n"
    "routes, one of a route for the routes in it.\n"
    "Further in wins: a scalar or a list replaces, a map merges key by key,\n"
    "and\n"
    ".Ql off\n"
    "switches an inherited block off.\n"
    ".Ss Choosing a site and a route\n"
    "The site is chosen by the host name of the request, among those of the\n"
    "address that it came to: an exact name, then the longest\n"
    ".Ql *.suffix ,\n"
    "then regular expressions\n"
    ".Pq Ql ~REGEX\n"
    "in the order of the file, then the default site.\n"
    "Within a site, routes are tried in the order of the file, and the first\n"
    "whose path and\n"
    ".Ic match\n"
    "hold is taken.\n"
    ".Pp\n"
    ".Bl -tag -compact -offset indent -width \"~ REGEX\"\n"
    ".It Li /x\n"
    "exactly that path\n"
    ".It Li /x/*\n"
    "everything below /x/\n"
    ".It Li /x*\n"
    "every path that begins with /x\n"
    ".It Li *.php\n"
    "every path that ends so\n"
    ".It Li ~ Ar REGEX\n"
    "PCRE2, on the decoded and normalised path\n"
    ".El\n"
    ".Sh KEYS\n";

static const char manual_variables[] =
    ".Sh VARIABLES\n"
    "Where a key takes a string with variables,\n"
    ".Ql $name\n"
    "and\n"
    ".Ql ${name}\n"
    "are replaced for each request, and\n"
    ".Ql $$\n"
    "is a dollar.\n"
    "A name that ends in an underscore stands for many: the rest of the name\n"
    "says which.\n"
    ".Bl -tag -width Ds\n";

static const char manual_reasons[] =
    ".El\n"
    ".Sh REASONS\n"
    "A request that is refused leaves one word: as\n"
    ".Va $reason\n"
    "in the access log, in a line of the error log\n"
    ".Pq of level info, ten a second for each word\n"
    "and in the metric\n"
    ".Ql weir_http_refused_total{reason=\"...\"} .\n"
    ".Bl -tag -width Ds\n";

static const char manual_tail[] =
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/weir/weir.yaml\n"
    "the configuration of an installed\n"
    ".Xr weir 8 ;\n"
    ".Ql weir -V\n"
    "prints where it is looked for\n"
    ".It Pa weir.schema.json\n"
    "its JSON Schema, for editors; also\n"
    ".Ql weir --schema\n"
    ".El\n"
    ".Sh SEE ALSO\n"
    ".Xr pcre2pattern 3 ,\n"
    ".Xr weir 8\n";

static void
manual_print_variables(struct buf *b)
{
	const struct variable *table;

	for (size_t i = 0; (table = variable_table(i)) != NULL; i++)
		for (const struct variable *v = table; v->name != NULL; v++)
			buf_printf(b, ".It Va $%s\n%s\n", v->name, v->doc);
}

void
manual_print(struct buf *b)
{
	buf_z(b, manual_head);
	conf_print_man(&root_schema, b);
	buf_z(b, manual_variables);
	manual_print_variables(b);
	buf_z(b, manual_reasons);
	refusal_print_man(b);
	buf_z(b, manual_tail);
}
