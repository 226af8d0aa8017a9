/*
 * Syntax errors of YAML in the words of an operator: what libyaml noticed, what
 * it usually means, and the place to look at, which is often a line earlier.
 * Runs once per file at most.
 */
#include "conf/run.h"

#include <yaml.h>

/* A parser that has failed, and the text it failed in. */
struct problem {
	struct conf_load *load;
	const yaml_parser_t *parser;
	uint32_t file;
};

/*
 * What libyaml says, and what it usually means. AT_CONTEXT: the beginning of
 * the construct is the better place to point at.
 */
static const struct {
	const char *problem, *context, *text;
	bool at_context;
} problem_rows[] = {
	{"mapping values are not allowed", NULL,
	 "unexpected \":\" here; a value that contains \": \" needs quotes, "
	 "the keys of one map begin at the same column, and a key on the line "
	 "before needs a \":\" of its own", false},
	{"found unexpected end of stream", "quoted scalar",
	 "this quote is never closed", true},
	{"found unexpected document indicator", "quoted scalar",
	 "this quote is not closed before a line that begins with \"---\"",
	 true},
	{"found unknown escape character", NULL,
	 "unknown escape in a double-quoted string; single quotes keep a "
	 "backslash as it is", false},
	{"did not find expected hexdecimal number", NULL,
	 "an escape lacks its hexadecimal digits; single quotes keep a "
	 "backslash as it is", false},
	{"could not find expected ':'", NULL,
	 "a \":\" is missing after this key, or a text that goes over several "
	 "lines lacks its quotes", true},
	{"did not find expected key", "block mapping",
	 "the indentation does not fit: the keys of one map begin at the same "
	 "column, and nothing may follow a value that is in quotes or brackets",
	 false},
	{"did not find expected '-' indicator", NULL,
	 "the indentation does not fit: each item of this list begins with "
	 "\"- \" at the same column", false},
	{"block sequence entries are not allowed", NULL,
	 "a list item (\"- \") cannot stand here; a value that begins with "
	 "\"- \" needs quotes, and the items of a list begin on lines of their "
	 "own", false},
	{"block mapping keys are not allowed", NULL,
	 "a key cannot stand here; lists and maps in a block begin on a line "
	 "of their own", false},
	{"did not find expected alphabetic or numeric", "anchor",
	 "a value that begins with \"&\" needs quotes", false},
	{"did not find expected alphabetic or numeric", "alias",
	 "a value that begins with \"*\" needs quotes", true},
	{"did not find expected node content", NULL,
	 "a value is missing here", false},
	{"did not find expected <document start>", NULL,
	 "this does not belong to what stands before it; is it indented "
	 "rightly?", false},
	{"found a tab character", NULL,
	 "tabs cannot indent YAML; use spaces", false},
	{"found unexpected ':'", NULL,
	 "unexpected \":\" here; a value that contains it needs quotes", false},
	{"control characters are not allowed", NULL,
	 "control characters cannot stand in YAML; write them as \"\\x01\" in "
	 "double quotes", false},
	{"UTF-8", NULL, "this is not UTF-8 text", false},
	{"invalid Unicode character", NULL, "this is not UTF-8 text", false}
};

/* ---- places ------------------------------------------------------------ */

static struct conf_pos
problem_pos(const struct problem *p, yaml_mark_t mark)
{
	return (struct conf_pos){
		.file = p->file,
		.line = (uint32_t)mark.line + 1,
		.column = (uint32_t)mark.column + 1
	};
}

/* The place of a byte offset: the reader of libyaml knows no line. */
static struct conf_pos
problem_offset_pos(const struct problem *p, size_t offset)
{
	struct str text = p->load->files[p->file].text;
	struct conf_pos pos = {.file = p->file, .line = 1, .column = 1};

	for (size_t i = 0; i < offset && i < text.n; i++) {
		if (text.p[i] == '\n') {
			pos.line++;
			pos.column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			pos.column++;
		}
	}
	return pos;
}

/* A line, from 0, without its end; empty when there is none. */
static struct str
problem_line(const struct problem *p, size_t line)
{
	struct str rest = p->load->files[p->file].text, part;

	do {
		if (!str_split(&rest, '\n', &part))
			return STR("");
	} while (line-- > 0);
	return str_has_suffix(part, STR("\r")) ?
	    str_slice(part, 0, part.n - 1) : part;
}

/* The last line before LINE that says something, empty when there is none. */
static struct str
problem_line_before(const struct problem *p, size_t line, uint32_t *number)
{
	struct str text = STR(""), words;

	while (line-- > 0) {
		text = problem_line(p, line);
		words = str_trim(text);
		if (words.n > 0 && words.p[0] != '#')
			break;
		text = STR("");
	}
	*number = (uint32_t)line + 1;
	return text;
}

/* A tab in the white space that LINE (from 0) begins with: its column from 1,
 * or 0. */
static uint32_t
problem_tab(const struct problem *p, size_t line)
{
	struct str part = problem_line(p, line);

	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '\t')
			return (uint32_t)i + 1;
		if (part.p[i] != ' ')
			return 0;
	}
	return 0;
}

/* The ASCII character at a mark, 0 when there is none. */
static char
problem_char(const struct problem *p, yaml_mark_t mark)
{
	struct str line = problem_line(p, mark.line);
	size_t at = mark.column;

	for (size_t i = 0; i < line.n; i++) {
		if (((unsigned char)line.p[i] & 0xc0) == 0x80)
			continue;
		if (at-- == 0)
			return line.p[i] > 0x20 ? line.p[i] : '\0';
	}
	return '\0';
}

/* Whether nothing but a key, perhaps in quotes, stands before MARK. */
static bool
problem_is_first_key(const struct problem *p, yaml_mark_t mark)
{
	struct str line = problem_line(p, mark.line);

	for (size_t i = 0; i < mark.column && i < line.n; i++)
		if (strchr(",[]{}:", line.p[i]) != NULL)
			return false;
	return true;
}

/* ---- what it usually means --------------------------------------------- */

/* What is wrong in or after the bracket that began at the context. */
static const char *
problem_bracket(const struct problem *p, char at, struct conf_pos *pos)
{
	yaml_mark_t begin = p->parser->context_mark;
	yaml_mark_t end = p->parser->problem_mark;
	char open = problem_char(p, begin);
	struct str line;

	if (at == '\0') {
		*pos = problem_pos(p, begin);
		return open == '{' ? "this \"{\" is not closed by \"}\"" :
		    "this \"[\" is not closed by \"]\"";
	}
	if (at == ':' && !problem_is_first_key(p, end))
		return "unexpected \":\" here; a value that contains \": \" "
		    "needs quotes";
	if (begin.line == end.line)
		return "a \",\" is missing before this, or a bracket is not "
		    "closed";
	line = problem_line_before(p, end.line, &pos->line);
	pos->column = 0;
	for (size_t i = 0; i < line.n; i++)
		pos->column += ((unsigned char)line.p[i] & 0xc0) != 0x80;
	return arena_printf(p->load->arena, "a \",\" is missing at the end of "
	    "this line, or the \"%c\" of line %zu is not closed", open,
	    begin.line + 1);
}

/*
 * A key without its ":" is a text, which goes on in the next line and ends
 * there at an unexpected ":". Then the line before is to be looked at.
 */
static const char *
problem_key_before(const struct problem *p, struct conf_pos *pos)
{
	struct conf_pos at = *pos;
	struct str line, word;

	if (!problem_is_first_key(p, p->parser->problem_mark))
		return NULL;
	line = problem_line_before(p, p->parser->problem_mark.line, &at.line);
	word = str_trim(line);
	if (str_has_prefix(word, STR("- ")))
		word = str_trim(str_slice(word, 2, word.n));
	if (word.n == 0)
		return NULL;
	at.column = (uint32_t)(word.p - line.p) + 1;
	if (str_has_prefix(word, STR("//")) ||
	    str_has_prefix(word, STR("/*"))) {
		*pos = at;
		return "a comment begins with \"#\"";
	}
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (strchr("[]{}\"'&*!|>%@`", c) != NULL || c < ' ')
			return NULL;
		if (c == '.' && i == 0)
			return NULL; /* "...", the end of a document */
		if (c != ':')
			continue;
		if (i + 1 == word.n || word.p[i + 1] == ' ')
			return NULL;
		at.column += (uint32_t)i;
		*pos = at;
		return "a blank is missing after this \":\"";
	}
	*pos = at;
	return "a \":\" is missing after this key, or the next line is "
	    "indented too far";
}

/* The meanings that hang on what stands around the place. NULL: none. */
static const char *
problem_around(const struct problem *p, char at, struct conf_pos *pos)
{
	const char *problem = p->parser->problem;
	uint32_t tab = problem_tab(p, p->parser->problem_mark.line);

	if (tab != 0) {
		pos->column = tab;
		return "tabs cannot indent YAML; use spaces";
	}
	if (at == ';')
		return "no \";\" ends a line of YAML";
	if (at == ':' && strstr(problem, "expected key") != NULL)
		return "a key is missing before this \":\"";
	if (strstr(problem, "expected ','") != NULL)
		return problem_bracket(p, at, pos);
	if (strstr(problem, "mapping values are not") != NULL ||
	    strstr(problem, "<document start>") != NULL)
		return problem_key_before(p, pos);
	return NULL;
}

const char *
yaml_problem(struct conf_load *load, uint32_t file,
    const struct yaml_parser_s *parser, struct conf_pos *pos)
{
	struct problem p = {.load = load, .parser = parser, .file = file};
	const char *context = parser->context != NULL ? parser->context : "";
	const char *text = NULL;
	char at = '\0';

	*pos = problem_pos(&p, parser->mark);
	if (parser->problem == NULL)
		return "not valid YAML";
	if (parser->error == YAML_READER_ERROR) {
		*pos = problem_offset_pos(&p, parser->problem_offset);
	} else {
		*pos = problem_pos(&p, parser->problem_mark);
		at = problem_char(&p, parser->problem_mark);
		text = problem_around(&p, at, pos);
	}
	if (text != NULL)
		return text;

	for (size_t i = 0; i < COUNT_OF(problem_rows); i++) {
		if (strstr(parser->problem, problem_rows[i].problem) == NULL ||
		    (problem_rows[i].context != NULL &&
		    strstr(context, problem_rows[i].context) == NULL))
			continue;
		if (problem_rows[i].at_context && context[0] != '\0')
			*pos = problem_pos(&p, parser->context_mark);
		return problem_rows[i].text;
	}
	if (at != '\0' &&
	    strstr(parser->problem, "cannot start any token") != NULL)
		return arena_printf(load->arena,
		    "a value that begins with \"%c\" needs quotes", at);
	return arena_printf(load->arena, "not valid YAML%s%s: %s",
	    context[0] != '\0' ? " " : "", context, parser->problem);
}
