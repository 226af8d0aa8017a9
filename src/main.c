/*
 * weir(8): reads its options and hands over to process/. No state is kept
 * here.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "process/command.h"
#include "process/config.h"
#include "process/manual.h"
#include "process/master.h"
#include "process/upgrade.h"

#include <config.h>

#include <getopt.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

/* clang puts its name into __VERSION__, gcc does not. */
#ifdef __clang__
#define COMPILER ""
#else
#define COMPILER "gcc "
#endif

enum action { RUN, TEST, PRINT, SIGNAL, SCHEMA, MAN };

static void
usage(FILE *to)
{
	fputs("usage: weir [-c FILE] [-p PREFIX] [-g 'KEY: VALUE'] [--daemon]\n"
	      "       weir -t | -T [--format json] [--strict]\n"
	      "       weir -s stop|quit|reload|reopen|upgrade\n"
	      "       weir -v | -V | --schema | --man | --help\n"
	      "\n"
	      "  -c FILE    configuration; default " WEIR_CONFIG_FILE "\n"
	      "  -p PREFIX  folder that a relative FILE starts from\n"
	      "  -g TEXT    YAML over the top level: 'workers: 1'\n"
	      "  -t         test the configuration; changes nothing\n"
	      "  -T         test it and print the effective configuration\n"
	      "  -s WORD    tell the running master, wait for its verdict\n"
	      "  --daemon   detach once everything serves\n"
	      "  --strict   warnings fail -t and -T\n"
	      "  --schema   JSON Schema of the configuration\n"
	      "  --man      weir.yaml(5), the manual of the configuration\n",
	    to);
}

static void
print_versions(void)
{
	char pcre[64] = "";
	int major, minor, patch;

	pcre2_config(PCRE2_CONFIG_VERSION, pcre);
	yaml_get_version(&major, &minor, &patch);
	printf("weir %s\n"
	       "built with %s%s\n"
	       "configured: %s\n"
	       "configuration: %s\n"
	       "%s\n"
	       "PCRE2 %s\n"
	       "libyaml %d.%d.%d\n"
	       "HTTP/2: %s\n",
	    WEIR_VERSION, COMPILER, __VERSION__, WEIR_CONFIGURE,
	    WEIR_CONFIG_FILE, OpenSSL_version(OPENSSL_VERSION), pcre, major,
	    minor, patch, "not part of this version");
}

static void
print_schema(struct buf *b)
{
	conf_print_json_schema(&root_schema, b);
}

static int
print_text(void (*print)(struct buf *))
{
	struct arena *a = arena_new();
	struct buf b = buf_in(a);
	bool ok;

	print(&b);
	ok = fd_write_all(STDOUT_FILENO, b.p, b.n);
	arena_end(a);
	return ok ? EXIT_FINE : EXIT_ENVIRONMENT;
}

/* getopt's own words name the program by its whole path. */
static int
refuse_option(char **argv, int c)
{
	const char *what = c == ':' ? "needs a value" : "is not an option";

	if (c == '?' && optopt != 0 && argv[optind - 1][1] != '-')
		fprintf(stderr, "weir: -%c %s; see weir --help\n", optopt,
		    what);
	else
		fprintf(stderr, "weir: %s %s; see weir --help\n",
		    argv[optind - 1], what);
	return EXIT_USAGE;
}

/* Whether a master can begin at all: a file that is not there is no mistake in
 * it. A test reports that itself, as JSON if need be. */
static bool
config_is_there(const struct options *o, bool is_default)
{
	struct err e;

	if (access(o->config, R_OK) == 0)
		return true;
	err_sys(&e, "cannot read the configuration %s", o->config);
	fprintf(stderr, "weir: %s%s\n", e.text,
	    is_default ? "; name one with -c FILE" : "");
	return false;
}

/* PREFIX/FILE for a relative FILE. */
static const char *
config_path(const char *prefix, const char *file)
{
	static char path[4096];

	if (prefix == NULL || file[0] == '/')
		return file;
	snprintf(path, sizeof path, "%s/%s", prefix, file);
	return path;
}

static int
act(enum action action, struct options *o, const char *word, bool json,
    bool strict)
{
	switch (action) {
	case RUN:
		return master_run(o);
	case TEST:
	case PRINT:
		return command_test(o, action == PRINT, json, strict);
	case SIGNAL:
		return command_signal(o, word);
	case SCHEMA:
		return print_text(print_schema);
	case MAN:
		return print_text(manual_print);
	}
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "daemon", no_argument, NULL, 'd' },
		{ "schema", no_argument, NULL, 'S' },
		{ "man", no_argument, NULL, 'M' },
		{ "strict", no_argument, NULL, 'W' },
		{ "format", required_argument, NULL, 'F' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct options o = { .config = WEIR_CONFIG_FILE, .argv = argv };
	enum action action = RUN;
	const char *prefix = NULL, *word = NULL;
	const char *format = NULL;
	bool json = false, strict = false, is_default;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:p:g:tTs:vVh", longs, NULL)) !=
	    -1) {
		switch (c) {
		case 'c': o.config = optarg; break;
		case 'p': prefix = optarg; break;
		case 'g':
			if (o.n_overrides == COUNT_OF(o.overrides)) {
				fputs("weir: too many -g\n", stderr);
				return EXIT_USAGE;
			}
			o.overrides[o.n_overrides++] = optarg;
			break;
		case 't': action = TEST; break;
		case 'T': action = PRINT; break;
		case 's': action = SIGNAL; word = optarg; break;
		case 'd': o.daemonize = true; break;
		case 'S': action = SCHEMA; break;
		case 'M': action = MAN; break;
		case 'W': strict = true; break;
		case 'F':
			format = optarg;
			json = strcmp(optarg, "json") == 0;
			if (json || strcmp(optarg, "text") == 0)
				break;
			fprintf(stderr, "weir: --format %s: expected text or "
			    "json\n", optarg);
			return EXIT_USAGE;
		case 'v': printf("weir %s\n", WEIR_VERSION); return EXIT_FINE;
		case 'V': print_versions(); return EXIT_FINE;
		case 'h': usage(stdout); return EXIT_FINE;
		default: return refuse_option(argv, c);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "weir: unexpected argument \"%s\"; see weir "
		    "--help\n", argv[optind]);
		return EXIT_USAGE;
	}
	if ((strict || format != NULL) && action != TEST && action != PRINT) {
		fprintf(stderr, "weir: %s goes with -t or -T\n",
		    strict ? "--strict" : "--format");
		return EXIT_USAGE;
	}
	is_default = strcmp(o.config, WEIR_CONFIG_FILE) == 0;
	o.config = config_path(prefix, o.config);
	if (action == RUN && !config_is_there(&o, is_default))
		return EXIT_CONFIG;
	clock_update();
	upgrade_init(argv[0]);
	config_init();
	return act(action, &o, word, json, strict);
}
