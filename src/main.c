/*
 * weir(8): reads its options and hands over to process/. No state is kept
 * here.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "net/ktls.h"
#include "process/command.h"
#include "process/config.h"
#include "process/manual.h"
#include "process/master.h"
#include "process/upgrade.h"

#include <config.h>

#include <fcntl.h>
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
	       "HTTP/2: %s\n"
	       "compression:%s%s%s%s\n"
	       "passwords: %s\n"
	       "kTLS: %s\n",
	    WEIR_VERSION, COMPILER, __VERSION__, WEIR_CONFIGURE,
	    WEIR_CONFIG_FILE, OpenSSL_version(OPENSSL_VERSION), pcre, major,
	    minor, patch, WEIR_HTTP2 ? "nghttp2 " WEIR_NGHTTP2 : "left out",
	    WEIR_ZSTD ? " zstd " WEIR_ZSTD_VERSION : "",
	    WEIR_BROTLI ? " brotli " WEIR_BROTLI_VERSION : "",
	    WEIR_ZLIB ? " zlib " WEIR_ZLIB_VERSION : "",
	    WEIR_ZSTD + WEIR_BROTLI + WEIR_ZLIB == 0 ? " left out" : "",
	    WEIR_CRYPT ? "libcrypt " WEIR_LIBCRYPT : "left out",
	    ktls_text(ktls_find()));
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

	/* As we are, with the power to read that we may have without being
	 * root; plain access(2) would leave that out. */
	if (faccessat(AT_FDCWD, o->config, R_OK, AT_EACCESS) == 0)
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

/* What the arguments say. */
struct command_line {
	struct options options;
	enum action action;
	const char *prefix; /* -p */
	const char *word;   /* -s */
	const char *format; /* --format */
	bool strict;
};

#define GO_ON (-1)

/* One option; an exit status, or GO_ON. */
static int
take_option(struct command_line *l, int c)
{
	struct options *o = &l->options;

	switch (c) {
	case 'c': o->config = optarg; break;
	case 'p': l->prefix = optarg; break;
	case 't': l->action = TEST; break;
	case 'T': l->action = PRINT; break;
	case 's': l->action = SIGNAL; l->word = optarg; break;
	case 'd': o->daemonize = true; break;
	case 'S': l->action = SCHEMA; break;
	case 'M': l->action = MAN; break;
	case 'W': l->strict = true; break;
	case 'F': l->format = optarg; break;
	case 'v': printf("weir %s\n", WEIR_VERSION); return EXIT_FINE;
	case 'V': print_versions(); return EXIT_FINE;
	case 'h': usage(stdout); return EXIT_FINE;
	case 'g':
		if (o->n_overrides < COUNT_OF(o->overrides)) {
			o->overrides[o->n_overrides++] = optarg;
			break;
		}
		fputs("weir: too many -g\n", stderr);
		return EXIT_USAGE;
	default:
		return refuse_option(o->argv, c);
	}
	return GO_ON;
}

static int
take_arguments(struct command_line *l, int argc, char **argv)
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
	int c, status = GO_ON;

	opterr = 0;
	while (status == GO_ON && (c = getopt_long(argc, argv,
	    ":c:p:g:tTs:vVh", longs, NULL)) != -1)
		status = take_option(l, c);
	if (status != GO_ON || optind == argc)
		return status;
	fprintf(stderr, "weir: unexpected argument \"%s\"; see weir --help\n",
	    argv[optind]);
	return EXIT_USAGE;
}

/* What no option is wrong in by itself. */
static int
check_arguments(const struct command_line *l)
{
	if (l->format != NULL && strcmp(l->format, "json") != 0 &&
	    strcmp(l->format, "text") != 0) {
		fprintf(stderr, "weir: --format %s: expected text or json\n",
		    l->format);
		return EXIT_USAGE;
	}
	if ((l->strict || l->format != NULL) && l->action != TEST &&
	    l->action != PRINT) {
		fprintf(stderr, "weir: %s goes with -t or -T\n",
		    l->strict ? "--strict" : "--format");
		return EXIT_USAGE;
	}
	return GO_ON;
}

static int
act(const struct command_line *l)
{
	bool json = l->format != NULL && strcmp(l->format, "json") == 0;

	switch (l->action) {
	case RUN:
		return master_run(&l->options);
	case TEST:
	case PRINT:
		return command_test(&l->options, l->action == PRINT, json,
		    l->strict);
	case SIGNAL:
		return command_signal(&l->options, l->word);
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
	struct command_line l = {
		.options = { .config = WEIR_CONFIG_FILE, .argv = argv },
		.action = RUN
	};
	bool is_default;
	int status = take_arguments(&l, argc, argv);

	if (status == GO_ON)
		status = check_arguments(&l);
	if (status != GO_ON)
		return status;

	is_default = strcmp(l.options.config, WEIR_CONFIG_FILE) == 0;
	l.options.config = config_path(l.prefix, l.options.config);
	if (l.action == RUN && !config_is_there(&l.options, is_default))
		return EXIT_CONFIG;
	clock_update();
	upgrade_init(argv[0]);
	config_init();
	return act(&l);
}
